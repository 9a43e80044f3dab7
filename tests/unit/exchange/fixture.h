#pragma once

#include <map>
#include <memory>
#include <string>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "sankofa/exchange/v1/exchange_service.pb.h"
#include "services/platform/crypto/box.h"
#include "services/platform/crypto/hash.h"
#include "services/platform/crypto/sign.h"
#include "services/platform/time/time.h"
#include "tests/unit/harness.h"

// Two nodes for tests: Togo's ("tg", signs with key 't') and a partner's in France ("fr", key 'f'). Keys are made of one
// repeated byte, so that a test names them by a letter.
namespace sankofa::exchange {

inline const crypto::Signer& Signer(char seed) {
  static std::map<char, std::unique_ptr<crypto::Signer>> signers;
  auto& signer = signers[seed];
  if (!signer) signer = *crypto::Signer::FromSeed(std::string(32, seed));
  return *signer;
}

inline const crypto::SealingKey& Sealer(char seed) {
  static std::map<char, std::unique_ptr<crypto::SealingKey>> keys;
  auto& key = keys[seed];
  if (!key) key = *crypto::SealingKey::FromSecret(std::string(32, seed));
  return *key;
}

inline std::string KeyId(char seed) { return crypto::KeyIdOf(Signer(seed).public_key()); }

// What a command on the node is decided with: the morning of 1 June 2026, and the node's signature.
inline engine::Context Now(const std::string& node = "tg", char seed = 't') {
  engine::Context context =
      test::At(absl::FromCivil(absl::CivilHour(2026, 6, 1, 9), absl::UTCTimeZone()));
  context.node = node;
  context.country = absl::AsciiStrToUpper(node);
  context.sign = [seed](std::string_view label, std::string_view text) {
    return engine::Signature{Signer(seed).Sign(label, text), Signer(seed).public_key()};
  };
  return context;
}

inline v1::RegisterPartnerRequest RegisterNode(const std::string& code, char seed) {
  v1::RegisterPartnerRequest request;
  request.set_partner_id(code);
  request.set_name("Office for return");
  request.set_country(absl::AsciiStrToUpper(code));
  request.set_kind(v1::PARTNER_KIND_NODE);
  request.set_verification_key(Signer(seed).public_key());
  request.set_sealing_key(Sealer(seed).public_key());
  request.set_brokers(absl::StrCat("kafka.", code, ".example:9093"));
  request.set_topic("feed.tg");
  request.set_exchange_address(absl::StrCat("exchange.", code, ".example:7443"));
  return request;
}

}  // namespace sankofa::exchange
