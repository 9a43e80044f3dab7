#pragma once

#include <optional>
#include <vector>

#include "sankofa/registration/v1/registration_events.pb.h"
#include "sankofa/registration/v1/registration_internal.pb.h"
#include "sankofa/registration/v1/registration_service.pb.h"
#include "services/platform/engine/decider.h"
#include "services/platform/engine/registry.h"
#include "services/registration/person/names.h"

// A human being known to this node.
//
//     (none) ── RegisterPerson ──► ACTIVE ── ResolveDuplicate, same person ──► DUPLICATE
//                                    └────────── ErasePerson ──────────► ERASED ◄────┘
//
// A person names its one open case, so a second one is refused under the person's lock. Matches with other persons are
// suspicions: raised on the person that is being registered or changed, in the same transaction, and passed on to the
// other person right after (TellDuplicates), since who that is follows from a claim and can't be named beforehand.
namespace sankofa::registration {

// A person has at most this many suspicions, settled ones too. Further matches raise none: the open ones already keep
// the person from being paid.
inline constexpr int kSuspicionsMax = 50;
inline constexpr int kPayoutAccountsMax = 5;
inline constexpr int kCasesMax = 50;

struct PersonDecider {
  using State = v1::Person;
  using EventTypes =
      engine::EventTypes<v1::PersonRegistered, v1::PersonUpdated, v1::VulnerabilitiesRecorded,
                         v1::PayoutAccountAdded, v1::PayoutAccountRemoved, v1::DuplicateSuspected,
                         v1::DuplicatesTold, v1::DuplicateSettled, v1::PersonMarkedDuplicate,
                         v1::DuplicateAbsorbed, v1::PersonCaseOpened, v1::PersonCaseClosed,
                         v1::PersonErased>;

  static engine::Decision Decide(const State&, const v1::RegisterPersonRequest&,
                                 const engine::Context&);
  static engine::Decision Decide(const State&, const v1::UpdatePersonRequest&,
                                 const engine::Context&);
  static engine::Decision Decide(const State&, const v1::RecordVulnerabilitiesRequest&,
                                 const engine::Context&);
  static engine::Decision Decide(const State&, const v1::AddPayoutAccountRequest&,
                                 const engine::Context&);
  static engine::Decision Decide(const State&, const v1::RemovePayoutAccountRequest&,
                                 const engine::Context&);
  static engine::Decision Decide(const State&, const v1::ErasePersonRequest&,
                                 const engine::Context&);
  // border/incoming_person.cc
  static engine::Decision Decide(const State&, const v1::ReceiveCaseRequest&,
                                 const engine::Context&);
  static engine::Decision Decide(const State&, const v1::ReceiveDisclosureRequest&,
                                 const engine::Context&);
  static engine::Decision Decide(const State&, const v1::ErasePartnerDataRequest&,
                                 const engine::Context&);
  // duplicates.cc
  static engine::Decision Decide(const State&, const v1::ResolveDuplicateRequest&,
                                 const engine::Context&);
  static engine::Decision Decide(const State&, const v1::TellDuplicatesRequest&,
                                 const engine::Context&);

  static void Apply(State&, const v1::PersonRegistered&);
  static void Apply(State&, const v1::PersonUpdated&);
  static void Apply(State&, const v1::VulnerabilitiesRecorded&);
  static void Apply(State&, const v1::PayoutAccountAdded&);
  static void Apply(State&, const v1::PayoutAccountRemoved&);
  static void Apply(State&, const v1::DuplicateSuspected&);
  static void Apply(State&, const v1::DuplicatesTold&);
  static void Apply(State&, const v1::DuplicateSettled&);
  static void Apply(State&, const v1::PersonMarkedDuplicate&);
  static void Apply(State&, const v1::DuplicateAbsorbed&);
  static void Apply(State&, const v1::PersonCaseOpened&);
  static void Apply(State&, const v1::PersonCaseClosed&);
  static void Apply(State&, const v1::PersonErased&);

  // At once, where a suspicion has to be passed on.
  static std::optional<engine::Deadline> NextDeadline(const State&);

  // What finds the person: name tokens, claims, and the others of open suspicions.
  static std::vector<engine::Row> Project(const State&);
  static const engine::Table& ProjectTable();
};

// The further aggregates of each command.
void NameRegister(const v1::RegisterPersonRequest&, const Blind&, engine::Names&);
void NameUpdate(const v1::UpdatePersonRequest&, const v1::Person&, const Blind&, engine::Names&);
void NameErase(const v1::Person&, engine::Names&);
void NameResolve(const v1::ResolveDuplicateRequest&, const v1::Person&, engine::Names&);
void NameTell(const v1::Person&, engine::Names&);
void NameClaims(const v1::SearchKeys& keys, engine::Names& names);

// Refusal unless the record is in use.
[[nodiscard]] absl::Status CheckActive(const v1::Person& person);

// Takes the claims of `keys` that the person does not hold yet, and raises a suspicion for each other holder that the
// person has none with. duplicates.cc
void ClaimAndSuspect(const v1::Person& person, const std::string& person_id,
                     const v1::SearchKeys& keys, const engine::Context& context,
                     engine::Events& events);

// Releases the claims that only the old details gave rise to. Those taken over from a duplicate stay.
void ReleaseOutdated(const v1::Person& person, const v1::SearchKeys& keys, engine::Events& events);

// Erases the person and all the person's cases, closing what is open. `asked_by`: the partner that asked for it; empty
// where this node decided. NameErase has named what is touched.
void EraseAll(const v1::Person& person, v1::ErasureBasis basis, const std::string& reason,
              const std::string& asked_by, const engine::Context& context, engine::Events& events);

// The person's suspicion of being the same as `other_person_id`; null where there is none.
[[nodiscard]] const v1::DuplicateSuspicion* FindSuspicion(const v1::Person& person,
                                                          const std::string& other_person_id);
[[nodiscard]] inline bool IsOpen(const v1::DuplicateSuspicion& suspicion) {
  return suspicion.verdict() == v1::DUPLICATE_VERDICT_UNSPECIFIED;
}

[[nodiscard]] v1::DuplicateSettled Settled(const std::string& person_id, const std::string& other,
                                           v1::DuplicateVerdict verdict, absl::Time when);

}  // namespace sankofa::registration
