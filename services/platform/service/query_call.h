#pragma once

#include <memory>
#include <set>
#include <string>

#include "services/platform/engine/fact_call.h"
#include "services/platform/rpc/dispatcher.h"
#include "services/platform/service/runtime.h"

namespace sankofa::service {

// A read as a service's handler sees it: over the runtime's store and pool. Keeps what was read, for the trail.
class RuntimeQueryCall final : public rpc::QueryCall {
 public:
  RuntimeQueryCall(Runtime& runtime, const rpc::QueryRequest& query)
      : runtime_(runtime), query_(query) {}

  [[nodiscard]] const engine::Actor& actor() const override { return query_.actor; }
  [[nodiscard]] absl::Time now() const override { return query_.now; }
  [[nodiscard]] absl::Time deadline() const override { return query_.deadline; }
  void RecordRead(const std::string& partition_key) override { read_.insert(partition_key); }
  [[nodiscard]] absl::StatusOr<postgres::Result> Sql(
      const std::string& sql, const std::vector<postgres::Param>& params) override;
  [[nodiscard]] std::string Blind(std::string_view label, std::string_view text) const override;
  [[nodiscard]] absl::Status Call(const std::string& method,
                                  const google::protobuf::Message& request,
                                  google::protobuf::Message& response) override;

  // Puts what was read on the trail, and waits until it is there. An error means that the answer must not leave. Reads
  // that come together are committed together, so this costs a read one commit's latency, not one commit.
  [[nodiscard]] absl::Status Record();
  [[nodiscard]] bool personal() const { return personal_; }

 protected:
  [[nodiscard]] absl::StatusOr<std::shared_ptr<google::protobuf::Message>> LoadState(
      const engine::StreamKey& key, const std::string* purpose) override;

 private:
  Runtime& runtime_;
  const rpc::QueryRequest& query_;
  std::set<std::string> read_;
  bool personal_ = false;
  std::string purpose_;
};

// What a command's `facts` function sees.
class RuntimeFactCall final : public engine::FactCall {
 public:
  RuntimeFactCall(Runtime& runtime, const engine::CommandCall& call)
      : runtime_(runtime), call_(call) {}
  [[nodiscard]] const engine::Actor& actor() const override { return call_.actor; }
  [[nodiscard]] absl::Time now() const override { return call_.now; }
  [[nodiscard]] absl::Time deadline() const override { return call_.deadline; }
  [[nodiscard]] absl::Status Call(const std::string& method,
                                  const google::protobuf::Message& request,
                                  google::protobuf::Message& response) override;

 protected:
  [[nodiscard]] absl::StatusOr<std::shared_ptr<google::protobuf::Message>> LoadState(
      const engine::StreamKey& key) override;

 private:
  Runtime& runtime_;
  const engine::CommandCall& call_;
};

}  // namespace sankofa::service
