#pragma once

#include <deque>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "sankofa/common/v1/options.pb.h"
#include "sankofa/exchange/v1/exchange_events.pb.h"
#include "sankofa/exchange/v1/exchange_service.pb.h"
#include "sankofa/exchange/v1/feed.pb.h"
#include "sankofa/exchange/v1/feed_messages.pb.h"
#include "services/platform/crypto/sign.h"
#include "services/platform/crypto/vault.h"
#include "services/platform/engine/batch.h"
#include "services/registration/border/feed.h"
#include "services/registration/border/hand_over.h"
#include "services/registration/case/case.h"
#include "services/registration/person/person.h"
#include "tests/unit/registration/fixture.h"

// Two nodes with a road between them: what one commits reaches the other as exchange would hand it on, when the test
// says so. The road keeps the order of a sender and loses nothing; it may be slow, and it may deliver twice.
namespace sankofa::registration {

namespace ex = exchange::v1;

// One node's registration service with the partner on its other side.
class Side {
 public:
  Side(std::string name, std::string country, std::string partner)
      : name_(std::move(name)), country_(std::move(country)), partner_(std::move(partner)) {
    const std::string seed = absl::StrCat(name_, std::string(32 - name_.size(), '.'));
    signer_ = *crypto::Signer::FromSeed(seed);
    ReactToPartners(reactions_);
  }

  // What exchange tells when the partner is registered.
  void Meet(const Side& other) {
    ex::PartnerRegistered event;
    auto& partner = *event.mutable_partner();
    partner.set_id(other.name_);
    partner.set_kind(ex::PARTNER_KIND_NODE);
    partner.set_state(ex::PARTNER_STATE_ACTIVE);
    auto& key = *partner.add_keys();
    key.set_key_id(other.name_ + "-key");
    key.set_verification_key(other.signer_->public_key());
    EXPECT_TRUE(React(event).ok());
  }

  [[nodiscard]] engine::Context Now(const std::string& organisation = {}) const {
    engine::Context context = At(now);
    context.node = name_;
    context.country = country_;
    context.actor.organisation = organisation.empty() ? name_ : organisation;
    context.sign = [this](std::string_view label, std::string_view text) {
      return engine::Signature{signer_->Sign(label, text), signer_->public_key()};
    };
    return context;
  }

  template <class Request>
  absl::Status Send(const Request& request) {
    return Finish(world.Send(request, Now()));
  }

  // Gives the commands that a reaction to `event` leads to; the first refusal, or OK.
  template <class Event>
  absl::Status React(const Event& event) {
    const auto* handler = reactions_.Find(Event::descriptor()->full_name());
    if (handler == nullptr) return absl::UnimplementedError("no reaction");
    engine::Commands commands;
    handler->react(event, {}, commands);
    absl::Status refused;
    for (const auto& command : commands.requests()) {
      engine::Context context = Now();
      context.actor = {};
      context.actor.system = "exchange";
      context.facts = FactsFor(*command);
      const absl::Status status = Finish(world.SendAny(*command, context));
      if (refused.ok()) refused = status;
    }
    return refused;
  }

  // The deadlines that are due.
  void RunDeadlines() {
    for (const v1::Case* of : world.All<v1::Case>()) RunDeadline<CaseDecider>(*of);
    for (const v1::HandOver* one : world.All<v1::HandOver>()) RunDeadline<HandOverDecider>(*one);
  }

  const v1::Case& of(const std::string& id) { return world.Get<v1::Case>(id); }
  const v1::HandOver& hand_over(const std::string& id) { return world.Get<v1::HandOver>(id); }
  [[nodiscard]] const std::string& name() const { return name_; }

  Node world;
  absl::Time now = Morning();
  // By case: what the partner disclosed last.
  std::map<std::string, ex::ReceivedDisclosure> disclosed;
  // What goes to the partner, in order.
  std::deque<ex::UpdateReceived> out;
  // All that was refused of what the partner said.
  std::vector<std::string> refusals;

