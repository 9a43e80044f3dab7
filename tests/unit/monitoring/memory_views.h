#pragma once

#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "sankofa/monitoring/v1/monitoring_service.pb.h"
#include "services/monitoring/view/views.h"
#include "services/platform/status/refuse.h"
#include "tests/unit/harness.h"

// What stands around the views, in memory: their store, the journals, and a client that watches.
namespace sankofa::monitoring {

// A store in memory that can be away, be emptied, and be written by somebody else in between.
class MemoryViewStore final : public ViewStore {
 public:
  absl::StatusOr<std::vector<ViewSlot>> Get(std::span<const std::string> case_ids) override {
    const std::lock_guard lock(mutex);
    if (away) return status::Unavailable("away");
    std::vector<ViewSlot> slots;
    for (const std::string& case_id : case_ids) {
      const auto found = values.find(case_id);
      if (found == values.end()) {
        slots.emplace_back();
        continue;
      }
      ViewSlot slot{.view = v1::CaseView(), .version = found->second};
      slot.view->ParseFromString(found->second);
      slots.push_back(std::move(slot));
    }
    return slots;
  }
  absl::StatusOr<std::vector<bool>> Put(std::span<const Write> writes) override {
    if (before_put) std::exchange(before_put, nullptr)();
    const std::lock_guard lock(mutex);
    if (away) return status::Unavailable("away");
    std::vector<bool> written;
    for (const Write& write : writes) {
      const auto found = values.find(write.case_id);
      const bool same = (found == values.end() ? "" : found->second) == write.version;
      if (same) values[write.case_id] = write.view->SerializeAsString();
      written.push_back(same);
    }
    return written;
  }
  absl::Status Drop(const std::string& case_id) override {
    const std::lock_guard lock(mutex);
    if (away) return status::Unavailable("away");
    values.erase(case_id);
    return absl::OkStatus();
  }

  std::mutex mutex;
  std::map<std::string, std::string> values;
  bool away = false;
  std::function<void()> before_put;
};

// The journals: what was committed so far.
class Journals final : public EventSource {
 public:
  absl::StatusOr<std::vector<engine::IncomingEvent>> Replay(const std::string& case_id,
                                                            absl::Time /*deadline*/) override {
    const std::lock_guard lock(mutex);
    ++replays;
    if (away) return status::Unavailable("away");
    std::vector<engine::IncomingEvent> of_case;
    for (const auto& event : events) {
      if (event.meta.partition_key == case_id) of_case.push_back(event);
    }
    return of_case;
  }

  std::mutex mutex;
  std::vector<engine::IncomingEvent> events;
  bool away = false;
  int replays = 0;
};

class Sink final : public rpc::StreamSink {
 public:
  bool Write(const google::protobuf::Message& message) override {
    if (full) return false;
    messages.push_back(static_cast<const v1::WatchCaseResponse&>(message));
    return true;
  }
  void Finish(const absl::Status& status) override { finished.push_back(test::Reason(status)); }
  [[nodiscard]] bool cancelled() const override { return gone; }

  [[nodiscard]] std::vector<std::int64_t> tokens() const {
    std::vector<std::int64_t> tokens;
    for (const auto& message : messages) tokens.push_back(message.view().token());
    return tokens;
  }

  std::vector<v1::WatchCaseResponse> messages;
  std::vector<std::string> finished;
  bool full = false;
  bool gone = false;
};

}  // namespace sankofa::monitoring
