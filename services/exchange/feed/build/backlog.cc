#include "services/exchange/feed/build/backlog.h"

#include <memory>
#include <utility>

#include "services/exchange/feed/backlog.h"
#include "services/exchange/feed/build/case_facts.h"
#include "services/exchange/feed/build/own_messages.h"
#include "services/exchange/feed/build/statistics.h"

namespace sankofa::exchange {
namespace {

// The event that was kept, as it came.
engine::IncomingEvent EventIn(const v1::KeptMessage& kept) {
  engine::IncomingEvent event;
  const std::size_t slash = kept.source_stream().find('/');
  event.meta.source = kept.source();
  event.meta.stream = {kept.source_stream().substr(0, slash),
                       kept.source_stream().substr(slash + 1)};
  event.meta.sequence = kept.source_sequence();
  event.meta.time = time::FromTimestamp(kept.event_time());
  event.event_type = kept.type();
  event.payload = kept.payload();
  return event;
}

absl::Status TellOne(Round& round, const v1::Partner& partner, const v1::KeptMessage& kept,
                     Work& work) {
  if (kept.source().empty()) {
    return Tell(round, partner.id(), kept, absl::StrCat("kept/", kept.id()), work);
  }
  const engine::IncomingEvent event = EventIn(kept);
  const auto message = ParseEvent(event);
  if (!message.ok()) return message.status();
  return WayOf(**message) == Way::kStatistics
             ? ShareStatisticsWith(round, partner, event, **message, work)
             : ShareWithAddressee(round, event, **message, work);
}

// At most `limit`; those of one subject, or all where it is empty.
absl::Status TellUpTo(Round& round, const v1::Partner& partner, const std::string& subject,
                      int limit, Work& work) {
  const auto backlog = round.BacklogOf(partner.id());
  if (!backlog.ok()) return backlog.status();
  std::vector<v1::KeptMessage> now;
  v1::Backlog rest = **backlog;
  rest.clear_kept();
  for (const v1::KeptMessage& kept : (*backlog)->kept()) {
    const bool goes =
        (subject.empty() || kept.subject() == subject) && static_cast<int>(now.size()) < limit;
    (goes ? now.emplace_back() : *rest.add_kept()) = kept;
  }
  if (now.empty()) return absl::OkStatus();
  **backlog = std::move(rest);  // first, so that nothing is told twice where telling looks here too
  auto take = std::make_shared<v1::TakeKeptMessagesRequest>();
  take->set_partner_id(partner.id());
  for (const v1::KeptMessage& kept : now) take->add_message_ids(kept.id());
  round.Command(std::move(take), absl::StrCat(partner.id(), "/take/", now.front().id()), work);
  for (const v1::KeptMessage& kept : now) {
    if (auto told = TellOne(round, partner, kept, work); !told.ok()) return told;
  }
  return absl::OkStatus();
}

bool IsFull(const Work& work) { return static_cast<int>(work.calls.size()) >= kPageMessages; }

// True where no page follows; moves `after` along.
absl::StatusOr<bool> GoThrough(Round& round, const v1::Partner& partner, std::string& after,
                               Work& work) {
  if (auto told = TellUpTo(round, partner, "", kPageMessages, work); !told.ok()) return told;
  if (IsFull(work)) return false;
  if (partner.kind() == v1::PARTNER_KIND_STATISTICS) return true;
  const auto cases = round.sources().SubmittedAfter(after, kPageCases);
  if (!cases.ok()) return cases.status();
  for (const std::string& case_id : *cases) {
    const auto of = round.CaseOf(case_id);
    if (!of.ok()) return of.status();
    if (auto shared = ShareCase(round, **of, partner, nullptr, work); !shared.ok()) return shared;
    after = case_id;
    if (IsFull(work)) return false;
  }
  return cases->size() < kPageCases;
}

}  // namespace

absl::Status Keep(Round& round, const std::string& partner, v1::KeptMessage message,
                  const std::string& label, Work& work) {
  const auto backlog = round.BacklogOf(partner);
  if (!backlog.ok()) return backlog.status();
  auto request = std::make_shared<v1::KeepMessageRequest>();
  request->set_partner_id(partner);
  *request->mutable_message() = std::move(message);
  round.Command(request, absl::StrCat(partner, "/keep/", label), work);
  request->mutable_message()->set_id(engine::DerivedId(request->request_id(), "kept"));
  *(*backlog)->add_kept() = request->message();
  return absl::OkStatus();
}

absl::Status KeepEvent(Round& round, const std::string& partner, const std::string& subject,
                       Work& work) {
  v1::KeptMessage message;
  message.set_subject(subject);
  message.set_type(work.event.event_type);
  message.set_payload(work.event.payload);
  *message.mutable_event_time() = time::ToTimestamp(work.event.meta.time);
  message.set_source(work.event.meta.source);
  message.set_source_stream(StreamOf(work.event));
  message.set_source_sequence(work.event.meta.sequence);
  return Keep(round, partner, std::move(message), "event", work);
}

absl::Status TellKept(Round& round, const v1::Partner& partner, const std::string& subject,
                      Work& work) {
  return TellUpTo(round, partner, subject, kKeptMessagesMax, work);
}

void StartCatchUp(Round& round, const std::string& partner, Work& work) {
  auto request = std::make_shared<v1::StartCatchUpRequest>();
  request->set_partner_id(partner);
  round.Command(std::move(request), absl::StrCat(partner, "/catch-up"), work);
}

absl::Status GoThroughCases(Round& round, const Page& page, Work& work) {
  const v1::Partner* partner = round.snapshot().FindActive(page.partner);
  if (partner == nullptr) return absl::OkStatus();
  const auto backlog = round.BacklogOf(page.partner);
  if (!backlog.ok()) return backlog.status();
  if ((*backlog)->round() != page.round) return absl::OkStatus();
  std::string after = page.after;
  const auto done = GoThrough(round, *partner, after, work);
  if (!done.ok()) return done.status();
  auto request = std::make_shared<v1::AdvanceCatchUpRequest>();
  request->set_partner_id(page.partner);
  request->set_round(page.round);
  request->set_after(after);
  request->set_done(*done);
  round.Command(std::move(request), absl::StrCat(page.partner, "/advance"), work);
  return absl::OkStatus();
}

}  // namespace sankofa::exchange
