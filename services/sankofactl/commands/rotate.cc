#include <fcntl.h>
#include <sodium.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <functional>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/time/clock.h"
#include "sankofa/common/v1/node_service.pb.h"
#include "sankofa/exchange/v1/exchange_service.pb.h"
#include "services/platform/crypto/master_keys.h"
#include "services/platform/postgres/connection.h"
#include "services/platform/service/runtime.h"
#include "services/sankofactl/commands/commands.h"
#include "services/sankofactl/doctor/certificates.h"
#include "services/sankofactl/output/failure.h"
#include "services/sankofactl/output/json.h"
#include "services/sankofactl/output/table.h"
#include "services/sankofactl/rotate/certificate.h"
#include "services/sankofactl/rotate/master_key.h"
#include "services/sankofactl/rotate/node_keys.h"

// `rotate`: changes keys and certificates of a node that works.
namespace sankofa::ctl {
namespace {

constexpr std::size_t kKeyBytes = 32;
constexpr absl::Duration kLookEvery = absl::Milliseconds(200);
// How long services may take to read a file that changed. They look once a second.
constexpr absl::Duration kTakenWithin = absl::Seconds(60);
// What a process has read it works with within this.
constexpr absl::Duration kInUseWithin = absl::Seconds(2);

struct MasterKeyArguments {
  std::string config;
  bool one_step = false;
  bool offline = false;
  int settle_seconds = 0;
};

// One run at a time: a second one would make a second key.
class FileLock {
 public:
  explicit FileLock(const std::string& file)
      : handle_(::open((file + ".lock").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600)) {}
  ~FileLock() {
    if (handle_ >= 0) ::close(handle_);
  }
  FileLock(const FileLock&) = delete;
  FileLock& operator=(const FileLock&) = delete;
  [[nodiscard]] bool Held() const {
    return handle_ >= 0 && ::flock(handle_, LOCK_EX | LOCK_NB) == 0;
  }

 private:
  const int handle_;
};

class MasterKeyRotation {
 public:
  MasterKeyRotation(Session& session, const config::Config& config,
                    const MasterKeyArguments& arguments)
      : session_(session),
        config_(config),
        arguments_(arguments),
        file_(config.crypto.master_key_file) {}

  absl::Status Run();

 private:
  // One change of the file, and what it needs before. True where that was the last one.
  absl::StatusOr<bool> Step();
  absl::Status Put(const crypto::MasterKeys& keys);
  // Until every service knows the keys of the file.
  absl::Status AwaitServices(const crypto::MasterKeys& keys);
  absl::Status RewrapAll(const crypto::MasterKeys& keys);
  absl::StatusOr<std::unique_ptr<postgres::Connection>> Connect(const std::string& service) const;
  void Say(const char* step, const std::string& text, const std::vector<std::string>& keys);

