#include "services/validation/committee.h"

#include <set>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "sankofa/common/v1/common_reason.pb.h"
#include "sankofa/validation/v1/validation_reason.pb.h"
#include "services/platform/status/refuse.h"
#include "services/platform/time/time.h"
#include "services/validation/budget.h"

namespace sankofa::validation {
namespace {

using engine::Context;
using engine::Decision;
using google::protobuf::RepeatedPtrField;
using status::Refuse;
using status::RefuseField;

// (assumed) More than half of the voting seats, and at least one of each state.
v1::QuorumRule DefaultQuorum() {
  v1::QuorumRule rule;
  rule.set_more_than_thousandths(500);
  rule.add_colleges(v1::COLLEGE_ORIGIN_STATE);
  rule.add_colleges(v1::COLLEGE_HOST_STATE);
  return rule;
}

absl::Status CheckQuorum(const v1::QuorumRule& rule) {
  for (int i = 0; i < rule.colleges_size(); ++i) {
    if (rule.colleges(i) == v1::COLLEGE_UNSPECIFIED) {
      return RefuseField(common::v1::REASON_INVALID_FIELD,
                         absl::StrCat("quorum.colleges[", i, "]"));
    }
  }
  return absl::OkStatus();
}

// One code a seat, one chair, and one seat a person, as holder or deputy: else a person could vote twice.
absl::Status CheckSeats(const RepeatedPtrField<v1::Seat>& seats) {
  if (seats.size() > kSeatsMax) return Refuse(v1::REASON_TOO_MANY_SEATS);
  std::set<std::string> codes;
  std::set<std::string> subjects;
  bool chair = false;
  for (const v1::Seat& seat : seats) {
    const auto refuse = [&seat](v1::Reason reason) {
      return Refuse(reason, {.fields = {}, .metadata = {{"seat", seat.code()}}});
    };
    if (!codes.insert(seat.code()).second) return refuse(v1::REASON_SEAT_CODE_TWICE);
    if (seat.role() == v1::SEAT_ROLE_CHAIR) {
      if (chair) return refuse(v1::REASON_CHAIR_TAKEN);
      chair = true;
    }
    if (seat.holder_subject().empty() && !seat.deputy_subject().empty()) {
      return refuse(v1::REASON_DEPUTY_WITHOUT_HOLDER);
    }
    for (const std::string& subject : {seat.holder_subject(), seat.deputy_subject()}) {
      if (!subject.empty() && !subjects.insert(subject).second) {
        return refuse(v1::REASON_SUBJECT_ALREADY_SEATED);
      }
    }
  }
  return absl::OkStatus();
}

}  // namespace

const v1::Seat* FindSeat(const v1::Committee& committee, const std::string& code) {
  for (const v1::Seat& seat : committee.seats()) {
    if (seat.code() == code) return &seat;
  }
  return nullptr;
}

Decision CommitteeDecider::Decide(const State& /*committee*/,
                                  const v1::CreateCommitteeRequest& request,
                                  const Context& context) {
  if (auto seats = CheckSeats(request.seats()); !seats.ok()) return seats;
  if (auto quorum = CheckQuorum(request.quorum()); !quorum.ok()) return quorum;
  if (request.has_default_cap()) {
    if (auto cap = CheckAmount(request.default_cap(), "default_cap"); !cap.ok()) return cap;
  }
  v1::CommitteeCreated event;
  v1::Committee& committee = *event.mutable_committee();
  committee.set_id(request.committee_code());
  committee.set_name(request.name());
  committee.set_country(request.country());
  *committee.mutable_seats() = request.seats();
  *committee.mutable_quorum() = request.has_quorum() ? request.quorum() : DefaultQuorum();
  committee.set_appeal_period_days(request.has_appeal_period_days() ? request.appeal_period_days()
                                                                    : kAppealPeriodDays);
  if (request.has_default_cap()) *committee.mutable_default_cap() = request.default_cap();
  *committee.mutable_created_time() = time::ToTimestamp(context.now);
  return engine::Emit(event);
}

Decision CommitteeDecider::Decide(const State& committee, const v1::UpdateCommitteeRequest& request,
                                  const Context& /*context*/) {
  if (auto quorum = CheckQuorum(request.quorum()); !quorum.ok()) return quorum;
  if (request.has_default_cap()) {
    if (auto cap = CheckAmount(request.default_cap(), "default_cap"); !cap.ok()) return cap;
  }
  v1::CommitteeUpdated event;
  event.set_committee_code(committee.id());
  event.set_name(request.name().empty() ? committee.name() : request.name());
  *event.mutable_quorum() = request.has_quorum() ? request.quorum() : committee.quorum();
  event.set_appeal_period_days(request.has_appeal_period_days() ? request.appeal_period_days()
                                                                : committee.appeal_period_days());
  if (request.has_default_cap()) {
    *event.mutable_default_cap() = request.default_cap();
  } else if (committee.has_default_cap()) {
    *event.mutable_default_cap() = committee.default_cap();
  }
  return engine::Emit(event);
}

Decision CommitteeDecider::Decide(const State& committee, const v1::AppointSeatRequest& request,
                                  const Context& /*context*/) {
  v1::SeatAppointed event;
  event.set_committee_code(committee.id());
  *event.mutable_seat() = request.seat();
  State after = committee;
  Apply(after, event);
  if (auto seats = CheckSeats(after.seats()); !seats.ok()) return seats;
  return engine::Emit(std::move(event));
}

Decision CommitteeDecider::Decide(const State& committee, const v1::VacateSeatRequest& request,
                                  const Context& /*context*/) {
  const v1::Seat* seat = FindSeat(committee, request.seat_code());
  if (seat == nullptr) return RefuseField(v1::REASON_SEAT_UNKNOWN, "seat_code");
  if (seat->holder_subject().empty()) return RefuseField(v1::REASON_SEAT_VACANT, "seat_code");
  v1::SeatVacated event;
  event.set_committee_code(committee.id());
  event.set_seat_code(request.seat_code());
  return engine::Emit(event);
}

void CommitteeDecider::Apply(State& committee, const v1::CommitteeCreated& event) {
  committee = event.committee();
}

void CommitteeDecider::Apply(State& committee, const v1::CommitteeUpdated& event) {
  committee.set_name(event.name());
  *committee.mutable_quorum() = event.quorum();
  committee.set_appeal_period_days(event.appeal_period_days());
  if (event.has_default_cap()) *committee.mutable_default_cap() = event.default_cap();
}

void CommitteeDecider::Apply(State& committee, const v1::SeatAppointed& event) {
  for (v1::Seat& seat : *committee.mutable_seats()) {
    if (seat.code() == event.seat().code()) {
      seat = event.seat();
      return;
    }
  }
  *committee.add_seats() = event.seat();
}

void CommitteeDecider::Apply(State& committee, const v1::SeatVacated& event) {
  for (v1::Seat& seat : *committee.mutable_seats()) {
    if (seat.code() != event.seat_code()) continue;
    seat.clear_holder_subject();
    seat.clear_deputy_subject();
  }
}

}  // namespace sankofa::validation
