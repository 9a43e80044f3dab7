#include "services/registration/border/incoming.h"

#include <algorithm>
#include <set>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "sankofa/exchange/v1/exchange_service.pb.h"
#include "sankofa/registration/v1/registration_reason.pb.h"
#include "services/platform/status/refuse.h"
#include "services/platform/time/time.h"
#include "services/registration/case/case.h"
#include "services/registration/case/consent.h"
#include "services/registration/person/person.h"

namespace sankofa::registration {
namespace {

using exchange::v1::ReceivedDisclosure;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::RepeatedPtrField;

// Longer text than any form of ours takes is not a name.
constexpr std::size_t kTextMax = 2000;
constexpr int kHouseholdMax = 50;

const ReceivedDisclosure& DisclosedIn(const Message* facts) {
  const auto* disclosed = dynamic_cast<const ReceivedDisclosure*>(facts);
  return disclosed == nullptr ? ReceivedDisclosure::default_instance() : *disclosed;
}

// Takes over each field that `into` does not have. Two purposes may disclose the same field: it is taken once.
void TakeMissing(Message& into, const Message& from) {
  const auto* reflection = from.GetReflection();
  std::vector<const FieldDescriptor*> fields;
  reflection->ListFields(from, &fields);
  std::unique_ptr<Message> rest(from.New());
  rest->CopyFrom(from);
  for (const FieldDescriptor* field : fields) {
    const bool there = field->is_repeated() ? reflection->FieldSize(into, field) > 0
                                            : reflection->HasField(into, field);
    if (there) reflection->ClearField(rest.get(), field);
  }
  into.MergeFrom(*rest);
}

void ClearUnlessDay(std::string& day) {
  if (!time::ParseDay(day)) day.clear();
}

void ClearLong(Message& message) {
  const auto* reflection = message.GetReflection();
  std::vector<const FieldDescriptor*> fields;
  reflection->ListFields(message, &fields);
  for (const FieldDescriptor* field : fields) {
    if (field->is_repeated() || field->cpp_type() != FieldDescriptor::CPPTYPE_STRING) continue;
    if (reflection->GetString(message, field).size() > kTextMax) {
      reflection->ClearField(&message, field);
    }
  }
}

template <class Items>
void Shorten(Items& items, int longest) {
  while (items.size() > longest) items.RemoveLast();
}

// Days that don't exist, endless lists and texts: left out. The limits are those of our own form (person.proto).
void KeepWellFormed(v1::PersonDetails& details) {
  ClearLong(details);
  ClearUnlessDay(*details.mutable_birth_date());
  if (!v1::Sex_IsValid(details.sex())) details.clear_sex();
  Shorten(*details.mutable_nationalities(), 5);
  Shorten(*details.mutable_phones(), 5);
  Shorten(*details.mutable_addresses(), 5);
  Shorten(*details.mutable_documents(), 10);
  Shorten(*details.mutable_household(), 20);
  for (auto& document : *details.mutable_documents()) ClearLong(document);
  for (auto& member : *details.mutable_household()) {
    ClearLong(member);
    ClearUnlessDay(*member.mutable_birth_date());
  }
}

void KeepWellFormed(v1::CaseRegistered& told) {
  ClearLong(told);
  ClearUnlessDay(*told.mutable_host_entry_date());
  ClearUnlessDay(*told.mutable_planned_return_date());
  ClearUnlessDay(*told.mutable_arrival_date());
  if (!v1::ReturnType_IsValid(told.return_type())) told.clear_return_type();
  if (!v1::Sex_IsValid(told.profile().sex())) told.mutable_profile()->clear_sex();
  if (!v1::AgeBand_IsValid(told.profile().age_band())) told.mutable_profile()->clear_age_band();
  told.set_adults(std::clamp(told.adults(), 0, kHouseholdMax));
  told.set_children(std::clamp(told.children(), 0, kHouseholdMax));
}

// The last day on which what the partner may show for `purpose` holds, where it was said.
std::string UntilOf(const ReceivedDisclosure& disclosed, int purpose, absl::CivilDay today) {
  const absl::CivilDay longest(today.year() + kConsentYearsMax, today.month(), today.day());
  for (const auto& disclosure : disclosed.disclosures()) {
    if (disclosure.purpose() != purpose) continue;
    const auto until = time::ParseDay(disclosure.until_date());
    if (until && *until >= today) return time::FormatDay(std::min(*until, longest));
  }
  return time::FormatDay(longest);
}

}  // namespace

std::string PartnerPersonId(const std::string& sender, const std::string& case_id) {
  return engine::DerivedId(absl::StrCat(sender, "/", case_id), "person");
}

absl::StatusOr<std::shared_ptr<const Message>> FetchDisclosed(engine::FactCall& call,
                                                              const std::string& case_id,
                                                              const std::string& sender) {
  auto disclosed = std::make_shared<ReceivedDisclosure>();
  if (case_id.empty()) return std::shared_ptr<const Message>(std::move(disclosed));
  exchange::v1::GetReceivedDisclosureRequest request;
  request.set_case_id(case_id);
  request.set_sender(sender);
  request.set_purpose("incoming-case");
  const absl::Status called =
      call.Call("sankofa.exchange.v1.ExchangeService/GetReceivedDisclosure", request, *disclosed);
  // Nothing was disclosed, or it is erased.
  const bool nothing = called.code() == absl::StatusCode::kNotFound ||
                       called.code() == absl::StatusCode::kFailedPrecondition;
  if (!called.ok() && !nothing) return called;
  return std::shared_ptr<const Message>(std::move(disclosed));
}

v1::Person DisclosedPerson(const Message* facts) {
  v1::Person person;
  for (const auto& disclosure : DisclosedIn(facts).disclosures()) {
    TakeMissing(*person.mutable_details(), disclosure.person().details());
    if (person.vulnerabilities().empty()) {
      *person.mutable_vulnerabilities() = disclosure.person().vulnerabilities();
    }
  }
  KeepWellFormed(*person.mutable_details());
  std::set<int> seen;
  google::protobuf::RepeatedField<int> known;
  for (const int kind : person.vulnerabilities()) {
    const bool valid = v1::Vulnerability_IsValid(kind) && kind != v1::VULNERABILITY_UNSPECIFIED;
    if (valid && seen.insert(kind).second) known.Add(kind);
  }
  *person.mutable_vulnerabilities() = std::move(known);
  return person;
}

RepeatedPtrField<v1::Referral> DisclosedReferrals(const Message* facts) {
  RepeatedPtrField<v1::Referral> referrals;
  std::set<std::string> seen;
  for (const auto& disclosure : DisclosedIn(facts).disclosures()) {
    for (const v1::Referral& referral : disclosure.referrals()) {
      if (!referral.id().empty() && seen.insert(referral.id()).second) *referrals.Add() = referral;
    }
  }
  return referrals;
}

void NameDisclosed(const Message& facts, const Blind& blind, engine::Names& names) {
  NameClaims(SearchKeysOf(DisclosedPerson(&facts).details(), blind), names);
}

absl::StatusOr<v1::CaseRegistered> IncomingCase(const v1::ReceiveCaseRequest& request,
                                                const engine::Context& context) {
  constexpr std::size_t kUuidLength = 36;
  if (request.registered().case_id() != request.case_id() ||
      request.case_id().size() != kUuidLength) {
    return status::Refuse(v1::REASON_FACT_MALFORMED);
  }
  v1::CaseRegistered opened = request.registered();
  KeepWellFormed(opened);
  opened.set_person_id(PartnerPersonId(request.sender(), request.case_id()));
  opened.set_responsible_organisation(request.sender());
  opened.set_source_node(request.sender());
  if (!opened.has_registered_time()) {
    *opened.mutable_registered_time() = time::ToTimestamp(context.now);
  }
  // The reference follows from the id, so it is the partner's, and never another case's.
  const absl::CivilDay day = time::DayOf(time::FromTimestamp(opened.registered_time()));
  opened.set_reference(
      ReferenceOf(opened.origin_country(), static_cast<int>(day.year()), opened.case_id()));
  return opened;
}

void AddPartnerConsents(const v1::Case& of, const std::string& case_id, const std::string& sender,
                        const google::protobuf::RepeatedField<int>& purposes,
                        const engine::Context& context, engine::Events& events) {
  const absl::CivilDay today = time::DayOf(context.now);
  std::set<int> seen;
  for (const int purpose : purposes) {
    const bool known =
        v1::ConsentPurpose_IsValid(purpose) && purpose != v1::CONSENT_PURPOSE_UNSPECIFIED;
    if (!known || !seen.insert(purpose).second) continue;
    const std::string until = UntilOf(DisclosedIn(context.facts.get()), purpose, today);
    const bool there =
        std::any_of(of.consents().begin(), of.consents().end(), [&](const v1::Consent& consent) {
          // One that was withdrawn here stays so, whatever is still on file at the partner.
          return consent.giver() == v1::CONSENT_GIVER_PARTNER && consent.partner() == sender &&
                 consent.purpose() == purpose &&
                 (consent.has_withdrawn_time() ||
                  (Holds(consent, today) && consent.until_date() >= until));
        });
    if (there || of.consents_size() + static_cast<int>(seen.size()) > kConsentsMax) continue;
    v1::ConsentGiven event;
    event.set_case_id(case_id);
    event.set_source_node(sender);
    auto& consent = *event.mutable_consent();
    consent.set_consent_id(context.NewId(absl::StrCat("consent/", purpose)));
    consent.set_purpose(static_cast<v1::ConsentPurpose>(purpose));
    consent.set_partner(sender);
    consent.set_giver(v1::CONSENT_GIVER_PARTNER);
    consent.set_from_date(time::FormatDay(today));
    consent.set_until_date(until);
    *consent.mutable_recorded_time() = time::ToTimestamp(context.now);
    events.AddTo<v1::Case>(case_id, std::move(event));
  }
}

}  // namespace sankofa::registration
