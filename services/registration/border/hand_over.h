#pragma once

#include <optional>
#include <string>
#include <vector>

#include "sankofa/registration/v1/registration_events.pb.h"
#include "sankofa/registration/v1/registration_internal.pb.h"
#include "sankofa/registration/v1/registration_service.pb.h"
#include "services/platform/engine/decider.h"
#include "services/platform/engine/registry.h"

// The responsibility for a case passes from one node to another, with the signatures of both under one statement.
//
//     releaser   (none) ─Offer► OFFERED ─acceptance arrives in time► COMPLETED      the case goes over, in this commit
//                                  ├─ declined ► DECLINED
//                                  └─ nothing in time ► LAPSED                      an acceptance after that changes nothing
//     receiver   (none) ─offer arrives► OFFERED ─Accept► ACCEPTED ─completed► COMPLETED    the case comes over, in this commit
//                                  └─Decline► DECLINED    └─lapsed► LAPSED
//
// The releaser's clock and the releaser's state decide, so there is never a second opinion: it lets go before the other
// takes over, and between the two moments its record already names the other. No node ever takes over by itself.
namespace sankofa::registration {

inline constexpr const char* kHandOverLabel = "sankofa.handover.v1";

struct HandOverDecider {
  using State = v1::HandOver;
  using EventTypes =
      engine::EventTypes<v1::HandOverOffered, v1::HandOverAccepted, v1::HandOverDeclined,
                         v1::HandOverCompleted, v1::HandOverLapsed>;

  // The releaser's officer; touches the Case and the PartnerNode.
  static engine::Decision Decide(const State&, const v1::OfferHandOverRequest&,
                                 const engine::Context&);
  // The receiver's officer; touches the Case.
  static engine::Decision Decide(const State&, const v1::AcceptHandOverRequest&,
                                 const engine::Context&);
  static engine::Decision Decide(const State&, const v1::DeclineHandOverRequest&,
                                 const engine::Context&);
  // What the other node says; all touch the Case and the PartnerNode.
  static engine::Decision Decide(const State&, const v1::ReceiveHandOverRequest&,
                                 const engine::Context&);
  static engine::Decision Decide(const State&, const v1::ReceiveHandOverAnswerRequest&,
                                 const engine::Context&);
  static engine::Decision Decide(const State&, const v1::EndHandOverRequest&,
                                 const engine::Context&);
  // The releaser's deadline; touches the Case.
  static engine::Decision Decide(const State&, const v1::LapseHandOverRequest&,
                                 const engine::Context&);

  static void Apply(State&, const v1::HandOverOffered&);
  static void Apply(State&, const v1::HandOverAccepted&);
  static void Apply(State&, const v1::HandOverDeclined&);
  static void Apply(State&, const v1::HandOverCompleted&);
  static void Apply(State&, const v1::HandOverLapsed&);

  static std::optional<engine::Deadline> NextDeadline(const State&);

  static std::vector<engine::Row> Project(const State&);
  static const engine::Table& ProjectTable();
};

}  // namespace sankofa::registration
