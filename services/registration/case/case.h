#pragma once

#include <optional>
#include <string>
#include <vector>

#include "sankofa/registration/v1/registration_events.pb.h"
#include "sankofa/registration/v1/registration_internal.pb.h"
#include "sankofa/registration/v1/registration_service.pb.h"
#include "services/platform/engine/decider.h"
#include "services/platform/engine/registry.h"
#include "services/registration/case/consent.h"
#include "services/registration/person/age.h"

// The return and reintegration of one person, with the consents that were given for it.
//
//     REGISTERED ─Submit► SUBMITTED ─Accept► ACCEPTED ─ConfirmArrival► ARRIVED ─Assess► ASSESSED ─project► REINTEGRATING
//                          │  └── retroactive: the host partner accepts ──► ARRIVED       approved
//                          └── refused, or silent for 7 days ──► CLOSED
//     any open state ─Close► CLOSED ─Reopen► the state before it; what was SUBMITTED starts again at REGISTERED
//
// A case that is shared with a partner's node stands at both. Each fact has one owner (border/sides.h); what the partner
// says is repeated here as an event that names its node (border/case_facts.cc).
//
// Opening and closing also change the person, who names the one open case; every command that does so names both.
namespace sankofa::registration {

// A host partner that stays silent for this long has refused a retroactive case (RIAT user guide).
inline constexpr absl::Duration kAnswerWithin = absl::Hours(7 * 24);
// The state keeps the newest written reasons; the journal keeps all.
inline constexpr int kNotesMax = 100;

struct CaseDecider {
  using State = v1::Case;
  using EventTypes =
      engine::EventTypes<v1::CaseRegistered, v1::CaseHeaderChanged, v1::ConsentGiven,
                         v1::ConsentWithdrawn, v1::ConsentOverridden, v1::BestInterestsRecorded,
                         v1::CaseSubmitted, v1::CaseAccepted, v1::CaseRefused, v1::CaseArrived,
                         v1::CaseAssessed, v1::CaseReintegrationStarted, v1::CaseClosed,
                         v1::CaseReopened, v1::CaseLodged, v1::CaseLeftCentre, v1::CaseErased,
                         v1::PartnerDataErased, v1::HandOverBegun, v1::HandOverEnded,
                         v1::CaseResponsibilityChanged, v1::CaseProgressNoted>;

  static engine::Decision Decide(const State&, const v1::RegisterCaseRequest&,
                                 const engine::Context&);
  static engine::Decision Decide(const State&, const v1::RegisterRetroactiveCaseRequest&,
                                 const engine::Context&);
  static engine::Decision Decide(const State&, const v1::UpdateCaseHeaderRequest&,
                                 const engine::Context&);
  static engine::Decision Decide(const State&, const v1::SubmitCaseRequest&,
                                 const engine::Context&);
  static engine::Decision Decide(const State&, const v1::AcceptCaseRequest&,
                                 const engine::Context&);
  static engine::Decision Decide(const State&, const v1::RefuseCaseRequest&,
                                 const engine::Context&);
  static engine::Decision Decide(const State&, const v1::AnswerRetroactiveCaseRequest&,
                                 const engine::Context&);
  static engine::Decision Decide(const State&, const v1::ExpireRetroactiveCaseRequest&,
                                 const engine::Context&);
  static engine::Decision Decide(const State&, const v1::ConfirmArrivalRequest&,
                                 const engine::Context&);
  static engine::Decision Decide(const State&, const v1::AssessCaseRequest&,
                                 const engine::Context&);
  static engine::Decision Decide(const State&, const v1::StartReintegrationRequest&,
                                 const engine::Context&);
  static engine::Decision Decide(const State&, const v1::CloseCaseRequest&, const engine::Context&);
  static engine::Decision Decide(const State&, const v1::ReopenCaseRequest&,
                                 const engine::Context&);
  // border/case_facts.cc
  static engine::Decision Decide(const State&, const v1::ReceiveCaseFactRequest&,
                                 const engine::Context&);
  // case_consent.cc
  static engine::Decision Decide(const State&, const v1::GiveConsentRequest&,
                                 const engine::Context&);
  static engine::Decision Decide(const State&, const v1::WithdrawConsentRequest&,
                                 const engine::Context&);
  static engine::Decision Decide(const State&, const v1::OverrideConsentRequest&,
                                 const engine::Context&);
  static engine::Decision Decide(const State&, const v1::RecordBestInterestsRequest&,
                                 const engine::Context&);

  static void Apply(State&, const v1::CaseRegistered&);
  static void Apply(State&, const v1::CaseHeaderChanged&);
  static void Apply(State&, const v1::ConsentGiven&);
  static void Apply(State&, const v1::ConsentWithdrawn&);
  static void Apply(State&, const v1::ConsentOverridden&);
  static void Apply(State&, const v1::BestInterestsRecorded&);
  static void Apply(State&, const v1::CaseSubmitted&);
  static void Apply(State&, const v1::CaseAccepted&);
  static void Apply(State&, const v1::CaseRefused&);
  static void Apply(State&, const v1::CaseArrived&);
  static void Apply(State&, const v1::CaseAssessed&);
  static void Apply(State&, const v1::CaseReintegrationStarted&);
  static void Apply(State&, const v1::CaseClosed&);
  static void Apply(State&, const v1::CaseReopened&);
  static void Apply(State&, const v1::CaseLodged&);
  static void Apply(State&, const v1::CaseLeftCentre&);
  static void Apply(State&, const v1::CaseErased&);
  static void Apply(State&, const v1::PartnerDataErased&);
  static void Apply(State&, const v1::HandOverBegun&);
  static void Apply(State&, const v1::HandOverEnded&);
  static void Apply(State&, const v1::CaseResponsibilityChanged&);
  static void Apply(State&, const v1::CaseProgressNoted&);

  // When the host partner's silence refuses a retroactive case.
  static std::optional<engine::Deadline> NextDeadline(const State&);

  // One row: what ListCases filters by and shows.
  static std::vector<engine::Row> Project(const State&);
  static const engine::Table& ProjectTable();
};

// "CM-2017-7H2K9QXA4M3T": the country of origin, the year, and 60 bits of the case's id in Crockford's base 32, which
// leaves out letters that look like digits. Nothing is counted, so nothing is contended for.
[[nodiscard]] std::string ReferenceOf(const std::string& origin_country, int year,
                                      const std::string& case_id);

// Those who return. Where the details are only what a partner disclosed, as the partner counts them.
[[nodiscard]] Household HouseholdFor(const v1::Case& of, const v1::Person& person,
                                     absl::CivilDay on);

// Refusal where the person is not in use, or has an open case.
[[nodiscard]] absl::Status CheckFree(const v1::Person& person);

// Neither CLOSED nor erased.
[[nodiscard]] absl::Status CheckOpen(const v1::Case& of);

// Closes a case from a command of another aggregate, which has checked that it is open and not lodged.
void CloseWithin(const std::string& case_id, v1::CloseReason reason, const engine::Context& context,
                 engine::Events& events);

// What the person learns when its case is closed or opened.
[[nodiscard]] v1::PersonCaseClosed CaseClosedFor(const std::string& person_id,
                                                 const std::string& case_id);
[[nodiscard]] v1::PersonCaseOpened CaseOpenedFor(const std::string& person_id,
                                                 const std::string& case_id);

// Keeps a written reason; an empty text is none.
void AddNote(v1::Case& of, v1::NoteKind kind, const std::string& text,
             const google::protobuf::Timestamp& written, const std::string& consent_id = {});

}  // namespace sankofa::registration
