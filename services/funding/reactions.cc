#include "services/funding/reactions.h"

#include "sankofa/funding/v1/funding_internal.pb.h"
#include "sankofa/registration/v1/registration_events.pb.h"
#include "sankofa/validation/v1/validation_events.pb.h"

namespace sankofa::funding {
namespace {

using engine::Commands;
using engine::EventMeta;
namespace registration = ::sankofa::registration::v1;
namespace validation = ::sankofa::validation::v1;

// The two enums are one list, written down on both sides of the border between services.
static_assert(static_cast<int>(validation::PROJECT_KIND_BUSINESS_CREATION) ==
              v1::PROJECT_KIND_BUSINESS_CREATION);
static_assert(static_cast<int>(validation::PROJECT_KIND_EMPLOYMENT) == v1::PROJECT_KIND_EMPLOYMENT);
static_assert(static_cast<int>(validation::PROJECT_KIND_TRAINING) == v1::PROJECT_KIND_TRAINING);
static_assert(static_cast<int>(validation::PROJECT_KIND_SOCIAL) == v1::PROJECT_KIND_SOCIAL);

}  // namespace

void React(engine::Reactions& reactions) {
  reactions.On<registration::CaseRegistered>(
      [](const auto& event, const EventMeta& /*meta*/, Commands& commands) {
        v1::NoteCaseRequest request;
        request.set_case_id(event.case_id());
        request.set_person_id(event.person_id());
        request.set_programme(event.programme());
        request.set_host_country(event.host_country());
        request.set_origin_country(event.origin_country());
        commands.Add(std::move(request));
      });
  // The header may have changed between registration and submission; from then on it is frozen.
  reactions.On<registration::CaseSubmitted>(
      [](const auto& event, const EventMeta& /*meta*/, Commands& commands) {
        v1::NoteCaseFilingRequest request;
        request.set_case_id(event.case_id());
        request.set_programme(event.header().programme());
        request.set_host_country(event.header().host_country());
        request.set_origin_country(event.header().origin_country());
        commands.Add(std::move(request));
      });
  reactions.On<registration::CaseErased>(
      [](const auto& event, const EventMeta& /*meta*/, Commands& commands) {
        v1::NoteCaseErasureRequest request;
        request.set_case_id(event.case_id());
        commands.Add(std::move(request));
      });
  reactions.On<validation::ProjectApproved>(
      [](const auto& event, const EventMeta& /*meta*/, Commands& commands) {
        v1::NoteApprovalRequest request;
        request.set_project_id(event.project_id());
        request.set_case_id(event.case_id());
        request.set_version(event.version());
        *request.mutable_approved() = event.amount();
        request.set_kind(static_cast<v1::ProjectKind>(event.kind()));
        request.set_programme(event.programme());
        request.set_sector(event.sector());
        request.set_session_id(event.session_id());
        commands.Add(std::move(request));
      });
}

}  // namespace sankofa::funding
