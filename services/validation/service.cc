#include "services/validation/service.h"

#include "sankofa/validation/v1/validation_service.pb.h"
#include "services/validation/commands.h"
#include "services/validation/queries.h"
#include "services/validation/reactions.h"

namespace sankofa::validation {

// Generated from migrations/ at build time.
std::vector<service::Migration> Migrations();

const service::Definition& Definition() {
  static const service::Definition definition = {
      .name = "validation",
      // Through a message of the same file, which is thereby linked in.
      .rpc = v1::DraftProjectRequest::descriptor()->file()->FindServiceByName("ValidationService"),
      .migrations = Migrations(),
      .commands = [](engine::Registry& registry, const auto& /*blind*/) { BindCommands(registry); },
      .queries = [](rpc::Queries& queries, service::Runtime& /*runtime*/) { BindQueries(queries); },
      .reactions = React,
      .parts = nullptr,
  };
  return definition;
}

}  // namespace sankofa::validation
