#include "services/validation/reactions.h"

#include <utility>

#include "sankofa/registration/v1/registration_events.pb.h"
#include "sankofa/validation/v1/validation_internal.pb.h"

namespace sankofa::validation {
namespace {

namespace reg = registration::v1;
using engine::Commands;
using engine::EventMeta;

void Move(const std::string& case_id, const EventMeta& meta, v1::CaseStanding standing,
          Commands& out) {
  v1::MoveCaseFileRequest request;
  request.set_case_id(case_id);
  request.set_sequence(meta.sequence);
  request.set_standing(standing);
  out.Add(std::move(request));
}

// Events that say no more than how far the case has come.
template <class Event>
void OnStanding(engine::Reactions& reactions, v1::CaseStanding standing) {
  reactions.On<Event>([standing](const Event& event, const EventMeta& meta, Commands& out) {
    Move(event.case_id(), meta, standing, out);
  });
}

// What a header says that can still change until the submission.
void Note(const std::string& case_id, const EventMeta& meta, const reg::CaseHeader& header,
          Commands& out) {
  v1::OpenCaseFileRequest request;
  request.set_case_id(case_id);
  request.set_sequence(meta.sequence);
  request.set_programme(header.programme());
  request.set_host_country(header.host_country());
  request.set_origin_country(header.origin_country());
  out.Add(std::move(request));
}

v1::CaseStanding StandingOf(reg::CaseState state) {
  switch (state) {
    case reg::CASE_STATE_ASSESSED: return v1::CASE_STANDING_ASSESSED;
    case reg::CASE_STATE_REINTEGRATING: return v1::CASE_STANDING_REINTEGRATING;
    case reg::CASE_STATE_CLOSED: return v1::CASE_STANDING_CLOSED;
    default: return v1::CASE_STANDING_EARLY;
  }
}

}  // namespace

void React(engine::Reactions& reactions) {
  reactions.On<reg::CaseRegistered>(
      [](const reg::CaseRegistered& event, const EventMeta& meta, Commands& out) {
        v1::OpenCaseFileRequest request;
        request.set_case_id(event.case_id());
        request.set_sequence(meta.sequence);
        request.set_reference(event.reference());
        request.set_programme(event.programme());
        request.set_host_country(event.host_country());
        request.set_origin_country(event.origin_country());
        request.set_responsible_organisation(event.responsible_organisation());
        out.Add(std::move(request));
        Move(event.case_id(), meta, v1::CASE_STANDING_EARLY, out);
      });
  reactions.On<reg::CaseHeaderChanged>(
      [](const reg::CaseHeaderChanged& event, const EventMeta& meta, Commands& out) {
        Note(event.case_id(), meta, event.header(), out);
      });
  reactions.On<reg::CaseSubmitted>(
      [](const reg::CaseSubmitted& event, const EventMeta& meta, Commands& out) {
        Note(event.case_id(), meta, event.header(), out);
      });
  OnStanding<reg::CaseAccepted>(reactions, v1::CASE_STANDING_EARLY);
  OnStanding<reg::CaseArrived>(reactions, v1::CASE_STANDING_EARLY);
  OnStanding<reg::CaseAssessed>(reactions, v1::CASE_STANDING_ASSESSED);
  OnStanding<reg::CaseReintegrationStarted>(reactions, v1::CASE_STANDING_REINTEGRATING);
  OnStanding<reg::CaseRefused>(reactions, v1::CASE_STANDING_CLOSED);
  OnStanding<reg::CaseClosed>(reactions, v1::CASE_STANDING_CLOSED);
  reactions.On<reg::CaseReopened>(
      [](const reg::CaseReopened& event, const EventMeta& meta, Commands& out) {
        Move(event.case_id(), meta, StandingOf(event.state()), out);
      });
  reactions.On<reg::CaseErased>(
      [](const reg::CaseErased& event, const EventMeta& /*meta*/, Commands& out) {
        v1::EraseCaseFileRequest request;
        request.set_case_id(event.case_id());
        out.Add(std::move(request));
      });
}

}  // namespace sankofa::validation
