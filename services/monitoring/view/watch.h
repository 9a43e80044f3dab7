#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "sankofa/monitoring/v1/case_view.pb.h"
#include "services/platform/rpc/queries.h"

namespace sankofa::monitoring {

// The open streams of WatchCase. A stream costs an entry here and a bounded buffer in its sink, never a thread. Every
// message is the whole view, and the resume token is the view's, so a client that resumes gets what is new in one
// message. Thread-safe.
class WatchHub {
 public:
  explicit WatchHub(int streams_max) : streams_max_(streams_max) {}

  // From now on `sink` gets the case's views with a token above `after`. RESOURCE_EXHAUSTED at the limit.
  [[nodiscard]] absl::Status Add(const std::string& case_id, std::int64_t after,
                                 std::shared_ptr<rpc::StreamSink> sink);
  void Remove(const std::shared_ptr<rpc::StreamSink>& sink);

  // Tells those who watch the case and don't have this view yet. One that does not keep up is ended: it resumes with
  // its last token. An erased case ends its streams.
  void Notify(const v1::CaseView& view);

  // The cases that somebody watches; forgets streams whose clients are gone.
  [[nodiscard]] std::vector<std::string> Watched();

  // Ends all streams, and takes no more.
  void Stop();

 private:
  struct Stream {
    std::shared_ptr<rpc::StreamSink> sink;
    std::int64_t token = 0;
  };
  [[nodiscard]] int Count() const;

  const int streams_max_;
  std::mutex mutex_;
  bool stopped_ = false;
  std::map<std::string, std::vector<Stream>> streams_;  // by case
};

// "" → -1, so that a first message comes at once. Refused where the token is none of ours.
[[nodiscard]] absl::StatusOr<std::int64_t> ParseResumeToken(const std::string& token);

}  // namespace sankofa::monitoring
