#include "tests/simulation/world/store.h"

#include <algorithm>
#include <utility>

namespace sankofa::simulation {

// Each call can fail, and be the process's last.
class Database::Session final : public engine::StoreSession {
 public:
  Session(Database& database, std::unique_ptr<engine::StoreSession> kept)
      : database_(database), kept_(std::move(kept)) {}
  ~Session() override { kept_->Rollback(); }

  absl::StatusOr<engine::Loaded> Load(const engine::LoadRequest& request) override {
    return database_.process_.Reach([&] { return kept_->Load(request); });
  }
  absl::StatusOr<std::map<std::string, engine::SubjectKey>> LoadKeys(
      const std::vector<std::string>& subjects) override {
    return database_.process_.Reach([&] { return kept_->LoadKeys(subjects); });
  }
  absl::Status Commit(const engine::WriteSet& writes) override {
    const absl::Status committed =
        database_.process_.Reach([&] { return database_.Commit(*kept_, writes); });
    kept_->Rollback();  // where the call did not get so far
    return committed;
  }
  void Rollback() override { kept_->Rollback(); }
  absl::StatusOr<std::map<engine::StreamKey, engine::StoredStream>> Peek(
      const std::vector<engine::StreamKey>& streams) override {
    return database_.process_.Reach([&] { return kept_->Peek(streams); });
  }
  absl::StatusOr<std::map<std::string, engine::SubjectKey>> PeekKeys(
      const std::vector<std::string>& subjects) override {
    return database_.process_.Reach([&] { return kept_->PeekKeys(subjects); });
  }
  absl::StatusOr<std::vector<engine::DueCommand>> Due(absl::Time now, int limit) override {
    return database_.process_.Reach([&] { return kept_->Due(now, limit); });
  }
  absl::StatusOr<std::vector<engine::JournalRow>> ReadStream(const engine::StreamKey& stream,
                                                             std::int64_t from_sequence,
                                                             int limit) override {
    return database_.process_.Reach(
        [&] { return kept_->ReadStream(stream, from_sequence, limit); });
  }

 private:
  Database& database_;
  std::unique_ptr<engine::StoreSession> kept_;
};

absl::StatusOr<std::unique_ptr<engine::StoreSession>> Database::Sessions::Open(
    absl::Time deadline) {
  auto kept = database_.kept_.Open(deadline);
  if (!kept.ok()) return kept.status();
  return std::make_unique<Session>(database_, *std::move(kept));
}

absl::Status Database::Commit(engine::StoreSession& session, const engine::WriteSet& writes) {
  if (planted_ == Planted::kMarksApart && !writes.marks.empty()) {
    // Broken on purpose: the marks are committed first, and then the process may die.
    session.Rollback();
    engine::WriteSet marks;
    marks.marks = writes.marks;
    auto apart = *kept_.Open(absl::InfiniteFuture());
    if (auto loaded = apart->Load({}); !loaded.ok()) return loaded.status();
    if (auto committed = apart->Commit(marks); !committed.ok()) return committed;
    return process_.Reach([&]() -> absl::Status {
      engine::WriteSet rest = writes;
      rest.marks.clear();
      if (auto loaded = session.Load({}); !loaded.ok()) return loaded.status();
      return Commit(session, rest);
    });
  }
  const std::size_t first = kept_.journal().size();
  const std::uint64_t transaction = TransactionFor(writes);
  if (auto committed = session.Commit(writes); !committed.ok()) return committed;
  for (std::size_t row = first; row < kept_.journal().size(); ++row) {
    rows_[{transaction, static_cast<std::int64_t>(row - first) + 1}] = row;
    written_[kept_.journal()[row].stream] = transaction;
  }
  for (const auto& [from, _] : writes.marks) marked_[from] = transaction;
  if (on_committed) on_committed(writes);
  return absl::OkStatus();
}

// Most take the next id. Some are those of a transaction that got its id earlier and held its locks since: then nobody
// else has written to its streams meanwhile.
std::uint64_t Database::TransactionFor(const engine::WriteSet& writes) {
  Random& random = process_.random();
  if (random.Chance(process_.faults().open_transaction)) open_.insert(next_++);
  if (!open_.empty() && random.Chance(300)) {
    const std::uint64_t held = *open_.begin();
    const bool possible =
        std::all_of(writes.journal.begin(), writes.journal.end(),
                    [&](const engine::JournalRow& row) {
                      const auto last = written_.find(row.stream);
                      return last == written_.end() || last->second < held;
                    }) &&
        std::all_of(writes.marks.begin(), writes.marks.end(), [&](const auto& mark) {
          const auto last = marked_.find(mark.first);
          return last == marked_.end() || last->second < held;
        });
    // Committed with this one; otherwise it goes on, or is rolled back.
    if (possible || random.Chance(50)) open_.erase(open_.begin());
    if (possible) return held;
  }
  return next_++;
}

std::uint64_t Database::Horizon() const {
  return open_.empty() || planted_ == Planted::kNoHorizon ? next_ : *open_.begin();
}

std::vector<engine::JournalRow> Database::Replay(const std::string& partition_key) const {
  std::vector<engine::JournalRow> rows;
  for (const auto& [at, place] : rows_) {
    const engine::JournalRow& row = kept_.journal()[place];
    if (at.xid >= Horizon()) break;
    if (row.publish && row.partition_key == partition_key) rows.push_back(row);
  }
  return rows;
}

bool Database::Relayed() const {
  return relay_.parked.empty() && (rows_.empty() || relay_.cursor >= rows_.rbegin()->first);
}

// ---- What the relay asks --------------------------------------------------------------------------------------------

class Database::RelayState final : public kafka::RelaySource {
 public:
  explicit RelayState(Database& database) : database_(database) {}
  ~RelayState() override { Release(); }

