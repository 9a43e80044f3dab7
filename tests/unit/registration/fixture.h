#pragma once

#include <string>
#include <vector>

#include "sankofa/registration/v1/registration_internal.pb.h"
#include "sankofa/registration/v1/registration_service.pb.h"
#include "services/platform/time/time.h"
#include "services/registration/commands.h"
#include "tests/unit/harness.h"

// Persons and cases of invented people, as the service has bound them.
namespace sankofa::registration {

using test::At;
using test::Morning;
using test::Reason;

inline absl::Time Days(int days) { return Morning() + absl::Hours(24 * days); }

inline v1::PersonDetails Adult(const std::string& given = "Élodie Marthe",
                               const std::string& family = "NGO-TEST") {
  v1::PersonDetails details;
  details.set_given_names(given);
  details.set_family_names(family);
  details.set_sex(v1::SEX_FEMALE);
  details.set_birth_date("1985-03-12");
  details.add_nationalities("CM");
  details.add_phones("+237690000001");
  auto* mother = details.add_household();
  mother->set_member_id("mother");
  mother->set_name("Jeanne Test");
  mother->set_birth_date("1960-01-01");
  mother->set_relation(v1::RELATION_PARENT);
  auto* son = details.add_household();
  son->set_member_id("son");
  son->set_name("Paul Test");
  son->set_birth_date("2010-05-05");
  son->set_relation(v1::RELATION_CHILD);
  son->set_returns_too(true);
  return details;
}

inline v1::PersonDetails Child(const std::string& given = "Aïssatou") {
  v1::PersonDetails details = Adult(given, "TEST");
  details.set_birth_date("2003-01-02");
  return details;
}

inline void AddDocument(v1::PersonDetails& details, const std::string& number,
                        v1::DocumentType type = v1::DOCUMENT_TYPE_PASSPORT) {
  auto* document = details.add_documents();
  document->set_country("CM");
  document->set_type(type);
  document->set_number(number);
}

inline v1::CaseHeader Header() {
  v1::CaseHeader header;
  header.set_origin_country("CM");
  header.set_host_country("FR");
  header.set_return_type(v1::RETURN_TYPE_VOLUNTARY_RETURN);
  header.set_programme("ofii-cm-2017");
  header.set_partner("ofii");
  header.set_region("littoral");
  header.set_host_entry_date("2014-09-01");
  return header;
}

inline v1::GiveConsentRequest Consent(const std::string& case_id) {
  v1::GiveConsentRequest request;
  request.set_case_id(case_id);
  request.set_purpose(v1::CONSENT_PURPOSE_REINTEGRATION);
  request.set_partner("ofii");
  request.add_scopes("person.details.phones");
  request.set_giver(v1::CONSENT_GIVER_PERSON);
  request.set_from_date("2017-01-01");
  request.set_until_date("2018-12-31");
  return request;
}

inline v1::GiveConsentRequest GuardianConsent(const std::string& case_id) {
  auto request = Consent(case_id);
  request.set_giver(v1::CONSENT_GIVER_GUARDIAN);
  request.set_guardian_member_id("mother");
  return request;
}

inline v1::AssessCaseRequest Assessment(const std::string& case_id) {
  v1::AssessCaseRequest request;
  request.set_case_id(case_id);
  request.mutable_assessment()->add_needs(v1::NEED_BUSINESS);
  request.mutable_assessment()->add_abilities("tailor");
  request.set_orientation("anpe");
  return request;
}

// One request of each kind that names a case only.
template <class Request>
Request ForCase(const std::string& case_id) {
  Request request;
  request.set_case_id(case_id);
  return request;
}

template <class Request>
Request ForPerson(const std::string& person_id) {
  Request request;
  request.set_person_id(person_id);
  return request;
}

class Node : public test::World {
 public:
  Node()
      : test::World([](engine::Registry& registry) { BindCommands(registry, test::FakeBlind); }) {}

  // Registers and returns the id; empty where it was refused.
  std::string Register(const v1::PersonDetails& details, absl::Time now = Morning()) {
    v1::RegisterPersonRequest request;
    *request.mutable_details() = details;
    const auto context = At(now);
    const absl::Status status = Send(request, context);
    EXPECT_TRUE(status.ok()) << status;
    return status.ok() ? context.NewId() : std::string();
  }

  absl::StatusOr<std::string> TryOpen(const std::string& person_id,
                                      const v1::CaseHeader& header = Header(),
                                      absl::Time now = Morning()) {
    v1::RegisterCaseRequest request;
    request.set_person_id(person_id);
    *request.mutable_header() = header;
    const auto context = At(now);
    if (auto status = Send(request, context); !status.ok()) return status;
    return context.NewId();
  }

  std::string Open(const std::string& person_id) {
    auto opened = TryOpen(person_id);
    EXPECT_TRUE(opened.ok()) << opened.status();
    return opened.ok() ? *opened : std::string();
  }

  std::string OpenRetroactive(const std::string& person_id) {
    v1::RegisterRetroactiveCaseRequest request;
    request.set_person_id(person_id);
    *request.mutable_header() = Header();
    request.set_arrival_date("2017-06-01");
    const auto context = At();
    const absl::Status status = Send(request, context);
    EXPECT_TRUE(status.ok()) << status;
    return context.NewId();
  }

  template <class Request>
  void Must(const Request& request, absl::Time now = Morning()) {
    const absl::Status status = Send(request, At(now));
    EXPECT_TRUE(status.ok()) << request.GetDescriptor()->name() << ": " << status;
  }

  // Brings a case that was just opened for an adult to `state`.
  void Bring(const std::string& case_id, v1::CaseState state) {
    if (state == v1::CASE_STATE_CLOSED) {
      auto close = ForCase<v1::CloseCaseRequest>(case_id);
      close.set_reason(v1::CLOSE_REASON_WITHDRAWN);
      Must(close);
      return;
    }
    if (state >= v1::CASE_STATE_SUBMITTED) {
      Must(Consent(case_id));
      Must(ForCase<v1::SubmitCaseRequest>(case_id));
    }
    if (state >= v1::CASE_STATE_ACCEPTED) Must(ForCase<v1::AcceptCaseRequest>(case_id));
    if (state >= v1::CASE_STATE_ARRIVED) {
      auto arrival = ForCase<v1::ConfirmArrivalRequest>(case_id);
      arrival.set_arrival_date("2017-06-20");
      Must(arrival);
    }
    if (state >= v1::CASE_STATE_ASSESSED) Must(Assessment(case_id));
    if (state >= v1::CASE_STATE_REINTEGRATING) {
      Must(ForCase<v1::StartReintegrationRequest>(case_id));
    }
  }

  const v1::Person& person(const std::string& id) { return Get<v1::Person>(id); }
  const v1::Case& of(const std::string& id) { return Get<v1::Case>(id); }
};

}  // namespace sankofa::registration
