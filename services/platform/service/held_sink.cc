#include "services/platform/service/held_sink.h"

namespace sankofa::service {

void HeldSink::Release() {
  const std::lock_guard lock(mutex_);
  if (state_ != State::kHeld) return;
  state_ = State::kReleased;
  for (const auto& message : held_) {
    // Where the client is gone the source learns of it by its next message, or by `cancelled`.
    if (!stream_->Write(*message)) break;
  }
  held_.clear();
  if (ended_) stream_->Finish(*ended_);
}

void HeldSink::Refuse(const absl::Status& status) {
  const std::lock_guard lock(mutex_);
  if (state_ != State::kHeld) return;
  state_ = State::kRefused;
  held_.clear();
  stream_->Finish(status);
}

bool HeldSink::Write(const google::protobuf::Message& message) {
  const std::lock_guard lock(mutex_);
  if (state_ == State::kReleased) return stream_->Write(message);
  if (state_ == State::kRefused || ended_ || stream_->cancelled()) return false;
  if (static_cast<int>(held_.size()) >= kHeldMax) return false;
  held_.emplace_back(message.New())->CopyFrom(message);
  return true;
}

std::size_t HeldSink::room() const {
  const std::lock_guard lock(mutex_);
  if (state_ == State::kReleased) return stream_->room();
  if (state_ == State::kRefused || ended_ || stream_->cancelled()) return 0;
  return kHeldMax - held_.size();
}

void HeldSink::Finish(const absl::Status& status) {
  const std::lock_guard lock(mutex_);
  if (state_ == State::kReleased) {
    stream_->Finish(status);
  } else if (state_ == State::kHeld && !ended_) {
    ended_ = status;
  }
}

}  // namespace sankofa::service
