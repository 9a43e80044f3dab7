#include "services/platform/service/node_queries.h"

#include <memory>
#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "sankofa/common/v1/access_log.pb.h"
#include "sankofa/common/v1/common_reason.pb.h"
#include "sankofa/common/v1/node_service.pb.h"
#include "services/platform/crypto/master_keys.h"
#include "services/platform/postgres/journal.h"
#include "services/platform/service/letters.h"
#include "services/platform/service/runtime.h"
#include "services/platform/time/time.h"

namespace sankofa::service {
namespace {

using common::v1::ReplayedEvent;
using common::v1::ReplayResponse;
using postgres::Journal;
using postgres::JournalPosition;

constexpr int kReplayDefault = 100;
constexpr int kListDefault = 25;

int PageSize(int asked, int otherwise) { return asked > 0 ? asked : otherwise; }

// A place in the journal's order of commit: "<transaction id>-<position>".
std::string FormatCursor(const JournalPosition& at) {
  return absl::StrCat(at.xid, "-", at.position);
}

absl::StatusOr<JournalPosition> ParseCursor(const std::string& text) {
  JournalPosition at;
  if (text.empty()) return at;
  const std::vector<std::string> parts = absl::StrSplit(text, '-');
  if (parts.size() != 2 || !absl::SimpleAtoi(parts[0], &at.xid) ||
      !absl::SimpleAtoi(parts[1], &at.position) || at.position < 0) {
    return status::Refuse(common::v1::REASON_INVALID_PAGE_TOKEN);
  }
  return at;
}

ReplayedEvent EventOf(const engine::JournalRow& row, const JournalPosition& at) {
  ReplayedEvent event;
  event.set_aggregate(row.stream.type);
  event.set_aggregate_id(row.stream.id);
  event.set_sequence(row.sequence);
  event.set_partition_key(row.partition_key);
  event.set_type(row.event_type);
  event.set_payload(row.payload);
  *event.mutable_event_time() = time::ToTimestamp(row.event_time);
  event.set_previous_hash(row.previous_hash);
  event.set_hash(row.hash);
  event.set_traceparent(row.traceparent);
  event.set_cursor(FormatCursor(at));
  return event;
}

// What a person sees of a case is on its trail; what a service replays is its own business.
void RecordForPerson(rpc::QueryCall& call, const ReplayResponse& response) {
  if (call.actor().subject.empty()) return;
  for (const ReplayedEvent& event : response.events()) call.RecordRead(event.partition_key());
}

// A journal over a connection of the runtime's pool, as long as this lives.
class PooledJournal {
 public:
  [[nodiscard]] static absl::StatusOr<PooledJournal> Take(Runtime& runtime, rpc::QueryCall& call) {
    auto connection = runtime.pool().Acquire(call.deadline());
    if (!connection.ok()) return connection.status();
    return PooledJournal(*std::move(connection), runtime.definition().name);
  }
  Journal* operator->() { return journal_.get(); }

 private:
  PooledJournal(postgres::PooledConnection connection, const std::string& schema)
      : connection_(std::make_unique<postgres::PooledConnection>(std::move(connection))),
        journal_(std::make_unique<Journal>(**connection_, schema)) {}

