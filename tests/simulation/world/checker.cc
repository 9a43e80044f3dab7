#include "tests/simulation/world/checker.h"

#include <algorithm>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "sankofa/funding/v1/budget_line.pb.h"
#include "sankofa/funding/v1/funding_events.pb.h"
#include "sankofa/registration/v1/case.pb.h"
#include "services/exchange/feed/route.h"
#include "services/platform/crypto/hash.h"
#include "services/platform/engine/call_source.h"
#include "services/platform/kafka/event.h"
#include "tests/simulation/world/script.h"

namespace sankofa::simulation {
namespace {

namespace ex = exchange::v1;
namespace fund = funding::v1;
namespace reg = registration::v1;

template <class Event>
bool Read(const engine::JournalRow& row, Event& event) {
  return row.event_type == Event::descriptor()->full_name() && event.ParseFromString(row.payload);
}

// Written from the text of the promise, not with registration's own function.
bool ConsentHolds(const reg::Case& of, const std::string& partner, int purpose,
                  const std::string& today) {
  return std::any_of(of.consents().begin(), of.consents().end(), [&](const reg::Consent& consent) {
    return consent.partner() == partner && consent.purpose() == purpose &&
           !consent.has_withdrawn_time() && consent.from_date() <= today &&
           today <= consent.until_date();
  });
}

std::string NameOf(const engine::StreamKey& key) { return absl::StrCat(key.type, "/", key.id); }

}  // namespace

Checker::Checker(World& world) : world_(world) {
  for (auto& [_, node] : world.nodes()) {
    for (const auto& [name, service] : node->services()) {
      service->database().on_committed =
          [this, at = service.get()](const engine::WriteSet& writes) { Committed(*at, writes); };
    }
  }
}

void Checker::Violated(std::string what) {
  if (violation_.empty()) violation_ = std::move(what);
}

void Checker::Committed(Service& service, const engine::WriteSet& writes) {
  Known& known = known_[&service];
  ++known.commits;
  for (const engine::Answer& answer : writes.answers) {
    if (!known.answered.insert(answer.request_id).second) {
      Violated(absl::StrCat("G2: request ", answer.request_id, " was answered twice by ",
                            service.node().id(), " ", service.name()));
    }
  }
  for (const auto& [from, sequence] : writes.marks) {
    std::int64_t& mark = known.marks[from];
    const auto& streams = service.node().service(from.source).database().kept().streams();
    const auto source = streams.find(from.stream);
    if (sequence < mark || source == streams.end() || sequence > source->second.version) {
      Violated(absl::StrCat("G3: ", service.node().id(), " ", service.name(), " marks ",
                            NameOf(from.stream), " at ", sequence, " after ", mark));
    }
    mark = sequence;
  }
  for (const engine::JournalRow& row : writes.journal) CheckRow(service, known, row);
  if (service.name() == "funding") CheckLines(writes);
}

void Checker::CheckRow(Service& service, Known& known, const engine::JournalRow& row) {
  ++events_;
  trace_ = crypto::Hash(absl::StrCat(trace_, row.hash));
  const std::string where = absl::StrCat(service.node().id(), " ", service.name(), " ",
                                         NameOf(row.stream), " at ", row.sequence);
  Chain& chain = known.chains[row.stream];
  if (row.sequence != chain.sequence + 1 || row.previous_hash != chain.hash ||
      row.hash != engine::HashOf(row)) {
    Violated(absl::StrCat("G10: the chain is broken: ", where));
  }
  chain = {row.sequence, row.hash};
  const auto [commit, fresh] = known.request_commits.emplace(row.request_id, known.commits);
  if (!row.request_id.empty() && !fresh && commit->second != known.commits) {
    Violated(absl::StrCat("G2: request ", row.request_id, " has events in two commits: ", where));
  }
  if (absl::StrContains(row.payload, kNameMark)) {
    Violated(absl::StrCat("G4: a name in clear: ", where));
  }
  if (ex::FeedAppended appended; Read(row, appended)) CheckSent(service, appended);
  if (ex::UpdateReceived received; Read(row, received)) CheckReceived(service, received);
  if (service.name() == "funding") CheckMoney(known, row);
}

// The message is made and committed in one step of the scheduler, so what registration holds then is what holds when it
// is delivered to the partner's topic.
void Checker::CheckSent(Service& service, const ex::FeedAppended& appended) {
  Node& node = service.node();
  ex::FeedEvent event;
  if (!event.ParseFromString(appended.event())) return Violated("G7: a message that can't be read");
  sent_[{node.id(), appended.receiver(), appended.subject(), appended.sequence()}] =
      crypto::Hash(appended.event());
  if (event.purposes().empty()) return;
  const auto of = node.service("registration").Kept<reg::Case>(appended.subject_id());
  const std::string today = time::FormatDay(time::DayOf(world_.clock().Now()));
  for (const int purpose : event.purposes()) {
    if (of && ConsentHolds(*of, appended.receiver(), purpose, today)) continue;
    Violated(absl::StrCat("G5: ", node.id(), " sends ", event.type(), " of case ",
                          appended.subject_id(), " to ", appended.receiver(),
                          " without a consent that holds"));
  }
  if (appended.sealed().empty()) return;
  const auto opened = world_.node(appended.receiver()).sealing_key().Open(appended.sealed());
  ex::SealedContent content;
  if (!opened.ok() || !content.ParseFromString(*opened)) {
    return Violated("G7: a box that its receiver can't open");
  }
  for (const reg::Disclosure& disclosure : content.disclosures()) {
    reg::PersonDetails beyond = disclosure.person().details();
    beyond.clear_phones();
    if (beyond.ByteSizeLong() > 0) {
      Violated(absl::StrCat("G5: a box tells more than its consent: ", beyond.ShortDebugString()));
    }
  }
}

void Checker::CheckReceived(Service& service, const ex::UpdateReceived& received) {
  const std::string& node = service.node().id();
  const auto sent = sent_.find({received.sender(), node, received.subject(), received.sequence()});
  if (sent == sent_.end() || sent->second != crypto::Hash(received.event())) {
    Violated(absl::StrCat("G7: ", node, " takes what ", received.sender(),
                          " has not sent: ", received.subject(), " at ", received.sequence()));
  }
  std::int64_t& last = received_[{received.sender(), node, received.subject()}];
  if (received.sequence() != last + 1) {
    Violated(absl::StrCat("G3: ", node, " takes ", received.subject(), " at ", received.sequence(),
                          " behind ", last));
  }
  last = received.sequence();
}

void Checker::CheckMoney(Known& known, const engine::JournalRow& row) {
  const auto instalment = [](const auto& event) {
    return absl::StrCat(event.grant_id(), "/", event.instalment());
  };
  if (fund::InstalmentRequested requested; Read(row, requested)) {
    requested_by_[instalment(requested)] = requested.requested_by();
  }
  if (fund::InstalmentApproved approved; Read(row, approved)) {
    if (requested_by_[instalment(approved)] == approved.approved_by()) {
      Violated("G8: an instalment is approved by who asked for it: " + instalment(approved));
    }
  }
  if (fund::InstalmentPaid paid; Read(row, paid)) {
    if (!known.paid.insert(instalment(paid)).second) {
      Violated("G8: an instalment is paid twice: " + instalment(paid));
    }
  }
}

void Checker::CheckLines(const engine::WriteSet& writes) {
  for (const engine::StateWrite& write : writes.states) {
    if (write.stream.type != "BudgetLine") continue;
    fund::BudgetLine line;
    if (!line.ParseFromString(write.stored.state)) continue;
    const std::int64_t available = line.available().minor_units();
    const std::int64_t reserved = line.reserved().minor_units();
    const std::int64_t spent = line.spent().minor_units();
    if (available < 0 || reserved < 0 || spent < 0 ||
        available + reserved + spent != line.allotted().minor_units()) {
      Violated("G8: a budget line does not add up: " + line.ShortDebugString());
    }
  }
}

// ---- At the end -----------------------------------------------------------------------------------------------------

void Checker::CheckEnd() {
  for (auto& [_, node] : world_.nodes()) {
    for (const auto& [name, service] : node->services()) {
      CheckTopics(*node, *service);
      for (const std::string& source : service->reactions().sources()) {
        CheckRead(*node, *service, node->service(source));
      }
      for (const engine::DeadLetter& letter : service->database().kept().dead_letters()) {
        Violated(absl::StrCat("G3: ", node->id(), " ", name, " put ", letter.event_type, " of ",
                              NameOf(letter.from.stream), " aside: ", letter.reason, " ",
                              letter.detail));
      }
    }
  }
}

void Checker::CheckTopics(Node& node, Service& service) {
  std::set<std::string> there;
  std::set<std::string> topics = {kafka::TopicOf(service.name())};
  for (const auto& partner : service.AllKept<ex::Partner>()) {
    topics.insert(exchange::FeedTopicOf(partner.id()));
  }
  for (const std::string& topic : topics) {
    for (const kafka::Message& message : node.broker().kept().Messages(topic)) {
      there.insert(absl::StrCat(topic, " ", message.key, " ", message.value));
    }
  }
  for (const engine::JournalRow& row : service.database().kept().journal()) {
    if (!row.publish) continue;
    std::optional<kafka::Record> routed;
    if (service.name() == "exchange") routed = exchange::FeedRecordOf(row);
    const kafka::Record record =
        routed ? *std::move(routed) : kafka::ToRecord(row, node.id(), service.name());
    if (!there.contains(absl::StrCat(record.topic, " ", record.key, " ", record.value))) {
      Violated(absl::StrCat("G1: ", node.id(), " ", NameOf(row.stream), " at ", row.sequence,
                            " is not in ", record.topic));
    }
  }
}

// Every event of `source` is marked by `reader`, and its commands have answers.
void Checker::CheckRead(Node& node, Service& reader, Service& source) {
  const auto& kept = reader.database().kept();
  std::set<std::pair<engine::StreamKey, std::int64_t>> aside;
  for (const engine::DeadLetter& letter : kept.dead_letters()) {
    if (letter.from.source == source.name()) aside.emplace(letter.from.stream, letter.sequence);
  }
  for (const engine::JournalRow& row : source.database().kept().journal()) {
    if (!row.publish || (source.name() == "exchange" && exchange::FeedRecordOf(row))) continue;
    const std::string where =
        absl::StrCat(node.id(), " ", reader.name(), " has not taken ", NameOf(row.stream), " at ",
                     row.sequence, " of ", source.name());
    const auto mark = kept.marks().find({source.name(), row.stream});
    if (mark == kept.marks().end() || mark->second < row.sequence) {
      Violated(absl::StrCat("G3: ", where));
      continue;
    }
    if (reader.name() == "exchange" || aside.contains({row.stream, row.sequence})) continue;
    const engine::IncomingEvent event{.meta = {.source = source.name(),
                                               .stream = row.stream,
                                               .sequence = row.sequence,
                                               .partition_key = row.partition_key,
                                               .time = row.event_time,
                                               .traceparent = {}},
                                      .event_type = row.event_type,
                                      .payload = row.payload};
    const auto calls = engine::CallsOf(reader.reactions(), event);
    if (!calls.ok()) continue;
    for (const engine::CommandCall& call : *calls) {
      const auto* field = call.request->GetDescriptor()->FindFieldByName("request_id");
      const std::string id = call.request->GetReflection()->GetString(*call.request, field);
      if (!kept.answers().contains(id)) {
        Violated(absl::StrCat("G3: ", where, ", though it is marked"));
      }
    }
  }
}

}  // namespace sankofa::simulation
