#include "services/exchange/service.h"

#include <memory>
#include <vector>

#include "sankofa/exchange/v1/exchange_events.pb.h"
#include "sankofa/exchange/v1/exchange_service.pb.h"
#include "services/exchange/commands.h"
#include "services/exchange/feed/route.h"
#include "services/exchange/feed/sending.h"
#include "services/exchange/measure.h"
#include "services/exchange/partner/reading.h"
#include "services/exchange/partners_part.h"
#include "services/exchange/queries.h"
#include "services/platform/service/runtime.h"
#include "services/platform/status/check.h"

namespace sankofa::exchange {

// Generated from migrations/ at build time.
std::vector<service::Migration> Migrations();

namespace {

// Queries run only once the service has started, and with it its part.
PartnersPart& PartOf(const service::Runtime& runtime) {
  auto* part = runtime.part<PartnersPart>();
  status::Check(part != nullptr, "exchange runs without its part");
  return *part;
}

QueryAccess AccessOf(const service::Runtime& runtime) {
  return {.node = runtime.config().node.id,
          .country = runtime.config().node.country,
          .verification_key = [&runtime] { return runtime.signer().public_key(); },
          .sealing_key =
              [&runtime] {
                const crypto::SealingKey* key = runtime.sealing_key();
                return key == nullptr ? std::string() : key->public_key();
              },
          .health = [&runtime] { return runtime.parts<HealthSource>(); }};
}

}  // namespace

const service::Definition& Definition() {
  static const service::Definition definition = {
      .name = "exchange",
      .rpc = google::protobuf::DescriptorPool::generated_pool()->FindServiceByName(
          "sankofa.exchange.v1.ExchangeService"),
      .migrations = Migrations(),
      .commands = [](engine::Registry& registry, const auto& /*blind*/) { BindCommands(registry); },
      .queries =
          [](rpc::Queries& queries, service::Runtime& runtime) {
            BindQueries(queries, AccessOf(runtime));
            BindPartnerQueries(queries, [&runtime]() -> PartnersPart& { return PartOf(runtime); });
          },
      .reactions =
          [](engine::Reactions& reactions) {
            for (const char* source :
                 {"registration", "validation", "funding", "monitoring", "exchange"}) {
              reactions.ListenTo(source);
            }
          },
      .call_source = MakeFeedCalls,
      .routes = service::Routes{.record = FeedRecordOf,
                                .event_types = {v1::FeedAppended::descriptor()->full_name()},
                                .topics = FeedTopics},
      .parts =
          [](service::Runtime& runtime) {
            std::vector<std::unique_ptr<service::Part>> parts;
            parts.push_back(MakeFeedAccess(runtime));
            parts.push_back(std::make_unique<ReadingPart>(runtime));
            parts.push_back(std::make_unique<PartnersPart>(runtime));
            return parts;
          },
      .measure =
          [](service::Runtime& runtime, postgres::Connection& connection) {
            return Measure(runtime.config().exchange.partner_folder, connection);
          },
  };
  return definition;
}

}  // namespace sankofa::exchange
