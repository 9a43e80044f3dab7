#include "services/sankofactl/commands/events.h"

#include <sodium.h>

#include <algorithm>
#include <map>
#include <memory>
#include <utility>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "services/platform/kafka/event.h"
#include "services/platform/status/text.h"
#include "services/sankofactl/catalogue.h"
#include "services/sankofactl/commands/commands.h"
#include "services/sankofactl/output/failure.h"
#include "services/sankofactl/output/table.h"

// `events tail`: what a node publishes, from its Kafka.
namespace sankofa::ctl {
namespace {

constexpr absl::Duration kPoll = absl::Milliseconds(200);
constexpr absl::Duration kAdminPatience = absl::Seconds(10);
constexpr int kBatch = 100;

struct TailArguments {
  std::vector<std::string> services;
  std::string case_id;
  std::string brokers;
  bool from_beginning = false;
  bool no_follow = false;
  int count = 0;
};

std::string HeaderOf(const kafka::Message& message, std::string_view name) {
  for (const kafka::Header& header : message.headers) {
    if (header.name == name) return header.value;
  }
  return {};
}

// All messages below `to` were handed out.
bool Reached(const kafka::Offsets& next, const kafka::Offsets& to) {
  return std::all_of(to.begin(), to.end(), [&next](const auto& goal) {
    const auto at = next.find(goal.first);
    return at != next.end() && at->second >= goal.second;
  });
}

// From where on, and how far each topic went when the command began. A topic that is not there yet has nothing.
absl::Status FindOffsets(const kafka::ClientOptions& client, const std::vector<std::string>& topics,
                         bool from_beginning, TailOptions& options) {
  const auto admin = kafka::OpenAdmin(client);
  if (!admin.ok()) return admin.status();
  absl::Status failed;
  bool any = false;
  for (const std::string& topic : topics) {
    const auto marks = (*admin)->TopicWatermarks(topic, kAdminPatience);
    if (!marks.ok()) {
      failed.Update(marks.status());
      if (!absl::IsUnavailable(marks.status())) return failed;
      continue;
    }
    any = true;
    for (const auto& [partition, mark] : *marks) {
      options.from[partition] = from_beginning ? mark.first : mark.next;
      options.to[partition] = mark.next;
    }
  }
  return any ? absl::OkStatus() : failed;
}

// Saves reading what would be passed over. Where it fails, that is all that is lost.
void Place(kafka::Consumer& consumer, const kafka::Offsets& from) {
  for (const kafka::TopicPartition& partition : consumer.assignment()) {
    const auto start = from.find(partition);
    if (start != from.end() && start->second > 0) {
      (void)consumer.Seek(partition, start->second);
    }
  }
}

// A group of its own for each run: nobody else's place is moved, and nothing is committed.
std::string NewGroup() {
  std::string bytes(8, '\0');
  randombytes_buf(bytes.data(), bytes.size());
  return absl::StrCat("sankofactl-", absl::BytesToHexString(bytes));
}

void PrintForPeople(std::ostream& out, const kafka::Message& message) {
  const Json event = EventToJson(message);
  out << Printable(absl::StrCat(HeaderOf(message, "ce_time"), "  ", message.topic, "  ",
                                ShortName(HeaderOf(message, "ce_type")), "  ",
                                HeaderOf(message, "ce_subject"), " #",
                                HeaderOf(message, "ce_sequence")))
      << "\n"
      << event.Pretty() << "\n"
      << std::flush;
}

absl::Status RunTail(Session& session, const TailArguments& arguments) {
  const auto client = session.KafkaClient(arguments.brokers);
  if (!client.ok()) return client.status();
  std::vector<std::string> topics;
  for (const std::string& service : Chosen(session, arguments.services)) {
    topics.push_back(kafka::TopicOf(service));
  }
  TailOptions options{
      .follow = !arguments.no_follow, .case_id = arguments.case_id, .count = arguments.count};
  if (session.timeout()) options.deadline = absl::Now() + *session.timeout();
  auto found = FindOffsets(*client, topics, arguments.from_beginning, options);
  if (!found.ok()) return found;
  const auto consumer = kafka::OpenConsumer(*client, {.group = NewGroup(), .topics = topics});
  if (!consumer.ok()) return consumer.status();
  return TailEvents(**consumer, options, [&session](const kafka::Message& message) {
    if (session.json()) {
      session.out() << EventToJson(message).Line() << "\n" << std::flush;
    } else {
      PrintForPeople(session.out(), message);
    }
    return session.out().good();
  });
}

}  // namespace

absl::Status TailEvents(kafka::Consumer& consumer, const TailOptions& options,
                        const std::function<bool(const kafka::Message&)>& print) {
  kafka::Offsets next = options.from;
  int printed = 0;
  bool placed = false;
  while (options.follow || !Reached(next, options.to)) {
    if (absl::Now() >= options.deadline) return absl::OkStatus();
    const auto messages = consumer.PollBatch(kBatch, kPoll);
    if (!placed && !consumer.assignment().empty()) {
      placed = true;
      Place(consumer, options.from);
    }
    if (!messages.ok() && !absl::IsUnavailable(messages.status())) return messages.status();
    if (auto health = consumer.Health(); absl::IsPermissionDenied(health)) return health;
    if (!messages.ok()) continue;
    for (const kafka::Message& message : *messages) {
      std::int64_t& place = next[message.from()];
      if (message.offset < place) continue;
      place = message.offset + 1;
      if (!options.case_id.empty() && message.key != options.case_id) continue;
      const bool past = !options.follow && options.to.contains(message.from()) &&
                        message.offset >= options.to.at(message.from());
      if (past) continue;
      if (!print(message) || ++printed == options.count) return absl::OkStatus();
    }
  }
  return absl::OkStatus();
}

Json EventToJson(const kafka::Message& message) {
  Json json = Json::Object();
  json.Set("topic", message.topic);
  json.Set("partition", std::int64_t{message.partition});
  json.Set("offset", message.offset);
  json.Set("key", message.key);
  Json headers = Json::Object();
  for (const kafka::Header& header : message.headers) headers.Set(header.name, header.value);
  json.Set("headers", headers);
  if (const auto parsed = kafka::ParseEvent(message); !parsed.ok()) {
    json.Set("malformed", status::Std(parsed.status().message()));
  }
  const std::string type = HeaderOf(message, "ce_type");
  const auto* descriptor = FindType(type);
  if (descriptor != nullptr) {
    const auto event = NewMessage(*descriptor);
    if (event->ParseFromString(message.value)) {
      if (const auto data = ToJson(*event); data.ok()) return json.Set("data", *data);
    }
  }
  json.Set("undecodable", descriptor == nullptr ? "this client does not know the event's type"
                                                : "the value is not an event of this type");
  return json.Set("data_base64", absl::Base64Escape(message.value));
}

void AddEvents(CLI::App& app, Session& session) {
  auto* events = app.add_subcommand("events", "What the node publishes");
  events->require_subcommand(1);
  auto* tail = events->add_subcommand("tail", "Print events as they come, from Kafka");
  auto arguments = std::make_shared<TailArguments>();
  AddServiceOption(*tail, arguments->services);
  tail->add_option("--case", arguments->case_id, "Only events of this case (or other key)");
  tail->add_option("--brokers", arguments->brokers,
                   "host:port of Kafka, by default as the node's configuration says");
  tail->add_flag("--from-beginning", arguments->from_beginning, "Also what is there already");
  tail->add_flag("--no-follow", arguments->no_follow, "End where the topics ended at the start");
  tail->add_option("--count", arguments->count, "End after so many events")
      ->check(CLI::PositiveNumber);
  tail->callback([&session, arguments] {
    session.run = [&session, arguments] {
      const auto tailed = RunTail(session, *arguments);
      return tailed.ok() ? kOk : session.Fail(tailed);
    };
  });
}

}  // namespace sankofa::ctl
