#pragma once

#include <string>
#include <vector>

#include "absl/time/time.h"
#include "sankofa/exchange/v1/exchange_events.pb.h"
#include "sankofa/exchange/v1/exchange_service.pb.h"
#include "sankofa/exchange/v1/partner.pb.h"
#include "services/platform/engine/decider.h"
#include "services/platform/engine/registry.h"

// A partner: who it is, where it is reached, and the keys by which it is known.
namespace sankofa::exchange {

// How long two pairs of keys may be in use side by side.
inline constexpr absl::Duration kOverlapMax = absl::Hours(90 * 24);
// A pair a year, and as many again for keys that were stolen. What is beyond is a mistake, or an attack.
inline constexpr int kKeysMax = 50;

struct PartnerDecider {
  using State = v1::Partner;
  using EventTypes =
      engine::EventTypes<v1::PartnerRegistered, v1::PartnerChanged, v1::PartnerKeyAdded,
                         v1::PartnerKeyRevoked, v1::PartnerSuspended, v1::PartnerResumed>;

  static engine::Decision Decide(const State& partner, const v1::RegisterPartnerRequest& request,
                                 const engine::Context& context);
  static engine::Decision Decide(const State& partner, const v1::UpdatePartnerRequest& request,
                                 const engine::Context& context);
  static engine::Decision Decide(const State& partner, const v1::AddPartnerKeyRequest& request,
                                 const engine::Context& context);
  static engine::Decision Decide(const State& partner, const v1::RevokePartnerKeyRequest& request,
                                 const engine::Context& context);
  static engine::Decision Decide(const State& partner, const v1::SuspendPartnerRequest& request,
                                 const engine::Context& context);
  static engine::Decision Decide(const State& partner, const v1::ResumePartnerRequest& request,
                                 const engine::Context& context);

  static void Apply(State& partner, const v1::PartnerRegistered& event);
  static void Apply(State& partner, const v1::PartnerChanged& event);
  static void Apply(State& partner, const v1::PartnerKeyAdded& event);
  static void Apply(State& partner, const v1::PartnerKeyRevoked& event);
  static void Apply(State& partner, const v1::PartnerSuspended& event);
  static void Apply(State& partner, const v1::PartnerResumed& event);

  static std::vector<engine::Row> Project(const State& partner);
  static const engine::Table& ProjectTable();
};

// The name in the certificate that this node's authority gives a partner.
[[nodiscard]] std::string CertificateIdentityOf(const std::string& partner);

void BindPartner(engine::Registry& registry);

}  // namespace sankofa::exchange
