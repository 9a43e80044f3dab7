#include <algorithm>

#include "sankofa/registration/v1/registration_reason.pb.h"
#include "services/platform/status/refuse.h"
#include "services/platform/time/time.h"
#include "services/registration/border/sides.h"
#include "services/registration/case/case.h"
#include "services/registration/person/person.h"

// What a partner's node says of a case that both know. Whoever does not own a fact is refused; whoever does may be
// overtaken by what happened here meanwhile, and then there is nothing to do: the other side learns of that in turn.
namespace sankofa::registration {
namespace {

using engine::Decision;
using engine::Events;
using status::Refuse;
using time::ToTimestamp;

// A fact as it arrived: what it says, who says it, and on which case.
struct Told {
  const v1::Case& of;
  const std::string& sender;
  const engine::Context& context;

  [[nodiscard]] bool ByOpener() const { return sender == of.source_node(); }
  [[nodiscard]] bool ByReceiver() const {
    return OpenedHere(of) && sender == of.header().partner();
  }
  // Who records arrival and what follows: see sides.h.
  [[nodiscard]] bool ByFollower() const { return of.retroactive() ? ByOpener() : ByReceiver(); }
  // The time for an answer is over: the deadline closes the case, if it has not already.
  [[nodiscard]] bool TooLate() const {
    return of.has_answer_due_time() && context.now >= time::FromTimestamp(of.answer_due_time());
  }
  // It answers the submission that waits here.
  [[nodiscard]] bool Answers(int submission) const {
    return of.state() == v1::CASE_STATE_SUBMITTED && submission == of.submission() && !TooLate();
  }
};

bool IsDayOrEmpty(const std::string& day) { return day.empty() || time::ParseDay(day).has_value(); }

// Repeated as an event of this node's own stream, which names whose fact it is.
template <class Event>
Event Repeat(const Event& event, const Told& told) {
  Event repeated = event;
  repeated.set_source_node(told.sender);
  return repeated;
}

Decision Take(const Told& told, const v1::CaseSubmitted& event) {
  if (!told.ByOpener()) return Refuse(v1::REASON_NOT_OWNER_OF_FACT);
  const auto& header = event.header();
  if (!IsDayOrEmpty(header.host_entry_date()) || !IsDayOrEmpty(header.planned_return_date())) {
    return Refuse(v1::REASON_FACT_MALFORMED);
  }
  if (told.of.state() != v1::CASE_STATE_REGISTERED) return Events();
  if (event.submission() != 0 && event.submission() <= told.of.submission()) return Events();
  return engine::Emit(Repeat(event, told));
}

// A retroactive case has arrived already: with the acceptance it goes on from there.
Decision Take(const Told& told, const v1::CaseAccepted& event) {
  if (!told.ByReceiver()) return Refuse(v1::REASON_NOT_OWNER_OF_FACT);
  if (!told.Answers(event.submission())) return Events();
  Events events = engine::Emit(Repeat(event, told));
  if (told.of.retroactive()) {
    v1::CaseArrived arrived;
    arrived.set_case_id(told.of.id());
    arrived.set_arrival_date(told.of.arrival_date());
    arrived.set_source_node(told.sender);
    events.Add(std::move(arrived));
  }
  return events;
}

// A closing or reopening that this node has gone beyond, not knowing of it: what it says is over, and the partner hears of
// what was done here. Those that are counted take turns, so that of two different ones one has the higher number.
template <class Event>
bool Overtaken(const Told& told, const Event& event) {
  return event.turn() != 0 && event.turn() <= told.of.turn();
}

// It is so already, and further on: the next turn here has to come behind the partner's.
template <class Event>
Events NoteTurn(const Told& told, const Event& event) {
  if (event.turn() <= told.of.turn()) return {};
  v1::CaseProgressNoted noted;
  noted.set_case_id(told.of.id());
  noted.set_turn(event.turn());
  noted.set_source_node(told.sender);
  return engine::Emit(std::move(noted));
}

void Close(const Told& told, v1::CaseClosed closed, Events& events) {
  closed.set_case_id(told.of.id());
  closed.set_source_node(told.sender);
  closed.clear_sealed();
  if (!v1::CloseReason_IsValid(closed.reason())) closed.clear_reason();
  if (!closed.has_closed_time()) *closed.mutable_closed_time() = ToTimestamp(told.context.now);
  events.Add(std::move(closed));
  events.AddTo<v1::Person>(told.of.person_id(), CaseClosedFor(told.of.person_id(), told.of.id()));
}

// By who was asked, or by the node that opened a retroactive case and waited in vain.
Decision Take(const Told& told, const v1::CaseRefused& event) {
  const bool silence = told.ByOpener() && event.reason() == v1::REFUSAL_REASON_NO_ANSWER;
  if (!told.ByReceiver() && !silence) return Refuse(v1::REASON_NOT_OWNER_OF_FACT);
  if (silence ? told.of.state() == v1::CASE_STATE_CLOSED : !told.Answers(event.submission())) {
    return Events();
  }
  v1::CaseRefused refused = Repeat(event, told);
  refused.clear_sealed();
  if (!v1::RefusalReason_IsValid(refused.reason())) {
    refused.set_reason(v1::REFUSAL_REASON_OTHER);
  }
  v1::CaseClosed closed;
  closed.set_reason(v1::CLOSE_REASON_REFUSED);
  *closed.mutable_closed_time() = event.refused_time();
  Events events = engine::Emit(std::move(refused));
  Close(told, std::move(closed), events);
  return events;
}

// Steps may be missing where the agreement does not name them: the later one stands for them. The acceptance may not: what
// follows could belong to an earlier submission.
bool LeadsOn(const v1::Case& of, v1::CaseState to) {
  return of.state() >= v1::CASE_STATE_ACCEPTED && of.state() < to;
}

// The case was closed here while the partner went on with it. It stays closed; from where, is as far as it had come.
Events UnderClosing(const Told& told, v1::CaseState state, const std::string& arrival_date = {}) {
  const v1::CaseState from = told.of.closed_from();
  if (told.of.state() != v1::CASE_STATE_CLOSED || from < v1::CASE_STATE_ACCEPTED || from >= state) {
    return {};
  }
  v1::CaseProgressNoted noted;
  noted.set_case_id(told.of.id());
  noted.set_state(state);
  noted.set_arrival_date(arrival_date);
  noted.set_source_node(told.sender);
  return engine::Emit(std::move(noted));
}

Decision Take(const Told& told, const v1::CaseArrived& event) {
  // The acceptance of a retroactive case says so already.
  if (told.of.retroactive() && told.ByReceiver()) return Events();
  if (!told.ByFollower()) return Refuse(v1::REASON_NOT_OWNER_OF_FACT);
  if (!IsDayOrEmpty(event.arrival_date())) return Refuse(v1::REASON_FACT_MALFORMED);
  if (!LeadsOn(told.of, v1::CASE_STATE_ARRIVED)) {
    return UnderClosing(told, v1::CASE_STATE_ARRIVED, event.arrival_date());
  }
  return engine::Emit(Repeat(event, told));
}

Decision Take(const Told& told, const v1::CaseAssessed& event) {
  if (!told.ByFollower()) return Refuse(v1::REASON_NOT_OWNER_OF_FACT);
  if (!LeadsOn(told.of, v1::CASE_STATE_CLOSED)) {
    return UnderClosing(told, v1::CASE_STATE_ASSESSED);
  }
  v1::CaseAssessed assessed = Repeat(event, told);
  assessed.clear_sealed();
  return engine::Emit(std::move(assessed));
}

Decision Take(const Told& told, const v1::CaseReintegrationStarted& event) {
  if (!told.ByFollower()) return Refuse(v1::REASON_NOT_OWNER_OF_FACT);
  if (!LeadsOn(told.of, v1::CASE_STATE_REINTEGRATING)) {
    return UnderClosing(told, v1::CASE_STATE_REINTEGRATING);
  }
  return engine::Emit(Repeat(event, told));
}

// Either side may have to, also out of turn: a duplicate, or a person who is erased there. A refusal closes with
// CaseRefused, which says of which submission.
Decision Take(const Told& told, const v1::CaseClosed& event) {
  if (Overtaken(told, event)) return Events();
  if (told.of.state() == v1::CASE_STATE_CLOSED) return NoteTurn(told, event);
  if (event.reason() == v1::CLOSE_REASON_REFUSED) return Events();
  Events events;
  Close(told, event, events);
  return events;
}

Decision Take(const Told& told, const v1::CaseReopened& event) {
  const bool possible =
      event.state() >= v1::CASE_STATE_REGISTERED && event.state() < v1::CASE_STATE_CLOSED;
  if (!possible) return Refuse(v1::REASON_FACT_MALFORMED);
  if (Overtaken(told, event)) return Events();
  if (told.of.state() != v1::CASE_STATE_CLOSED) return NoteTurn(told, event);
  const auto& person = told.context.Related<v1::Person>(told.of.person_id());
  if (!CheckFree(person).ok()) return Events();
  v1::CaseReopened reopened = Repeat(event, told);
  reopened.clear_sealed();
  // What was recorded here meanwhile still stands, unless the case starts again.
  if (event.state() >= v1::CASE_STATE_ACCEPTED && told.of.closed_from() > event.state()) {
    reopened.set_state(told.of.closed_from());
  }
  return engine::Emit(std::move(reopened))
      .AddTo<v1::Person>(person.id(), CaseOpenedFor(person.id(), told.of.id()));
}

}  // namespace

Decision CaseDecider::Decide(const State& of, const v1::ReceiveCaseFactRequest& request,
                             const engine::Context& context) {
  const Told told{of, request.sender(), context};
  if (!told.ByOpener() && !told.ByReceiver()) return Refuse(v1::REASON_NOT_OWNER_OF_FACT);
  if (of.erased()) return Events();
  const auto take = [&](const auto& event) -> Decision {
    if (event.case_id() != of.id()) return Refuse(v1::REASON_FACT_MALFORMED);
    return Take(told, event);
  };
  using Request = v1::ReceiveCaseFactRequest;
  switch (request.fact_case()) {
    case Request::kSubmitted: return take(request.submitted());
    case Request::kAccepted: return take(request.accepted());
    case Request::kRefused: return take(request.refused());
    case Request::kArrived: return take(request.arrived());
    case Request::kAssessed: return take(request.assessed());
    case Request::kStarted: return take(request.started());
    case Request::kClosed: return take(request.closed());
    case Request::kReopened: return take(request.reopened());
    case Request::FACT_NOT_SET: break;
  }
  return Refuse(v1::REASON_FACT_MALFORMED);
}

}  // namespace sankofa::registration
