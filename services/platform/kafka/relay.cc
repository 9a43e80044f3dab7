#include "services/platform/kafka/relay.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "services/platform/kafka/event.h"
#include "services/platform/status/check.h"
#include "services/platform/telemetry/log.h"

namespace sankofa::kafka {
namespace {

constexpr std::uint64_t kAlone = 0;
constexpr absl::Duration kSlice = absl::Milliseconds(250);  // how long Stop may take to be seen
constexpr absl::Duration kReportSlice = absl::Milliseconds(20);  // between looks at the journal
constexpr int kCaseRows = 100;
constexpr int kAlonePolls = 200;
constexpr absl::Duration kAlonePoll = absl::Milliseconds(50);

int BytesOf(const engine::JournalRow& row) {
  constexpr std::size_t kHeaders = 512;
  return static_cast<int>(row.payload.size() + row.partition_key.size() + row.stream.id.size() +
                          kHeaders);
}

}  // namespace

Relay::Relay(RelayOptions options, RelaySource& source, ProducerFactory producers,
             const time::Clock& clock)
    : options_(std::move(options)),
      source_(source),
      open_producer_(std::move(producers)),
      clock_(clock),
      backoff_(options_.retry) {
  status::Check(!options_.node.empty() && !options_.service.empty(), "a relay has a home");
}

Relay::~Relay() { Stop(); }

void Relay::Start() {
  status::Check(!thread_.joinable() && !stopping_, "a relay starts once");
  thread_ = std::thread([this] { Run(); });
}

void Relay::Stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  stopped_.notify_all();
  if (thread_.joinable()) thread_.join();
}

void Relay::Run() {
  const telemetry::ServiceScope scope(options_.service);
  while (!stopping_) Step(kSlice);
  Finish();
}

void Relay::Finish() {
  const absl::Time deadline = absl::Now() + options_.stop_timeout;
  while (producer_ && outstanding_ > 0 && producer_->Health().ok() && absl::Now() < deadline) {
    producer_->Poll(kReportSlice);
  }
  if (!owned_) return;
  Settle();
  Save(/*at_once=*/true);
  if (owned_) source_.Release();
}

bool Relay::Step(absl::Duration wait) {
  if (producer_) producer_->Poll(absl::ZeroDuration());
  bool worked = Ready();
  if (owned_ && producer_ && !backoff_.Waiting(clock_.Now())) {
    worked |= Settle();
    worked |= Feed();
    worked |= TryParked();
    worked |= Settle();
    worked |= Save(/*at_once=*/false);
    Measure();
    const bool settled = owned_ && outstanding_ == 0 && rewind_.ok();
    if (settled && !backoff_.Waiting(clock_.Now())) failure_ = absl::OkStatus();
  }
  UpdateHealth();
  if (!worked) WaitForWork(wait);
  return worked;
}

// ---- Getting ready --------------------------------------------------------------------------------------------------

bool Relay::Ready() {
  if (backoff_.Waiting(clock_.Now())) return false;
  if (producer_ && absl::IsAborted(producer_->Health())) {
    const absl::Status why = producer_->Health();
    telemetry::Warn("relay opens a new Kafka producer", {{"status", why}});
    LoseShard(why);
    return true;
  }
  const bool was_owned = owned_;
  if (auto status = owned_ ? VerifyShard() : OwnShard(); !status.ok()) {
    LoseShard(status);
    return false;
  }
  if (!owned_) return false;
  const bool look = window_.empty() && clock_.Now() >= next_topic_look_;
  if ((look || !topics_ready_) && !TopicReady()) return false;
  if (!producer_) {
    if (auto status = OpenProducer(); !status.ok()) {
      Failed(status);
      return false;
    }
  }
  return !was_owned;
}

absl::Status Relay::OwnShard() {
  const absl::Time now = clock_.Now();
  if (now < next_own_) return absl::OkStatus();
  next_own_ = now + options_.own_interval;
  const auto owned = source_.Own();
  if (!owned.ok()) return owned.status();
  if (!*owned) {
    failure_ = absl::OkStatus();  // another process does the work
    return absl::OkStatus();
  }
  auto state = source_.Load();
  if (!state.ok()) return state.status();
  owned_ = true;
  cursor_ = read_ = state->cursor;
  more_ = true;
  for (ParkedCase& parked : state->parked) {
    retry_at_[parked.partition_key] = now;
    parked_[parked.partition_key] = std::move(parked);
  }
  parked_count_ = static_cast<std::int64_t>(parked_.size());
  backoff_.Succeeded();
  telemetry::Info("relay owns the journal", {{"parked", parked_count_.load()}});
  return absl::OkStatus();
}