  // Puts a message for the partner on the road.
  void Tell(const google::protobuf::Message& message, const std::string& case_id,
            bool discloses = false) {
    ex::FeedEvent event;
    event.set_sender(name_);
    event.set_receiver(partner_);
    event.set_subject("Case/" + case_id);
    event.set_type(message.GetDescriptor()->full_name());
    std::unique_ptr<google::protobuf::Message> cut(message.New());
    cut->CopyFrom(message);
    crypto::Redact(*cut);
    event.set_payload(cut->SerializeAsString());
    event.add_purposes(v1::CONSENT_PURPOSE_REINTEGRATION);
    ex::UpdateReceived update;
    update.set_subject_id(case_id);
    update.set_sender(name_);
    update.set_subject(event.subject());
    update.set_type(event.type());
    update.set_event(event.SerializeAsString());
    update.set_discloses(discloses);
    out.push_back(std::move(update));
  }

 private:
  template <class D>
  void RunDeadline(const typename D::State& state) {
    const auto deadline = D::NextDeadline(state);
    if (!deadline || deadline->due > now) return;
    std::unique_ptr<google::protobuf::Message> command(deadline->command->New());
    command->CopyFrom(*deadline->command);
    EXPECT_TRUE(Finish(world.SendAny(*command, Now())).ok());
  }

  absl::Status Finish(const absl::Status& status) {
    if (!status.ok()) return status;
    for (const engine::Emitted& emitted : world.last()) Share(*emitted.event);
    return status;
  }

  std::shared_ptr<const google::protobuf::Message> FactsFor(
      const google::protobuf::Message& command) {
    std::string case_id;
    if (const auto* one = dynamic_cast<const v1::ReceiveCaseRequest*>(&command)) {
      case_id = one->case_id();
    } else if (const auto* two = dynamic_cast<const v1::ReceiveDisclosureRequest*>(&command)) {
      case_id = two->case_id();
    } else if (const auto* three = dynamic_cast<const v1::ReceiveReferralRequest*>(&command)) {
      case_id = three->sent().case_id();
    } else {
      return nullptr;
    }
    return std::make_shared<ex::ReceivedDisclosure>(disclosed[case_id]);
  }

  static std::string Text(const google::protobuf::Message& message, const char* name) {
    const auto* field = message.GetDescriptor()->FindFieldByName(name);
    return field == nullptr ? std::string() : message.GetReflection()->GetString(message, field);
  }

  // What exchange's policy does, as far as it matters here: own facts only; those with an addressee to that partner;
  // the life of a case once it was submitted, its registration first.
  void Share(const google::protobuf::Message& event) {
    const auto* descriptor = event.GetDescriptor();
    const std::string case_id = Text(event, "case_id");
    for (int i = 0; i < descriptor->field_count(); ++i) {
      const auto* field = descriptor->field(i);
      const auto& options = field->options();
      if (options.GetExtension(common::v1::origin_node) &&
          !event.GetReflection()->GetString(event, field).empty()) {
        return;
      }
    }
    for (int i = 0; i < descriptor->field_count(); ++i) {
      const auto* field = descriptor->field(i);
      if (!field->options().GetExtension(common::v1::addressee)) continue;
      if (event.GetReflection()->GetString(event, field) == partner_) Tell(event, case_id);
      return;
    }
    static const std::set<std::string> kShared = {
        "CaseSubmitted", "CaseAccepted", "CaseRefused",  "CaseArrived",
        "CaseAssessed",  "CaseClosed",   "CaseReopened", "CaseReintegrationStarted"};
    if (descriptor->name() == "CaseRegistered") {
      registered_[case_id] = static_cast<const v1::CaseRegistered&>(event);
    }
    if (!kShared.contains(descriptor->name())) return;
    const auto opened = registered_.find(case_id);
    if (opened != registered_.end()) {
      if (descriptor->name() != "CaseSubmitted") return;  // its own organisation's still
      Tell(opened->second, case_id, /*discloses=*/true);
      registered_.erase(opened);
    }
    Tell(event, case_id);
  }

