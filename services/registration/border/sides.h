#pragma once

#include <string>

#include "absl/status/status.h"
#include "sankofa/registration/v1/case.pb.h"
#include "services/platform/engine/decider.h"

// Who may do what with a case that two nodes know. Each fact has one owner, so nothing has to be merged:
//
//     the node that opened the case    registers, submits, closes what has not arrived, starts a refused one again
//     the node that it was submitted to    accepts or refuses
//     the node of the country of origin    records arrival, assessment and reintegration, closes and reopens afterwards
//
// The country of origin's is the second in the ordinary direction, and the first for a retroactive case. Where the
// partner runs no node, this node does all of it.
namespace sankofa::registration {

// The partner with which the case is shared: the one that opened it, or the one of the header.
[[nodiscard]] const std::string& PartnerOf(const v1::Case& of);

[[nodiscard]] inline bool OpenedHere(const v1::Case& of) { return of.source_node().empty(); }

// Whether the partner decides at its own node. The command has named PartnerNode.
[[nodiscard]] bool PartnerRunsNode(const v1::Case& of, const engine::Context& context);

// Whether arrival and all that follows is recorded here.
[[nodiscard]] bool FollowedHere(const v1::Case& of, const engine::Context& context);

// How far the case has come, also under a closing.
[[nodiscard]] inline v1::CaseState ProgressOf(const v1::Case& of) {
  return of.state() == v1::CASE_STATE_CLOSED ? of.closed_from() : of.state();
}

// Refusals where the partner's node does this.
[[nodiscard]] absl::Status CheckOpenedHere(const v1::Case& of);
[[nodiscard]] absl::Status CheckAnsweredHere(const v1::Case& of, const engine::Context& context);
[[nodiscard]] absl::Status CheckFollowedHere(const v1::Case& of, const engine::Context& context);
// Closing and reopening.
[[nodiscard]] absl::Status CheckEndedHere(const v1::Case& of, const engine::Context& context);

}  // namespace sankofa::registration
