#include <gmock/gmock.h>
#include <grpcpp/generic/generic_stub.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <future>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/synchronization/notification.h"
#include "google/rpc/error_details.pb.h"
#include "services/platform/telemetry/log.h"
#include "services/platform/telemetry/metrics.h"
#include "services/platform/telemetry/trace.h"
#include "tests/component/rpc/fixture.h"

namespace sankofa::rpc {
namespace {

using garden::v1::CountTreesRequest;
using garden::v1::CountTreesResponse;
using garden::v1::GetTreeResponse;
using garden::v1::PlantTreeRequest;
using garden::v1::Tree;
using ::testing::Contains;
using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::SizeIs;

class CallsTest : public RpcTest {
 protected:
  // Answers each command with a tree of the species asked for, and keeps the last call.
  void AnswerCommands() {
    dispatcher_.submit = [this](engine::CommandCall call, FakeDispatcher::CommandDone done) {
      auto tree = std::make_shared<Tree>();
      tree->set_species(static_cast<const PlantTreeRequest&>(*call.request).species());
      tree->set_owner_name("Ama");
      last_ = std::move(call);
      done(tree);
    };
  }

  // A call with bytes that no client of ours would send.
  static grpc::Status RawCall(const Client& client, const std::string& method, std::string bytes,
                              const std::string& token) {
    grpc::GenericStub stub(client.channel());
    grpc::ClientContext context;
    context.set_deadline(absl::ToChronoTime(absl::Now() + absl::Seconds(10)));
    context.AddMetadata("authorization", "Bearer " + token);
    const grpc::Slice slice(bytes);
    const grpc::ByteBuffer request(&slice, 1);
    grpc::ByteBuffer response;
    std::promise<grpc::Status> promise;
    stub.UnaryCall(&context, "/" + method, {}, &request, &response,
                   [&](grpc::Status status) { promise.set_value(std::move(status)); });
    return promise.get_future().get();
  }

