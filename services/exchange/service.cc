#include "services/exchange/service.h"

#include <memory>
#include <vector>

#include "sankofa/exchange/v1/exchange_reason.pb.h"
#include "sankofa/exchange/v1/exchange_service.pb.h"
#include "services/exchange/commands.h"
#include "services/exchange/feed/route.h"
#include "services/exchange/feed/sending.h"
#include "services/exchange/partner/reading.h"
#include "services/exchange/queries.h"
#include "services/platform/service/runtime.h"
#include "services/platform/status/refuse.h"

namespace sankofa::exchange {

// Generated from migrations/ at build time.
std::vector<service::Migration> Migrations();

namespace {

// A node that exchanges nothing yet: feeds are empty, and nobody has disclosed anything.
void BindEmptyFeeds(rpc::Queries& queries) {
  queries.On<v1::ReplayRequest, v1::ReplayResponse>(
      [](rpc::QueryCall& /*call*/,
         const v1::ReplayRequest& /*request*/) -> absl::StatusOr<v1::ReplayResponse> {
        v1::ReplayResponse response;
        response.set_end(true);
        return response;
      });
  queries.OnStream<v1::SubscribeRequest>([](rpc::QueryCall& /*call*/,
                                            const v1::SubscribeRequest& /*request*/,
                                            const std::shared_ptr<rpc::StreamSink>& /*sink*/) {
    return status::Refuse(v1::REASON_NOT_THE_PARTNER);
  });
  queries.On<v1::GetDigestRequest, v1::Digest>(
      [](rpc::QueryCall& /*call*/,
         const v1::GetDigestRequest& /*request*/) -> absl::StatusOr<v1::Digest> {
        return status::Refuse(v1::REASON_NOT_THE_PARTNER);
      });
  queries.On<v1::CompareDigestsRequest, v1::DigestComparison>(
      [](rpc::QueryCall& /*call*/,
         const v1::CompareDigestsRequest& /*request*/) -> absl::StatusOr<v1::DigestComparison> {
        return status::Refuse(v1::REASON_PARTNER_UNREACHABLE);
      });
  queries.On<v1::GetReceivedDisclosureRequest, v1::ReceivedDisclosure>(
      [](rpc::QueryCall& /*call*/, const v1::GetReceivedDisclosureRequest& /*request*/)
          -> absl::StatusOr<v1::ReceivedDisclosure> {
        return status::Refuse(v1::REASON_SUBJECT_NOT_FOUND);
      });
}

QueryAccess AccessOf(const service::Runtime& runtime) {
  const crypto::SealingKey* sealing_key = runtime.sealing_key();
  return {.node = runtime.config().node.id,
          .country = runtime.config().node.country,
          .verification_key = runtime.signer().public_key(),
          .sealing_key = sealing_key == nullptr ? std::string() : sealing_key->public_key(),
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
            BindEmptyFeeds(queries);
          },
      .reactions =
          [](engine::Reactions& reactions) {
            for (const char* source :
                 {"registration", "validation", "funding", "monitoring", "exchange"}) {
              reactions.ListenTo(source);
            }
          },
      .call_source = MakeFeedCalls,
      .routes = service::Routes{.record = FeedRecordOf, .topics = FeedTopics},
      .parts =
          [](service::Runtime& runtime) {
            std::vector<std::unique_ptr<service::Part>> parts;
            parts.push_back(MakeFeedAccess(runtime));
            parts.push_back(std::make_unique<ReadingPart>(runtime));
            return parts;
          },
  };
  return definition;
}

}  // namespace sankofa::exchange
