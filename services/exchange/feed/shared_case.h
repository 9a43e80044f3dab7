#pragma once

#include <vector>

#include "sankofa/exchange/v1/exchange_events.pb.h"
#include "sankofa/exchange/v1/exchange_internal.pb.h"
#include "sankofa/exchange/v1/shared_case.pb.h"
#include "services/platform/engine/decider.h"
#include "services/platform/engine/registry.h"

// What exchange knows of a case: enough to say which agreements are about it, and no more.
namespace sankofa::exchange {

struct SharedCaseDecider {
  using State = v1::SharedCase;
  using EventTypes = engine::EventTypes<v1::CaseNoted>;

  static engine::Decision Decide(const State& of, const v1::NoteCaseRequest& request,
                                 const engine::Context& context);
  static void Apply(State& of, const v1::CaseNoted& event);

  static std::vector<engine::Row> Project(const State& of);
  static const engine::Table& ProjectTable();
};

// The case with what `news` says of it; what is empty or false there stays.
[[nodiscard]] v1::SharedCase Noted(const v1::SharedCase& of, const v1::SharedCase& news);

// What an event of registration says of a case; without an id where it says nothing.
[[nodiscard]] v1::SharedCase NewsIn(const google::protobuf::Message& event);

void BindSharedCase(engine::Registry& registry);

}  // namespace sankofa::exchange
