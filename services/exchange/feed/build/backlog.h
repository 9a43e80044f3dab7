#pragma once

#include "services/exchange/feed/build/round.h"

// What waits for a partner, and how it gets all that it lacks.
//
// While a partner is suspended, what can't be read again later is kept (feed/backlog.h): what exchange has to tell it
// itself, what is addressed to it, and statistics. It goes out before anything else about the same subject.
//
// When it is resumed, and when an agreement with it gets a signature, all submitted cases are gone through for what it
// lacks: a page in each unit of work. A page ends with an event (CatchUpAdvanced), and the reaction to that is the next
// page; so after a crash the round goes on where it was, and between two pages other events have their turn.
namespace sankofa::exchange {

// A page ends behind the case with which it has put this many messages on the feed, or gone through this many cases.
inline constexpr int kPageMessages = 200;
inline constexpr int kPageCases = 50;

// Keeps a message for a suspended partner. Field `id` is filled here.
[[nodiscard]] absl::Status Keep(Round& round, const std::string& partner, v1::KeptMessage message,
                                const std::string& label, Work& work);
// Keeps the event at hand: what may be shared of it then is judged then.
[[nodiscard]] absl::Status KeepEvent(Round& round, const std::string& partner,
                                     const std::string& subject, Work& work);

// Puts what was kept about a subject on the feed of an active partner.
[[nodiscard]] absl::Status TellKept(Round& round, const v1::Partner& partner,
                                    const std::string& subject, Work& work);

// All submitted cases are to be gone through, from the beginning.
void StartCatchUp(Round& round, const std::string& partner, Work& work);

struct Page {
  std::string partner;
  std::int64_t round = 0;
  std::string after;  // the case behind which it begins
};
// One page, and the event that leads to the next. First everything that was kept. Nothing where the partner was suspended
// again (then a new round begins when it is resumed), or a later round has begun.
[[nodiscard]] absl::Status GoThroughCases(Round& round, const Page& page, Work& work);

}  // namespace sankofa::exchange
