#include "services/registration/border/sides.h"

#include "sankofa/registration/v1/partner_node.pb.h"
#include "sankofa/registration/v1/registration_reason.pb.h"
#include "services/platform/status/refuse.h"

namespace sankofa::registration {
namespace {

absl::Status RefuseFor(v1::Reason reason, const v1::Case& of) {
  return status::Refuse(reason, {.fields = {}, .metadata = {{"partner", PartnerOf(of)}}});
}

}  // namespace

const std::string& PartnerOf(const v1::Case& of) {
  return OpenedHere(of) ? of.header().partner() : of.source_node();
}

bool PartnerRunsNode(const v1::Case& of, const engine::Context& context) {
  return !OpenedHere(of) || context.Related<v1::PartnerNode>(of.header().partner()).runs_node();
}

bool FollowedHere(const v1::Case& of, const engine::Context& context) {
  return !PartnerRunsNode(of, context) || of.retroactive() == OpenedHere(of);
}

absl::Status CheckOpenedHere(const v1::Case& of) {
  return OpenedHere(of) ? absl::OkStatus() : RefuseFor(v1::REASON_CASE_OF_PARTNER, of);
}

absl::Status CheckAnsweredHere(const v1::Case& of, const engine::Context& context) {
  const bool there = OpenedHere(of) && PartnerRunsNode(of, context);
  return there ? RefuseFor(v1::REASON_PARTNER_ANSWERS, of) : absl::OkStatus();
}

absl::Status CheckFollowedHere(const v1::Case& of, const engine::Context& context) {
  return FollowedHere(of, context) ? absl::OkStatus() : RefuseFor(v1::REASON_PARTNER_RUNS_CASE, of);
}

absl::Status CheckEndedHere(const v1::Case& of, const engine::Context& context) {
  return ProgressOf(of) < v1::CASE_STATE_ARRIVED ? CheckOpenedHere(of)
                                                 : CheckFollowedHere(of, context);
}

}  // namespace sankofa::registration
