#include "services/exchange/feed/build/case_facts.h"

#include <algorithm>

#include "sankofa/exchange/v1/feed_messages.pb.h"
#include "services/exchange/feed/build/backlog.h"
#include "services/exchange/feed/feed.h"
#include "services/platform/engine/wire.h"

namespace sankofa::exchange {
namespace {

using engine::IncomingEvent;
using google::protobuf::Message;
using Agreements = std::vector<const v1::SharingAgreement*>;

// One case and one partner, and on what ground it may have what.
struct CaseSharing {
  Round& round;
  const v1::SharedCase& of;
  const v1::Partner& partner;
  const Agreements agreements;
  const Consents consents;

  // Puts the event on the feed where it is not yet there and policy lets it.
  [[nodiscard]] absl::Status Append(const IncomingEvent& event, Work& work) const;
  // All that happened in the case and is not on the feed.
  [[nodiscard]] absl::Status CatchUp(Work& work) const;
  // What may be disclosed has changed, and nothing else is to be said.
  [[nodiscard]] absl::Status DiscloseAnew(const v1::Feed& feed, Work& work) const;
};

absl::Status CaseSharing::Append(const IncomingEvent& event, Work& work) const {
  auto feed = round.FeedOf(partner.id(), CaseSubject(of.id()));
  if (!feed.ok()) return feed.status();
  if (Sent(**feed, event)) return absl::OkStatus();
  const auto message = ParseEvent(event);
  if (!message.ok()) return absl::OkStatus();  // it is put aside where it is met itself
  const Ground ground =
      GroundFor(**message, partner.id(), agreements, round.node(), of, consents.purposes);
  if (ground.agreement == nullptr) return absl::OkStatus();
  const auto& shares = SharesOf(ground.agreement->terms(), round.node());
  v1::AppendToFeedRequest request;
  request.set_receiver(partner.id());
  request.set_subject(CaseSubject(of.id()));
  request.set_type(event.event_type);
  request.set_payload(engine::DeterministicBytes(*Cut(**message, shares, ground.purposes)));
  *request.mutable_event_time() = time::ToTimestamp(event.meta.time);
  request.set_source(event.meta.source);
  request.set_source_stream(StreamOf(event));
  request.set_source_sequence(event.meta.sequence);
  request.set_agreement_id(ground.agreement->id());
  for (const Purpose purpose : ground.purposes) request.add_purposes(purpose);
  if (!ground.purposes.empty()) {
    if (auto status = round.Disclose(partner, consents, **feed, request, work.now); !status.ok()) {
      return status;
    }
  }
  const std::string label = absl::StrCat(partner.id(), "/", event.meta.source, "/", StreamOf(event),
                                         "/", event.meta.sequence);
  round.Append(std::move(request), label, work);
  return absl::OkStatus();
}

absl::Status CaseSharing::CatchUp(Work& work) const {
  for (const std::string& service : round.options().services) {
    const auto events = round.sources().Replay(service, of.id());
    if (!events.ok()) return events.status();
    for (const IncomingEvent& event : *events) {
      if (auto status = Append(event, work); !status.ok()) return status;
    }
  }
  round.SetCaughtUp(partner, FeedIdOf(partner.id(), CaseSubject(of.id())));
  return absl::OkStatus();
}

absl::Status CaseSharing::DiscloseAnew(const v1::Feed& feed, Work& work) const {
  v1::AppendToFeedRequest request;
  v1::DisclosureChanged changed;
  changed.set_case_id(of.id());
  request.set_receiver(partner.id());
  request.set_subject(CaseSubject(of.id()));
  request.set_type(v1::DisclosureChanged::descriptor()->full_name());
  request.set_payload(changed.SerializeAsString());
  *request.mutable_event_time() = time::ToTimestamp(work.event.meta.time);
  request.set_agreement_id(agreements.front()->id());
  for (const Purpose purpose : consents.purposes) request.add_purposes(purpose);
  if (auto status = round.Disclose(partner, consents, feed, request, work.now); !status.ok()) {
    return status;
  }
  round.Append(std::move(request), absl::StrCat(partner.id(), "/disclosed/", of.id()), work);
  return absl::OkStatus();
}

}  // namespace

absl::Status ShareCase(Round& round, const v1::SharedCase& of, const v1::Partner& partner,
                       const Message* message, Work& work) {
  if (!of.submitted() || of.erased()) return absl::OkStatus();
  const auto agreements = round.AgreementsFor(of, partner, work.now);
  if (agreements.empty()) return absl::OkStatus();
  if (auto told = TellKept(round, partner, CaseSubject(of.id()), work); !told.ok()) return told;
  auto feed = round.FeedOf(partner.id(), CaseSubject(of.id()));
  if (!feed.ok()) return feed.status();
  const bool running = Running(**feed);
  // Of other services' events those that nobody shares change nothing in what may be disclosed.
  const bool own = work.event.meta.source == "registration" || work.event.meta.source == "exchange";
  const bool named = std::any_of(agreements.begin(), agreements.end(), [&](const auto* agreement) {
    return !PurposesOf(SharesOf(agreement->terms(), round.node()), work.event.event_type).empty();
  });
  const bool behind = round.Behind(partner, **feed);
  if (running && !own && !named && !behind) return absl::OkStatus();

  auto consents = round.ConsentsFor(of, partner, agreements, work.now);
  if (!consents.ok()) return consents.status();
  if (consents->purposes.empty()) return absl::OkStatus();
  const CaseSharing sharing{round, of, partner, agreements, *std::move(consents)};
  if (!running || behind || message == nullptr) {
    if (auto status = sharing.CatchUp(work); !status.ok()) return status;
  }
  if (message != nullptr && WayOf(*message) == Way::kCase) {
    if (auto status = sharing.Append(work.event, work); !status.ok()) return status;
  }
  if (!Running(**feed) || sharing.consents.hash == (*feed)->disclosed()) return absl::OkStatus();
  return sharing.DiscloseAnew(**feed, work);
}

absl::Status ShareWithAll(Round& round, const std::string& case_id, const Message& message,
                          Work& work) {
  const auto of = round.CaseOf(case_id);
  if (!of.ok()) return of.status();
  for (const auto& [code, partner] : round.snapshot().partners) {
    if (round.snapshot().FindActive(code) == nullptr) continue;
    if (partner.kind() == v1::PARTNER_KIND_STATISTICS) continue;
    if (auto status = ShareCase(round, **of, partner, &message, work); !status.ok()) return status;
  }
  return absl::OkStatus();
}

absl::Status ShareWithAddressee(Round& round, const IncomingEvent& event, const Message& message,
                                Work& work) {
  const v1::Partner* partner = round.snapshot().Find(AddresseeOf(message));
  if (partner == nullptr) return absl::OkStatus();
  const std::string subject = CaseSubject(CaseOf(message));
  if (partner->state() == v1::PARTNER_STATE_SUSPENDED) {
    return KeepEvent(round, partner->id(), subject, work);
  }
  const auto of = round.CaseOf(CaseOf(message));
  if (!of.ok()) return of.status();
  if ((*of)->erased()) return absl::OkStatus();
  if (auto told = TellKept(round, *partner, subject, work); !told.ok()) return told;
  // Any agreement will do: whatever it says of other events, the two have agreed to work together.
  auto agreements = round.snapshot().InForce(partner->id(), time::DayOf(work.now));
  std::sort(agreements.begin(), agreements.end(),
            [](const auto* a, const auto* b) { return a->id() < b->id(); });
  v1::SharedCase known = **of;
  known.set_id(CaseOf(message));
  return CaseSharing{round, known, *partner, agreements, Consents()}.Append(event, work);
}

}  // namespace sankofa::exchange
