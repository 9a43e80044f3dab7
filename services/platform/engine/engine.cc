#include "services/platform/engine/engine.h"

#include <algorithm>
#include <optional>
#include <set>

#include "sankofa/common/v1/common_reason.pb.h"
#include "services/platform/engine/batch.h"
#include "services/platform/engine/call_source.h"

namespace sankofa::engine {
namespace {

using google::protobuf::Message;

// How often a command goes through again because a name came up under its lock. Each round, somebody else changed the
// aggregate in between; more than this many in a row is an overload.
constexpr int kRoundsMax = 5;

// Decides `indices` of `calls` in one unit of work. Fills outcomes; puts the indices that must go through again into
// `again`. An error means that nothing was written.
absl::Status RunOnce(Batch& batch, std::span<const CommandCall> calls,
                     const std::vector<size_t>& indices,
                     std::vector<std::optional<Outcome>>& outcomes, std::vector<size_t>& again) {
  for (const size_t index : indices) batch.Add(calls[index]);
  if (auto loaded = batch.Load(); !loaded.ok()) {
    batch.Rollback();
    return loaded;
  }
  for (size_t i = 0; i < indices.size(); ++i) {
    outcomes[indices[i]] = batch.Decide(i);
    if (!outcomes[indices[i]]) again.push_back(indices[i]);
  }
  return batch.Commit();
}

DeadLetter LetterOf(const IncomingEvent& event, std::string reason, std::string detail) {
  return DeadLetter{.from = {event.meta.source, event.meta.stream},
                    .sequence = event.meta.sequence,
                    .partition_key = event.meta.partition_key,
                    .event_type = event.event_type,
                    .payload = event.payload,
                    .event_time = event.meta.time,
                    .traceparent = event.meta.traceparent,
                    .reason = std::move(reason),
                    .detail = std::move(detail)};
}

// For each event its commands; nothing where it is not next in its stream.
using Gathered = std::vector<std::optional<Calls>>;

// Outside a unit of work: no lock is held while the source waits for others.
absl::StatusOr<Gathered> Gather(StoreSession& session, CallSource& source,
                                std::span<const IncomingEvent> events) {
  std::vector<IncomingEvent> next;
  std::vector<size_t> places;
  if (source.gathers()) {
    std::set<InboxStream> streams;
    for (const IncomingEvent& event : events) {
      streams.insert({event.meta.source, event.meta.stream});
    }
    auto loaded =
        session.Load({.streams = {}, .request_ids = {}, .inbox = {streams.begin(), streams.end()}});
    session.Rollback();
    if (!loaded.ok()) return loaded.status();
    for (size_t i = 0; i < events.size(); ++i) {
      std::int64_t& mark = loaded->marks[{events[i].meta.source, events[i].meta.stream}];
      if (events[i].meta.sequence != mark + 1) continue;
      ++mark;
      next.push_back(events[i]);
      places.push_back(i);
    }
  }
  std::vector<Calls> calls = source.CallsOf(source.gathers() ? next : events);
  status::Check(calls.size() == (source.gathers() ? next.size() : events.size()),
                "a source of commands answers for each event");
  Gathered gathered(events.size());
  for (size_t i = 0; i < calls.size(); ++i) {
    if (status::IsTransient(calls[i].status())) return calls[i].status();
    gathered[source.gathers() ? places[i] : i] = std::move(calls[i]);
  }
  return gathered;
}

// One unit of work over events. Nothing: what the commands were made from has changed, and all has to go through again.
absl::StatusOr<std::optional<ReactionResult>> ReactOnce(Batch& batch, const Gathered& gathered,
                                                        bool gathers,
                                                        std::span<const IncomingEvent> events) {
  std::vector<absl::Status> refusals;  // why an event is put aside; OK: it is not
  std::vector<std::vector<size_t>> places(events.size());
  for (size_t i = 0; i < events.size(); ++i) {
    batch.AddInbox({events[i].meta.source, events[i].meta.stream});
    refusals.push_back(gathered[i] ? gathered[i]->status() : absl::OkStatus());
    if (!gathered[i] || !gathered[i]->ok()) continue;
    for (const CommandCall& call : **gathered[i]) places[i].push_back(batch.Add(call));
  }
  if (auto loaded = batch.Load(); !loaded.ok()) {
    batch.Rollback();
    return loaded;
  }
  ReactionResult result;
  for (size_t i = 0; i < events.size(); ++i) {
    const EventMeta& meta = events[i].meta;
    const InboxStream from{meta.source, meta.stream};
    const std::int64_t mark = batch.MarkOf(from);
    if (meta.sequence <= mark) {
      ++result.repeated;
      continue;
    }
    if (meta.sequence > mark + 1) {
      const std::pair gap(from, mark + 1);
      if (std::find(result.gaps.begin(), result.gaps.end(), gap) == result.gaps.end()) {
        result.gaps.push_back(gap);
      }
      continue;
    }
    bool again = !gathered[i];  // another process has filled the gap before it
    for (const size_t place : places[i]) {
      const auto outcome = batch.Decide(place);
      again |= !outcome || (gathers && absl::IsAborted(outcome->status()));
      if (again) break;
      if (refusals[i].ok()) refusals[i] = outcome->status();
    }
    if (again) {
      batch.Rollback();
      return std::optional<ReactionResult>();
    }
    if (refusals[i].ok()) {
      ++result.applied;
    } else {
      batch.AddDeadLetter(
          LetterOf(events[i], status::ReasonOf(refusals[i]), std::string(refusals[i].message())));
      ++result.dead_letters;
    }
    batch.SetMark(from, meta.sequence);
  }
  if (auto committed = batch.Commit(); !committed.ok()) return committed;
  return std::optional(result);
}

}  // namespace

Engine::Engine(EngineOptions options, const Registry& registry, const crypto::Vault& vault)
    : options_(std::move(options)), registry_(registry), vault_(vault) {}

std::vector<Outcome> Engine::Execute(StoreSession& session,
                                     std::span<const CommandCall> calls) const {
  std::vector<std::optional<Outcome>> outcomes(calls.size());
  std::vector<size_t> pending;
  for (size_t i = 0; i < calls.size(); ++i) pending.push_back(i);

  for (int round = 0; round < kRoundsMax && !pending.empty(); ++round) {
    std::vector<size_t> again;
    Batch batch(options_, registry_, vault_, session);
    const absl::Status status = RunOnce(batch, calls, pending, outcomes, again);
    if (status.ok()) {
      pending = std::move(again);
      continue;
    }
    // What can't be written takes only itself along: one unit of work for each.
    const bool alone = pending.size() == 1 || status::IsTransient(status);
    for (const size_t index : pending) {
      if (alone) {
        outcomes[index] = status;
      } else {
        outcomes[index] = Execute(session, calls.subspan(index, 1)).front();
      }
    }
    pending.clear();
  }
  for (const size_t index : pending) {
    outcomes[index] = status::Unavailable("the aggregate changes faster than it can be locked");
  }
  std::vector<Outcome> answers;
  answers.reserve(calls.size());
  for (auto& outcome : outcomes) answers.push_back(*std::move(outcome));
  return answers;
}

absl::StatusOr<ReactionResult> Engine::React(StoreSession& session, const Reactions& reactions,
                                             std::span<const IncomingEvent> events) const {
  ReactionCalls calls(reactions);
  return React(session, calls, events);
}

absl::StatusOr<ReactionResult> Engine::React(StoreSession& session, CallSource& source,
                                             std::span<const IncomingEvent> events) const {
  absl::Status failure;
  for (int round = 0; round < kRoundsMax; ++round) {
    auto gathered = Gather(session, source, events);
    if (!gathered.ok()) return gathered.status();
    Batch batch(options_, registry_, vault_, session);
    auto result = ReactOnce(batch, *gathered, source.gathers(), events);
    if (result.ok() && *result) return **result;
    if (!result.ok()) {
      failure = result.status();
      break;
    }
  }
  if (status::IsTransient(failure)) return failure;
  if (events.size() > 1) return ReactToEach(session, source, events);
  if (failure.ok()) return status::Unavailable("aggregates change faster than they are locked");
  // It can't be written, ever: aside with it, so that its case and the others go on.
  Batch batch(options_, registry_, vault_, session);
  const InboxStream from{events[0].meta.source, events[0].meta.stream};
  batch.AddInbox(from);
  if (auto loaded = batch.Load(); !loaded.ok()) {
    batch.Rollback();
    return loaded;
  }
  batch.AddDeadLetter(LetterOf(events[0], "WRITE_FAILED", std::string(failure.message())));
  batch.SetMark(from, events[0].meta.sequence);
  if (auto committed = batch.Commit(); !committed.ok()) return committed;
  return ReactionResult{.applied = 0, .repeated = 0, .dead_letters = 1, .gaps = {}};
}

absl::StatusOr<ReactionResult> Engine::ReactToEach(StoreSession& session, CallSource& source,
                                                   std::span<const IncomingEvent> events) const {
  ReactionResult sum;
  for (size_t i = 0; i < events.size(); ++i) {
    auto one = React(session, source, events.subspan(i, 1));
    if (!one.ok()) return one.status();
    sum.applied += one->applied;
    sum.repeated += one->repeated;
    sum.dead_letters += one->dead_letters;
    sum.gaps.insert(sum.gaps.end(), one->gaps.begin(), one->gaps.end());
  }
  return sum;
}

absl::StatusOr<std::shared_ptr<Message>> Engine::Read(StoreSession& session, const StreamKey& key,
                                                      bool personal) const {
  const AggregateSpec* spec = registry_.FindAggregate(key.type);
  status::Check(spec != nullptr, key.type + " is no aggregate of this service");
  auto peeked = session.Peek({key});
  if (!peeked.ok()) return peeked.status();
  const auto found = peeked->find(key);
  if (found == peeked->end()) {
    return status::Refuse(common::v1::REASON_NOT_FOUND,
                          {.fields = {}, .metadata = {{"aggregate", key.type}}});
  }
  auto parsed = ParseState(*spec, found->second);
  if (!parsed.ok()) return parsed.status();
  std::shared_ptr<Message> state = *std::move(parsed);
  const std::string subject = SealedFor(*state);
  if (personal && !subject.empty()) {
    auto keys = session.PeekKeys({subject});
    if (!keys.ok()) return keys.status();
    const auto stored = keys->find(subject);
    if (stored != keys->end() && !stored->second.wrapped.empty()) {
      auto data_key = vault_.Unwrap(subject, stored->second.wrapped);
      if (!data_key.ok()) return data_key.status();
      if (auto unsealed = crypto::Unseal(*state, *data_key); !unsealed.ok()) return unsealed;
    }
  }
  if (!personal || !SealedFor(*state).empty()) crypto::Redact(*state);
  SetEtag(*state, found->second.version);
  return state;
}

}  // namespace sankofa::engine
