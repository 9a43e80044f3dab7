#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "google/protobuf/message.h"
#include "services/platform/engine/decider.h"
#include "tests/simulation/world/service.h"

// What people do at a node, step by step: each step is a command, sent until it is acknowledged. A refusal means "not
// yet": the step is tried again, for what it waits for may still be on its way. A script that never comes to its end is a
// violation.
namespace sankofa::simulation {

struct Command {
  std::string service;
  std::shared_ptr<google::protobuf::Message> request;
  engine::Actor actor;
};

class Script {
 public:
  using Step = std::function<Command(const Script&)>;

  // `name` makes the request ids, so it is another one for each script.
  Script(Node& node, std::string name) : node_(node), name_(std::move(name)) {}

  // The request that `make` gives; its `request_id` is filled.
  template <class Request>
  void Then(std::string service, engine::Actor actor, std::function<Request(const Script&)> make) {
    steps_.push_back([service = std::move(service), actor = std::move(actor),
                      make = std::move(make), step = steps_.size()](const Script& script) {
      auto request = std::make_shared<Request>(make(script));
      request->set_request_id(script.RequestId(step));
      return Command{service, std::move(request), actor};
    });
  }
  // The request id of a step; what is created by it is named after it.
  [[nodiscard]] std::string RequestId(std::size_t step) const {
    return engine::DerivedId(name_, absl::StrCat("step ", step));
  }
  [[nodiscard]] std::size_t size() const { return steps_.size(); }

  [[nodiscard]] bool done() const { return at_ >= steps_.size(); }
  [[nodiscard]] std::size_t at() const { return at_; }
  // The same until it is acknowledged or refused: who sends again sends what was sent.
  [[nodiscard]] const Command& Next() {
    if (!pending_) pending_ = steps_.at(at_)(*this);
    return *pending_;
  }
  void Acknowledged() {
    ++at_;
    pending_.reset();
    refused_.clear();
  }
  void Refused(std::string reason) {
    pending_.reset();
    refused_ = std::move(reason);
  }
  [[nodiscard]] const std::string& refused() const { return refused_; }
  [[nodiscard]] const std::string& name() const { return name_; }
  [[nodiscard]] Node& node() const { return node_; }

 private:
  Node& node_;
  const std::string name_;
  std::vector<Step> steps_;
  std::size_t at_ = 0;
  std::optional<Command> pending_;
  std::string refused_;
};

// What no stored or sent byte may hold in clear.
inline constexpr char kNameMark[] = "Qwyxzt";

// Who the partners are, with what is agreed between them: what every node begins with.
[[nodiscard]] Script Introduce(Node& node, const std::vector<std::string>& all);
// The other side's signature under what `Introduce` proposes.
[[nodiscard]] Script Countersign(Node& node, const std::vector<std::string>& all);
// A committee, an agreement with a funder, a budget line, a programme.
[[nodiscard]] Script OpenOffice(Node& node);
// One person's way, as far as the random numbers take it: registration, consent to share with `partner`, submission,
// arrival, perhaps the consent's withdrawal; a project, a sitting that approves it, a grant, its first instalment.
[[nodiscard]] Script CaseScript(Node& node, const std::string& partner, int number, Random& random);

}  // namespace sankofa::simulation
