#include "services/validation/reactions.h"

#include <utility>

#include "sankofa/exchange/v1/exchange_events.pb.h"
#include "sankofa/exchange/v1/feed.pb.h"
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

// --- What exchange tells ---

void NotePartner(const exchange::v1::Partner& partner, Commands& out) {
  v1::NotePartnerRequest request;
  request.set_partner_id(partner.id());
  request.set_runs_node(partner.kind() == exchange::v1::PARTNER_KIND_NODE);
  request.set_active(partner.state() != exchange::v1::PARTNER_STATE_SUSPENDED);
  out.Add(std::move(request));
}

template <class Event>
void OnPartner(engine::Reactions& reactions) {
  reactions.On<Event>([](const Event& event, const EventMeta& /*meta*/, Commands& out) {
    NotePartner(event.partner(), out);
  });
}

template <class Event>
void OnPartnerStanding(engine::Reactions& reactions, bool active) {
  reactions.On<Event>([active](const Event& event, const EventMeta& /*meta*/, Commands& out) {
    v1::NotePartnerRequest request;
    request.set_partner_id(event.partner_id());
    request.set_active(active);
    out.Add(std::move(request));
  });
}

// Votes that cross a border. What can't be read is refused by the command.
void TakeUpdate(const exchange::v1::UpdateReceived& received, Commands& out) {
  exchange::v1::FeedEvent event;
  if (!event.ParseFromString(received.event())) return;
  if (event.type() == v1::VoteForwarded::descriptor()->full_name()) {
    v1::ReceiveVoteRequest request;
    v1::VoteForwarded& vote = *request.mutable_vote();
    const bool fits =
        vote.ParseFromString(event.payload()) && vote.case_id() == received.subject_id();
    if (!fits) vote.Clear();
    request.set_session_id(vote.session_id());
    request.set_sender(received.sender());
    out.Add(std::move(request));
  } else if (event.type() == v1::VoteAnswered::descriptor()->full_name()) {
    v1::ReceiveVoteAnswerRequest request;
    if (!request.mutable_answer()->ParseFromString(event.payload())) request.clear_answer();
    request.set_vote_id(request.answer().vote_id());
    request.set_sender(received.sender());
    out.Add(std::move(request));
  }
}

void ReactToPartners(engine::Reactions& reactions) {
  OnPartner<exchange::v1::PartnerRegistered>(reactions);
  OnPartner<exchange::v1::PartnerChanged>(reactions);
  OnPartnerStanding<exchange::v1::PartnerSuspended>(reactions, false);
  OnPartnerStanding<exchange::v1::PartnerResumed>(reactions, true);
  reactions.On<exchange::v1::UpdateReceived>([](const exchange::v1::UpdateReceived& event,
                                                const EventMeta& /*meta*/,
                                                Commands& out) { TakeUpdate(event, out); });
}

}  // namespace

void React(engine::Reactions& reactions) {
  ReactToPartners(reactions);
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
