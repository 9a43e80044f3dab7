#pragma once

#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/civil_time.h"
#include "services/platform/engine/decider.h"
#include "services/platform/engine/registry.h"
#include "services/platform/status/check.h"
#include "services/platform/status/refuse.h"

// Runs deciders in memory, without engine, store or clock: what a rule says is tested as a function.
//
//     v1::Loan loan;
//     EXPECT_TRUE(Run<LoanDecider>(loan, OpenLoan(), At()).ok());
//     EXPECT_EQ(Reason(Run<LoanDecider>(loan, OpenLoan(), At())), "LOAN_NOT_OPEN");
//
// A command that touches several aggregates needs a World, which holds them all.
namespace sankofa::test {

// The morning of the Cameroon sitting: 2017-06-30T09:00Z.
inline absl::Time Morning() {
  return absl::FromCivil(absl::CivilMinute(2017, 6, 30, 9, 0), absl::UTCTimeZone());
}

// A different id at every call, in the form of a UUID; the same sequence in every run of one test binary.
inline std::string NextRequestId() {
  static int counter = 0;
  return engine::DerivedId(absl::StrCat("request-", ++counter));
}

// Stands for the keyed hash of the vault.
inline std::string FakeBlind(std::string_view label, std::string_view text) {
  std::string both(label);
  both.append(":").append(text);
  return engine::DerivedId(both);
}

// A context with a fresh request id. Roles as in the token: "case_officer".
inline engine::Context At(absl::Time now = Morning(), std::vector<std::string> roles = {},
                          std::string subject = "user-1") {
  engine::Context context;
  context.now = now;
  context.actor.subject = std::move(subject);
  context.actor.organisation = "agency";
  context.actor.roles = std::move(roles);
  context.request_id = NextRequestId();
  context.node = "cm";
  context.country = "CM";
  context.blind = FakeBlind;
  return context;
}

// The reason of a refusal; "OK" where there is none.
inline std::string Reason(const absl::Status& status) {
  if (status.ok()) return "OK";
  const std::string reason = status::ReasonOf(status);
  return reason.empty() ? status.ToString() : reason;
}

// Decides and, unless refused, applies the events. For commands that change their own aggregate only.
template <class D, class Request>
absl::Status Run(typename D::State& state, const Request& request, const engine::Context& context) {
  static engine::Registry registry;
  const engine::AggregateSpec& spec = registry.AggregateOf<D>();
  const engine::Decision decision = D::Decide(std::as_const(state), request, context);
  if (!decision.ok()) return decision.status();
  for (const engine::Emitted& emitted : decision->entries()) {
    status::Check(!emitted.key, "an event for another aggregate: use a World");
    const auto apply = spec.apply.find(emitted.event->GetDescriptor()->full_name());
    status::Check(apply != spec.apply.end(), "an event that is not among the EventTypes");
    apply->second(state, *emitted.event);
  }
  return absl::OkStatus();
}

// Several aggregates in memory. Each decider that may get events is told once: `world.Knows<PersonDecider>()`.
class World {
 public:
  World() = default;
  // With a service's own bindings, for Send.
  explicit World(const std::function<void(engine::Registry&)>& commands) { commands(registry_); }

  template <class D>
  World& Knows() {
    registry_.AggregateOf<D>();
    return *this;
  }

  // The aggregate as it stands; created empty where there is none yet.
  template <class State>
  State& Get(const std::string& id) {
    auto& slot = states_[engine::KeyOf<State>(id)];
    if (!slot) slot = std::make_unique<State>();
    return static_cast<State&>(*slot);
  }

  template <class State>
  [[nodiscard]] bool Has(const std::string& id) const {
    return states_.contains(engine::KeyOf<State>(id));
  }

  // All aggregates of one kind, in order of id.
  template <class State>
  [[nodiscard]] std::vector<const State*> All() const {
    std::vector<const State*> all;
    for (const auto& [key, state] : states_) {
      if (const auto* one = dynamic_cast<const State*>(state.get())) all.push_back(one);
    }
    return all;
  }

