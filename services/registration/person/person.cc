#include "services/registration/person/person.h"

#include <algorithm>

#include "sankofa/registration/v1/registration_reason.pb.h"
#include "services/platform/status/refuse.h"
#include "services/platform/time/time.h"
#include "services/registration/case/case.h"
#include "services/registration/organisation.h"
#include "services/registration/person/age.h"
#include "services/registration/person/claims.h"
#include "services/registration/person/details.h"

namespace sankofa::registration {
namespace {

using status::Refuse;
using status::RefuseField;
using time::ToTimestamp;

bool Holds(const v1::SearchKeys& keys, const std::string& hash) {
  return std::any_of(keys.claims().begin(), keys.claims().end(),
                     [&](const auto& claim) { return claim.hash() == hash; });
}

bool SameMeans(const v1::PayoutAccount& a, const v1::PayoutAccount& b) {
  if (a.means_case() != b.means_case()) return false;
  if (a.has_mobile()) return a.mobile().phone() == b.mobile().phone();
  return FoldNumber(a.bank().account_number()) == FoldNumber(b.bank().account_number());
}

// Duplicates of this record that still hold personal fields: they are about the same human being.
absl::Status CheckDuplicatesErased(const v1::Person& person, const engine::Context& context) {
  for (const auto& suspicion : person.suspicions()) {
    const auto& other = context.Related<v1::Person>(suspicion.other_person_id());
    if (other.state() == v1::PERSON_STATE_DUPLICATE && other.duplicate_of() == person.id()) {
      return Refuse(v1::REASON_DUPLICATES_FIRST,
                    {.fields = {}, .metadata = {{"person_id", other.id()}}});
    }
  }
  return absl::OkStatus();
}

}  // namespace

void NameClaims(const v1::SearchKeys& keys, engine::Names& names) {
  for (const auto& claim : keys.claims()) {
    if (claim.kind() == v1::CLAIM_KIND_DOCUMENT) {
      names.Add<v1::DocumentClaim>(claim.hash());
    } else {
      names.Add<v1::IdentityClaim>(claim.hash());
    }
  }
}

void ReleaseOutdated(const v1::Person& person, const v1::SearchKeys& keys, engine::Events& events) {
  for (const auto& held : person.search_keys().claims()) {
    if (held.inherited_from().empty() && !Holds(keys, held.hash())) {
      ReleaseClaim(held, person.id(), events);
    }
  }
}

absl::Status CheckActive(const v1::Person& person) {
  if (person.state() == v1::PERSON_STATE_UNSPECIFIED) return Refuse(v1::REASON_PERSON_NOT_FOUND);
  if (person.state() == v1::PERSON_STATE_ERASED) return Refuse(v1::REASON_PERSON_ERASED);
  if (person.state() == v1::PERSON_STATE_DUPLICATE) {
    return Refuse(v1::REASON_PERSON_IS_DUPLICATE,
                  {.fields = {}, .metadata = {{"duplicate_of", person.duplicate_of()}}});
  }
  return absl::OkStatus();
}

void NameRegister(const v1::RegisterPersonRequest& request, const Blind& blind,
                  engine::Names& names) {
  NameClaims(SearchKeysOf(request.details(), blind), names);
}

engine::Decision PersonDecider::Decide(const State& /*person*/,
                                       const v1::RegisterPersonRequest& request,
                                       const engine::Context& context) {
  if (auto wrong = CheckDetails(request.details(), context); !wrong.ok()) return wrong;
  if (auto wrong = CheckVulnerabilities(request.vulnerabilities(), request.details(), context);
      !wrong.ok()) {
    return wrong;
  }
  v1::PersonRegistered event;
  event.set_person_id(context.NewId());
  *event.mutable_details() = request.details();
  *event.mutable_vulnerabilities() = request.vulnerabilities();
  *event.mutable_search_keys() = SearchKeysOf(request.details(), context.blind);
  event.set_responsible_organisation(OrganisationOf(context));
  *event.mutable_registered_time() = ToTimestamp(context.now);
  engine::Events events = engine::Emit(event);
  ClaimAndSuspect(v1::Person(), event.person_id(), event.search_keys(), context, events);
  return events;
}

void PersonDecider::Apply(State& person, const v1::PersonRegistered& event) {
  person.set_id(event.person_id());
  person.set_state(v1::PERSON_STATE_ACTIVE);
  *person.mutable_details() = event.details();
  *person.mutable_vulnerabilities() = event.vulnerabilities();
  *person.mutable_search_keys() = event.search_keys();
  person.set_responsible_organisation(event.responsible_organisation());
  person.set_source_node(event.source_node());
  person.set_details_source(event.source_node());
  *person.mutable_registered_time() = event.registered_time();
  *person.mutable_updated_time() = event.registered_time();
}

void NameUpdate(const v1::UpdatePersonRequest& request, const v1::Person& person,
                const Blind& blind, engine::Names& names) {
  NameClaims(SearchKeysOf(request.details(), blind), names);
  NameClaims(person.search_keys(), names);
  names.Add<v1::Case>(person.open_case_id());
}

engine::Decision PersonDecider::Decide(const State& person, const v1::UpdatePersonRequest& request,
                                       const engine::Context& context) {
  if (auto wrong = CheckActive(person); !wrong.ok()) return wrong;
  if (auto wrong = CheckDetails(request.details(), context); !wrong.ok()) return wrong;
  const auto& open_case = context.Related<v1::Case>(person.open_case_id());
  if (!open_case.arrival_date().empty() &&
      open_case.arrival_date() < request.details().birth_date()) {
    return RefuseField(v1::REASON_ARRIVAL_BEFORE_BIRTH, "details.birth_date");
  }
  v1::PersonUpdated event;
  event.set_person_id(person.id());
  *event.mutable_details() = request.details();
  *event.mutable_search_keys() = SearchKeysOf(request.details(), context.blind);
  *event.mutable_updated_time() = ToTimestamp(context.now);
  engine::Events events = engine::Emit(event);
  ReleaseOutdated(person, event.search_keys(), events);
  ClaimAndSuspect(person, person.id(), event.search_keys(), context, events);
  return events;
}

void PersonDecider::Apply(State& person, const v1::PersonUpdated& event) {
  *person.mutable_details() = event.details();
  v1::SearchKeys keys = event.search_keys();
  for (const auto& held : person.search_keys().claims()) {
    if (!held.inherited_from().empty() && !Holds(keys, held.hash())) *keys.add_claims() = held;
  }
  *person.mutable_search_keys() = std::move(keys);
  person.set_details_source(event.source_node());
  *person.mutable_updated_time() = event.updated_time();
}

engine::Decision PersonDecider::Decide(const State& person,
                                       const v1::RecordVulnerabilitiesRequest& request,
                                       const engine::Context& context) {
  if (auto wrong = CheckActive(person); !wrong.ok()) return wrong;
  if (auto wrong = CheckVulnerabilities(request.vulnerabilities(), person.details(), context);
      !wrong.ok()) {
    return wrong;
  }
  v1::VulnerabilitiesRecorded event;
  event.set_person_id(person.id());
  *event.mutable_vulnerabilities() = request.vulnerabilities();
  *event.mutable_updated_time() = ToTimestamp(context.now);
  return engine::Emit(event);
}

void PersonDecider::Apply(State& person, const v1::VulnerabilitiesRecorded& event) {
  *person.mutable_vulnerabilities() = event.vulnerabilities();
  *person.mutable_updated_time() = event.updated_time();
}

engine::Decision PersonDecider::Decide(const State& person,
                                       const v1::AddPayoutAccountRequest& request,
                                       const engine::Context& context) {
  if (auto wrong = CheckActive(person); !wrong.ok()) return wrong;
  if (request.account().means_case() == v1::PayoutAccount::MEANS_NOT_SET) {
    return RefuseField(v1::REASON_PAYOUT_MEANS_MISSING, "account");
  }
  for (const auto& known : person.payout_accounts()) {
    if (SameMeans(known, request.account())) {
      return Refuse(v1::REASON_PAYOUT_ACCOUNT_KNOWN,
                    {.fields = {}, .metadata = {{"account_id", known.account_id()}}});
    }
  }
  if (person.payout_accounts_size() >= kPayoutAccountsMax) {
    return Refuse(v1::REASON_TOO_MANY_PAYOUT_ACCOUNTS);
  }
  v1::PayoutAccountAdded event;
  event.set_person_id(person.id());
  event.set_account_id(context.NewId("account"));
  *event.mutable_account() = request.account();
  event.mutable_account()->set_account_id(event.account_id());
  *event.mutable_updated_time() = ToTimestamp(context.now);
  return engine::Emit(event);
}

void PersonDecider::Apply(State& person, const v1::PayoutAccountAdded& event) {
  *person.add_payout_accounts() = event.account();
  *person.mutable_updated_time() = event.updated_time();
}

engine::Decision PersonDecider::Decide(const State& person,
                                       const v1::RemovePayoutAccountRequest& request,
                                       const engine::Context& context) {
  if (auto wrong = CheckActive(person); !wrong.ok()) return wrong;
  const auto& accounts = person.payout_accounts();
  const bool known = std::any_of(accounts.begin(), accounts.end(), [&](const auto& account) {
    return account.account_id() == request.account_id();
  });
  if (!known) return Refuse(v1::REASON_PAYOUT_ACCOUNT_NOT_FOUND);
  v1::PayoutAccountRemoved event;
  event.set_person_id(person.id());
  event.set_account_id(request.account_id());
  *event.mutable_updated_time() = ToTimestamp(context.now);
  return engine::Emit(event);
}

void PersonDecider::Apply(State& person, const v1::PayoutAccountRemoved& event) {
  auto& accounts = *person.mutable_payout_accounts();
  accounts.erase(std::remove_if(accounts.begin(), accounts.end(),
                                [&](const auto& account) {
                                  return account.account_id() == event.account_id();
                                }),
                 accounts.end());
  *person.mutable_updated_time() = event.updated_time();
}

void NameErase(const v1::Person& person, engine::Names& names) {
  for (const auto& case_id : person.case_ids()) names.Add<v1::Case>(case_id);
  for (const auto& suspicion : person.suspicions()) {
    names.Add<v1::Person>(suspicion.other_person_id());
  }
  NameClaims(person.search_keys(), names);
}

// Erasing closes what is open and ends in every aggregate that knows of the person, so that nothing personal is left
// and nobody waits for an answer about a person who is gone.
void EraseAll(const v1::Person& person, v1::ErasureBasis basis, const std::string& reason,
              const std::string& asked_by, const engine::Context& context, engine::Events& events) {
  if (!person.open_case_id().empty()) {
    CloseWithin(person.open_case_id(), v1::CLOSE_REASON_WITHDRAWN, context, events);
    events.Add(CaseClosedFor(person.id(), person.open_case_id()));
  }
  for (const auto& suspicion : person.suspicions()) {
    const auto& other = context.Related<v1::Person>(suspicion.other_person_id());
    const auto* mirrored = FindSuspicion(other, person.id());
    if (mirrored != nullptr && IsOpen(*mirrored)) {
      events.AddTo<v1::Person>(
          other.id(), Settled(other.id(), person.id(), v1::DUPLICATE_VERDICT_MOOT, context.now));
    }
  }
  for (const auto& claim : person.search_keys().claims()) {
    ReleaseClaim(claim, person.id(), events);
  }
  for (const auto& case_id : person.case_ids()) {
    v1::CaseErased erased;
    erased.set_case_id(case_id);
    erased.set_source_node(asked_by);
    events.AddTo<v1::Case>(case_id, erased);
  }
  v1::PersonErased event;
  event.set_person_id(person.id());
  event.set_basis(basis);
  event.set_reason(reason);
  *event.mutable_erased_time() = ToTimestamp(context.now);
  events.Add(event);
}

engine::Decision PersonDecider::Decide(const State& person, const v1::ErasePersonRequest& request,
                                       const engine::Context& context) {
  if (person.state() == v1::PERSON_STATE_ERASED) return Refuse(v1::REASON_PERSON_ERASED);
  if (auto wrong = CheckDuplicatesErased(person, context); !wrong.ok()) return wrong;
  if (!person.open_case_id().empty()) {
    const auto& open_case = context.Related<v1::Case>(person.open_case_id());
    if (!open_case.centre().empty()) return Refuse(v1::REASON_CASE_LODGED);
    if (request.reason().empty() && AnyConsentHolds(open_case, time::DayOf(context.now))) {
      return Refuse(v1::REASON_PERSON_HAS_OPEN_CASE);
    }
  }
  engine::Events events;
  EraseAll(person, request.basis(), request.reason(), /*asked_by=*/"", context, events);
  return events;
}

void PersonDecider::Apply(State& person, const v1::PersonErased& event) {
  person.set_state(v1::PERSON_STATE_ERASED);
  person.clear_details();
  person.clear_vulnerabilities();
  person.clear_payout_accounts();
  person.clear_search_keys();
  for (auto& suspicion : *person.mutable_suspicions()) {
    if (IsOpen(suspicion)) suspicion.set_verdict(v1::DUPLICATE_VERDICT_MOOT);
  }
  person.set_duplicate_open(false);
  *person.mutable_erased_time() = event.erased_time();
}

void PersonDecider::Apply(State& person, const v1::PersonCaseOpened& event) {
  person.set_open_case_id(event.case_id());
  const auto& cases = person.case_ids();
  if (std::find(cases.begin(), cases.end(), event.case_id()) == cases.end()) {
    person.add_case_ids(event.case_id());
  }
}

void PersonDecider::Apply(State& person, const v1::PersonCaseClosed& event) {
  if (person.open_case_id() == event.case_id()) person.clear_open_case_id();
}

const engine::Table& PersonDecider::ProjectTable() {
  static const engine::Table table{.name = "person_key",
                                   .columns = {"kind", "value"},
                                   .types = {"text", "text"},
                                   .mode = engine::Table::Mode::kReplace};
  return table;
}

std::vector<engine::Row> PersonDecider::Project(const State& person) {
  std::vector<engine::Row> rows;
  for (const auto& token : person.search_keys().name_tokens()) rows.push_back({{"name", token}});
  for (const auto& claim : person.search_keys().claims()) {
    const bool document = claim.kind() == v1::CLAIM_KIND_DOCUMENT;
    rows.push_back({{document ? "document" : "identity", claim.hash()}});
  }
  for (const auto& suspicion : person.suspicions()) {
    if (IsOpen(suspicion)) rows.push_back({{"suspicion", suspicion.other_person_id()}});
  }
  return rows;
}

}  // namespace sankofa::registration
