#include "services/exchange/feed/builder.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "google/protobuf/io/coded_stream.h"
#include "google/protobuf/io/zero_copy_stream_impl_lite.h"
#include "sankofa/common/v1/common_reason.pb.h"
#include "sankofa/exchange/v1/exchange_events.pb.h"
#include "sankofa/exchange/v1/exchange_internal.pb.h"
#include "sankofa/exchange/v1/feed_messages.pb.h"
#include "sankofa/exchange/v1/received.pb.h"
#include "sankofa/registration/v1/registration_events.pb.h"
#include "services/exchange/feed/feed.h"
#include "services/exchange/feed/shared_case.h"
#include "services/exchange/messages.h"
#include "services/exchange/partner/keys.h"
#include "services/platform/crypto/box.h"
#include "services/platform/crypto/hash.h"
#include "services/platform/status/check.h"
#include "services/platform/status/refuse.h"
#include "services/platform/telemetry/trace.h"

namespace sankofa::exchange {
namespace {

namespace reg = registration::v1;
using engine::CommandCall;
using engine::IncomingEvent;
using google::protobuf::Message;

constexpr char kExchange[] = "exchange";
constexpr char kRegistration[] = "registration";
constexpr absl::Duration kPatience = absl::Seconds(5);
// An answer about consent is asked for again after this: within a batch, many events are about one case.
constexpr absl::Duration kAnswerAge = absl::Milliseconds(500);

absl::StatusOr<std::unique_ptr<Message>> Parse(const IncomingEvent& event) {
  const auto* type =
      google::protobuf::DescriptorPool::generated_pool()->FindMessageTypeByName(event.event_type);
  if (type == nullptr) return status::Refuse(common::v1::REASON_UNKNOWN_EVENT_TYPE);
  std::unique_ptr<Message> message(
      google::protobuf::MessageFactory::generated_factory()->GetPrototype(type)->New());
  if (!message->ParseFromString(event.payload)) {
    return status::Refuse(common::v1::REASON_MALFORMED_EVENT);
  }
  return message;
}

std::string Deterministic(const Message& message) {
  std::string bytes;
  {
    google::protobuf::io::StringOutputStream stream(&bytes);
    google::protobuf::io::CodedOutputStream coded(&stream);
    coded.SetSerializationDeterministic(true);
    status::Check(message.SerializeToCodedStream(&coded), "a message can't be serialised");
  }
  return bytes;
}

template <class Event>
const Event* As(const Message& event) {
  return dynamic_cast<const Event*>(&event);
}

// Whose details an event changes, where a disclosure may show them.
std::string PersonChangedBy(const Message& event) {
  if (const auto* it = As<reg::PersonUpdated>(event)) return it->person_id();
  if (const auto* it = As<reg::VulnerabilitiesRecorded>(event)) return it->person_id();
  if (const auto* it = As<reg::PayoutAccountAdded>(event)) return it->person_id();
  if (const auto* it = As<reg::PayoutAccountRemoved>(event)) return it->person_id();
  return {};
}

std::string StreamOf(const IncomingEvent& event) {
  return absl::StrCat(event.meta.stream.type, "/", event.meta.stream.id);
}

bool Sent(const v1::Feed& feed, const IncomingEvent& event) {
  const auto sent = feed.sent().find(SourceKeyOf(event.meta.source, StreamOf(event)));
  return sent != feed.sent().end() && event.meta.sequence <= sent->second;
}

// Whether a case's facts go out on the feed: from the first message on, until it is stopped.
bool Running(const v1::Feed& feed) { return !feed.disclosed().empty() && !feed.stopped(); }

}  // namespace

// ---- What is known and supposed -------------------------------------------------------------------------------------

struct FeedBuilder::Round {
  // What may be disclosed to a partner now, all purposes together.
  struct Consents {
    std::vector<Purpose> purposes;  // for which a consent holds
    std::vector<reg::Disclosure>
        disclosures;  // what the agreements let through; only those that hold something
    std::string hash;
  };
  // The event at hand, and what it leads to.
  struct Work {
    const IncomingEvent& event;
    absl::Time now;
    std::vector<CommandCall> calls;
  };

