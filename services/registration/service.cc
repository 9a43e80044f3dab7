#include "services/registration/service.h"

#include "sankofa/registration/v1/registration_service.pb.h"
#include "services/registration/commands.h"
#include "services/registration/queries.h"
#include "services/registration/reactions.h"

namespace sankofa::registration {

// Generated from migrations/ at build time.
std::vector<service::Migration> Migrations();

const service::Definition& Definition() {
  static const service::Definition definition = {
      .name = "registration",
      .rpc = google::protobuf::DescriptorPool::generated_pool()->FindServiceByName(
          "sankofa.registration.v1.RegistrationService"),
      .migrations = Migrations(),
      .commands = BindCommands,
      .queries = [](rpc::Queries& queries, service::Runtime& /*runtime*/) { BindQueries(queries); },
      .reactions = React,
      .parts = nullptr,
  };
  return definition;
}

}  // namespace sankofa::registration
