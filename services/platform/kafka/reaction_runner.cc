#include "services/platform/kafka/reaction_runner.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "services/platform/kafka/event.h"
#include "services/platform/status/check.h"
#include "services/platform/telemetry/log.h"

namespace sankofa::kafka {
namespace {

constexpr std::string_view kOwnServices = "own services";   // the default of `from`
constexpr absl::Duration kSlice = absl::Milliseconds(250);  // how long Stop may take to be seen
constexpr int kGapsARound = 32;  // so that the topics are not left alone for long

constexpr std::string_view kMalformed = "MALFORMED_EVENT";
constexpr std::string_view kGap = "GAP_NOT_FILLED";

std::int64_t BytesOf(const engine::IncomingEvent& event) {
  constexpr std::size_t kRest = 256;
  return static_cast<std::int64_t>(event.payload.size() + kRest);
}

engine::InboxStream StreamOf(const engine::IncomingEvent& event) {
  return {event.meta.source, event.meta.stream};
}

// What is not an event has no stream: its place in the topic stands for one.
engine::DeadLetter LetterOf(const Message& message, const absl::Status& why) {
  constexpr std::string_view kPrefix = "sankofa.";
  std::string source = message.topic;
  if (source.starts_with(kPrefix)) source.erase(0, kPrefix.size());
  return {.from = {source, {"Kafka", absl::StrCat(message.topic, "/", message.partition)}},
          .sequence = message.offset + 1,
          .partition_key = "",
          .event_type = "",
          .payload = message.value,
          .event_time = message.timestamp,
          .traceparent = "",
          .reason = std::string(kMalformed),
          .detail = std::string(why.message())};
}

engine::DeadLetter LetterOf(const engine::IncomingEvent& event, std::string detail) {
  return {.from = StreamOf(event),
          .sequence = event.meta.sequence,
          .partition_key = event.meta.partition_key,
          .event_type = event.event_type,
          .payload = event.payload,
          .event_time = event.meta.time,
          .traceparent = event.meta.traceparent,
          .reason = std::string(kGap),
          .detail = std::move(detail)};
}

// What the source says it does not have, as opposed to a source that can't be asked.
bool IsGone(const absl::Status& status) {
  return absl::IsNotFound(status) || absl::IsOutOfRange(status) ||
         absl::IsFailedPrecondition(status);
}

absl::StatusOr<engine::IncomingEvent> ParseOwn(const Message& message, const std::string& node) {
  auto event = ParseEvent(message);
  if (!event.ok()) return event.status();
  if (event->node != node) return absl::InvalidArgumentError("the event is of another node");
  return std::move(event->incoming);
}

}  // namespace

absl::StatusOr<engine::Gaps> ReactionSink::Refuse(std::span<const Unreadable> messages) {
  std::vector<engine::DeadLetter> letters;
  for (const Unreadable& unreadable : messages) {
    letters.push_back(LetterOf(unreadable.message, unreadable.why));
  }
  if (auto buried = Bury(letters, /*once=*/true); !buried.ok()) return buried;
  return engine::Gaps();
}

ReactionRunner::ReactionRunner(ReactionOptions options, ReactionSink& sink, ReplaySource& replay,
                               ConsumerFactory consumers, const time::Clock& clock)
    : options_(std::move(options)),
      sink_(sink),
      replay_(replay),
      open_consumer_(std::move(consumers)),
      clock_(clock),
      backoff_(options_.retry) {
  status::Check(!options_.node.empty() && !options_.service.empty(), "reactions have a home");
  status::Check(options_.topics.empty() == !options_.parse, "another feed is read in its own way");
}

ReactionRunner::~ReactionRunner() {
  Stop();
  consumer_.reset();  // while what its callbacks use is still there
}

void ReactionRunner::Start() {
  status::Check(!thread_.joinable() && !stopping_, "a reaction runner starts once");
  thread_ = std::thread([this] { Run(); });
}

void ReactionRunner::Stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  stopped_.notify_all();
  if (thread_.joinable()) thread_.join();
}

