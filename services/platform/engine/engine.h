#pragma once

#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "services/platform/crypto/sign.h"
#include "services/platform/crypto/vault.h"
#include "services/platform/engine/reactions.h"
#include "services/platform/engine/registry.h"
#include "services/platform/engine/store.h"

// The engine: takes a batch of commands through one unit of work.
//
//   1. names      for commands whose further aggregates follow from their state: a read without locks
//   2. load       one round trip: locks in order of key, states, stored answers, subject keys, inbox marks
//   3. decide     in memory, one command after another; each sees what the ones before it changed
//   4. commit     one round trip: states, journal, answers, projections, marks, each as one multi-row statement
//
// A refused command is refused alone. If the commit fails, the commands are tried one by one, so that one that can't
// be written does not take the others with it. The engine has no threads and no clock: it runs the same over
// PostgreSQL and over memory. Not thread-safe in itself, but stateless: many threads may share it, each with a session.
namespace sankofa::engine {

class CallSource;  // call_source.h

struct CommandCall {
  std::shared_ptr<const google::protobuf::Message> request;
  Actor actor;
  absl::Time now;
  absl::Time deadline = absl::InfiniteFuture();
  std::string traceparent;
  std::shared_ptr<const google::protobuf::Message> facts;
};

// The command's aggregate after it, without personal fields, `etag` filled; or the refusal.
using Outcome = absl::StatusOr<std::shared_ptr<const google::protobuf::Message>>;

// An event of another service, as it came from Kafka or from Replay.
struct IncomingEvent {
  EventMeta meta;
  std::string event_type;
  std::string payload;
};

// Streams that wait, each with the first sequence that is missing.
using Gaps = std::vector<std::pair<InboxStream, std::int64_t>>;

struct ReactionResult {
  int applied = 0;       // events that took effect, also those without a reaction
  int repeated = 0;      // dropped: at or below the mark
  int dead_letters = 0;  // refused for good or unknown
  Gaps gaps;             // streams whose events wait for one before them
};

struct EngineOptions {
  std::string node;                                        // "cm"
  std::string country;                                     // "CM"
  std::string service;                                     // "registration"
  std::shared_ptr<const crypto::Signer> signer = nullptr;  // of the node; none: nothing is signed
};

class Engine {
 public:
  Engine(EngineOptions options, const Registry& registry, const crypto::Vault& vault);

  // One outcome for each call, in order. Never fails as a whole.
  [[nodiscard]] std::vector<Outcome> Execute(StoreSession& session,
                                             std::span<const CommandCall> calls) const;

  // Applies events in one unit of work together with their inbox marks. Transient failures (UNAVAILABLE) are returned
  // and change nothing: the caller tries the same events again.
  [[nodiscard]] absl::StatusOr<ReactionResult> React(StoreSession& session, CallSource& source,
                                                     std::span<const IncomingEvent> events) const;
  // The same where the commands follow from the events alone.
  [[nodiscard]] absl::StatusOr<ReactionResult> React(StoreSession& session,
                                                     const Reactions& reactions,
                                                     std::span<const IncomingEvent> events) const;

  // An aggregate as it stands. `personal`: with its personal fields. NOT_FOUND where there is none.
  [[nodiscard]] absl::StatusOr<std::shared_ptr<google::protobuf::Message>> Read(
      StoreSession& session, const StreamKey& key, bool personal) const;

  [[nodiscard]] const Registry& registry() const { return registry_; }
  [[nodiscard]] const EngineOptions& options() const { return options_; }

 private:
  [[nodiscard]] absl::StatusOr<ReactionResult> ReactToEach(
      StoreSession& session, CallSource& source, std::span<const IncomingEvent> events) const;

  const EngineOptions options_;
  const Registry& registry_;
  const crypto::Vault& vault_;
};

}  // namespace sankofa::engine
