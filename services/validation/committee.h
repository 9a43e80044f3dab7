#pragma once

#include <string>

#include "sankofa/validation/v1/committee.pb.h"
#include "sankofa/validation/v1/validation_events.pb.h"
#include "sankofa/validation/v1/validation_service.pb.h"
#include "services/platform/engine/decider.h"

// A committee: who sits in it, and the rules by which it decides. Rules are data; a sitting takes a copy of them when it
// opens, so that a change here never reaches into a running sitting.
namespace sankofa::validation {

inline constexpr int kSeatsMax = 50;
inline constexpr int kAppealPeriodDays =
    30;  // (assumed) where the committee does not say otherwise

// Null where there is no seat of this code.
[[nodiscard]] const v1::Seat* FindSeat(const v1::Committee& committee, const std::string& code);

struct CommitteeDecider {
  using State = v1::Committee;
  using EventTypes = engine::EventTypes<v1::CommitteeCreated, v1::CommitteeUpdated,
                                        v1::SeatAppointed, v1::SeatVacated>;

  static engine::Decision Decide(const State& committee, const v1::CreateCommitteeRequest& request,
                                 const engine::Context& context);
  static engine::Decision Decide(const State& committee, const v1::UpdateCommitteeRequest& request,
                                 const engine::Context& context);
  static engine::Decision Decide(const State& committee, const v1::AppointSeatRequest& request,
                                 const engine::Context& context);
  static engine::Decision Decide(const State& committee, const v1::VacateSeatRequest& request,
                                 const engine::Context& context);

  static void Apply(State& committee, const v1::CommitteeCreated& event);
  static void Apply(State& committee, const v1::CommitteeUpdated& event);
  static void Apply(State& committee, const v1::SeatAppointed& event);
  static void Apply(State& committee, const v1::SeatVacated& event);
};

}  // namespace sankofa::validation
