#pragma once

#include <memory>
#include <span>
#include <vector>

#include "services/platform/engine/call_source.h"

namespace sankofa::service {

class Runtime;

// The commands of other services' events, with the facts that they need: those of `source`, and for each command that
// is bound with `facts` what these give, as for a caller's command. A fact that can't be had now (UNAVAILABLE) keeps the
// events waiting; one that is refused puts its event aside.
class GatheredCalls final : public engine::CallSource {
 public:
  GatheredCalls(Runtime& runtime, std::unique_ptr<engine::CallSource> source);
  [[nodiscard]] bool gathers() const override { return gathers_; }
  [[nodiscard]] std::vector<engine::Calls> CallsOf(
      std::span<const engine::IncomingEvent> events) override;

 private:
  [[nodiscard]] absl::Status FetchFacts(engine::CommandCall& call) const;

  Runtime& runtime_;
  const std::unique_ptr<engine::CallSource> source_;
  const bool gathers_;
};

}  // namespace sankofa::service