  absl::StatusOr<bool> Own() override {
    return database_.process_.Reach([&]() -> absl::StatusOr<bool> {
      if (database_.owner_ == nullptr) database_.owner_ = this;
      return database_.owner_ == this;
    });
  }
  void Release() override {
    if (database_.owner_ == this) database_.owner_ = nullptr;
  }
  absl::StatusOr<kafka::RelayState> Load() override {
    return database_.process_.Reach(
        [&]() -> absl::StatusOr<kafka::RelayState> { return database_.relay_; });
  }
  absl::StatusOr<std::vector<kafka::RelayRow>> Read(kafka::RelayPosition after,
                                                    int limit) override {
    return Select(after, {database_.Horizon(), 0}, limit, /*partition_key=*/nullptr);
  }
  absl::StatusOr<std::vector<kafka::RelayRow>> ReadCase(const std::string& partition_key,
                                                        kafka::RelayPosition from,
                                                        kafka::RelayPosition to,
                                                        int limit) override {
    return Select({from.xid, from.position - 1}, {to.xid, to.position + 1}, limit, &partition_key);
  }
  absl::Status Save(const kafka::RelayUpdate& update) override {
    return database_.process_.Reach([&]() -> absl::Status {
      if (database_.owner_ != this) return status::Unavailable("not the owner");
      kafka::RelayState& state = database_.relay_;
      state.cursor = std::max(state.cursor, update.cursor);
      for (const kafka::ParkedCase& parked : update.park) {
        Forget(parked.partition_key);
        state.parked.push_back(parked);
      }
      for (const std::string& lane : update.unpark) Forget(lane);
      for (const auto& [topic, records] : update.topics) state.topics[topic] = records;
      return absl::OkStatus();
    });
  }
  absl::StatusOr<kafka::RelayLag> Lag(kafka::RelayPosition after) override {
    kafka::RelayLag lag;
    for (auto row = database_.rows_.upper_bound(after); row != database_.rows_.end(); ++row) {
      if (++lag.rows == 1) lag.oldest = database_.kept_.journal()[row->second].event_time;
    }
    return lag;
  }
  absl::StatusOr<bool> Wait(absl::Time /*deadline*/) override {
    return database_.process_.Reach([&]() -> absl::StatusOr<bool> { return true; });
  }

 private:
  absl::StatusOr<std::vector<kafka::RelayRow>> Select(kafka::RelayPosition after,
                                                      kafka::RelayPosition before, int limit,
                                                      const std::string* partition_key) {
    return database_.process_.Reach([&]() -> absl::StatusOr<std::vector<kafka::RelayRow>> {
      std::vector<kafka::RelayRow> rows;
      for (auto row = database_.rows_.upper_bound(after);
           row != database_.rows_.end() && row->first < before &&
           static_cast<int>(rows.size()) < limit;
           ++row) {
        const engine::JournalRow& kept = database_.kept_.journal()[row->second];
        if (partition_key == nullptr || kept.partition_key == *partition_key) {
          rows.push_back({row->first, kept});
        }
      }
      return rows;
    });
  }
  void Forget(const std::string& lane) {
    std::erase_if(database_.relay_.parked,
                  [&](const kafka::ParkedCase& parked) { return parked.partition_key == lane; });
  }

  Database& database_;
};

std::unique_ptr<kafka::RelaySource> Database::MakeRelaySource() {
  return std::make_unique<RelayState>(*this);
}

}  // namespace sankofa::simulation
