#include <algorithm>

#include "sankofa/registration/v1/registration_reason.pb.h"
#include "services/platform/status/refuse.h"
#include "services/platform/time/time.h"
#include "services/registration/case/case.h"
#include "services/registration/person/age.h"

// The commands of a case about consent, and about a child's best interests.
namespace sankofa::registration {
namespace {

using status::Refuse;
using status::RefuseField;
using time::ToTimestamp;

absl::Status CheckDates(const std::string& from, const std::string& until, absl::CivilDay today) {
  const absl::CivilDay last(today.year() + kConsentYearsMax, today.month(), today.day());
  const bool ordered = from <= until && Day(until) >= today && Day(until) <= last;
  return ordered ? absl::OkStatus() : RefuseField(v1::REASON_CONSENT_DATES, "until_date");
}

}  // namespace

engine::Decision CaseDecider::Decide(const State& of, const v1::GiveConsentRequest& request,
                                     const engine::Context& context) {
  if (auto wrong = CheckOpen(of); !wrong.ok()) return wrong;
  const absl::CivilDay today = time::DayOf(context.now);
  if (auto wrong = CheckDates(request.from_date(), request.until_date(), today); !wrong.ok()) {
    return wrong;
  }
  if (auto wrong = CheckScopes(request.scopes()); !wrong.ok()) return wrong;
  const auto& person = context.Related<v1::Person>(of.person_id());
  if (auto wrong = CheckGiver(request, person, today); !wrong.ok()) return wrong;
  if (of.consents_size() >= kConsentsMax) return Refuse(v1::REASON_TOO_MANY_CONSENTS);
  v1::ConsentGiven event;
  event.set_case_id(of.id());
  auto& consent = *event.mutable_consent();
  consent.set_consent_id(context.NewId("consent"));
  consent.set_purpose(request.purpose());
  consent.set_partner(request.partner());
  *consent.mutable_scopes() = request.scopes();
  consent.set_giver(request.giver());
  consent.set_guardian_member_id(request.guardian_member_id());
  consent.set_from_date(request.from_date());
  consent.set_until_date(request.until_date());
  *consent.mutable_recorded_time() = ToTimestamp(context.now);
  return engine::Emit(event);
}

void CaseDecider::Apply(State& of, const v1::ConsentGiven& event) {
  *of.add_consents() = event.consent();
}

// Possible in every state: a person may always take back what they gave.
engine::Decision CaseDecider::Decide(const State& of, const v1::WithdrawConsentRequest& request,
                                     const engine::Context& context) {
  if (of.erased()) return Refuse(v1::REASON_CASE_ERASED);
  const auto found = std::find_if(
      of.consents().begin(), of.consents().end(),
      [&](const auto& consent) { return consent.consent_id() == request.consent_id(); });
  if (found == of.consents().end()) return Refuse(v1::REASON_CONSENT_NOT_FOUND);
  if (found->has_withdrawn_time()) return Refuse(v1::REASON_CONSENT_WITHDRAWN);
  if (request.giver() == v1::CONSENT_GIVER_NOBODY || request.giver() == v1::CONSENT_GIVER_PARTNER) {
    return RefuseField(v1::REASON_CONSENT_GIVER, "giver");
  }
  v1::ConsentWithdrawn event;
  event.set_case_id(of.id());
  event.set_consent_id(request.consent_id());
  event.set_giver(request.giver());
  event.set_partner(found->partner());
  event.set_purpose(found->purpose());
  *event.mutable_withdrawn_time() = ToTimestamp(context.now);
  return engine::Emit(event);
}

void CaseDecider::Apply(State& of, const v1::ConsentWithdrawn& event) {
  for (auto& consent : *of.mutable_consents()) {
    if (consent.consent_id() != event.consent_id()) continue;
    *consent.mutable_withdrawn_time() = event.withdrawn_time();
  }
}

engine::Decision CaseDecider::Decide(const State& of, const v1::OverrideConsentRequest& request,
                                     const engine::Context& context) {
  if (of.erased()) return Refuse(v1::REASON_CASE_ERASED);
  const absl::CivilDay today = time::DayOf(context.now);
  const std::string from = time::FormatDay(today);
  if (auto wrong = CheckDates(from, request.until_date(), today); !wrong.ok()) return wrong;
  if (auto wrong = CheckScopes(request.scopes()); !wrong.ok()) return wrong;
  if (of.consents_size() >= kConsentsMax) return Refuse(v1::REASON_TOO_MANY_CONSENTS);
  v1::ConsentOverridden event;
  event.set_case_id(of.id());
  event.set_reason(request.reason());
  auto& consent = *event.mutable_consent();
  consent.set_consent_id(context.NewId("consent"));
  consent.set_purpose(request.purpose());
  consent.set_partner(request.partner());
  *consent.mutable_scopes() = request.scopes();
  consent.set_giver(v1::CONSENT_GIVER_NOBODY);
  consent.set_override_basis(request.basis());
  consent.set_from_date(from);
  consent.set_until_date(request.until_date());
  *consent.mutable_recorded_time() = ToTimestamp(context.now);
  return engine::Emit(event);
}

void CaseDecider::Apply(State& of, const v1::ConsentOverridden& event) {
  *of.add_consents() = event.consent();
  AddNote(of, v1::NOTE_KIND_OVERRIDE, event.reason(), event.consent().recorded_time(),
          event.consent().consent_id());
}

engine::Decision CaseDecider::Decide(const State& of, const v1::RecordBestInterestsRequest& request,
                                     const engine::Context& context) {
  if (auto wrong = CheckOpen(of); !wrong.ok()) return wrong;
  const auto& person = context.Related<v1::Person>(of.person_id());
  if (!IsChild(person, time::DayOf(context.now))) return Refuse(v1::REASON_NOT_A_CHILD);
  if (request.determined_date() < person.details().birth_date()) {
    return RefuseField(v1::REASON_BEST_INTERESTS_BEFORE_BIRTH, "determined_date");
  }
  v1::BestInterestsRecorded event;
  event.set_case_id(of.id());
  event.mutable_best_interests()->set_determined_date(request.determined_date());
  event.mutable_best_interests()->set_authority(request.authority());
  *event.mutable_best_interests()->mutable_recorded_time() = ToTimestamp(context.now);
  event.set_summary(request.summary());
  return engine::Emit(event);
}

void CaseDecider::Apply(State& of, const v1::BestInterestsRecorded& event) {
  *of.mutable_best_interests() = event.best_interests();
  AddNote(of, v1::NOTE_KIND_BEST_INTERESTS, event.summary(),
          event.best_interests().recorded_time());
}

}  // namespace sankofa::registration
