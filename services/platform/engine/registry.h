#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "services/platform/engine/decider.h"
#include "services/platform/status/check.h"

// What a service tells the engine: its aggregates and the commands on them. From here on all is type-erased: the
// engine, the store and the simulation see protobuf messages and the functions below.
namespace sankofa::engine {

class FactCall;  // see fact_call.h

// The names of the further aggregates that a command touches.
class Names {
 public:
  template <class State>
  void Add(std::string id) {
    if (!id.empty()) keys_.push_back(KeyOf<State>(std::move(id)));
  }
  [[nodiscard]] const std::vector<StreamKey>& keys() const { return keys_; }

 private:
  std::vector<StreamKey> keys_;
};

struct AggregateSpec {
  std::string type;
  const google::protobuf::Message* prototype = nullptr;
  std::map<std::string, std::function<void(google::protobuf::Message&,
                                           const google::protobuf::Message&)>>
      apply;                                                       // by full name of the event type
  std::map<std::string, const google::protobuf::Message*> events;  // prototypes, by full name
  std::function<std::optional<Deadline>(const google::protobuf::Message&)> next_deadline;
  const Table* table = nullptr;
  std::function<std::vector<Row>(const google::protobuf::Message&)> project;
  const Table* event_table = nullptr;
  std::function<std::vector<Row>(const google::protobuf::Message&,
                                 const google::protobuf::Message&)>
      project_event;
};

// Whether a command needs its aggregate to be there.
enum class Target { kExisting, kNew, kEither };

struct CommandSpec {
  const google::protobuf::Message* prototype = nullptr;
  const AggregateSpec* aggregate = nullptr;
  Target target = Target::kExisting;
  std::function<std::string(const google::protobuf::Message&)> id;
  // Further aggregates, from the request and the command's own state. Called first with a state read without a lock,
  // and again under the lock: a name that came up only then sends the command through once more.
  std::function<void(const google::protobuf::Message& request,
                     const google::protobuf::Message& state, Names&)>
      names;
  // The same, for those that only follow from what was fetched. Not called where nothing was.
  std::function<void(const google::protobuf::Message& request,
                     const google::protobuf::Message& state, const google::protobuf::Message& facts,
                     Names&)>
      fact_names;
  // Fetches what the decision needs from other services. May wait; runs on a thread that may.
  std::function<absl::StatusOr<std::shared_ptr<const google::protobuf::Message>>(
      FactCall&, const google::protobuf::Message& request)>
      facts;
  std::function<Decision(const google::protobuf::Message& state,
                         const google::protobuf::Message& request, const Context&)>
      decide;
};

// Typed description of a command. Designated initialisers keep a service's binding table readable:
//
//     registry.Command<CaseDecider, v1::SubmitCaseRequest>({
//         .id = [](const auto& request) { return request.case_id(); },
//         .names = [](const auto& request, const auto& state, Names& names) {
//           names.Add<v1::Person>(state.person_id());
//         }});
template <class D, class Request>
struct CommandOptions {
  using State = typename D::State;
  Target target = Target::kExisting;
  // Empty for kNew: the id is then derived from the request id.
  std::function<std::string(const Request&)> id;
  std::function<void(const Request&, const State&, Names&)> names;
  std::function<absl::StatusOr<std::shared_ptr<const google::protobuf::Message>>(FactCall&,
                                                                                 const Request&)>
      facts;
  // Names that only what was fetched tells.
  std::function<void(const Request&, const State&, const google::protobuf::Message& facts, Names&)>
      fact_names;
};

class Registry {
 public:
  Registry() = default;
  Registry(const Registry&) = delete;
  Registry& operator=(const Registry&) = delete;

