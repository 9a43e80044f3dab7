#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "services/platform/engine/call_source.h"
#include "services/platform/engine/engine.h"
#include "services/platform/kafka/backoff.h"
#include "services/platform/kafka/client.h"
#include "services/platform/time/time.h"

// The reaction runner brings other services' events to a service: it reads their topics as the group
// "sankofa.<service>", has each batch applied in one unit of work together with the streams' marks, and commits the
// offsets afterwards. A crash in between means that events come again, and the marks drop them.
//
// Transient failures: the same events again, with back-off; meanwhile the partitions are paused and the group membership
// is kept. A message that is no event goes to the dead letters (MALFORMED_EVENT) and its offset is passed; its stream is
// there called "Kafka/<topic>/<partition>", its sequence is the offset plus one.
//
// Gaps. Where an event's predecessor is missing (it left the topic, or was never published), the stream waits: its
// events are held in memory, the missing ones are asked of their source, and other streams go on. Offsets are committed
// only up to the lowest event that is held, so a restart finds them again. The held events are limited in number, size
// and age; beyond a limit all of the stream's go to the dead letters (GAP_NOT_FILLED) and their offsets are passed. That
// loses nothing: the stream's mark stays where it was, so its next event finds the gap again, and what the source gives
// then includes them; and an operator can replay the dead letters when the source is back.
//
// The same runner reads a partner's feed: from the partner's cluster (the consumer factory), another group and topic,
// with messages that are read otherwise (`parse`) and a sink of its own. Such a sink may refuse a message without
// moving its stream's mark: it names the stream as one with a gap, so that the genuine message is asked of the source at
// once. The refused message's offset is committed only when that is done, so a restart in between asks again.
namespace sankofa::kafka {

// Where missing events come from: the source's journal, over its Replay.
class ReplaySource {
 public:
  virtual ~ReplaySource() = default;
  // Up to `limit` events of a stream from `from_sequence` on, in order. UNAVAILABLE where the source can't be reached.
  // ABORTED where this stream's can't be had yet while others' can. Bounded in time by itself: it holds up the other
  // streams meanwhile.
  [[nodiscard]] virtual absl::StatusOr<std::vector<engine::IncomingEvent>> Fetch(
      const std::string& source, const engine::StreamKey& stream, std::int64_t from_sequence,
      int limit) = 0;
};

// A message that is no event, and why.
struct Unreadable {
  Message message;
  absl::Status why;
};

// Where events go: the engine with its source of commands, see EngineSink.
class ReactionSink {
 public:
  virtual ~ReactionSink() = default;
  // As engine::Engine::React.
  [[nodiscard]] virtual absl::StatusOr<engine::ReactionResult> Apply(
      std::span<const engine::IncomingEvent> events) = 0;
  // Keeps dead letters. `once`: moves the marks of their streams along, and drops what the marks have passed.
  [[nodiscard]] virtual absl::Status Bury(std::span<const engine::DeadLetter> letters,
                                          bool once) = 0;
  // Keeps messages that are no events; given again until it says OK. What it gives is as ReactionResult::gaps: streams
  // whose next event is asked of its source, because a refused message stands where it should be. Default: a dead
  // letter each (MALFORMED_EVENT), and no gaps.
  [[nodiscard]] virtual absl::StatusOr<engine::Gaps> Refuse(std::span<const Unreadable> messages);
};

// Opens a session for each unit of work.
class EngineSink final : public ReactionSink {
 public:
  EngineSink(const engine::Engine& engine, engine::Store& store, engine::CallSource& calls)
      : engine_(engine), store_(store), calls_(calls) {}
  [[nodiscard]] absl::StatusOr<engine::ReactionResult> Apply(
      std::span<const engine::IncomingEvent> events) override;
  [[nodiscard]] absl::Status Bury(std::span<const engine::DeadLetter> letters, bool once) override;

 private:
  const engine::Engine& engine_;
  engine::Store& store_;
  engine::CallSource& calls_;
};

// Called on the runner's thread; any may be empty.
struct ReactionMetrics {
  std::function<void(std::int64_t events)> applied;       // added since the last call
  std::function<void(std::int64_t events)> repeated;      // likewise
  std::function<void(std::int64_t events)> dead_letters;  // likewise
  std::function<void(std::int64_t messages)> lag;
  std::function<void(std::int64_t events)> waiting;  // held because of gaps
};

struct ReactionOptions {
  std::string node;  // events of another node don't belong in these topics
  std::string service;
  std::vector<std::string> sources;  // services; their topics are read
  // For another feed than the node's own: its topics, its group, and how its messages are read; what can't be read goes
  // to ReactionSink::Refuse. `sources` is then left empty.
  std::vector<std::string> topics;
  std::string group;
  std::function<absl::StatusOr<engine::IncomingEvent>(const Message&)> parse;
  std::string from = "own services";  // in log lines: "partner fr"
  // Makes sure that the topics are there; tried with back-off before the group is joined. May be empty.
  std::function<absl::Status()> ensure_topics;
  ReactionMetrics metrics;

