#include "services/exchange/ingest/partner_feed.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "sankofa/exchange/v1/exchange_events.pb.h"
#include "sankofa/exchange/v1/exchange_reason.pb.h"
#include "services/exchange/ingest/received_feed.h"
#include "services/platform/crypto/hash.h"
#include "services/platform/status/refuse.h"
#include "services/platform/status/text.h"
#include "services/platform/telemetry/metrics.h"
#include "services/platform/telemetry/trace.h"

namespace sankofa::exchange {
namespace {

constexpr absl::Duration kOpenTimeout = absl::Seconds(2);
// A batch is checked with partners and keys as they are; the first look at a message may be this old, because a message
// that it refuses is looked at again.
constexpr absl::Duration kSnapshotAge = absl::Seconds(1);
constexpr absl::Duration kLogPeriod = absl::Hours(1);
constexpr int kReplayPageMax = 1000;

std::string HeaderOf(const kafka::Message& message, std::string_view name) {
  for (const kafka::Header& header : message.headers) {
    if (header.name == name) return header.value;
  }
  return {};
}

// What it would be applied at, before which nothing is missing.
std::int64_t NextOf(const std::map<std::string, v1::ReceivedFeed>& feeds,
                    const std::string& subject) {
  const auto found = feeds.find(subject);
  return found == feeds.end() ? 1 : found->second.sequence() + 1;
}

v1::RefusedBecause BecauseOf(const std::string& reason) {
  if (reason == "CHAIN_BROKEN") return v1::REFUSED_BECAUSE_CHAIN;
  if (reason == "MESSAGE_REPLAYED") return v1::REFUSED_BECAUSE_REPLAYED;
  return v1::REFUSED_BECAUSE_RULE;
}

telemetry::RepeatedLog& LogOf(std::map<v1::RefusedBecause, telemetry::RepeatedLog>& logs,
                              v1::RefusedBecause because) {
  return logs.try_emplace(because, kLogPeriod).first->second;
}

}  // namespace

struct PartnerFeed::Round {
  engine::StoreSession* session = nullptr;
  std::shared_ptr<const Snapshot> snapshot;
  std::vector<v1::ReceiveUpdateRequest> requests;
  std::vector<std::string> traceparents;
  std::map<std::string, v1::ReceivedFeed> feeds;  // by subject, as they stand
  std::vector<std::size_t> to_apply;              // places in requests
  std::vector<engine::CommandCall> calls;         // for these
  std::vector<Refusal> refusals;
  std::map<std::string, std::int64_t> gaps;  // by subject, the first missing sequence
  std::vector<const v1::FeedEvent*> applied;
  engine::ReactionResult result;

