#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "services/sankofactl/commands/commands.h"
#include "services/sankofactl/feed/conformance.h"
#include "services/sankofactl/output/failure.h"
#include "services/sankofactl/output/json.h"
#include "services/sankofactl/output/table.h"

// `conformance`: a partner asks whether a node keeps the contract.
namespace sankofa::ctl {
namespace {

struct ConformanceArguments {
  std::string partner;
  std::string folder;
  std::string sealing_key;
  std::vector<std::string> node_keys;
  std::string brokers;
};

const char* WordOf(ConformanceCheck::Outcome outcome) {
  switch (outcome) {
    case ConformanceCheck::Outcome::kHolds: return "holds";
    case ConformanceCheck::Outcome::kFails: return "FAILS";
    default: return "not checked";
  }
}

void PrintCheck(Session& session, const ConformanceCheck& check) {
  if (session.json()) {
    session.out() << Json::Object()
                         .Set("check", check.name)
                         .Set("outcome", check.outcome == ConformanceCheck::Outcome::kFails
                                             ? "fails"
                                             : WordOf(check.outcome))
                         .Set("detail", check.detail)
                         .Line()
                  << "\n";
  } else {
    std::string name = check.name;
    name.resize(std::max<std::size_t>(name.size(), 24), ' ');
    std::string word = WordOf(check.outcome);
    word.resize(11, ' ');
    session.out() << word << "  " << name << "  " << Printable(check.detail) << "\n";
  }
  session.out().flush();
}

// Certificate and authority as a node keeps them for one partner.
void UseFolder(Session& session, const std::string& folder) {
  GlobalOptions& options = session.options();
  if (options.ca.empty()) options.ca = absl::StrCat(folder, "/ca.pem");
  if (options.certificate.empty()) options.certificate = absl::StrCat(folder, "/client.pem");
  if (options.key.empty()) options.key = absl::StrCat(folder, "/client.key");
}

int RunConformance(Session& session, const ConformanceArguments& arguments) {
  if (!arguments.folder.empty()) UseFolder(session, arguments.folder);
  std::unique_ptr<crypto::SealingKey> sealing_key;
  if (!arguments.sealing_key.empty()) {
    auto read = crypto::SealingKey::FromFile(arguments.sealing_key);
    if (!read.ok()) {
      return session.Fail(
          UsageError(absl::StrCat(arguments.sealing_key, ": ", read.status().message())));
    }
    sealing_key = *std::move(read);
  }
  Doors doors;
  doors.call = [&session](const std::string& path, const auto& request, auto& response) {
    return session.Call("exchange", path, request, response);
  };
  doors.read = [&session](const std::string& path, const auto& request, auto& response,
                          absl::Duration patience, const auto& take) {
    return session.ReadStream("exchange", path, request, response, take, patience);
  };
  if (!arguments.brokers.empty()) {
    const auto client = session.KafkaClient(arguments.brokers);
    if (!client.ok()) return session.Fail(client.status());
    doors.admin = [client = *client] { return kafka::OpenAdmin(client); };
    doors.consumer = [client = *client](kafka::ConsumerOptions options) {
      return kafka::OpenConsumer(client, std::move(options));
    };
  }
  ConformanceOptions options{.partner = arguments.partner,
                             .node_keys = arguments.node_keys,
                             .sealing_key = sealing_key.get()};
  if (session.timeout()) options.patience = *session.timeout();
  const auto checks = CheckConformance(
      doors, options, [&session](const ConformanceCheck& check) { PrintCheck(session, check); });
  int failed = 0;
  int made = 0;
  for (const ConformanceCheck& check : checks) {
    failed += check.outcome == ConformanceCheck::Outcome::kFails ? 1 : 0;
    made += check.outcome == ConformanceCheck::Outcome::kNotChecked ? 0 : 1;
  }
  if (!session.json()) {
    session.out() << (failed == 0 ? "conforms: " : "does not conform: ") << made - failed << " of "
                  << made << " checks hold\n";
  }
  return failed == 0 ? kOk : kFailed;
}

}  // namespace

void AddConformance(CLI::App& app, Session& session) {
  auto arguments = std::make_shared<ConformanceArguments>();
  auto* command = app.add_subcommand(
      "conformance", "For a partner: does the node keep its contract, with this certificate?");
  command->add_option("--as", arguments->partner, "The partner's code: who asks")->required();
  command
      ->add_option("--folder", arguments->folder,
                   "Folder with ca.pem, client.pem and client.key that the node's operator gave")
      ->check(CLI::ExistingDirectory);
  command
      ->add_option("--sealing-key", arguments->sealing_key,
                   "File with the secret that opens boxes: 32 bytes in base64, its owner's alone")
      ->check(CLI::ExistingFile);
  command
      ->add_option("--node-key", arguments->node_keys,
                   "The node's verification key in hex, as known by another way; several after a "
                   "rotation")
      ->allow_extra_args(false);
  command->add_option("--brokers", arguments->brokers,
                      "host:port of the node's Kafka; without it the topic is not looked at");
  command->callback([&session, arguments] {
    session.run = [&session, arguments] { return RunConformance(session, *arguments); };
  });
}

}  // namespace sankofa::ctl
