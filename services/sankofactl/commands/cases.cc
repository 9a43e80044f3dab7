#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "sankofa/common/v1/node_service.pb.h"
#include "sankofa/monitoring/v1/case_view.pb.h"
#include "sankofa/monitoring/v1/monitoring_service.pb.h"
#include "services/platform/money/money.h"
#include "services/platform/time/time.h"
#include "services/sankofactl/catalogue.h"
#include "services/sankofactl/commands/commands.h"
#include "services/sankofactl/output/failure.h"
#include "services/sankofactl/output/json.h"
#include "services/sankofactl/output/table.h"

// `case show` and `case trail`.
namespace sankofa::ctl {
namespace {

using common::v1::TrailEntry;
using monitoring::v1::CaseView;

constexpr char kGetCaseView[] = "sankofa.monitoring.v1.MonitoringService/GetCaseView";
constexpr char kListTrail[] = "sankofa.common.v1.NodeService/ListTrail";
constexpr int kTrailPage = 500;

struct CaseArguments {
  std::string case_id;
  std::vector<std::string> services;
};

// ---- show -----------------------------------------------------------------------------------------------------------

std::string Amount(const common::v1::Money& money, const std::string& language) {
  if (money.currency().empty()) return {};
  return money::Format(money,
                       language == "fr" ? money::Language::kFrench : money::Language::kEnglish);
}

// In thousandths, as the instruments score: "0.640".
std::string Score(int thousandths) {
  std::string digits = absl::StrCat(thousandths % 1000);
  digits.insert(0, digits.size() < 3 ? 3 - digits.size() : 0, '0');
  return absl::StrCat(thousandths / 1000, ".", digits);
}

std::string NumberOrNothing(int number) { return number == 0 ? "" : absl::StrCat(number); }

class CasePage {
 public:
  CasePage(std::ostream& out, std::string language) : out_(out), language_(std::move(language)) {}

  void Print(const CaseView& view) {
    Facts(view);
    if (view.erased()) return;
    Projects(view);
    Grants(view);
    FollowUps(view);
    Surveys(view);
    AlertsAndReferrals(view);
    Timeline(view);
    for (const auto& section : view.partner_views()) Partner(section);
  }

 private:
  void Fact(const char* label, const std::string& text) {
    if (!text.empty()) out_ << "  " << label << Printable(text) << "\n";
  }
  void Part(const char* title, const Table& table) {
    if (!table.empty()) out_ << "\n" << title << "\n" << table.ToString();
  }

  void Facts(const CaseView& view) {
    out_ << "Case " << Printable(view.reference().empty() ? view.case_id() : view.reference());
    out_ << "  " << Printable(view.erased() ? "ERASED" : view.state()) << "\n";
    Fact("id           ", view.case_id());
    if (view.erased()) return;
    Fact("person       ", view.person_id());
    Fact("from, to     ", absl::StrCat(view.host_country(), " → ", view.origin_country(),
                                       view.region().empty() ? "" : ", ", view.region()));
    Fact("return       ", view.return_type());
    Fact("programme    ", view.programme());
    Fact("responsible  ",
         absl::StrCat(view.responsible_organisation(),
                      view.responsible_node().empty() ? "" : " at ", view.responsible_node()));
    Fact("household    ", absl::StrCat(view.adults(), " adults, ", view.children(), " children"));
    Fact("arrived      ", view.arrival_date());
    Fact("orientation  ", view.orientation());
    Fact("closed       ", view.close_reason());
  }

  // The same parts once more, under the name of their owner.
  void Partner(const monitoring::v1::PartnerView& section) {
    out_ << "\n---- As " << Printable(section.node()) << " tells it: message "
         << section.sequence();
    if (section.has_event_time()) {
      out_ << ", " << Moment(time::FromTimestamp(section.event_time()));
    }
    out_ << (section.erased() ? ", erased" : "") << (section.truncated() ? ", cut off" : "")
         << "\n";
    if (section.has_facts()) Print(section.facts());
  }

