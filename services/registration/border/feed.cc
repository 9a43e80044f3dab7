#include "services/registration/border/feed.h"

#include <functional>
#include <map>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "sankofa/exchange/v1/exchange_events.pb.h"
#include "sankofa/exchange/v1/feed.pb.h"
#include "sankofa/exchange/v1/feed_messages.pb.h"
#include "sankofa/registration/v1/registration_internal.pb.h"

namespace sankofa::registration {
namespace {

namespace ex = exchange::v1;
using engine::Commands;
using engine::EventMeta;

// --- Partners ---

v1::NotePartnerRequest Noting(const ex::Partner& partner) {
  v1::NotePartnerRequest request;
  request.set_partner_id(partner.id());
  request.set_runs_node(partner.kind() == ex::PARTNER_KIND_NODE);
  request.set_active(partner.state() != ex::PARTNER_STATE_SUSPENDED);
  for (const ex::PartnerKey& key : partner.keys()) {
    auto& added = *request.add_added_keys();
    added.set_key_id(key.key_id());
    added.set_verification_key(key.verification_key());
  }
  return request;
}

template <class Event>
void OnStanding(engine::Reactions& reactions, bool active) {
  reactions.On<Event>([active](const Event& event, const EventMeta& /*meta*/, Commands& out) {
    v1::NotePartnerRequest request;
    request.set_partner_id(event.partner_id());
    request.set_active(active);
    out.Add(std::move(request));
  });
}

void NotePartners(engine::Reactions& reactions) {
  reactions.On<ex::PartnerRegistered>([](const ex::PartnerRegistered& event,
                                         const EventMeta& /*meta*/,
                                         Commands& out) { out.Add(Noting(event.partner())); });
  reactions.On<ex::PartnerChanged>([](const ex::PartnerChanged& event, const EventMeta& /*meta*/,
                                      Commands& out) { out.Add(Noting(event.partner())); });
  reactions.On<ex::PartnerKeyAdded>(
      [](const ex::PartnerKeyAdded& event, const EventMeta& /*meta*/, Commands& out) {
        v1::NotePartnerRequest request;
        request.set_partner_id(event.partner_id());
        auto& added = *request.add_added_keys();
        added.set_key_id(event.key().key_id());
        added.set_verification_key(event.key().verification_key());
        out.Add(std::move(request));
      });
  reactions.On<ex::PartnerKeyRevoked>(
      [](const ex::PartnerKeyRevoked& event, const EventMeta& /*meta*/, Commands& out) {
        v1::NotePartnerRequest request;
        request.set_partner_id(event.partner_id());
        request.set_revoked_key_id(event.key_id());
        out.Add(std::move(request));
      });
  OnStanding<ex::PartnerSuspended>(reactions, false);
  OnStanding<ex::PartnerResumed>(reactions, true);
}

// --- Updates ---

// An update as it was handed on, and what the partner's node signed.
struct Update {
  const ex::UpdateReceived& received;
  const ex::FeedEvent& event;
  Commands& out;

