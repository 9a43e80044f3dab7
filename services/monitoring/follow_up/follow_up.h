#pragma once

#include <optional>
#include <string>
#include <vector>

#include "sankofa/monitoring/v1/follow_up.pb.h"
#include "sankofa/monitoring/v1/monitoring_events.pb.h"
#include "sankofa/monitoring/v1/monitoring_internal.pb.h"
#include "sankofa/monitoring/v1/monitoring_service.pb.h"
#include "services/platform/engine/decider.h"
#include "services/platform/engine/registry.h"

namespace sankofa::monitoring {

// A visit that is not recorded this many days after its planned day is missed.
inline constexpr int kGraceDays = 14;
// A visit made earlier than this before its planned day does not stand for it.
inline constexpr int kEarlyDays = 15;
// How often a visit may be given another date, and how far from the day first planned.
inline constexpr int kReschedulesMax = 3;
inline constexpr int kRescheduleDaysMax = 90;
// Where the grant does not say at which months visits are due (domain: 1, 3, 6 and 12).
inline constexpr int kDefaultMonths[] = {1, 3, 6, 12};
inline constexpr int kVisitsMax = 24;
inline constexpr int kMonthsMax = 120;

// The visits that follow one grant; its id is the grant's. Dates of planned visits only ever grow with their numbers.
//
//     (none) ──GrantSigned──▶ ACTIVE ──CloseFollowUp, grant cancelled, case ended or erased──▶ CLOSED
//     a visit: PLANNED ──▶ RECORDED;  PLANNED ──deadline──▶ MISSED ──▶ RECORDED, or PLANNED by a new date;
//              what is PLANNED at the end is CANCELLED
struct FollowUpDecider {
  using State = v1::FollowUp;
  using EventTypes = engine::EventTypes<v1::FollowUpPlanned, v1::VisitRecorded, v1::VisitMissed,
                                        v1::VisitRescheduled, v1::FollowUpClosed>;

  static engine::Decision Decide(const State&, const v1::PlanFollowUpRequest&,
                                 const engine::Context&);
  static engine::Decision Decide(const State&, const v1::CancelFollowUpRequest&,
                                 const engine::Context&);
  static engine::Decision Decide(const State&, const v1::RecordVisitRequest&,
                                 const engine::Context&);
  static engine::Decision Decide(const State&, const v1::RescheduleVisitRequest&,
                                 const engine::Context&);
  static engine::Decision Decide(const State&, const v1::MissVisitRequest&, const engine::Context&);
  static engine::Decision Decide(const State&, const v1::CloseFollowUpRequest&,
                                 const engine::Context&);

  static void Apply(State&, const v1::FollowUpPlanned&);
  static void Apply(State&, const v1::VisitRecorded&);
  static void Apply(State&, const v1::VisitMissed&);
  static void Apply(State&, const v1::VisitRescheduled&);
  static void Apply(State&, const v1::FollowUpClosed&);

  static std::optional<engine::Deadline> NextDeadline(const State&);
  static std::vector<engine::Row> Project(const State&);
  static const engine::Table& ProjectTable();
};

// The alert that a visit raises when it is missed; each miss has one of its own.
[[nodiscard]] std::string MissedVisitAlertId(const v1::FollowUp& follow_up, const v1::Visit& visit);

// The visit of this number; null where there is none.
[[nodiscard]] const v1::Visit* FindVisit(const v1::FollowUp& follow_up, int number);

void BindFollowUp(engine::Registry& registry);

}  // namespace sankofa::monitoring
