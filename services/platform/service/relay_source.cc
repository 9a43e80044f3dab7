#include "services/platform/service/relay_source.h"

#include <utility>

#include "services/platform/postgres/store.h"

namespace sankofa::service {
namespace {

using kafka::ParkedCase;
using kafka::RelayPosition;
using kafka::RelayRow;

RelayPosition ToRelay(const postgres::JournalPosition& at) { return {at.xid, at.position}; }
postgres::JournalPosition ToJournal(const RelayPosition& at) { return {at.xid, at.position}; }

std::vector<RelayRow> ToRelay(std::vector<postgres::PlacedRow> placed) {
  std::vector<RelayRow> rows;
  rows.reserve(placed.size());
  for (auto& row : placed) rows.push_back({ToRelay(row.at), std::move(row.row)});
  return rows;
}

// A shard that is not owned was lost, and can be taken again.
absl::Status AsLost(const absl::Status& saved) {
  if (!absl::IsFailedPrecondition(saved)) return saved;
  return status::Unavailable("the shard is not owned any more");
}

}  // namespace

JournalRelaySource::JournalRelaySource(postgres::ConnectOptions connect, std::string schema,
                                       int shard)
    : connect_(std::move(connect)), schema_(std::move(schema)), shard_(shard) {}

absl::Status JournalRelaySource::Connect() {
  if (connection_ && !connection_->broken()) return absl::OkStatus();
  journal_.reset();
  auto connection = postgres::Connection::Open(connect_);
  if (!connection.ok()) return connection.status();
  connection_ = *std::move(connection);
  if (auto listening = connection_->Listen(postgres::JournalChannel(schema_)); !listening.ok()) {
    connection_.reset();
    return listening;
  }
  journal_ = std::make_unique<postgres::Journal>(*connection_, schema_);
  return absl::OkStatus();
}

absl::Status JournalRelaySource::Connected() const {
  if (journal_ && !connection_->broken()) return absl::OkStatus();
  return status::Unavailable("the relay's connection is lost, and the shard with it");
}

absl::StatusOr<bool> JournalRelaySource::Own() {
  if (auto connected = Connect(); !connected.ok()) return connected;
  return journal_->OwnShard(shard_);
}

void JournalRelaySource::Release() {
  // The server gives the shard up with the session; nothing is left to do where that is gone.
  if (journal_ && !connection_->broken()) (void)journal_->ReleaseShard(shard_);
  journal_.reset();
  connection_.reset();
}

absl::StatusOr<kafka::RelayState> JournalRelaySource::Load() {
  if (auto connected = Connected(); !connected.ok()) return connected;
  auto progress = journal_->LoadProgress(shard_);
  if (!progress.ok()) return progress.status();
  kafka::RelayState state{
      .cursor = ToRelay(progress->cursor), .parked = {}, .topics = std::move(progress->topics)};
  for (const auto& parked : progress->parked) {
    state.parked.push_back(
        {parked.partition_key, ToRelay(parked.at), parked.reason, parked.attempts, parked.since});
  }
  return state;
}

absl::StatusOr<std::vector<RelayRow>> JournalRelaySource::Read(RelayPosition after, int limit) {
  if (auto connected = Connected(); !connected.ok()) return connected;
  auto rows = journal_->ReadShard(shard_, ToJournal(after), limit);
  if (!rows.ok()) return rows.status();
  return ToRelay(*std::move(rows));
}

absl::StatusOr<std::vector<RelayRow>> JournalRelaySource::ReadCase(const std::string& partition_key,
                                                                   RelayPosition from,
                                                                   RelayPosition to, int limit) {
  if (auto connected = Connected(); !connected.ok()) return connected;
  auto rows = journal_->ReadParked(partition_key, ToJournal(from), ToJournal(to), limit);
  if (!rows.ok()) return rows.status();
  return ToRelay(*std::move(rows));
}

absl::Status JournalRelaySource::Save(const kafka::RelayUpdate& update) {
  if (auto connected = Connected(); !connected.ok()) return connected;
  postgres::ShardStep step{.cursor = ToJournal(update.cursor),
                           .park = {},
                           .unpark = update.unpark,
                           .topics = update.topics};
  for (const ParkedCase& parked : update.park) {
    step.park.push_back(
        {parked.partition_key, ToJournal(parked.at), parked.reason, parked.attempts, parked.since});
  }
  return AsLost(journal_->SaveProgress(shard_, step));
}

absl::StatusOr<kafka::RelayLag> JournalRelaySource::Lag(RelayPosition after) {
  if (auto connected = Connected(); !connected.ok()) return connected;
  const auto unpublished = journal_->CountUnpublished(shard_, ToJournal(after));
  if (!unpublished.ok()) return unpublished.status();
  return kafka::RelayLag{.rows = unpublished->rows, .oldest = unpublished->oldest_record};
}

absl::StatusOr<bool> JournalRelaySource::Wait(absl::Time deadline) {
  if (auto connected = Connected(); !connected.ok()) return connected;
  return connection_->WaitForNotify(deadline);
}

}  // namespace sankofa::service