  const std::string name_;
  const std::string country_;
  const std::string partner_;
  std::unique_ptr<crypto::Signer> signer_;
  engine::Reactions reactions_;
  std::map<std::string, v1::CaseRegistered> registered_;  // not shared yet
};

// FR, where people return from, and TG, where they return to.
struct Border {
  Border() {
    fr.Meet(tg);
    tg.Meet(fr);
  }

  // Hands the oldest message on the road to the other node. What was handed over can come again.
  void Deliver(Side& from, Side& to) {
    if (from.out.empty()) return;
    const ex::UpdateReceived update = from.out.front();
    from.out.pop_front();
    past[from.name()].push_back(update);
    Hand(update, to);
  }

  static void Hand(const ex::UpdateReceived& update, Side& to) {
    if (auto status = to.React(update); !status.ok()) {
      to.refusals.push_back(absl::StrCat(update.type(), ": ", Reason(status)));
    }
  }

  // Until the road is empty.
  void Settle() {
    while (!fr.out.empty() || !tg.out.empty()) {
      Deliver(fr, tg);
      Deliver(tg, fr);
    }
  }

  void Advance(absl::Duration by) {
    fr.now += by;
    tg.now += by;
  }

  static v1::CaseHeader HeaderTo(const std::string& partner) {
    v1::CaseHeader header = Header();
    header.set_origin_country("TG");
    header.set_partner(partner);
    return header;
  }

  // FR registers, opens and submits a case with TG.
  std::string Submit() {
    v1::RegisterPersonRequest person;
    *person.mutable_details() = Adult();
    person.set_request_id(test::NextRequestId());
    EXPECT_TRUE(fr.Send(person).ok());
    v1::RegisterCaseRequest open;
    open.set_request_id(test::NextRequestId());
    open.set_person_id(engine::DerivedId(person.request_id()));
    *open.mutable_header() = HeaderTo("tg");
    const absl::Status opened = fr.Send(open);
    EXPECT_TRUE(opened.ok()) << opened;
    const std::string id = engine::DerivedId(open.request_id());
    auto consent = Consent(id);
    consent.set_partner("tg");
    EXPECT_TRUE(fr.Send(consent).ok());
    EXPECT_TRUE(fr.Send(ForCase<v1::SubmitCaseRequest>(id)).ok());
    return id;
  }

  // TG registers, opens and submits a retroactive case with FR.
  std::string SubmitRetroactive() {
    v1::RegisterPersonRequest person;
    *person.mutable_details() = Adult();
    person.set_request_id(test::NextRequestId());
    EXPECT_TRUE(tg.Send(person).ok());
    v1::RegisterRetroactiveCaseRequest open;
    open.set_request_id(test::NextRequestId());
    open.set_person_id(engine::DerivedId(person.request_id()));
    *open.mutable_header() = HeaderTo("fr");
    open.set_arrival_date("2017-06-01");
    EXPECT_TRUE(tg.Send(open).ok());
    const std::string id = engine::DerivedId(open.request_id());
    auto consent = Consent(id);
    consent.set_partner("fr");
    EXPECT_TRUE(tg.Send(consent).ok());
    EXPECT_TRUE(tg.Send(ForCase<v1::SubmitCaseRequest>(id)).ok());
    return id;
  }

  // FR discloses these details of a case's person, as exchange keeps them at TG.
  void Disclose(const std::string& case_id, const v1::PersonDetails& details,
                const std::string& until = "2018-06-30") {
    ex::ReceivedDisclosure received;
    auto& disclosure = *received.add_disclosures();
    disclosure.set_purpose(v1::CONSENT_PURPOSE_REINTEGRATION);
    disclosure.set_until_date(until);
    *disclosure.mutable_person()->mutable_details() = details;
    tg.disclosed[case_id] = received;
  }

  Side fr{"fr", "FR", "tg"};
  Side tg{"tg", "TG", "fr"};
  std::map<std::string, std::vector<ex::UpdateReceived>> past;  // by sender
};

}  // namespace sankofa::registration
