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
constexpr int kTopicRows = 500;
constexpr int kAlonePolls = 200;
constexpr absl::Duration kAlonePoll = absl::Milliseconds(50);

int BytesOf(const engine::JournalRow& row) {
  constexpr std::size_t kHeaders = 512;
  return static_cast<int>(row.payload.size() + row.partition_key.size() + row.stream.id.size() +
                          kHeaders);
}

// No partition key holds one.
constexpr char kLane = '\t';

std::string TopicLane(const std::string& topic) { return topic + kLane; }

bool IsTopicLane(const std::string& lane) { return lane.back() == kLane; }

}  // namespace

Relay::Relay(RelayOptions options, RelaySource& source, ProducerFactory producers,
             const time::Clock& clock)
    : options_(std::move(options)),
      source_(source),
      open_producer_(std::move(producers)),
      clock_(clock),
      own_topic_(TopicOf(options_.service)),
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
  if ((look || !topics_ready_) && !TopicsReady()) return false;
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
  records_ = std::move(state->topics);
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

bool Relay::TopicsReady() {
  if (options_.look_after) {
    std::set<std::string> wanted = there_;
    for (const auto& [topic, _] : records_) wanted.insert(topic);
    if (options_.topics) {
      for (std::string& topic : options_.topics()) wanted.insert(std::move(topic));
    }
    wanted.erase(own_topic_);
    std::vector<std::string> topics = {own_topic_};
    topics.insert(topics.end(), wanted.begin(), wanted.end());
    const auto found = options_.look_after(topics);
    if (!found.ok()) {
      Failed(found.status());
      return false;
    }
    there_.clear();
    for (const auto& [topic, records] : *found) {
      if (auto status = TopicFound(topic, records); !status.ok()) {
        LoseShard(status);
        return false;
      }
    }
  }
  topics_ready_ = true;
  next_topic_look_ = clock_.Now() + options_.topic_interval;
  return true;
}

absl::StatusOr<bool> Relay::TopicThere(const std::string& topic) {
  if (!options_.look_after || there_.contains(topic)) return true;
  const auto found = options_.look_after({topic});
  if (!found.ok()) return found.status();
  const auto records = found->find(topic);
  if (records == found->end()) return false;
  if (auto status = TopicFound(topic, records->second); !status.ok()) return status;
  return true;
}

absl::Status Relay::TopicFound(const std::string& topic, std::int64_t records) {
  there_.insert(topic);
  const auto published = records_.find(topic);
  if (published != records_.end() && records < published->second) return PublishTopicAgain(topic);
  // What waited for it need not wait longer.
  const auto retry = retry_at_.find(TopicLane(topic));
  if (retry != retry_at_.end()) retry->second = clock_.Now();
  return absl::OkStatus();
}

