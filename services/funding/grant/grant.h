#pragma once

#include "sankofa/funding/v1/funding_events.pb.h"
#include "sankofa/funding/v1/grant.pb.h"
#include "services/platform/engine/decider.h"

namespace sankofa::funding {

// Money promised to a person for an approved life project.
//
//     RESERVED ──sign──► SIGNED ──complete──► COMPLETED
//         └──────cancel────┴────────────────► CANCELLED ──refunds──►
//
// and each instalment, while the grant is SIGNED:
//
//     PLANNED ─request─► REQUESTED ─approve─► APPROVED ─release─► RELEASED ─payment─► PAID ─proof─► PROOF_SUBMITTED
//        ▲                   │                  │  release ▲         │fail              ▲                 │     │
//        └──────return───────┴────────return────┴───────── FAILED ◄──┘                  └─────reject──────┘     ▼ accept
//                                                                                                            PROVEN
//
// Request, approval and release are made by three different people. An instalment is approved and released only once
// all earlier ones are proven, and released only while person and project are what the grant was reserved for. While a
// payment order is under way nothing is cancelled. What is paid never exceeds what is reserved, and a provider's
// payment id counts once.
struct GrantDecider {
  using State = v1::Grant;
  using EventTypes =
      engine::EventTypes<v1::GrantReserved, v1::GrantSigned, v1::InstalmentRequested,
                         v1::InstalmentApproved, v1::InstalmentReturned, v1::InstalmentReleased,
                         v1::InstalmentPaid, v1::InstalmentFailed, v1::ProofSubmitted,
                         v1::ProofRejected, v1::InstalmentProven, v1::GrantCompleted,
                         v1::GrantCancelled, v1::RefundRecorded>;

  // reserve.cc. Names the approved project, case, person, budget line and programme; needs GrantFacts.
  static engine::Decision Decide(const State& grant, const v1::ReserveGrantRequest& request,
                                 const engine::Context& context);

  // instalment.cc.
  static engine::Decision Decide(const State& grant, const v1::SignGrantRequest& request,
                                 const engine::Context& context);
  static engine::Decision Decide(const State& grant, const v1::RequestInstalmentRequest& request,
                                 const engine::Context& context);
  static engine::Decision Decide(const State& grant, const v1::ApproveInstalmentRequest& request,
                                 const engine::Context& context);
  static engine::Decision Decide(const State& grant, const v1::ReturnInstalmentRequest& request,
                                 const engine::Context& context);
  // Names the programme; needs GrantFacts.
  static engine::Decision Decide(const State& grant, const v1::ReleaseInstalmentRequest& request,
                                 const engine::Context& context);
  static engine::Decision Decide(const State& grant, const v1::SubmitProofRequest& request,
                                 const engine::Context& context);
  static engine::Decision Decide(const State& grant, const v1::AcceptProofRequest& request,
                                 const engine::Context& context);
  static engine::Decision Decide(const State& grant, const v1::RejectProofRequest& request,
                                 const engine::Context& context);

  // payment.cc. Payment and refund name the payment id and the budget line.
  static engine::Decision Decide(const State& grant, const v1::RecordPaymentRequest& request,
                                 const engine::Context& context);
  static engine::Decision Decide(const State& grant, const v1::FailPaymentRequest& request,
                                 const engine::Context& context);
  static engine::Decision Decide(const State& grant, const v1::RecordRefundRequest& request,
                                 const engine::Context& context);
  // Completion names the person; cancellation also the budget line and the approved project.
  static engine::Decision Decide(const State& grant, const v1::CompleteGrantRequest& request,
                                 const engine::Context& context);
  static engine::Decision Decide(const State& grant, const v1::CancelGrantRequest& request,
                                 const engine::Context& context);

  // grant.cc.
  static void Apply(State& grant, const v1::GrantReserved& event);
  static void Apply(State& grant, const v1::GrantSigned& event);
  static void Apply(State& grant, const v1::InstalmentRequested& event);
  static void Apply(State& grant, const v1::InstalmentApproved& event);
  static void Apply(State& grant, const v1::InstalmentReturned& event);
  static void Apply(State& grant, const v1::InstalmentReleased& event);
  static void Apply(State& grant, const v1::InstalmentPaid& event);
  static void Apply(State& grant, const v1::InstalmentFailed& event);
  static void Apply(State& grant, const v1::ProofSubmitted& event);
  static void Apply(State& grant, const v1::ProofRejected& event);
  static void Apply(State& grant, const v1::InstalmentProven& event);
  static void Apply(State& grant, const v1::GrantCompleted& event);
  static void Apply(State& grant, const v1::GrantCancelled& event);
  static void Apply(State& grant, const v1::RefundRecorded& event);

  static const engine::Table& ProjectTable();
  static std::vector<engine::Row> Project(const State& grant);
  static const engine::Table& EventTable();
  static std::vector<engine::Row> ProjectEvent(const State& grant,
                                               const google::protobuf::Message& event);
};

// Null where the grant has no instalment of that number.
[[nodiscard]] const v1::Instalment* FindInstalment(const v1::Grant& grant, int number);

// The three things that every event on an instalment says.
template <class Event>
[[nodiscard]] Event AboutInstalment(const v1::Grant& grant, const v1::Instalment& instalment) {
  Event event;
  event.set_grant_id(grant.id());
  event.set_case_id(grant.case_id());
  event.set_instalment(instalment.number());
  *event.mutable_amount() = instalment.amount();
  return event;
}

}  // namespace sankofa::funding
