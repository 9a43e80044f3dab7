#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "services/platform/engine/memory_store.h"
#include "services/platform/kafka/relay.h"
#include "tests/simulation/world/process.h"

// A service's database: the store in memory, with what PostgreSQL adds to it for the relay: transaction ids, a horizon,
// and the relay's cursor. It outlives the processes that use it.
namespace sankofa::simulation {

class Database {
 public:
  Database(Process& process, Planted planted) : process_(process), planted_(planted) {}

  // Sees every commit after it has happened, with its transaction id.
  std::function<void(const engine::WriteSet&)> on_committed;

  [[nodiscard]] const engine::MemoryStore& kept() const { return kept_; }
  [[nodiscard]] engine::Store& store() { return store_; }
  // For one process: it owns the shard until it dies.
  [[nodiscard]] std::unique_ptr<kafka::RelaySource> MakeRelaySource();

  // The published events of a case, in the order of their transactions, behind the horizon.
  [[nodiscard]] std::vector<engine::JournalRow> Replay(const std::string& partition_key) const;

  // Transactions that hold the horizon back end without having written anything.
  void EndOpenTransactions() { open_.clear(); }
  [[nodiscard]] bool Relayed() const;

 private:
  class Session;
  class RelayState;
  class Sessions final : public engine::Store {
   public:
    explicit Sessions(Database& database) : database_(database) {}
    absl::StatusOr<std::unique_ptr<engine::StoreSession>> Open(absl::Time deadline) override;

   private:
    Database& database_;
  };

  [[nodiscard]] absl::Status Commit(engine::StoreSession& session, const engine::WriteSet& writes);
  [[nodiscard]] std::uint64_t TransactionFor(const engine::WriteSet& writes);
  // No transaction below it is open any more.
  [[nodiscard]] std::uint64_t Horizon() const;

  Process& process_;
  const Planted planted_;
  engine::MemoryStore kept_;
  Sessions store_{*this};
  std::uint64_t next_ = 1;
  // Given out, not committed yet: as a transaction that has made its first write and holds its locks.
  std::set<std::uint64_t> open_;
  std::map<engine::StreamKey, std::uint64_t> written_;  // the last transaction of each stream
  std::map<engine::InboxStream, std::uint64_t> marked_;
  std::map<kafka::RelayPosition, std::size_t> rows_;  // places in the journal
  kafka::RelayState relay_;
  const void* owner_ = nullptr;
};

}  // namespace sankofa::simulation
