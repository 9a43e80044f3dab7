#include "services/exchange/ingest/commands.h"

#include "sankofa/exchange/v1/partner.pb.h"
#include "services/exchange/ingest/evidence.h"
#include "services/exchange/ingest/received_feed.h"

namespace sankofa::exchange {

void BindIngestCommands(engine::Registry& registry) {
  registry.Command<ReceivedFeedDecider, v1::ReceiveUpdateRequest>(
      {.target = engine::Target::kEither,
       .id = [](const auto& request) { return request.feed_id(); },
       .names = [](const auto& request, const auto& /*feed*/,
                   engine::Names& names) { names.Add<v1::Partner>(request.event().sender()); }});
  registry.Command<ReceivedFeedDecider, v1::EraseReceivedRequest>(
      {.id = [](const auto& request) { return request.feed_id(); }});
  registry.Command<EvidenceDecider, v1::RefuseMessageRequest>(
      {.target = engine::Target::kEither,
       .id = [](const auto& request) { return request.evidence_id(); }});
}

}  // namespace sankofa::exchange