void ReactionRunner::Run() {
  const telemetry::ServiceScope scope(options_.service);
  while (!stopping_) Step(kSlice);
  if (!consumer_) return;
  if (consumer_->Health().ok()) CommitOffsets(/*at_once=*/true);
  consumer_->Close();
}

bool ReactionRunner::Step(absl::Duration wait) {
  const absl::Time now = clock_.Now();
  bool worked = false;
  if (backoff_.Waiting(now)) {
    StayInGroup(std::min(wait, backoff_.until() - now));
  } else if (Ready()) {
    // What failed before comes first; then what is new.
    worked = Process();
    TakeAsked();
    if (!backoff_.Waiting(clock_.Now())) worked |= FillGaps();
    if (!backoff_.Waiting(clock_.Now())) {
      worked |= Receive(worked ? absl::ZeroDuration() : wait);
      worked |= Process();
    }
    worked |= EnforceLimits();
    CommitOffsets(/*at_once=*/false);
  } else {
    WaitForStop(wait);
  }
  Measure();
  UpdateHealth();
  return worked;
}

// ---- From the topics ------------------------------------------------------------------------------------------------

bool ReactionRunner::Ready() {
  if (options_.sources.empty() && options_.topics.empty()) return false;  // nothing to listen to
  if (!topics_ready_ && options_.ensure_topics) {
    if (auto status = options_.ensure_topics(); !status.ok()) {
      Failed(status);
      return false;
    }
  }
  topics_ready_ = true;
  if (consumer_ && absl::IsAborted(consumer_->Health())) {
    telemetry::Warn("reactions open a new Kafka consumer",
                    {{"from", options_.from}, {"status", consumer_->Health()}});
    consumer_.reset();
  }
  if (consumer_) return true;
  if (auto status = OpenConsumer(); !status.ok()) {
    Failed(status);
    return false;
  }
  return true;
}

absl::Status ReactionRunner::OpenConsumer() {
  ConsumerOptions options;
  options.group = options_.group.empty() ? TopicOf(options_.service) : options_.group;
  options.topics = options_.topics;
  for (const std::string& source : options_.sources) options.topics.push_back(TopicOf(source));
  options.on_revoked = [this](const std::vector<TopicPartition>& partitions, bool lost) {
    OnRevoked(partitions, lost);
  };
  auto consumer = open_consumer_(std::move(options));
  if (!consumer.ok()) return consumer.status();
  consumer_ = *std::move(consumer);
  received_.clear();
  committed_.clear();
  paused_ = false;
  return absl::OkStatus();
}

bool ReactionRunner::Receive(absl::Duration wait) {
  const absl::Time now = clock_.Now();
  for (const auto& [stream, held] : held_) {
    const auto source = sources_.find(stream.source);
    absl::Time until = held.retry.until();
    if (source != sources_.end()) until = std::max(until, source->second.until());
    if (source == sources_.end() && until == absl::InfinitePast()) continue;
    wait = std::clamp(until - now, absl::ZeroDuration(), wait);
  }
  auto messages = consumer_->PollBatch(options_.batch_events, wait);
  if (!messages.ok()) {
    Failed(messages.status());
    return false;
  }
  Succeeded();
  if (messages->empty()) return false;
  Accept(*messages);
  return true;
}

// During back-off. The group has to hear from us; but no new messages as long as those at hand can't be applied.
void ReactionRunner::StayInGroup(absl::Duration wait) {
  const bool full = !pending_.empty() || !malformed_.empty();
  if (consumer_ && full) paused_ = consumer_->Pause(consumer_->assignment()).ok();
  if (!consumer_ || (full && !paused_)) {
    WaitForStop(wait);
    return;
  }
  auto messages = consumer_->PollBatch(options_.batch_events, wait);
  // Some may have been on their way when it was paused.
  if (messages.ok()) Accept(*messages);
}

void ReactionRunner::WaitForStop(absl::Duration wait) {
  std::unique_lock lock(mutex_);
  stopped_.wait_for(lock, absl::ToChronoNanoseconds(wait), [&] { return stopping_.load(); });
}

