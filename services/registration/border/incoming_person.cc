#include <algorithm>

#include "sankofa/registration/v1/registration_reason.pb.h"
#include "services/platform/status/refuse.h"
#include "services/platform/time/time.h"
#include "services/registration/border/incoming.h"
#include "services/registration/person/names.h"
#include "services/registration/person/person.h"

// The record that is made for a partner's case: how it comes, changes with what the partner discloses, and goes.
namespace sankofa::registration {
namespace {

using status::Refuse;
using time::ToTimestamp;

bool Same(const google::protobuf::Message& a, const google::protobuf::Message& b) {
  return a.SerializeAsString() == b.SerializeAsString();
}

// The details follow what the partner discloses until somebody here replaces them: what this node learned itself is
// not overwritten from abroad.
void FollowDetails(const v1::Person& person, const std::string& sender,
                   const engine::Context& context, engine::Events& events) {
  if (person.details_source() != sender) return;
  const v1::Person disclosed = DisclosedPerson(context.facts.get());
  if (Same(disclosed.details(), person.details())) return;
  v1::PersonUpdated event;
  event.set_person_id(person.id());
  *event.mutable_details() = disclosed.details();
  *event.mutable_search_keys() = SearchKeysOf(disclosed.details(), context.blind);
  event.set_source_node(sender);
  *event.mutable_updated_time() = ToTimestamp(context.now);
  const v1::SearchKeys keys = event.search_keys();
  events.Add(std::move(event));
  ReleaseOutdated(person, keys, events);
  ClaimAndSuspect(person, person.id(), keys, context, events);
}

// A vulnerability that either side has found stays.
void FollowVulnerabilities(const v1::Person& person, const std::string& sender,
                           const engine::Context& context, engine::Events& events) {
  const v1::Person disclosed = DisclosedPerson(context.facts.get());
  v1::VulnerabilitiesRecorded event;
  *event.mutable_vulnerabilities() = person.vulnerabilities();
  for (const int kind : disclosed.vulnerabilities()) {
    const auto& known = person.vulnerabilities();
    if (std::find(known.begin(), known.end(), kind) == known.end()) {
      event.add_vulnerabilities(static_cast<v1::Vulnerability>(kind));
    }
  }
  if (event.vulnerabilities_size() == person.vulnerabilities_size()) return;
  event.set_person_id(person.id());
  event.set_source_node(sender);
  *event.mutable_updated_time() = ToTimestamp(context.now);
  events.Add(std::move(event));
}

// What a referral of the partner asks for may be disclosed after the referral itself.
void FollowReferrals(const std::string& sender, const engine::Context& context,
                     engine::Events& events) {
  for (const v1::Referral& disclosed : DisclosedReferrals(context.facts.get())) {
    const auto& here = context.Related<v1::Referral>(disclosed.id());
    if (here.id().empty() || here.source_node() != sender) continue;
    if (here.need() == disclosed.need() && here.reason() == disclosed.reason()) continue;
    v1::ReferralDetailsReceived event;
    event.set_referral_id(here.id());
    event.set_case_id(here.case_id());
    event.set_need(disclosed.need());
    event.set_reason(disclosed.reason());
    event.set_source_node(sender);
    events.AddTo<v1::Referral>(here.id(), std::move(event));
  }
}

}  // namespace

engine::Decision PersonDecider::Decide(const State& person, const v1::ReceiveCaseRequest& request,
                                       const engine::Context& context) {
  const auto& known = context.Related<v1::Case>(request.case_id());
  if (!known.id().empty()) {
    // Told again, or asked to be erased before it came: there is nothing to do. Anybody else's case id is not taken.
    if (known.source_node() == request.sender()) return engine::Events();
    return Refuse(v1::REASON_NOT_OWNER_OF_FACT);
  }
  if (person.state() != v1::PERSON_STATE_UNSPECIFIED) return engine::Events();
  auto opened = IncomingCase(request, context);
  if (!opened.ok()) return opened.status();
  const v1::Person disclosed = DisclosedPerson(context.facts.get());
  v1::PersonRegistered event;
  event.set_person_id(opened->person_id());
  *event.mutable_details() = disclosed.details();
  *event.mutable_vulnerabilities() = disclosed.vulnerabilities();
  *event.mutable_search_keys() = SearchKeysOf(disclosed.details(), context.blind);
  event.set_responsible_organisation(request.sender());
  event.set_source_node(request.sender());
  *event.mutable_registered_time() = ToTimestamp(context.now);
  engine::Events events = engine::Emit(event);
  ClaimAndSuspect(v1::Person(), event.person_id(), event.search_keys(), context, events);
  v1::PersonCaseOpened of_person;
  of_person.set_person_id(event.person_id());
  of_person.set_case_id(request.case_id());
  events.Add(std::move(of_person));
  events.AddTo<v1::Case>(request.case_id(), *std::move(opened));
  AddPartnerConsents(known, request.case_id(), request.sender(), request.purposes(), context,
                     events);
  return events;
}

engine::Decision PersonDecider::Decide(const State& person,
                                       const v1::ReceiveDisclosureRequest& request,
                                       const engine::Context& context) {
  const auto& of = context.Related<v1::Case>(request.case_id());
  engine::Events events;
  FollowReferrals(request.sender(), context, events);
  const bool theirs = of.source_node() == request.sender() && !of.erased();
  if (!theirs) return events;
  AddPartnerConsents(of, of.id(), request.sender(), request.purposes(), context, events);
  if (person.state() != v1::PERSON_STATE_ACTIVE) return events;
  FollowDetails(person, request.sender(), context, events);
  FollowVulnerabilities(person, request.sender(), context, events);
  return events;
}

// The record was made from what the partner disclosed, under one key, so it goes as a whole, with what was added to it
// here. A case of our own is never on such a record (PERSON_OF_PARTNER) and so never goes with it. Whatever was here, the
// partner gets an answer.
engine::Decision PersonDecider::Decide(const State& person,
                                       const v1::ErasePartnerDataRequest& request,
                                       const engine::Context& context) {
  const auto& of = context.Related<v1::Case>(request.case_id());
  const bool unknown = of.id().empty();
  const bool theirs = of.source_node() == request.sender() && !of.erased();
  engine::Events events;
  if (theirs && person.id() == of.person_id()) {
    EraseAll(person, v1::ERASURE_BASIS_REQUEST, "asked for by partner " + request.sender(),
             request.sender(), context, events);
  } else if (unknown) {
    // The case may still be on its way: then nothing of it is taken in any more.
    v1::CaseErased erased;
    erased.set_case_id(request.case_id());
    erased.set_source_node(request.sender());
    events.AddTo<v1::Case>(request.case_id(), std::move(erased));
  }
  v1::PartnerDataErased answer;
  answer.set_case_id(request.case_id());
  answer.set_partner(request.sender());
  answer.set_erasure_id(request.erasure_id());
  *answer.mutable_erased_time() = ToTimestamp(context.now);
  events.AddTo<v1::Case>(request.case_id(), std::move(answer));
  return events;
}

}  // namespace sankofa::registration
