#pragma once

#include <concepts>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "google/protobuf/message.h"
#include "services/platform/status/refuse.h"

// What a decider is: two pure functions for each aggregate.
//
//     Decide(state, command, context) → refusal | events       the rules
//     Apply(state, event)                                      what the event means
//
// State, commands and events are protobuf messages: the command is the RPC's request, the state is the resource that
// the API returns, the events are what the journal keeps and Kafka carries. No clock, SQL, network or logging inside;
// everything that a decision may depend on is in its three arguments.
namespace sankofa::engine {

// One aggregate is one stream of events. `type` is the short name of the state message ("Case").
struct StreamKey {
  std::string type;
  std::string id;
  auto operator<=>(const StreamKey&) const = default;
};

template <class State>
[[nodiscard]] StreamKey KeyOf(std::string id) {
  return StreamKey{std::string(State::descriptor()->name()), std::move(id)};
}

// Who asks. `subject` is the opaque id in the token, never a name; empty where a system acts on its own account.
struct Actor {
  std::string subject;
  std::string organisation;
  std::vector<std::string> roles;  // lower case, as in the token: "case_officer"
  std::string system;              // the name in the certificate's SAN
};

// One event on one stream, as a decider emits it. Without a key: on the command's own aggregate.
struct Emitted {
  std::optional<StreamKey> key;
  std::shared_ptr<const google::protobuf::Message> event;
};

class Events {
 public:
  // An event on the command's own aggregate.
  template <class Event>
  Events&& Add(Event event) && {
    entries_.push_back({std::nullopt, std::make_shared<Event>(std::move(event))});
    return std::move(*this);
  }
  template <class Event>
  Events& Add(Event event) & {
    entries_.push_back({std::nullopt, std::make_shared<Event>(std::move(event))});
    return *this;
  }
  // An event on another aggregate that the command named.
  template <class State, class Event>
  Events& AddTo(std::string id, Event event) & {
    entries_.push_back({KeyOf<State>(std::move(id)), std::make_shared<Event>(std::move(event))});
    return *this;
  }
  template <class State, class Event>
  Events&& AddTo(std::string id, Event event) && {
    entries_.push_back({KeyOf<State>(std::move(id)), std::make_shared<Event>(std::move(event))});
    return std::move(*this);
  }
  [[nodiscard]] const std::vector<Emitted>& entries() const { return entries_; }
  [[nodiscard]] bool empty() const { return entries_.empty(); }

 private:
  std::vector<Emitted> entries_;
};

// Refusal or events. A decision without events is allowed: the command is acknowledged and changes nothing.
using Decision = absl::StatusOr<Events>;

template <class... Event>
[[nodiscard]] Events Emit(Event... event) {
  Events events;
  (events.Add(std::move(event)), ...);
  return events;
}

// A signature of the node and the public key (hex) that verifies it; see crypto/sign.h.
struct Signature {
  std::string bytes;
  std::string public_key;
};

// What a decision may know beside the state.
class Context {
 public:
  absl::Time
      now;      // when the command is decided; for a reaction: the time of the event that caused it
  Actor actor;  // who asks
  std::string request_id;  // of the command
  std::string node;        // this node's id, lower case ("cm")
  std::string country;     // this node's country, ISO 3166-1 alpha-2

  // The state of another aggregate that the command named (see Names); the default instance where there is none yet.
  template <class State>
  [[nodiscard]] const State& Related(const std::string& id) const {
    const auto found = related.find(KeyOf<State>(id));
    return found == related.end() ? State::default_instance()
                                  : static_cast<const State&>(*found->second);
  }

  // What was fetched from another service before the batch. Null where the command fetches nothing.
  template <class Fact>
  [[nodiscard]] const Fact* Facts() const {
    return dynamic_cast<const Fact*>(facts.get());
  }

  // A keyed hash of `text` (32 bytes as hex) by which equal texts are found without being known; `label` separates uses.
  std::function<std::string(std::string_view label, std::string_view text)> blind;

