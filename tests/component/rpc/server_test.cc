#include <gmock/gmock.h>
#include <grpcpp/impl/codegen/proto_utils.h>
#include <grpcpp/impl/rpc_method.h>
#include <grpcpp/support/sync_stream.h>
#include <gtest/gtest.h>

#include <future>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/synchronization/notification.h"
#include "google/protobuf/dynamic_message.h"
#include "grpc/health/v1/health.pb.h"
#include "services/platform/telemetry/log.h"
#include "tests/component/rpc/fixture.h"

namespace sankofa::rpc {
namespace {

using garden::v1::Tree;
using garden::v1::WatchTreesRequest;
using google::protobuf::Message;
using google::protobuf::MessageLite;
using grpc::health::v1::HealthCheckRequest;
using grpc::health::v1::HealthCheckResponse;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsSupersetOf;

constexpr char kCheck[] = "grpc.health.v1.Health/Check";
constexpr char kWatch[] = "grpc.health.v1.Health/Watch";

class ServerTest : public RpcTest {
 protected:
  [[nodiscard]] std::unique_ptr<Client> Probe() const {
    return std::make_unique<Client>(grpc::CreateChannel(
        absl::StrCat("127.0.0.1:", server_->health_port()), grpc::InsecureChannelCredentials()));
  }

  // "SERVING", "NOT_SERVING", or the code of a failure.
  static std::string HealthOf(const Client& client, const std::string& service) {
    HealthCheckRequest request;
    request.set_service(service);
    HealthCheckResponse response;
    const absl::Status status = client.Call(kCheck, request, response);
    return status.ok() ? HealthCheckResponse::ServingStatus_Name(response.status())
                       : absl::StatusCodeToString(status.code());
  }