void ReactionRunner::Accept(const std::vector<Message>& messages) {
  for (const Message& message : messages) {
    received_[message.from()] = message.offset + 1;
    auto event = options_.parse ? options_.parse(message) : ParseOwn(message, options_.node);
    if (!event.ok()) {
      if (!options_.parse) {
        telemetry::Warn("message is no event", {{"topic", message.topic},
                                                {"partition", message.partition},
                                                {"offset", message.offset},
                                                {"status", event.status()}});
      }
      malformed_.push_back({message, event.status()});
      continue;
    }
    AcceptEvent({message.from(), message.offset, *std::move(event)});
  }
}

void ReactionRunner::AcceptEvent(Pending pending) {
  const auto held = held_.find(StreamOf(pending.event));
  if (held == held_.end()) {
    pending_.push_back(std::move(pending));
  } else if (pending.event.meta.sequence > held->second.missing) {
    HoldEvent(held->second, std::move(pending));
  } else {
    const bool missing = pending.event.meta.sequence == held->second.missing;
    pending_.push_back(std::move(pending));
    if (missing) ReleaseToPending(held);
  }
}

// ---- To the engine --------------------------------------------------------------------------------------------------

bool ReactionRunner::Process() {
  const bool buried = BuryMalformed();
  const bool applied = ApplyPending();
  return buried || applied;
}

bool ReactionRunner::BuryMalformed() {
  if (malformed_.empty()) return false;
  const auto gaps = sink_.Refuse(malformed_);
  if (!gaps.ok()) {
    Failed(gaps.status());
    return false;
  }
  Count({.dead_letters = static_cast<int>(malformed_.size())});
  for (const auto& [stream, missing] : *gaps) {
    // Which of them stood there is not known; all are read again unless the gap is dealt with.
    Held& held = Wait(stream, missing);
    for (const Unreadable& unreadable : malformed_) {
      held.refused.emplace_back(unreadable.message.from(), unreadable.message.offset);
    }
  }
  malformed_.clear();
  return true;
}

bool ReactionRunner::ApplyPending() {
  if (pending_.empty()) return false;
  SortStreams();
  std::vector<engine::IncomingEvent> events;
  events.reserve(pending_.size());
  for (const Pending& pending : pending_) events.push_back(pending.event);
  const auto result = sink_.Apply(events);
  if (!result.ok()) {
    // The engine sets aside what can't be applied by itself, so this is about the database, whatever the code.
    Failed(result.status());
    return false;
  }
  Count(*result);
  Hold(*result);
  pending_.clear();
  Succeeded();
  return true;
}

// Each stream's events in the order of their sequence. They nearly always are; but a case that was parked at its source
// is published a second time, and what was asked of a source comes before what was held.
void ReactionRunner::SortStreams() {
  std::map<engine::InboxStream, std::vector<std::size_t>> places;
  bool sorted = true;
  for (std::size_t i = 0; i < pending_.size(); ++i) {
    std::vector<std::size_t>& stream = places[StreamOf(pending_[i].event)];
    sorted &= stream.empty() ||
              pending_[stream.back()].event.meta.sequence <= pending_[i].event.meta.sequence;
    stream.push_back(i);
  }
  if (sorted) return;
  for (const auto& [_, stream] : places) {
    std::vector<Pending> events;
    for (const std::size_t place : stream) events.push_back(std::move(pending_[place]));
    std::stable_sort(events.begin(), events.end(), [](const Pending& a, const Pending& b) {
      return a.event.meta.sequence < b.event.meta.sequence;
    });
    for (std::size_t i = 0; i < stream.size(); ++i) pending_[stream[i]] = std::move(events[i]);
  }
}

