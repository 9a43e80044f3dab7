#include "services/exchange/feed/build/statistics.h"

#include "services/exchange/feed/build/backlog.h"
#include "services/platform/engine/wire.h"

namespace sankofa::exchange {

absl::Status ShareStatisticsWith(Round& round, const v1::Partner& partner,
                                 const engine::IncomingEvent& event,
                                 const google::protobuf::Message& message, Work& work) {
  const auto agreements = round.snapshot().InForce(partner.id(), time::DayOf(work.now));
  const Ground ground =
      GroundFor(message, partner.id(), agreements, round.node(), v1::SharedCase(), {});
  if (ground.agreement == nullptr) return absl::OkStatus();
  const std::string subject = StreamOf(event);
  const auto feed = round.FeedOf(partner.id(), subject);
  if (!feed.ok()) return feed.status();
  if (Sent(**feed, event)) return absl::OkStatus();
  v1::AppendToFeedRequest request;
  request.set_receiver(partner.id());
  request.set_subject(subject);
  request.set_type(event.event_type);
  request.set_payload(engine::DeterministicBytes(
      *Cut(message, SharesOf(ground.agreement->terms(), round.node()), {})));
  *request.mutable_event_time() = time::ToTimestamp(event.meta.time);
  request.set_source(event.meta.source);
  request.set_source_stream(subject);
  request.set_source_sequence(event.meta.sequence);
  request.set_agreement_id(ground.agreement->id());
  round.Append(std::move(request), absl::StrCat(partner.id(), "/", subject), work);
  return absl::OkStatus();
}

absl::Status ShareStatistics(Round& round, const google::protobuf::Message& message, Work& work) {
  for (const auto& [code, partner] : round.snapshot().partners) {
    const absl::Status shared =
        partner.state() == v1::PARTNER_STATE_SUSPENDED
            ? KeepEvent(round, code, StreamOf(work.event), work)
            : ShareStatisticsWith(round, partner, work.event, message, work);
    if (!shared.ok()) return shared;
  }
  return absl::OkStatus();
}

}  // namespace sankofa::exchange