  void Projects(const CaseView& view) {
    Table table({"project", "state", "version", "kind", "sector", "jobs", "requested", "approved"});
    for (const auto& project : view.projects()) {
      table.Add({project.project_id(), project.state(), absl::StrCat(project.version()),
                 project.kind(), project.sector(), absl::StrCat(project.jobs()),
                 Amount(project.requested(), language_), Amount(project.approved(), language_)});
    }
    Part("Life projects", table);
  }

  void Grants(const CaseView& view) {
    Table table({"grant", "instalment", "state", "budget line", "amount"});
    for (const auto& grant : view.grants()) {
      table.Add({grant.grant_id(), "all", grant.state(), grant.budget_line(),
                 Amount(grant.amount(), language_)});
      for (const auto& instalment : grant.instalments()) {
        table.Add({"", absl::StrCat(instalment.number()), instalment.state(), "",
                   Amount(instalment.amount(), language_)});
      }
    }
    Part("Grants", table);
  }

  void FollowUps(const CaseView& view) {
    Table table({"follow-up", "visit", "month", "planned", "state", "made", "business", "jobs"});
    for (const auto& follow_up : view.follow_ups()) {
      for (const auto& visit : follow_up.visits()) {
        table.Add({follow_up.follow_up_id(), absl::StrCat(visit.number()),
                   absl::StrCat(visit.months()), visit.planned_date(), visit.state(),
                   visit.visit_date(), visit.business_status(), NumberOrNothing(visit.jobs())});
      }
    }
    Part("Follow-up", table);
  }

  void Surveys(const CaseView& view) {
    Table table(
        {"month", "instrument", "taken", "economic", "social", "psychosocial", "composite"});
    for (const auto& survey : view.surveys()) {
      table.Add({absl::StrCat(survey.window_months()),
                 absl::StrCat(survey.instrument(), " v", survey.instrument_version()),
                 survey.taken_date(), Score(survey.economic()), Score(survey.social()),
                 Score(survey.psychosocial()), Score(survey.composite())});
    }
    Part("Surveys", table);
  }

  void AlertsAndReferrals(const CaseView& view) {
    Table alerts({"alert", "about", "state", "before"});
    for (const auto& alert : view.alerts()) {
      alerts.Add(
          {alert.alert_id(), alert.kind(), alert.state(),
           alert.has_deadline_time() ? Moment(time::FromTimestamp(alert.deadline_time())) : ""});
    }
    Part("Alerts", alerts);
    Table referrals({"referral", "state"});
    for (const auto& referral : view.referrals()) {
      referrals.Add({referral.referral_id(), referral.state()});
    }
    Part("Referrals", referrals);
    Table hand_overs({"hand-over", "state", "from", "to", "before"});
    for (const auto& one : view.hand_overs()) {
      hand_overs.Add(
          {one.hand_over_id(), one.state(), one.from_node(), one.to_node(),
           one.has_answer_due_time() ? Moment(time::FromTimestamp(one.answer_due_time())) : ""});
    }
    Part("Hand-overs", hand_overs);
  }

  void Timeline(const CaseView& view) {
    Table table({"when", "what"});
    for (const auto& entry : view.timeline()) {
      const bool french = language_ == "fr" && !entry.text_fr().empty();
      const std::string owner =
          entry.source_node().empty() ? "" : absl::StrCat(" (", entry.source_node(), ")");
      table.Add({Moment(time::FromTimestamp(entry.time())),
                 absl::StrCat(french ? entry.text_fr() : entry.text_en(), owner)});
    }
    Part("What happened", table);
  }

