#pragma once

#include "absl/status/status.h"
#include "sankofa/registration/v1/person.pb.h"
#include "services/platform/engine/decider.h"

// What relates the fields of a person's details to each other. The form of each single field was checked before.
namespace sankofa::registration {

[[nodiscard]] absl::Status CheckDetails(const v1::PersonDetails& details,
                                        const engine::Context& context);

// Each kind once, and fitting the age that `details` give today.
[[nodiscard]] absl::Status CheckVulnerabilities(
    const google::protobuf::RepeatedField<int>& vulnerabilities, const v1::PersonDetails& details,
    const engine::Context& context);

}  // namespace sankofa::registration
