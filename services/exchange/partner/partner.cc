#include "services/exchange/partner/partner.h"

#include <algorithm>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "sankofa/common/v1/common_reason.pb.h"
#include "sankofa/exchange/v1/exchange_reason.pb.h"
#include "services/exchange/partner/keys.h"
#include "services/platform/crypto/box.h"
#include "services/platform/crypto/hash.h"
#include "services/platform/crypto/sign.h"
#include "services/platform/status/refuse.h"
#include "services/platform/time/time.h"

namespace sankofa::exchange {
namespace {

using engine::Context;
using engine::Decision;
using status::Refuse;
using status::RefuseField;

bool IsNode(v1::PartnerKind kind) { return kind == v1::PARTNER_KIND_NODE; }

// "host:port"; the host as names and addresses are written, so that no other setting can hide in it.
bool IsAddress(const std::string& text) {
  const auto colon = text.rfind(':');
  int port = 0;
  if (colon == std::string::npos || colon == 0 ||
      !absl::SimpleAtoi(text.substr(colon + 1), &port) || port < 1 || port > 65535) {
    return false;
  }
  return std::all_of(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(colon), [](char c) {
    return absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '.' || c == '-' || c == '[' ||
           c == ']' || c == ':';
  });
}

bool IsAddressList(const std::string& text) {
  const std::vector<std::string> addresses = absl::StrSplit(text, ',');
  return std::all_of(addresses.begin(), addresses.end(), IsAddress);
}

bool IsTopic(const std::string& text) {
  return absl::StartsWith(text, "feed.") && text.size() > 5 &&
         std::all_of(text.begin(), text.end(), [](char c) {
           return absl::ascii_islower(static_cast<unsigned char>(c)) ||
                  absl::ascii_isdigit(static_cast<unsigned char>(c)) || c == '.' || c == '-';
         });
}

// Where a partner is reached: all of it for a node, what is given for others.
template <class Request>
absl::Status CheckAddresses(const Request& request, v1::PartnerKind kind) {
  status::Detail missing;
  const auto need = [&](const char* field, const std::string& text) {
    if (text.empty()) missing.fields.push_back({field, {}});
  };
  need("brokers", request.brokers());
  need("topic", request.topic());
  need("exchange_address", request.exchange_address());
  if (IsNode(kind) && !missing.fields.empty()) {
    return Refuse(v1::REASON_PARTNER_ADDRESS_MISSING, std::move(missing));
  }
  const auto wrong = [](const char* field, const char* takes) {
    return RefuseField(common::v1::REASON_INVALID_FIELD, field, takes);
  };
  if (!request.brokers().empty() && !IsAddressList(request.brokers())) {
    return wrong("brokers", "host:port, or several with commas between");
  }
  if (!request.topic().empty() && !IsTopic(request.topic())) {
    return wrong("topic", "feed.<this node's id>");
  }
  if (!request.exchange_address().empty() && !IsAddress(request.exchange_address())) {
    return wrong("exchange_address", "host:port");
  }
  return absl::OkStatus();
}

absl::Status CheckKeys(const std::string& verification_key, const std::string& sealing_key) {
  if (!verification_key.empty() && !crypto::IsVerificationKey(verification_key)) {
    return RefuseField(v1::REASON_KEY_MALFORMED, "verification_key");
  }
  if (!sealing_key.empty() && !crypto::IsSealingKey(sealing_key)) {
    return RefuseField(v1::REASON_KEY_MALFORMED, "sealing_key");
  }
  return absl::OkStatus();
}

// With digits in one case, so that a key has one form.
v1::PartnerKey MakeKey(const std::string& verification_key, const std::string& sealing_key,
                       absl::Time from) {
  v1::PartnerKey key;
  key.set_verification_key(absl::AsciiStrToLower(verification_key));
  key.set_sealing_key(absl::AsciiStrToLower(sealing_key));
  key.set_key_id(crypto::KeyIdOf(verification_key.empty() ? sealing_key : verification_key));
  *key.mutable_from_time() = time::ToTimestamp(from);
  return key;
}

// Whether `key` was the partner's before. A sealing key may go on beside a new verification key, but not once it was
// revoked.
bool Knows(const v1::Partner& partner, const v1::PartnerKey& key) {
  return std::any_of(partner.keys().begin(), partner.keys().end(), [&](const auto& earlier) {
    const bool same_sealing =
        !key.sealing_key().empty() && earlier.sealing_key() == key.sealing_key();
    return earlier.key_id() == key.key_id() || (same_sealing && earlier.revoked());
  });
}

absl::Status NotThere(const v1::Partner& partner) {
  return partner.state() == v1::PARTNER_STATE_UNSPECIFIED ? Refuse(v1::REASON_PARTNER_NOT_FOUND)
                                                          : absl::OkStatus();
}

}  // namespace

std::string CertificateIdentityOf(const std::string& partner) {
  return absl::StrCat("partner-", partner);
}

// ---- Commands -------------------------------------------------------------------------------------------------------

Decision PartnerDecider::Decide(const State& partner, const v1::RegisterPartnerRequest& request,
                                const Context& context) {
  if (partner.state() != v1::PARTNER_STATE_UNSPECIFIED) {
    return Refuse(v1::REASON_PARTNER_EXISTS);
  }
  if (request.partner_id() == context.node) {
    return RefuseField(v1::REASON_PARTNER_IS_US, "partner_id");
  }
  if (auto addresses = CheckAddresses(request, request.kind()); !addresses.ok()) return addresses;
  if (IsNode(request.kind()) && request.verification_key().empty()) {
    return RefuseField(v1::REASON_PARTNER_ADDRESS_MISSING, "verification_key");
  }
  if (auto keys = CheckKeys(request.verification_key(), request.sealing_key()); !keys.ok()) {
    return keys;
  }
  v1::PartnerRegistered event;
  v1::Partner& registered = *event.mutable_partner();
  registered.set_id(request.partner_id());
  registered.set_name(request.name());
  registered.set_country(request.country());
  registered.set_kind(request.kind());
  registered.set_state(v1::PARTNER_STATE_ACTIVE);
  registered.set_certificate_identity(CertificateIdentityOf(request.partner_id()));
  if (!request.verification_key().empty() || !request.sealing_key().empty()) {
    *registered.add_keys() =
        MakeKey(request.verification_key(), request.sealing_key(), context.now);
  }
  registered.set_brokers(request.brokers());
  registered.set_topic(request.topic());
  registered.set_exchange_address(request.exchange_address());
  *registered.mutable_registered_time() = time::ToTimestamp(context.now);
  return engine::Emit(std::move(event));
}

Decision PartnerDecider::Decide(const State& partner, const v1::UpdatePartnerRequest& request,
                                const Context& /*context*/) {
  if (auto missing = NotThere(partner); !missing.ok()) return missing;
  if (auto addresses = CheckAddresses(request, partner.kind()); !addresses.ok()) return addresses;
  v1::PartnerChanged event;
  v1::Partner& changed = *event.mutable_partner();
  changed = partner;
  changed.set_name(request.name());
  changed.set_brokers(request.brokers());
  changed.set_topic(request.topic());
  changed.set_exchange_address(request.exchange_address());
  return engine::Emit(std::move(event));
}

Decision PartnerDecider::Decide(const State& partner, const v1::AddPartnerKeyRequest& request,
                                const Context& context) {
  if (auto missing = NotThere(partner); !missing.ok()) return missing;
  if (IsNode(partner.kind()) && request.verification_key().empty()) {
    return RefuseField(v1::REASON_PARTNER_ADDRESS_MISSING, "verification_key");
  }
  if (request.verification_key().empty() && request.sealing_key().empty()) {
    return RefuseField(v1::REASON_KEY_MALFORMED, "verification_key");
  }
  if (auto keys = CheckKeys(request.verification_key(), request.sealing_key()); !keys.ok()) {
    return keys;
  }
  const absl::Time until = time::FromTimestamp(request.earlier_until_time());
  if (until < context.now) {
    return RefuseField(common::v1::REASON_INVALID_FIELD, "earlier_until_time", "now or later");
  }
  if (until > context.now + kOverlapMax) {
    return RefuseField(v1::REASON_OVERLAP_TOO_LONG, "earlier_until_time");
  }
  std::string sealing_key = request.sealing_key();
  if (sealing_key.empty()) {
    const v1::PartnerKey* newest = SealingKeyOf(partner, context.now);
    if (newest != nullptr) sealing_key = newest->sealing_key();
  }
  v1::PartnerKeyAdded event;
  event.set_partner_id(partner.id());
  *event.mutable_key() = MakeKey(request.verification_key(), sealing_key, context.now);
  *event.mutable_earlier_until_time() = request.earlier_until_time();
  if (Knows(partner, event.key())) return Refuse(v1::REASON_KEY_KNOWN);
  if (partner.keys_size() >= kKeysMax) {
    return RefuseField(common::v1::REASON_INVALID_FIELD, "verification_key",
                       absl::StrCat("at most ", kKeysMax, " keys a partner"));
  }
  return engine::Emit(std::move(event));
}

Decision PartnerDecider::Decide(const State& partner, const v1::RevokePartnerKeyRequest& request,
                                const Context& context) {
  if (auto missing = NotThere(partner); !missing.ok()) return missing;
  const auto key = std::find_if(partner.keys().begin(), partner.keys().end(),
                                [&](const auto& one) { return one.key_id() == request.key_id(); });
  if (key == partner.keys().end()) return RefuseField(v1::REASON_KEY_NOT_FOUND, "key_id");
  if (key->revoked()) return engine::Events();
  v1::PartnerKeyRevoked event;
  event.set_partner_id(partner.id());
  event.set_key_id(request.key_id());
  *event.mutable_revoked_time() = time::ToTimestamp(context.now);
  return engine::Emit(std::move(event));
}

Decision PartnerDecider::Decide(const State& partner, const v1::SuspendPartnerRequest& request,
                                const Context& context) {
  if (auto missing = NotThere(partner); !missing.ok()) return missing;
  if (partner.state() == v1::PARTNER_STATE_SUSPENDED) {
    return Refuse(v1::REASON_PARTNER_SUSPENDED);
  }
  v1::PartnerSuspended event;
  event.set_partner_id(partner.id());
  event.set_reason(request.reason());
  *event.mutable_suspended_time() = time::ToTimestamp(context.now);
  return engine::Emit(std::move(event));
}

Decision PartnerDecider::Decide(const State& partner, const v1::ResumePartnerRequest& /*request*/,
                                const Context& context) {
  if (auto missing = NotThere(partner); !missing.ok()) return missing;
  if (partner.state() != v1::PARTNER_STATE_SUSPENDED) {
    return Refuse(v1::REASON_PARTNER_NOT_SUSPENDED);
  }
  v1::PartnerResumed event;
  event.set_partner_id(partner.id());
  *event.mutable_resumed_time() = time::ToTimestamp(context.now);
  return engine::Emit(std::move(event));
}

// ---- What they mean -------------------------------------------------------------------------------------------------

void PartnerDecider::Apply(State& partner, const v1::PartnerRegistered& event) {
  partner = event.partner();
}

void PartnerDecider::Apply(State& partner, const v1::PartnerChanged& event) {
  partner = event.partner();
}

void PartnerDecider::Apply(State& partner, const v1::PartnerKeyAdded& event) {
  const absl::Time end = time::FromTimestamp(event.earlier_until_time());
  for (v1::PartnerKey& key : *partner.mutable_keys()) {
    if (key.has_until_time() && time::FromTimestamp(key.until_time()) <= end) continue;
    *key.mutable_until_time() = event.earlier_until_time();
  }
  *partner.add_keys() = event.key();
}

void PartnerDecider::Apply(State& partner, const v1::PartnerKeyRevoked& event) {
  for (v1::PartnerKey& key : *partner.mutable_keys()) {
    if (key.key_id() != event.key_id()) continue;
    key.set_revoked(true);
    *key.mutable_until_time() = event.revoked_time();
  }
}

void PartnerDecider::Apply(State& partner, const v1::PartnerSuspended& event) {
  partner.set_state(v1::PARTNER_STATE_SUSPENDED);
  partner.set_suspension_reason(event.reason());
  *partner.mutable_suspended_time() = event.suspended_time();
}

void PartnerDecider::Apply(State& partner, const v1::PartnerResumed& /*event*/) {
  partner.set_state(v1::PARTNER_STATE_ACTIVE);
  partner.clear_suspension_reason();
}

// ---- Lists ----------------------------------------------------------------------------------------------------------

std::vector<engine::Row> PartnerDecider::Project(const State& partner) {
  return {{{absl::StrCat(static_cast<int>(partner.state()))}}};
}

const engine::Table& PartnerDecider::ProjectTable() {
  static const engine::Table table{
      .name = "partner", .columns = {"partner_state"}, .types = {"integer"}};
  return table;
}

void BindPartner(engine::Registry& registry) {
  using engine::Target;
  registry.Command<PartnerDecider, v1::RegisterPartnerRequest>(
      {.target = Target::kEither, .id = [](const auto& request) { return request.partner_id(); }});
  registry.Command<PartnerDecider, v1::UpdatePartnerRequest>(
      {.target = Target::kEither, .id = [](const auto& request) { return request.partner_id(); }});
  registry.Command<PartnerDecider, v1::AddPartnerKeyRequest>(
      {.target = Target::kEither, .id = [](const auto& request) { return request.partner_id(); }});
  registry.Command<PartnerDecider, v1::RevokePartnerKeyRequest>(
      {.target = Target::kEither, .id = [](const auto& request) { return request.partner_id(); }});
  registry.Command<PartnerDecider, v1::SuspendPartnerRequest>(
      {.target = Target::kEither, .id = [](const auto& request) { return request.partner_id(); }});
  registry.Command<PartnerDecider, v1::ResumePartnerRequest>(
      {.target = Target::kEither, .id = [](const auto& request) { return request.partner_id(); }});
}

}  // namespace sankofa::exchange
