#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "google/protobuf/descriptor.h"
#include "services/platform/engine/call_source.h"
#include "services/platform/engine/reactions.h"
#include "services/platform/engine/registry.h"
#include "services/platform/engine/store.h"
#include "services/platform/kafka/client.h"
#include "services/platform/postgres/connection.h"
#include "services/platform/rpc/queries.h"

// What a service is to the platform: a name and a few lists. services/main.cc lists the services; the platform does the
// rest, the same for each.
namespace sankofa::kafka {
class ReactionRunner;
}  // namespace sankofa::kafka

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

// A part that reads topics of the node's own services: GetServiceStatus says how it gets on.
class TopicReader {
 public:
  virtual ~TopicReader() = default;
  [[nodiscard]] virtual const kafka::ReactionRunner& runner() const = 0;
};

// Rows of the journal that go to other topics of the node's own cluster.
struct Routes {
  // The record for such a row; nothing for one that goes to the service's own topic.
  std::function<std::optional<kafka::Record>(const engine::JournalRow&)> record;
  // The types of their events, by full name.
  std::vector<std::string> event_types;
  // The topics that shall be there also before the first row for them. Others are made when a row comes. Called on the
  // relay's thread from time to time.
  std::function<std::vector<std::string>(Runtime&)> topics;
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
  // Where the commands of other services' events come from, where they don't follow from the events alone. `reactions`
  // then says whose events are read (ListenTo), and its own reactions are the source's to use.
  std::function<std::unique_ptr<engine::CallSource>(Runtime&)> call_source;
  // Where rows of the journal go that don't go to the service's own topic as events.
  std::optional<Routes> routes;
  std::function<std::vector<std::unique_ptr<Part>>(Runtime&)> parts;
  // Puts into the metrics what the service's own tables say. Called about once a minute, see measures.h.
  std::function<absl::Status(Runtime&, postgres::Connection&)> measure;
};

}  // namespace sankofa::service