  // Runs a command on the aggregate `id`; `related` names the others that it touches.
  template <class D, class Request>
  absl::Status Do(const std::string& id, const Request& request, engine::Context context,
                  const std::vector<engine::StreamKey>& related = {}) {
    Knows<D>();
    const typename D::State& state = Stored<typename D::State>(id);
    return Finish(engine::KeyOf<typename D::State>(id), related, context,
                  [&] { return D::Decide(state, request, context); });
  }

  // Runs a command as the service has bound it: its id, names and decider. The request's `request_id` is filled.
  template <class Request>
  absl::Status Send(Request request, engine::Context context) {
    return SendAny(request, std::move(context));
  }

  // The same for a command of any kind, such as a reaction asks for.
  absl::Status SendAny(google::protobuf::Message& request, engine::Context context) {
    const std::string& type = request.GetDescriptor()->full_name();
    const engine::CommandSpec* spec = registry_.FindCommand(type);
    status::Check(spec != nullptr, absl::StrCat(type, " is not bound"));
    const auto* id_field = request.GetDescriptor()->FindFieldByName("request_id");
    const auto* reflection = request.GetReflection();
    if (reflection->GetString(request, id_field).empty()) {
      reflection->SetString(&request, id_field, context.request_id);
    }
    context.request_id = reflection->GetString(request, id_field);
    const engine::StreamKey key{spec->aggregate->type, spec->id(request)};
    const auto found = states_.find(key);
    if (spec->target == engine::Target::kExisting && found == states_.end()) {
      return absl::NotFoundError(key.type);
    }
    if (spec->target == engine::Target::kNew && found != states_.end()) {
      return absl::AlreadyExistsError(key.type);
    }
    const google::protobuf::Message& state =
        found == states_.end() ? *spec->aggregate->prototype : *found->second;
    engine::Names names;
    if (spec->names) spec->names(request, state, names);
    if (spec->fact_names && context.facts) {
      spec->fact_names(request, state, *context.facts, names);
    }
    return Finish(key, names.keys(), context,
                  [&] { return spec->decide(state, request, context); });
  }

  // The events of the last command that was not refused, in order.
  [[nodiscard]] const std::vector<engine::Emitted>& last() const { return last_; }
  // The first of them that is an `Event`; null where there is none.
  template <class Event>
  [[nodiscard]] const Event* Last() const {
    for (const engine::Emitted& emitted : last_) {
      if (const auto* event = dynamic_cast<const Event*>(emitted.event.get())) return event;
    }
    return nullptr;
  }

 private:
  template <class State>
  const State& Stored(const std::string& id) {
    const auto found = states_.find(engine::KeyOf<State>(id));
    return found == states_.end() ? State::default_instance()
                                  : static_cast<const State&>(*found->second);
  }

  template <class Decide>
  absl::Status Finish(const engine::StreamKey& own, const std::vector<engine::StreamKey>& related,
                      engine::Context& context, Decide decide) {
    for (const engine::StreamKey& key : related) {
      const auto found = states_.find(key);
      if (found != states_.end()) context.related[key] = found->second.get();
    }
    const engine::Decision decision = decide();
    if (!decision.ok()) return decision.status();
    last_ = decision->entries();
    for (const engine::Emitted& emitted : last_) {
      const engine::StreamKey& key = emitted.key ? *emitted.key : own;
      status::Check(key == own || std::find(related.begin(), related.end(), key) != related.end(),
                    absl::StrCat(key.type, " gets an event but was not named"));
      const engine::AggregateSpec* spec = registry_.FindAggregate(key.type);
      status::Check(spec != nullptr, absl::StrCat(key.type, " is not known: world.Knows<…>()"));
      auto& slot = states_[key];
      if (!slot) slot.reset(spec->prototype->New());
      const auto apply = spec->apply.find(emitted.event->GetDescriptor()->full_name());
      status::Check(apply != spec->apply.end(), "an event that is not among the EventTypes");
      apply->second(*slot, *emitted.event);
    }
    return absl::OkStatus();
  }

  engine::Registry registry_;
  std::map<engine::StreamKey, std::unique_ptr<google::protobuf::Message>> states_;
  std::vector<engine::Emitted> last_;
};

}  // namespace sankofa::test
