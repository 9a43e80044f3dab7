#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "sankofa/monitoring/v1/case_view.pb.h"
#include "services/platform/redis/client.h"

namespace sankofa::monitoring {

// What is kept of one case.
struct ViewSlot {
  std::optional<v1::CaseView> view;  // nothing where there is none, or none that can be read
  std::string version;               // names the bytes; empty where there are none
};

// Where views are kept. A view is written only over the version that was read, so that writers who know nothing of each
// other never undo each other's work. All calls are UNAVAILABLE where the store is away. Thread-safe.
class ViewStore {
 public:
  virtual ~ViewStore() = default;
  // One slot for each case, in order.
  [[nodiscard]] virtual absl::StatusOr<std::vector<ViewSlot>> Get(
      std::span<const std::string> case_ids) = 0;

  struct Write {
    std::string case_id;
    std::string version;  // of the slot that was read
    const v1::CaseView* view = nullptr;
  };
  // For each write whether it took effect: false where another version is there meanwhile.
  [[nodiscard]] virtual absl::StatusOr<std::vector<bool>> Put(std::span<const Write> writes) = 0;

  [[nodiscard]] virtual absl::Status Drop(const std::string& case_id) = 0;
};

// In Redis under "view:<case id>": 16 bytes of hash, then the view in wire form. Views that nobody touches for a month
// go by themselves.
class RedisViewStore final : public ViewStore {
 public:
  explicit RedisViewStore(redis::Client& client) : client_(client) {}
  [[nodiscard]] absl::StatusOr<std::vector<ViewSlot>> Get(
      std::span<const std::string> case_ids) override;
  [[nodiscard]] absl::StatusOr<std::vector<bool>> Put(std::span<const Write> writes) override;
  [[nodiscard]] absl::Status Drop(const std::string& case_id) override;

 private:
  redis::Client& client_;
};

}  // namespace sankofa::monitoring
