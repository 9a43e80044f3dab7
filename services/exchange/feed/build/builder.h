#pragma once

#include <map>
#include <span>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "services/exchange/directory.h"
#include "services/exchange/feed/build/round.h"
#include "services/exchange/feed/build/sources.h"
#include "services/platform/engine/call_source.h"
#include "services/platform/time/time.h"

// From the events of the node's own services to messages on partners' feeds: for each event, who may get it is looked
// up, consent is asked of registration at that moment, and what passes the policy becomes an AppendToFeedRequest. The
// deciders look again under lock.
//
//   case_facts.h     what happened in a case, to who is entitled to it, and what is addressed to one partner
//   statistics.h     figures without a case
//   withdrawal.h     consent that is withdrawn, a person who is erased, a partner's request to erase
//   backlog.h        what waits for a suspended partner, and how a partner gets all that it lacks
//   own_messages.h   what the nodes say to each other of agreements, refusals and erasures
//   round.h          what all of them look up and suppose while a batch of events is built
namespace sankofa::exchange {

class FeedBuilder final : public engine::CallSource {
 public:
  using Options = BuildOptions;

  // All references outlive it.
  FeedBuilder(Options options, Directory& directory, engine::Store& store, FeedSources& sources,
              const time::Clock& clock = time::WallClock());

  [[nodiscard]] bool gathers() const override { return true; }
  [[nodiscard]] std::vector<engine::Calls> CallsOf(
      std::span<const engine::IncomingEvent> events) override;

 private:
  const Options options_;
  Directory& directory_;
  engine::Store& store_;
  FeedSources& sources_;
  const time::Clock& clock_;
  // Feeds that were brought up to date since their partner was last suspended.
  std::map<std::string, absl::Time> caught_up_;
};

}  // namespace sankofa::exchange