  void Misses(const std::string& subject, std::int64_t sequence) {
    const auto [gap, fresh] = gaps.emplace(subject, sequence);
    if (!fresh) gap->second = std::min(gap->second, sequence);
  }
  void Refuse(const v1::ReceiveUpdateRequest& request, v1::RefusedBecause because,
              std::string detail, std::string reason = {}) {
    RefusedMessage message;
    message.because = because;
    message.detail = std::move(detail);
    message.message = request.message();
    message.message.clear_sealed();
    message.subject = request.event().subject();
    message.sequence = request.event().sequence();
    message.type = request.event().type();
    refusals.push_back({std::move(message), std::move(reason)});
  }
};

PartnerFeed::PartnerFeed(Options options, const engine::Engine& engine, engine::Store& store,
                         Directory& directory, const crypto::SealingKey* sealing_key, AskReplay ask,
                         const time::Clock& clock)
    : options_(std::move(options)),
      engine_(engine),
      store_(store),
      directory_(directory),
      sealing_key_(sealing_key),
      ask_(std::move(ask)),
      clock_(clock) {}

// ---- Genuine? -------------------------------------------------------------------------------------------------------

absl::StatusOr<std::unique_ptr<engine::StoreSession>> PartnerFeed::Open() const {
  return store_.Open(absl::Now() + kOpenTimeout);
}

absl::StatusOr<std::shared_ptr<const Snapshot>> PartnerFeed::Fresh() {
  auto current = directory_.Current();
  snapshot_until_ =
      clock_.Now() + kSnapshotAge;  // also where it can't be had: not for each message
  if (!current.ok()) return current.status();
  snapshot_ = *std::move(current);
  return snapshot_;
}

// As fresh as it can be had now; a partner that nobody knows where it can't be had at all.
std::shared_ptr<const Snapshot> PartnerFeed::Known() {
  if (clock_.Now() >= snapshot_until_) (void)Fresh();
  if (!snapshot_) return std::make_shared<const Snapshot>();
  return snapshot_;
}

Verdict PartnerFeed::Check(const Snapshot& snapshot, std::string_view value, ReadFrom from) const {
  const v1::Partner* partner = snapshot.Find(options_.partner);
  return Verify({.sender = partner == nullptr ? v1::Partner::default_instance() : *partner,
                 .node = options_.node,
                 .sealing_key = sealing_key_},
                value, from);
}

absl::Time PartnerFeed::NowFor(const v1::FeedEvent& event) const {
  return options_.scenario_time ? time::FromTimestamp(event.issued_time()) : clock_.Now();
}

engine::IncomingEvent PartnerFeed::ToEvent(VerifiedMessage verified) {
  const absl::Time issued = time::FromTimestamp(verified.event.issued_time());
  issued_ = std::max(issued_.value_or(issued), issued);
  v1::ReceiveUpdateRequest request;
  request.set_feed_id(ReceivedFeedId(options_.partner, verified.event.subject()));
  *request.mutable_message() = std::move(verified.message);
  request.mutable_message()->clear_sealed();
  for (auto& disclosure : verified.disclosures) *request.add_disclosures() = std::move(disclosure);
  *request.mutable_event() = std::move(verified.event);
  engine::IncomingEvent event;
  event.meta.source = options_.partner;
  event.meta.stream = StreamOf(options_.partner, request.event().subject()).stream;
  event.meta.sequence = request.event().sequence();
  event.meta.partition_key = SubjectIdOf(request.event().subject());
  event.meta.time = issued;
  event.event_type = v1::ReceiveUpdateRequest::descriptor()->full_name();
  event.payload = request.SerializeAsString();
  return event;
}

absl::StatusOr<engine::IncomingEvent> PartnerFeed::Parse(const kafka::Message& message) {
  Verdict verdict = Check(*Known(), message.value, ReadFrom::kTopic);
  if (const auto* refused = std::get_if<RefusedMessage>(&verdict)) {
    return absl::InvalidArgumentError(NameOf(refused->because));
  }
  engine::IncomingEvent event = ToEvent(std::get<VerifiedMessage>(std::move(verdict)));
  const auto trace = telemetry::ParseTraceparent(HeaderOf(message, "traceparent"));
  if (trace) event.meta.traceparent = trace->ToString();
  return event;
}

absl::StatusOr<engine::Gaps> PartnerFeed::Refuse(std::span<const kafka::Unreadable> messages) {
  const auto snapshot = Fresh();
  if (!snapshot.ok()) return snapshot.status();
  std::vector<Refusal> refusals;
  std::map<std::string, std::int64_t> claimed;  // the highest sequence; 0 where none is said
  for (const auto& [message, why] : messages) {
    const Verdict verdict = Check(**snapshot, message.value, ReadFrom::kTopic);
    if (const auto* verified = std::get_if<VerifiedMessage>(&verdict)) {
      // A key that has just arrived: it is asked for once more.
      claimed[verified->event.subject()] = verified->event.sequence();
      continue;
    }
    const auto& refused = std::get<RefusedMessage>(verdict);
    if (refused.because == v1::REFUSED_BECAUSE_SUSPENDED) {
      return status::Unavailable("the partner is suspended: its messages stay where they are");
    }
    std::string subject = refused.subject;
    // Not signed, but no worse than what could not be read: it only says what to ask the partner for.
    if (subject.empty()) subject = HeaderOf(message, "ce_subject");
    if (IsSubject(subject)) claimed[subject] = std::max(claimed[subject], refused.sequence);
    refusals.push_back({refused, ""});
  }
  const auto session = Open();
  if (!session.ok()) return session.status();
  if (auto kept = Keep(**session, refusals); !kept.ok()) return kept;
  std::set<std::string> subjects;
  for (const auto& [subject, _] : claimed) subjects.insert(subject);
  const auto feeds = Feeds(**session, subjects);
  if (!feeds.ok()) return feeds.status();
  engine::Gaps gaps;
  for (const auto& [subject, sequence] : claimed) {
    const std::int64_t next = NextOf(*feeds, subject);
    if (sequence == 0 || sequence >= next)
      gaps.emplace_back(StreamOf(options_.partner, subject), next);
  }
  return gaps;
}

// ---- Covered, and next? ---------------------------------------------------------------------------------------------

absl::StatusOr<std::map<std::string, v1::ReceivedFeed>> PartnerFeed::Feeds(
    engine::StoreSession& session, const std::set<std::string>& subjects) const {
  std::vector<engine::StreamKey> keys;
  for (const std::string& subject : subjects) {
    keys.push_back(engine::KeyOf<v1::ReceivedFeed>(ReceivedFeedId(options_.partner, subject)));
  }
  std::sort(keys.begin(), keys.end());
  auto stored = session.Peek(keys);
  if (!stored.ok()) return stored.status();
  std::map<std::string, v1::ReceivedFeed> feeds;
  for (const auto& [key, stream] : *stored) {
    v1::ReceivedFeed feed;
    if (!feed.ParseFromString(stream.state)) return status::Internal("a stored feed can't be read");
    feeds[feed.subject()] = std::move(feed);
  }
  return feeds;
}

// What stands in the journal at a place that is taken. Erasures stand in the same stream, so the message is at most as
// many rows further on. Null where the journal no longer goes back so far.
absl::StatusOr<std::shared_ptr<const v1::AppliedMessage>> PartnerFeed::Applied(
    engine::StoreSession& session, const v1::ReceivedFeed& feed, std::int64_t sequence) const {
  const auto rows =
      session.ReadStream(engine::KeyOf<v1::ReceivedFeed>(feed.id()), sequence, feed.erasures() + 1);
  if (!rows.ok()) return rows.status();
  for (const engine::JournalRow& row : *rows) {
    v1::UpdateReceived received;
    if (row.event_type != v1::UpdateReceived::descriptor()->full_name() ||
        !received.ParseFromString(row.payload) || received.sequence() != sequence) {
      continue;
    }
    auto applied = std::make_shared<v1::AppliedMessage>();
    applied->set_sequence(sequence);
    applied->set_hash(crypto::Hash(received.event()));
    return applied;
  }
  return std::shared_ptr<const v1::AppliedMessage>();
}

absl::StatusOr<Coverage> PartnerFeed::CoverageNow(engine::StoreSession& session,
                                                  const Snapshot& snapshot,
                                                  const v1::FeedEvent& event) {
  const std::string id = AgreementNeeded(event);
  const v1::SharingAgreement* agreement = nullptr;
  v1::SharingAgreement stored;
  if (const auto known = snapshot.agreements.find(options_.partner);
      known != snapshot.agreements.end()) {
    const auto found =
        std::find_if(known->second.begin(), known->second.end(),
                     [&](const v1::SharingAgreement& candidate) { return candidate.id() == id; });
    if (found != known->second.end()) agreement = &*found;
  }
  if (agreement == nullptr && !id.empty()) {
    // One that was replaced or ended since, or that is not signed by both yet.
    const engine::StreamKey key = engine::KeyOf<v1::SharingAgreement>(id);
    const auto streams = session.Peek({key});
    if (!streams.ok()) return streams.status();
    if (const auto found = streams->find(key);
        found != streams->end() && stored.ParseFromString(found->second.state)) {
      agreement = &stored;
    }
  }
  Coverage coverage = CoverageOf(event, agreement);
  const std::pair place(event.subject(), event.sequence());
  if (coverage.kind != Coverage::Kind::kNotYet) {
    waiting_.erase(place);
    return coverage;
  }
  const absl::Time since = waiting_.emplace(place, clock_.Now()).first->second;
  if (clock_.Now() - since >= options_.agreement_patience) coverage.kind = Coverage::Kind::kOut;
  return coverage;
}

// What can be tried, what is refused before that, and what has to wait.
absl::Status PartnerFeed::Sort(Round& round) {
  std::map<std::string, std::int64_t> next;
  for (std::size_t i = 0; i < round.requests.size(); ++i) {
    const v1::ReceiveUpdateRequest& request = round.requests[i];
    const v1::FeedEvent& event = request.event();
    const std::string& subject = event.subject();
    std::int64_t& expected = next.try_emplace(subject, NextOf(round.feeds, subject)).first->second;
    if (round.gaps.contains(subject) && event.sequence() >= round.gaps[subject]) continue;
    if (event.sequence() > expected) {
      round.Misses(subject, expected);
      continue;
    }
    engine::CommandCall call;
    if (const auto feed = round.feeds.find(subject);
        feed != round.feeds.end() && event.sequence() < feed->second.sequence()) {
      auto applied = Applied(*round.session, feed->second, event.sequence());
      if (!applied.ok()) return applied.status();
      if (*applied == nullptr) {
        ++round.result.repeated;
        continue;
      }
      call.facts = *std::move(applied);
    } else if (event.sequence() == expected) {
      const auto coverage = CoverageNow(*round.session, *round.snapshot, event);
      if (!coverage.ok()) return coverage.status();
      if (coverage->kind == Coverage::Kind::kNotYet) {
        round.Misses(subject, expected);
        continue;
      }
      if (coverage->kind == Coverage::Kind::kOut) {
        // The genuine message is this one: there is no other to ask for.
        round.Refuse(request, v1::REFUSED_BECAUSE_OUT_OF_AGREEMENT, coverage->detail,
                     "OUT_OF_AGREEMENT");
        continue;
      }
      ++expected;
    }
    call.request = std::make_shared<v1::ReceiveUpdateRequest>(request);
    call.actor.system = absl::StrCat("partner-", options_.partner);
    call.now = NowFor(event);
    call.traceparent = round.traceparents[i];
    round.calls.push_back(std::move(call));
    round.to_apply.push_back(i);
  }
  return absl::OkStatus();
}

absl::Status PartnerFeed::Execute(Round& round) {
  const std::vector<engine::Outcome> outcomes = engine_.Execute(*round.session, round.calls);
  for (std::size_t i = 0; i < outcomes.size(); ++i) {
    const v1::ReceiveUpdateRequest& request = round.requests[round.to_apply[i]];
    const v1::FeedEvent& event = request.event();
    if (outcomes[i].ok()) {
      ++round.result.applied;
      round.applied.push_back(&event);
      continue;
    }
    const absl::Status& why = outcomes[i].status();
    const std::string reason = status::ReasonOf(why);
    if (reason == "MESSAGE_REPEATED") {
      ++round.result.repeated;
    } else if (reason == "MESSAGES_MISSING") {
      // Behind one that was refused just now; that one has said what is missing.
      continue;
    } else if (reason == "LOOK_AGAIN") {
      return status::Unavailable("the feed moved on meanwhile");
    } else if (reason == "PARTNER_SUSPENDED" || reason == "PARTNER_NOT_FOUND") {
      return status::Unavailable("the partner is suspended: its messages stay where they are");
    } else if (status::IsTransient(why)) {
      return why;
    } else {
      const v1::RefusedBecause because = BecauseOf(reason);
      round.Refuse(request, because, std::string(why.message()), reason);
      if (because != v1::REFUSED_BECAUSE_REPLAYED) round.Misses(event.subject(), event.sequence());
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<engine::ReactionResult> PartnerFeed::Apply(
    std::span<const engine::IncomingEvent> events) {
  Round round;
  const auto snapshot = Fresh();
  if (!snapshot.ok()) return snapshot.status();
  round.snapshot = *snapshot;
  if (round.snapshot->FindActive(options_.partner) == nullptr) {
    return status::Unavailable("the partner is suspended: its messages stay where they are");
  }
  const auto session = Open();
  if (!session.ok()) return session.status();
  round.session = session->get();
  std::set<std::string> subjects;
  for (const engine::IncomingEvent& event : events) {
    v1::ReceiveUpdateRequest& request = round.requests.emplace_back();
    if (!request.ParseFromString(event.payload)) return status::Internal("a message was lost");
    subjects.insert(request.event().subject());
    round.traceparents.push_back(event.meta.traceparent);
  }
  auto feeds = Feeds(*round.session, subjects);
  if (!feeds.ok()) return feeds.status();
  round.feeds = *std::move(feeds);
  if (auto sorted = Sort(round); !sorted.ok()) return sorted;
  if (auto executed = Execute(round); !executed.ok()) return executed;
  if (auto kept = Keep(*round.session, round.refusals); !kept.ok()) return kept;
  for (const auto& [subject, missing] : round.gaps) {
    round.result.gaps.emplace_back(StreamOf(options_.partner, subject), missing);
  }
  Tell(round);
  return round.result;
}

absl::Status PartnerFeed::Bury(std::span<const engine::DeadLetter> letters, bool /*once*/) {
  if (letters.empty()) return absl::OkStatus();
  let_go_.Met(telemetry::Level::kWarn,
              "messages of a partner wait for one that it does not give; its digest shows the case",
              {{"partner", options_.partner},
               {"stream", letters.front().from.stream.id},
               {"why", letters.front().detail}});
  return absl::OkStatus();
}

// ---- What is missing ------------------------------------------------------------------------------------------------

absl::StatusOr<std::vector<engine::IncomingEvent>> PartnerFeed::Fetch(
    const std::string& /*source*/, const engine::StreamKey& stream, std::int64_t from_sequence,
    int limit) {
  v1::ReplayRequest request;
  request.set_subject(stream.id);
  request.set_from_sequence(from_sequence);
  request.set_page_size(std::min(limit, kReplayPageMax));
  const auto response = ask_(request, issued_);
  const bool gone = !response.ok() && status::ReasonOf(response.status()) == "SUBJECT_NOT_FOUND";
  {
    const std::lock_guard lock(mutex_);
    replay_health_ = gone ? absl::OkStatus() : response.status();
  }
  if (gone) return absl::NotFoundError("the partner has nothing about it");
  // Whatever it says, it is not that the message never was.
  if (!response.ok()) return status::Unavailable(status::Std(response.status().message()));

  const auto snapshot = Fresh();
  if (!snapshot.ok()) return snapshot.status();
  const auto session = Open();
  if (!session.ok()) return session.status();
  std::vector<engine::IncomingEvent> events;
  for (const v1::FeedMessage& replayed : response->messages()) {
    Verdict verdict = Check(**snapshot, replayed.message().SerializeAsString(), ReadFrom::kReplay);
    if (const auto* refused = std::get_if<RefusedMessage>(&verdict)) {
      if (refused->because == v1::REFUSED_BECAUSE_SUSPENDED) {
        return status::Unavailable("the partner is suspended");
      }
      if (auto kept = Keep(**session, {{*refused, ""}}); !kept.ok()) return kept;
      return absl::FailedPreconditionError("the partner's Replay gives what is refused here");
    }
    auto& verified = std::get<VerifiedMessage>(verdict);
    if (verified.event.subject() != stream.id ||
        verified.event.sequence() != from_sequence + static_cast<std::int64_t>(events.size())) {
      break;
    }
    if (events.empty()) {
      const auto coverage = CoverageNow(**session, **snapshot, verified.event);
      if (!coverage.ok()) return coverage.status();
      if (coverage->kind == Coverage::Kind::kNotYet) return absl::AbortedError(coverage->detail);
    }
    events.push_back(ToEvent(std::move(verified)));
  }
  return events;
}

// ---- Evidence, and what is said of it -------------------------------------------------------------------------------

absl::Status PartnerFeed::Keep(engine::StoreSession& session,
                               const std::vector<Refusal>& refusals) {
  if (refusals.empty()) return absl::OkStatus();
  std::vector<engine::CommandCall> calls;
  for (const Refusal& refusal : refusals) {
    auto request = std::make_shared<v1::RefuseMessageRequest>();
    request->set_evidence_id(refusal.message.EvidenceId());
    request->set_partner_id(options_.partner);
    *request->mutable_receipt() = refusal.message.Receipt(clock_.Now());
    request->mutable_receipt()->set_reason(refusal.reason);
    request->set_detail(refusal.message.detail);
    request->set_event(refusal.message.message.event());
    request->set_key_id(refusal.message.message.key_id());
    request->set_signature(refusal.message.message.signature());
    engine::CommandCall call;
    call.request = std::move(request);
    call.actor.system = absl::StrCat("partner-", options_.partner);
    call.now = clock_.Now();
    calls.push_back(std::move(call));
  }
  for (const engine::Outcome& outcome : engine_.Execute(session, calls)) {
    if (!outcome.ok()) return status::Unavailable(std::string(outcome.status().message()));
  }
  for (const Refusal& refusal : refusals) {
    const v1::RefusedBecause because = refusal.message.because;
    telemetry::GetCounter("sankofa_feed_refused_total", "Messages of partners that were refused.",
                          {{"partner", options_.partner}, {"reason", NameOf(because)}})
        .Add();
    LogOf(refused_here_, because)
        .Met(telemetry::Level::kWarn,
             "a message of a partner was refused and kept as evidence (ListRefusals)",
             {{"partner", options_.partner},
              {"because", NameOf(because)},
              {"detail", refusal.message.detail},
              {"subject", refusal.message.subject},
              {"sequence", refusal.message.sequence},
              {"evidence", refusal.message.EvidenceId()}});
  }
  return absl::OkStatus();
}

void PartnerFeed::Tell(const Round& round) {
  if (round.applied.empty()) return;
  telemetry::GetCounter("sankofa_feed_received_total", "Messages of partners that took effect.",
                        {{"partner", options_.partner}})
      .Add(static_cast<double>(round.applied.size()));
  const absl::Time now = clock_.Now();
  telemetry::GetGauge("sankofa_feed_last_received_seconds",
                      "When a message of a partner last took effect, in seconds since 1970.",
                      {{"partner", options_.partner}})
      .Set(absl::ToDoubleSeconds(now - absl::UnixEpoch()));
  {
    const std::lock_guard lock(mutex_);
    last_applied_ = now;
  }
  for (const v1::FeedEvent* event : round.applied) {
    v1::FeedRefused refused;
    if (event->type() != v1::FeedRefused::descriptor()->full_name() ||
        !refused.ParseFromString(event->payload())) {
      continue;
    }
    telemetry::GetCounter("sankofa_feed_refused_there_total",
                          "Messages of this node that partners refused.",
                          {{"partner", options_.partner}, {"reason", NameOf(refused.because())}})
        .Add();
    LogOf(refused_there_, refused.because())
        .Met(telemetry::Level::kWarn, "a partner refused a message of this node",
             {{"partner", options_.partner},
              {"because", NameOf(refused.because())},
              {"subject", refused.subject()},
              {"sequence", refused.sequence()}});
  }
}

absl::Time PartnerFeed::last_applied() const {
  const std::lock_guard lock(mutex_);
  return last_applied_;
}

absl::Status PartnerFeed::ReplayHealth() const {
  const std::lock_guard lock(mutex_);
  return replay_health_;
}

}  // namespace sankofa::exchange
