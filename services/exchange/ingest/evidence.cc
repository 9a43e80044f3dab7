#include "services/exchange/ingest/evidence.h"

#include "absl/strings/str_cat.h"
#include "services/exchange/ingest/verify.h"
#include "services/platform/postgres/result.h"
#include "services/platform/time/time.h"

namespace sankofa::exchange {
namespace {

std::string TimeText(const google::protobuf::Timestamp& time) {
  return postgres::TimeText(time::FromTimestamp(time));
}

}  // namespace

engine::Decision EvidenceDecider::Decide(const State& evidence,
                                         const v1::RefuseMessageRequest& request,
                                         const engine::Context& context) {
  if (evidence.times() > 0) {
    v1::RefusedAgain again;
    again.set_evidence_id(request.evidence_id());
    *again.mutable_refused_time() = time::ToTimestamp(context.now);
    return engine::Emit(std::move(again));
  }
  v1::MessageRefused refused;
  refused.set_evidence_id(request.evidence_id());
  refused.set_partner_id(request.partner_id());
  *refused.mutable_receipt() = request.receipt();
  *refused.mutable_receipt()->mutable_refused_time() = time::ToTimestamp(context.now);
  refused.set_detail(request.detail());
  refused.set_event(request.event().substr(0, kEvidenceBytesMax));
  refused.set_key_id(request.key_id());
  refused.set_signature(request.signature());
  return engine::Emit(std::move(refused));
}

void EvidenceDecider::Apply(State& evidence, const v1::MessageRefused& event) {
  evidence.set_id(event.evidence_id());
  evidence.set_partner_id(event.partner_id());
  evidence.set_subject(event.receipt().subject());
  evidence.set_sequence(event.receipt().sequence());
  evidence.set_reason(NameOf(event.receipt().because()));
  evidence.set_detail(event.detail());
  evidence.set_event(event.event());
  evidence.set_key_id(event.key_id());
  evidence.set_signature(event.signature());
  evidence.set_times(1);
  *evidence.mutable_first_time() = event.receipt().refused_time();
  *evidence.mutable_last_time() = event.receipt().refused_time();
}

void EvidenceDecider::Apply(State& evidence, const v1::RefusedAgain& event) {
  evidence.set_times(evidence.times() + 1);
  *evidence.mutable_last_time() = event.refused_time();
}

const engine::Table& EvidenceDecider::ProjectTable() {
  static const engine::Table table{.name = "refusal",
                                   .columns = {"partner_id", "reason", "times", "last_time"},
                                   .types = {"text", "text", "bigint", "timestamptz"}};
  return table;
}

std::vector<engine::Row> EvidenceDecider::Project(const State& evidence) {
  return {{{evidence.partner_id(), evidence.reason(), absl::StrCat(evidence.times()),
            TimeText(evidence.last_time())}}};
}

std::optional<Outgoing> ReceiptFor(const v1::MessageRefused& event) {
  if (event.receipt().type() == v1::FeedRefused::descriptor()->full_name()) return std::nullopt;
  return Outgoing{.partner = event.partner_id(),
                  .subject = absl::StrCat("Refusals/", event.partner_id()),
                  .message = std::make_shared<v1::FeedRefused>(event.receipt())};
}

}  // namespace sankofa::exchange
