#include <algorithm>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "sankofa/common/v1/node_service.pb.h"
#include "sankofa/exchange/v1/exchange_service.pb.h"
#include "services/platform/time/time.h"
#include "services/sankofactl/commands/commands.h"
#include "services/sankofactl/doctor/certificates.h"
#include "services/sankofactl/doctor/services.h"
#include "services/sankofactl/doctor/storage.h"
#include "services/sankofactl/output/failure.h"
#include "services/sankofactl/output/json.h"
#include "services/sankofactl/output/table.h"

// `doctor`: looks at a node from outside, and says for each thing that it is well or what to do.
namespace sankofa::ctl {
namespace {

constexpr int kDaysDefault = 14;
constexpr int kPage = 100;
constexpr absl::Duration kHandshake = absl::Seconds(5);
constexpr absl::Duration kKafkaPatience = absl::Seconds(10);
constexpr absl::Duration kBetweenLooks = absl::Seconds(3);
constexpr absl::Duration kLongPatience = absl::Seconds(50);

struct DoctorArguments {
  std::string config;
  int days = kDaysDefault;
};

// Prints each finding as soon as it is known, and counts what is wrong.
class Report {
 public:
  explicit Report(Session& session) : session_(session) {}

  void Add(const Finding& finding) {
    const bool well = finding.trouble == Trouble::kOk;
    if (!well) ++wrong_;
    ++looked_at_;
    const std::string todo(TodoOf(finding.trouble, session_.language()));
    if (session_.json()) {
      Json line = Json::Object();
      line.Set("check", finding.check)
          .Set("about", finding.about)
          .Set("ok", well)
          .Set("reason", std::string(NameOf(finding.trouble)))
          .Set("seen", finding.seen);
      if (!well) line.Set("todo", todo);
      session_.out() << line.Line() << "\n";
    } else {
      session_.out() << (well ? "ok    " : "FAIL  ") << Padded(finding.check, 14) << "  "
                     << Padded(Printable(finding.about), 26) << "  "
                     << (well ? "" : absl::StrCat(std::string(NameOf(finding.trouble)), ": "))
                     << Printable(finding.seen);
      if (!well) session_.out() << "\n      → " << todo;
      session_.out() << "\n";
    }
    session_.out().flush();
  }
  void Add(const Findings& findings) {
    for (const Finding& finding : findings) Add(finding);
  }

  // What the program ends with.
  int End() {
    if (!session_.json()) {
      session_.out() << looked_at_ << " checks, " << wrong_ << " to look after\n";
    }
    return wrong_ == 0 ? kOk : kFailed;
  }

 private:
  static std::string Padded(std::string text, std::size_t width) {
    if (text.size() < width) text.append(width - text.size(), ' ');
    return text;
  }

