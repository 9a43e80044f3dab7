#include <memory>
#include <string>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "sankofa/common/v1/node_service.pb.h"
#include "services/platform/status/text.h"
#include "services/platform/time/time.h"
#include "services/sankofactl/catalogue.h"
#include "services/sankofactl/commands/commands.h"
#include "services/sankofactl/output/failure.h"
#include "services/sankofactl/output/json.h"
#include "services/sankofactl/output/table.h"

// `dead-letters`: events that a service could not apply, each named by service and number: "monitoring/12".
namespace sankofa::ctl {
namespace {

using common::v1::DeadLetter;
using common::v1::DeadLetterResult;

constexpr char kList[] = "sankofa.common.v1.NodeService/ListDeadLetters";
constexpr char kReplay[] = "sankofa.common.v1.NodeService/ReplayDeadLetter";
constexpr char kDiscard[] = "sankofa.common.v1.NodeService/DiscardDeadLetter";
constexpr char kWaiting[] = "waiting";
constexpr int kPage = 500;
constexpr absl::Duration kReplayPatience = absl::Seconds(50);

struct LetterArguments {
  std::vector<std::string> services;
  std::string letter;
  std::string reason;
  bool all = false;
};

struct LetterName {
  std::string service;
  std::int64_t id = 0;
};

// "monitoring/12", or "12" with one --service.
absl::StatusOr<LetterName> ParseLetter(const LetterArguments& arguments) {
  const std::vector<std::string> parts = absl::StrSplit(arguments.letter, '/');
  LetterName name;
  if (parts.size() == 2) name.service = parts[0];
  if (parts.size() == 1 && arguments.services.size() == 1) name.service = arguments.services[0];
  const bool number = absl::SimpleAtoi(parts.back(), &name.id) && name.id > 0;
  if (!IsService(name.service) || !number) {
    return UsageError(absl::StrCat("'", arguments.letter,
                                   "' names no dead letter. Take a name from `dead-letters list`, "
                                   "such as monitoring/12."));
  }
  return name;
}

std::string NameOf(const std::string& service, std::int64_t id) {
  return absl::StrCat(service, "/", id);
}

// All of a service's letters, oldest first.
absl::Status Fetch(Session& session, const std::string& service, bool closed_too,
                   std::vector<DeadLetter>& letters) {
  common::v1::ListDeadLettersRequest request;
  request.set_service(service);
  request.set_all(closed_too);
  request.set_page_size(kPage);
  while (true) {
    common::v1::ListDeadLettersResponse response;
    if (auto called = session.Call(service, kList, request, response); !called.ok()) return called;
    for (const DeadLetter& letter : response.dead_letters()) letters.push_back(letter);
    if (response.dead_letters_size() < kPage) return absl::OkStatus();
    request.set_after_id(response.dead_letters().rbegin()->id());
  }
}

// ---- list -----------------------------------------------------------------------------------------------------------

absl::Status PrintLetters(Session& session, const std::string& service,
                          const std::vector<DeadLetter>& letters, Table& table) {
  for (const DeadLetter& letter : letters) {
    if (session.json()) {
      auto json = ToJson(letter);
      if (!json.ok()) return json.status();
      session.out() << Json::Object().Set("service", service).Set("dead_letter", *json).Line()
                    << "\n";
    }
    table.Add({NameOf(service, letter.id()), letter.state(),
               Moment(time::FromTimestamp(letter.create_time())), letter.source(),
               ShortName(letter.type()), absl::StrCat(letter.stream(), " #", letter.sequence()),
               letter.reason(), letter.detail()});
  }
  return absl::OkStatus();
}

int RunList(Session& session, const LetterArguments& arguments) {
  Table table({"letter", "state", "since", "from", "event", "stream", "reason", "detail"});
  int exit_code = kOk;
  for (const std::string& service : Chosen(session, arguments.services)) {
    std::vector<DeadLetter> letters;
    auto listed = Fetch(session, service, arguments.all, letters);
    if (listed.ok()) listed = PrintLetters(session, service, letters, table);
    if (listed.ok()) continue;
    exit_code = session.Fail(listed, absl::StrCat("dead letters of ", service));
    if (exit_code == kUsage) return kUsage;
  }
  if (session.json()) return exit_code;
  if (!table.empty()) {
    session.out() << table.ToString();
  } else if (exit_code == kOk) {
    session.out() << "No dead letters wait.\n";
  }
  return exit_code;
}

// ---- replay, discard ------------------------------------------------------------------------------------------------

// True where the letter no longer waits.
bool PrintResult(Session& session, const LetterName& name, const DeadLetterResult& result) {
  if (session.json()) {
    session.out() << Json::Object()
                         .Set("letter", NameOf(name.service, name.id))
                         .Set("state", result.state())
                         .Set("reason", result.reason())
                         .Line()
                  << "\n";
  } else {
    session.out() << NameOf(name.service, name.id) << "  " << Printable(result.state());
    if (!result.reason().empty()) session.out() << "  " << Printable(result.reason());
    session.out() << "\n";
  }
  return result.state() != kWaiting;
}

int ReplayOne(Session& session, const LetterName& name) {
  common::v1::ReplayDeadLetterRequest request;
  request.set_service(name.service);
  request.set_id(name.id);
  DeadLetterResult result;
  auto called = session.Call(name.service, kReplay, request, result, kReplayPatience);
  if (!called.ok()) return session.Fail(called);
  return PrintResult(session, name, result) ? kOk : kFailed;
}

// In the order in which they were put aside; one that still can't be applied does not keep the others back.
int ReplayAll(Session& session, const LetterArguments& arguments) {
  int exit_code = kOk;
  for (const std::string& service : Chosen(session, arguments.services)) {
    std::vector<DeadLetter> letters;
    auto listed = Fetch(session, service, /*closed_too=*/false, letters);
    if (!listed.ok()) {
      exit_code = session.Fail(listed, absl::StrCat("dead letters of ", service));
      if (exit_code == kUsage) return kUsage;
    }
    for (const DeadLetter& letter : letters) {
      const int replayed = ReplayOne(session, {.service = service, .id = letter.id()});
      if (replayed != kOk) exit_code = replayed;
    }
  }
  return exit_code;
}

int RunReplay(Session& session, const LetterArguments& arguments) {
  if (arguments.all == !arguments.letter.empty()) {
    return session.Fail(UsageError("say which letter to replay, or --all"));
  }
  if (arguments.all) return ReplayAll(session, arguments);
  const auto name = ParseLetter(arguments);
  return name.ok() ? ReplayOne(session, *name) : session.Fail(name.status());
}

int RunDiscard(Session& session, const LetterArguments& arguments) {
  const auto name = ParseLetter(arguments);
  if (!name.ok()) return session.Fail(name.status());
  common::v1::DiscardDeadLetterRequest request;
  request.set_service(name->service);
  request.set_id(name->id);
  request.set_reason(arguments.reason);
  DeadLetterResult result;
  auto called = session.Call(name->service, kDiscard, request, result);
  if (!called.ok()) return session.Fail(called);
  return PrintResult(session, *name, result) ? kOk : kFailed;
}

}  // namespace

void AddDeadLetters(CLI::App& app, Session& session) {
  auto* letters = app.add_subcommand("dead-letters", "Events that a service could not apply");
  letters->require_subcommand(1);
  auto arguments = std::make_shared<LetterArguments>();
  const auto add = [&](const char* name, const char* about,
                       int (*run)(Session&, const LetterArguments&)) {
    auto* command = letters->add_subcommand(name, about);
    AddServiceOption(*command, arguments->services);
    command->callback([&session, arguments, run] {
      session.run = [&session, arguments, run] { return run(session, *arguments); };
    });
    return command;
  };
  add("list", "Those that wait, oldest first", RunList)
      ->add_flag("--all", arguments->all, "Also those replayed or discarded");
  auto* replay = add("replay", "Apply again: one, or all that wait", RunReplay);
  replay->add_option("letter", arguments->letter, "Such as monitoring/12");
  replay->add_flag("--all", arguments->all, "All that wait");
  auto* discard = add("discard", "Say that a letter will not be applied, and why", RunDiscard);
  discard->add_option("letter", arguments->letter, "Such as monitoring/12")->required();
  discard->add_option("--reason", arguments->reason, "Why; no personal data")->required();
}

}  // namespace sankofa::ctl
