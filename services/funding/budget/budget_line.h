#pragma once

#include "sankofa/funding/v1/budget_line.pb.h"
#include "sankofa/funding/v1/funding_events.pb.h"
#include "services/platform/engine/decider.h"

namespace sankofa::funding {

// Money set aside under an agreement. At any time available + reserved + spent = allotted, and none is below zero: a
// command that would break it is refused, and an event that does ends the process.
//
//     opened, transferred in ─► available ──reserve──► reserved ──pay──► spent
//                                   ▲ ◄──────void───────┘                 │
//                                   └──────────────refund─────────────────┘
struct BudgetLineDecider {
  using State = v1::BudgetLine;
  using EventTypes =
      engine::EventTypes<v1::BudgetLineOpened, v1::BudgetTransferredOut, v1::BudgetTransferredIn,
                         v1::BudgetReserved, v1::BudgetVoided, v1::BudgetSpent, v1::BudgetRefunded>;

  // Names the agreement.
  static engine::Decision Decide(const State& line, const v1::OpenBudgetLineRequest& request,
                                 const engine::Context& context);
  // Names the line that receives.
  static engine::Decision Decide(const State& line, const v1::TransferBudgetRequest& request,
                                 const engine::Context& context);

  static void Apply(State& line, const v1::BudgetLineOpened& event);
  static void Apply(State& line, const v1::BudgetTransferredOut& event);
  static void Apply(State& line, const v1::BudgetTransferredIn& event);
  static void Apply(State& line, const v1::BudgetReserved& event);
  static void Apply(State& line, const v1::BudgetVoided& event);
  static void Apply(State& line, const v1::BudgetSpent& event);
  static void Apply(State& line, const v1::BudgetRefunded& event);

  static const engine::Table& ProjectTable();
  static std::vector<engine::Row> Project(const State& line);
  static const engine::Table& EventTable();
  static std::vector<engine::Row> ProjectEvent(const State& line,
                                               const google::protobuf::Message& event);
};

}  // namespace sankofa::funding
