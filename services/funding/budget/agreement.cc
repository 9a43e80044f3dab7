#include "services/funding/budget/agreement.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "sankofa/funding/v1/funding_reason.pb.h"
#include "services/platform/money/money.h"
#include "services/platform/status/check.h"
#include "services/platform/status/refuse.h"

namespace sankofa::funding {

using engine::Decision;
using status::RefuseField;

Decision AgreementDecider::Decide(const State& /*agreement*/,
                                  const v1::RecordAgreementRequest& request,
                                  const engine::Context& /*context*/) {
  if (request.committed().minor_units() <= 0) {
    return RefuseField(v1::REASON_AMOUNT_NOT_POSITIVE, "committed");
  }
  // ISO days sort as text.
  if (request.valid_until() < request.valid_from()) {
    return RefuseField(v1::REASON_AGREEMENT_DATES, "valid_until");
  }
  v1::AgreementRecorded event;
  event.set_agreement(request.agreement());
  event.set_funder(request.funder());
  *event.mutable_host_countries() = request.host_countries();
  *event.mutable_origin_countries() = request.origin_countries();
  *event.mutable_committed() = request.committed();
  event.set_valid_from(request.valid_from());
  event.set_valid_until(request.valid_until());
  return engine::Emit(std::move(event));
}

void AgreementDecider::Apply(State& agreement, const v1::AgreementRecorded& event) {
  agreement.set_id(event.agreement());
  agreement.set_funder(event.funder());
  *agreement.mutable_host_countries() = event.host_countries();
  *agreement.mutable_origin_countries() = event.origin_countries();
  *agreement.mutable_committed() = event.committed();
  *agreement.mutable_allocated() = money::Zero(event.committed().currency());
  agreement.set_valid_from(event.valid_from());
  agreement.set_valid_until(event.valid_until());
}

void AgreementDecider::Apply(State& agreement, const v1::AgreementAllotted& event) {
  *agreement.mutable_allocated() = money::Must(money::Add(agreement.allocated(), event.amount()));
  status::Check(agreement.allocated().minor_units() <= agreement.committed().minor_units(),
                "more is allotted than the funder has committed");
}

const engine::Table& AgreementDecider::ProjectTable() {
  static const engine::Table table = {
      .name = "agreement",
      .columns = {"funder", "host_countries", "origin_countries", "currency", "committed",
                  "allocated", "valid_from", "valid_until"},
      .types = {"text", "text", "text", "text", "bigint", "bigint", "date", "date"},
  };
  return table;
}

std::vector<engine::Row> AgreementDecider::Project(const State& agreement) {
  return {{.values = {agreement.funder(), absl::StrJoin(agreement.host_countries(), " "),
                      absl::StrJoin(agreement.origin_countries(), " "),
                      agreement.committed().currency(),
                      absl::StrCat(agreement.committed().minor_units()),
                      absl::StrCat(agreement.allocated().minor_units()), agreement.valid_from(),
                      agreement.valid_until()}}};
}

}  // namespace sankofa::funding
