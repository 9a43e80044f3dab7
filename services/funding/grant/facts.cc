#include "services/funding/grant/facts.h"

#include "sankofa/funding/v1/case_file.pb.h"
#include "sankofa/funding/v1/funding_internal.pb.h"
#include "sankofa/registration/v1/registration_service.pb.h"
#include "sankofa/validation/v1/validation_service.pb.h"

namespace sankofa::funding {
namespace {

using google::protobuf::Message;
namespace registration = ::sankofa::registration::v1;
namespace validation = ::sankofa::validation::v1;

// The two enums are one list, written down on both sides of the border between services.
static_assert(static_cast<int>(registration::RETURN_TYPE_VOLUNTARY_RETURN) ==
              v1::RETURN_TYPE_VOLUNTARY_RETURN);
static_assert(static_cast<int>(registration::RETURN_TYPE_VOLUNTARY_DEPARTURE) ==
              v1::RETURN_TYPE_VOLUNTARY_DEPARTURE);
static_assert(static_cast<int>(registration::RETURN_TYPE_HUMANITARIAN) ==
              v1::RETURN_TYPE_HUMANITARIAN);
static_assert(static_cast<int>(registration::RETURN_TYPE_FORCED) == v1::RETURN_TYPE_FORCED);
static_assert(static_cast<int>(registration::RETURN_TYPE_SPONTANEOUS) ==
              v1::RETURN_TYPE_SPONTANEOUS);

// Fills what registration says. An unknown case leaves the fields empty.
absl::Status AskRegistration(engine::FactCall& call, const std::string& case_id,
                             const std::string& filed_date, v1::GrantFacts& facts) {
  registration::CheckEligibilityRequest request;
  request.set_case_id(case_id);
  request.set_on_date(filed_date);
  registration::CheckEligibilityResponse answer;
  const absl::Status called =
      call.Call("sankofa.registration.v1.RegistrationService/CheckEligibility", request, answer);
  if (absl::IsNotFound(called)) return absl::OkStatus();
  if (!called.ok()) return called;
  facts.set_case_id(answer.case_id());
  facts.set_person_id(answer.person_id());
  facts.set_case_open(answer.case_state() == registration::CASE_STATE_ASSESSED ||
                      answer.case_state() == registration::CASE_STATE_REINTEGRATING);
  facts.set_case_version(answer.version());
  facts.set_duplicate_open(answer.duplicate_open());
  facts.set_age_years(answer.age_years());
  facts.set_adults(answer.adults());
  facts.set_children(answer.children());
  *facts.mutable_nationalities() = answer.nationalities();
  facts.set_return_date(answer.return_date());
  facts.set_return_type(static_cast<v1::ReturnType>(answer.return_type()));
  facts.set_months_in_host_country(answer.months_in_host_country());
  facts.set_erased(answer.erased());
  return absl::OkStatus();
}

// Fills what validation says. An unknown project leaves the fields empty.
absl::Status AskValidation(engine::FactCall& call, const std::string& project_id,
                           v1::GrantFacts& facts) {
  validation::CheckProjectRequest request;
  request.set_project_id(project_id);
  validation::CheckProjectResponse answer;
  const absl::Status called =
      call.Call("sankofa.validation.v1.ValidationService/CheckProject", request, answer);
  if (absl::IsNotFound(called)) return absl::OkStatus();
  if (!called.ok()) return called;
  facts.set_project_id(answer.project_id());
  facts.set_project_approved(answer.state() == validation::PROJECT_STATE_APPROVED);
  facts.set_project_version(answer.version());
  facts.set_approved_version(answer.approved_version());
  if (answer.has_approved_amount()) *facts.mutable_approved() = answer.approved_amount();
  facts.set_project_stream_version(answer.stream_version());
  return absl::OkStatus();
}

// Age and household are asked for on the day of filing: nobody grows out of a programme while it helps them.
absl::StatusOr<std::shared_ptr<const Message>> Ask(engine::FactCall& call,
                                                   const std::string& case_id,
                                                   const std::string& project_id,
                                                   const std::string& filed_date) {
  auto facts = std::make_shared<v1::GrantFacts>();
  if (auto asked = AskRegistration(call, case_id, filed_date, *facts); !asked.ok()) return asked;
  if (auto asked = AskValidation(call, project_id, *facts); !asked.ok()) return asked;
  return facts;
}

}  // namespace

absl::StatusOr<std::shared_ptr<const Message>> FactsFor(engine::FactCall& call,
                                                        const v1::ReserveGrantRequest& request) {
  const auto file = call.Load<v1::CaseFile>(request.case_id());
  if (!file.ok() && !absl::IsNotFound(file.status())) return file.status();
  return Ask(call, request.case_id(), request.project_id(),
             file.ok() ? file->filed_date() : std::string());
}

absl::StatusOr<std::shared_ptr<const Message>> FactsFor(
    engine::FactCall& call, const v1::ReleaseInstalmentRequest& request) {
  const auto grant = call.Load<v1::Grant>(request.grant_id());
  if (!grant.ok()) return grant.status();
  return Ask(call, grant->case_id(), grant->project_id(), grant->filed_date());
}

}  // namespace sankofa::funding
