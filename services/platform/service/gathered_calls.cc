#include "services/platform/service/gathered_calls.h"

#include <algorithm>
#include <set>
#include <string>
#include <utility>

#include "absl/time/clock.h"
#include "services/platform/status/refuse.h"
#include "services/platform/telemetry/trace.h"

namespace sankofa::service {
namespace {

// For all facts of one command. While they are waited for, no event is applied.
constexpr absl::Duration kFactTime = absl::Seconds(5);

// Commands that nobody calls by RPC and that fetch facts are given by reactions (or by deadlines). A reaction that
// gives the command of an RPC gets its facts too; such facts must hold whenever they are read.
bool HasFactsToGather(const engine::Registry& registry,
                      const google::protobuf::ServiceDescriptor& rpc) {
  std::set<std::string> called;
  for (int i = 0; i < rpc.method_count(); ++i) {
    called.insert(rpc.method(i)->input_type()->full_name());
  }
  const auto& commands = registry.commands();
  return std::any_of(commands.begin(), commands.end(), [&](const auto& command) {
    return command.second.facts && !called.contains(command.first);
  });
}

}  // namespace

GatheredCalls::GatheredCalls(const engine::Registry& registry,
                             const google::protobuf::ServiceDescriptor& rpc,
                             std::unique_ptr<engine::CallSource> source, FactCalls fact_calls)
    : registry_(registry),
      source_(std::move(source)),
      fact_calls_(std::move(fact_calls)),
      gathers_(source_->gathers() || HasFactsToGather(registry, rpc)) {}

absl::Status GatheredCalls::FetchFacts(engine::CommandCall& call) const {
  const engine::CommandSpec* spec =
      registry_.FindCommand(call.request->GetDescriptor()->full_name());
  if (spec == nullptr || !spec->facts) return absl::OkStatus();
  const telemetry::TraceScope trace(call.traceparent);
  call.deadline = absl::Now() + kFactTime;
  const auto fact_call = fact_calls_(call);
  auto facts = spec->facts(*fact_call, *call.request);
  call.deadline = absl::InfiniteFuture();
  if (!facts.ok()) return facts.status();
  call.facts = *std::move(facts);
  return absl::OkStatus();
}

std::vector<engine::Calls> GatheredCalls::CallsOf(std::span<const engine::IncomingEvent> events) {
  std::vector<engine::Calls> all = source_->CallsOf(events);
  for (engine::Calls& calls : all) {
    if (!calls.ok()) continue;
    for (engine::CommandCall& call : *calls) {
      const absl::Status fetched = FetchFacts(call);
      if (fetched.ok()) continue;
      calls = fetched;
      break;
    }
    // Then none is applied: no need to ask for more.
    if (status::IsTransient(calls.status())) {
      return std::vector<engine::Calls>(events.size(), calls.status());
    }
  }
  return all;
}

}  // namespace sankofa::service
