#pragma once

#include <cstdint>
#include <string>

#include "sankofa/validation/v1/session.pb.h"

// How a sitting counts: who is there, who presides, what the votes give. Pure functions of the sitting and one item of
// its agenda; the sitting's rules (session.h) rest on them.
namespace sankofa::validation {

// Null where the sitting has no such seat.
[[nodiscard]] const v1::SessionSeat* FindSeat(const v1::Session& session, const std::string& code);
// Null where the project is not on the agenda.
[[nodiscard]] const v1::AgendaItem* FindItem(const v1::Session& session,
                                             const std::string& project_id);

// The subject of who sits there now; empty where nobody does.
[[nodiscard]] const std::string& OccupantOf(const v1::SessionSeat& seat);
[[nodiscard]] bool IsPresent(const v1::SessionSeat& seat);
[[nodiscard]] bool HasInterest(const v1::AgendaItem& item, const std::string& seat_code);
[[nodiscard]] bool HasVoted(const v1::AgendaItem& item, const std::string& seat_code);

// Whether the sitting may decide on `item`; with a default item: whether it may sit at all. Present voting seats
// without an interest are counted against all voting seats: an interest never makes the quorum easier.
[[nodiscard]] bool HasQuorum(const v1::Session& session, const v1::AgendaItem& item);

// The seat that presides over `item`: the chair, or else the first deputy chair, present and without an interest. Null
// where there is none.
[[nodiscard]] const v1::SessionSeat* PresidingSeat(const v1::Session& session,
                                                   const v1::AgendaItem& item);

enum class Verdict { kNoVotes, kCastingVoteMissing, kApproved, kAdjourned, kRefused };

// What the votes give. FOR or AGAINST wins with more than half of the votes cast. With exactly half, the presiding
// seat's vote decides. In every other case the project comes back: adjourning can be undone, the others can't.
[[nodiscard]] Verdict CountVotes(const v1::Session& session, const v1::AgendaItem& item);

// The largest amount that more than half of the votes FOR support, in minor units of what is asked for. A vote that
// proposes nothing supports all that is asked for. 0 without votes FOR.
[[nodiscard]] std::int64_t SupportedAmount(const v1::AgendaItem& item);

}  // namespace sankofa::validation
