#include "services/sankofactl/output/failure.h"

#include <utility>
#include <vector>

#include "absl/strings/cord.h"
#include "absl/strings/str_cat.h"
#include "services/platform/status/refuse.h"
#include "services/platform/status/text.h"
#include "services/sankofactl/output/json.h"
#include "services/sankofactl/output/table.h"

namespace sankofa::ctl {
namespace {

constexpr std::string_view kUsageMark = "sankofactl/usage";
constexpr std::string_view kTraceKey = "trace";

// Takes the trace id out of what the node says beside.
std::string TakeTrace(status::Detail& detail, const std::string& otherwise) {
  for (auto entry = detail.metadata.begin(); entry != detail.metadata.end(); ++entry) {
    if (entry->first != kTraceKey) continue;
    std::string trace = std::move(entry->second);
    detail.metadata.erase(entry);
    return trace;
  }
  return otherwise;
}

std::string CodeOf(const absl::Status& status) { return absl::StatusCodeToString(status.code()); }

void PrintForPrograms(std::ostream& err, const absl::Status& status, const std::string& trace_id,
                      const FailureStyle& style) {
  status::Detail detail = status::DetailOf(status);
  const std::string trace = TakeTrace(detail, trace_id);
  Json error = Json::Object();
  if (!style.about.empty()) error.Set("about", style.about);
  error.Set("code", CodeOf(status));
  error.Set("reason", status::ReasonOf(status));
  error.Set("text", status::TextOf(status, style.language));
  Json fields = Json::Array();
  for (const auto& violation : detail.fields) {
    fields.Append(
        Json::Object().Set("field", violation.field).Set("description", violation.description));
  }
  error.Set("fields", fields);
  Json metadata = Json::Object();
  for (const auto& [key, value] : detail.metadata) metadata.Set(key, value);
  error.Set("metadata", metadata);
  error.Set("trace_id", trace);
  err << Json::Object().Set("error", error).Line() << "\n" << std::flush;
}

void PrintForPeople(std::ostream& err, const absl::Status& status, const std::string& trace_id,
                    const FailureStyle& style) {
  const std::string reason = status::ReasonOf(status);
  const std::string text = Printable(status::TextOf(status, style.language));
  const std::string about = style.about.empty() ? "" : absl::StrCat(style.about, ": ");
  if (reason.empty()) {
    err << "sankofactl: " << about << text << "\n";
    if (!trace_id.empty()) err << "  trace   " << trace_id << "\n";
    err.flush();
    return;
  }
  status::Detail detail = status::DetailOf(status);
  const std::string trace = TakeTrace(detail, trace_id);
  err << "sankofactl: " << about << Printable(reason) << " (" << CodeOf(status) << ")\n  " << text
      << "\n";
  for (const auto& violation : detail.fields) {
    err << "  field   " << Printable(violation.field);
    if (!violation.description.empty()) err << ": " << Printable(violation.description);
    err << "\n";
  }
  for (const auto& [key, value] : detail.metadata) {
    err << "  " << Printable(key) << std::string(key.size() < 8 ? 8 - key.size() : 1, ' ')
        << Printable(value) << "\n";
  }
  if (!trace.empty()) err << "  trace   " << Printable(trace) << "\n";
  err.flush();
}

}  // namespace

absl::Status UsageError(std::string_view what) {
  absl::Status status = absl::InvalidArgumentError(status::Absl(what));
  status.SetPayload(status::Absl(kUsageMark), absl::Cord());
  return status;
}

int ExitCodeOf(const absl::Status& status) {
  if (status.ok()) return kOk;
  return status.GetPayload(status::Absl(kUsageMark)) ? kUsage : kFailed;
}

void PrintFailure(std::ostream& err, const absl::Status& status, const std::string& trace_id,
                  const FailureStyle& style) {
  const std::string trace = ExitCodeOf(status) == kUsage ? std::string() : trace_id;
  if (style.json) {
    PrintForPrograms(err, status, trace, style);
  } else {
    PrintForPeople(err, status, trace, style);
  }
}

}  // namespace sankofa::ctl
