#include "services/exchange/feed/build/withdrawal.h"

#include "sankofa/exchange/v1/feed_messages.pb.h"
#include "sankofa/exchange/v1/received.pb.h"
#include "services/exchange/feed/build/case_facts.h"
#include "services/exchange/feed/build/own_messages.h"
#include "services/exchange/feed/feed.h"

namespace sankofa::exchange {
namespace {

namespace reg = registration::v1;

void AskErasure(const std::string& case_id, const std::string& partner,
                const std::vector<Purpose>& purposes, Work& work) {
  auto request = std::make_shared<v1::AskErasureRequest>();
  request->set_case_id(case_id);
  request->set_partner_id(partner);
  for (const Purpose purpose : purposes) request->add_purposes(purpose);
  engine::CommandCall call = engine::CallFor(work.event, request, absl::StrCat("erase/", partner));
  call.now = work.now;
  request->set_erasure_id(engine::DerivedId(request->request_id(), "erasure"));
  work.calls.push_back(std::move(call));
}

}  // namespace

absl::Status Withdraw(Round& round, const reg::ConsentWithdrawn& event, Work& work) {
  const v1::Partner* partner = round.snapshot().Find(event.partner());
  if (partner == nullptr) return absl::OkStatus();
  const auto of = round.CaseOf(event.case_id());
  if (!of.ok()) return of.status();
  const auto feed = round.FeedOf(partner->id(), CaseSubject(event.case_id()));
  if (!feed.ok()) return feed.status();
  if (!Running(**feed)) return absl::OkStatus();
  const auto agreements = round.AgreementsFor(**of, *partner, work.now);
  const auto consents = round.ConsentsFor(**of, *partner, agreements, work.now);
  if (!consents.ok()) return consents.status();
  if (consents->purposes.empty()) {
    AskErasure(event.case_id(), partner->id(), {event.purpose()}, work);
    return absl::OkStatus();
  }
  if (round.snapshot().FindActive(partner->id()) == nullptr) return absl::OkStatus();
  return ShareCase(round, **of, *partner, &event, work);
}

absl::Status EraseEverywhere(Round& round, const reg::CaseErased& event, Work& work) {
  for (const auto& [code, partner] : round.snapshot().partners) {
    const auto feed = round.FeedOf(code, CaseSubject(event.case_id()));
    if (!feed.ok()) return feed.status();
    if (Running(**feed)) AskErasure(event.case_id(), code, {}, work);
  }
  return absl::OkStatus();
}

absl::Status AnswerErasure(Round& round, const reg::PartnerDataErased& event, Work& work) {
  const auto received =
      round.Peek<v1::ReceivedFeed>(FeedIdOf(event.partner(), CaseSubject(event.case_id())));
  if (!received.ok()) return received.status();
  if (!received->id().empty()) {
    auto request = std::make_shared<v1::EraseReceivedRequest>();
    request->set_feed_id(received->id());
    work.calls.push_back(engine::CallFor(work.event, request, "erase"));
  }
  auto done = std::make_shared<v1::ErasureDone>();
  done->set_erasure_id(event.erasure_id());
  done->set_case_id(event.case_id());
  *done->mutable_erased_time() = event.erased_time();
  return Tell(round, {event.partner(), CaseSubject(event.case_id()), std::move(done)}, "erased",
              work);
}

}  // namespace sankofa::exchange
