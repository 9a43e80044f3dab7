#include "services/platform/rpc/library_logs.h"

#include <google/protobuf/stubs/logging.h>
#include <grpc/support/log.h>

#include <mutex>
#include <string>

#include "absl/strings/str_cat.h"
#include "services/platform/telemetry/log.h"

namespace sankofa::rpc {
namespace {

void TakeFromGrpc(gpr_log_func_args* line) {
  if (line->severity != GPR_LOG_SEVERITY_ERROR) {
    telemetry::Debug("gRPC", {{"text", line->message}});
    return;
  }
  static auto* const errors = new telemetry::RepeatedLog(absl::Seconds(10));
  errors->Met(telemetry::Level::kWarn, "gRPC",
              {{"text", line->message}, {"at", absl::StrCat(line->file, ":", line->line)}});
}

void TakeFromProtobuf(google::protobuf::LogLevel level, const char* file, int line,
                      const std::string& text) {
  const std::string at = absl::StrCat(file, ":", line);
  if (level == google::protobuf::LOGLEVEL_FATAL) {
    telemetry::Error("protobuf", {{"text", text}, {"at", at}});
  } else {
    telemetry::Debug("protobuf", {{"text", text}, {"at", at}});
  }
}

}  // namespace

void AdoptLibraryLogs() {
  static std::once_flag once;
  std::call_once(once, [] {
    gpr_set_log_function(TakeFromGrpc);
    google::protobuf::SetLogHandler(TakeFromProtobuf);
  });
}

}  // namespace sankofa::rpc
