#pragma once

#include <optional>
#include <vector>

#include "sankofa/registration/v1/referral.pb.h"
#include "sankofa/registration/v1/registration_events.pb.h"
#include "sankofa/registration/v1/registration_internal.pb.h"
#include "sankofa/registration/v1/registration_service.pb.h"
#include "services/platform/engine/decider.h"

// One organisation asks another, at the same node or at a partner's, to give a service in a case. The case stays where it
// is. Between nodes, both have the referral under the same id; what is needed and why crosses only disclosed.
//
//     IN_PROGRESS ─Accept► ACCEPTED ─Complete► DONE
//        │  │  └─Reject► REJECTED      └─Revoke► REVOKED ◄─Revoke─ IN_PROGRESS
//        └ silence until the due time ► LAPSED: the need is with the sender again
namespace sankofa::registration {

struct ReferralDecider {
  using State = v1::Referral;
  using EventTypes = engine::EventTypes<v1::ReferralSent, v1::ReferralAccepted,
                                        v1::ReferralRejected, v1::ReferralDone, v1::ReferralRevoked,
                                        v1::ReferralLapsed, v1::ReferralDetailsReceived>;

  static engine::Decision Decide(const State&, const v1::SendReferralRequest&,
                                 const engine::Context&);
  static engine::Decision Decide(const State&, const v1::AcceptReferralRequest&,
                                 const engine::Context&);
  static engine::Decision Decide(const State&, const v1::RejectReferralRequest&,
                                 const engine::Context&);
  static engine::Decision Decide(const State&, const v1::CompleteReferralRequest&,
                                 const engine::Context&);
  static engine::Decision Decide(const State&, const v1::RevokeReferralRequest&,
                                 const engine::Context&);
  static engine::Decision Decide(const State&, const v1::LapseReferralRequest&,
                                 const engine::Context&);

  // What the other side's node says.
  static engine::Decision Decide(const State&, const v1::ReceiveReferralRequest&,
                                 const engine::Context&);
  static engine::Decision Decide(const State&, const v1::MoveReferralRequest&,
                                 const engine::Context&);

  static void Apply(State&, const v1::ReferralSent&);
  static void Apply(State&, const v1::ReferralAccepted&);
  static void Apply(State&, const v1::ReferralRejected&);
  static void Apply(State&, const v1::ReferralDone&);
  static void Apply(State&, const v1::ReferralRevoked&);
  static void Apply(State&, const v1::ReferralLapsed&);
  static void Apply(State&, const v1::ReferralDetailsReceived&);

  static std::optional<engine::Deadline> NextDeadline(const State&);
  static std::vector<engine::Row> Project(const State&);
  static const engine::Table& ProjectTable();
};

}  // namespace sankofa::registration