  static CallOptions Within(absl::Duration patience) {
    CallOptions options;
    options.deadline = absl::Now() + patience;
    return options;
  }
};

// Asks the server's reflection by messages that are found by reflection themselves.
std::vector<std::string> ListServices(const Client& client, absl::Status& status) {
  const auto* pool = google::protobuf::DescriptorPool::generated_pool();
  auto* factory = google::protobuf::MessageFactory::generated_factory();
  const auto make = [&](const char* type) {
    return std::unique_ptr<Message>(
        factory->GetPrototype(pool->FindMessageTypeByName(type))->New());
  };
  const auto request = make("grpc.reflection.v1alpha.ServerReflectionRequest");
  const auto response = make("grpc.reflection.v1alpha.ServerReflectionResponse");
  request->GetReflection()->SetString(
      request.get(), request->GetDescriptor()->FindFieldByName("list_services"), "*");

  grpc::ClientContext context;
  context.set_deadline(absl::ToChronoTime(absl::Now() + absl::Seconds(10)));
  const grpc::internal::RpcMethod method(
      "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
      grpc::internal::RpcMethod::BIDI_STREAMING);
  const std::unique_ptr<grpc::ClientReaderWriter<MessageLite, MessageLite>> stream(
      grpc::internal::ClientReaderWriterFactory<MessageLite, MessageLite>::Create(
          client.channel().get(), method, &context));
  std::vector<std::string> names;
  if (stream->Write(*request) && stream->Read(response.get())) {
    const auto* list_field = response->GetDescriptor()->FindFieldByName("list_services_response");
    const Message& list = response->GetReflection()->GetMessage(*response, list_field);
    const auto* service_field = list.GetDescriptor()->FindFieldByName("service");
    for (int i = 0; i < list.GetReflection()->FieldSize(list, service_field); ++i) {
      const Message& service = list.GetReflection()->GetRepeatedMessage(list, service_field, i);
      names.push_back(service.GetReflection()->GetString(
          service, service.GetDescriptor()->FindFieldByName("name")));
    }
  }
  stream->WritesDone();
  const grpc::Status end = stream->Finish();
  status = absl::Status(static_cast<absl::StatusCode>(end.error_code()), end.error_message());
  return names;
}

TEST_F(ServerTest, ReflectionListsTheServices) {
  Start();
  absl::Status status;
  EXPECT_THAT(ListServices(*ClientOf("portal"), status),
              IsSupersetOf({std::string(kGarden), std::string("grpc.health.v1.Health")}));
  EXPECT_TRUE(status.ok()) << status;
}

TEST_F(ServerTest, AServerThatIsNotBoundCompletelyDoesNotStart) {
  const std::vector<ServiceBinding> wild{
      {garden::Service("WildService"), &registry_, &queries_, &dispatcher_}};
  const auto started = Server::Start(Options(), wild);
  EXPECT_TRUE(absl::IsFailedPrecondition(started.status()));
  EXPECT_THAT(std::string(started.status().message()), HasSubstr("WildService.NoAccess"));
}

TEST_F(ServerTest, WhatItNeedsMustBeThere) {
  ServerOptions options = Options();
  options.tls.key = "/nowhere.key";
  EXPECT_TRUE(absl::IsNotFound(Server::Start(options, Bindings()).status()));
  options = Options();
  options.identity.jwks_file = "/nowhere.json";
  EXPECT_TRUE(absl::IsNotFound(Server::Start(options, Bindings()).status()));
}

TEST_F(ServerTest, AnAddressIsHadByOneServerAlone) {
  const telemetry::LogCapture capture;
  Start();
  ServerOptions options = Options();
  options.address = absl::StrCat("127.0.0.1:", server_->port());
  EXPECT_TRUE(absl::IsUnavailable(Server::Start(options, Bindings()).status()));
  options = Options();
  options.health_address = absl::StrCat("127.0.0.1:", server_->health_port());
  EXPECT_TRUE(absl::IsUnavailable(Server::Start(options, Bindings()).status()));
}

TEST_F(ServerTest, AServiceIsServingWhenItSaysSo) {
  Start();
  const auto client = ClientOf("portal");
  const auto probe = Probe();
  for (const Client* any : {client.get(), probe.get()}) {
    EXPECT_EQ(HealthOf(*any, kGarden), "NOT_SERVING");
    EXPECT_EQ(HealthOf(*any, ""), "NOT_SERVING");
    EXPECT_EQ(HealthOf(*any, "liveness"), "SERVING");
    EXPECT_EQ(HealthOf(*any, "no.Such"), "NOT_FOUND");
  }
  server_->SetServing(kGarden, true);
  for (const Client* any : {client.get(), probe.get()}) {
    EXPECT_EQ(HealthOf(*any, kGarden), "SERVING");
    EXPECT_EQ(HealthOf(*any, ""), "SERVING");
  }
  server_->SetServing(kGarden, false);
  EXPECT_EQ(HealthOf(*probe, kGarden), "NOT_SERVING");
}

TEST_F(ServerTest, TheHealthPortServesNothingElse) {
  Start();
  Tree tree;
  EXPECT_TRUE(
      absl::IsUnimplemented(Probe()->Call(kPlantTree, GoodTree(), tree, As("case_officer"))));
  absl::Status status;
  ListServices(*Probe(), status);
  EXPECT_TRUE(absl::IsUnimplemented(status)) << status;
}

TEST_F(ServerTest, AWatchTellsEachChange) {
  Start();
  const auto client = ClientOf("portal");
  std::vector<std::string> seen;
  HealthCheckRequest request;
  request.set_service(kGarden);
  HealthCheckResponse response;
  const absl::Status status = client->ReadStream(
      kWatch, request, response, Within(absl::Seconds(20)), [&](const auto& message) {
        const auto& now = static_cast<const HealthCheckResponse&>(message);
        seen.push_back(HealthCheckResponse::ServingStatus_Name(now.status()));
        if (seen.size() == 1) server_->SetServing(kGarden, true);
        if (seen.size() == 2) server_->SetServing(kGarden, false);
        return seen.size() < 3;
      });
  EXPECT_TRUE(status.ok()) << status;
  EXPECT_THAT(seen, ElementsAre("NOT_SERVING", "SERVING", "NOT_SERVING"));
}

TEST_F(ServerTest, AStreamBringsWhatItsSourceWrites) {
  dispatcher_.open = [](const QueryRequest& query, const std::shared_ptr<StreamSink>& sink) {
    EXPECT_EQ(query.method, kWatchTrees);
    EXPECT_EQ(query.actor.system, "portal");
    for (int i = 0; i < 100; ++i) {
      Tree tree;
      tree.set_id(absl::StrCat(i));
      tree.set_owner_name("Ama");
      EXPECT_TRUE(sink->Write(tree));
    }
    sink->Finish(absl::OkStatus());
    EXPECT_FALSE(sink->Write(Tree()));
  };
  Start();
  Tree tree;
  std::vector<std::string> ids;
  const absl::Status status = ClientOf("portal")->ReadStream(
      kWatchTrees, WatchTreesRequest(), tree, Within(absl::Minutes(10)), [&](const auto& message) {
        const auto& read = static_cast<const Tree&>(message);
        EXPECT_EQ(read.owner_name(), "");
        ids.push_back(read.id());
        return true;
      });
  EXPECT_TRUE(status.ok()) << status;
  ASSERT_EQ(ids.size(), 100u);
  for (int i = 0; i < 100; ++i) EXPECT_EQ(ids[i], absl::StrCat(i));
}

TEST_F(ServerTest, AStreamPassesTheSameGate) {
  const telemetry::LogCapture capture;
  Start();
  const auto read = [&](const std::string& certificate, const CallOptions& options) {
    Tree tree;
    return ReasonOf(ClientOf(certificate)
                        ->ReadStream(kWatchTrees, WatchTreesRequest(), tree, options,
                                     [](const auto&) { return true; }));
  };
  EXPECT_EQ(read("monitoring", {}), "UNAUTHENTICATED");
  EXPECT_EQ(read("portal", As("auditor")), "NOT_ALLOWED");
  EXPECT_EQ(read("portal", Within(absl::InfiniteDuration())), "DEADLINE_REQUIRED");
  EXPECT_EQ(read("portal", Within(absl::Hours(2))), "DEADLINE_REQUIRED");
}

TEST_F(ServerTest, AStreamEndsWithItsSource) {
  dispatcher_.open = [](const QueryRequest&, const std::shared_ptr<StreamSink>&) {};
  Start();
  Tree tree;
  EXPECT_EQ(ReasonOf(ClientOf("portal")->ReadStream(kWatchTrees, WatchTreesRequest(), tree, {},
                                                    [](const auto&) { return true; })),
            "DEPENDENCY_UNAVAILABLE");
  dispatcher_.open = [](const QueryRequest&, const std::shared_ptr<StreamSink>& sink) {
    sink->Finish(status::Refuse(common::v1::REASON_INVALID_PAGE_TOKEN));
  };
  EXPECT_EQ(ReasonOf(ClientOf("portal")->ReadStream(kWatchTrees, WatchTreesRequest(), tree, {},
                                                    [](const auto&) { return true; })),
            "INVALID_PAGE_TOKEN");
}

TEST_F(ServerTest, AClientThatReadsTooSlowlyIsToldToComeBack) {
  std::atomic<int> written = 0;
  dispatcher_.open = [&](const QueryRequest&, const std::shared_ptr<StreamSink>& sink) {
    Tree tree;
    tree.set_species(std::string(100'000, 'a'));
    while (sink->Write(tree)) ++written;
  };
  ServerOptions options = Options();
  options.stream_buffer_max = 8;
  Start(options);
  Tree tree;
  int read = 0;
  const absl::Status status =
      ClientOf("portal")->ReadStream(kWatchTrees, WatchTreesRequest(), tree, {}, [&](const auto&) {
        ++read;
        return true;
      });
  EXPECT_EQ(ReasonOf(status), "OVERLOADED");
  EXPECT_EQ(read, written);  // what was taken was sent
}

TEST_F(ServerTest, ASourceThatWaitsForRoomSendsMoreThanTheBufferHolds) {
  constexpr int kTrees = 200;
  struct Source {
    std::shared_ptr<StreamSink> sink;
    std::mutex mutex;
    int written = 0;
    void Pump() {
      const std::lock_guard lock(mutex);
      Tree tree;
      tree.set_species(std::string(100'000, 'a'));
      for (; written < kTrees && sink->room() > 0; ++written) EXPECT_TRUE(sink->Write(tree));
      if (written == kTrees) sink->Finish(absl::OkStatus());
    }
  };
  std::weak_ptr<Source> let_go_of;
  dispatcher_.open = [&](const QueryRequest&, std::shared_ptr<StreamSink> sink) {
    auto source = std::make_shared<Source>();
    source->sink = std::move(sink);
    let_go_of = source;
    EXPECT_EQ(source->sink->room(), 8u);
    source->sink->OnRoom([source] { source->Pump(); });
    source->Pump();
  };
  ServerOptions options = Options();
  options.stream_buffer_max = 8;
  Start(options);
  Tree tree;
  int read = 0;
  const absl::Status status =
      ClientOf("portal")->ReadStream(kWatchTrees, WatchTreesRequest(), tree, {}, [&](const auto&) {
        ++read;
        return true;
      });
  EXPECT_TRUE(status.ok()) << status;
  EXPECT_EQ(read, kTrees);
  server_.reset();
  EXPECT_TRUE(let_go_of.expired());
}

TEST_F(ServerTest, OpenStreamsHaveALimit) {
  std::vector<std::shared_ptr<StreamSink>> sinks;
  dispatcher_.open = [&](const QueryRequest&, const std::shared_ptr<StreamSink>& sink) {
    sink->Write(Tree());
    sinks.push_back(sink);
  };
  ServerOptions options = Options();
  options.streams_max = 1;
  Start(options);
  const auto client = ClientOf("portal");
  Tree tree;
  std::string second;
  const absl::Status first =
      client->ReadStream(kWatchTrees, WatchTreesRequest(), tree, {}, [&](const auto&) {
        Tree inner;
        second = ReasonOf(client->ReadStream(kWatchTrees, WatchTreesRequest(), inner, {},
                                             [](const auto&) { return true; }));
        return false;
      });
  EXPECT_TRUE(first.ok());
  EXPECT_EQ(second, "OVERLOADED");
}

TEST_F(ServerTest, ASourceLearnsThatItsClientIsGone) {
  std::promise<std::shared_ptr<StreamSink>> opened;
  dispatcher_.open = [&](const QueryRequest&, const std::shared_ptr<StreamSink>& sink) {
    sink->Write(Tree());
    opened.set_value(sink);
  };
  Start();
  Tree tree;
  EXPECT_TRUE(ClientOf("portal")
                  ->ReadStream(kWatchTrees, WatchTreesRequest(), tree, {},
                               [](const auto&) { return false; })
                  .ok());
  const auto sink = opened.get_future().get();
  const absl::Time deadline = absl::Now() + absl::Seconds(10);
  while (!sink->cancelled() && absl::Now() < deadline) std::this_thread::yield();
  EXPECT_TRUE(sink->cancelled());
  EXPECT_FALSE(sink->Write(Tree()));
}

class DrainTest : public ServerTest {
 protected:
  // Keeps commands until the test answers them.
  void HoldCommands() {
    dispatcher_.submit = [this](engine::CommandCall, FakeDispatcher::CommandDone done) {
      held_.set_value(std::move(done));
    };
  }
  std::promise<FakeDispatcher::CommandDone> held_;
};

TEST_F(DrainTest, RunningCallsFinishAndNewOnesAreTurnedAway) {
  HoldCommands();
  Start();
  server_->SetServing(kGarden, true);
  const auto client = ClientOf("portal");
  auto running = std::async(std::launch::async, [&] { return Plant(*client, As("case_officer")); });
  const FakeDispatcher::CommandDone done = held_.get_future().get();
  auto draining = std::async(std::launch::async, [&] { server_->Drain(absl::Seconds(30)); });
  // The probe's port tells first; then the listening one is closed.
  const auto probe = Probe();
  while (HealthOf(*probe, "") != "NOT_SERVING") std::this_thread::yield();
  std::string refused = "OK";
  while (refused == "OK") {
    CallOptions options;  // no token: is refused while the door is open, and never held
    refused = Plant(*ClientOf("portal"), options);
    if (refused == "UNAUTHENTICATED") refused = "OK";
  }
  EXPECT_EQ(refused, "DEPENDENCY_UNAVAILABLE");
  EXPECT_EQ(running.wait_for(std::chrono::seconds(0)), std::future_status::timeout);
  done(std::make_shared<Tree>());
  EXPECT_EQ(running.get(), "OK");
  draining.get();
}

TEST_F(DrainTest, StreamsAndWatchesAreClosedOnceCallsHaveFinished) {
  dispatcher_.open = [](const QueryRequest&, const std::shared_ptr<StreamSink>& sink) {
    sink->Write(Tree());
    // Kept open by nobody's reading end: the source holds its sink.
    static std::shared_ptr<StreamSink> keep;
    keep = sink;
  };
  Start();
  server_->SetServing(kGarden, true);
  absl::Notification streaming;
  auto stream = std::async(std::launch::async, [&] {
    Tree tree;
    return ReasonOf(ClientOf("portal")->ReadStream(kWatchTrees, WatchTreesRequest(), tree,
                                                   Within(absl::Minutes(1)), [&](const auto&) {
                                                     streaming.Notify();
                                                     return true;
                                                   }));
  });
  absl::Notification watching;
  std::vector<std::string> seen;
  auto watch = std::async(std::launch::async, [&] {
    HealthCheckResponse response;
    return ClientOf("portal")->ReadStream(
        kWatch, HealthCheckRequest(), response, Within(absl::Minutes(1)), [&](const auto& message) {
          const auto& now = static_cast<const HealthCheckResponse&>(message);
          seen.push_back(HealthCheckResponse::ServingStatus_Name(now.status()));
          if (seen.size() == 1) watching.Notify();
          return true;
        });
  });
  streaming.WaitForNotification();
  watching.WaitForNotification();
  const absl::Time began = absl::Now();
  server_->Drain(absl::Seconds(30));
  EXPECT_LT(absl::Now() - began, absl::Seconds(10));  // did not wait for its deadline
  EXPECT_EQ(stream.get(), "DEPENDENCY_UNAVAILABLE");
  EXPECT_TRUE(absl::IsUnavailable(watch.get()));
  EXPECT_THAT(seen, ElementsAre("SERVING", "NOT_SERVING"));
}

TEST_F(DrainTest, ACallThatDoesNotFinishIsCutOffAtTheDeadline) {
  HoldCommands();
  Start();
  const auto client = ClientOf("portal");
  auto running = std::async(std::launch::async, [&] { return Plant(*client, As("case_officer")); });
  const FakeDispatcher::CommandDone done = held_.get_future().get();
  server_->Drain(absl::Milliseconds(200));
  EXPECT_NE(running.get(), "OK");
  server_.reset();
  done(std::make_shared<Tree>());  // the server is gone; the late answer is dropped
}

TEST_F(DrainTest, AServerThatIsDroppedEndsAtOnce) {
  Start();
  EXPECT_NE(Plant(*ClientOf("portal"), {}), "OK");
  const absl::Time began = absl::Now();
  server_.reset();
  EXPECT_LT(absl::Now() - began, absl::Seconds(5));
}

}  // namespace
}  // namespace sankofa::rpc