  // The message inside; empty where it can't be read, which the command then refuses.
  template <class Fact>
  [[nodiscard]] Fact Read() const {
    Fact fact;
    if (!fact.ParseFromString(event.payload())) fact.Clear();
    return fact;
  }
  // The same; empty also where it is about another case than the update.
  template <class Fact>
  [[nodiscard]] Fact ReadOfCase() const {
    Fact fact = Read<Fact>();
    if (fact.case_id() != received.subject_id()) fact.Clear();
    return fact;
  }
  // A command on the update's case.
  template <class Request>
  [[nodiscard]] Request OnCase() const {
    Request request;
    request.set_case_id(received.subject_id());
    request.set_sender(received.sender());
    return request;
  }
};

using Handler = std::function<void(const Update&)>;
using Handlers = std::map<std::string, Handler>;

template <class Fact>
void OnCaseFact(Handlers& handlers, Fact* (v1::ReceiveCaseFactRequest::*mutable_fact)()) {
  handlers[Fact::descriptor()->full_name()] = [mutable_fact](const Update& update) {
    auto request = update.OnCase<v1::ReceiveCaseFactRequest>();
    *(request.*mutable_fact)() = update.Read<Fact>();
    update.out.Add(std::move(request));
  };
}

void OpenCase(const Update& update) {
  auto request = update.OnCase<v1::ReceiveCaseRequest>();
  *request.mutable_registered() = update.Read<v1::CaseRegistered>();
  *request.mutable_purposes() = update.event.purposes();
  update.out.Add(std::move(request));
}

// What a partner says of a hand-over, by the message that tells it.
template <class Fact, class Request>
void OnHandOver(Handlers& handlers, Fact* (Request::*mutable_fact)()) {
  handlers[Fact::descriptor()->full_name()] = [mutable_fact](const Update& update) {
    const Fact fact = update.ReadOfCase<Fact>();
    Request request;
    request.set_hand_over_id(fact.hand_over_id());
    request.set_sender(update.received.sender());
    *(request.*mutable_fact)() = fact;
    update.out.Add(std::move(request));
  };
}

void OpenReferral(const Update& update) {
  v1::ReceiveReferralRequest request;
  *request.mutable_sent() = update.ReadOfCase<v1::ReferralSent>();
  request.set_referral_id(request.sent().referral_id());
  request.set_sender(update.received.sender());
  update.out.Add(std::move(request));
}

template <class Fact>
void OnReferral(Handlers& handlers, v1::ReferralState state,
                const google::protobuf::Timestamp& (Fact::*time)() const) {
  handlers[Fact::descriptor()->full_name()] = [state, time](const Update& update) {
    const Fact fact = update.ReadOfCase<Fact>();
    v1::MoveReferralRequest request;
    request.set_referral_id(fact.referral_id());
    request.set_sender(update.received.sender());
    request.set_state(state);
    *request.mutable_moved_time() = (fact.*time)();
    update.out.Add(std::move(request));
  };
}

void Erase(const Update& update) {
  auto request = update.OnCase<v1::ErasePartnerDataRequest>();
  request.set_erasure_id(update.Read<ex::ErasureRequested>().erasure_id());
  update.out.Add(std::move(request));
}

const Handlers& HandlersOfUpdates() {
  using Facts = v1::ReceiveCaseFactRequest;
  static const Handlers handlers = [] {
    Handlers by_type;
    by_type[v1::CaseRegistered::descriptor()->full_name()] = OpenCase;
    by_type[ex::ErasureRequested::descriptor()->full_name()] = Erase;
    OnCaseFact<v1::CaseSubmitted>(by_type, &Facts::mutable_submitted);
    OnCaseFact<v1::CaseAccepted>(by_type, &Facts::mutable_accepted);
    OnCaseFact<v1::CaseRefused>(by_type, &Facts::mutable_refused);
    OnCaseFact<v1::CaseArrived>(by_type, &Facts::mutable_arrived);
    OnCaseFact<v1::CaseAssessed>(by_type, &Facts::mutable_assessed);
    OnCaseFact<v1::CaseReintegrationStarted>(by_type, &Facts::mutable_started);
    OnCaseFact<v1::CaseClosed>(by_type, &Facts::mutable_closed);
    OnCaseFact<v1::CaseReopened>(by_type, &Facts::mutable_reopened);
    OnHandOver<v1::HandOverOffered>(by_type, &v1::ReceiveHandOverRequest::mutable_offered);
    OnHandOver<v1::HandOverAccepted>(by_type, &v1::ReceiveHandOverAnswerRequest::mutable_accepted);
    OnHandOver<v1::HandOverDeclined>(by_type, &v1::ReceiveHandOverAnswerRequest::mutable_declined);
    OnHandOver<v1::HandOverCompleted>(by_type, &v1::EndHandOverRequest::mutable_completed);
    OnHandOver<v1::HandOverLapsed>(by_type, &v1::EndHandOverRequest::mutable_lapsed);
    by_type[v1::ReferralSent::descriptor()->full_name()] = OpenReferral;
    OnReferral(by_type, v1::REFERRAL_STATE_ACCEPTED, &v1::ReferralAccepted::accepted_time);
    OnReferral(by_type, v1::REFERRAL_STATE_REJECTED, &v1::ReferralRejected::rejected_time);
    OnReferral(by_type, v1::REFERRAL_STATE_DONE, &v1::ReferralDone::done_time);
    OnReferral(by_type, v1::REFERRAL_STATE_REVOKED, &v1::ReferralRevoked::revoked_time);
    OnReferral(by_type, v1::REFERRAL_STATE_LAPSED, &v1::ReferralLapsed::lapsed_time);
    return by_type;
  }();
  return handlers;
}

// First what was disclosed along, then the fact: whoever reads of a fact finds what it rests on.
void Take(const ex::UpdateReceived& received, Commands& out) {
  if (received.subject() != absl::StrCat("Case/", received.subject_id())) return;
  ex::FeedEvent event;
  if (!event.ParseFromString(received.event())) return;
  const Update update{received, event, out};
  const bool opens = event.type() == v1::CaseRegistered::descriptor()->full_name();
  const bool submits = event.type() == v1::CaseSubmitted::descriptor()->full_name();
  if (!opens && (received.discloses() || submits)) {
    auto request = update.OnCase<v1::ReceiveDisclosureRequest>();
    *request.mutable_purposes() = event.purposes();
    out.Add(std::move(request));
  }
  const auto found = HandlersOfUpdates().find(event.type());
  if (found != HandlersOfUpdates().end()) found->second(update);
}

}  // namespace

void ReactToPartners(engine::Reactions& reactions) {
  NotePartners(reactions);
  reactions.On<ex::UpdateReceived>([](const ex::UpdateReceived& event, const EventMeta& /*meta*/,
                                      Commands& out) { Take(event, out); });
}

}  // namespace sankofa::registration