void ReactionRunner::Hold(const engine::ReactionResult& result) {
  std::map<engine::InboxStream, std::int64_t> gaps;
  for (const auto& [stream, missing] : result.gaps) {
    const auto [gap, fresh] = gaps.emplace(stream, missing);
    if (!fresh) gap->second = std::min(gap->second, missing);
  }
  if (gaps.empty()) return;
  for (const auto& [stream, missing] : gaps) Wait(stream, missing);
  for (Pending& pending : pending_) {
    const engine::InboxStream stream = StreamOf(pending.event);
    const auto gap = gaps.find(stream);
    if (gap == gaps.end() || pending.event.meta.sequence < gap->second) continue;
    Held& held = held_.at(stream);
    if (pending.event.meta.sequence > gap->second) {
      HoldEvent(held, std::move(pending));
    } else if (pending.from) {
      held.refused.emplace_back(*pending.from, pending.offset);
    }
  }
}

ReactionRunner::Held& ReactionRunner::Wait(const engine::InboxStream& stream,
                                           std::int64_t missing) {
  const auto [held, fresh] = held_.try_emplace(stream);
  if (fresh) {
    held->second.missing = missing;
    held->second.since = clock_.Now();
    held->second.retry = Backoff(options_.replay_retry);
  }
  return held->second;
}

void ReactionRunner::HoldEvent(Held& held, Pending pending) {
  const std::int64_t bytes = BytesOf(pending.event);
  held.bytes += bytes;
  held_bytes_ += bytes;
  ++held_events_;
  held.events.push_back(std::move(pending));
}

ReactionRunner::HeldStreams::iterator ReactionRunner::Drop(HeldStreams::iterator stream) {
  held_bytes_ -= stream->second.bytes;
  held_events_ -= static_cast<std::int64_t>(stream->second.events.size());
  return held_.erase(stream);
}

void ReactionRunner::ReleaseToPending(HeldStreams::iterator stream) {
  // Drop counts them, so they move after it.
  std::vector<Pending> events = stream->second.events;
  Drop(stream);
  std::move(events.begin(), events.end(), std::back_inserter(pending_));
}

void ReactionRunner::Ask(const engine::InboxStream& stream, std::int64_t missing) {
  const std::lock_guard lock(mutex_);
  asked_.emplace_back(stream, missing);
}

void ReactionRunner::TakeAsked() {
  engine::Gaps asked;
  {
    const std::lock_guard lock(mutex_);
    asked.swap(asked_);
  }
  for (const auto& [stream, missing] : asked) Wait(stream, missing);
}

// ---- Gaps -----------------------------------------------------------------------------------------------------------

bool ReactionRunner::FillGaps() {
  std::vector<std::pair<engine::InboxStream, std::int64_t>> due;
  const absl::Time now = clock_.Now();
  for (const auto& [stream, held] : held_) {
    const auto source = sources_.find(stream.source);
    if (source != sources_.end() && source->second.Waiting(now)) continue;
    if (held.retry.Waiting(now)) continue;
    due.emplace_back(stream, held.missing);
    if (due.size() == kGapsARound) break;
  }
  bool worked = false;
  for (const auto& [stream, missing] : due) {
    const auto source = sources_.find(stream.source);
    if (source != sources_.end() && source->second.Waiting(clock_.Now())) continue;
    worked |= FillGap(stream, missing);
    if (backoff_.Waiting(clock_.Now()) || stopping_) break;
  }
  return worked;
}

bool ReactionRunner::FillGap(const engine::InboxStream& stream, std::int64_t missing) {
  Backoff& source = sources_.try_emplace(stream.source, options_.replay_retry).first->second;
  auto fetched = replay_.Fetch(stream.source, stream.stream, missing, options_.replay_events);
  const auto held = held_.find(stream);
  status::Check(held != held_.end(), "a stream waits until its gap is dealt with");
  if (!fetched.ok() && !IsGone(fetched.status())) {
    (absl::IsAborted(fetched.status()) ? held->second.retry : source).Failed(clock_.Now());
    telemetry::Debug("replay is not to be had",
                     {{"source", stream.source}, {"status", fetched.status()}});
    return false;
  }
  source.Succeeded();
  if (!fetched.ok()) return GiveUp(held, std::string(fetched.status().message()));
  if (fetched->empty() || StreamOf(fetched->front()) != stream ||
      fetched->front().meta.sequence != missing) {
    return GiveUp(held, "the source does not have it");
  }
  const std::vector<Place> refused = held->second.refused;
  for (engine::IncomingEvent& event : *fetched) pending_.push_back({.event = std::move(event)});
  ReleaseToPending(held);
  if (!ApplyPending()) {
    if (!refused.empty()) Wait(stream, missing).refused = refused;
    return false;
  }
  const auto again = held_.find(stream);
  if (again != held_.end() && again->second.missing <= missing) {
    return GiveUp(again, "what the source gives does not fill the gap");
  }
  return true;
}

