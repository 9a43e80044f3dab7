#include "services/platform/engine/memory_store.h"

#include <algorithm>

#include "services/platform/status/check.h"

namespace sankofa::engine {
namespace {

template <class Map, class Keys>
Map Select(const Map& from, const Keys& keys) {
  Map selected;
  for (const auto& key : keys) {
    const auto found = from.find(key);
    if (found != from.end()) selected.insert(*found);
  }
  return selected;
}

}  // namespace

class MemorySession final : public StoreSession {
 public:
  explicit MemorySession(MemoryStore& store) : store_(store) {}

  absl::StatusOr<Loaded> Load(const LoadRequest& request) override {
    status::Check(!lock_.owns_lock(), "a unit of work was begun inside another");
    lock_ = std::unique_lock(store_.unit_of_work_);
    return Loaded{.streams = Select(store_.streams_, request.streams),
                  .answers = Select(store_.answers_, request.request_ids),
                  .marks = Select(store_.marks_, request.inbox)};
  }

  absl::StatusOr<std::map<std::string, SubjectKey>> LoadKeys(
      const std::vector<std::string>& subjects) override {
    status::Check(lock_.owns_lock(), "keys are locked inside a unit of work");
    return Select(store_.keys_, subjects);
  }

  absl::Status Commit(const WriteSet& writes) override {
    status::Check(lock_.owns_lock(), "a commit without a unit of work");
    const std::unique_lock done(std::move(lock_));
    if (store_.on_commit) {
      if (auto status = store_.on_commit(writes); !status.ok()) return status;
    }
    for (const StateWrite& write : writes.states) {
      store_.streams_[write.stream] = write.stored;
      store_.deadlines_.erase(write.stream);
      if (write.due) {
        store_.deadlines_[write.stream] = {write.stream, write.stored.version, *write.due,
                                           write.due_command_type, write.due_command};
      }
    }
    store_.journal_.insert(store_.journal_.end(), writes.journal.begin(), writes.journal.end());
    for (const Answer& answer : writes.answers) store_.answers_[answer.request_id] = answer;
    for (const SubjectKey& key : writes.new_keys) store_.keys_.emplace(key.subject_id, key);
    for (const std::string& subject : writes.destroyed_keys) {
      store_.keys_[subject] = {subject, ""};
    }
    for (const auto& [stream, sequence] : writes.marks) store_.marks_[stream] = sequence;
    store_.dead_letters_.insert(store_.dead_letters_.end(), writes.dead_letters.begin(),
                                writes.dead_letters.end());
    return absl::OkStatus();
  }

  void Rollback() override {
    if (lock_.owns_lock()) lock_.unlock();
  }

  absl::StatusOr<std::map<StreamKey, StoredStream>> Peek(
      const std::vector<StreamKey>& streams) override {
    const std::scoped_lock lock(store_.unit_of_work_);
    return Select(store_.streams_, streams);
  }

  absl::StatusOr<std::map<std::string, SubjectKey>> PeekKeys(
      const std::vector<std::string>& subjects) override {
    const std::scoped_lock lock(store_.unit_of_work_);
    return Select(store_.keys_, subjects);
  }

  absl::StatusOr<std::vector<DueCommand>> Due(absl::Time now, int limit) override {
    const std::scoped_lock lock(store_.unit_of_work_);
    std::vector<DueCommand> due;
    for (const auto& [_, command] : store_.deadlines_) {
      if (command.due <= now) due.push_back(command);
    }
    std::sort(due.begin(), due.end(), [](const DueCommand& a, const DueCommand& b) {
      return std::tie(a.due, a.stream) < std::tie(b.due, b.stream);
    });
    if (due.size() > static_cast<size_t>(limit)) due.resize(static_cast<size_t>(limit));
    return due;
  }

  absl::StatusOr<std::vector<JournalRow>> ReadStream(const StreamKey& stream,
                                                     std::int64_t from_sequence,
                                                     int limit) override {
    const std::scoped_lock lock(store_.unit_of_work_);
    std::vector<JournalRow> rows;
    for (const JournalRow& row : store_.journal_) {
      const bool wanted =
          stream.type.empty() ? row.partition_key == stream.id : row.stream == stream;
      if (wanted && row.sequence >= from_sequence) rows.push_back(row);
      if (rows.size() == static_cast<size_t>(limit)) break;
    }
    return rows;
  }

 private:
  MemoryStore& store_;
  std::unique_lock<std::mutex> lock_;
};

absl::StatusOr<std::unique_ptr<StoreSession>> MemoryStore::Open(absl::Time /*deadline*/) {
  return std::make_unique<MemorySession>(*this);
}

}  // namespace sankofa::engine
