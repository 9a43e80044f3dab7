#pragma once

#include "sankofa/funding/v1/grant.pb.h"
#include "services/platform/engine/fact_call.h"

namespace sankofa::funding {

// What registration and validation say now of the case and the project of a reservation or a release. What they do not
// know is left empty, for the decider to refuse. UNAVAILABLE where one of them can't be reached: the command is then
// not decided at all, and the caller sends it again.
[[nodiscard]] absl::StatusOr<std::shared_ptr<const google::protobuf::Message>> FactsFor(
    engine::FactCall& call, const v1::ReserveGrantRequest& request);
[[nodiscard]] absl::StatusOr<std::shared_ptr<const google::protobuf::Message>> FactsFor(
    engine::FactCall& call, const v1::ReleaseInstalmentRequest& request);

}  // namespace sankofa::funding
