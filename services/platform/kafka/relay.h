#pragma once

#include <atomic>
#include <compare>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "services/platform/engine/store.h"
#include "services/platform/kafka/backoff.h"
#include "services/platform/kafka/client.h"
#include "services/platform/time/time.h"

// The relay carries a service's journal to Kafka: every committed row with `publish`, per partition key in the order of
// the journal, at least once. Consumers drop what they had by the stream's sequence.
//
// It reads rows in the order of their transaction ids, behind the snapshot horizon: a row that commits late has a
// higher id than the horizon or is read in its place, so a cursor that has passed is never wrong. Only the cursor is
// kept, and it passes a row only when the row's delivery report came, when the row is not for publishing, or when its
// case is parked durably with the same write.
//
// A row that Kafka will never take (too large) parks its case: the row and all later rows of that partition key wait,
// others go on. A parked case is tried again, alone and row by row, at growing intervals and on demand. Rows of it that
// were on their way when its row failed are published a second time after it, so that order holds for who counts
// sequences. Everything else that fails is waited for with back-off and read again from the cursor.
//
// Rows may go to several topics of the cluster, each with its own order by partition key: what is parked is parked for
// one topic. A topic that can't be had keeps its own rows waiting and no others.
//
// How many records were published to a topic is kept with the cursor. A topic that has held fewer was lost: a node was
// restored from its database, Kafka's disk is gone, somebody deleted it. Then all of the journal that belongs there is
// published again, because some consumer may not have read what was lost, and the last event of a stream is missed by
// nobody. Those who had it drop it by its sequence. Rows for other topics go on meanwhile.
namespace sankofa::kafka {

// Where a row stands in the journal: by transaction, then by place in the transaction.
struct RelayPosition {
  std::uint64_t xid = 0;
  std::int64_t position = 0;
  auto operator<=>(const RelayPosition&) const = default;
};

struct RelayRow {
  RelayPosition at;
  engine::JournalRow row;
};

// A lane whose row at `at` could not be published. That row and all later ones of the lane wait. A lane is a partition
// key in the service's own topic; "<topic>\t<partition key>" in another one; or "<topic>\t", all of a topic.
struct ParkedCase {
  std::string partition_key;  // the lane
  RelayPosition at;
  std::string reason;  // for the operator; nothing of the payload
  int attempts = 0;
  absl::Time since;
};

// What is kept durably of one shard.
struct RelayState {
  RelayPosition cursor;  // everything up to here is published, passed over or parked
  std::vector<ParkedCase> parked;
  std::map<std::string, std::int64_t> topics;  // records published to each, at least
};

// One transaction.
struct RelayUpdate {
  RelayPosition cursor;
  std::vector<ParkedCase> park;                // added, or replaced by lane
  std::vector<std::string> unpark;             // lanes
  std::map<std::string, std::int64_t> topics;  // replaced by topic
};

struct RelayLag {
  std::int64_t rows = 0;                       // after the cursor, counted up to some limit
  absl::Time oldest = absl::InfiniteFuture();  // when the first of them was decided
};

// What the relay asks of the journal, for one shard of one service. PostgreSQL implements it (service/relay_source.h) and
// tests do in memory. Used by one thread. UNAVAILABLE means that ownership is lost with the connection.
class RelaySource {
 public:
  virtual ~RelaySource() = default;
  // Tries to own the shard, or verifies that it still does. False while another process owns it.
  [[nodiscard]] virtual absl::StatusOr<bool> Own() = 0;
  // Gives the shard up.
  virtual void Release() = 0;
  [[nodiscard]] virtual absl::StatusOr<RelayState> Load() = 0;
  // Up to `limit` rows behind the snapshot horizon, after `after`, in order; also those that are not for publishing.
  [[nodiscard]] virtual absl::StatusOr<std::vector<RelayRow>> Read(RelayPosition after,
                                                                   int limit) = 0;
  // Rows of one partition key from `from` to `to`, both included, in order.
  [[nodiscard]] virtual absl::StatusOr<std::vector<RelayRow>> ReadCase(
      const std::string& partition_key, RelayPosition from, RelayPosition to, int limit) = 0;
  // Fails where the shard is no longer owned.
  [[nodiscard]] virtual absl::Status Save(const RelayUpdate& update) = 0;
  [[nodiscard]] virtual absl::StatusOr<RelayLag> Lag(RelayPosition after) = 0;
  // True as soon as the journal may have grown, false at the deadline. A deadline in the past only looks.
  [[nodiscard]] virtual absl::StatusOr<bool> Wait(absl::Time deadline) = 0;
};

// Called on the relay's thread; any may be empty.
struct RelayMetrics {
  std::function<void(std::int64_t rows)> published;  // added since the last call
  std::function<void(std::int64_t rows)> lag;
  std::function<void(absl::Duration age)> oldest_unpublished;  // zero where nothing waits
  std::function<void(std::int64_t cases)> parked;
};

struct RelayOptions {
  std::string node;
  std::string service;
  // What a row becomes, and on which topic. Empty: an event on the service's own.
  std::function<Record(const engine::JournalRow&)> to_record;
  // Topics that shall be there beside the service's own, also before the first row for them. May be empty.
  std::function<std::vector<std::string>()> topics;
  // Makes sure that the topics are there, and says how many records each has ever held; one that can't be had is left
  // out. An error: Kafka can't be reached, or the service's own topic can't be had. Asked before anything is published,
  // after a failure, and from time to time while nothing is to be published. May be empty.
  std::function<absl::StatusOr<std::map<std::string, std::int64_t>>(
      const std::vector<std::string>&)>
      look_after;
  RelayMetrics metrics;

