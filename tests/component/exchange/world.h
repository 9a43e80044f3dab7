#pragma once

#include <memory>
#include <string>
#include <vector>

#include "sankofa/exchange/v1/exchange_internal.pb.h"
#include "services/exchange/ingest/commands.h"
#include "services/exchange/partner/partner.h"
#include "services/exchange/replay/outgoing_feed.h"
#include "services/exchange/service.h"
#include "services/platform/postgres/store.h"
#include "tests/component/postgres/database.h"
#include "tests/unit/exchange/sender.h"
#include "tests/unit/harness.h"

// exchange on a real PostgreSQL, without a process around it.
namespace sankofa::exchange {

// Puts messages into the journal as the feed's own decider does; what that one checks is not tested here.
struct FeedStub {
  using State = v1::Feed;
  using EventTypes = engine::EventTypes<v1::FeedAppended>;
  static engine::Decision Decide(const State& /*feed*/, const v1::AppendToFeedRequest& request,
                                 const engine::Context& /*context*/) {
    v1::FeedAppended appended;
    if (!appended.ParseFromString(request.payload())) return status::Internal("not appended");
    return engine::Emit(std::move(appended));
  }
  static void Apply(State& feed, const v1::FeedAppended& event) {
    feed.set_id(event.feed_id());
    feed.set_subject_id(event.subject_id());
    feed.set_receiver(event.receiver());
    feed.set_subject(event.subject());
    feed.set_sequence(event.sequence());
    feed.set_last_hash(crypto::Hash(event.event()));
    if (!event.disclosed().empty()) feed.set_disclosed(event.disclosed());
  }
};

class World {
 public:
  World() {
    BindPartner(registry_);
    BindIngestCommands(registry_);
    registry_.Command<FeedStub, v1::AppendToFeedRequest>(
        {.target = engine::Target::kEither,
         .id = [](const auto& request) { return request.feed_id(); }});
  }

  template <class Request>
  absl::Status Run(Request request, const std::string& request_id = test::NextRequestId()) {
    request.set_request_id(request_id);
    engine::CommandCall call;
    call.request = std::make_shared<Request>(std::move(request));
    call.actor.system = "test";
    call.now = Noon();
    auto session = store.Open(absl::InfiniteFuture());
    if (!session.ok()) return session.status();
    return engine.Execute(**session, std::vector{call}).front().status();
  }

  // A node that is a partner, with the sender's keys. Where its feed is read is the directory's to say.
  void Register(const v1::Partner& partner) {
    v1::RegisterPartnerRequest request;
    request.set_partner_id(partner.id());
    request.set_name(partner.id());
    request.set_country("TG");
    request.set_kind(v1::PARTNER_KIND_NODE);
    request.set_verification_key(partner.keys(0).verification_key());
    request.set_brokers("localhost:1");
    request.set_topic("feed.fr");
    request.set_exchange_address("localhost:1");
    const absl::Status registered = Run(request);
    status::Check(registered.ok(), registered.ToString());
  }

  // Into the journal of the sender's node, as one transaction.
  absl::Status Append(const v1::SignedFeedEvent& message, const std::string& disclosed = {}) {
    v1::FeedEvent event;
    status::Check(event.ParseFromString(message.event()), "an event");
    v1::FeedAppended appended;
    appended.set_feed_id(absl::StrCat(event.receiver(), ":", event.subject()));
    appended.set_subject_id(SubjectIdOf(event.subject()));
    appended.set_receiver(event.receiver());
    appended.set_subject(event.subject());
    appended.set_sequence(event.sequence());
    appended.set_event(message.event());
    appended.set_key_id(message.key_id());
    appended.set_signature(message.signature());
    appended.set_sealed(message.sealed());
    appended.set_disclosed(disclosed);
    v1::AppendToFeedRequest request;
    request.set_feed_id(appended.feed_id());
    request.set_payload(appended.SerializeAsString());
    return Run(request);
  }

  [[nodiscard]] FeedReader Reader() {
    return {.sql = [this](const std::string& sql, const std::vector<postgres::Param>& params)
                -> absl::StatusOr<postgres::Result> {
              auto connection = pool.Acquire(absl::InfiniteFuture());
              if (!connection.ok()) return connection.status();
              return (*connection)->Execute(sql, params);
            },
            .call =
                [this](const std::string& method, const google::protobuf::Message& /*request*/,
                       google::protobuf::Message& /*response*/, absl::Time /*now*/) {
                  ++asked;
                  last_method = method;
                  return consent;
                }};
  }

  postgres::testing::Database database{Definition().migrations};
  postgres::Pool pool{database.options(), 8};
  postgres::PostgresStore store{pool, {.schema = database.service()}};
  absl::Status consent;  // what registration says
  int asked = 0;
  std::string last_method;

 private:
  engine::Registry registry_;
  std::unique_ptr<crypto::Vault> vault_ = *crypto::Vault::FromBytes(std::string(32, 'k'));

 public:
  engine::Engine engine{{.node = "fr", .country = "FR", .service = "exchange"}, registry_, *vault_};
};

}  // namespace sankofa::exchange
