#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <utility>

#include "services/exchange/directory.h"

namespace sankofa::exchange {

// A directory that a test fills.
class FakeDirectory final : public Directory {
 public:
  explicit FakeDirectory(std::string node = "tg") { snapshot_.node = std::move(node); }

  void Put(v1::Partner partner) {
    const std::lock_guard lock(mutex_);
    snapshot_.partners[partner.id()] = std::move(partner);
  }
  // A further one of that partner.
  void Put(v1::SharingAgreement agreement) {
    const std::lock_guard lock(mutex_);
    snapshot_.agreements[agreement.partner_id()].push_back(std::move(agreement));
  }
  void Clear() {
    const std::lock_guard lock(mutex_);
    snapshot_.partners.clear();
    snapshot_.agreements.clear();
  }
  void Fail(absl::Status status) {
    const std::lock_guard lock(mutex_);
    status_ = std::move(status);
  }

  absl::StatusOr<std::shared_ptr<const Snapshot>> Current() override {
    const std::lock_guard lock(mutex_);
    if (!status_.ok()) return status_;
    return std::make_shared<const Snapshot>(snapshot_);
  }

 private:
  std::mutex mutex_;
  Snapshot snapshot_;
  absl::Status status_;
};

}  // namespace sankofa::exchange