  int window_rows = 1'000;  // on their way at most
  int window_bytes = 4 << 20;
  int read_rows = 500;
  absl::Duration poll_interval = absl::Seconds(1);  // where no notification came
  absl::Duration own_interval =
      absl::Seconds(2);  // between tries to own the shard, and checks that it still is
  absl::Duration save_interval = absl::Milliseconds(50);  // between saves of the cursor under load
  absl::Duration lag_interval = absl::Seconds(2);
  absl::Duration topic_interval = absl::Seconds(15);  // between looks at a topic that is idle
  absl::Duration stop_timeout = absl::Seconds(5);     // for outstanding reports
  BackoffOptions retry;                               // Kafka or the database is away
  BackoffOptions parked_retry = {absl::Seconds(10), absl::Minutes(30)};
};

// Opens a producer whose reports go to the given function.
using ProducerFactory =
    std::function<absl::StatusOr<std::unique_ptr<Producer>>(ProducerOptions options)>;

class Relay {
 public:
  Relay(RelayOptions options, RelaySource& source, ProducerFactory producers,
        const time::Clock& clock = time::WallClock());
  ~Relay();
  Relay(const Relay&) = delete;
  Relay& operator=(const Relay&) = delete;

  // Runs on a thread of its own until Stop, which waits for outstanding reports and saves the cursor.
  void Start();
  void Stop();

  // One round, for tests and simulation: true where something was done, so that another round makes sense at once.
  // Where there is nothing to do it waits for work, for at most `wait`.
  bool Step(absl::Duration wait);

  // All parked cases are tried again in the next round. Thread-safe.
  void RetryParked() { retry_parked_ = true; }

  // OK while rows go through, else what is in the way. Thread-safe.
  [[nodiscard]] absl::Status Health() const;
  // Numbers as of the last round. Thread-safe.
  [[nodiscard]] std::int64_t published() const { return published_; }
  [[nodiscard]] std::int64_t parked() const { return parked_count_; }

 private:
  // A row that was read and not yet passed by the cursor, in reading order.
  struct Sent {
    RelayPosition at;
    std::string topic;
    std::string lane;
    int bytes = 0;
    bool outstanding = false;  // its report has to come
    bool failed = false;       // and will have to be sent again
  };

  // The stages of a round; true where something was done.
  bool Ready();
  bool Feed();
  bool Settle();
  bool TryParked();
  bool Save(bool at_once);

