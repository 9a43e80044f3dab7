#pragma once

#include <deque>
#include <memory>
#include <mutex>
#include <optional>

#include "services/platform/rpc/queries.h"

namespace sankofa::service {

// Holds back what a stream's source writes until the reading is on the trail: the source is started before that, and may
// have something to say at once, or be told of a change by another thread. Thread-safe.
class HeldSink final : public rpc::StreamSink {
 public:
  // More messages than this are not held: the source is told that the stream is full.
  static constexpr int kHeldMax = 64;

  explicit HeldSink(std::shared_ptr<rpc::StreamSink> stream) : stream_(std::move(stream)) {}

  // The reading is on the trail: what is held goes out, and from now on everything at once.
  void Release();
  // It is not, and never will be: nothing goes out but the refusal.
  void Refuse(const absl::Status& status);

  // rpc::StreamSink
  bool Write(const google::protobuf::Message& message) override;
  void Finish(const absl::Status& status) override;
  [[nodiscard]] bool cancelled() const override { return stream_->cancelled(); }
  [[nodiscard]] std::size_t room() const override;
  void OnRoom(std::function<void()> told) override { stream_->OnRoom(std::move(told)); }

 private:
  enum class State { kHeld, kReleased, kRefused };

  const std::shared_ptr<rpc::StreamSink> stream_;
  mutable std::mutex mutex_;
  State state_ = State::kHeld;
  std::deque<std::unique_ptr<google::protobuf::Message>> held_;
  std::optional<absl::Status> ended_;
};

}  // namespace sankofa::service
