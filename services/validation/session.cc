#include "services/validation/session.h"

#include <algorithm>

#include "sankofa/validation/v1/validation_reason.pb.h"
#include "services/platform/status/check.h"
#include "services/platform/status/refuse.h"

// What the events of a sitting mean, and what its rules share.
namespace sankofa::validation {
namespace {

v1::AgendaItem& MutableItem(v1::Session& session, const std::string& project_id) {
  for (v1::AgendaItem& item : *session.mutable_agenda()) {
    if (item.project_id() == project_id) return item;
  }
  status::Fail("an event of a sitting names a project that is not on its agenda");
}

// Keeps one sum for each currency, in order of currency. Decide has checked the range.
void AddToTotals(v1::Session& session, const common::v1::Money& amount) {
  auto& totals = *session.mutable_approved_totals();
  const auto found =
      std::lower_bound(totals.begin(), totals.end(), amount,
                       [](const auto& a, const auto& b) { return a.currency() < b.currency(); });
  if (found != totals.end() && found->currency() == amount.currency()) {
    found->set_minor_units(found->minor_units() + amount.minor_units());
    return;
  }
  const auto position = found - totals.begin();
  *totals.Add() = amount;
  std::rotate(totals.begin() + position, totals.end() - 1, totals.end());
}

}  // namespace

namespace internal {

absl::Status NeedState(const v1::Session& session, v1::SessionState needed) {
  if (session.state() == needed) return absl::OkStatus();
  switch (session.state()) {
    case v1::SESSION_STATE_CLOSED: return status::Refuse(v1::REASON_SESSION_CLOSED);
    case v1::SESSION_STATE_CANCELLED: return status::Refuse(v1::REASON_SESSION_CANCELLED);
    default:
      return status::Refuse(needed == v1::SESSION_STATE_OPEN ? v1::REASON_SESSION_NOT_OPEN
                                                             : v1::REASON_SESSION_NOT_SCHEDULED);
  }
}

bool IsBefore(const v1::Session& session, const v1::LifeProject& project) {
  return project.state() == v1::PROJECT_STATE_IN_COMMITTEE && project.session_id() == session.id();
}

}  // namespace internal

void SessionDecider::Apply(State& session, const v1::SessionScheduled& event) {
  session.set_id(event.session_id());
  session.set_committee_code(event.committee_code());
  session.set_committee_name(event.committee_name());
  session.set_date(event.date());
  session.set_place(event.place());
  if (event.has_cap()) *session.mutable_cap() = event.cap();
  *session.mutable_scheduled_time() = event.scheduled_time();
  session.set_state(v1::SESSION_STATE_SCHEDULED);
}

void SessionDecider::Apply(State& session, const v1::AgendaItemAdded& event) {
  *session.add_agenda() = event.item();
}

void SessionDecider::Apply(State& session, const v1::AgendaItemRemoved& event) {
  auto& agenda = *session.mutable_agenda();
  const auto last = std::remove_if(agenda.begin(), agenda.end(), [&](const v1::AgendaItem& item) {
    return item.project_id() == event.project_id();
  });
  agenda.erase(last, agenda.end());
}

void SessionDecider::Apply(State& session, const v1::SessionCancelled& event) {
  session.set_state(v1::SESSION_STATE_CANCELLED);
  session.set_cancel_reason(event.reason());
  *session.mutable_ended_time() = event.cancelled_time();
}

void SessionDecider::Apply(State& session, const v1::SessionOpened& event) {
  session.set_state(v1::SESSION_STATE_OPEN);
  *session.mutable_seats() = event.seats();
  *session.mutable_quorum() = event.quorum();
  session.set_appeal_period_days(event.appeal_period_days());
  *session.mutable_opened_time() = event.opened_time();
}

void SessionDecider::Apply(State& session, const v1::AttendanceRecorded& event) {
  for (v1::SessionSeat& one : *session.mutable_seats()) {
    if (one.seat().code() == event.seat_code()) one.set_presence(event.presence());
  }
}

void SessionDecider::Apply(State& session, const v1::InterestDeclared& event) {
  v1::AgendaItem& item = MutableItem(session, event.project_id());
  item.add_interested_seats(event.seat_code());
  auto& votes = *item.mutable_votes();
  const auto last = std::remove_if(votes.begin(), votes.end(), [&](const v1::Vote& vote) {
    return vote.seat_code() == event.seat_code();
  });
  votes.erase(last, votes.end());
}

void SessionDecider::Apply(State& session, const v1::VoteCast& event) {
  *MutableItem(session, event.project_id()).add_votes() = event.vote();
}

void SessionDecider::Apply(State& session, const v1::AgendaItemDecided& event) {
  v1::AgendaItem& item = MutableItem(session, event.project_id());
  item.set_outcome(event.outcome());
  if (event.has_approved()) *item.mutable_approved() = event.approved();
  *item.mutable_conditions() = event.conditions();
  item.set_reason(event.reason());
  item.set_applicant_absent(event.applicant_absent());
  *item.mutable_decided_time() = event.decided_time();
  if (event.outcome() == v1::AGENDA_OUTCOME_APPROVED) AddToTotals(session, event.approved());
}

void SessionDecider::Apply(State& session, const v1::SessionClosed& event) {
  session.set_state(v1::SESSION_STATE_CLOSED);
  *session.mutable_minutes() = event.minutes();
  *session.mutable_ended_time() = event.closed_time();
}

}  // namespace sankofa::validation