  [[nodiscard]] absl::Status OwnShard();
  [[nodiscard]] absl::Status VerifyShard();
  // False where something is in the way.
  bool TopicsReady();
  // Whether a topic that a row is for is there.
  [[nodiscard]] absl::StatusOr<bool> TopicThere(const std::string& topic);
  [[nodiscard]] absl::Status TopicFound(const std::string& topic, std::int64_t records);
  [[nodiscard]] absl::Status PublishTopicAgain(const std::string& topic);
  [[nodiscard]] absl::Status OpenProducer();
  [[nodiscard]] Record RecordOf(const RelayRow& row) const;
  [[nodiscard]] std::string LaneOf(const std::string& topic,
                                   const std::string& partition_key) const;
  // The parked lane that a row waits in; null where it need not.
  [[nodiscard]] ParkedCase* Waiting(const std::string& topic, const std::string& lane);
  // False where the row has to wait.
  bool Publish(const RelayRow& row);
  bool Send(const RelayRow& row, Sent& sent);
  void OnDelivery(std::uint64_t id, const absl::Status& outcome);
  void TryLane(ParkedCase& parked);
  void TryCase(ParkedCase& parked, const std::string& topic, const std::string& partition_key);
  void TryTopic(ParkedCase& parked, const std::string& topic);
  // False where something is in the way.
  bool PublishOfTopic(const std::vector<RelayRow>& rows, std::vector<Record> records);
  // Waits for the reports. The first failure, where there is one.
  [[nodiscard]] absl::Status PublishAlone(const std::vector<Record>& records);
  [[nodiscard]] absl::Status AwaitAlone();
  [[nodiscard]] bool OnItsWay(const std::string& lane) const;
  void Park(const std::string& lane, RelayPosition at, const absl::Status& why);
  void ParkAgain(ParkedCase& parked, const absl::Status& why);
  void Unpark(const std::string& lane);
  void CountPublished(const std::string& topic);
  // Everything is read again from the cursor, once all reports are there.
  void Rewind(const absl::Status& why);
  void LoseShard(const absl::Status& why);
  void Failed(const absl::Status& why);
  void Measure();
  void UpdateHealth();
  void WaitForWork(absl::Duration wait);
  void Run();
  void Finish();

  const RelayOptions options_;
  RelaySource& source_;
  const ProducerFactory open_producer_;
  const time::Clock& clock_;

  std::unique_ptr<Producer> producer_;
  const std::string own_topic_;
  bool topics_ready_ = false;
  std::set<std::string> there_;                  // topics that are there
  std::map<std::string, std::int64_t> records_;  // published, by topic
  std::set<std::string> unsaved_records_;
  bool owned_ = false;
  RelayPosition cursor_;  // all rows up to here are done with
  RelayPosition read_;    // the last row in the window, or the cursor
  std::deque<Sent> window_;
  std::uint64_t window_base_ =
      1;  // id of the window's first row; 0 is for rows that are published alone
  int window_bytes_ = 0;
  int outstanding_ = 0;
  std::string alone_topic_;    // of the rows that are published alone
  int alone_outstanding_ = 0;  // of them
  absl::Status alone_failure_;
  absl::Status rewind_;  // why everything is read again; OK: it is not
  bool more_ = true;     // the journal may hold rows after `read_`

  std::map<std::string, ParkedCase> parked_;
  std::map<std::string, absl::Time> retry_at_;
  std::set<std::string> unsaved_park_;
  std::set<std::string> unsaved_unpark_;
  bool unsaved_cursor_ = false;
  std::int64_t unmeasured_ = 0;  // published since metrics were told

  absl::Status failure_;  // of the last try of something; OK after a success
  Backoff backoff_;
  absl::Time next_own_ = absl::InfinitePast();
  absl::Time next_topic_look_ = absl::InfinitePast();
  absl::Time next_poll_ = absl::InfinitePast();
  absl::Time next_save_ = absl::InfinitePast();
  absl::Time next_measure_ = absl::InfinitePast();

  std::atomic<bool> retry_parked_ = false;
  std::atomic<bool> stopping_ = false;
  std::atomic<std::int64_t> published_ = 0;
  std::atomic<std::int64_t> parked_count_ = 0;
  mutable std::mutex mutex_;
  std::condition_variable stopped_;
  absl::Status health_;  // guarded by mutex_
  std::thread thread_;
};

}  // namespace sankofa::kafka
