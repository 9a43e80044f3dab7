#include "services/exchange/feed/build/round.h"

#include <algorithm>
#include <utility>

#include "sankofa/common/v1/common_reason.pb.h"
#include "services/exchange/feed/feed.h"
#include "services/exchange/feed/shared_case.h"
#include "services/exchange/partner/keys.h"
#include "services/platform/crypto/box.h"
#include "services/platform/crypto/hash.h"
#include "services/platform/engine/wire.h"

namespace sankofa::exchange {
namespace {

using engine::IncomingEvent;
using google::protobuf::Message;

constexpr absl::Duration kPatience = absl::Seconds(5);
// An answer about consent is asked for again after this: within a batch, many events are about one case.
constexpr absl::Duration kAnswerAge = absl::Milliseconds(500);

}  // namespace

absl::StatusOr<std::unique_ptr<Message>> ParseEvent(const IncomingEvent& event) {
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

std::string StreamOf(const IncomingEvent& event) {
  return absl::StrCat(event.meta.stream.type, "/", event.meta.stream.id);
}

bool Sent(const v1::Feed& feed, const IncomingEvent& event) {
  const auto sent = feed.sent().find(SourceKeyOf(event.meta.source, StreamOf(event)));
  return sent != feed.sent().end() && event.meta.sequence <= sent->second;
}

bool Running(const v1::Feed& feed) { return !feed.disclosed().empty() && !feed.stopped(); }

absl::Time Round::TimeOf(const IncomingEvent& event) const {
  return tools_.options.scenario_time ? event.meta.time
                                      : std::max(event.meta.time, tools_.clock.Now());
}

// ---- What is stored, and supposed -----------------------------------------------------------------------------------

absl::StatusOr<std::string> Round::PeekBytes(const engine::StreamKey& key) {
  if (!session_) {
    auto opened = tools_.store.Open(absl::Now() + kPatience);
    if (!opened.ok()) return opened.status();
    session_ = *std::move(opened);
  }
  const auto peeked = session_->Peek({key});
  if (!peeked.ok()) return peeked.status();
  const auto found = peeked->find(key);
  return found == peeked->end() ? std::string() : found->second.state;
}

template <class State>
absl::StatusOr<State*> Round::Find(const std::string& id, std::map<std::string, State>& known) {
  const auto found = known.find(id);
  if (found != known.end()) return &found->second;
  auto stored = Peek<State>(id);
  if (!stored.ok()) return stored.status();
  return &(known[id] = *std::move(stored));
}

absl::StatusOr<v1::SharedCase*> Round::CaseOf(const std::string& case_id) {
  return Find(case_id, cases_);
}

absl::StatusOr<v1::Feed*> Round::FeedOf(const std::string& partner, const std::string& subject) {
  return Find(FeedIdOf(partner, subject), feeds_);
}

absl::StatusOr<v1::Backlog*> Round::BacklogOf(const std::string& partner) {
  return Find(partner, backlogs_);
}

// ---- Who may get what ----------------------------------------------------------------------------------------------

std::vector<const v1::SharingAgreement*> Round::AgreementsFor(const v1::SharedCase& of,
                                                              const v1::Partner& partner,
                                                              absl::Time now) const {
  auto agreements = snapshot_->InForce(partner.id(), time::DayOf(now));
  std::erase_if(agreements, [&](const v1::SharingAgreement* agreement) {
    return !LetsThrough(agreement->terms().cases(), of);
  });
  std::sort(agreements.begin(), agreements.end(),
            [](const auto* a, const auto* b) { return a->id() < b->id(); });
  return agreements;
}

absl::StatusOr<std::optional<registration::v1::Disclosure>> Round::Ask(const std::string& case_id,
                                                                       const std::string& partner,
                                                                       Purpose purpose,
                                                                       absl::Time at) {
  const std::string key = absl::StrCat(case_id, " ", partner, " ", static_cast<int>(purpose));
  const auto found = answers_.find(key);
  const absl::Time now = tools_.clock.Now();
  if (found != answers_.end() && now - found->second.asked < kAnswerAge &&
      time::DayOf(found->second.at) == time::DayOf(at)) {
    return found->second.disclosure;
  }
  auto disclosure = tools_.sources.Disclose(case_id, partner, purpose, at);
  if (!disclosure.ok()) return disclosure.status();
  answers_[key] = {*disclosure, now, at};
  return *std::move(disclosure);
}

absl::StatusOr<Consents> Round::ConsentsFor(
    const v1::SharedCase& of, const v1::Partner& partner,
    const std::vector<const v1::SharingAgreement*>& agreements, absl::Time now) {
  Shares shares;
  for (const auto* agreement : agreements) {
    shares.MergeFrom(SharesOf(agreement->terms(), node()));
  }
  Consents consents;
  v1::SealedContent content;
  for (const Purpose purpose : PurposesOf(shares)) {
    auto disclosure = Ask(of.id(), partner.id(), purpose, now);
    if (!disclosure.ok()) return disclosure.status();
    if (!*disclosure) continue;
    consents.purposes.push_back(purpose);
    registration::v1::Disclosure limited = Limit(**disclosure, shares);
    if (!limited.has_person() && !limited.has_case_()) continue;
    *content.add_disclosures() = limited;
    consents.disclosures.push_back(std::move(limited));
  }
  // Nobody's box can be made for a partner without a key: then nothing personal goes out.
  if (SealingKeyOf(partner, now) == nullptr) {
    consents.disclosures.clear();
    content.clear_disclosures();
  }
  consents.hash = tools_.sources.Blind("disclosed", engine::DeterministicBytes(content));
  return consents;
}

bool Round::Behind(const v1::Partner& partner, const v1::Feed& feed) const {
  if (!partner.has_suspended_time()) return false;
  const auto caught_up = tools_.caught_up.find(feed.id());
  return caught_up == tools_.caught_up.end() ||
         caught_up->second < time::FromTimestamp(partner.suspended_time());
}

// ---- What follows ---------------------------------------------------------------------------------------------------

void Round::Append(v1::AppendToFeedRequest request, const std::string& label, Work& work) {
  request.set_feed_id(FeedIdOf(request.receiver(), request.subject()));
  v1::Feed& feed = feeds_[request.feed_id()];
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
  Command(std::make_shared<v1::AppendToFeedRequest>(std::move(request)), label, work);
}

absl::Status Round::Disclose(const v1::Partner& partner, const Consents& consents,
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

void Round::Command(std::shared_ptr<Message> request, const std::string& label, Work& work) const {
  engine::CommandCall call = engine::CallFor(work.event, std::move(request), label);
  call.now = work.now;
  work.calls.push_back(std::move(call));
}

void Round::SetCaughtUp(const v1::Partner& partner, const std::string& feed_id) {
  if (!partner.has_suspended_time()) return;
  tools_.caught_up[feed_id] = time::FromTimestamp(partner.suspended_time());
}

absl::Status Round::Note(const v1::SharedCase& news, Work& work) {
  const auto known = CaseOf(news.id());
  if (!known.ok()) return known.status();
  v1::SharedCase after = Noted(**known, news);
  if (after.SerializeAsString() == (*known)->SerializeAsString()) return absl::OkStatus();
  **known = std::move(after);
  auto request = std::make_shared<v1::NoteCaseRequest>();
  *request->mutable_shared_case() = news;
  work.calls.push_back(engine::CallFor(work.event, request, "case"));
  return absl::OkStatus();
}

}  // namespace sankofa::exchange
