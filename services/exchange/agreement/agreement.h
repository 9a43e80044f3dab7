#pragma once

#include <string>
#include <vector>

#include "sankofa/exchange/v1/exchange_events.pb.h"
#include "sankofa/exchange/v1/exchange_internal.pb.h"
#include "sankofa/exchange/v1/exchange_service.pb.h"
#include "sankofa/exchange/v1/sharing_agreement.pb.h"
#include "services/platform/engine/decider.h"
#include "services/platform/engine/registry.h"

// A version of an agreement: proposed and signed by one side, in force once the other has signed the same bytes.
//
// Both nodes keep it, each with its own aggregate, and tell each other what their side did: AgreementSigned with the
// signatures so far, AgreementEnded. A signature counts only where it verifies here, over the bytes that are stored here.
// A command locks all versions of its agreement: a later one that both have signed takes the place of every earlier one,
// and an earlier one that is signed late never takes it back.
namespace sankofa::exchange {

struct AgreementDecider {
  using State = v1::SharingAgreement;
  using EventTypes = engine::EventTypes<v1::AgreementProposed, v1::AgreementCountersigned,
                                        v1::AgreementReplaced, v1::AgreementTerminated>;

  static engine::Decision Decide(const State& agreement, const v1::ProposeAgreementRequest& request,
                                 const engine::Context& context);
  static engine::Decision Decide(const State& agreement, const v1::SignAgreementRequest& request,
                                 const engine::Context& context);
  static engine::Decision Decide(const State& agreement,
                                 const v1::RecordPartnerSignatureRequest& request,
                                 const engine::Context& context);
  static engine::Decision Decide(const State& agreement,
                                 const v1::TerminateAgreementRequest& request,
                                 const engine::Context& context);
  // What a partner's feed brings. What was taken over before is taken again without effect.
  static engine::Decision Decide(const State& agreement, const v1::ReceiveAgreementRequest& request,
                                 const engine::Context& context);
  static engine::Decision Decide(const State& agreement,
                                 const v1::ReceiveAgreementEndRequest& request,
                                 const engine::Context& context);

  static void Apply(State& agreement, const v1::AgreementProposed& event);
  static void Apply(State& agreement, const v1::AgreementCountersigned& event);
  static void Apply(State& agreement, const v1::AgreementReplaced& event);
  static void Apply(State& agreement, const v1::AgreementTerminated& event);

  static std::vector<engine::Row> Project(const State& agreement);
  static const engine::Table& ProjectTable();
};

void BindAgreement(engine::Registry& registry);

}  // namespace sankofa::exchange
