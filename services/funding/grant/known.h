#pragma once

#include "sankofa/funding/v1/approved_project.pb.h"
#include "sankofa/funding/v1/case_file.pb.h"
#include "sankofa/funding/v1/funding_events.pb.h"
#include "sankofa/funding/v1/funding_internal.pb.h"
#include "sankofa/funding/v1/payment_id.pb.h"
#include "sankofa/funding/v1/person_funding.pb.h"
#include "services/platform/engine/decider.h"

// The small aggregates that a grant is decided against: what funding has heard from the other services, and what must
// happen once only. They hold no personal data.
namespace sankofa::funding {

// A project that a committee has approved, and how much of the approved amount grants have drawn.
struct ApprovedProjectDecider {
  using State = v1::ApprovedProject;
  using EventTypes =
      engine::EventTypes<v1::ApprovalNoted, v1::ApprovalDrawn, v1::ApprovalGivenBack>;

  static engine::Decision Decide(const State& project, const v1::NoteApprovalRequest& request,
                                 const engine::Context& context);

  static void Apply(State& project, const v1::ApprovalNoted& event);
  static void Apply(State& project, const v1::ApprovalDrawn& event);
  static void Apply(State& project, const v1::ApprovalGivenBack& event);
};

// A case: whose it is, its countries, and the day of filing, by which the rule set is chosen. Its erasure destroys the
// key of all that funding has sealed for it.
struct CaseFileDecider {
  using State = v1::CaseFile;
  using EventTypes = engine::EventTypes<v1::CaseNoted, v1::CaseFilingNoted, v1::CaseErasureNoted>;

  static engine::Decision Decide(const State& file, const v1::NoteCaseRequest& request,
                                 const engine::Context& context);
  static engine::Decision Decide(const State& file, const v1::NoteCaseFilingRequest& request,
                                 const engine::Context& context);
  static engine::Decision Decide(const State& file, const v1::NoteCaseErasureRequest& request,
                                 const engine::Context& context);

  static void Apply(State& file, const v1::CaseNoted& event);
  static void Apply(State& file, const v1::CaseFilingNoted& event);
  static void Apply(State& file, const v1::CaseErasureNoted& event);
};

// By what a person was funded. Locked with every reservation for the person, so that two made at once see each other.
struct PersonFundingDecider {
  using State = v1::PersonFunding;
  using EventTypes = engine::EventTypes<v1::PersonGrantAdded, v1::PersonGrantEnded>;

  static void Apply(State& person, const v1::PersonGrantAdded& event);
  static void Apply(State& person, const v1::PersonGrantEnded& event);
};

// Whether a person who was funded as `person` says may have `wanted` too, by the rules of `once_per_person`, the
// complementary programmes and the ceiling left. Refusals: PROGRAMME_ALREADY_USED, DOUBLE_FUNDING, ABOVE_CEILING.
[[nodiscard]] absl::Status CheckNotFundedTwice(const v1::PersonFunding& person,
                                               const v1::PersonGrant& wanted, bool once_per_person,
                                               const common::v1::Money& ceiling);

// A provider's payment id: taken once, by one payment.
struct PaymentIdDecider {
  using State = v1::PaymentId;
  using EventTypes = engine::EventTypes<v1::PaymentIdTaken>;

  static void Apply(State& payment_id, const v1::PaymentIdTaken& event);
};

// The aggregate's id: "provider:payment id". A provider's code has no colon, so no two pairs meet.
[[nodiscard]] std::string PaymentIdKey(const std::string& provider, const std::string& payment_id);

}  // namespace sankofa::funding
