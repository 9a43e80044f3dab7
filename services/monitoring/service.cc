#include "services/monitoring/service.h"

#include <memory>
#include <utility>
#include <vector>

#include "sankofa/monitoring/v1/monitoring_service.pb.h"
#include "services/monitoring/commands.h"
#include "services/monitoring/queries.h"
#include "services/monitoring/reactions.h"
#include "services/monitoring/view/part.h"
#include "services/platform/service/runtime.h"
#include "services/platform/status/check.h"

namespace sankofa::monitoring {

// Generated from migrations/ at build time.
std::vector<service::Migration> Migrations();

namespace {

// Queries run only once the service has started, and with it its part.
ViewPart& PartOf(const service::Runtime& runtime) {
  auto* part = runtime.part<ViewPart>();
  status::Check(part != nullptr, "monitoring runs without its view");
  return *part;
}

}  // namespace

const service::Definition& Definition() {
  static const service::Definition definition = {
      .name = "monitoring",
      .rpc = google::protobuf::DescriptorPool::generated_pool()->FindServiceByName(
          "sankofa.monitoring.v1.MonitoringService"),
      .migrations = Migrations(),
      .commands = [](engine::Registry& registry, const auto& /*blind*/) { BindCommands(registry); },
      .queries =
          [](rpc::Queries& queries, service::Runtime& runtime) {
            BindQueries(queries,
                        {.views = [&runtime]() -> Views& { return PartOf(runtime).views(); },
                         .hub = [&runtime]() -> WatchHub& { return PartOf(runtime).hub(); }});
          },
      .reactions = React,
      .parts =
          [](service::Runtime& runtime) {
            std::vector<std::unique_ptr<service::Part>> parts;
            parts.push_back(std::make_unique<ViewPart>(runtime));
            return parts;
          },
  };
  return definition;
}

}  // namespace sankofa::monitoring