  std::ostream& out_;
  const std::string language_;
};

absl::Status RunShow(Session& session, const std::string& case_id) {
  monitoring::v1::GetCaseViewRequest request;
  request.set_case_id(case_id);
  CaseView view;
  if (auto called = session.Call("monitoring", kGetCaseView, request, view); !called.ok()) {
    return called;
  }
  if (!session.json()) {
    CasePage(session.out(), session.language()).Print(view);
    return absl::OkStatus();
  }
  const auto json = ToJson(view);
  if (!json.ok()) return json.status();
  session.out() << json->Line() << "\n";
  return absl::OkStatus();
}

// ---- trail ----------------------------------------------------------------------------------------------------------

struct TrailLine {
  std::string service;
  TrailEntry entry;
};
// In the order of time, and of those of one time in the order in which they were read.
using Trail = std::multimap<absl::Time, TrailLine>;

absl::Status AddTrail(Session& session, const std::string& service, const std::string& case_id,
                      Trail& trail) {
  common::v1::ListTrailRequest request;
  request.set_service(service);
  request.set_partition_key(case_id);
  request.set_page_size(kTrailPage);
  // The end, as what is read here is itself put on the trail: the last page would never be empty.
  const absl::Time end = absl::Now();
  while (true) {
    common::v1::ListTrailResponse response;
    if (auto called = session.Call(service, kListTrail, request, response); !called.ok()) {
      return called;
    }
    for (const TrailEntry& entry : response.entries()) {
      trail.insert({time::FromTimestamp(entry.event_time()), {service, entry}});
    }
    const bool over = response.next_page_token().empty() || response.entries().empty() ||
                      time::FromTimestamp(response.entries().rbegin()->event_time()) > end;
    if (over) return absl::OkStatus();
    request.set_page_token(response.next_page_token());
  }
}

// "s.ngono (minrex)", or the system that acted on its own account.
std::string WhoOf(const TrailEntry& entry) {
  if (entry.actor().empty()) return absl::StrCat("system ", entry.system());
  const std::string organisation =
      entry.organisation().empty() ? "" : absl::StrCat(" (", entry.organisation(), ")");
  return absl::StrCat(entry.actor(), organisation,
                      entry.system().empty() ? "" : absl::StrCat(" by ", entry.system()));
}

std::string WhatOf(const TrailEntry& entry) {
  if (entry.method().empty()) return ShortName(entry.type());
  const std::string method = entry.method().substr(entry.method().rfind('/') + 1);
  if (!entry.personal()) return absl::StrCat("read by ", method);
  return absl::StrCat("read with personal data by ", method, ", for: ", entry.purpose());
}

void PrintTrail(Session& session, const Trail& trail) {
  Table table({"when", "service", "what", "stream", "who"});
  for (const auto& [when, line] : trail) {
    const auto& [service, entry] = line;
    table.Add({Moment(when), service, WhatOf(entry),
               absl::StrCat(entry.stream(), " #", entry.sequence()), WhoOf(entry)});
  }
  session.out() << table.ToString();
}

absl::Status PrintTrailLines(Session& session, const Trail& trail) {
  for (const auto& [when, line] : trail) {
    const auto& [service, entry] = line;
    auto json = ToJson(entry);
    if (!json.ok()) return json.status();
    session.out() << Json::Object().Set("service", service).Set("entry", *json).Line() << "\n";
  }
  return absl::OkStatus();
}

// What could be read is shown, also where a service can't be asked.
int RunTrail(Session& session, const CaseArguments& arguments) {
  Trail trail;
  int exit_code = kOk;
  for (const std::string& service : Chosen(session, arguments.services)) {
    auto added = AddTrail(session, service, arguments.case_id, trail);
    if (added.ok()) continue;
    exit_code = session.Fail(added, absl::StrCat("trail of ", service));
    if (exit_code == kUsage) return kUsage;
  }
  if (!session.json()) {
    if (!trail.empty()) PrintTrail(session, trail);
    return exit_code;
  }
  const auto printed = PrintTrailLines(session, trail);
  return printed.ok() ? exit_code : session.Fail(printed);
}

}  // namespace

void AddCase(CLI::App& app, Session& session) {
  auto* commands = app.add_subcommand("case", "One case");
  commands->require_subcommand(1);
  auto arguments = std::make_shared<CaseArguments>();
  auto* show = commands->add_subcommand("show", "All services' facts on a case, on one page");
  auto* trail = commands->add_subcommand("trail", "Who wrote and who read a case, and when");
  for (auto* command : {show, trail}) {
    command->add_option("case_id", arguments->case_id, "The case's id")->required();
  }
  AddServiceOption(*trail, arguments->services);
  show->callback([&session, arguments] {
    session.run = [&session, arguments] {
      const auto shown = RunShow(session, arguments->case_id);
      return shown.ok() ? kOk : session.Fail(shown);
    };
  });
  trail->callback([&session, arguments] {
    session.run = [&session, arguments] { return RunTrail(session, *arguments); };
  });
}

}  // namespace sankofa::ctl