bool ReactionRunner::GiveUp(HeldStreams::iterator stream, std::string_view why) {
  if (stream->second.events.empty()) {  // a refused message claimed what was never there
    Drop(stream);
    return true;
  }
  const std::string detail =
      absl::StrCat("sequence ", stream->second.missing,
                   " is missing: ", absl::string_view(why.data(), why.size()));
  std::vector<engine::DeadLetter> letters;
  for (const Pending& pending : stream->second.events) {
    letters.push_back(LetterOf(pending.event, detail));
  }
  if (auto status = sink_.Bury(letters, /*once=*/false); !status.ok()) {
    Failed(status);
    return false;
  }
  telemetry::Warn(
      "events wait for one that is missing and are set aside",
      {{"source", stream->first.source},
       {"stream", absl::StrCat(stream->first.stream.type, "/", stream->first.stream.id)},
       {"missing", stream->second.missing},
       {"events", letters.size()}});
  Count({.dead_letters = static_cast<int>(letters.size())});
  Drop(stream);
  return true;
}

ReactionRunner::HeldStreams::iterator ReactionRunner::OverLimit() {
  const absl::Time now = clock_.Now();
  const auto alone = std::find_if(held_.begin(), held_.end(), [&](const auto& stream) {
    const Held& held = stream.second;
    return static_cast<int>(held.events.size()) > options_.held_stream_events ||
           now - held.since > options_.held_age;
  });
  if (alone != held_.end()) return alone;
  if (held_events_ <= options_.held_events && held_bytes_ <= options_.held_bytes) return alone;
  return std::min_element(held_.begin(), held_.end(), [](const auto& a, const auto& b) {
    return a.second.since < b.second.since;
  });
}

bool ReactionRunner::EnforceLimits() {
  bool worked = false;
  for (auto stream = OverLimit(); stream != held_.end(); stream = OverLimit()) {
    const absl::Time now = clock_.Now();
    if (backoff_.Waiting(now) || stopping_) return worked;
    // Many may have come at once: its source is asked before they are given up.
    const auto source = sources_.find(stream->first.source);
    const bool away = (source != sources_.end() && source->second.Waiting(now)) ||
                      stream->second.retry.Waiting(now);
    const engine::InboxStream name = stream->first;
    worked |= away ? GiveUp(stream, "more events wait, or for longer, than is held in memory")
                   : FillGap(name, stream->second.missing);
  }
  return worked;
}

// ---- Offsets --------------------------------------------------------------------------------------------------------

// By partition, the offset below which everything is applied or kept.
Offsets ReactionRunner::Done() const {
  Offsets done = received_;
  const auto lower = [&](const std::optional<TopicPartition>& from, std::int64_t offset) {
    if (!from) return;
    const auto at = done.find(*from);
    if (at != done.end()) at->second = std::min(at->second, offset);
  };
  for (const Pending& pending : pending_) lower(pending.from, pending.offset);
  for (const auto& [_, held] : held_) {
    for (const Pending& pending : held.events) lower(pending.from, pending.offset);
    for (const auto& [from, offset] : held.refused) lower(from, offset);
  }
  return done;
}