  Round(FeedBuilder& builder, std::shared_ptr<const Snapshot> snapshot)
      : self(builder), snapshot(std::move(snapshot)) {}

  [[nodiscard]] engine::Calls Build(const IncomingEvent& event);

  [[nodiscard]] absl::Status Dispatch(const Message& message, Work& work);
  [[nodiscard]] absl::Status ShareWithAll(const std::string& case_id, const Message* message,
                                          Work& work);
  // `message`: the event where it is one of the case; null to look whether there is anything to tell.
  [[nodiscard]] absl::Status Share(const v1::SharedCase& of, const v1::Partner& partner,
                                   const Message* message, Work& work);
  [[nodiscard]] absl::Status AppendFact(const IncomingEvent& event, const v1::Partner& partner,
                                        const std::vector<const v1::SharingAgreement*>& agreements,
                                        const v1::SharedCase& of, const Consents& consents,
                                        Work& work);
  [[nodiscard]] absl::Status CatchUp(const v1::Partner& partner,
                                     const std::vector<const v1::SharingAgreement*>& agreements,
                                     const v1::SharedCase& of, const Consents& consents,
                                     Work& work);
  [[nodiscard]] absl::Status Address(const Message& message, Work& work);
  [[nodiscard]] absl::Status ShareStatistics(const Message& message, Work& work);
  [[nodiscard]] absl::Status Withdraw(const reg::ConsentWithdrawn& event, Work& work);
  [[nodiscard]] absl::Status Erase(const std::string& case_id, Work& work);
  // What a partner's message leads to in exchange itself.
  [[nodiscard]] absl::Status Heed(const v1::UpdateReceived& received, Work& work);
  [[nodiscard]] absl::Status OwnEvent(const Message& message, Work& work);
  [[nodiscard]] absl::Status Tell(const Outgoing& outgoing, const std::string& label, Work& work);
  [[nodiscard]] absl::Status AnswerErasure(const reg::PartnerDataErased& event, Work& work);
  [[nodiscard]] absl::Status TellAll(const std::string& partner, Work& work);

  void Note(const v1::SharedCase& news, Work& work);
  void AskErasure(const std::string& case_id, const std::string& partner,
                  const std::vector<Purpose>& purposes, Work& work);
  // Attaches what may be disclosed where it is not what was disclosed last.
  [[nodiscard]] absl::Status Disclose(const v1::Partner& partner, const Consents& consents,
                                      const v1::Feed& feed, v1::AppendToFeedRequest& request,
                                      absl::Time now);
  void Append(v1::AppendToFeedRequest request, const std::string& label, Work& work);

  [[nodiscard]] std::vector<const v1::SharingAgreement*> AgreementsFor(const v1::SharedCase& of,
                                                                       const v1::Partner& partner,
                                                                       absl::Time now) const;
  [[nodiscard]] absl::StatusOr<Consents> ConsentsFor(
      const v1::SharedCase& of, const v1::Partner& partner,
      const std::vector<const v1::SharingAgreement*>& agreements, absl::Time now);
  [[nodiscard]] absl::StatusOr<std::optional<reg::Disclosure>> Ask(const std::string& case_id,
                                                                   const std::string& partner,
                                                                   Purpose purpose, absl::Time at);
  [[nodiscard]] bool Behind(const v1::Partner& partner, const v1::Feed& feed) const;

  template <class State>
  [[nodiscard]] absl::Status Load(const std::string& id, std::map<std::string, State>& known);
  [[nodiscard]] absl::StatusOr<v1::SharedCase*> CaseOf(const std::string& case_id);
  [[nodiscard]] absl::StatusOr<v1::Feed*> FeedOf(const std::string& partner,
                                                 const std::string& subject);

