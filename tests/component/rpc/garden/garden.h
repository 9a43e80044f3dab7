#pragma once

#include "garden/garden.pb.h"
#include "services/platform/engine/registry.h"

// An aggregate for tests of the server. What it decides is never run there: a dispatcher of the test answers.
namespace sankofa::garden {

struct TreeDecider {
  using State = v1::Tree;
  using EventTypes = engine::EventTypes<v1::TreePlanted>;
  static engine::Decision Decide(const State& /*tree*/, const v1::PlantTreeRequest& request,
                                 const engine::Context& /*context*/) {
    v1::TreePlanted event;
    event.set_species(request.species());
    return engine::Emit(event);
  }
  static void Apply(State& tree, const v1::TreePlanted& event) {
    tree.set_species(event.species());
  }
};

// Its state could not be sealed.
struct BareTreeDecider {
  using State = v1::BareTree;
  using EventTypes = engine::EventTypes<v1::BareTreePlanted>;
  static engine::Decision Decide(const State& /*tree*/, const v1::PlantBareTreeRequest& /*request*/,
                                 const engine::Context& /*context*/) {
    return engine::Emit(v1::BareTreePlanted());
  }
  static void Apply(State& /*tree*/, const v1::BareTreePlanted& /*event*/) {}
};

inline const google::protobuf::ServiceDescriptor* Service(const char* name) {
  return v1::Tree::descriptor()->file()->FindServiceByName(name);
}

}  // namespace sankofa::garden