  int batch_events = 500;
  absl::Duration commit_interval = absl::Milliseconds(200);
  absl::Duration lag_interval = absl::Seconds(2);
  int replay_events = 500;         // asked for at once
  int held_events = 10'000;        // of all streams
  int held_bytes = 64 << 20;       // likewise
  int held_stream_events = 1'000;  // of one
  absl::Duration held_age = absl::Hours(24);
  BackoffOptions retry;         // the sink or Kafka is away
  BackoffOptions replay_retry;  // a source is away
};

using ConsumerFactory =
    std::function<absl::StatusOr<std::unique_ptr<Consumer>>(ConsumerOptions options)>;

class ReactionRunner {
 public:
  ReactionRunner(ReactionOptions options, ReactionSink& sink, ReplaySource& replay,
                 ConsumerFactory consumers, const time::Clock& clock = time::WallClock());
  ~ReactionRunner();
  ReactionRunner(const ReactionRunner&) = delete;
  ReactionRunner& operator=(const ReactionRunner&) = delete;

  // Runs on a thread of its own until Stop, which finishes the unit of work at hand and commits offsets.
  void Start();
  void Stop();

  // An event of this stream is known to be missing: it is asked of its source. Thread-safe.
  void Ask(const engine::InboxStream& stream, std::int64_t missing);

  // One round, for tests and simulation: true where something was done. Waits for messages for at most `wait`.
  bool Step(absl::Duration wait);

  // OK while events go through, else what is in the way. Thread-safe.
  [[nodiscard]] absl::Status Health() const;
  // Messages in Kafka that were not read or not applied, as counted last; -1 before they were. Thread-safe.
  [[nodiscard]] std::int64_t lag() const { return lag_; }
  // Its group in Kafka, and the services whose topics it reads.
  [[nodiscard]] std::string group() const;
  [[nodiscard]] const std::vector<std::string>& sources() const { return options_.sources; }
  // Numbers since the start. Thread-safe.
  [[nodiscard]] std::int64_t applied() const { return applied_; }
  [[nodiscard]] std::int64_t dead_letters() const { return dead_letters_; }

 private:
  // An event and where it came from. Events that a source replayed have no place in a topic.
  struct Pending {
    std::optional<TopicPartition> from;
    std::int64_t offset = 0;
    engine::IncomingEvent event;
  };
  // Where a message was read.
  using Place = std::pair<TopicPartition, std::int64_t>;
  // A stream that waits for a missing event.
  struct Held {
    std::int64_t missing = 0;  // the first sequence that is not there
    std::vector<Pending> events;
    std::vector<Place> refused;  // messages that stood in its place
    std::int64_t bytes = 0;
    absl::Time since;
    Backoff retry{{}};  // where its source can't give it yet
  };
  using HeldStreams = std::map<engine::InboxStream, Held>;

  // The stages of a round; true where something was done.
  bool Ready();
  bool Receive(absl::Duration wait);
  bool Process();
  void TakeAsked();
  bool FillGaps();
  bool EnforceLimits();
  bool CommitOffsets(bool at_once);

  [[nodiscard]] absl::Status OpenConsumer();
  void StayInGroup(absl::Duration wait);
  void WaitForStop(absl::Duration wait);
  void Accept(const std::vector<Message>& messages);
  void AcceptEvent(Pending pending);
  bool BuryMalformed();
  bool ApplyPending();
  void SortStreams();
  void Hold(const engine::ReactionResult& result);
  Held& Wait(const engine::InboxStream& stream, std::int64_t missing);
  void HoldEvent(Held& held, Pending pending);
  void ReleaseToPending(HeldStreams::iterator stream);
  HeldStreams::iterator Drop(HeldStreams::iterator stream);
  // True where the stream got on.
  bool FillGap(const engine::InboxStream& stream, std::int64_t missing);
  bool GiveUp(HeldStreams::iterator stream, std::string_view why);
  HeldStreams::iterator OverLimit();  // the end where there is none
  [[nodiscard]] Offsets Done() const;
  void OnRevoked(const std::vector<TopicPartition>& partitions, bool lost);
  void Failed(const absl::Status& why);
  void Succeeded();
  void Count(const engine::ReactionResult& result);
  void Measure();
  void UpdateHealth();
  void Run();

  const ReactionOptions options_;
  ReactionSink& sink_;
  ReplaySource& replay_;
  const ConsumerFactory open_consumer_;
  const time::Clock& clock_;

  std::unique_ptr<Consumer> consumer_;
  bool topics_ready_ = false;
  bool paused_ = false;
  std::vector<Pending> pending_;       // received, not applied
  std::vector<Unreadable> malformed_;  // received, not kept
  HeldStreams held_;
  std::int64_t held_events_ = 0;
  std::int64_t held_bytes_ = 0;
  std::map<std::string, Backoff> sources_;  // of replay
  Offsets received_;                        // by partition, behind the last message received
  Offsets committed_;

  absl::Status failure_;  // of the last try of something; OK after a success
  Backoff backoff_;
  absl::Time next_commit_ = absl::InfinitePast();
  absl::Time next_measure_ = absl::InfinitePast();

  std::atomic<bool> stopping_ = false;
  std::atomic<std::int64_t> lag_ = -1;
  std::atomic<std::int64_t> applied_ = 0;
  std::atomic<std::int64_t> dead_letters_ = 0;
  mutable std::mutex mutex_;
  std::condition_variable stopped_;
  absl::Status health_;  // guarded by mutex_
  engine::Gaps asked_;   // guarded by mutex_
  std::thread thread_;
};

}  // namespace sankofa::kafka
