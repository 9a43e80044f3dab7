#include <algorithm>
#include <set>

#include "sankofa/registration/v1/registration_reason.pb.h"
#include "services/platform/status/refuse.h"
#include "services/platform/time/time.h"
#include "services/registration/case/case.h"
#include "services/registration/person/claims.h"
#include "services/registration/person/person.h"

// Duplicates: how a suspicion comes up, reaches the other person, and is settled.
//
// Register or update a person, and every claim that the new details give rise to is taken under its lock. Whoever else
// holds it is suspected. The suspicion stands on the person at once, and so does its row in `person_key`, where
// CheckEligibility finds it from both sides; the other person's own state follows with TellDuplicates.
namespace sankofa::registration {
namespace {

using status::Refuse;
using status::RefuseField;
using time::ToTimestamp;

v1::DuplicateSuspected Suspected(const std::string& person_id, const std::string& other,
                                 v1::DuplicateBasis basis, absl::Time when, bool told) {
  v1::DuplicateSuspected event;
  event.set_person_id(person_id);
  event.set_other_person_id(other);
  event.set_basis(basis);
  event.set_told(told);
  *event.mutable_suspected_time() = ToTimestamp(when);
  return event;
}

v1::DuplicateBasis BasisOf(const v1::HeldClaim& claim) {
  return claim.kind() == v1::CLAIM_KIND_DOCUMENT ? v1::DUPLICATE_BASIS_DOCUMENT
                                                 : v1::DUPLICATE_BASIS_IDENTITY;
}

bool Holds(const v1::Person& person, const std::string& hash) {
  const auto& claims = person.search_keys().claims();
  return std::any_of(claims.begin(), claims.end(),
                     [&](const auto& claim) { return claim.hash() == hash; });
}

bool IsFull(const v1::Person& person) { return person.suspicions_size() >= kSuspicionsMax; }

// The suspicion between the two, from whichever of them carries it already.
const v1::DuplicateSuspicion* Between(const v1::Person& a, const v1::Person& b) {
  const auto* here = FindSuspicion(a, b.id());
  return here != nullptr ? here : FindSuspicion(b, a.id());
}

// Settles on both sides; a side that was not told yet is told first, so that it remembers the verdict.
void SettleBoth(const v1::Person& person, const v1::Person& other,
                const v1::DuplicateSuspicion& suspicion, v1::DuplicateVerdict verdict,
                const std::string& note, absl::Time now, engine::Events& events) {
  if (FindSuspicion(person, other.id()) == nullptr) {
    events.Add(Suspected(person.id(), other.id(), suspicion.basis(), now, /*told=*/true));
  }
  if (FindSuspicion(other, person.id()) == nullptr) {
    events.AddTo<v1::Person>(
        other.id(), Suspected(other.id(), person.id(), suspicion.basis(), now, /*told=*/true));
  }
  v1::DuplicateSettled here = Settled(person.id(), other.id(), verdict, now);
  here.set_note(note);
  events.Add(std::move(here));
  events.AddTo<v1::Person>(other.id(), Settled(other.id(), person.id(), verdict, now));
}

// Whoever is suspected to be the same as the duplicate is from now on suspected to be the same as the record in use.
void PassOnSuspicions(const v1::Person& duplicate, const v1::Person& kept,
                      const engine::Context& context, engine::Events& events) {
  for (const auto& suspicion : duplicate.suspicions()) {
    if (!IsOpen(suspicion) || suspicion.other_person_id() == kept.id()) continue;
    const auto& third = context.Related<v1::Person>(suspicion.other_person_id());
    events.Add(Settled(duplicate.id(), third.id(), v1::DUPLICATE_VERDICT_MOOT, context.now));
    if (FindSuspicion(third, duplicate.id()) != nullptr) {
      events.AddTo<v1::Person>(
          third.id(), Settled(third.id(), duplicate.id(), v1::DUPLICATE_VERDICT_MOOT, context.now));
    }
    if (third.state() != v1::PERSON_STATE_ACTIVE || Between(kept, third) != nullptr) continue;
    if (IsFull(kept) || IsFull(third)) continue;
    events.AddTo<v1::Person>(
        kept.id(),
        Suspected(kept.id(), third.id(), v1::DUPLICATE_BASIS_INHERITED, context.now, true));
    events.AddTo<v1::Person>(
        third.id(),
        Suspected(third.id(), kept.id(), v1::DUPLICATE_BASIS_INHERITED, context.now, true));
  }
}

// The record in use answers from now on for the documents and names of the duplicate.
void PassOnClaims(const v1::Person& duplicate, const v1::Person& kept, engine::Events& events) {
  v1::DuplicateAbsorbed absorbed;
  absorbed.set_person_id(kept.id());
  absorbed.set_duplicate_person_id(duplicate.id());
  for (const auto& claim : duplicate.search_keys().claims()) {
    ReleaseClaim(claim, duplicate.id(), events);
    if (Holds(kept, claim.hash())) continue;
    TakeClaim(claim, kept.id(), events);
    auto* taken = absorbed.add_claims();
    *taken = claim;
    taken->set_inherited_from(duplicate.id());
  }
  events.AddTo<v1::Person>(kept.id(), std::move(absorbed));
}

void UpdateOpen(v1::Person& person) {
  const auto& all = person.suspicions();
  person.set_duplicate_open(std::any_of(all.begin(), all.end(), IsOpen));
}

}  // namespace

const v1::DuplicateSuspicion* FindSuspicion(const v1::Person& person,
                                            const std::string& other_person_id) {
  for (const auto& suspicion : person.suspicions()) {
    if (suspicion.other_person_id() == other_person_id) return &suspicion;
  }
  return nullptr;
}

v1::DuplicateSettled Settled(const std::string& person_id, const std::string& other,
                             v1::DuplicateVerdict verdict, absl::Time when) {
  v1::DuplicateSettled event;
  event.set_person_id(person_id);
  event.set_other_person_id(other);
  event.set_verdict(verdict);
  *event.mutable_settled_time() = ToTimestamp(when);
  return event;
}

void ClaimAndSuspect(const v1::Person& person, const std::string& person_id,
                     const v1::SearchKeys& keys, const engine::Context& context,
                     engine::Events& events) {
  std::set<std::string> suspects;
  for (const auto& claim : keys.claims()) {
    for (const std::string& holder : HoldersOf(claim, context)) {
      if (holder == person_id || FindSuspicion(person, holder) != nullptr) continue;
      if (person.suspicions_size() + static_cast<int>(suspects.size()) >= kSuspicionsMax) break;
      if (!suspects.insert(holder).second) continue;
      events.Add(Suspected(person_id, holder, BasisOf(claim), context.now, /*told=*/false));
    }
    if (!Holds(person, claim.hash())) TakeClaim(claim, person_id, events);
  }
}

void NameResolve(const v1::ResolveDuplicateRequest& request, const v1::Person& person,
                 engine::Names& names) {
  names.Add<v1::Person>(request.other_person_id());
  if (request.verdict() != v1::DUPLICATE_VERDICT_SAME_PERSON) return;
  names.Add<v1::Case>(person.open_case_id());
  for (const auto& suspicion : person.suspicions()) {
    names.Add<v1::Person>(suspicion.other_person_id());
  }
  for (const auto& claim : person.search_keys().claims()) {
    if (claim.kind() == v1::CLAIM_KIND_DOCUMENT) {
      names.Add<v1::DocumentClaim>(claim.hash());
    } else {
      names.Add<v1::IdentityClaim>(claim.hash());
    }
  }
}

engine::Decision PersonDecider::Decide(const State& person,
                                       const v1::ResolveDuplicateRequest& request,
                                       const engine::Context& context) {
  if (auto wrong = CheckActive(person); !wrong.ok()) return wrong;
  if (request.other_person_id() == person.id()) {
    return RefuseField(v1::REASON_SAME_PERSON_TWICE, "other_person_id");
  }
  const bool same = request.verdict() == v1::DUPLICATE_VERDICT_SAME_PERSON;
  if (!same && request.verdict() != v1::DUPLICATE_VERDICT_DIFFERENT_PERSONS) {
    return RefuseField(v1::REASON_VERDICT_NOT_AVAILABLE, "verdict");
  }
  const auto& other = context.Related<v1::Person>(request.other_person_id());
  if (auto wrong = CheckActive(other); !wrong.ok()) return wrong;
  // What a partner sent is erased when the partner asks: nothing of ours may hang on it.
  if (same && person.source_node().empty() && !other.source_node().empty()) {
    return Refuse(v1::REASON_KEEP_OWN_RECORD);
  }
  const auto* suspicion = Between(person, other);
  if (suspicion == nullptr || !IsOpen(*suspicion)) return Refuse(v1::REASON_NO_SUSPICION);
  const std::string& case_id = person.open_case_id();
  if (same && !context.Related<v1::Case>(case_id).centre().empty()) {
    return Refuse(v1::REASON_CASE_LODGED);
  }
  engine::Events events;
  SettleBoth(person, other, *suspicion, request.verdict(), request.note(), context.now, events);
  if (!same) return events;
  if (!case_id.empty()) {
    CloseWithin(case_id, v1::CLOSE_REASON_DUPLICATE, context, events);
    events.Add(CaseClosedFor(person.id(), case_id));
  }
  PassOnSuspicions(person, other, context, events);
  PassOnClaims(person, other, events);
  v1::PersonMarkedDuplicate marked;
  marked.set_person_id(person.id());
  marked.set_duplicate_of(other.id());
  events.Add(std::move(marked));
  return events;
}

void NameTell(const v1::Person& person, engine::Names& names) {
  for (const auto& suspicion : person.suspicions()) {
    if (!suspicion.told()) names.Add<v1::Person>(suspicion.other_person_id());
  }
}

engine::Decision PersonDecider::Decide(const State& person,
                                       const v1::TellDuplicatesRequest& /*request*/,
                                       const engine::Context& context) {
  engine::Events events;
  v1::DuplicatesTold told;
  told.set_person_id(person.id());
  events.Add(told);
  for (const auto& suspicion : person.suspicions()) {
    if (suspicion.told() || !IsOpen(suspicion)) continue;
    const auto& other = context.Related<v1::Person>(suspicion.other_person_id());
    if (other.state() == v1::PERSON_STATE_ACTIVE) {
      if (FindSuspicion(other, person.id()) != nullptr || IsFull(other)) continue;
      events.AddTo<v1::Person>(other.id(), Suspected(other.id(), person.id(), suspicion.basis(),
                                                     context.now, /*told=*/true));
      continue;
    }
    // Meanwhile erased, or found to be a duplicate: then the record in use is the one to be compared with.
    events.Add(
        Settled(person.id(), suspicion.other_person_id(), v1::DUPLICATE_VERDICT_MOOT, context.now));
    const std::string& in_use = other.duplicate_of();
    if (other.state() == v1::PERSON_STATE_DUPLICATE && in_use != person.id() &&
        FindSuspicion(person, in_use) == nullptr) {
      events.Add(Suspected(person.id(), in_use, v1::DUPLICATE_BASIS_INHERITED, context.now, false));
    }
  }
  return events;
}

void PersonDecider::Apply(State& person, const v1::DuplicateSuspected& event) {
  if (FindSuspicion(person, event.other_person_id()) != nullptr) return;
  auto* suspicion = person.add_suspicions();
  suspicion->set_other_person_id(event.other_person_id());
  suspicion->set_basis(event.basis());
  suspicion->set_told(event.told());
  *suspicion->mutable_suspected_time() = event.suspected_time();
  UpdateOpen(person);
}

void PersonDecider::Apply(State& person, const v1::DuplicatesTold& /*event*/) {
  for (auto& suspicion : *person.mutable_suspicions()) suspicion.set_told(true);
}

void PersonDecider::Apply(State& person, const v1::DuplicateSettled& event) {
  for (auto& suspicion : *person.mutable_suspicions()) {
    if (suspicion.other_person_id() != event.other_person_id()) continue;
    suspicion.set_verdict(event.verdict());
    suspicion.set_told(true);
  }
  UpdateOpen(person);
}

void PersonDecider::Apply(State& person, const v1::PersonMarkedDuplicate& event) {
  person.set_state(v1::PERSON_STATE_DUPLICATE);
  person.set_duplicate_of(event.duplicate_of());
  person.mutable_search_keys()->clear_claims();
}

void PersonDecider::Apply(State& person, const v1::DuplicateAbsorbed& event) {
  for (const auto& claim : event.claims()) *person.mutable_search_keys()->add_claims() = claim;
}

std::optional<engine::Deadline> PersonDecider::NextDeadline(const State& person) {
  for (const auto& suspicion : person.suspicions()) {
    if (suspicion.told()) continue;
    auto command = std::make_shared<v1::TellDuplicatesRequest>();
    command->set_person_id(person.id());
    return engine::Deadline{time::FromTimestamp(suspicion.suspected_time()), std::move(command)};
  }
  return std::nullopt;
}

}  // namespace sankofa::registration