  Session& session_;
  int wrong_ = 0;
  int looked_at_ = 0;
};

SeenService AskService(Session& session, const std::string& service) {
  SeenService seen;
  seen.service = service;
  common::v1::GetServiceStatusRequest request;
  request.set_service(service);
  const absl::Time asked = absl::Now();
  seen.answered =
      session.Call(service, "sankofa.common.v1.NodeService/GetServiceStatus", request, seen.status);
  const absl::Time answered = absl::Now();
  seen.clock_error = (answered - asked) / 2;
  if (seen.answered.ok() && seen.status.has_machine_time()) {
    seen.clock_ahead = time::FromTimestamp(seen.status.machine_time()) - (asked + seen.clock_error);
  }
  return seen;
}

// Those that the node's configuration names.
std::vector<SeenService> AskServices(Session& session, const config::Config& config) {
  std::vector<SeenService> seen;
  for (const auto& [name, _] : config.services) seen.push_back(AskService(session, name));
  return seen;
}

void CheckServices(Session& session, const config::Config& config, Report& report) {
  const std::vector<SeenService> first = AskServices(session, config);
  std::vector<SeenService> last;
  if (std::any_of(first.begin(), first.end(), WorthAnotherLook)) {
    absl::SleepFor(kBetweenLooks);
    last = AskServices(session, config);
  }
  for (std::size_t i = 0; i < first.size(); ++i) {
    const SeenService& now = last.empty() ? first[i] : last[i];
    report.Add(JudgeService(last.empty() ? nullptr : &first[i], now));
    if (now.answered.ok() && now.status.has_machine_time()) {
      report.Add(JudgeClock(now.service, now.clock_ahead, now.clock_error));
    }
  }
  report.Add(JudgeVersions(last.empty() ? first : last));
}

// The partners that the node knows; none, and a finding, where it can't say.
std::vector<exchange::v1::Partner> AskPartners(Session& session, Report& report) {
  std::vector<exchange::v1::Partner> partners;
  exchange::v1::ListPartnersRequest request;
  request.set_page_size(kPage);
  do {
    exchange::v1::ListPartnersResponse response;
    const auto called = session.Call("exchange", "sankofa.exchange.v1.ExchangeService/ListPartners",
                                     request, response);
    if (!called.ok()) {
      SeenService exchange;
      exchange.service = "exchange (partners)";
      exchange.answered = called;
      report.Add(JudgeService(nullptr, exchange));
      return {};
    }
    for (const auto& partner : response.partners()) partners.push_back(partner);
    request.set_page_token(response.next_page_token());
  } while (!request.page_token().empty());
  return partners;
}

void CheckPartners(Session& session, const std::vector<exchange::v1::Partner>& partners,
                   absl::Duration ending, Report& report) {
  for (const auto& partner : partners) {
    SeenPartner seen;
    seen.partner = partner;
    exchange::v1::GetPartnerHealthRequest request;
    request.set_partner_id(partner.id());
    seen.answered = session.Call("exchange", "sankofa.exchange.v1.ExchangeService/GetPartnerHealth",
                                 request, seen.health, kLongPatience);
    report.Add(JudgePartner(seen, absl::Now(), ending));
  }
}

int RunDoctor(Session& session, const DoctorArguments& arguments) {
  const auto config = session.LoadConfig(arguments.config);
  if (!config.ok()) return session.Fail(config.status());
  const auto kafka = session.KafkaClient(config->kafka.brokers);
  if (!kafka.ok()) return session.Fail(kafka.status());
  const absl::Duration ending = absl::Hours(24 * arguments.days);
  Report report(session);
  const CertificateFiles own = {.about = "sankofactl",
                                .certificate = kafka->certificate,
                                .key = kafka->key,
                                .ca = kafka->ca,
                                .needed_name = {}};
  for (const auto& seen : LookAtCertificates(*config, own, kHandshake)) {
    report.Add(JudgeCertificate(seen, absl::Now(), ending));
  }
  bool clock_known = false;
  for (const auto& [service, _] : config->services) {
    const SeenDatabase seen = LookAtDatabase(*config, service);
    report.Add(JudgeDatabase(seen));
    if (!seen.reachable.ok() || clock_known) continue;
    report.Add(JudgeClock("database", seen.clock_ahead, seen.clock_error));
    clock_known = true;
  }
  std::vector<exchange::v1::Partner> partners;
  if (config->services.contains("exchange")) partners = AskPartners(session, report);
  std::vector<std::string> codes;
  for (const auto& partner : partners) {
    if (partner.state() == exchange::v1::PARTNER_STATE_ACTIVE) codes.push_back(partner.id());
  }
  const NeededTopics needed = TopicsOf(*config, codes);
  report.Add(JudgeKafka(config->kafka.brokers, needed,
                        kafka::LookAtCluster(*kafka, needed.names, kKafkaPatience)));
  report.Add(JudgeRedis(config->redis.address, LookAtRedis(config->redis.address)));
  CheckServices(session, *config, report);
  CheckPartners(session, partners, ending, report);
  return report.End();
}

}  // namespace

void AddDoctor(CLI::App& app, Session& session) {
  auto arguments = std::make_shared<DoctorArguments>();
  auto* doctor = app.add_subcommand("doctor", "Is the node well? Says what to do where it is not");
  doctor->add_option("--config", arguments->config, "The node's configuration")
      ->check(CLI::ExistingFile);
  doctor
      ->add_option("--days", arguments->days, "Certificates and keys that end within so many days")
      ->check(CLI::Range(0, 3650));
  doctor->callback([&session, arguments] {
    session.run = [&session, arguments] { return RunDoctor(session, *arguments); };
  });
}

}  // namespace sankofa::ctl
