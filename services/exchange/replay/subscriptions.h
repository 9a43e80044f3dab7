#pragma once

#include <condition_variable>
#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <thread>

#include "services/exchange/directory.h"
#include "services/exchange/replay/outgoing_feed.h"
#include "services/platform/rpc/queries.h"
#include "services/platform/telemetry/log.h"
#include "services/platform/telemetry/metrics.h"

// Who has a Subscribe open. One thread serves all of them: it gives each as many messages as its stream takes now, and
// goes on when a stream has room again, when somebody comes, and a few times a second to look for what is new. A slow
// subscriber costs its buffer and nothing else; one that was away goes on from its cursor.
namespace sankofa::exchange {

class Subscriptions {
 public:
  struct Options {
    absl::Duration look = absl::Milliseconds(100);  // how long a new message may lie
    absl::Duration pause = absl::Seconds(1);        // after something failed
    int page = 50;                                  // messages read at once for one stream
    // Puts the reading of cases on the trail before they are given; may be empty.
    std::function<absl::Status(const engine::Actor& actor, const std::set<std::string>& cases)>
        record;
    // See OutgoingFeed::For.
    std::function<std::optional<absl::Time>()> now = [] { return absl::Now(); };
  };

  // All outlive it.
  Subscriptions(Options options, const OutgoingFeed& feed, Directory& directory, FeedReader reader);
  ~Subscriptions();
  // Ends all streams; the subscribers come back.
  void Stop();

  void Add(const engine::Actor& actor, FeedCursor cursor, std::shared_ptr<rpc::StreamSink> sink);
  [[nodiscard]] std::size_t size() const;

 private:
  struct Subscriber {
    engine::Actor actor;
    FeedCursor cursor;
    std::shared_ptr<rpc::StreamSink> sink;
    absl::Time not_before = absl::InfinitePast();
  };

  void Run();
  // True where it shall be served again at once; nothing where it is over.
  [[nodiscard]] std::optional<bool> Serve(const Snapshot& snapshot, Subscriber& subscriber);
  void Wake();

  const Options options_;
  const OutgoingFeed& feed_;
  Directory& directory_;
  const FeedReader reader_;
  telemetry::Gauge open_;
  telemetry::RepeatedLog trouble_;

  // What streams call back outlives this object, for a stream may.
  struct Bell {
    std::mutex mutex;
    std::condition_variable rung;
    bool ringing = false;
    bool stopping = false;
  };
  const std::shared_ptr<Bell> bell_ = std::make_shared<Bell>();
  mutable std::mutex mutex_;
  std::list<Subscriber> arrived_;      // guarded by mutex_
  std::size_t size_ = 0;               // guarded by mutex_
  std::list<Subscriber> subscribers_;  // of the thread
  std::thread thread_;
};

}  // namespace sankofa::exchange
