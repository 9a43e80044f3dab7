#pragma once

#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "sankofa/common/v1/common_reason.pb.h"
#include "services/platform/rpc/client.h"
#include "services/platform/rpc/server.h"
#include "services/platform/status/refuse.h"
#include "tests/component/rpc/garden/garden.h"
#include "tests/component/rpc/pki.h"
#include "tests/unit/rpc/token_maker.h"

namespace sankofa::rpc {

constexpr char kGarden[] = "sankofa.garden.v1.GardenService";
constexpr char kPlantTree[] = "sankofa.garden.v1.GardenService/PlantTree";
constexpr char kGetTree[] = "sankofa.garden.v1.GardenService/GetTree";
constexpr char kCountTrees[] = "sankofa.garden.v1.GardenService/CountTrees";
constexpr char kWatchTrees[] = "sankofa.garden.v1.GardenService/WatchTrees";

// Answers as the test says. What is not said is not to be called.
class FakeDispatcher final : public Dispatcher {
 public:
  using CommandDone = std::function<void(engine::Outcome)>;
  using QueryDone = std::function<void(absl::StatusOr<QueryAnswer>)>;

  void Submit(engine::CommandCall call, CommandDone done) override {
    submit(std::move(call), std::move(done));
  }
  void Query(QueryRequest request, QueryDone done) override {
    query(std::move(request), std::move(done));
  }
  void OpenStream(QueryRequest request, std::shared_ptr<StreamSink> sink) override {
    open(std::move(request), std::move(sink));
  }

  std::function<void(engine::CommandCall, CommandDone)> submit = [](auto, auto) { ADD_FAILURE(); };
  std::function<void(QueryRequest, QueryDone)> query = [](auto, auto) { ADD_FAILURE(); };
  std::function<void(QueryRequest, std::shared_ptr<StreamSink>)> open = [](auto, auto) {
    ADD_FAILURE();
  };
};

// A server of the garden over real sockets, and clients with the certificates of Pki.
class RpcTest : public ::testing::Test {
 protected:
  RpcTest() {
    registry_.Command<garden::TreeDecider, garden::v1::PlantTreeRequest>(
        {.target = engine::Target::kNew});
    queries_.On<garden::v1::GetTreeRequest, garden::v1::GetTreeResponse>(
        [](QueryCall&, const auto&) { return garden::v1::GetTreeResponse(); });
    queries_.On<garden::v1::CountTreesRequest, garden::v1::CountTreesResponse>(
        [](QueryCall&, const auto&) { return garden::v1::CountTreesResponse(); });
    queries_.OnStream<garden::v1::WatchTreesRequest>(
        [](QueryCall&, const auto&, std::shared_ptr<StreamSink>) { return absl::OkStatus(); });
    WriteFile(Pki::Get().Path("jwks.json"), Jwks({Key().Json()}));
  }
  void TearDown() override { server_.reset(); }

  static const SigningKey& Key() {
    static const SigningKey key = SigningKey::Ec("ec-1");
    return key;
  }

  [[nodiscard]] static ServerOptions Options() {
    ServerOptions options;
    options.node = "cm";
    options.address = "127.0.0.1:0";
    options.health_address = "127.0.0.1:0";
    options.tls = Pki::Get().Files("node");
    options.identity = {"https://identity.cm.example", "sankofa-cm", Pki::Get().Path("jwks.json")};
    return options;
  }

  [[nodiscard]] std::vector<ServiceBinding> Bindings() {
    return {{garden::Service("GardenService"), &registry_, &queries_, &dispatcher_}};
  }

  void Start(const ServerOptions& options = Options()) {
    auto started = Server::Start(options, Bindings());
    ASSERT_TRUE(started.ok()) << started.status();
    server_ = *std::move(started);
  }

  [[nodiscard]] std::unique_ptr<Client> ClientOf(const std::string& certificate) const {
    auto client = Client::Create({.address = absl::StrCat("127.0.0.1:", server_->port()),
                                  .tls = Pki::Get().Files(certificate),
                                  .server_name = {}});
    EXPECT_TRUE(client.ok()) << client.status();
    return *std::move(client);
  }

  [[nodiscard]] static std::string Token(const std::string& role = "case_officer") {
    TokenClaims claims;
    claims.expires = absl::Now() + absl::Hours(1);
    claims.roles = absl::StrCat("[\"", role, "\"]");
    return Key().Sign(HeaderOf("ES256", "ec-1"), claims.Json());
  }

  [[nodiscard]] static CallOptions As(const std::string& role) {
    CallOptions options;
    options.token = Token(role);
    return options;
  }

  [[nodiscard]] static garden::v1::PlantTreeRequest GoodTree() {
    garden::v1::PlantTreeRequest request;
    request.set_request_id("f47ac10b-58cc-4372-a567-0e02b2c3d479");
    request.set_species("baobab");
    return request;
  }
  [[nodiscard]] static garden::v1::GetTreeRequest WhichTree() {
    garden::v1::GetTreeRequest request;
    request.set_tree_id("f47ac10b-58cc-4372-a567-0e02b2c3d479");
    return request;
  }

  // The reason that a call is refused with; "OK" where it is answered.
  static std::string ReasonOf(const absl::Status& status) {
    if (status.ok()) return "OK";
    const std::string reason = status::ReasonOf(status);
    return reason.empty() ? "no reason: " + status.ToString() : reason;
  }
  static std::string Plant(const Client& client, const CallOptions& options) {
    garden::v1::Tree tree;
    return ReasonOf(client.Call(kPlantTree, GoodTree(), tree, options));
  }

  engine::Registry registry_;
  Queries queries_;
  FakeDispatcher dispatcher_;
  std::unique_ptr<Server> server_;
};

}  // namespace sankofa::rpc
