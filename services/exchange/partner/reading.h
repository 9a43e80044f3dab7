#pragma once

#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "services/exchange/directory.h"
#include "services/exchange/health.h"
#include "services/platform/kafka/client.h"
#include "services/platform/service/definition.h"
#include "services/platform/time/time.h"

namespace sankofa::service {
class Runtime;
}  // namespace sankofa::service

// How far partners have read their feeds, as this node's Kafka sees it. A partner reads feed.<code> as the group that is
// called after its certificate, and commits when it has applied.
namespace sankofa::exchange {

// What a group has committed of a topic, and what is left.
struct Reading {
  std::int64_t committed = 0;  // messages, over all partitions
  std::int64_t unread = 0;
};
[[nodiscard]] absl::StatusOr<Reading> ReadingOf(kafka::Admin& admin, const std::string& topic,
                                                const std::string& group, absl::Duration timeout);

// Remembers when each partner's group was last seen to have got on. Thread-safe.
class ReadingWatch {
 public:
  using OpenAdmin = std::function<absl::StatusOr<std::unique_ptr<kafka::Admin>>()>;
  ReadingWatch(OpenAdmin open, const time::Clock& clock);

  // Looks, for at most `timeout`; fills `unread` and `last_read_time` where Kafka answers.
  void Look(const v1::Partner& partner, absl::Duration timeout, v1::PartnerHealth& health);

 private:
  struct Seen {
    std::int64_t committed = -1;
    absl::Time got_on = absl::InfinitePast();
  };
  const OpenAdmin open_;
  const time::Clock& clock_;
  std::mutex mutex_;
  std::shared_ptr<kafka::Admin> admin_;  // opened at the first look
  std::map<std::string, Seen> seen_;
};

// Looks every quarter of a minute, so that it is known when a partner stood still, and sets the metric
// sankofa_feed_unread_messages.
class ReadingPart final : public service::Part, public HealthSource {
 public:
  explicit ReadingPart(service::Runtime& runtime);
  ~ReadingPart() override;
  void Stop() override;
  void Fill(const v1::Partner& partner, absl::Time deadline, v1::PartnerHealth& health) override;

 private:
  void Run();
  void LookAtAll();

  PostgresDirectory directory_;
  ReadingWatch watch_;
  std::mutex mutex_;
  std::condition_variable wake_;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace sankofa::exchange
