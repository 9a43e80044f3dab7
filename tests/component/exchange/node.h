#pragma once

#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "services/exchange/queries.h"
#include "services/exchange/service.h"
#include "services/platform/engine/engine.h"
#include "services/platform/postgres/store.h"
#include "services/platform/rpc/queries.h"
#include "tests/component/postgres/database.h"
#include "tests/unit/exchange/fixture.h"

// Exchange of one node over a real database, without threads and without a network: commands go through the engine, and
// queries read what it wrote.
namespace sankofa::exchange {

class Node {
 public:
  Node(std::string name, char seed) : name_(std::move(name)), seed_(seed) {
    Definition().commands(registry_, test::FakeBlind);
    session_ = *store_.Open(absl::InfiniteFuture());
    BindQueries(queries_, {.node = name_,
                           .country = absl::AsciiStrToUpper(name_),
                           .verification_key = [this] { return Signer(seed_).public_key(); },
                           .sealing_key = [this] { return Sealer(seed_).public_key(); },
                           .health = [this] { return health; }});
  }

  template <class Request>
  absl::Status Send(Request request, absl::Duration later = absl::ZeroDuration()) {
    if (request.request_id().empty()) request.set_request_id(test::NextRequestId());
    engine::CommandCall call;
    call.request = std::make_shared<Request>(std::move(request));
    call.actor = {.subject = "officer", .organisation = "agency", .roles = {}, .system = {}};
    call.now = Now().now + later;
    return engine_.Execute(*session_, std::vector{call}).front().status();
  }

  template <class Response, class Request>
  absl::StatusOr<Response> Ask(const Request& request) {
    TestCall call(*this);
    const auto answer =
        queries_.handlers().at(Request::descriptor()->full_name()).unary(call, request);
    if (!answer.ok()) return answer.status();
    return static_cast<const Response&>(**answer);
  }

  template <class State>
  absl::StatusOr<State> Read(const std::string& id) {
    auto state = engine_.Read(*session_, engine::KeyOf<State>(id), /*personal=*/false);
    if (!state.ok()) return state.status();
    return static_cast<State&>(**state);
  }

  [[nodiscard]] postgres::Pool& pool() { return pool_; }
  [[nodiscard]] engine::StoreSession& session() { return *session_; }
  [[nodiscard]] const postgres::testing::Database& database() const { return database_; }
  std::vector<HealthSource*> health;
  std::set<std::string> read;  // what queries noted as read

 private:
  class TestCall final : public rpc::QueryCall {
   public:
    explicit TestCall(Node& node) : node_(node) {}
    [[nodiscard]] const engine::Actor& actor() const override { return actor_; }
    [[nodiscard]] absl::Time now() const override { return Now().now; }
    [[nodiscard]] absl::Time deadline() const override { return absl::InfiniteFuture(); }
    void RecordRead(const std::string& partition_key) override { node_.read.insert(partition_key); }
    [[nodiscard]] absl::StatusOr<postgres::Result> Sql(
        const std::string& sql, const std::vector<postgres::Param>& params) override {
      auto connection = node_.pool_.Acquire(absl::InfiniteFuture());
      if (!connection.ok()) return connection.status();
      return (*connection)->Execute(sql, params);
    }
    [[nodiscard]] std::string Blind(std::string_view label, std::string_view text) const override {
      return test::FakeBlind(label, text);
    }
    [[nodiscard]] absl::Status Call(const std::string& method,
                                    const google::protobuf::Message& /*request*/,
                                    google::protobuf::Message& /*response*/) override {
      return absl::UnimplementedError(method);
    }

   protected:
    [[nodiscard]] absl::StatusOr<std::shared_ptr<google::protobuf::Message>> LoadState(
        const engine::StreamKey& key, const std::string* purpose) override {
      return node_.engine_.Read(*node_.session_, key, purpose != nullptr);
    }

   private:
    Node& node_;
    engine::Actor actor_;
  };

  const std::string name_;
  const char seed_;
  postgres::testing::Database database_{Definition().migrations};
  postgres::Pool pool_{database_.options(), 4};
  postgres::PostgresStore store_{pool_, {.schema = database_.service()}};
  engine::Registry registry_;
  std::unique_ptr<crypto::Vault> vault_ = *crypto::Vault::FromBytes(std::string(32, 'k'));
  engine::Engine engine_{{.node = name_,
                          .country = absl::AsciiStrToUpper(name_),
                          .service = "exchange",
                          .signer = *crypto::Signer::FromSeed(std::string(32, seed_))},
                         registry_,
                         *vault_};
  std::unique_ptr<engine::StoreSession> session_;
  rpc::Queries queries_;
};

}  // namespace sankofa::exchange
