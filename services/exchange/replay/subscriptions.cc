#include "services/exchange/replay/subscriptions.h"

#include <algorithm>
#include <utility>

#include "absl/time/clock.h"
#include "services/platform/status/refuse.h"

namespace sankofa::exchange {

Subscriptions::Subscriptions(Options options, const OutgoingFeed& feed, Directory& directory,
                             FeedReader reader)
    : options_(std::move(options)),
      feed_(feed),
      directory_(directory),
      reader_(std::move(reader)),
      open_(telemetry::GetGauge("sankofa_feed_subscriptions", "Open streams of Subscribe.")) {
  thread_ = std::thread([this] { Run(); });
}

Subscriptions::~Subscriptions() { Stop(); }

void Subscriptions::Stop() {
  {
    const std::lock_guard lock(bell_->mutex);
    bell_->stopping = true;
  }
  bell_->rung.notify_all();
  if (thread_.joinable()) thread_.join();
}

void Subscriptions::Wake() {
  {
    const std::lock_guard lock(bell_->mutex);
    bell_->ringing = true;
  }
  bell_->rung.notify_all();
}

void Subscriptions::Add(const engine::Actor& actor, FeedCursor cursor,
                        std::shared_ptr<rpc::StreamSink> sink) {
  sink->OnRoom([bell = bell_] {
    {
      const std::lock_guard lock(bell->mutex);
      bell->ringing = true;
    }
    bell->rung.notify_all();
  });
  {
    const std::lock_guard lock(mutex_);
    arrived_.push_back({.actor = actor, .cursor = cursor, .sink = std::move(sink)});
    ++size_;
  }
  Wake();
}

std::size_t Subscriptions::size() const {
  const std::lock_guard lock(mutex_);
  return size_;
}

std::optional<bool> Subscriptions::Serve(const Snapshot& snapshot, Subscriber& subscriber) {
  if (subscriber.sink->cancelled()) return std::nullopt;
  const auto partner = CallingPartner(snapshot, subscriber.actor);
  if (!partner.ok()) {
    subscriber.sink->Finish(partner.status());
    return std::nullopt;
  }
  const absl::Time now = absl::Now();
  const int room = static_cast<int>(std::min<std::size_t>(subscriber.sink->room(), options_.page));
  if (room == 0 || now < subscriber.not_before) return false;
  auto page =
      feed_.After(reader_, {.snapshot = snapshot, .partner = **partner, .now = options_.now()},
                  subscriber.cursor, room);
  absl::Status status = page.status();
  if (status.ok() && options_.record && !page->cases.empty()) {
    status = options_.record(subscriber.actor, page->cases);
  }
  if (!status.ok()) {
    trouble_.Met(telemetry::Level::kWarn, "a subscriber waits: its feed can't be read",
                 {{"partner", (*partner)->id()}, {"status", status}});
    subscriber.not_before = now + options_.pause;
    return false;
  }
  for (const v1::FeedMessage& message : page->messages) {
    // There was room for all of them, so only who is gone takes one no more.
    if (!subscriber.sink->Write(message)) return std::nullopt;
  }
  subscriber.cursor = page->next;
  return !page->end;
}

void Subscriptions::Run() {
  const telemetry::ServiceScope scope("exchange");
  bool at_once = false;
  while (true) {
    {
      std::unique_lock lock(bell_->mutex);
      if (!at_once) {
        bell_->rung.wait_for(lock, absl::ToChronoNanoseconds(options_.look),
                             [this] { return bell_->ringing || bell_->stopping; });
      }
      bell_->ringing = false;
      if (bell_->stopping) break;
    }
    {
      const std::lock_guard lock(mutex_);
      subscribers_.splice(subscribers_.end(), arrived_);
    }
    at_once = false;
    if (subscribers_.empty()) continue;
    const auto snapshot = directory_.Current();
    if (!snapshot.ok()) {
      trouble_.Met(telemetry::Level::kWarn, "subscribers wait: partners can't be looked up",
                   {{"status", snapshot.status()}});
      continue;
    }
    for (auto subscriber = subscribers_.begin(); subscriber != subscribers_.end();) {
      const auto more = Serve(**snapshot, *subscriber);
      at_once |= more.value_or(false);
      subscriber = more ? std::next(subscriber) : subscribers_.erase(subscriber);
    }
    const std::lock_guard lock(mutex_);
    size_ = subscribers_.size() + arrived_.size();
    open_.Set(static_cast<double>(size_));
  }
  for (Subscriber& subscriber : subscribers_) {
    subscriber.sink->Finish(status::Unavailable("the node is stopping: come back with the cursor"));
  }
  subscribers_.clear();
  const std::lock_guard lock(mutex_);
  arrived_.clear();
}

}  // namespace sankofa::exchange
