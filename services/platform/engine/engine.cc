#include "services/platform/engine/engine.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "google/protobuf/descriptor.h"
#include "sankofa/common/v1/common_reason.pb.h"
#include "services/platform/engine/batch.h"

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

void SetRequestId(Message& request, const std::string& id) {
  const auto* field = request.GetDescriptor()->FindFieldByName("request_id");
  status::Check(field != nullptr, request.GetDescriptor()->full_name() + " has no request_id");
  request.GetReflection()->SetString(&request, field, id);
}

absl::StatusOr<std::vector<CommandCall>> ReactTo(const Reactions& reactions,
                                                 const IncomingEvent& event) {
  const Reactions::Handler* handler = reactions.Find(event.event_type);
  if (handler == nullptr) {
    const bool known = google::protobuf::DescriptorPool::generated_pool()->FindMessageTypeByName(
                           event.event_type) != nullptr;
    if (!known) return status::Refuse(common::v1::REASON_UNKNOWN_EVENT_TYPE);
    return std::vector<CommandCall>();
  }
  std::unique_ptr<Message> message(handler->prototype->New());
  if (!message->ParseFromString(event.payload)) {
    return status::Refuse(common::v1::REASON_MALFORMED_EVENT);
  }
  Commands commands;
  handler->react(*message, event.meta, commands);
  const EventMeta& meta = event.meta;
  const std::string cause =
      absl::StrCat(meta.source, "/", meta.stream.type, "/", meta.stream.id, "/", meta.sequence);
  std::vector<CommandCall> calls;
  for (auto& request : commands.requests()) {
    SetRequestId(*request, DerivedId(cause, absl::StrCat(calls.size())));
    CommandCall call;
    call.request = std::move(request);
    call.actor.system = meta.source;
    call.now = meta.time;
    call.traceparent = meta.traceparent;
    calls.push_back(std::move(call));
  }
  return calls;
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

// One unit of work over events. Nothing: a name came up under a lock, and all has to go through again.
absl::StatusOr<std::optional<ReactionResult>> ReactOnce(Batch& batch, const Reactions& reactions,
                                                        std::span<const IncomingEvent> events) {
  std::vector<absl::Status> refusals;  // why an event is put aside; OK: it is not
  std::vector<std::vector<size_t>> places(events.size());
  for (size_t i = 0; i < events.size(); ++i) {
    batch.AddInbox({events[i].meta.source, events[i].meta.stream});
    const auto calls = ReactTo(reactions, events[i]);
    refusals.push_back(calls.status());
    if (!calls.ok()) continue;
    for (const CommandCall& call : *calls) places[i].push_back(batch.Add(call));
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
    for (const size_t place : places[i]) {
      const auto outcome = batch.Decide(place);
      if (!outcome) {
        batch.Rollback();
        return std::optional<ReactionResult>();
      }
      if (refusals[i].ok()) refusals[i] = outcome->status();
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
  absl::Status failure;
  for (int round = 0; round < kRoundsMax; ++round) {
    Batch batch(options_, registry_, vault_, session);
    auto result = ReactOnce(batch, reactions, events);
    if (result.ok() && *result) return **result;
    if (!result.ok()) {
      failure = result.status();
      break;
    }
  }
  if (failure.ok()) failure = status::Unavailable("aggregates change faster than they are locked");
  if (status::IsTransient(failure)) return failure;
  if (events.size() == 1) {
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
  ReactionResult sum;
  for (size_t i = 0; i < events.size(); ++i) {
    auto one = React(session, reactions, events.subspan(i, 1));
    if (!one.ok()) return one.status();
    sum.applied += one->applied;
    sum.repeated += one->repeated;
    sum.dead_letters += one->dead_letters;
    sum.gaps.insert(sum.gaps.end(), one->gaps.begin(), one->gaps.end());
  }
  return sum;
}

absl::StatusOr<std::vector<CommandCall>> Engine::CommandsOf(const Reactions& reactions,
                                                            const IncomingEvent& event) const {
  return ReactTo(reactions, event);
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