absl::Status Relay::VerifyShard() {
  const absl::Time now = clock_.Now();
  if (now < next_own_) return absl::OkStatus();
  next_own_ = now + options_.own_interval;
  const auto owned = source_.Own();
  if (!owned.ok()) return owned.status();
  return *owned ? absl::OkStatus() : absl::UnavailableError("another process owns the journal");
}

bool Relay::TopicReady() {
  if (options_.ensure_topics) {
    if (auto status = options_.ensure_topics(); !status.ok()) {
      Failed(status);
      return false;
    }
  }
  if (options_.topic_is_new && cursor_ > RelayPosition()) {
    const auto fresh = options_.topic_is_new();
    if (!fresh.ok()) {
      Failed(fresh.status());
      return false;
    }
    if (*fresh && !StartOver()) return false;
  }
  topics_ready_ = true;
  next_topic_look_ = clock_.Now() + options_.topic_interval;
  return true;
}

// Durably first: what is published from here on is behind a cursor that begins anew.
bool Relay::StartOver() {
  if (auto status = source_.StartOver(); !status.ok()) {
    LoseShard(status);
    return false;
  }
  telemetry::Warn("the topic is empty and the journal is not: all of it is published again");
  cursor_ = read_ = RelayPosition();
  more_ = true;
  parked_.clear();
  retry_at_.clear();
  unsaved_park_.clear();
  unsaved_unpark_.clear();
  unsaved_cursor_ = false;
  parked_count_ = 0;
  return true;
}

absl::Status Relay::OpenProducer() {
  ProducerOptions options;
  options.on_delivery = [this](std::uint64_t id, const absl::Status& outcome) {
    OnDelivery(id, outcome);
  };
  // The window is the limit; the producer's own must not be met before.
  options.queue_records = 2 * options_.window_rows;
  options.queue_bytes = 2 * (options_.window_bytes + kMaxRecordBytes);
  auto producer = open_producer_(std::move(options));
  if (!producer.ok()) return producer.status();
  producer_ = *std::move(producer);
  return absl::OkStatus();
}

// ---- From the journal to Kafka --------------------------------------------------------------------------------------

bool Relay::Feed() {
  if (!rewind_.ok()) return false;
  const absl::Time now = clock_.Now();
  if (now >= next_poll_) {
    more_ = true;
    next_poll_ = now + options_.poll_interval;
  }
  const int room = options_.window_rows - static_cast<int>(window_.size());
  if (!more_ || room <= 0 || window_bytes_ >= options_.window_bytes) return false;
  const int limit = std::min(room, options_.read_rows);
  const auto rows = source_.Read(read_, limit);
  if (!rows.ok()) {
    LoseShard(rows.status());
    return false;
  }
  more_ = static_cast<int>(rows->size()) == limit;
  for (const RelayRow& row : *rows) {
    if (!Publish(row)) {
      more_ = true;
      break;
    }
  }
  return !rows->empty();
}

bool Relay::Publish(const RelayRow& row) {
  status::Check(row.at > read_, "the journal is read in order");
  Sent sent{.at = row.at, .partition_key = row.row.partition_key, .bytes = BytesOf(row.row)};
  // A row that is larger than the window goes through alone.
  if (!window_.empty() && window_bytes_ + sent.bytes > options_.window_bytes) return false;
  const auto parked = parked_.find(sent.partition_key);
  if (row.row.publish && parked != parked_.end()) {
    // It waits in the journal. After a rewind it may be one before the row that parked the case.
    if (row.at < parked->second.at) {
      parked->second.at = row.at;
      unsaved_park_.insert(sent.partition_key);
    }
  } else if (row.row.publish) {
    const std::uint64_t id = window_base_ + window_.size();
    const absl::Status status =
        producer_->Produce(ToRecord(row.row, options_.node, options_.service), id);
    if (status.ok()) {
      sent.outstanding = true;
      ++outstanding_;
    } else if (absl::IsInvalidArgument(status)) {
      Park(sent.partition_key, sent.at, status);
    } else {
      if (!absl::IsResourceExhausted(status)) Rewind(status);
      return false;
    }
  }
  read_ = sent.at;
  window_bytes_ += sent.bytes;
  window_.push_back(std::move(sent));
  return true;
}

void Relay::OnDelivery(std::uint64_t id, const absl::Status& outcome) {
  if (outcome.ok()) {
    ++published_;
    ++unmeasured_;
  }
  if (id == kAlone) {
    alone_ = outcome;
    return;
  }
  status::Check(id >= window_base_ && id - window_base_ < window_.size(),
                "a report is for a row in the window");
  Sent& sent = window_[id - window_base_];
  status::Check(sent.outstanding, "a row has one report");
  sent.outstanding = false;
  --outstanding_;
  if (outcome.ok()) return;
  if (absl::IsInvalidArgument(outcome)) {
    Park(sent.partition_key, sent.at, outcome);
  } else {
    sent.failed = true;
    Rewind(outcome);
  }
}

