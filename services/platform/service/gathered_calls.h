#pragma once

#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "google/protobuf/descriptor.h"
#include "services/platform/engine/call_source.h"
#include "services/platform/engine/fact_call.h"
#include "services/platform/engine/registry.h"

namespace sankofa::service {

// The commands of other services' events, with the facts that they need: those of `source`, and for each command that
// is bound with `facts` what these give, as for a caller's command. A fact that can't be had now (UNAVAILABLE) keeps the
// events waiting; one that is refused puts its event aside.
class GatheredCalls final : public engine::CallSource {
 public:
  // What the `facts` of a command may use, for that command; no longer than the command lives.
  using FactCalls = std::function<std::unique_ptr<engine::FactCall>(const engine::CommandCall&)>;

  // `rpc`: the service's methods.
  GatheredCalls(const engine::Registry& registry, const google::protobuf::ServiceDescriptor& rpc,
                std::unique_ptr<engine::CallSource> source, FactCalls fact_calls);
  [[nodiscard]] bool gathers() const override { return gathers_; }
  [[nodiscard]] std::vector<engine::Calls> CallsOf(
      std::span<const engine::IncomingEvent> events) override;

 private:
  [[nodiscard]] absl::Status FetchFacts(engine::CommandCall& call) const;

  const engine::Registry& registry_;
  const std::unique_ptr<engine::CallSource> source_;
  const FactCalls fact_calls_;
  const bool gathers_;
};

}  // namespace sankofa::service
