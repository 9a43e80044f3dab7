#include "services/funding/service.h"

#include "sankofa/funding/v1/funding_service.pb.h"
#include "services/funding/commands.h"
#include "services/funding/measure.h"
#include "services/funding/queries.h"
#include "services/funding/reactions.h"

namespace sankofa::funding {

// Generated from migrations/ at build time.
std::vector<service::Migration> Migrations();

const service::Definition& Definition() {
  static const service::Definition definition = {
      .name = "funding",
      .rpc = google::protobuf::DescriptorPool::generated_pool()->FindServiceByName(
          "sankofa.funding.v1.FundingService"),
      .migrations = Migrations(),
      .commands = [](engine::Registry& registry, const auto& /*blind*/) { BindCommands(registry); },
      .queries = [](rpc::Queries& queries, service::Runtime& /*runtime*/) { BindQueries(queries); },
      .reactions = React,
      .parts = nullptr,
      .measure = [](service::Runtime& /*runtime*/,
                    postgres::Connection& connection) { return Measure(connection); },
  };
  return definition;
}

}  // namespace sankofa::funding