  // The node's signature over `text`; `label` separates uses. Ed25519, so the same text has the same signature. Empty
  // where the node has no signing key.
  std::function<Signature(std::string_view label, std::string_view text)> sign;

  // An id for something that this command creates: derived from the request id, so that a repeat finds the same one.
  // `label` tells several apart.
  [[nodiscard]] std::string NewId(std::string_view label = {}) const;

  // Filled by the engine, or by a test.
  std::map<StreamKey, const google::protobuf::Message*> related;
  std::shared_ptr<const google::protobuf::Message> facts;
};

// The id that Context::NewId gives: a UUID made of a hash of request id and label.
[[nodiscard]] std::string DerivedId(std::string_view request_id, std::string_view label = {});

// The event types of an aggregate, each with an Apply in the decider.
template <class... Event>
struct EventTypes {};

namespace internal {
template <class D, class Event>
concept AppliesOne = requires(typename D::State& state, const Event& event) {
  { D::Apply(state, event) } -> std::same_as<void>;
};
template <class D, class Types>
struct AppliesAll : std::false_type {};
template <class D, class... Event>
struct AppliesAll<D, EventTypes<Event...>> : std::bool_constant<(AppliesOne<D, Event> && ...)> {};
}  // namespace internal

// An aggregate's rule book: a state message, its event types, and Apply for every one of them.
template <class D>
concept Aggregate = std::derived_from<typename D::State, google::protobuf::Message> &&
    internal::AppliesAll<D, typename D::EventTypes>::value;

// A decider of one command: the aggregate has a Decide for it, which depends on nothing but its arguments.
template <class D, class Command>
concept Decider = Aggregate<D> && std::derived_from<Command, google::protobuf::Message> &&
    requires(const typename D::State& state, const Command& command, const Context& context) {
  { D::Decide(state, command, context) } -> std::same_as<Decision>;
  { command.request_id() } -> std::convertible_to<std::string>;
};

// A command that the aggregate gives itself when a time has come, unless its state changes before.
struct Deadline {
  absl::Time due;
  std::shared_ptr<const google::protobuf::Message> command;
};

// Optional in a decider: `static std::optional<Deadline> NextDeadline(const State&)`.
template <class D>
concept HasDeadline = requires(const typename D::State& state) {
  { D::NextDeadline(state) } -> std::same_as<std::optional<Deadline>>;
};

// Typed columns for queries, filled in the command's own transaction. Values in PostgreSQL's text form; nothing = NULL.
struct Row {
  std::vector<std::optional<std::string>> values;
};

// A table in the service's schema. Its first column is `owner_id`, the aggregate's id, filled by the engine; then
// `columns`. kReplace: all rows of the owner are replaced by what Project gives (keyed by owner_id and the position:
// the second column of the table is `ordinal`, filled by the engine). kAppend: rows are only added.
struct Table {
  enum class Mode { kReplace, kAppend };
  std::string name;
  std::vector<std::string> columns;
  std::vector<std::string>
      types;  // PostgreSQL types of the columns, e.g. "text", "bigint", "timestamptz", "date"
  Mode mode = Mode::kReplace;
};

// Optional in a decider: `static std::vector<Row> Project(const State&)` with `static const Table& ProjectTable()`
// (kReplace), and/or `static std::vector<Row> ProjectEvent(const State& after, const google::protobuf::Message& event)`
// with `static const Table& EventTable()` (kAppend).
template <class D>
concept HasProjection = requires(const typename D::State& state) {
  { D::Project(state) } -> std::same_as<std::vector<Row>>;
  { D::ProjectTable() } -> std::same_as<const Table&>;
};
template <class D>
concept HasEventProjection = requires(const typename D::State& state,
                                      const google::protobuf::Message& event) {
  { D::ProjectEvent(state, event) } -> std::same_as<std::vector<Row>>;
  { D::EventTable() } -> std::same_as<const Table&>;
};

}  // namespace sankofa::engine
