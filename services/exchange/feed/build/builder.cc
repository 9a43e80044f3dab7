#include "services/exchange/feed/build/builder.h"

#include <utility>

#include "sankofa/registration/v1/registration_events.pb.h"
#include "services/exchange/feed/build/case_facts.h"
#include "services/exchange/feed/build/own_messages.h"
#include "services/exchange/feed/build/statistics.h"
#include "services/exchange/feed/build/withdrawal.h"
#include "services/exchange/feed/shared_case.h"
#include "services/platform/telemetry/trace.h"

namespace sankofa::exchange {
namespace {

namespace reg = registration::v1;
using engine::IncomingEvent;
using google::protobuf::Message;

// Whose details an event changes, where a disclosure may show them.
std::string PersonChangedBy(const Message& event) {
  if (const auto* it = As<reg::PersonUpdated>(event)) return it->person_id();
  if (const auto* it = As<reg::VulnerabilitiesRecorded>(event)) return it->person_id();
  if (const auto* it = As<reg::PayoutAccountAdded>(event)) return it->person_id();
  if (const auto* it = As<reg::PayoutAccountRemoved>(event)) return it->person_id();
  return {};
}

absl::Status Dispatch(Round& round, const Message& message, Work& work) {
  if (work.event.meta.source == "exchange") return OnOwnEvent(round, message, work);
  if (const v1::SharedCase news = NewsIn(message); !news.id().empty()) {
    if (auto noted = round.Note(news, work); !noted.ok()) return noted;
  }
  if (const std::string person = PersonChangedBy(message); !person.empty()) {
    const auto submitted = round.sources().SubmittedCases(person);
    if (!submitted.ok()) return submitted.status();
    for (const std::string& case_id : *submitted) {
      if (auto status = ShareWithAll(round, case_id, message, work); !status.ok()) return status;
    }
    return absl::OkStatus();
  }
  if (const auto* answered = As<reg::PartnerDataErased>(message)) {
    return AnswerErasure(round, *answered, work);
  }
  if (const auto* withdrawn = As<reg::ConsentWithdrawn>(message)) {
    return Withdraw(round, *withdrawn, work);
  }
  if (const auto* erased = As<reg::CaseErased>(message)) {
    return EraseEverywhere(round, *erased, work);
  }
  switch (WayOf(message)) {
    case Way::kStatistics: return ShareStatistics(round, message, work);
    case Way::kAddressed: return ShareWithAddressee(round, work.event, message, work);
    case Way::kCase:
    case Way::kStays: break;
  }
  const std::string case_id = CaseOf(message);
  if (case_id.empty()) return absl::OkStatus();
  return ShareWithAll(round, case_id, message, work);
}

engine::Calls Build(Round& round, const IncomingEvent& event) {
  const telemetry::TraceScope trace(event.meta.traceparent);
  const auto message = ParseEvent(event);
  if (!message.ok()) return message.status();
  Work work{.event = event, .now = round.TimeOf(event), .calls = {}};
  if (auto status = Dispatch(round, **message, work); !status.ok()) return status;
  return std::move(work.calls);
}

}  // namespace

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
  Round round({options_, store_, sources_, clock_, caught_up_}, *std::move(snapshot));
  std::vector<engine::Calls> all;
  for (const IncomingEvent& event : events) {
    all.push_back(Build(round, event));
    // Then none is applied: no need to ask for more.
    if (status::IsTransient(all.back().status())) {
      return {events.size(), engine::Calls(all.back().status())};
    }
  }
  return all;
}

}  // namespace sankofa::exchange