  template <class D, class Request>
  requires Decider<D, Request>
  void Command(CommandOptions<D, Request> options = {}) {
    CommandSpec spec;
    spec.prototype = &Request::default_instance();
    spec.aggregate = &AggregateOf<D>();
    spec.target = options.target;
    if (options.id) {
      spec.id = [id = std::move(options.id)](const google::protobuf::Message& request) {
        return id(static_cast<const Request&>(request));
      };
    } else {
      status::Check(options.target == Target::kNew,
                    Request::descriptor()->full_name() + " names no aggregate");
      spec.id = [](const google::protobuf::Message& request) {
        return DerivedId(static_cast<const Request&>(request).request_id());
      };
    }
    if (options.names) {
      spec.names = [names = std::move(options.names)](const google::protobuf::Message& request,
                                                      const google::protobuf::Message& state,
                                                      Names& out) {
        names(static_cast<const Request&>(request), static_cast<const typename D::State&>(state),
              out);
      };
    }
    if (options.fact_names) {
      spec.fact_names = [names = std::move(options.fact_names)](
                            const google::protobuf::Message& request,
                            const google::protobuf::Message& state,
                            const google::protobuf::Message& facts, Names& out) {
        names(static_cast<const Request&>(request), static_cast<const typename D::State&>(state),
              facts, out);
      };
    }
    if (options.facts) {
      spec.facts = [facts = std::move(options.facts)](FactCall& call,
                                                      const google::protobuf::Message& request) {
        return facts(call, static_cast<const Request&>(request));
      };
    }
    spec.decide = [](const google::protobuf::Message& state,
                     const google::protobuf::Message& request, const Context& context) {
      return D::Decide(static_cast<const typename D::State&>(state),
                       static_cast<const Request&>(request), context);
    };
    const auto [_, fresh] = commands_.emplace(Request::descriptor()->full_name(), std::move(spec));
    status::Check(fresh, Request::descriptor()->full_name() + " is bound twice");
  }

  // The aggregate's description; registered on first use.
  template <class D>
  requires Aggregate<D>
  const AggregateSpec& AggregateOf() {
    const std::string& type = D::State::descriptor()->name();
    const auto found = aggregates_.find(type);
    if (found != aggregates_.end()) return *found->second;
    auto spec = std::make_unique<AggregateSpec>();
    spec->type = type;
    spec->prototype = &D::State::default_instance();
    AddEvents<D>(*spec, typename D::EventTypes{});
    if constexpr (HasDeadline<D>) {
      spec->next_deadline = [](const google::protobuf::Message& state) {
        return D::NextDeadline(static_cast<const typename D::State&>(state));
      };
    }
    if constexpr (HasProjection<D>) {
      spec->table = &D::ProjectTable();
      spec->project = [](const google::protobuf::Message& state) {
        return D::Project(static_cast<const typename D::State&>(state));
      };
    }
    if constexpr (HasEventProjection<D>) {
      spec->event_table = &D::EventTable();
      spec->project_event = [](const google::protobuf::Message& state,
                               const google::protobuf::Message& event) {
        return D::ProjectEvent(static_cast<const typename D::State&>(state), event);
      };
    }
    return *aggregates_.emplace(type, std::move(spec)).first->second;
  }

  // Null where nothing of that name is bound.
  [[nodiscard]] const CommandSpec* FindCommand(std::string_view request_full_name) const;
  [[nodiscard]] const AggregateSpec* FindAggregate(std::string_view type) const;
  // What keeps these aggregates from running: states or events whose personal fields could not be sealed.
  // All in one message.
  [[nodiscard]] absl::Status Check() const;
  [[nodiscard]] const std::map<std::string, CommandSpec, std::less<>>& commands() const {
    return commands_;
  }

 private:
  template <class D, class... Event>
  void AddEvents(AggregateSpec& spec, EventTypes<Event...> /*types*/) {
    (AddEvent<D, Event>(spec), ...);
  }
  template <class D, class Event>
  void AddEvent(AggregateSpec& spec) {
    const std::string& name = Event::descriptor()->full_name();
    spec.apply[name] = [](google::protobuf::Message& state,
                          const google::protobuf::Message& event) {
      D::Apply(static_cast<typename D::State&>(state), static_cast<const Event&>(event));
    };
    spec.events[name] = &Event::default_instance();
  }

  std::map<std::string, CommandSpec, std::less<>> commands_;
  std::map<std::string, std::unique_ptr<AggregateSpec>, std::less<>> aggregates_;
};

}  // namespace sankofa::engine