  FeedBuilder& self;
  const std::shared_ptr<const Snapshot> snapshot;
  std::unique_ptr<engine::StoreSession> session;
  // As they will be once the commands so far have taken effect.
  std::map<std::string, v1::SharedCase> cases;
  std::map<std::string, v1::Feed> feeds;
  struct Answer {
    std::optional<reg::Disclosure> disclosure;
    absl::Time asked;
    absl::Time at;
  };
  std::map<std::string, Answer> answers;
};

template <class State>
absl::Status FeedBuilder::Round::Load(const std::string& id, std::map<std::string, State>& known) {
  if (known.contains(id)) return absl::OkStatus();
  if (!session) {
    auto opened = self.store_.Open(absl::Now() + kPatience);
    if (!opened.ok()) return opened.status();
    session = *std::move(opened);
  }
  const engine::StreamKey key = engine::KeyOf<State>(id);
  const auto peeked = session->Peek({key});
  if (!peeked.ok()) return peeked.status();
  State state;
  const auto found = peeked->find(key);
  if (found != peeked->end() && !state.ParseFromString(found->second.state)) {
    return status::Internal(absl::StrCat("a stored state of ", key.type, " can't be parsed"));
  }
  known[id] = std::move(state);
  return absl::OkStatus();
}

absl::StatusOr<v1::SharedCase*> FeedBuilder::Round::CaseOf(const std::string& case_id) {
  if (auto loaded = Load(case_id, cases); !loaded.ok()) return loaded;
  return &cases.at(case_id);
}

absl::StatusOr<v1::Feed*> FeedBuilder::Round::FeedOf(const std::string& partner,
                                                     const std::string& subject) {
  const std::string id = FeedIdOf(partner, subject);
  if (auto loaded = Load(id, feeds); !loaded.ok()) return loaded;
  return &feeds.at(id);
}

// ---- Who may get what ----------------------------------------------------------------------------------------------

std::vector<const v1::SharingAgreement*> FeedBuilder::Round::AgreementsFor(
    const v1::SharedCase& of, const v1::Partner& partner, absl::Time now) const {
  auto agreements = snapshot->InForce(partner.id(), time::DayOf(now));
  std::erase_if(agreements, [&](const v1::SharingAgreement* agreement) {
    return !LetsThrough(agreement->terms().cases(), of);
  });
  std::sort(agreements.begin(), agreements.end(),
            [](const auto* a, const auto* b) { return a->id() < b->id(); });
  return agreements;
}

absl::StatusOr<std::optional<reg::Disclosure>> FeedBuilder::Round::Ask(const std::string& case_id,
                                                                       const std::string& partner,
                                                                       Purpose purpose,
                                                                       absl::Time at) {
  const std::string key = absl::StrCat(case_id, " ", partner, " ", static_cast<int>(purpose));
  const auto found = answers.find(key);
  const absl::Time now = self.clock_.Now();
  if (found != answers.end() && now - found->second.asked < kAnswerAge &&
      time::DayOf(found->second.at) == time::DayOf(at)) {
    return found->second.disclosure;
  }
  auto disclosure = self.sources_.Disclose(case_id, partner, purpose, at);
  if (!disclosure.ok()) return disclosure.status();
  answers[key] = {*disclosure, now, at};
  return *std::move(disclosure);
}

absl::StatusOr<FeedBuilder::Round::Consents> FeedBuilder::Round::ConsentsFor(
    const v1::SharedCase& of, const v1::Partner& partner,
    const std::vector<const v1::SharingAgreement*>& agreements, absl::Time now) {
  Shares shares;
  for (const auto* agreement : agreements) {
    shares.MergeFrom(SharesOf(agreement->terms(), self.options_.node));
  }
  Consents consents;
  v1::SealedContent content;
  for (const Purpose purpose : PurposesOf(shares)) {
    auto disclosure = Ask(of.id(), partner.id(), purpose, now);
    if (!disclosure.ok()) return disclosure.status();
    if (!*disclosure) continue;
    consents.purposes.push_back(purpose);
    reg::Disclosure limited = Limit(**disclosure, shares);
    if (!limited.has_person() && !limited.has_case_()) continue;
    *content.add_disclosures() = limited;
    consents.disclosures.push_back(std::move(limited));
  }
  // Nobody's box can be made for a partner without a key: then nothing personal goes out.
  if (SealingKeyOf(partner, now) == nullptr) {
    consents.disclosures.clear();
    content.clear_disclosures();
  }
  consents.hash = self.sources_.Blind("disclosed", Deterministic(content));
  return consents;
}

bool FeedBuilder::Round::Behind(const v1::Partner& partner, const v1::Feed& feed) const {
  if (!partner.has_suspended_time()) return false;
  const auto caught_up = self.caught_up_.find(feed.id());
  return caught_up == self.caught_up_.end() ||
         caught_up->second < time::FromTimestamp(partner.suspended_time());
}

// ---- Messages -------------------------------------------------------------------------------------------------------

void FeedBuilder::Round::Append(v1::AppendToFeedRequest request, const std::string& label,
                                Work& work) {
  request.set_feed_id(FeedIdOf(request.receiver(), request.subject()));
  v1::Feed& feed = feeds[request.feed_id()];
  feed.set_id(request.feed_id());
  feed.set_sequence(feed.sequence() + 1);
  if (!request.source().empty()) {
    (*feed.mutable_sent())[SourceKeyOf(request.source(), request.source_stream())] =
        request.source_sequence();
  }
  if (request.stops()) {
    feed.set_stopped(true);
    feed.clear_disclosed();
  } else if (!request.disclosed().empty()) {
    feed.set_disclosed(request.disclosed());
    feed.set_stopped(false);
  }
  CommandCall call = engine::CallFor(
      work.event, std::make_shared<v1::AppendToFeedRequest>(std::move(request)), label);
  call.now = work.now;
  work.calls.push_back(std::move(call));
}

absl::Status FeedBuilder::Round::Disclose(const v1::Partner& partner, const Consents& consents,
                                          const v1::Feed& feed, v1::AppendToFeedRequest& request,
                                          absl::Time now) {
  if (consents.hash == feed.disclosed()) return absl::OkStatus();
  request.set_disclosed(consents.hash);
  // Where there is nothing to disclose and never was, there is no box.
  const v1::PartnerKey* key = SealingKeyOf(partner, now);
  if (key == nullptr || (consents.disclosures.empty() && feed.disclosed().empty())) {
    return absl::OkStatus();
  }
  v1::SealedContent content;
  content.set_subject(request.subject());
  content.set_sequence(feed.sequence() + 1);
  for (const auto& disclosure : consents.disclosures) *content.add_disclosures() = disclosure;
  auto box = crypto::SealFor(key->sealing_key(), content.SerializeAsString());
  if (!box.ok()) return box.status();
  request.set_sealed(*std::move(box));
  request.set_sealed_sequence(content.sequence());
  request.set_sealing_key_id(crypto::KeyIdOf(key->sealing_key()));
  return absl::OkStatus();
}

absl::Status FeedBuilder::Round::AppendFact(
    const IncomingEvent& event, const v1::Partner& partner,
    const std::vector<const v1::SharingAgreement*>& agreements, const v1::SharedCase& of,
    const Consents& consents, Work& work) {
  auto feed = FeedOf(partner.id(), CaseSubject(of.id()));
  if (!feed.ok()) return feed.status();
  if (Sent(**feed, event)) return absl::OkStatus();
  const auto message = Parse(event);
  if (!message.ok()) return absl::OkStatus();  // it is put aside where it is met itself
  const Ground ground =
      GroundFor(**message, partner.id(), agreements, self.options_.node, of, consents.purposes);
  if (ground.agreement == nullptr) return absl::OkStatus();
  const auto& shares = SharesOf(ground.agreement->terms(), self.options_.node);
  v1::AppendToFeedRequest request;
  request.set_receiver(partner.id());
  request.set_subject(CaseSubject(of.id()));
  request.set_type(event.event_type);
  request.set_payload(Deterministic(*Cut(**message, shares, ground.purposes)));
  *request.mutable_event_time() = time::ToTimestamp(event.meta.time);
  request.set_source(event.meta.source);
  request.set_source_stream(StreamOf(event));
  request.set_source_sequence(event.meta.sequence);
  request.set_agreement_id(ground.agreement->id());
  for (const Purpose purpose : ground.purposes) request.add_purposes(purpose);
  if (!ground.purposes.empty()) {
    if (auto status = Disclose(partner, consents, **feed, request, work.now); !status.ok()) {
      return status;
    }
  }
  const std::string label = absl::StrCat(partner.id(), "/", event.meta.source, "/", StreamOf(event),
                                         "/", event.meta.sequence);
  Append(std::move(request), label, work);
  return absl::OkStatus();
}

absl::Status FeedBuilder::Round::CatchUp(const v1::Partner& partner,
                                         const std::vector<const v1::SharingAgreement*>& agreements,
                                         const v1::SharedCase& of, const Consents& consents,
                                         Work& work) {
  for (const std::string& service : self.options_.services) {
    const auto events = self.sources_.Replay(service, of.id());
    if (!events.ok()) return events.status();
    for (const IncomingEvent& event : *events) {
      if (auto status = AppendFact(event, partner, agreements, of, consents, work); !status.ok()) {
        return status;
      }
    }
  }
  if (partner.has_suspended_time()) {
    self.caught_up_[FeedIdOf(partner.id(), CaseSubject(of.id()))] =
        time::FromTimestamp(partner.suspended_time());
  }
  return absl::OkStatus();
}

absl::Status FeedBuilder::Round::Share(const v1::SharedCase& of, const v1::Partner& partner,
                                       const Message* message, Work& work) {
  if (!of.submitted() || of.erased()) return absl::OkStatus();
  const auto agreements = AgreementsFor(of, partner, work.now);
  if (agreements.empty()) return absl::OkStatus();
  auto feed = FeedOf(partner.id(), CaseSubject(of.id()));
  if (!feed.ok()) return feed.status();
  const bool running = Running(**feed);
  // Of other services' events those that nobody shares change nothing in what may be disclosed.
  const bool own = work.event.meta.source == kRegistration || work.event.meta.source == kExchange;
  const bool named = std::any_of(agreements.begin(), agreements.end(), [&](const auto* agreement) {
    return !PurposesOf(SharesOf(agreement->terms(), self.options_.node), work.event.event_type)
                .empty();
  });
  const bool behind = Behind(partner, **feed);
  if (running && !own && !named && !behind) return absl::OkStatus();

  const auto consents = ConsentsFor(of, partner, agreements, work.now);
  if (!consents.ok()) return consents.status();
  if (consents->purposes.empty()) return absl::OkStatus();
  if (!running || behind || message == nullptr) {
    if (auto status = CatchUp(partner, agreements, of, *consents, work); !status.ok()) {
      return status;
    }
  }
  if (message != nullptr && WayOf(*message) == Way::kCase) {
    if (auto status = AppendFact(work.event, partner, agreements, of, *consents, work);
        !status.ok()) {
      return status;
    }
  }
  if (!Running(**feed) || consents->hash == (*feed)->disclosed()) return absl::OkStatus();
  v1::AppendToFeedRequest request;
  v1::DisclosureChanged changed;
  changed.set_case_id(of.id());
  request.set_receiver(partner.id());
  request.set_subject(CaseSubject(of.id()));
  request.set_type(v1::DisclosureChanged::descriptor()->full_name());
  request.set_payload(changed.SerializeAsString());
  *request.mutable_event_time() = time::ToTimestamp(work.event.meta.time);
  request.set_agreement_id(agreements.front()->id());
  for (const Purpose purpose : consents->purposes) request.add_purposes(purpose);
  if (auto status = Disclose(partner, *consents, **feed, request, work.now); !status.ok()) {
    return status;
  }
  Append(std::move(request), absl::StrCat(partner.id(), "/disclosed/", of.id()), work);
  return absl::OkStatus();
}

absl::Status FeedBuilder::Round::ShareWithAll(const std::string& case_id, const Message* message,
                                              Work& work) {
  const auto of = CaseOf(case_id);
  if (!of.ok()) return of.status();
  for (const auto& [code, partner] : snapshot->partners) {
    if (snapshot->FindActive(code) == nullptr) continue;
    if (partner.kind() == v1::PARTNER_KIND_STATISTICS) continue;
    if (auto status = Share(**of, partner, message, work); !status.ok()) return status;
  }
  return absl::OkStatus();
}

absl::Status FeedBuilder::Round::Address(const Message& message, Work& work) {
  const v1::Partner* partner = snapshot->FindActive(AddresseeOf(message));
  if (partner == nullptr) return absl::OkStatus();
  const auto of = CaseOf(exchange::CaseOf(message));
  if (!of.ok()) return of.status();
  if ((*of)->erased()) return absl::OkStatus();
  // Any agreement will do: whatever it says of other events, the two have agreed to work together.
  auto agreements = snapshot->InForce(partner->id(), time::DayOf(work.now));
  std::sort(agreements.begin(), agreements.end(),
            [](const auto* a, const auto* b) { return a->id() < b->id(); });
  v1::SharedCase known = **of;
  known.set_id(exchange::CaseOf(message));
  return AppendFact(work.event, *partner, agreements, known, Consents(), work);
}

absl::Status FeedBuilder::Round::ShareStatistics(const Message& message, Work& work) {
  for (const auto& [code, partner] : snapshot->partners) {
    const auto agreements = snapshot->InForce(code, time::DayOf(work.now));
    const Ground ground =
        GroundFor(message, code, agreements, self.options_.node, v1::SharedCase(), {});
    if (ground.agreement == nullptr) continue;
    const std::string subject = StreamOf(work.event);
    const auto feed = FeedOf(code, subject);
    if (!feed.ok()) return feed.status();
    if (Sent(**feed, work.event)) continue;
    v1::AppendToFeedRequest request;
    request.set_receiver(code);
    request.set_subject(subject);
    request.set_type(work.event.event_type);
    request.set_payload(
        Deterministic(*Cut(message, SharesOf(ground.agreement->terms(), self.options_.node), {})));
    *request.mutable_event_time() = time::ToTimestamp(work.event.meta.time);
    request.set_source(work.event.meta.source);
    request.set_source_stream(subject);
    request.set_source_sequence(work.event.meta.sequence);
    request.set_agreement_id(ground.agreement->id());
    Append(std::move(request), code, work);
  }
  return absl::OkStatus();
}

// ---- The end of it --------------------------------------------------------------------------------------------------

void FeedBuilder::Round::AskErasure(const std::string& case_id, const std::string& partner,
                                    const std::vector<Purpose>& purposes, Work& work) {
  auto request = std::make_shared<v1::AskErasureRequest>();
  request->set_case_id(case_id);
  request->set_partner_id(partner);
  for (const Purpose purpose : purposes) request->add_purposes(purpose);
  CommandCall call = engine::CallFor(work.event, request, absl::StrCat("erase/", partner));
  call.now = work.now;
  request->set_erasure_id(engine::DerivedId(request->request_id(), "erasure"));
  work.calls.push_back(std::move(call));
}

// The erasure itself leads to the request on the feed: see OwnEvent. Until that stops the feed, no consent holds.
absl::Status FeedBuilder::Round::Withdraw(const reg::ConsentWithdrawn& event, Work& work) {
  const v1::Partner* partner = snapshot->Find(event.partner());
  if (partner == nullptr) return absl::OkStatus();
  const auto of = CaseOf(event.case_id());
  if (!of.ok()) return of.status();
  const auto feed = FeedOf(partner->id(), CaseSubject(event.case_id()));
  if (!feed.ok()) return feed.status();
  if (!Running(**feed)) return absl::OkStatus();
  const auto agreements = AgreementsFor(**of, *partner, work.now);
  const auto consents = ConsentsFor(**of, *partner, agreements, work.now);
  if (!consents.ok()) return consents.status();
  if (consents->purposes.empty()) {
    AskErasure(event.case_id(), partner->id(), {event.purpose()}, work);
    return absl::OkStatus();
  }
  return snapshot->FindActive(partner->id()) == nullptr ? absl::OkStatus()
                                                        : Share(**of, *partner, &event, work);
}

absl::Status FeedBuilder::Round::Erase(const std::string& case_id, Work& work) {
  for (const auto& [code, partner] : snapshot->partners) {
    const auto feed = FeedOf(code, CaseSubject(case_id));
    if (!feed.ok()) return feed.status();
    if (Running(**feed)) AskErasure(case_id, code, {}, work);
  }
  return absl::OkStatus();
}

// Registration has erased what the partner disclosed; here the key goes with the same unit of work that answers.
absl::Status FeedBuilder::Round::AnswerErasure(const reg::PartnerDataErased& event, Work& work) {
  const std::string received = FeedIdOf(event.partner(), CaseSubject(event.case_id()));
  std::map<std::string, v1::ReceivedFeed> known;
  if (auto loaded = Load(received, known); !loaded.ok()) return loaded;
  if (!known.at(received).id().empty()) {
    auto request = std::make_shared<v1::EraseReceivedRequest>();
    request->set_feed_id(received);
    work.calls.push_back(engine::CallFor(work.event, request, "erase"));
  }
  auto done = std::make_shared<v1::ErasureDone>();
  done->set_erasure_id(event.erasure_id());
  done->set_case_id(event.case_id());
  *done->mutable_erased_time() = event.erased_time();
  return Tell({event.partner(), CaseSubject(event.case_id()), std::move(done)}, "erased", work);
}

// ---- Exchange's own events ------------------------------------------------------------------------------------------

absl::Status FeedBuilder::Round::Tell(const Outgoing& outgoing, const std::string& label,
                                      Work& work) {
  // A suspended partner is told when it is resumed.
  if (snapshot->FindActive(outgoing.partner) == nullptr) return absl::OkStatus();
  if (auto feed = FeedOf(outgoing.partner, outgoing.subject); !feed.ok()) return feed.status();
  v1::AppendToFeedRequest request;
  request.set_receiver(outgoing.partner);
  request.set_subject(outgoing.subject);
  request.set_type(outgoing.message->GetDescriptor()->full_name());
  request.set_payload(Deterministic(*outgoing.message));
  *request.mutable_event_time() = time::ToTimestamp(work.event.meta.time);
  request.set_stops(As<v1::ErasureRequested>(*outgoing.message) != nullptr);
  Append(std::move(request), label, work);
  return absl::OkStatus();
}

// All that a partner has missed, or is entitled to from now on.
absl::Status FeedBuilder::Round::TellAll(const std::string& code, Work& work) {
  const v1::Partner* partner = snapshot->FindActive(code);
  if (partner == nullptr) return absl::OkStatus();
  const auto unanswered = self.sources_.Unanswered(code);
  if (!unanswered.ok()) return unanswered.status();
  for (const v1::Erasure& erasure : *unanswered) {
    const auto feed = FeedOf(code, CaseSubject(erasure.case_id()));
    if (!feed.ok()) return feed.status();
    if ((*feed)->stopped()) continue;  // it was told
    v1::ErasureAsked asked;
    *asked.mutable_erasure() = erasure;
    const auto outgoing = OutgoingFor(asked, self.options_.node);
    if (!outgoing) continue;
    if (auto told = Tell(*outgoing, absl::StrCat(code, "/erase/", erasure.id()), work);
        !told.ok()) {
      return told;
    }
  }
  if (partner->kind() == v1::PARTNER_KIND_STATISTICS) return absl::OkStatus();
  const auto submitted = self.sources_.SubmittedCases("");
  if (!submitted.ok()) return submitted.status();
  for (const std::string& case_id : *submitted) {
    const auto of = CaseOf(case_id);
    if (!of.ok()) return of.status();
    if (auto status = Share(**of, *partner, nullptr, work); !status.ok()) return status;
  }
  return absl::OkStatus();
}

absl::Status FeedBuilder::Round::Heed(const v1::UpdateReceived& received, Work& work) {
  v1::SignedFeedEvent message;
  message.set_event(received.event());
  message.set_key_id(received.key_id());
  message.set_signature(received.signature());
  v1::FeedEvent event;
  engine::Commands commands;
  if (!event.ParseFromString(received.event()) || !CommandsFor(message, event, commands)) {
    return status::Refuse(common::v1::REASON_MALFORMED_EVENT);
  }
  int number = 0;
  for (auto& request : commands.requests()) {
    work.calls.push_back(
        engine::CallFor(work.event, std::move(request), absl::StrCat("heed/", number++)));
  }
  return absl::OkStatus();
}

absl::Status FeedBuilder::Round::OwnEvent(const Message& message, Work& work) {
  if (const auto* received = As<v1::UpdateReceived>(message)) return Heed(*received, work);
  if (const auto outgoing = OutgoingFor(message, self.options_.node)) {
    if (auto told = Tell(*outgoing, outgoing->partner, work); !told.ok()) return told;
  }
  if (const auto* resumed = As<v1::PartnerResumed>(message)) {
    return TellAll(resumed->partner_id(), work);
  }
  if (const auto* signed_now = As<v1::AgreementCountersigned>(message)) {
    return TellAll(signed_now->partner_id(), work);
  }
  return absl::OkStatus();
}

// ---- One event ------------------------------------------------------------------------------------------------------

void FeedBuilder::Round::Note(const v1::SharedCase& news, Work& work) {
  v1::SharedCase& known = cases.at(news.id());
  v1::SharedCase after = Noted(known, news);
  if (after.SerializeAsString() == known.SerializeAsString()) return;
  known = std::move(after);
  auto request = std::make_shared<v1::NoteCaseRequest>();
  *request->mutable_shared_case() = news;
  work.calls.push_back(engine::CallFor(work.event, request, "case"));
}

absl::Status FeedBuilder::Round::Dispatch(const Message& message, Work& work) {
  if (work.event.meta.source == kExchange) return OwnEvent(message, work);
  if (const v1::SharedCase news = NewsIn(message); !news.id().empty()) {
    if (auto loaded = CaseOf(news.id()); !loaded.ok()) return loaded.status();
    Note(news, work);
  }
  if (const std::string person = PersonChangedBy(message); !person.empty()) {
    const auto submitted = self.sources_.SubmittedCases(person);
    if (!submitted.ok()) return submitted.status();
    for (const std::string& case_id : *submitted) {
      if (auto status = ShareWithAll(case_id, &message, work); !status.ok()) return status;
    }
    return absl::OkStatus();
  }
  if (const auto* answered = As<reg::PartnerDataErased>(message)) {
    return AnswerErasure(*answered, work);
  }
  if (const auto* withdrawn = As<reg::ConsentWithdrawn>(message)) return Withdraw(*withdrawn, work);
  if (const auto* erased = As<reg::CaseErased>(message)) return Erase(erased->case_id(), work);
  switch (WayOf(message)) {
    case Way::kStatistics: return ShareStatistics(message, work);
    case Way::kAddressed: return Address(message, work);
    case Way::kCase:
    case Way::kStays: break;
  }
  const std::string case_id = exchange::CaseOf(message);
  if (case_id.empty()) return absl::OkStatus();
  return ShareWithAll(case_id, &message, work);
}

engine::Calls FeedBuilder::Round::Build(const IncomingEvent& event) {
  const telemetry::TraceScope trace(event.meta.traceparent);
  const auto message = Parse(event);
  if (!message.ok()) return message.status();
  Work work{.event = event,
            .now = self.options_.scenario_time ? event.meta.time
                                               : std::max(event.meta.time, self.clock_.Now()),
            .calls = {}};
  if (auto status = Dispatch(**message, work); !status.ok()) return status;
  return std::move(work.calls);
}

FeedBuilder::FeedBuilder(Options options, Directory& directory, engine::Store& store,
                         FeedSources& sources, const time::Clock& clock)
    : options_(std::move(options)),
      directory_(directory),
      store_(store),
      sources_(sources),
      clock_(clock) {}

std::vector<engine::Calls> FeedBuilder::CallsOf(std::span<const IncomingEvent> events) {
  auto snapshot = directory_.Current();
  if (!snapshot.ok()) return {events.size(), engine::Calls(snapshot.status())};
  Round round(*this, *std::move(snapshot));
  std::vector<engine::Calls> all;
  for (const IncomingEvent& event : events) {
    all.push_back(round.Build(event));
    // Then none is applied: no need to ask for more.
    if (status::IsTransient(all.back().status())) {
      return {events.size(), engine::Calls(all.back().status())};
    }
  }
  return all;
}

}  // namespace sankofa::exchange