// Durably first: otherwise a crash after the first record would leave it at that.
absl::Status Relay::PublishTopicAgain(const std::string& topic) {
  telemetry::Warn("a topic has lost what it held: its part of the journal is published again",
                  {{"topic", topic}});
  const std::string lane = TopicLane(topic);
  std::vector<std::string> covered;
  for (const auto& [other, _] : parked_) {
    const bool routed = other.find(kLane) != std::string::npos;
    if (routed ? other.starts_with(lane) : topic == own_topic_) covered.push_back(other);
  }
  for (const std::string& other : covered) Unpark(other);
  Park(lane, RelayPosition(), absl::UnavailableError("the topic was lost"));
  records_[topic] = 0;
  unsaved_records_.insert(topic);
  Save(/*at_once=*/true);
  return owned_ ? absl::OkStatus() : failure_;
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

Record Relay::RecordOf(const RelayRow& row) const {
  return options_.to_record ? options_.to_record(row.row)
                            : ToRecord(row.row, options_.node, options_.service);
}

std::string Relay::LaneOf(const std::string& topic, const std::string& partition_key) const {
  return topic == own_topic_ ? partition_key : absl::StrCat(TopicLane(topic), partition_key);
}

ParkedCase* Relay::Waiting(const std::string& topic, const std::string& lane) {
  if (parked_.empty()) return nullptr;
  auto parked = parked_.find(TopicLane(topic));
  if (parked == parked_.end()) parked = parked_.find(lane);
  return parked == parked_.end() ? nullptr : &parked->second;
}

bool Relay::Publish(const RelayRow& row) {
  status::Check(row.at > read_, "the journal is read in order");
  Sent sent{.at = row.at, .topic = {}, .lane = {}, .bytes = BytesOf(row.row)};
  // A row that is larger than the window goes through alone.
  if (!window_.empty() && window_bytes_ + sent.bytes > options_.window_bytes) return false;
  if (row.row.publish && !Send(row, sent)) return false;
  read_ = sent.at;
  window_bytes_ += sent.bytes;
  window_.push_back(std::move(sent));
  return true;
}

// Produces the row, or parks it.
bool Relay::Send(const RelayRow& row, Sent& sent) {
  const Record record = RecordOf(row);
  sent.topic = record.topic;
  sent.lane = LaneOf(record.topic, row.row.partition_key);
  ParkedCase* parked = Waiting(sent.topic, sent.lane);
  bool there = true;
  if (parked == nullptr) {
    const auto found = TopicThere(record.topic);
    if (!found.ok()) {
      if (owned_) Rewind(found.status());
      return false;
    }
    there = *found;
    parked = Waiting(sent.topic, sent.lane);  // now that it was found empty
  }
  if (parked != nullptr) {
    // It waits in the journal. After a rewind it may be one before the row that parked the case.
    if (row.at < parked->at) {
      parked->at = row.at;
      unsaved_park_.insert(parked->partition_key);
    }
    return true;
  }
  if (!there) {
    Park(TopicLane(record.topic), row.at, absl::UnavailableError("its topic is not there"));
    return true;
  }
  const absl::Status status = producer_->Produce(record, window_base_ + window_.size());
  if (status.ok()) {
    sent.outstanding = true;
    ++outstanding_;
  } else if (absl::IsInvalidArgument(status)) {
    Park(sent.lane, sent.at, status);
  } else {
    if (!absl::IsResourceExhausted(status)) Rewind(status);
    return false;
  }
  return true;
}

void Relay::CountPublished(const std::string& topic) {
  ++published_;
  ++unmeasured_;
  ++records_[topic];
  unsaved_records_.insert(topic);
}

void Relay::OnDelivery(std::uint64_t id, const absl::Status& outcome) {
  if (id == kAlone) {
    status::Check(alone_outstanding_ > 0, "a row has one report");
    --alone_outstanding_;
    if (outcome.ok()) CountPublished(alone_topic_);
    if (alone_failure_.ok()) alone_failure_ = outcome;
    return;
  }
  status::Check(id >= window_base_ && id - window_base_ < window_.size(),
                "a report is for a row in the window");
  Sent& sent = window_[id - window_base_];
  status::Check(sent.outstanding, "a row has one report");
  sent.outstanding = false;
  --outstanding_;
  if (outcome.ok()) {
    CountPublished(sent.topic);
  } else if (absl::IsInvalidArgument(outcome)) {
    Park(sent.lane, sent.at, outcome);
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
    topics_ready_ = false;  // one may be gone
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
  for (const std::string& topic : unsaved_records_) update.topics[topic] = records_.at(topic);
  if (auto status = source_.Save(update); !status.ok()) {
    LoseShard(status);
    return false;
  }
  unsaved_park_.clear();
  unsaved_unpark_.clear();
  unsaved_records_.clear();
  unsaved_cursor_ = false;
  next_save_ = now + options_.save_interval;
  return true;
}

// ---- Parked cases ---------------------------------------------------------------------------------------------------

void Relay::Park(const std::string& lane, RelayPosition at, const absl::Status& why) {
  const absl::Time now = clock_.Now();
  const auto [entry, fresh] = parked_.try_emplace(lane);
  ParkedCase& parked = entry->second;
  if (fresh) {
    parked = {.partition_key = lane,
              .at = at,
              .reason = std::string(why.message()),
              .attempts = 0,
              .since = now};
    // Once more at once, alone: the broker refuses a batch as a whole, and this row may not be the one that it meant.
    retry_at_[lane] = now;
  } else {
    parked.at = std::min(parked.at, at);
  }
  unsaved_unpark_.erase(lane);
  unsaved_park_.insert(lane);
  parked_count_ = static_cast<std::int64_t>(parked_.size());
}

void Relay::ParkAgain(ParkedCase& parked, const absl::Status& why) {
  if (parked.attempts == 0) {
    telemetry::Warn("case is parked: Kafka does not take its event",
                    {{"partition_key", parked.partition_key}, {"status", why}});
  }
  ++parked.attempts;
  parked.reason = std::string(why.message());
  retry_at_[parked.partition_key] = clock_.Now() + options_.parked_retry.After(parked.attempts);
  unsaved_park_.insert(parked.partition_key);
}

void Relay::Unpark(const std::string& lane) {
  // NOLINTNEXTLINE(performance-unnecessary-copy-initialization): it may live in what is erased
  const std::string key = lane;
  if (parked_.at(key).attempts > 0) {
    telemetry::Info("parked case is published", {{"partition_key", key}});
  }
  unsaved_park_.erase(key);
  unsaved_unpark_.insert(key);
  retry_at_.erase(key);
  parked_.erase(key);
  parked_count_ = static_cast<std::int64_t>(parked_.size());
}

bool Relay::OnItsWay(const std::string& lane) const {
  return std::any_of(window_.begin(), window_.end(), [&](const Sent& sent) {
    return sent.outstanding &&
           (sent.lane == lane || (IsTopicLane(lane) && TopicLane(sent.topic) == lane));
  });
}

bool Relay::TryParked() {
  const absl::Time now = clock_.Now();
  if (retry_parked_.exchange(false)) {
    for (auto& [_, at] : retry_at_) at = now;
  }
  if (!owned_ || !producer_ || !rewind_.ok() || parked_.empty()) return false;
  for (const auto& [lane, at] : retry_at_) {
    if (at > now || OnItsWay(lane)) continue;
    TryLane(parked_.at(lane));
    return true;  // one a round, so that the others don't wait
  }
  return false;
}

void Relay::TryLane(ParkedCase& parked) {
  const std::string lane = parked.partition_key;
  const std::size_t end = lane.find(kLane);
  const std::string topic = end == std::string::npos ? own_topic_ : lane.substr(0, end);
  const std::string key = end == std::string::npos ? lane : lane.substr(end + 1);
  const auto there = TopicThere(topic);
  if (!there.ok()) {
    if (owned_) Rewind(there.status());
    return;
  }
  const auto still = parked_.find(lane);
  if (still == parked_.end()) return;  // all of the topic is published again
  if (!*there) {
    ParkAgain(still->second, absl::UnavailableError("its topic is not there"));
  } else if (IsTopicLane(lane)) {
    TryTopic(still->second, topic);
  } else {
    TryCase(still->second, topic, key);
  }
}

// Publishes the case's rows up to the last one that was read; those behind it are for Feed again.
void Relay::TryCase(ParkedCase& parked, const std::string& topic,
                    const std::string& partition_key) {
  const auto rows = source_.ReadCase(partition_key, parked.at, read_, kCaseRows);
  if (!rows.ok()) {
    LoseShard(rows.status());
    return;
  }
  for (const RelayRow& row : *rows) {
    if (row.row.publish) {
      const Record record = RecordOf(row);
      const absl::Status status = record.topic == topic ? PublishAlone({record}) : absl::OkStatus();
      if (absl::IsInvalidArgument(status)) {
        parked.at = row.at;
        ParkAgain(parked, status);
        return;
      }
      if (!status.ok()) {
        if (owned_) Rewind(status);
        return;
      }
    }
    parked.at = {row.at.xid, row.at.position + 1};
    unsaved_park_.insert(parked.partition_key);
  }
  if (static_cast<int>(rows->size()) < kCaseRows) Unpark(parked.partition_key);
}

// The same for all rows of a topic, many at a time.
void Relay::TryTopic(ParkedCase& parked, const std::string& topic) {
  const auto rows = source_.Read({parked.at.xid, parked.at.position - 1}, kTopicRows);
  if (!rows.ok()) {
    LoseShard(rows.status());
    return;
  }
  std::vector<RelayRow> own;
  std::vector<Record> records;
  RelayPosition last;
  for (const RelayRow& row : *rows) {
    if (row.at > read_) break;
    last = row.at;
    if (!row.row.publish) continue;
    Record record = RecordOf(row);
    if (record.topic != topic) continue;
    own.push_back(row);
    records.push_back(std::move(record));
  }
  const bool end = static_cast<int>(rows->size()) < kTopicRows || rows->back().at > read_;
  if (!PublishOfTopic(own, std::move(records))) return;
  if (end) {
    Unpark(parked.partition_key);
  } else {
    parked.at = {last.xid, last.position + 1};
    unsaved_park_.insert(parked.partition_key);
  }
}

bool Relay::PublishOfTopic(const std::vector<RelayRow>& rows, std::vector<Record> records) {
  absl::Status status = PublishAlone(records);
  if (absl::IsInvalidArgument(status)) {
    // One of them is not taken: one by one, and that one's case is parked.
    for (std::size_t i = 0; i < records.size(); ++i) {
      const std::string lane = LaneOf(records[i].topic, rows[i].row.partition_key);
      if (parked_.contains(lane)) continue;
      status = PublishAlone({records[i]});
      if (absl::IsInvalidArgument(status)) {
        Park(lane, rows[i].at, status);
        status = absl::OkStatus();
      }
      if (!status.ok()) break;
    }
  }
  if (!status.ok() && owned_) Rewind(status);
  return status.ok();
}

absl::Status Relay::PublishAlone(const std::vector<Record>& records) {
  alone_failure_ = absl::OkStatus();
  for (const Record& record : records) {
    alone_topic_ = record.topic;
    auto status = producer_->Produce(record, kAlone);
    if (absl::IsResourceExhausted(status)) {
      if (auto awaited = AwaitAlone(); !awaited.ok()) return awaited;
      status = producer_->Produce(record, kAlone);
    }
    if (!status.ok()) {
      const auto awaited = AwaitAlone();
      return awaited.ok() ? status : awaited;
    }
    ++alone_outstanding_;
  }
  return AwaitAlone();
}

absl::Status Relay::AwaitAlone() {
  for (int i = 0; i < kAlonePolls && alone_outstanding_ > 0 && !stopping_; ++i) {
    producer_->Poll(kAlonePoll);
  }
  if (alone_outstanding_ == 0) return alone_failure_;
  // Their reports would come at a bad time: with a new producer they never do.
  absl::Status why = absl::UnavailableError("events that waited have no report in time");
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
  window_bytes_ = outstanding_ = alone_outstanding_ = 0;
  there_.clear();
  records_.clear();
  unsaved_records_.clear();
  parked_.clear();
  retry_at_.clear();
  unsaved_park_.clear();
  unsaved_unpark_.clear();
  unsaved_cursor_ = false;
  rewind_ = absl::OkStatus();
  next_own_ = absl::InfinitePast();
  // How far the shard is says who owns it now.
  if (options_.metrics.parked) options_.metrics.parked(0);
  if (options_.metrics.lag) options_.metrics.lag(0);
  if (options_.metrics.oldest_unpublished)
    options_.metrics.oldest_unpublished(absl::ZeroDuration());
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
