#include "services/exchange/feed/build/own_messages.h"

#include "sankofa/common/v1/common_reason.pb.h"
#include "sankofa/exchange/v1/exchange_events.pb.h"
#include "sankofa/exchange/v1/feed_messages.pb.h"
#include "services/exchange/feed/build/backlog.h"
#include "services/platform/engine/wire.h"

namespace sankofa::exchange {
namespace {

using google::protobuf::Message;

// What a partner's message leads to in exchange itself.
absl::Status Heed(const v1::UpdateReceived& received, Work& work) {
  v1::SignedFeedEvent message;
  message.set_event(received.event());
  message.set_key_id(received.key_id());
  message.set_signature(received.signature());
  v1::FeedEvent event;
  engine::Commands commands;
  if (!event.ParseFromString(received.event()) || !CommandsFor(message, event, commands)) {
    return status::Refuse(common::v1::REASON_MALFORMED_EVENT);
  }
  int number = 0;
  for (auto& request : commands.requests()) {
    work.calls.push_back(
        engine::CallFor(work.event, std::move(request), absl::StrCat("heed/", number++)));
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status Tell(Round& round, const Outgoing& outgoing, const std::string& label, Work& work) {
  const v1::Partner* partner = round.snapshot().Find(outgoing.partner);
  if (partner == nullptr) return absl::OkStatus();
  v1::KeptMessage message;
  message.set_subject(outgoing.subject);
  message.set_type(outgoing.message->GetDescriptor()->full_name());
  message.set_payload(engine::DeterministicBytes(*outgoing.message));
  *message.mutable_event_time() = time::ToTimestamp(work.event.meta.time);
  if (partner->state() == v1::PARTNER_STATE_SUSPENDED) {
    return Keep(round, outgoing.partner, std::move(message), label, work);
  }
  if (auto told = TellKept(round, *partner, outgoing.subject, work); !told.ok()) return told;
  return Tell(round, outgoing.partner, message, label, work);
}

absl::Status Tell(Round& round, const std::string& partner, const v1::KeptMessage& message,
                  const std::string& label, Work& work) {
  if (auto feed = round.FeedOf(partner, message.subject()); !feed.ok()) return feed.status();
  v1::AppendToFeedRequest request;
  request.set_receiver(partner);
  request.set_subject(message.subject());
  request.set_type(message.type());
  request.set_payload(message.payload());
  *request.mutable_event_time() = message.event_time();
  request.set_stops(message.type() == v1::ErasureRequested::descriptor()->full_name());
  round.Append(std::move(request), label, work);
  return absl::OkStatus();
}

absl::Status OnOwnEvent(Round& round, const Message& message, Work& work) {
  if (const auto* received = As<v1::UpdateReceived>(message)) return Heed(*received, work);
  if (const auto outgoing = OutgoingFor(message, round.node())) {
    if (auto told = Tell(round, *outgoing, outgoing->partner, work); !told.ok()) return told;
  }
  if (const auto* resumed = As<v1::PartnerResumed>(message)) {
    StartCatchUp(round, resumed->partner_id(), work);
  } else if (const auto* signed_now = As<v1::AgreementCountersigned>(message)) {
    StartCatchUp(round, signed_now->partner_id(), work);
  } else if (const auto* started = As<v1::CatchUpStarted>(message)) {
    return GoThroughCases(round, {started->partner_id(), started->round(), ""}, work);
  } else if (const auto* advanced = As<v1::CatchUpAdvanced>(message); advanced != nullptr) {
    if (advanced->done()) return absl::OkStatus();
    return GoThroughCases(round, {advanced->partner_id(), advanced->round(), advanced->after()},
                          work);
  }
  return absl::OkStatus();
}

}  // namespace sankofa::exchange
