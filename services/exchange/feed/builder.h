#pragma once

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "sankofa/exchange/v1/erasure.pb.h"
#include "sankofa/exchange/v1/feed.pb.h"
#include "sankofa/exchange/v1/shared_case.pb.h"
#include "services/exchange/directory.h"
#include "services/exchange/feed/policy.h"
#include "services/platform/engine/call_source.h"
#include "services/platform/engine/store.h"
#include "services/platform/time/time.h"

// From the events of the node's own services to messages on partners' feeds: for each event, who may get it is looked
// up, consent is asked of registration at that moment, and what passes the policy becomes an AppendToFeedRequest. The
// deciders look again under lock.
//
// A case's feed begins when the case is submitted and the partner is entitled to it: then all that happened before is
// read again from the services' journals and goes out first, in order. The same is done where a partner was suspended
// meanwhile, and where an agreement comes into force later. What was sent is known from the feed's marks.
//
// A box goes with the first message, and with the next one after what may be disclosed has changed; where nothing else is
// to be said, with a DisclosureChanged.
namespace sankofa::exchange {

// What the builder asks of others. All wait, bounded in time. UNAVAILABLE where there is no answer.
class FeedSources {
 public:
  virtual ~FeedSources() = default;
  // What a partner may see for a purpose at `at`; nothing where no consent holds.
  [[nodiscard]] virtual absl::StatusOr<std::optional<registration::v1::Disclosure>> Disclose(
      const std::string& case_id, const std::string& partner, Purpose purpose, absl::Time at) = 0;
  // All events of a case in one service, in order.
  [[nodiscard]] virtual absl::StatusOr<std::vector<engine::IncomingEvent>> Replay(
      const std::string& service, const std::string& case_id) = 0;
  // The cases of a person that were submitted; of everybody where it is empty.
  [[nodiscard]] virtual absl::StatusOr<std::vector<std::string>> SubmittedCases(
      const std::string& person_id) = 0;
  // What a partner was asked to erase and has not answered.
  [[nodiscard]] virtual absl::StatusOr<std::vector<v1::Erasure>> Unanswered(
      const std::string& partner) = 0;
  // A keyed hash.
  [[nodiscard]] virtual std::string Blind(std::string_view label, std::string_view text) = 0;
};

class FeedBuilder final : public engine::CallSource {
 public:
  struct Options {
    std::string node;
    // The services whose events of a case are shared, in the order in which they are read again.
    std::vector<std::string> services = {"registration", "validation", "funding", "monitoring"};
    // On scenario time the events say what time it is; otherwise the clock does.
    bool scenario_time = false;
  };

  // All references outlive it.
  FeedBuilder(Options options, Directory& directory, engine::Store& store, FeedSources& sources,
              const time::Clock& clock = time::WallClock());

  [[nodiscard]] bool gathers() const override { return true; }
  [[nodiscard]] std::vector<engine::Calls> CallsOf(
      std::span<const engine::IncomingEvent> events) override;

 private:
  struct Round;  // builder.cc: what is known and supposed while a batch of events is built

  const Options options_;
  Directory& directory_;
  engine::Store& store_;
  FeedSources& sources_;
  const time::Clock& clock_;
  // Feeds that were brought up to date since their partner was last suspended.
  std::map<std::string, absl::Time> caught_up_;
};

}  // namespace sankofa::exchange