  std::unique_ptr<postgres::PooledConnection> connection_;
  std::unique_ptr<Journal> journal_;
};

absl::StatusOr<ReplayResponse> ReplayStream(Runtime& runtime, rpc::QueryCall& call,
                                            const common::v1::ReplayStreamRequest& request) {
  auto journal = PooledJournal::Take(runtime, call);
  if (!journal.ok()) return journal.status();
  const int page_size = PageSize(request.page_size(), kReplayDefault);
  auto rows = (*journal)->ReadStream({request.aggregate(), request.aggregate_id()},
                                     request.from_sequence(), page_size);
  if (!rows.ok()) return rows.status();
  ReplayResponse response;
  for (const auto& row : *rows) {
    if (row.publish) *response.add_events() = EventOf(row, {});
  }
  response.set_end(rows->size() < static_cast<size_t>(page_size));
  RecordForPerson(call, response);
  return response;
}

ReplayResponse PageOf(const std::vector<postgres::PlacedRow>& rows, int page_size) {
  ReplayResponse response;
  for (const auto& placed : rows) {
    if (placed.row.publish) *response.add_events() = EventOf(placed.row, placed.at);
  }
  response.set_end(rows.size() < static_cast<size_t>(page_size));
  if (!rows.empty()) response.set_cursor(FormatCursor(rows.back().at));
  return response;
}

absl::StatusOr<ReplayResponse> ReplayCase(Runtime& runtime, rpc::QueryCall& call,
                                          const common::v1::ReplayCaseRequest& request) {
  const auto after = ParseCursor(request.after());
  if (!after.ok()) return after.status();
  auto journal = PooledJournal::Take(runtime, call);
  if (!journal.ok()) return journal.status();
  const int page_size = PageSize(request.page_size(), kReplayDefault);
  const auto rows = (*journal)->ReadPartitionKey(request.partition_key(), *after, page_size);
  if (!rows.ok()) return rows.status();
  ReplayResponse response = PageOf(*rows, page_size);
  RecordForPerson(call, response);
  return response;
}

absl::StatusOr<ReplayResponse> ReplayAll(Runtime& runtime, rpc::QueryCall& call,
                                         const common::v1::ReplayAllRequest& request) {
  // One shard, so one order; more would need a cursor for each.
  static_assert(postgres::kShards == 1);
  const auto after = ParseCursor(request.after());
  if (!after.ok()) return after.status();
  auto journal = PooledJournal::Take(runtime, call);
  if (!journal.ok()) return journal.status();
  const int page_size = PageSize(request.page_size(), kReplayDefault);
  const auto rows = (*journal)->ReadShard(0, *after, page_size);
  if (!rows.ok()) return rows.status();
  ReplayResponse response = PageOf(*rows, page_size);
  RecordForPerson(call, response);
  return response;
}

absl::StatusOr<common::v1::ListTrailResponse> ListTrail(
    Runtime& runtime, rpc::QueryCall& call, const common::v1::ListTrailRequest& request) {
  const auto after = ParseCursor(request.page_token());
  if (!after.ok()) return after.status();
  auto journal = PooledJournal::Take(runtime, call);
  if (!journal.ok()) return journal.status();
  const int page_size = PageSize(request.page_size(), kListDefault);
  const auto rows = (*journal)->ReadPartitionKey(request.partition_key(), *after, page_size);
  if (!rows.ok()) return rows.status();
  common::v1::ListTrailResponse response;
  const std::string read_type = common::v1::ReadRecorded::descriptor()->full_name();
  for (const auto& [at, recorded_time, row] : *rows) {
    auto* entry = response.add_entries();
    *entry->mutable_event_time() = time::ToTimestamp(row.event_time);
    entry->set_type(row.event_type);
    entry->set_stream(absl::StrCat(row.stream.type, "/", row.stream.id));
    entry->set_sequence(row.sequence);
    entry->set_actor(row.actor);
    entry->set_organisation(row.organisation);
    entry->set_system(row.system);
    entry->set_hash(row.hash);
    common::v1::ReadRecorded read;
    if (row.event_type == read_type && read.ParseFromString(row.payload)) {
      entry->set_method(read.method());
      entry->set_personal(read.personal());
      entry->set_purpose(read.purpose());
    }
  }
  if (rows->size() == static_cast<size_t>(page_size)) {
    response.set_next_page_token(FormatCursor(rows->back().at));
  }
  call.RecordRead(request.partition_key());
  return response;
}

absl::StatusOr<common::v1::ListDeadLettersResponse> ListDeadLetters(
    Runtime& runtime, rpc::QueryCall& call, const common::v1::ListDeadLettersRequest& request) {
  auto journal = PooledJournal::Take(runtime, call);
  if (!journal.ok()) return journal.status();
  const auto letters = (*journal)->DeadLetters(request.all() ? "" : "waiting", request.after_id(),
                                               PageSize(request.page_size(), kListDefault));
  if (!letters.ok()) return letters.status();
  const auto waiting = (*journal)->CountDeadLetters();
  if (!waiting.ok()) return waiting.status();
  common::v1::ListDeadLettersResponse response;
  response.set_waiting(*waiting);
  for (const postgres::Letter& kept : *letters) {
    const engine::DeadLetter& dead = kept.dead;
    auto* letter = response.add_dead_letters();
    letter->set_id(kept.letter);
    letter->set_source(dead.from.source);
    letter->set_stream(absl::StrCat(dead.from.stream.type, "/", dead.from.stream.id));
    letter->set_sequence(dead.sequence);
    letter->set_type(dead.event_type);
    letter->set_reason(dead.reason);
    letter->set_detail(dead.detail);
    letter->set_state(kept.state);
    *letter->mutable_create_time() = time::ToTimestamp(kept.recorded_time);
  }
  return response;
}

absl::Status CloseLetter(rpc::QueryCall& call, std::int64_t id, const char* state,
                         const std::string& detail) {
  return call
      .Sql(
          "update dead_letter set state = $2, closed_time = now(), "
          "detail = case when $3 = '' then detail else detail || ' / ' || $3 end "
          "where letter = $1::bigint and state = 'waiting'",
          {absl::StrCat(id), std::string(state), detail})
      .status();
}

absl::StatusOr<common::v1::DeadLetterResult> ReplayDeadLetter(
    Runtime& runtime, rpc::QueryCall& call, const common::v1::ReplayDeadLetterRequest& request) {
  auto rows = call.Sql(
      "select source, type, id, sequence, partition_key, event_type, payload, event_time_nanos, "
      "traceparent, state from dead_letter where letter = $1::bigint",
      {absl::StrCat(request.id())});
  if (!rows.ok()) return rows.status();
  if (rows->rows() == 0) return status::Refuse(common::v1::REASON_NOT_FOUND);
  common::v1::DeadLetterResult result;
  result.set_state(std::string(rows->text(0, 9)));
  if (result.state() != "waiting") return result;

  const engine::IncomingEvent event{
      .meta = {.source = std::string(rows->text(0, 0)),
               .stream = {std::string(rows->text(0, 1)), std::string(rows->text(0, 2))},
               .sequence = rows->integer(0, 3),
               .partition_key = std::string(rows->text(0, 4)),
               .time = absl::FromUnixNanos(rows->integer(0, 7)),
               .traceparent = std::string(rows->text(0, 8))},
      .event_type = std::string(rows->text(0, 5)),
      .payload = rows->bytes(0, 6)};
  if (auto applied = ApplyAgain(runtime, event, call.deadline()); !applied.ok()) {
    result.set_reason(status::ReasonOf(applied));
    return result;
  }
  if (auto closed = CloseLetter(call, request.id(), "replayed", ""); !closed.ok()) return closed;
  result.set_state("replayed");
  return result;
}

absl::StatusOr<common::v1::DeadLetterResult> DiscardDeadLetter(
    Runtime& /*runtime*/, rpc::QueryCall& call,
    const common::v1::DiscardDeadLetterRequest& request) {
  const std::string why =
      absl::StrCat("discarded by ", call.actor().subject, ": ", request.reason());
  if (auto closed = CloseLetter(call, request.id(), "discarded", why); !closed.ok()) return closed;
  auto rows = call.Sql("select state from dead_letter where letter = $1::bigint",
                       {absl::StrCat(request.id())});
  if (!rows.ok()) return rows.status();
  if (rows->rows() == 0) return status::Refuse(common::v1::REASON_NOT_FOUND);
  common::v1::DeadLetterResult result;
  result.set_state(std::string(rows->text(0, 0)));
  return result;
}

absl::StatusOr<common::v1::RunDeadlinesResponse> RunDeadlines(
    Runtime& runtime, rpc::QueryCall& call, const common::v1::RunDeadlinesRequest& /*request*/) {
  const auto run = runtime.RunDeadlines(call.now());
  if (!run.ok()) return run.status();
  common::v1::RunDeadlinesResponse response;
  response.set_commands(run->commands);
  response.set_refused(run->refused);
  return response;
}

// As the file says now; the vault goes by it within a second. None where it can't be read: the vault keeps what it has.
std::vector<std::string> MasterKeyNames(const config::Crypto& crypto) {
  const auto keys = crypto.master_key.empty() ? crypto::ReadMasterKeys(crypto.master_key_file)
                                              : crypto::ParseMasterKeys(crypto.master_key);
  return keys.ok() ? crypto::KeyNames(*keys) : std::vector<std::string>();
}

absl::StatusOr<common::v1::ServiceStatus> GetServiceStatus(
    Runtime& runtime, rpc::QueryCall& call,
    const common::v1::GetServiceStatusRequest& /*request*/) {
  auto totals = call.Sql(
      "select (select count(*) from journal where publish), "
      "(select count(*) from journal j join relay_cursor c using (shard) "
      " where j.publish and (j.xid, j.position) <= (c.xid, c.position) and not exists ("
      "  select from relay_parked p where p.shard = j.shard "
      // In which topic a row goes only the service knows: what is parked for any of them counts as not published.
      "  and (split_part(p.partition_key, chr(9), 2) in ('', j.partition_key) "
      "       and strpos(p.partition_key, chr(9)) > 0 or p.partition_key = j.partition_key) "
      "  and (j.xid, j.position) >= (p.xid, p.position))), "
      "(select count(*) from dead_letter where state = 'waiting'), "
      "(select count(*) from relay_parked)",
      {});
  if (!totals.ok()) return totals.status();
  auto applied =
      call.Sql("select source, sum(sequence)::bigint from inbox_mark group by source", {});
  if (!applied.ok()) return applied.status();
  common::v1::ServiceStatus status;
  status.set_service(runtime.definition().name);
  status.set_events_published_target(totals->integer(0, 0));
  status.set_events_published(totals->integer(0, 1));
  status.set_dead_letters_waiting(totals->integer(0, 2));
  status.set_parked_cases(totals->integer(0, 3));
  for (const std::string& source : runtime.reactions().sources()) {
    (*status.mutable_events_applied())[source] = 0;
  }
  for (int row = 0; row < applied->rows(); ++row) {
    (*status.mutable_events_applied())[std::string(applied->text(row, 0))] =
        applied->integer(row, 1);
  }
  if (runtime.definition().routes) {
    const auto routed = call.Sql(
        "select count(*) from journal where publish and event_type = "
        "any(string_to_array($1, ','))",
        {absl::StrJoin(runtime.definition().routes->event_types, ",")});
    if (!routed.ok()) return routed.status();
    status.set_events_for_partners(routed->integer(0, 0));
  }
  for (const kafka::ReactionRunner* runner : runtime.consumers()) {
    auto& consumer = *status.add_consumers();
    consumer.set_group(runner->group());
    for (const std::string& source : runner->sources()) consumer.add_sources(source);
    consumer.set_lag(runner->lag());
    consumer.set_trouble(std::string(runner->Health().message()));
  }
  status.set_version(kVersion);
  *status.mutable_machine_time() = time::ToTimestamp(absl::Now());
  for (const std::string& name : MasterKeyNames(runtime.config().crypto)) {
    status.add_master_keys(name);
  }
  return status;
}

}  // namespace

void BindNodeQueries(rpc::Queries& queries, Runtime& runtime) {
  const auto bind = [&runtime](auto handle) {
    return [&runtime, handle](rpc::QueryCall& call, const auto& request) {
      return handle(runtime, call, request);
    };
  };
  queries.On<common::v1::ReplayStreamRequest, ReplayResponse>(bind(ReplayStream));
  queries.On<common::v1::ReplayCaseRequest, ReplayResponse>(bind(ReplayCase));
  queries.On<common::v1::ReplayAllRequest, ReplayResponse>(bind(ReplayAll));
  queries.On<common::v1::ListTrailRequest, common::v1::ListTrailResponse>(bind(ListTrail));
  queries.On<common::v1::ListDeadLettersRequest, common::v1::ListDeadLettersResponse>(
      bind(ListDeadLetters));
  queries.On<common::v1::ReplayDeadLetterRequest, common::v1::DeadLetterResult>(
      bind(ReplayDeadLetter));
  queries.On<common::v1::DiscardDeadLetterRequest, common::v1::DeadLetterResult>(
      bind(DiscardDeadLetter));
  queries.On<common::v1::RunDeadlinesRequest, common::v1::RunDeadlinesResponse>(bind(RunDeadlines));
  queries.On<common::v1::GetServiceStatusRequest, common::v1::ServiceStatus>(
      bind(GetServiceStatus));
}

}  // namespace sankofa::service
