#include "services/validation/voting.h"

#include <algorithm>
#include <functional>
#include <set>
#include <vector>

namespace sankofa::validation {

const v1::SessionSeat* FindSeat(const v1::Session& session, const std::string& code) {
  for (const v1::SessionSeat& one : session.seats()) {
    if (one.seat().code() == code) return &one;
  }
  return nullptr;
}

const v1::AgendaItem* FindItem(const v1::Session& session, const std::string& project_id) {
  for (const v1::AgendaItem& item : session.agenda()) {
    if (item.project_id() == project_id) return &item;
  }
  return nullptr;
}

const std::string& OccupantOf(const v1::SessionSeat& seat) {
  static const std::string nobody;
  switch (seat.presence()) {
    case v1::PRESENCE_HOLDER: return seat.seat().holder_subject();
    case v1::PRESENCE_DEPUTY: return seat.seat().deputy_subject();
    default: return nobody;
  }
}

bool IsPresent(const v1::SessionSeat& seat) { return !OccupantOf(seat).empty(); }

bool HasInterest(const v1::AgendaItem& item, const std::string& seat_code) {
  return std::find(item.interested_seats().begin(), item.interested_seats().end(), seat_code) !=
         item.interested_seats().end();
}

bool HasVoted(const v1::AgendaItem& item, const std::string& seat_code) {
  return std::any_of(item.votes().begin(), item.votes().end(),
                     [&](const v1::Vote& vote) { return vote.seat_code() == seat_code; });
}

bool HasQuorum(const v1::Session& session, const v1::AgendaItem& item) {
  std::int64_t voting = 0;
  std::int64_t counted = 0;
  std::set<int> colleges;
  for (const v1::SessionSeat& one : session.seats()) {
    if (one.seat().without_vote()) continue;
    ++voting;
    if (!IsPresent(one) || HasInterest(item, one.seat().code())) continue;
    ++counted;
    colleges.insert(one.seat().college());
  }
  if (counted * 1000 <= voting * session.quorum().more_than_thousandths()) return false;
  return std::all_of(session.quorum().colleges().begin(), session.quorum().colleges().end(),
                     [&](int college) { return colleges.contains(college); });
}

const v1::SessionSeat* PresidingSeat(const v1::Session& session, const v1::AgendaItem& item) {
  for (const v1::SeatRole role : {v1::SEAT_ROLE_CHAIR, v1::SEAT_ROLE_DEPUTY_CHAIR}) {
    for (const v1::SessionSeat& one : session.seats()) {
      if (one.seat().role() == role && IsPresent(one) && !HasInterest(item, one.seat().code())) {
        return &one;
      }
    }
  }
  return nullptr;
}

Verdict CountVotes(const v1::Session& session, const v1::AgendaItem& item) {
  int in_favour = 0;
  int against = 0;
  for (const v1::Vote& vote : item.votes()) {
    if (vote.value() == v1::VOTE_VALUE_FOR) ++in_favour;
    if (vote.value() == v1::VOTE_VALUE_AGAINST) ++against;
  }
  const int cast = item.votes_size();
  if (cast == 0) return Verdict::kNoVotes;
  if (2 * in_favour > cast) return Verdict::kApproved;
  if (2 * against > cast) return Verdict::kRefused;
  if (2 * in_favour != cast && 2 * against != cast) return Verdict::kAdjourned;

  const v1::SessionSeat* presiding = PresidingSeat(session, item);
  for (const v1::Vote& vote : item.votes()) {
    if (presiding == nullptr || vote.seat_code() != presiding->seat().code()) continue;
    if (vote.value() == v1::VOTE_VALUE_FOR && 2 * in_favour == cast) return Verdict::kApproved;
    if (vote.value() == v1::VOTE_VALUE_AGAINST && 2 * against == cast) return Verdict::kRefused;
    return Verdict::kAdjourned;
  }
  return Verdict::kCastingVoteMissing;
}

std::int64_t SupportedAmount(const v1::AgendaItem& item) {
  std::vector<std::int64_t> amounts;
  for (const v1::Vote& vote : item.votes()) {
    if (vote.value() != v1::VOTE_VALUE_FOR) continue;
    amounts.push_back(vote.has_proposed_amount() ? vote.proposed_amount().minor_units()
                                                 : item.requested().minor_units());
  }
  if (amounts.empty()) return 0;
  std::sort(amounts.begin(), amounts.end(), std::greater<>());
  // The first place that, with all before it, makes more than half.
  return amounts[amounts.size() / 2];
}

}  // namespace sankofa::validation