bool Relay::Settle() {
  bool worked = false;
  while (!window_.empty() && !window_.front().outstanding && !window_.front().failed) {
    cursor_ = window_.front().at;
    window_bytes_ -= window_.front().bytes;
    window_.pop_front();
    ++window_base_;
    unsaved_cursor_ = worked = true;
  }
  if (worked && rewind_.ok()) {
    backoff_.Succeeded();
    failure_ = absl::OkStatus();
  }
  if (!rewind_.ok() && outstanding_ == 0) {
    window_base_ += window_.size();
    window_.clear();
    window_bytes_ = 0;
    read_ = cursor_;
    more_ = true;
    topics_ready_ = false;  // it may be gone
    Failed(std::exchange(rewind_, absl::OkStatus()));
    worked = true;
  }
  return worked;
}

bool Relay::Save(bool at_once) {
  const bool cases = !unsaved_park_.empty() || !unsaved_unpark_.empty();
  if (!owned_ || (!cases && !unsaved_cursor_)) return false;
  const absl::Time now = clock_.Now();
  if (!at_once && !cases && !window_.empty() && now < next_save_) return false;
  RelayUpdate update{.cursor = cursor_};
  for (const std::string& key : unsaved_park_) update.park.push_back(parked_.at(key));
  update.unpark.assign(unsaved_unpark_.begin(), unsaved_unpark_.end());
  if (auto status = source_.Save(update); !status.ok()) {
    LoseShard(status);
    return false;
  }
  unsaved_park_.clear();
  unsaved_unpark_.clear();
  unsaved_cursor_ = false;
  next_save_ = now + options_.save_interval;
  return true;
}

// ---- Parked cases ---------------------------------------------------------------------------------------------------

void Relay::Park(const std::string& partition_key, RelayPosition at, const absl::Status& why) {
  const absl::Time now = clock_.Now();
  const auto [entry, fresh] = parked_.try_emplace(partition_key);
  ParkedCase& parked = entry->second;
  if (fresh) {
    parked = {.partition_key = partition_key,
              .at = at,
              .reason = std::string(why.message()),
              .attempts = 0,
              .since = now};
    // Once more at once, alone: the broker refuses a batch as a whole, and this row may not be the one that it meant.
    retry_at_[partition_key] = now;
  } else {
    parked.at = std::min(parked.at, at);
  }
  unsaved_unpark_.erase(partition_key);
  unsaved_park_.insert(partition_key);
  parked_count_ = static_cast<std::int64_t>(parked_.size());
}

void Relay::Unpark(const std::string& partition_key) {
  if (parked_.at(partition_key).attempts > 0) {
    telemetry::Info("parked case is published", {{"partition_key", partition_key}});
  }
  unsaved_park_.erase(partition_key);
  unsaved_unpark_.insert(partition_key);
  retry_at_.erase(partition_key);
  parked_.erase(partition_key);  // the key may live in there
  parked_count_ = static_cast<std::int64_t>(parked_.size());
}

bool Relay::OnItsWay(const std::string& partition_key) const {
  return std::any_of(window_.begin(), window_.end(), [&](const Sent& sent) {
    return sent.outstanding && sent.partition_key == partition_key;
  });
}

bool Relay::TryParked() {
  const absl::Time now = clock_.Now();
  if (retry_parked_.exchange(false)) {
    for (auto& [_, at] : retry_at_) at = now;
  }
  if (!owned_ || !producer_ || !rewind_.ok() || parked_.empty()) return false;
  for (const auto& [key, at] : retry_at_) {
    if (at > now || OnItsWay(key)) continue;
    TryCase(parked_.at(key));
    return true;  // one a round, so that the others don't wait
  }
  return false;
}

// Publishes the case's rows up to the last one that was read; those behind it are for Feed again.
void Relay::TryCase(ParkedCase& parked) {
  const std::string key = parked.partition_key;
  const auto rows = source_.ReadCase(key, parked.at, read_, kCaseRows);
  if (!rows.ok()) {
    LoseShard(rows.status());
    return;
  }
  for (const RelayRow& row : *rows) {
    if (row.row.publish) {
      const absl::Status status = PublishAlone(row);
      if (absl::IsInvalidArgument(status)) {
        if (parked.attempts == 0) {
          telemetry::Warn("case is parked: Kafka does not take its event",
                          {{"partition_key", key}, {"status", status}});
        }
        ++parked.attempts;
        parked.at = row.at;
        parked.reason = std::string(status.message());
        retry_at_[key] = clock_.Now() + options_.parked_retry.After(parked.attempts);
        unsaved_park_.insert(key);
        return;
      }
      if (!status.ok()) {
        if (owned_) Rewind(status);
        return;
      }
    }
    parked.at = {row.at.xid, row.at.position + 1};
    unsaved_park_.insert(key);
  }
  if (static_cast<int>(rows->size()) < kCaseRows) Unpark(key);
}

