#include "services/exchange/messages.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "sankofa/exchange/v1/exchange_events.pb.h"
#include "sankofa/exchange/v1/exchange_internal.pb.h"
#include "sankofa/exchange/v1/feed_messages.pb.h"
#include "services/exchange/agreement/terms.h"
#include "services/exchange/ingest/evidence.h"

namespace sankofa::exchange {
namespace {

template <class Event>
const Event* As(const google::protobuf::Message& event) {
  return dynamic_cast<const Event*>(&event);
}

Outgoing Tell(const v1::SharingAgreement& agreement) {
  auto message = std::make_shared<v1::AgreementSigned>();
  *message->mutable_agreement() = agreement;
  return {agreement.partner_id(), AgreementSubjectOf(agreement.id()), std::move(message)};
}

Outgoing Tell(const v1::AgreementTerminated& event) {
  auto message = std::make_shared<v1::AgreementEnded>();
  message->set_agreement_id(event.id());
  message->set_end_date(event.end_date());
  return {event.partner_id(), AgreementSubjectOf(event.id()), std::move(message)};
}

Outgoing Tell(const v1::Erasure& erasure) {
  auto message = std::make_shared<v1::ErasureRequested>();
  message->set_erasure_id(erasure.id());
  message->set_case_id(erasure.case_id());
  *message->mutable_purposes() = erasure.purposes();
  *message->mutable_due_time() = erasure.due_time();
  return {erasure.partner_id(), absl::StrCat("Case/", erasure.case_id()), std::move(message)};
}

template <class Message>
bool Is(const v1::FeedEvent& event) {
  return event.type() == Message::descriptor()->full_name();
}

}  // namespace

std::optional<Outgoing> OutgoingFor(const google::protobuf::Message& event,
                                    const std::string& node) {
  if (const auto* proposed = As<v1::AgreementProposed>(event)) {
    if (proposed->agreement().terms().proposer() != node) return std::nullopt;
    return Tell(proposed->agreement());
  }
  if (const auto* countersigned = As<v1::AgreementCountersigned>(event)) {
    if (countersigned->signature().node() != node) return std::nullopt;
    return Tell(countersigned->agreement());
  }
  if (const auto* terminated = As<v1::AgreementTerminated>(event)) {
    if (terminated->by_partner()) return std::nullopt;
    return Tell(*terminated);
  }
  if (const auto* asked = As<v1::ErasureAsked>(event)) return Tell(asked->erasure());
  if (const auto* refused = As<v1::MessageRefused>(event)) return ReceiptFor(*refused);
  return std::nullopt;
}

bool CommandsFor(const v1::SignedFeedEvent& message, const v1::FeedEvent& event,
                 engine::Commands& out) {
  if (Is<v1::AgreementSigned>(event)) {
    v1::AgreementSigned content;
    if (!content.ParseFromString(event.payload())) return false;
    v1::ReceiveAgreementRequest request;
    request.set_partner_id(event.sender());
    *request.mutable_agreement() = std::move(*content.mutable_agreement());
    out.Add(std::move(request));
  } else if (Is<v1::AgreementEnded>(event)) {
    v1::AgreementEnded content;
    if (!content.ParseFromString(event.payload())) return false;
    v1::ReceiveAgreementEndRequest request;
    request.set_partner_id(event.sender());
    request.set_id(content.agreement_id());
    request.set_end_date(content.end_date());
    out.Add(std::move(request));
  } else if (Is<v1::ErasureDone>(event)) {
    v1::ErasureDone content;
    if (!content.ParseFromString(event.payload())) return false;
    v1::ReceiveErasureReceiptRequest request;
    request.set_erasure_id(content.erasure_id());
    request.set_partner_id(event.sender());
    *request.mutable_erased_time() = content.erased_time();
    request.set_receipt(message.event());
    request.set_receipt_key_id(message.key_id());
    request.set_receipt_signature(message.signature());
    out.Add(std::move(request));
  }
  return true;
}

}  // namespace sankofa::exchange
