#pragma once

#include <optional>
#include <vector>

#include "absl/time/time.h"
#include "sankofa/exchange/v1/erasure.pb.h"
#include "sankofa/exchange/v1/exchange_events.pb.h"
#include "sankofa/exchange/v1/exchange_internal.pb.h"
#include "services/platform/engine/decider.h"
#include "services/platform/engine/registry.h"

// A partner is asked to erase what it got about a case: from the request that goes out on its feed to the signed receipt
// that comes back on its own, or to the day on which it is overdue and stands in the list.
namespace sankofa::exchange {

// How long a partner has to erase and to answer: a month, which is what the General Data Protection Regulation, article
// 12(3), gives whoever a person turns to.
inline constexpr absl::Duration kAnswerPeriod = absl::Hours(30 * 24);

struct ErasureDecider {
  using State = v1::Erasure;
  using EventTypes = engine::EventTypes<v1::ErasureAsked, v1::ErasureAnswered, v1::ErasureOverdue>;

  static engine::Decision Decide(const State& erasure, const v1::AskErasureRequest& request,
                                 const engine::Context& context);
  static engine::Decision Decide(const State& erasure,
                                 const v1::ReceiveErasureReceiptRequest& request,
                                 const engine::Context& context);
  static engine::Decision Decide(const State& erasure, const v1::MarkErasureOverdueRequest& request,
                                 const engine::Context& context);

  static void Apply(State& erasure, const v1::ErasureAsked& event);
  static void Apply(State& erasure, const v1::ErasureAnswered& event);
  static void Apply(State& erasure, const v1::ErasureOverdue& event);

  static std::optional<engine::Deadline> NextDeadline(const State& erasure);
  static std::vector<engine::Row> Project(const State& erasure);
  static const engine::Table& ProjectTable();
};

void BindErasure(engine::Registry& registry);

}  // namespace sankofa::exchange
