#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "sankofa/exchange/v1/exchange_internal.pb.h"
#include "sankofa/exchange/v1/exchange_service.pb.h"
#include "services/exchange/directory.h"
#include "services/exchange/ingest/coverage.h"
#include "services/exchange/ingest/verify.h"
#include "services/platform/crypto/box.h"
#include "services/platform/engine/engine.h"
#include "services/platform/kafka/reaction_runner.h"
#include "services/platform/telemetry/log.h"
#include "services/platform/time/time.h"

// One partner's feed on its way in: what stands between the messages of its topic and the aggregates of this node.
//
//     Parse    genuine?            no: Refuse keeps the evidence, and names the place where the genuine one belongs
//     Apply    covered, and next?  applied under lock, or refused, or waits for those before it
//     Fetch    what is missing     the partner's Replay, through the same tests
//
// The runner (kafka/reaction_runner.h) reads the topic, holds what waits, and keeps the offsets.
namespace sankofa::exchange {

class PartnerFeed final : public kafka::ReactionSink, public kafka::ReplaySource {
 public:
  struct Options {
    std::string partner;  // its code, which is its node id
    std::string node;     // our own
    // On scenario time the messages say what time it is; otherwise the clock does.
    bool scenario_time = false;
    // How long a message waits for the agreement that it names: its proposal, or the second signature, may be on its way
    // in another partition. Then it is refused.
    absl::Duration agreement_patience = absl::Minutes(10);
  };
  // Asks the partner's exchange. Waits; bounded in time by itself.
  // `scenario_time`: when the newest message that was read was issued, for nodes on scenario time.
  using AskReplay = std::function<absl::StatusOr<v1::ReplayResponse>(
      const v1::ReplayRequest&, std::optional<absl::Time> scenario_time)>;

  // All references outlive it. `sealing_key` is null where the node has none.
  PartnerFeed(Options options, const engine::Engine& engine, engine::Store& store,
              Directory& directory, const crypto::SealingKey* sealing_key, AskReplay ask,
              const time::Clock& clock = time::WallClock());

  // For kafka::ReactionOptions: an error's text is the name of a RefusedBecause.
  [[nodiscard]] absl::StatusOr<engine::IncomingEvent> Parse(const kafka::Message& message);

  // kafka::ReactionSink
  [[nodiscard]] absl::StatusOr<engine::ReactionResult> Apply(
      std::span<const engine::IncomingEvent> events) override;
  [[nodiscard]] absl::StatusOr<engine::Gaps> Refuse(
      std::span<const kafka::Unreadable> messages) override;
  // What waited too long is let go of: the partner has it, and the next message of its subject asks for it again.
  [[nodiscard]] absl::Status Bury(std::span<const engine::DeadLetter> letters, bool once) override;

  // kafka::ReplaySource
  [[nodiscard]] absl::StatusOr<std::vector<engine::IncomingEvent>> Fetch(
      const std::string& source, const engine::StreamKey& stream, std::int64_t from_sequence,
      int limit) override;

  // As the runner names a subject's chain.
  [[nodiscard]] static engine::InboxStream StreamOf(const std::string& partner,
                                                    const std::string& subject) {
    return {partner, {"Feed", subject}};
  }

  // When a message was last applied; InfinitePast where none was since the start. Thread-safe.
  [[nodiscard]] absl::Time last_applied() const;
  // OK, or why Replay can't be had. Thread-safe.
  [[nodiscard]] absl::Status ReplayHealth() const;

 private:
  struct Refusal {
    RefusedMessage message;
    std::string reason;  // the stable reason of a rule
  };
  // What the messages at hand come to.
  struct Round;

  [[nodiscard]] absl::StatusOr<std::unique_ptr<engine::StoreSession>> Open() const;
  [[nodiscard]] absl::StatusOr<std::shared_ptr<const Snapshot>> Fresh();
  [[nodiscard]] std::shared_ptr<const Snapshot> Known();
  [[nodiscard]] Verdict Check(const Snapshot& snapshot, std::string_view value,
                              ReadFrom from) const;
  [[nodiscard]] absl::Time NowFor(const v1::FeedEvent& event) const;
  [[nodiscard]] engine::IncomingEvent ToEvent(VerifiedMessage verified);

  [[nodiscard]] absl::StatusOr<std::map<std::string, v1::ReceivedFeed>> Feeds(
      engine::StoreSession& session, const std::set<std::string>& subjects) const;
  [[nodiscard]] absl::StatusOr<std::shared_ptr<const v1::AppliedMessage>> Applied(
      engine::StoreSession& session, const v1::ReceivedFeed& feed, std::int64_t sequence) const;
  [[nodiscard]] absl::StatusOr<Coverage> CoverageNow(engine::StoreSession& session,
                                                     const Snapshot& snapshot,
                                                     const v1::FeedEvent& event);

  [[nodiscard]] absl::Status Sort(Round& round);
  [[nodiscard]] absl::Status Execute(Round& round);
  [[nodiscard]] absl::Status Keep(engine::StoreSession& session,
                                  const std::vector<Refusal>& refusals);
  void Tell(const Round& round);

  const Options options_;
  const engine::Engine& engine_;
  engine::Store& store_;
  Directory& directory_;
  const crypto::SealingKey* const sealing_key_;
  const AskReplay ask_;
  const time::Clock& clock_;

  std::shared_ptr<const Snapshot> snapshot_;
  absl::Time snapshot_until_ = absl::InfinitePast();
  std::optional<absl::Time> issued_;  // when the newest genuine message was
  // Since when a message has been waiting for its agreement.
  std::map<std::pair<std::string, std::int64_t>, absl::Time> waiting_;

  std::map<v1::RefusedBecause, telemetry::RepeatedLog> refused_here_;
  std::map<v1::RefusedBecause, telemetry::RepeatedLog> refused_there_;
  telemetry::RepeatedLog let_go_{absl::Hours(1)};

  mutable std::mutex mutex_;
  absl::Time last_applied_ = absl::InfinitePast();  // guarded by mutex_
  absl::Status replay_health_;                      // guarded by mutex_
};

}  // namespace sankofa::exchange
