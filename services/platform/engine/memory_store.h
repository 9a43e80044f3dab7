#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "services/platform/engine/store.h"

namespace sankofa::engine {

// The store in memory: for unit tests and simulation. One unit of work at a time, all or nothing, like the real one.
// Projection rows are not kept.
class MemoryStore final : public Store {
 public:
  [[nodiscard]] absl::StatusOr<std::unique_ptr<StoreSession>> Open(absl::Time deadline) override;

  // What happens to the next commits, for tests: an error makes the commit fail with it and write nothing.
  std::function<absl::Status(const WriteSet&)> on_commit;

  // Everything, for a checker. Not to be called inside a unit of work.
  [[nodiscard]] const std::vector<JournalRow>& journal() const { return journal_; }
  [[nodiscard]] const std::map<StreamKey, StoredStream>& streams() const { return streams_; }
  [[nodiscard]] const std::map<std::string, SubjectKey>& subject_keys() const { return keys_; }
  [[nodiscard]] const std::map<std::string, Answer>& answers() const { return answers_; }
  [[nodiscard]] const std::map<InboxStream, std::int64_t>& marks() const { return marks_; }
  [[nodiscard]] const std::vector<DeadLetter>& dead_letters() const { return dead_letters_; }

 private:
  friend class MemorySession;

  std::mutex unit_of_work_;
  std::vector<JournalRow> journal_;
  std::map<StreamKey, StoredStream> streams_;
  std::map<std::string, Answer> answers_;
  std::map<std::string, SubjectKey> keys_;
  std::map<InboxStream, std::int64_t> marks_;
  std::map<StreamKey, DueCommand> deadlines_;
  std::vector<DeadLetter> dead_letters_;
};

}  // namespace sankofa::engine
