#pragma once

#include <string>

#include "tests/simulation/world/random.h"

namespace sankofa::simulation {

// Guarantees that a test breaks on purpose, each in the simulation's own store or wiring, to see that they are missed.
enum class Planted {
  kNothing,
  kMarksApart,  // the store commits inbox marks before, and apart from, what they stand for
  kNoHorizon,   // the relay reads the journal without regard to transactions that are still open
  kConsentTooEarly,  // consent is looked up when a case is first shared, not when a message is made
};

// "marks-apart", "no-horizon", "consent-too-early"; kNothing for any other word.
[[nodiscard]] inline Planted PlantedOf(const std::string& word) {
  if (word == "marks-apart") return Planted::kMarksApart;
  if (word == "no-horizon") return Planted::kNoHorizon;
  if (word == "consent-too-early") return Planted::kConsentTooEarly;
  return Planted::kNothing;
}

// How often what goes wrong, in a thousand. A seed draws its own: much of one kind and nothing of another finds more than
// a little of everything.
struct Faults {
  int call_fails = 0;        // a call reaches nobody
  int answer_lost = 0;       // a call has its effect, and its answer is lost
  int crash = 0;             // the caller dies, before or after the effect
  int open_transaction = 0;  // another transaction stays open while later ones commit
  int broker_away = 0;       // a node's Kafka goes away for a while, by step
  int link_cut = 0;          // two nodes don't reach each other for a while, by step
  int late_delivery = 0;     // a producer's records stay in its queue
  int report_lost = 0;       // a record is kept, and its report says that it is not
  int repeat = 0;            // a message comes twice
  int reorder = 0;           // two messages change places
  int omit = 0;              // a message between nodes is lost
  int corrupt = 0;           // a bit of a message between nodes changes
  int resend = 0;            // a client sends again what was answered

  [[nodiscard]] static Faults Draw(Random& random) {
    const auto some = [&](int most) { return random.Chance(400) ? 0 : 1 + random.Below(most); };
    return {.call_fails = some(60),
            .answer_lost = some(60),
            .crash = some(12),
            .open_transaction = some(300),
            .broker_away = some(3),
            .link_cut = some(3),
            .late_delivery = some(500),
            .report_lost = some(50),
            .repeat = some(150),
            .reorder = some(150),
            .omit = some(80),
            .corrupt = some(80),
            .resend = some(150)};
  }
};

}  // namespace sankofa::simulation
