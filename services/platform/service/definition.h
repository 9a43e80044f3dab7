#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "google/protobuf/descriptor.h"
#include "services/platform/engine/reactions.h"
#include "services/platform/engine/registry.h"
#include "services/platform/rpc/queries.h"

// What a service is to the platform: a name and five lists. services/main.cc lists the services; the platform does the
// rest, the same for each.
namespace sankofa::service {

class Runtime;  // runtime.h: pools, engine, relay, consumer of one running service

// One file of migrations/, embedded at build time. Never changed once landed.
struct Migration {
  std::string name;  // "0001_cases.sql"
  std::string sql;
};

// Something that runs beside the RPCs: monitoring's view. Built when the service starts, stopped before its engine.
class Part {
 public:
  virtual ~Part() = default;
  virtual void Stop() = 0;
};

struct Definition {
  std::string name;  // schema, role, topic "sankofa.<name>" and certificate are called after it
  const google::protobuf::ServiceDescriptor* rpc = nullptr;
  std::vector<Migration> migrations;
  // `blind`: crypto::Vault::Blind, for names of aggregates that are found by a personal field.
  std::function<void(engine::Registry&,
                     const std::function<std::string(std::string_view, std::string_view)>& blind)>
      commands;
  std::function<void(rpc::Queries&, Runtime&)> queries;
  std::function<void(engine::Reactions&)> reactions;
  std::function<std::vector<std::unique_ptr<Part>>(Runtime&)> parts;
};

}  // namespace sankofa::service
