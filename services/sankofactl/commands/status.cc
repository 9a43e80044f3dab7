#include <algorithm>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "sankofa/common/v1/node_service.pb.h"
#include "sankofa/monitoring/v1/monitoring_service.pb.h"
#include "services/sankofactl/catalogue.h"
#include "services/sankofactl/commands/commands.h"
#include "services/sankofactl/output/failure.h"
#include "services/sankofactl/output/json.h"
#include "services/sankofactl/output/table.h"

// `status`, `deadlines run` and `view rebuild`: for whoever runs a node.
namespace sankofa::ctl {
namespace {

using common::v1::ServiceStatus;

constexpr char kGetStatus[] = "sankofa.common.v1.NodeService/GetServiceStatus";
constexpr char kRunDeadlines[] = "sankofa.common.v1.NodeService/RunDeadlines";
constexpr char kRebuildViews[] = "sankofa.monitoring.v1.MonitoringService/RebuildViews";
constexpr absl::Duration kLongPatience = absl::Seconds(50);

// ---- status ---------------------------------------------------------------------------------------------------------

// What a service publishes for its own node. What is on partners' feeds no service here applies.
std::int64_t PublishedBy(const ServiceStatus& status) {
  return status.events_published_target() - status.events_for_partners();
}

// "registration 118/120": of the events that a source is to publish, how many this service has applied.
std::string AppliedOf(const ServiceStatus& status,
                      const std::map<std::string, ServiceStatus>& all) {
  const std::map<std::string, std::int64_t> applied(status.events_applied().begin(),
                                                    status.events_applied().end());
  std::vector<std::string> parts;
  for (const auto& [source, events] : applied) {
    const auto published = all.find(source);
    parts.push_back(published == all.end()
                        ? absl::StrCat(source, " ", events)
                        : absl::StrCat(source, " ", events, "/", PublishedBy(published->second)));
  }
  // What else reads topics here has no count of its own in the database: how far it is, Kafka knows.
  for (const auto& consumer : status.consumers()) {
    if (consumer.group() == absl::StrCat("sankofa.", status.service())) continue;
    parts.push_back(absl::StrCat(
        consumer.group(), " ", consumer.lag() < 0 ? "?" : absl::StrCat(consumer.lag()), " unread",
        consumer.trouble().empty() ? "" : absl::StrCat(" (", consumer.trouble(), ")")));
  }
  return absl::StrJoin(parts, ", ");
}

// Events that others have published or are going to, and that this service has not applied.
std::int64_t LagOf(const ServiceStatus& status, const std::map<std::string, ServiceStatus>& all) {
  std::int64_t lag = 0;
  for (const auto& [source, events] : status.events_applied()) {
    const auto published = all.find(source);
    if (published == all.end()) continue;
    lag += std::max<std::int64_t>(0, PublishedBy(published->second) - events);
  }
  return lag;
}

absl::Status PrintStatusLine(Session& session, const ServiceStatus& status, std::int64_t lag) {
  auto json = ToJson(status);
  if (!json.ok()) return json.status();
  json->Set("events_unpublished", status.events_published_target() - status.events_published());
  json->Set("events_unapplied", lag);
  session.out() << json->Line() << "\n";
  return absl::OkStatus();
}

int RunStatus(Session& session, const std::vector<std::string>& services) {
  int exit_code = kOk;
  std::map<std::string, ServiceStatus> all;
  for (const std::string& service : Chosen(session, services)) {
    common::v1::GetServiceStatusRequest request;
    request.set_service(service);
    ServiceStatus status;
    auto called = session.Call(service, kGetStatus, request, status);
    if (called.ok()) {
      all[service] = status;
    } else {
      exit_code = session.Fail(called, absl::StrCat("status of ", service));
      if (exit_code == kUsage) return kUsage;
    }
  }
  Table table({"service", "version", "published", "unpublished", "parked", "dead letters", "lag",
               "applied"});
  for (const std::string& service : Chosen(session, services)) {
    const auto found = all.find(service);
    if (found == all.end()) continue;
    const ServiceStatus& status = found->second;
    const std::int64_t lag = LagOf(status, all);
    if (session.json()) {
      if (auto printed = PrintStatusLine(session, status, lag); !printed.ok()) {
        exit_code = session.Fail(printed);
      }
    }
    table.Add({service, status.version(), absl::StrCat(status.events_published()),
               absl::StrCat(status.events_published_target() - status.events_published()),
               absl::StrCat(status.parked_cases()), absl::StrCat(status.dead_letters_waiting()),
               absl::StrCat(lag), AppliedOf(status, all)});
  }
  if (!session.json() && !table.empty()) session.out() << table.ToString();
  return exit_code;
}

// ---- deadlines ------------------------------------------------------------------------------------------------------

int RunDeadlines(Session& session, const std::vector<std::string>& services) {
  int exit_code = kOk;
  Table table({"service", "commands", "refused"});
  for (const std::string& service : Chosen(session, services)) {
    common::v1::RunDeadlinesRequest request;
    request.set_service(service);
    common::v1::RunDeadlinesResponse response;
    auto called = session.Call(service, kRunDeadlines, request, response, kLongPatience);
    if (!called.ok()) {
      exit_code = session.Fail(called, absl::StrCat("deadlines of ", service));
      if (exit_code == kUsage) return kUsage;
      continue;
    }
    table.Add({service, absl::StrCat(response.commands()), absl::StrCat(response.refused())});
    if (session.json()) {
      session.out() << Json::Object()
                           .Set("service", service)
                           .Set("commands", std::int64_t{response.commands()})
                           .Set("refused", std::int64_t{response.refused()})
                           .Line()
                    << "\n";
    }
  }
  if (!session.json() && !table.empty()) session.out() << table.ToString();
  return exit_code;
}

// ---- view -----------------------------------------------------------------------------------------------------------

struct Rebuilt {
  std::int64_t rebuilt = 0;
  std::int64_t missing = 0;
  std::int64_t behind = 0;
  std::int64_t differing = 0;
};

absl::StatusOr<Rebuilt> RebuildAll(Session& session) {
  Rebuilt sums;
  monitoring::v1::RebuildViewsRequest request;
  do {
    monitoring::v1::RebuildViewsResponse response;
    auto called = session.Call("monitoring", kRebuildViews, request, response, kLongPatience);
    if (!called.ok()) return called;
    sums.rebuilt += response.rebuilt();
    sums.missing += response.missing();
    sums.behind += response.behind();
    sums.differing += response.differing();
    request.set_page_token(response.next_page_token());
  } while (!request.page_token().empty());
  return sums;
}

int RunRebuild(Session& session) {
  const auto sums = RebuildAll(session);
  if (!sums.ok()) return session.Fail(sums.status());
  if (session.json()) {
    session.out() << Json::Object()
                         .Set("rebuilt", sums->rebuilt)
                         .Set("missing", sums->missing)
                         .Set("behind", sums->behind)
                         .Set("differing", sums->differing)
                         .Line()
                  << "\n";
  } else {
    session.out() << sums->rebuilt << " views folded anew from the journals; before, "
                  << sums->missing << " were missing, " << sums->behind << " behind, "
                  << sums->differing << " different\n";
  }
  if (sums->differing == 0) return kOk;
  if (!session.json()) {
    session.err() << "A view that had the same events and another content is a fault of the node: "
                     "report it.\n";
  }
  return kFailed;
}

}  // namespace

void AddStatus(CLI::App& app, Session& session) {
  auto services = std::make_shared<std::vector<std::string>>();
  auto* status = app.add_subcommand("status", "Where each service stands");
  AddServiceOption(*status, *services);
  status->callback([&session, services] {
    session.run = [&session, services] { return RunStatus(session, *services); };
  });

  auto* deadlines = app.add_subcommand("deadlines", "What is due at a time");
  deadlines->require_subcommand(1);
  auto* run = deadlines->add_subcommand("run", "Do now what is due, at --scenario-time if given");
  AddServiceOption(*run, *services);
  run->callback([&session, services] {
    session.run = [&session, services] { return RunDeadlines(session, *services); };
  });

  auto* view = app.add_subcommand("view", "The case views in Redis");
  view->require_subcommand(1);
  view->add_subcommand("rebuild", "Fold all of them anew from the journals")->callback([&session] {
    session.run = [&session] { return RunRebuild(session); };
  });
}

}  // namespace sankofa::ctl
