#pragma once

#include <vector>

#include "sankofa/registration/v1/centre.pb.h"
#include "sankofa/registration/v1/registration_events.pb.h"
#include "sankofa/registration/v1/registration_service.pb.h"
#include "services/platform/engine/decider.h"

// A transit and reception centre: its places, and the households that stay there. A case names the centre where its
// household stays, so a household is in one centre at a time and no case ends while its people still live there.
namespace sankofa::registration {

struct CentreDecider {
  using State = v1::Centre;
  using EventTypes =
      engine::EventTypes<v1::CentreOpened, v1::CentrePlacesChanged, v1::StayBegun, v1::StayEnded>;

  static engine::Decision Decide(const State&, const v1::OpenCentreRequest&,
                                 const engine::Context&);
  static engine::Decision Decide(const State&, const v1::ChangeCentrePlacesRequest&,
                                 const engine::Context&);
  static engine::Decision Decide(const State&, const v1::CheckInRequest&, const engine::Context&);
  static engine::Decision Decide(const State&, const v1::CheckOutRequest&, const engine::Context&);

  static void Apply(State&, const v1::CentreOpened&);
  static void Apply(State&, const v1::CentrePlacesChanged&);
  static void Apply(State&, const v1::StayBegun&);
  static void Apply(State&, const v1::StayEnded&);

  static std::vector<engine::Row> Project(const State&);
  static const engine::Table& ProjectTable();
};

}  // namespace sankofa::registration
