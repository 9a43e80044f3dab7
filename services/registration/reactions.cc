#include "services/registration/reactions.h"

#include "sankofa/registration/v1/registration_internal.pb.h"
#include "sankofa/validation/v1/validation_events.pb.h"
#include "services/registration/border/feed.h"

namespace sankofa::registration {

void React(engine::Reactions& reactions) {
  reactions.On<validation::v1::ProjectApproved>(
      [](const auto& event, const engine::EventMeta& /*meta*/, engine::Commands& commands) {
        v1::StartReintegrationRequest request;
        request.set_case_id(event.case_id());
        request.set_project_id(event.project_id());
        commands.Add(std::move(request));
      });
  ReactToPartners(reactions);
}

}  // namespace sankofa::registration
