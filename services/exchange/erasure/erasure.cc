#include "services/exchange/erasure/erasure.h"

#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "sankofa/exchange/v1/exchange_reason.pb.h"
#include "sankofa/exchange/v1/partner.pb.h"
#include "services/platform/postgres/result.h"
#include "services/platform/status/refuse.h"
#include "services/platform/time/time.h"

namespace sankofa::exchange {

using engine::Context;
using engine::Decision;
using status::Refuse;

// A suspended partner is asked too: the request stands in the list, and goes out when the exchange goes on.
Decision ErasureDecider::Decide(const State& erasure, const v1::AskErasureRequest& request,
                                const Context& context) {
  if (erasure.state() != v1::ERASURE_STATE_UNSPECIFIED) return engine::Events();
  const auto& partner = context.Related<v1::Partner>(request.partner_id());
  if (partner.state() == v1::PARTNER_STATE_UNSPECIFIED) {
    return Refuse(v1::REASON_PARTNER_NOT_FOUND);
  }
  v1::ErasureAsked event;
  v1::Erasure& asked = *event.mutable_erasure();
  asked.set_id(request.erasure_id());
  asked.set_case_id(request.case_id());
  asked.set_partner_id(request.partner_id());
  *asked.mutable_purposes() = request.purposes();
  asked.set_state(v1::ERASURE_STATE_ASKED);
  *asked.mutable_asked_time() = time::ToTimestamp(context.now);
  *asked.mutable_due_time() = time::ToTimestamp(context.now + kAnswerPeriod);
  return engine::Emit(std::move(event));
}

// Only the partner that was asked answers; a second receipt changes nothing of what the first one proves.
Decision ErasureDecider::Decide(const State& erasure,
                                const v1::ReceiveErasureReceiptRequest& request,
                                const Context& context) {
  if (erasure.state() == v1::ERASURE_STATE_UNSPECIFIED ||
      erasure.partner_id() != request.partner_id()) {
    return Refuse(v1::REASON_ERASURE_NOT_FOUND);
  }
  if (erasure.state() == v1::ERASURE_STATE_DONE) {
    return erasure.receipt() == request.receipt() ? Decision(engine::Events())
                                                  : Refuse(v1::REASON_ERASURE_ANSWERED);
  }
  v1::ErasureAnswered event;
  event.set_erasure_id(erasure.id());
  event.set_case_id(erasure.case_id());
  *event.mutable_erased_time() = request.erased_time();
  *event.mutable_answered_time() = time::ToTimestamp(context.now);
  event.set_receipt(request.receipt());
  event.set_receipt_key_id(request.receipt_key_id());
  event.set_receipt_signature(request.receipt_signature());
  return engine::Emit(std::move(event));
}

Decision ErasureDecider::Decide(const State& erasure,
                                const v1::MarkErasureOverdueRequest& /*request*/,
                                const Context& context) {
  if (erasure.state() != v1::ERASURE_STATE_ASKED ||
      context.now < time::FromTimestamp(erasure.due_time())) {
    return engine::Events();
  }
  v1::ErasureOverdue event;
  event.set_erasure_id(erasure.id());
  event.set_case_id(erasure.case_id());
  return engine::Emit(std::move(event));
}

void ErasureDecider::Apply(State& erasure, const v1::ErasureAsked& event) {
  erasure = event.erasure();
}

void ErasureDecider::Apply(State& erasure, const v1::ErasureAnswered& event) {
  erasure.set_state(v1::ERASURE_STATE_DONE);
  *erasure.mutable_erased_time() = event.erased_time();
  *erasure.mutable_answered_time() = event.answered_time();
  erasure.set_receipt(event.receipt());
  erasure.set_receipt_key_id(event.receipt_key_id());
  erasure.set_receipt_signature(event.receipt_signature());
}

void ErasureDecider::Apply(State& erasure, const v1::ErasureOverdue& /*event*/) {
  erasure.set_state(v1::ERASURE_STATE_OVERDUE);
}

std::optional<engine::Deadline> ErasureDecider::NextDeadline(const State& erasure) {
  if (erasure.state() != v1::ERASURE_STATE_ASKED) return std::nullopt;
  auto overdue = std::make_shared<v1::MarkErasureOverdueRequest>();
  overdue->set_erasure_id(erasure.id());
  return engine::Deadline{time::FromTimestamp(erasure.due_time()), std::move(overdue)};
}

std::vector<engine::Row> ErasureDecider::Project(const State& erasure) {
  return {
      {{erasure.case_id(), erasure.partner_id(), absl::StrCat(static_cast<int>(erasure.state())),
        postgres::TimeText(time::FromTimestamp(erasure.asked_time()))}}};
}

const engine::Table& ErasureDecider::ProjectTable() {
  static const engine::Table table{
      .name = "erasure",
      .columns = {"case_id", "partner_id", "erasure_state", "asked_time"},
      .types = {"text", "text", "integer", "timestamptz"}};
  return table;
}

void BindErasure(engine::Registry& registry) {
  using engine::Target;
  registry.Command<ErasureDecider, v1::AskErasureRequest>(
      {.target = Target::kEither,
       .id = [](const auto& request) { return request.erasure_id(); },
       .names = [](const auto& request, const auto& /*erasure*/,
                   engine::Names& names) { names.Add<v1::Partner>(request.partner_id()); }});
  registry.Command<ErasureDecider, v1::ReceiveErasureReceiptRequest>(
      {.target = Target::kEither, .id = [](const auto& request) { return request.erasure_id(); }});
  registry.Command<ErasureDecider, v1::MarkErasureOverdueRequest>(
      {.id = [](const auto& request) { return request.erasure_id(); }});
}

}  // namespace sankofa::exchange