absl::Status Relay::PublishAlone(const RelayRow& row) {
  alone_.reset();
  auto status = producer_->Produce(ToRecord(row.row, options_.node, options_.service), kAlone);
  if (!status.ok()) return status;
  for (int i = 0; i < kAlonePolls && !alone_ && !stopping_; ++i) producer_->Poll(kAlonePoll);
  if (alone_) return *std::exchange(alone_, std::nullopt);
  // Its report would come at a bad time: with a new producer it never does.
  absl::Status why = absl::UnavailableError("a parked case's event has no report in time");
  LoseShard(why);
  return why;
}

// ---- Failures -------------------------------------------------------------------------------------------------------

void Relay::Failed(const absl::Status& why) {
  failure_ = why;
  backoff_.Failed(clock_.Now());
}

void Relay::Rewind(const absl::Status& why) {
  if (rewind_.ok()) rewind_ = why;
}

void Relay::LoseShard(const absl::Status& why) {
  if (owned_) source_.Release();
  owned_ = false;
  topics_ready_ = false;
  // What is still in its queue must not be published any more: the next owner does that.
  producer_.reset();
  window_base_ += window_.size();
  window_.clear();
  window_bytes_ = outstanding_ = 0;
  parked_.clear();
  retry_at_.clear();
  unsaved_park_.clear();
  unsaved_unpark_.clear();
  unsaved_cursor_ = false;
  rewind_ = absl::OkStatus();
  next_own_ = absl::InfinitePast();
  Failed(why);
}

// ---- Watching and waiting -------------------------------------------------------------------------------------------

void Relay::Measure() {
  if (unmeasured_ > 0 && options_.metrics.published) options_.metrics.published(unmeasured_);
  unmeasured_ = 0;
  const absl::Time now = clock_.Now();
  if (!owned_ || now < next_measure_) return;
  next_measure_ = now + options_.lag_interval;
  if (options_.metrics.parked) options_.metrics.parked(parked_count_);
  if (!options_.metrics.lag && !options_.metrics.oldest_unpublished) return;
  const auto lag = source_.Lag(cursor_);
  if (!lag.ok()) {
    LoseShard(lag.status());
    return;
  }
  if (options_.metrics.lag) options_.metrics.lag(lag->rows);
  if (options_.metrics.oldest_unpublished) {
    options_.metrics.oldest_unpublished(
        lag->rows == 0 ? absl::ZeroDuration() : std::max(absl::ZeroDuration(), now - lag->oldest));
  }
}

void Relay::UpdateHealth() {
  absl::Status health = failure_;
  // A certificate that is refused says more than what follows from it.
  if (producer_ && (health.ok() || absl::IsUnavailable(health)) && !producer_->Health().ok()) {
    health = producer_->Health();
  }
  const std::lock_guard lock(mutex_);
  if (health.code() != health_.code()) {
    if (health.ok()) {
      telemetry::Info("relay goes on");
    } else if (absl::IsUnavailable(health) || absl::IsAborted(health)) {
      telemetry::Warn("relay waits", {{"status", health}});
    } else {
      telemetry::Error("relay waits", {{"status", health}});
    }
  }
  health_ = std::move(health);
}

absl::Status Relay::Health() const {
  const std::lock_guard lock(mutex_);
  return health_;
}

void Relay::WaitForWork(absl::Duration wait) {
  const absl::Time now = clock_.Now();
  if (backoff_.Waiting(now)) wait = std::min(wait, backoff_.until() - now);
  if (owned_ && rewind_.ok()) {
    wait = std::min(wait, std::max(absl::ZeroDuration(), next_poll_ - now));
    for (const auto& [_, at] : retry_at_) {
      wait = std::min(wait, std::max(absl::ZeroDuration(), at - now));
    }
  }
  const bool reports = producer_ && outstanding_ > 0;
  if (reports) producer_->Poll(std::min(wait, kReportSlice));
  if (owned_) {
    // A real deadline, whatever the clock says: this is about the wait, not about the time.
    const auto grown = source_.Wait(reports ? absl::InfinitePast() : absl::Now() + wait);
    if (!grown.ok()) {
      LoseShard(grown.status());
    } else if (*grown) {
      more_ = true;
    }
  } else if (!reports && wait > absl::ZeroDuration()) {
    std::unique_lock lock(mutex_);
    stopped_.wait_for(lock, absl::ToChronoNanoseconds(wait), [&] { return stopping_.load(); });
  }
}

}  // namespace sankofa::kafka
