#include "services/exchange/partner/reading.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "services/exchange/feed/route.h"
#include "services/platform/service/runtime.h"
#include "services/platform/telemetry/metrics.h"

namespace sankofa::exchange {
namespace {

constexpr absl::Duration kLookTimeout = absl::Seconds(3);
constexpr std::chrono::seconds kInterval{15};

}  // namespace

absl::StatusOr<Reading> ReadingOf(kafka::Admin& admin, const std::string& topic,
                                  const std::string& group, absl::Duration timeout) {
  const auto watermarks = admin.TopicWatermarks(topic, timeout);
  if (!watermarks.ok()) return watermarks.status();
  const auto committed = admin.GroupOffsets(group, topic, timeout);
  if (!committed.ok()) return committed.status();
  Reading reading;
  for (const auto& [partition, marks] : *watermarks) {
    const auto found = committed->find(partition);
    // Where nothing was committed, and where retention has removed what was, the group begins at the first message.
    const std::int64_t next =
        found == committed->end() ? marks.first : std::max(marks.first, found->second);
    reading.committed += found == committed->end() ? 0 : found->second;
    reading.unread += std::max<std::int64_t>(0, marks.next - next);
  }
  return reading;
}

ReadingWatch::ReadingWatch(OpenAdmin open, const time::Clock& clock)
    : open_(std::move(open)), clock_(clock) {}

void ReadingWatch::Look(const v1::Partner& partner, absl::Duration timeout,
                        v1::PartnerHealth& health) {
  if (timeout <= absl::ZeroDuration()) return;
  std::shared_ptr<kafka::Admin> admin;
  {
    const std::lock_guard lock(mutex_);
    if (!admin_) {
      auto opened = open_();
      if (!opened.ok()) return;
      admin_ = *std::move(opened);
    }
    admin = admin_;
  }
  const auto reading =
      ReadingOf(*admin, FeedTopicOf(partner.id()), partner.certificate_identity(), timeout);
  if (!reading.ok()) return;
  health.set_unread(reading->unread);

  const std::lock_guard lock(mutex_);
  Seen& seen = seen_[partner.id()];
  // What was committed before this process began to look was read at a time that nobody knows.
  if (seen.committed >= 0 && reading->committed > seen.committed) seen.got_on = clock_.Now();
  seen.committed = reading->committed;
  if (seen.got_on != absl::InfinitePast()) {
    *health.mutable_last_read_time() = time::ToTimestamp(seen.got_on);
  }
}

ReadingPart::ReadingPart(service::Runtime& runtime)
    : directory_(runtime.pool(), runtime.config().node.id),
      watch_([&runtime] { return kafka::OpenAdmin(runtime.kafka_client()); }, time::WallClock()),
      thread_([this] { Run(); }) {}

ReadingPart::~ReadingPart() { Stop(); }

void ReadingPart::Stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  if (thread_.joinable()) thread_.join();
}

void ReadingPart::Fill(const v1::Partner& partner, absl::Time deadline, v1::PartnerHealth& health) {
  watch_.Look(partner, std::min(kLookTimeout, (deadline - absl::Now()) / 2), health);
}

void ReadingPart::Run() {
  std::unique_lock lock(mutex_);
  while (!wake_.wait_for(lock, kInterval, [this] { return stopping_; })) {
    lock.unlock();
    LookAtAll();
    lock.lock();
  }
}

// While the database is away nothing is looked at; the service says so itself.
void ReadingPart::LookAtAll() {
  const auto snapshot = directory_.Current();
  if (!snapshot.ok()) return;
  for (const auto& [code, partner] : (*snapshot)->partners) {
    v1::PartnerHealth health;
    health.set_unread(-1);
    watch_.Look(partner, kLookTimeout, health);
    telemetry::GetGauge("sankofa_feed_unread_messages",
                        "Messages on a partner's feed that it has not committed; -1: not known.",
                        {{"partner", code}})
        .Set(static_cast<double>(health.unread()));
  }
}

}  // namespace sankofa::exchange