bool ReactionRunner::CommitOffsets(bool at_once) {
  const absl::Time now = clock_.Now();
  if (!malformed_.empty() || (!at_once && now < next_commit_)) return false;
  Offsets changed;
  for (const auto& [partition, offset] : Done()) {
    const auto before = committed_.find(partition);
    if (before == committed_.end() || before->second != offset) changed[partition] = offset;
  }
  if (changed.empty()) return false;
  next_commit_ = now + options_.commit_interval;
  if (auto status = consumer_->Commit(changed); !status.ok()) {
    // Nothing is lost: what is done is marked in the database. The next commit covers this one.
    telemetry::Debug("offsets are not committed", {{"status", status}});
    return false;
  }
  for (const auto& [partition, offset] : changed) committed_[partition] = offset;
  return true;
}

void ReactionRunner::OnRevoked(const std::vector<TopicPartition>& partitions, bool lost) {
  if (!lost && consumer_) CommitOffsets(/*at_once=*/true);
  // The next owner reads again what is not committed.
  const auto gone = [&](const Pending& pending) {
    return pending.from &&
           std::find(partitions.begin(), partitions.end(), *pending.from) != partitions.end();
  };
  std::erase_if(pending_, gone);
  for (auto stream = held_.begin(); stream != held_.end();) {
    const Held& held = stream->second;
    const bool leaves =
        std::any_of(held.events.begin(), held.events.end(), gone) ||
        std::any_of(held.refused.begin(), held.refused.end(), [&](const auto& at) {
          return std::find(partitions.begin(), partitions.end(), at.first) != partitions.end();
        });
    stream = leaves ? Drop(stream) : std::next(stream);
  }
  for (const TopicPartition& partition : partitions) {
    received_.erase(partition);
    committed_.erase(partition);
  }
}

// ---- Watching -------------------------------------------------------------------------------------------------------

void ReactionRunner::Failed(const absl::Status& why) {
  failure_ = why;
  backoff_.Failed(clock_.Now());
}

void ReactionRunner::Succeeded() {
  failure_ = absl::OkStatus();
  backoff_.Succeeded();
  if (!paused_) return;
  const auto status = consumer_->Resume(consumer_->assignment());
  paused_ = !status.ok();
}

void ReactionRunner::Count(const engine::ReactionResult& result) {
  applied_ += result.applied;
  dead_letters_ += result.dead_letters;
  const auto tell = [](const std::function<void(std::int64_t)>& metric, int count) {
    if (count > 0 && metric) metric(count);
  };
  tell(options_.metrics.applied, result.applied);
  tell(options_.metrics.repeated, result.repeated);
  tell(options_.metrics.dead_letters, result.dead_letters);
}

void ReactionRunner::Measure() {
  const absl::Time now = clock_.Now();
  if (!consumer_ || now < next_measure_) return;
  next_measure_ = now + options_.lag_interval;
  lag_ = consumer_->Lag() + static_cast<std::int64_t>(pending_.size());
  if (options_.metrics.lag) options_.metrics.lag(lag_);
  if (options_.metrics.waiting) options_.metrics.waiting(held_events_);
}

void ReactionRunner::UpdateHealth() {
  absl::Status health = failure_;
  // A certificate that is refused says more than what follows from it.
  if (consumer_ && (health.ok() || absl::IsUnavailable(health)) && !consumer_->Health().ok()) {
    health = consumer_->Health();
  }
  const std::lock_guard lock(mutex_);
  if (health.code() != health_.code()) {
    if (health.ok()) {
      telemetry::Info("reactions go on", {{"from", options_.from}});
    } else if (
        absl::IsUnavailable(health) || absl::IsAborted(health) ||
        // A partner that has not let this node in yet, or no longer does, is no mistake of ours.
        (absl::IsPermissionDenied(health) && options_.from != kOwnServices)) {
      telemetry::Warn("reactions wait", {{"from", options_.from}, {"status", health}});
    } else {
      telemetry::Error("reactions wait", {{"from", options_.from}, {"status", health}});
    }
  }
  health_ = std::move(health);
}

std::string ReactionRunner::group() const {
  return options_.group.empty() ? TopicOf(options_.service) : options_.group;
}

absl::Status ReactionRunner::Health() const {
  const std::lock_guard lock(mutex_);
  return health_;
}

}  // namespace sankofa::kafka