  Session& session_;
  const config::Config& config_;
  const MasterKeyArguments& arguments_;
  const std::string file_;
};

void MasterKeyRotation::Say(const char* step, const std::string& text,
                            const std::vector<std::string>& keys) {
  if (session_.json()) {
    session_.out() << Json::Object()
                          .Set("step", step)
                          .Set("text", text)
                          .Set("keys", absl::StrJoin(keys, " "))
                          .Line()
                   << "\n";
  } else {
    session_.out() << step << ": " << text << "\n";
  }
  session_.out().flush();
}

absl::Status MasterKeyRotation::Put(const crypto::MasterKeys& keys) {
  return crypto::WriteMasterKeys(file_, keys);
}

absl::Status MasterKeyRotation::AwaitServices(const crypto::MasterKeys& keys) {
  if (arguments_.offline) return absl::OkStatus();
  const std::vector<std::string> wanted = crypto::KeyNames(keys);
  const absl::Time end = absl::Now() + kTakenWithin;
  for (const auto& [service, _] : config_.services) {
    while (true) {
      common::v1::GetServiceStatusRequest request;
      request.set_service(service);
      common::v1::ServiceStatus status;
      auto called =
          session_.Call(service, "sankofa.common.v1.NodeService/GetServiceStatus", request, status);
      if (!called.ok()) return called;
      if (std::equal(wanted.begin(), wanted.end(), status.master_keys().begin(),
                     status.master_keys().end())) {
        break;
      }
      if (absl::Now() >= end) {
        return absl::FailedPreconditionError(absl::StrCat(
            service, " does not know the keys of ", file_, " (", absl::StrJoin(wanted, " "),
            "): it knows ", absl::StrJoin(status.master_keys(), " "),
            ". See that its file is the same, then run this again."));
      }
      absl::SleepFor(kLookEvery);
    }
  }
  absl::SleepFor(std::max(kInUseWithin, absl::Seconds(arguments_.settle_seconds)));
  return absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<postgres::Connection>> MasterKeyRotation::Connect(
    const std::string& service) const {
  auto options = service::ConnectAs(config_.postgres, service);
  if (!options.ok()) return options.status();
  options->application_name = "sankofactl";
  return postgres::Connection::Open(*options);
}

absl::Status MasterKeyRotation::RewrapAll(const crypto::MasterKeys& keys) {
  Rewrapped all;
  std::int64_t left = 0;
  for (const auto& [service, _] : config_.services) {
    auto connection = Connect(service);
    if (!connection.ok()) return connection.status();
    const auto done = Rewrap(**connection, keys);
    if (!done.ok()) return done.status();
    all += *done;
    const auto behind = LeftBehind(**connection, keys);
    if (!behind.ok()) return behind.status();
    left += *behind;
  }
  if (left > 0) {
    return absl::FailedPreconditionError(absl::StrCat(
        left, " keys were wrapped with an earlier master key meanwhile: a process has not read ",
        file_, ". See to it, then run this again; nothing is lost."));
  }
  Say("rewrapped",
      absl::StrCat(all.changed, " of ", all.subjects,
                   " keys were wrapped anew; all are wrapped with ", crypto::KeyName(keys.master)),
      {});
  return absl::OkStatus();
}

absl::StatusOr<bool> MasterKeyRotation::Step() {
  auto read = crypto::ReadMasterKeys(file_);
  if (!read.ok()) return read.status();
  crypto::MasterKeys keys = *std::move(read);
  switch (NextStep(keys)) {
    case MasterKeyStep::kPrepare: {
      std::string fresh(kKeyBytes, '\0');
      randombytes_buf(fresh.data(), fresh.size());
      keys = crypto::Prepared(std::move(keys), std::move(fresh));
      if (auto put = Put(keys); !put.ok()) return put;
      Say("prepared",
          absl::StrCat("key ", crypto::KeyName(*keys.next), " opens, and wraps nothing yet"),
          crypto::KeyNames(keys));
      return false;
    }
    case MasterKeyStep::kPromote: {
      if (auto known = AwaitServices(keys); !known.ok()) return known;
      keys = crypto::Promoted(std::move(keys));
      if (auto put = Put(keys); !put.ok()) return put;
      Say("promoted", absl::StrCat("key ", crypto::KeyName(keys.master), " wraps from now on"),
          crypto::KeyNames(keys));
      return false;
    }
    case MasterKeyStep::kRewrap: {
      if (auto known = AwaitServices(keys); !known.ok()) return known;
      if (auto wrapped = RewrapAll(keys); !wrapped.ok()) return wrapped;
      // Backups made before need it. It is put beside the file, for the operator to take away.
      for (const std::string& earlier : keys.earlier) {
        crypto::MasterKeys retired;
        retired.master = earlier;
        const std::string beside = absl::StrCat(file_, ".retired-", crypto::KeyName(earlier));
        if (auto put = crypto::WriteMasterKeys(beside, retired); !put.ok()) return put;
        Say("retired",
            absl::StrCat("the earlier key is in ", beside,
                         ": keep it with the backups made until now, then remove it here"),
            {});
      }
      keys = crypto::Finished(std::move(keys));
      if (auto put = Put(keys); !put.ok()) return put;
      if (auto known = AwaitServices(keys); !known.ok()) return known;
      Say("finished", absl::StrCat("key ", crypto::KeyName(keys.master), " is the only one"),
          crypto::KeyNames(keys));
      return true;
    }
  }
  return true;
}

absl::Status MasterKeyRotation::Run() {
  if (!config_.crypto.master_key.empty()) {
    return UsageError(
        "the master key comes from the variable SANKOFA_CRYPTO_MASTER_KEY: give it in a file "
        "(crypto.master_key_file) to change it while the node works");
  }
  const FileLock lock(file_);
  if (!lock.Held()) {
    return absl::FailedPreconditionError(
        absl::StrCat("another run changes ", file_, ", or ", file_, ".lock can't be made"));
  }
  while (true) {
    const auto last = Step();
    if (!last.ok()) return last.status();
    if (*last || arguments_.one_step) return absl::OkStatus();
  }
}

int RunMasterKey(Session& session, const MasterKeyArguments& arguments) {
  const auto config = session.LoadConfig(arguments.config);
  if (!config.ok()) return session.Fail(config.status());
  const absl::Status done = MasterKeyRotation(session, *config, arguments).Run();
  return done.ok() ? kOk : session.Fail(done, "rotate master-key");
}

// ---- Certificates ---------------------------------------------------------------------------------------------------

struct CertificateArguments {
  std::string config;
  std::string authority_key;
  std::vector<std::string> names;
  int days = 365;
};

// Until whoever answers at `address` shows what is in the file.
absl::Status AwaitShown(const std::string& address, const CertificateFiles& client,
                        const std::string& file) {
  const std::string wanted =
      LookAtFiles({.about = {}, .certificate = file, .key = {}, .ca = client.ca, .needed_name = {}})
          .fingerprint;
  const absl::Time end = absl::Now() + kTakenWithin;
  while (true) {
    const SeenCertificate shown = LookAtServer(address, client, absl::Seconds(5));
    if (shown.fingerprint == wanted) return absl::OkStatus();
    if (absl::Now() >= end) {
      return absl::FailedPreconditionError(
          absl::StrCat(address, " does not show the certificate of ", file, " after ",
                       absl::FormatDuration(kTakenWithin), ": see the log of who answers there"));
    }
    absl::SleepFor(kLookEvery);
  }
}

absl::Status RotateCertificates(Session& session, const config::Config& config,
                                const CertificateArguments& arguments) {
  const auto client = session.KafkaClient(config.kafka.brokers);
  if (!client.ok()) return client.status();
  const std::string& folder = config.kafka.certificate_folder;
  const CertificatePair authority = {
      .certificate = config.listen.client_ca,
      .key = arguments.authority_key.empty() ? folder + "/ca.key" : arguments.authority_key};
  std::vector<CertificatePair> all;
  if (arguments.names.empty()) {
    all.push_back({config.listen.certificate, config.listen.key});
    for (const auto& [service, _] : config.services) {
      all.push_back(
          {absl::StrCat(folder, "/", service, ".pem"), absl::StrCat(folder, "/", service, ".key")});
    }
    all.push_back({client->certificate, client->key});
  }
  for (const std::string& name : arguments.names) {
    all.push_back(
        {absl::StrCat(folder, "/", name, ".pem"), absl::StrCat(folder, "/", name, ".key")});
  }
  for (const CertificatePair& files : all) {
    if (auto renewed = RenewCertificate(files, authority, arguments.days); !renewed.ok()) {
      return renewed;
    }
    const SeenCertificate now = LookAtFiles({.about = files.certificate,
                                             .certificate = files.certificate,
                                             .key = files.key,
                                             .ca = authority.certificate,
                                             .needed_name = {}});
    if (session.json()) {
      session.out() << Json::Object()
                           .Set("certificate", files.certificate)
                           .Set("until", Moment(now.until))
                           .Set("fingerprint", now.fingerprint)
                           .Line()
                    << "\n";
    } else {
      session.out() << "renewed: " << files.certificate << ", until " << Moment(now.until) << "\n";
    }
  }
  const CertificateFiles own = {.about = "sankofactl",
                                .certificate = client->certificate,
                                .key = client->key,
                                .ca = client->ca,
                                .needed_name = {}};
  std::set<std::string> addresses;
  for (const auto& [_, address] : config.services) addresses.insert(address);
  // Where each service has an address of its own, its certificate there is not the node's.
  if (addresses.size() != 1 || !arguments.names.empty()) return absl::OkStatus();
  if (auto shown = AwaitShown(*addresses.begin(), own, config.listen.certificate); !shown.ok()) {
    return shown;
  }
  if (!session.json()) session.out() << "shown: " << *addresses.begin() << " has the new one\n";
  return absl::OkStatus();
}

int RunCertificates(Session& session, const CertificateArguments& arguments) {
  const auto config = session.LoadConfig(arguments.config);
  if (!config.ok()) return session.Fail(config.status());
  const absl::Status done = RotateCertificates(session, *config, arguments);
  return done.ok() ? kOk : session.Fail(done, "rotate certificates");
}

// ---- The node's keys ------------------------------------------------------------------------------------------------

struct NodeKeyArguments {
  std::string config;
  std::string step;
  std::vector<std::string> confirmed;
  int overlap_days = 30;
};

void PrintPair(Session& session, const std::string& step, const PublicPair& pair,
               const std::string& node, int overlap_days) {
  const std::string until = absl::FormatTime(
      absl::RFC3339_sec, absl::Now() + absl::Hours(24 * overlap_days), absl::UTCTimeZone());
  const Json request = Json::Object()
                           .Set("partner_id", node)
                           .Set("verification_key", pair.verification_key)
                           .Set("sealing_key", pair.sealing_key)
                           .Set("earlier_until_time", until);
  if (session.json()) {
    session.out() << Json::Object()
                         .Set("step", step)
                         .Set("key_id", pair.key_id)
                         .Set("add_partner_key", request)
                         .Line()
                  << "\n";
    return;
  }
  session.out() << step << ": key " << pair.key_id << "\n";
  if (step != "prepared") return;
  session.out() << "Each partner's operator compares that name by telephone, and runs:\n"
                << "  sankofactl call AddPartnerKey '" << request.Line() << "'\n";
}

// The active partners with a node of their own that nobody has spoken for.
absl::StatusOr<std::vector<std::string>> Unconfirmed(Session& session,
                                                     const std::vector<std::string>& confirmed) {
  std::vector<std::string> missing;
  exchange::v1::ListPartnersRequest request;
  request.set_page_size(100);
  do {
    exchange::v1::ListPartnersResponse response;
    auto called = session.Call("exchange", "sankofa.exchange.v1.ExchangeService/ListPartners",
                               request, response);
    if (!called.ok()) return called;
    for (const auto& partner : response.partners()) {
      const bool matters = partner.state() == exchange::v1::PARTNER_STATE_ACTIVE;
      if (matters &&
          std::find(confirmed.begin(), confirmed.end(), partner.id()) == confirmed.end()) {
        missing.push_back(partner.id());
      }
    }
    request.set_page_token(response.next_page_token());
  } while (!request.page_token().empty());
  return missing;
}

// Until exchange shows the key.
absl::Status AwaitIdentity(Session& session, const std::string& key_id) {
  const absl::Time end = absl::Now() + kTakenWithin;
  while (true) {
    exchange::v1::OwnIdentity identity;
    auto called = session.Call("exchange", "sankofa.exchange.v1.ExchangeService/GetOwnIdentity",
                               exchange::v1::GetOwnIdentityRequest(), identity);
    if (!called.ok()) return called;
    if (identity.key().key_id() == key_id) return absl::OkStatus();
    if (absl::Now() >= end) {
      return absl::FailedPreconditionError(absl::StrCat("exchange goes on to show the key ",
                                                        identity.key().key_id(),
                                                        ": see that it has the same files"));
    }
    absl::SleepFor(kLookEvery);
  }
}

absl::Status RotateNodeKeys(Session& session, const config::Config& config,
                            const NodeKeyArguments& arguments) {
  const NodeKeyFiles files = {config.crypto.signing_key_file, config.crypto.sealing_key_file};
  if (files.sealing.empty()) {
    return UsageError("this node has no sealing key (crypto.sealing_key_file)");
  }
  const FileLock lock(files.signing);
  if (!lock.Held()) {
    return absl::FailedPreconditionError(
        absl::StrCat("another run changes ", files.signing, ", or its lock can't be made"));
  }
  if (arguments.step == "prepare") {
    const auto next = PrepareNodeKeys(files);
    if (!next.ok()) return next.status();
    PrintPair(session, "prepared", *next, config.node.id, arguments.overlap_days);
    return absl::OkStatus();
  }
  if (arguments.step == "switch") {
    const auto missing = Unconfirmed(session, arguments.confirmed);
    if (!missing.ok()) return missing.status();
    if (!missing->empty()) {
      return absl::FailedPreconditionError(absl::StrCat(
          "what the node signs with the next key is refused by partners that do not know it. When "
          "they have added it, say so: --confirmed ",
          absl::StrJoin(*missing, " --confirmed ")));
    }
    const auto now = SwitchNodeKeys(files);
    if (!now.ok()) return now.status();
    if (auto shown = AwaitIdentity(session, now->key_id); !shown.ok()) return shown;
    PrintPair(session, "switched", *now, config.node.id, arguments.overlap_days);
    return absl::OkStatus();
  }
  if (auto finished = FinishNodeKeys(files); !finished.ok()) return finished;
  const auto now = PairInUse(files);
  if (!now.ok()) return now.status();
  PrintPair(session, "finished", *now, config.node.id, arguments.overlap_days);
  return absl::OkStatus();
}

int RunNodeKeys(Session& session, const NodeKeyArguments& arguments) {
  const auto config = session.LoadConfig(arguments.config);
  if (!config.ok()) return session.Fail(config.status());
  const absl::Status done = RotateNodeKeys(session, *config, arguments);
  return done.ok() ? kOk : session.Fail(done, "rotate node-keys");
}

void AddNodeKeys(CLI::App& rotate, Session& session) {
  auto arguments = std::make_shared<NodeKeyArguments>();
  auto* keys = rotate.add_subcommand(
      "node-keys", "The pair that signs and is sealed for: prepare, switch, finish");
  keys->add_option("step", arguments->step, "prepare, switch or finish")
      ->required()
      ->check(CLI::IsMember({"prepare", "switch", "finish"}));
  keys->add_option("--config", arguments->config, "The node's configuration")
      ->check(CLI::ExistingFile);
  keys->add_option(
          "--confirmed", arguments->confirmed,
          "A partner whose operator has added the next key; each active one has to be named")
      ->allow_extra_args(false);
  keys->add_option("--overlap-days", arguments->overlap_days,
                   "How long partners go on to take what the earlier key signed")
      ->check(CLI::Range(1, 90));
  keys->callback([&session, arguments] {
    session.run = [&session, arguments] { return RunNodeKeys(session, *arguments); };
  });
}

}  // namespace

void AddRotate(CLI::App& app, Session& session) {
  auto* rotate = app.add_subcommand("rotate", "Change keys and certificates while the node works");
  rotate->require_subcommand(1);
  auto master = std::make_shared<MasterKeyArguments>();
  auto* master_key = rotate->add_subcommand(
      "master-key", "Wrap all subjects' keys with a new one; goes on where it was broken off");
  master_key->add_option("--config", master->config, "The node's configuration")
      ->check(CLI::ExistingFile);
  master_key->add_flag("--one-step", master->one_step,
                       "Only the next change of the file: where its copies are carried by hand");
  master_key->add_flag("--offline", master->offline, "No service of the node runs: wait for none");
  master_key
      ->add_option("--settle", master->settle_seconds,
                   "Seconds that other copies of the file and further processes take to follow")
      ->check(CLI::Range(0, 3600));
  master_key->callback([&session, master] {
    session.run = [&session, master] { return RunMasterKey(session, *master); };
  });
  AddNodeKeys(*rotate, session);
  auto renewal = std::make_shared<CertificateArguments>();
  auto* certificates = rotate->add_subcommand(
      "certificates",
      "New keys and certificates like the present ones, where the authority's key is at hand");
  certificates->add_option("--config", renewal->config, "The node's configuration")
      ->check(CLI::ExistingFile);
  certificates
      ->add_option("--authority-key", renewal->authority_key,
                   "The authority's key; ca.key in the folder of the certificates unless given")
      ->check(CLI::ExistingFile);
  certificates
      ->add_option(
          "--name", renewal->names,
          "Only <name>.pem of the folder; may be given several times. Otherwise the node's, "
          "its services' and this client's")
      ->allow_extra_args(false);
  certificates->add_option("--days", renewal->days, "For so many days")->check(CLI::Range(1, 3650));
  certificates->callback([&session, renewal] {
    session.run = [&session, renewal] { return RunCertificates(session, *renewal); };
  });
}

}  // namespace sankofa::ctl