  engine::CommandCall last_;
};

TEST_F(CallsTest, ACommandReachesTheDispatcherWithAllThatIsKnownOfIt) {
  AnswerCommands();
  Start();
  CallOptions options = As("case_officer");
  options.traceparent = telemetry::NewTraceparent();
  options.deadline = absl::Now() + absl::Seconds(20);
  Tree tree;
  const absl::Status status = ClientOf("portal")->Call(kPlantTree, GoodTree(), tree, options);
  ASSERT_TRUE(status.ok()) << status;
  EXPECT_EQ(tree.species(), "baobab");
  EXPECT_EQ(last_.actor.subject, "s.ngono");
  EXPECT_EQ(last_.actor.organisation, "minrex");
  EXPECT_THAT(last_.actor.roles, ElementsAre("case_officer"));
  EXPECT_EQ(last_.actor.system, "portal");
  EXPECT_EQ(telemetry::TraceIdOf(last_.traceparent), telemetry::TraceIdOf(options.traceparent));
  EXPECT_NE(last_.traceparent, options.traceparent);
  EXPECT_LT(absl::AbsDuration(last_.deadline - options.deadline), absl::Seconds(2));
  EXPECT_LT(absl::AbsDuration(last_.now - absl::Now()), absl::Seconds(5));
}

TEST_F(CallsTest, ACallWithoutATraceGetsOne) {
  AnswerCommands();
  Start();
  EXPECT_EQ(Plant(*ClientOf("portal"), As("case_officer")), "OK");
  EXPECT_TRUE(telemetry::ParseTraceparent(last_.traceparent));
}

TEST_F(CallsTest, PersonalFieldsLeaveOnlyWhereTheyWereGranted) {
  AnswerCommands();
  bool granted = false;
  dispatcher_.query = [&](const QueryRequest& query, const FakeDispatcher::QueryDone& done) {
    EXPECT_EQ(query.method, kGetTree);
    auto response = std::make_shared<GetTreeResponse>();
    response->mutable_tree()->set_species("baobab");
    response->mutable_tree()->set_owner_name("Ama");
    response->mutable_tree()->mutable_sealed()->set_ciphertext("secret");
    done(QueryAnswer{response, granted});
  };
  Start();
  const auto client = ClientOf("portal");
  Tree tree;
  ASSERT_TRUE(client->Call(kPlantTree, GoodTree(), tree, As("case_officer")).ok());
  EXPECT_EQ(tree.owner_name(), "");
  GetTreeResponse response;
  ASSERT_TRUE(client->Call(kGetTree, WhichTree(), response).ok());
  EXPECT_EQ(response.tree().species(), "baobab");
  EXPECT_EQ(response.tree().owner_name(), "");
  EXPECT_FALSE(response.tree().has_sealed());
  granted = true;
  ASSERT_TRUE(client->Call(kGetTree, WhichTree(), response).ok());
  EXPECT_EQ(response.tree().owner_name(), "Ama");
}

TEST_F(CallsTest, OnlyTrustedCertificatesGetThrough) {
  AnswerCommands();
  const telemetry::LogCapture capture;
  Start();
  EXPECT_EQ(Plant(*ClientOf("portal"), As("case_officer")), "OK");
  for (const char* certificate : {"unknown-ca", "expired"}) {
    EXPECT_EQ(Plant(*ClientOf(certificate), As("case_officer")), "DEPENDENCY_UNAVAILABLE")
        << certificate;
  }
  for (const char* certificate : {"foreign-node", "nameless"}) {
    EXPECT_EQ(Plant(*ClientOf(certificate), As("case_officer")), "UNAUTHENTICATED") << certificate;
  }
  EXPECT_THAT(capture.lines(), Each(Not(HasSubstr("\"level\":\"ERROR\""))));
}

// The server's files change under it: who connects from then on is shown the new certificate, and whoever is connected
// goes on.
TEST_F(CallsTest, ACertificateThatWasReplacedIsShownToWhoConnectsNext) {
  AnswerCommands();
  const auto put = [](const std::string& name) {
    for (const char* end : {".key", ".pem"}) {
      const std::string target = Pki::Get().Path(absl::StrCat("live", end));
      std::filesystem::copy_file(Pki::Get().Path(name + end), target + ".part",
                                 std::filesystem::copy_options::overwrite_existing);
      std::filesystem::rename(target + ".part", target);
    }
  };
  put("node");
  ServerOptions options = Options();
  options.tls = Pki::Get().Files("live");
  Start(options);
  const auto connected = ClientOf("monitoring");
  EXPECT_EQ(Plant(*connected, As("case_officer")), "OK");
  // Of another system, so that the connection above is not used again.
  const auto await = [this](const std::string& wanted) {
    const absl::Time end = absl::Now() + absl::Seconds(20);
    std::string seen;
    do seen = Plant(*ClientOf("portal"), As("case_officer"));
    while (seen != wanted && absl::Now() < end);
    return seen;
  };
  EXPECT_EQ(await("OK"), "OK");
  put("unknown-ca");
  EXPECT_EQ(await("DEPENDENCY_UNAVAILABLE"), "DEPENDENCY_UNAVAILABLE");
  EXPECT_EQ(Plant(*connected, As("case_officer")), "OK");
  put("node");
  EXPECT_EQ(await("OK"), "OK");
}

TEST_F(CallsTest, AClientWithoutACertificateIsTurnedAway) {
  const telemetry::LogCapture capture;
  Start();
  std::ifstream file(Pki::Get().Path("ca.pem"));
  grpc::SslCredentialsOptions options;
  options.pem_root_certs = std::string(std::istreambuf_iterator<char>(file), {});
  const std::string address = absl::StrCat("127.0.0.1:", server_->port());
  EXPECT_EQ(Plant(Client(grpc::CreateChannel(address, grpc::SslCredentials(options))),
                  As("case_officer")),
            "DEPENDENCY_UNAVAILABLE");
  EXPECT_EQ(Plant(Client(grpc::CreateChannel(address, grpc::InsecureChannelCredentials())),
                  As("case_officer")),
            "DEPENDENCY_UNAVAILABLE");
}

TEST_F(CallsTest, OldTlsIsNotSpoken) {
  const telemetry::LogCapture capture;
  Start();
  const TlsFiles files = Pki::Get().Files("portal");
  const auto handshake = [&](const std::string& version) {
    const std::string command =
        absl::StrCat("openssl s_client -connect 127.0.0.1:", server_->port(), " -", version,
                     " -cipher ALL:@SECLEVEL=0 -alpn h2 -CAfile ", files.ca, " -cert ",
                     files.certificate, " -key ", files.key, " </dev/null >/dev/null 2>&1");
    return RunShell(command);
  };
  EXPECT_FALSE(handshake("tls1_1"));
  EXPECT_TRUE(handshake("tls1_2"));
}

TEST_F(CallsTest, RolesAndSystemsAreChecked) {
  AnswerCommands();
  dispatcher_.query = [](const QueryRequest&, const FakeDispatcher::QueryDone& done) {
    done(QueryAnswer{std::make_shared<CountTreesResponse>()});
  };
  const telemetry::LogCapture capture;
  Start();
  const auto portal = ClientOf("portal");
  EXPECT_EQ(Plant(*portal, As("counsellor")), "OK");
  EXPECT_EQ(Plant(*portal, As("auditor")), "NOT_ALLOWED");
  EXPECT_EQ(Plant(*portal, {}), "UNAUTHENTICATED");
  CountTreesResponse response;
  EXPECT_TRUE(ClientOf("monitoring")->Call(kCountTrees, CountTreesRequest(), response).ok());
  EXPECT_EQ(ReasonOf(portal->Call(kCountTrees, CountTreesRequest(), response)), "NOT_ALLOWED");
}

TEST_F(CallsTest, APartnerCallsWhatIsOpenToPartnersAndNothingElse) {
  dispatcher_.query = [](const QueryRequest& query, auto done) {
    EXPECT_EQ(query.actor.system, "partner-fr");
    done(QueryAnswer{std::make_shared<garden::v1::CountTreesResponse>(), /*personal=*/false});
  };
  Start();
  const auto partner = ClientOf("partner-fr");
  CountTreesResponse response;
  EXPECT_EQ(ReasonOf(partner->Call(kCountTrees, CountTreesRequest(), response)), "OK");
  EXPECT_EQ(ReasonOf(partner->Call(kCountTrees, CountTreesRequest(), response, As("case_officer"))),
            "NOT_ALLOWED");
  EXPECT_EQ(Plant(*partner, {}), "NOT_ALLOWED");
  EXPECT_EQ(Plant(*partner, As("case_officer")), "NOT_ALLOWED");
}

TEST_F(CallsTest, TokensAreChecked) {
  const telemetry::LogCapture capture;
  Start();
  const auto client = ClientOf("portal");
  CallOptions options;
  options.token = "garbage";
  EXPECT_EQ(Plant(*client, options), "UNAUTHENTICATED");
  TokenClaims claims;
  claims.expires = absl::Now() - absl::Minutes(5);
  options.token = Key().Sign(HeaderOf("ES256", "ec-1"), claims.Json());
  EXPECT_EQ(Plant(*client, options), "UNAUTHENTICATED");
  options.token = "";
  options.metadata = {{"authorization", "Basic dXNlcjpwYXNz"}};
  EXPECT_EQ(Plant(*client, options), "UNAUTHENTICATED");
  // Two tokens: whose word would count?
  options.metadata = {{"authorization", "Bearer " + Token()},
                      {"authorization", "Bearer " + Token("auditor")}};
  EXPECT_EQ(Plant(*client, options), "UNAUTHENTICATED");
}

TEST_F(CallsTest, OneCallerCannotTakeAllTheRoom) {
  AnswerCommands();
  const telemetry::LogCapture capture;
  const time::ManualClock clock(absl::Now());
  RateLimiter rate({.person_per_minute = 3, .partner_per_minute = 0}, clock);
  ServerOptions options = Options();
  options.rate = &rate;
  Start(options);
  const auto client = ClientOf("portal");
  std::vector<std::string> reasons;
  for (int i = 0; i < 5; ++i) reasons.push_back(Plant(*client, As("case_officer")));
  EXPECT_THAT(reasons, ElementsAre("OK", "OK", "OK", "RATE_LIMITED", "RATE_LIMITED"));
  server_.reset();
}

TEST_F(CallsTest, ADeadlineIsRequiredAndBounded) {
  AnswerCommands();
  Start();
  const auto client = ClientOf("portal");
  CallOptions options = As("case_officer");
  options.deadline = absl::InfiniteFuture();
  EXPECT_EQ(Plant(*client, options), "DEADLINE_REQUIRED");
  options.deadline = absl::Now() + absl::Minutes(2);
  EXPECT_EQ(Plant(*client, options), "DEADLINE_REQUIRED");
  options.deadline = absl::Now() + absl::Minutes(1);
  EXPECT_EQ(Plant(*client, options), "OK");
}

TEST_F(CallsTest, ACallPastItsDeadlineIsOver) {
  absl::Notification asked;
  FakeDispatcher::CommandDone late;
  dispatcher_.submit = [&](engine::CommandCall, FakeDispatcher::CommandDone done) {
    late = std::move(done);
    asked.Notify();
  };
  Start();
  CallOptions options = As("case_officer");
  options.deadline = absl::Now() + absl::Milliseconds(300);
  EXPECT_EQ(Plant(*ClientOf("portal"), options), "DEADLINE_PASSED");
  asked.WaitForNotification();
  late(std::make_shared<Tree>());  // finds nobody, harms nobody
  options.deadline = absl::Now() - absl::Seconds(1);
  EXPECT_EQ(Plant(*ClientOf("portal"), options), "DEADLINE_PASSED");
}

TEST_F(CallsTest, MessagesHaveASize) {
  AnswerCommands();
  Start();
  const auto client = ClientOf("portal");
  PlantTreeRequest request = GoodTree();
  request.set_remark(std::string((1 << 20) + 1, 'a'));
  Tree tree;
  EXPECT_EQ(ReasonOf(client->Call(kPlantTree, request, tree, As("case_officer"))),
            "MESSAGE_TOO_LARGE");
  // Far beyond the limit gRPC does not even read it.
  request.set_remark(std::string(5 << 20, 'a'));
  EXPECT_TRUE(
      absl::IsResourceExhausted(client->Call(kPlantTree, request, tree, As("case_officer"))));
  EXPECT_EQ(Plant(*client, As("case_officer")), "OK");
}

TEST_F(CallsTest, BytesThatAreNoMessageAreRefused) {
  Start();
  const auto client = ClientOf("portal");
  for (const std::string& bytes :
       {std::string("\xFF\xFF\xFF"), std::string("\x0A\x7F"), std::string(1000, '\xFF'),
        std::string("\x12\x02\xC3\x28")}) {  // field 2, text that is not UTF-8
    const grpc::Status status = RawCall(*client, kPlantTree, bytes, Token());
    EXPECT_EQ(status::ReasonOf(status::FromTrailer(status.error_code(), status.error_message(),
                                                   status.error_details())),
              "MALFORMED_MESSAGE");
  }
}

TEST_F(CallsTest, FieldsThatAreNotKnownGoNoFurther) {
  AnswerCommands();
  Start();
  std::string bytes = GoodTree().SerializeAsString();
  bytes += std::string(
      "\xFA\x3E\x03"
      "abc",
      6);  // field 1007
  EXPECT_TRUE(RawCall(*ClientOf("portal"), kPlantTree, bytes, Token()).ok());
  EXPECT_EQ(last_.request->SerializeAsString(), GoodTree().SerializeAsString());
}

TEST_F(CallsTest, AllFieldsThatAreWrongAreNamed) {
  Start();
  PlantTreeRequest request;
  request.set_country("cm");
  Tree tree;
  const absl::Status status =
      ClientOf("portal")->Call(kPlantTree, request, tree, As("case_officer"));
  EXPECT_EQ(ReasonOf(status), "INVALID_FIELD");
  EXPECT_THAT(status::FieldsOf(status), ElementsAre("request_id", "species", "country"));
}

TEST_F(CallsTest, TheLongestListOfFaultsArrives) {
  Start();
  PlantTreeRequest request = GoodTree();
  for (int i = 0; i < 3; ++i) {
    auto* branch = request.add_branches();
    for (int depth = 0; depth < 20; ++depth) branch = branch->add_branches();
  }
  Tree tree;
  const absl::Status status =
      ClientOf("portal")->Call(kPlantTree, request, tree, As("case_officer"));
  EXPECT_EQ(ReasonOf(status), "INVALID_FIELD");
  EXPECT_THAT(status::FieldsOf(status), SizeIs(20));
}

TEST_F(CallsTest, AMethodThatIsNotThere) {
  Start();
  Tree tree;
  for (const char* method : {"sankofa.garden.v1.GardenService/FellTree", "no.Such/Method"}) {
    EXPECT_TRUE(absl::IsUnimplemented(
        ClientOf("portal")->Call(method, GoodTree(), tree, As("case_officer"))))
        << method;
  }
}

TEST_F(CallsTest, ScenarioTimeIsTakenWhereTheNodeAcceptsIt) {
  AnswerCommands();
  ServerOptions server = Options();
  server.accept_scenario_time = true;
  Start(server);
  const auto client = ClientOf("portal");
  CallOptions options = As("case_officer");
  options.scenario_time = absl::FromUnixSeconds(1'500'000'000);
  EXPECT_EQ(Plant(*client, options), "OK");
  EXPECT_EQ(last_.now, *options.scenario_time);
  options.scenario_time.reset();
  for (const char* text : {"yesterday", "", "2017-06-30", "infinite-future", "1500000000"}) {
    options.metadata = {{"sankofa-scenario-time", text}};
    EXPECT_EQ(Plant(*client, options), "INVALID_FIELD") << text;
  }
}

TEST_F(CallsTest, ScenarioTimeIsRefusedElsewhere) {
  Start();
  CallOptions options = As("case_officer");
  options.scenario_time = absl::FromUnixSeconds(1'500'000'000);
  EXPECT_EQ(Plant(*ClientOf("portal"), options), "INVALID_FIELD");
}

TEST_F(CallsTest, ARefusalArrivesAsItWasMade) {
  dispatcher_.submit = [](const engine::CommandCall&, const FakeDispatcher::CommandDone& done) {
    done(status::Refuse(common::v1::REASON_STALE_ETAG,
                        {.fields = {{"etag", "is older"}}, .metadata = {{"version", "7"}}}));
  };
  Start();
  Tree tree;
  const absl::Status status =
      ClientOf("portal")->Call(kPlantTree, GoodTree(), tree, As("case_officer"));
  EXPECT_TRUE(absl::IsAborted(status));
  EXPECT_EQ(ReasonOf(status), "STALE_ETAG");
  EXPECT_THAT(status::FieldsOf(status), ElementsAre("etag"));
  EXPECT_THAT(status::ToDetailsTrailer(status), HasSubstr("Quelqu'un a modifié"));
}

TEST_F(CallsTest, WhatIsBehindAMistakeOfOursStaysInTheLog) {
  absl::Status failure = status::Internal("relation secrets does not exist");
  dispatcher_.submit = [&](const engine::CommandCall&, const FakeDispatcher::CommandDone& done) {
    done(failure);
  };
  const telemetry::LogCapture capture;
  Start();
  const auto client = ClientOf("portal");
  CallOptions options = As("case_officer");
  options.traceparent = telemetry::NewTraceparent();
  const auto call = [&] {
    Tree tree;
    return client->Call(kPlantTree, GoodTree(), tree, options);
  };
  absl::Status status = call();
  EXPECT_EQ(ReasonOf(status), "INTERNAL");
  EXPECT_THAT(status::ToDetailsTrailer(status), Not(HasSubstr("secrets")));
  EXPECT_THAT(status::ToDetailsTrailer(status),
              HasSubstr(telemetry::TraceIdOf(options.traceparent)));
  EXPECT_THAT(capture.lines(),
              Contains(AllOf(HasSubstr("\"level\":\"ERROR\""), HasSubstr("relation secrets"),
                             HasSubstr(telemetry::TraceIdOf(options.traceparent)),
                             HasSubstr("\"service\":\"garden\""))));
  failure = absl::InvalidArgumentError("a status without a reason");
  status = call();
  EXPECT_EQ(ReasonOf(status), "INTERNAL");
  failure = status::Unavailable("host db-7.internal is away");
  status = call();
  EXPECT_EQ(ReasonOf(status), "DEPENDENCY_UNAVAILABLE");
  EXPECT_THAT(status::ToDetailsTrailer(status), Not(HasSubstr("db-7")));
}

TEST_F(CallsTest, ADroppedCallDoesNotLeaveItsCallerWaiting) {
  dispatcher_.submit = [](const engine::CommandCall&, const FakeDispatcher::CommandDone&) {};
  Start();
  EXPECT_EQ(Plant(*ClientOf("portal"), As("case_officer")), "DEPENDENCY_UNAVAILABLE");
}

TEST_F(CallsTest, ManyCallersAtATime) {
  AnswerCommands();
  dispatcher_.submit = [](const engine::CommandCall& call,
                          const FakeDispatcher::CommandDone& done) {
    auto tree = std::make_shared<Tree>();
    tree->set_species(static_cast<const PlantTreeRequest&>(*call.request).species());
    done(tree);
  };
  Start();
  const auto client = ClientOf("portal");
  const CallOptions options = As("case_officer");
  std::vector<std::thread> callers;
  std::atomic<int> good = 0;
  for (int caller = 0; caller < 8; ++caller) {
    callers.emplace_back([&, caller] {
      for (int i = 0; i < 50; ++i) {
        PlantTreeRequest request = GoodTree();
        request.set_species(absl::StrCat("tree ", caller, " ", i));
        Tree tree;
        const bool ok = client->Call(kPlantTree, request, tree, options).ok();
        good += ok && tree.species() == request.species() ? 1 : 0;
      }
    });
  }
  for (std::thread& caller : callers) caller.join();
  EXPECT_EQ(good, 400);
}

TEST_F(CallsTest, ACallWithoutWaiting) {
  AnswerCommands();
  Start();
  const auto client = ClientOf("portal");
  Tree tree;
  std::promise<absl::Status> answered;
  client->CallAsync(kPlantTree, GoodTree(), tree, As("case_officer"),
                    [&](absl::Status status) { answered.set_value(std::move(status)); });
  EXPECT_TRUE(answered.get_future().get().ok());
  EXPECT_EQ(tree.species(), "baobab");
}

TEST_F(CallsTest, ClientsFindTheServiceInTheMethod) {
  AnswerCommands();
  Start();
  const auto clients = Clients::Create({{"garden", absl::StrCat("127.0.0.1:", server_->port())}},
                                       Pki::Get().Files("portal"));
  ASSERT_TRUE(clients.ok());
  Tree tree;
  EXPECT_TRUE((*clients)->Call(kPlantTree, GoodTree(), tree, As("case_officer")).ok());
  EXPECT_EQ(ReasonOf((*clients)->Call("sankofa.park.v1.ParkService/Get", GoodTree(), tree)),
            "DEPENDENCY_UNAVAILABLE");
  EXPECT_EQ((*clients)->Find("park"), nullptr);
}

TEST_F(CallsTest, CallsAreCountedByOutcome) {
  AnswerCommands();
  Start();
  const auto count = [](const char* outcome) {
    return telemetry::GetCounter(
               "sankofa_rpc_calls_total",
               "Calls by method and outcome: OK or the refusal's reason.",
               {{"service", "garden"}, {"method", "PlantTree"}, {"outcome", outcome}})
        .value();
  };
  const double good = count("OK");
  const double bad = count("UNAUTHENTICATED");
  EXPECT_EQ(Plant(*ClientOf("portal"), As("case_officer")), "OK");
  EXPECT_EQ(Plant(*ClientOf("portal"), {}), "UNAUTHENTICATED");
  EXPECT_EQ(count("OK"), good + 1);
  EXPECT_EQ(count("UNAUTHENTICATED"), bad + 1);
  EXPECT_THAT(telemetry::MetricsText(), HasSubstr("sankofa_rpc_seconds_bucket"));
}

}  // namespace
}  // namespace sankofa::rpc
