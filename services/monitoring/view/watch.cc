#include "services/monitoring/view/watch.h"

#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "sankofa/monitoring/v1/monitoring_reason.pb.h"
#include "sankofa/monitoring/v1/monitoring_service.pb.h"
#include "services/platform/status/refuse.h"

namespace sankofa::monitoring {

using status::Refuse;

absl::StatusOr<std::int64_t> ParseResumeToken(const std::string& token) {
  if (token.empty()) return -1;
  std::int64_t parsed = 0;
  if (!absl::SimpleAtoi(token, &parsed) || parsed < 0) {
    return status::RefuseField(v1::REASON_RESUME_TOKEN_INVALID, "resume_token");
  }
  return parsed;
}

int WatchHub::Count() const {
  std::size_t count = 0;
  for (const auto& [_, streams] : streams_) count += streams.size();
  return static_cast<int>(count);
}

absl::Status WatchHub::Add(const std::string& case_id, std::int64_t after,
                           std::shared_ptr<rpc::StreamSink> sink) {
  const std::lock_guard lock(mutex_);
  if (stopped_) return Refuse(v1::REASON_WATCH_INTERRUPTED);
  if (Count() >= streams_max_) return Refuse(v1::REASON_TOO_MANY_WATCHERS);
  streams_[case_id].push_back({std::move(sink), after});
  return absl::OkStatus();
}

void WatchHub::Remove(const std::shared_ptr<rpc::StreamSink>& sink) {
  const std::lock_guard lock(mutex_);
  for (auto& [_, streams] : streams_) {
    std::erase_if(streams, [&sink](const Stream& stream) { return stream.sink == sink; });
  }
  std::erase_if(streams_, [](const auto& entry) { return entry.second.empty(); });
}

void WatchHub::Notify(const v1::CaseView& view) {
  const std::lock_guard lock(mutex_);
  const auto found = streams_.find(view.case_id());
  if (found == streams_.end()) return;
  v1::WatchCaseResponse message;
  *message.mutable_view() = view;
  message.set_resume_token(absl::StrCat(view.token()));
  // True where the stream has come to its end.
  const auto tell = [&](Stream& stream) {
    if (view.erased()) {
      stream.sink->Finish(Refuse(v1::REASON_CASE_ERASED));
      return true;
    }
    if (view.token() <= stream.token) return false;
    stream.token = view.token();
    if (stream.sink->Write(message)) return false;
    stream.sink->Finish(Refuse(v1::REASON_WATCH_INTERRUPTED));
    return true;
  };
  std::erase_if(found->second, tell);
  if (found->second.empty()) streams_.erase(found);
}

std::vector<std::string> WatchHub::Watched() {
  const std::lock_guard lock(mutex_);
  std::vector<std::string> cases;
  for (auto entry = streams_.begin(); entry != streams_.end();) {
    std::erase_if(entry->second, [](const Stream& stream) { return stream.sink->cancelled(); });
    if (entry->second.empty()) {
      entry = streams_.erase(entry);
    } else {
      cases.push_back(entry->first);
      ++entry;
    }
  }
  return cases;
}

void WatchHub::Stop() {
  const std::lock_guard lock(mutex_);
  stopped_ = true;
  for (auto& [_, streams] : streams_) {
    for (Stream& stream : streams) stream.sink->Finish(Refuse(v1::REASON_WATCH_INTERRUPTED));
  }
  streams_.clear();
}

}  // namespace sankofa::monitoring
