#include "services/platform/service/query_call.h"

#include "sankofa/common/v1/access_log.pb.h"
#include "services/platform/engine/batch.h"

namespace sankofa::service {
namespace {

// Calls on the service's own account, inside the caller's time; the callee sees the same scenario time.
absl::Status CallOther(Runtime& runtime, const std::string& method,
                       const google::protobuf::Message& request,
                       google::protobuf::Message& response, absl::Time deadline, absl::Time now,
                       const std::string& traceparent) {
  rpc::CallOptions options;
  options.deadline = deadline;
  options.traceparent = traceparent;
  if (runtime.config().clock.accept_scenario_time) options.scenario_time = now;
  return runtime.clients().Call(method, request, response, options);
}

}  // namespace

absl::StatusOr<postgres::Result> RuntimeQueryCall::Sql(const std::string& sql,
                                                       const std::vector<postgres::Param>& params) {
  auto connection = runtime_.pool().Acquire(query_.deadline);
  if (!connection.ok()) return connection.status();
  return (*connection)->Execute(sql, params);
}

std::string RuntimeQueryCall::Blind(std::string_view label, std::string_view text) const {
  return runtime_.vault().Blind(label, text);
}

absl::Status RuntimeQueryCall::Call(const std::string& method,
                                    const google::protobuf::Message& request,
                                    google::protobuf::Message& response) {
  return CallOther(runtime_, method, request, response, query_.deadline, query_.now,
                   query_.traceparent);
}

absl::StatusOr<std::shared_ptr<google::protobuf::Message>> RuntimeQueryCall::LoadState(
    const engine::StreamKey& key, const std::string* purpose) {
  auto session = runtime_.store().Open(query_.deadline);
  if (!session.ok()) return session.status();
  auto state = runtime_.engine().Read(**session, key, purpose != nullptr);
  if (!state.ok()) return state;
  read_.insert(engine::PartitionKeyOf(**state, key));
  if (purpose != nullptr) {
    personal_ = true;
    purpose_ = *purpose;
  }
  return state;
}

absl::Status RuntimeQueryCall::Record() {
  if (read_.empty()) return absl::OkStatus();
  auto request = std::make_shared<common::v1::RecordReadRequest>();
  for (const std::string& key : read_) request->add_partition_keys(key);
  request->set_method(query_.method);
  request->set_personal(personal_);
  request->set_purpose(purpose_);
  engine::CommandCall call;
  call.request = std::move(request);
  call.actor = query_.actor;
  call.now = query_.now;
  call.deadline = query_.deadline;
  call.traceparent = query_.traceparent;
  return runtime_.executor().Run(std::move(call)).status();
}

absl::Status RuntimeFactCall::Call(const std::string& method,
                                   const google::protobuf::Message& request,
                                   google::protobuf::Message& response) {
  return CallOther(runtime_, method, request, response, call_.deadline, call_.now,
                   call_.traceparent);
}

absl::StatusOr<std::shared_ptr<google::protobuf::Message>> RuntimeFactCall::LoadState(
    const engine::StreamKey& key) {
  auto session = runtime_.store().Open(call_.deadline);
  if (!session.ok()) return session.status();
  return runtime_.engine().Read(**session, key, /*personal=*/false);
}

}  // namespace sankofa::service
