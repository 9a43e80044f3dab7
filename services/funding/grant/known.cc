#include "services/funding/grant/known.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "sankofa/funding/v1/funding_reason.pb.h"
#include "services/platform/money/money.h"
#include "services/platform/status/check.h"
#include "services/platform/status/refuse.h"
#include "services/platform/time/time.h"

namespace sankofa::funding {

using common::v1::Money;
using engine::Context;
using engine::Decision;
using engine::Emit;
using status::Refuse;
using status::RefuseField;

Decision ApprovedProjectDecider::Decide(const State& project,
                                        const v1::NoteApprovalRequest& request,
                                        const Context& /*context*/) {
  if (!project.id().empty() && project.case_id() != request.case_id()) {
    return RefuseField(v1::REASON_CASE_MISMATCH, "case_id");
  }
  if (request.approved().minor_units() <= 0 ||
      money::FindCurrency(request.approved().currency()) == nullptr) {
    return RefuseField(v1::REASON_AMOUNT_NOT_POSITIVE, "approved");
  }
  // An approval that was put aside and comes late takes a later version's back by no means.
  if (request.version() < project.version()) return engine::Events();
  v1::ApprovalNoted event;
  event.set_project_id(request.project_id());
  event.set_case_id(request.case_id());
  event.set_version(request.version());
  *event.mutable_approved() = request.approved();
  event.set_kind(request.kind());
  event.set_programme(request.programme());
  event.set_sector(request.sector());
  event.set_session_id(request.session_id());
  return Emit(std::move(event));
}

void ApprovedProjectDecider::Apply(State& project, const v1::ApprovalNoted& event) {
  const std::string& currency = event.approved().currency();
  // What grants have drawn stays drawn when a later version is approved, be it in another currency.
  if (!project.has_granted()) {
    *project.mutable_granted() = money::Zero(currency);
  } else {
    const auto converted = money::Convert(project.granted(), currency);
    status::Check(converted.ok(), "the drawn amount can't be brought into the approved currency");
    *project.mutable_granted() = converted->target;
  }
  project.set_id(event.project_id());
  project.set_case_id(event.case_id());
  project.set_version(event.version());
  *project.mutable_approved() = event.approved();
  project.set_kind(event.kind());
  project.set_programme(event.programme());
  project.set_sector(event.sector());
  project.set_session_id(event.session_id());
}

void ApprovedProjectDecider::Apply(State& project, const v1::ApprovalDrawn& event) {
  *project.mutable_granted() = money::Must(money::Add(project.granted(), event.amount()));
}

void ApprovedProjectDecider::Apply(State& project, const v1::ApprovalGivenBack& event) {
  const Money left = money::Must(money::Subtract(project.granted(), event.amount()));
  // Two conversions of one amount may differ by a minor unit; what is drawn is never below nothing.
  *project.mutable_granted() = left.minor_units() < 0 ? money::Zero(left.currency()) : left;
}

Decision CaseFileDecider::Decide(const State& file, const v1::NoteCaseRequest& request,
                                 const Context& context) {
  v1::CaseNoted event;
  event.set_case_id(request.case_id());
  event.set_person_id(request.person_id());
  if (file.submitted()) {
    // The registration was put aside and comes late: what the submission said stands.
    event.set_programme(file.programme());
    event.set_host_country(file.host_country());
    event.set_origin_country(file.origin_country());
    event.set_filed_date(file.filed_date());
    return Emit(std::move(event));
  }
  event.set_programme(request.programme());
  event.set_host_country(request.host_country());
  event.set_origin_country(request.origin_country());
  event.set_filed_date(time::FormatDay(time::DayOf(context.now)));
  return Emit(std::move(event));
}

Decision CaseFileDecider::Decide(const State& file, const v1::NoteCaseFilingRequest& request,
                                 const Context& context) {
  v1::CaseFilingNoted event;
  event.set_case_id(request.case_id());
  event.set_filed_date(file.submitted() ? file.filed_date()
                                        : time::FormatDay(time::DayOf(context.now)));
  event.set_programme(request.programme());
  event.set_host_country(request.host_country());
  event.set_origin_country(request.origin_country());
  return Emit(std::move(event));
}

Decision CaseFileDecider::Decide(const State& file, const v1::NoteCaseErasureRequest& request,
                                 const Context& /*context*/) {
  if (file.erased()) return engine::Events();
  v1::CaseErasureNoted event;
  event.set_case_id(request.case_id());
  return Emit(std::move(event));
}

void CaseFileDecider::Apply(State& file, const v1::CaseNoted& event) {
  file.set_id(event.case_id());
  file.set_person_id(event.person_id());
  file.set_programme(event.programme());
  file.set_host_country(event.host_country());
  file.set_origin_country(event.origin_country());
  file.set_filed_date(event.filed_date());
}

void CaseFileDecider::Apply(State& file, const v1::CaseFilingNoted& event) {
  file.set_id(event.case_id());
  file.set_filed_date(event.filed_date());
  file.set_programme(event.programme());
  file.set_host_country(event.host_country());
  file.set_origin_country(event.origin_country());
  file.set_submitted(true);
}

void CaseFileDecider::Apply(State& file, const v1::CaseErasureNoted& event) {
  file.set_id(event.case_id());
  file.set_erased(true);
}

void PersonFundingDecider::Apply(State& person, const v1::PersonGrantAdded& event) {
  person.set_id(event.person_id());
  *person.add_grants() = event.grant();
}

void PersonFundingDecider::Apply(State& person, const v1::PersonGrantEnded& event) {
  for (v1::PersonGrant& grant : *person.mutable_grants()) {
    if (grant.grant_id() != event.grant_id()) continue;
    grant.set_state(event.state());
    *grant.mutable_amount() = event.amount();
  }
}

absl::Status CheckNotFundedTwice(const v1::PersonFunding& person, const v1::PersonGrant& wanted,
                                 bool once_per_person, const Money& ceiling) {
  const auto names = [](const v1::PersonGrant& grant, const std::string& programme) {
    const auto& list = grant.complementary_programmes();
    return std::find(list.begin(), list.end(), programme) != list.end();
  };
  Money used = money::Zero(ceiling.currency());
  for (const v1::PersonGrant& grant : person.grants()) {
    // A cancelled grant of which nothing was paid has not helped anybody.
    if (grant.state() == v1::GRANT_STATE_CANCELLED && grant.amount().minor_units() == 0) continue;
    const bool same_case = grant.case_id() == wanted.case_id();
    const bool same_programme = grant.programme() == wanted.programme();
    const bool same_level = same_programme && grant.level() == wanted.level();
    if (once_per_person && grant.scheme() == wanted.scheme() && (!same_case || same_level)) {
      return Refuse(v1::REASON_PROGRAMME_ALREADY_USED,
                    {.fields = {}, .metadata = {{"grant_id", grant.grant_id()}}});
    }
    const bool allowed = names(wanted, grant.programme()) && names(grant, wanted.programme());
    const bool overlaps = same_case || grant.state() == v1::GRANT_STATE_RESERVED;
    if (!same_programme && overlaps && !allowed) {
      return Refuse(v1::REASON_DOUBLE_FUNDING,
                    {.fields = {}, .metadata = {{"grant_id", grant.grant_id()}}});
    }
    if (!same_case || !same_level) continue;
    const auto converted = money::Convert(grant.amount(), ceiling.currency());
    if (!converted.ok()) return converted.status();
    const auto sum = money::Add(used, converted->target);
    if (!sum.ok()) return sum.status();
    used = *sum;
  }
  const auto more = money::Convert(wanted.amount(), ceiling.currency());
  if (!more.ok()) return more.status();
  const auto sum = money::Add(used, more->target);
  if (!sum.ok()) return sum.status();
  if (sum->minor_units() > ceiling.minor_units()) {
    return Refuse(v1::REASON_ABOVE_CEILING, {.fields = {{"amount", "above the ceiling"}},
                                             .metadata = {{"ceiling", money::Format(ceiling)},
                                                          {"used", money::Format(used)}}});
  }
  return absl::OkStatus();
}

void PaymentIdDecider::Apply(State& payment_id, const v1::PaymentIdTaken& event) {
  payment_id.set_id(event.id());
  payment_id.set_case_id(event.case_id());
  payment_id.set_grant_id(event.grant_id());
  payment_id.set_instalment(event.instalment());
  payment_id.set_order_id(event.order_id());
  *payment_id.mutable_amount() = event.amount();
}

std::string PaymentIdKey(const std::string& provider, const std::string& payment_id) {
  return absl::StrCat(provider, ":", payment_id);
}

}  // namespace sankofa::funding
