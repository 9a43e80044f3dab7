#include "services/platform/rpc/identity/jwks.h"

#include <cjose/cjose.h>

#include <optional>
#include <utility>

#include "services/platform/rpc/identity/json.h"

namespace sankofa::rpc {
namespace {

constexpr std::size_t kRsaBitsMin = 2048;
constexpr std::size_t kKeysMax = 64;

// The algorithm that a key is for; nothing where it is not for us.
std::optional<KeySet::Algorithm> AlgorithmOf(const json_t* json) {
  const std::string use = TextUnder(json, "use").value_or("");
  const std::string type = TextUnder(json, "kty").value_or("");
  const std::string algorithm = TextUnder(json, "alg").value_or("");
  if (!use.empty() && use != "sig") return std::nullopt;
  if (type == "EC" && TextUnder(json, "crv") == "P-256") {
    if (algorithm.empty() || algorithm == "ES256") return KeySet::Algorithm::kEs256;
  }
  if (type == "RSA" && (algorithm.empty() || algorithm == "RS256")) {
    return KeySet::Algorithm::kRs256;
  }
  return std::nullopt;
}

}  // namespace

void KeySet::Release::operator()(_cjose_jwk_int* key) const { cjose_jwk_release(key); }

absl::StatusOr<std::shared_ptr<const KeySet>> KeySet::Parse(std::string_view json) {
  const Json root = ParseJson(json);
  const json_t* keys = json_object_get(root.get(), "keys");
  if (!IsList(keys)) return absl::InvalidArgumentError("not a JWKS document");
  if (json_array_size(keys) > kKeysMax) return absl::InvalidArgumentError("too many keys");

  auto set = std::make_shared<KeySet>();
  for (std::size_t i = 0; i < json_array_size(keys); ++i) {
    json_t* entry = json_array_get(keys, i);
    if (json_object_get(entry, "d") != nullptr) {
      return absl::InvalidArgumentError("a private key stands in the JWKS document");
    }
    const auto algorithm = AlgorithmOf(entry);
    if (!algorithm) continue;
    cjose_err error{};
    Key key{TextUnder(entry, "kid").value_or(""), *algorithm,
            std::unique_ptr<_cjose_jwk_int, Release>(cjose_jwk_import_json(entry, &error))};
    if (key.jwk == nullptr) continue;
    if (*algorithm == Algorithm::kRs256 &&
        cjose_jwk_get_keysize(key.jwk.get(), &error) < kRsaBitsMin) {
      continue;
    }
    set->keys_.push_back(std::move(key));
  }
  if (set->keys_.empty()) return absl::InvalidArgumentError("no key for ES256 or RS256");
  return std::shared_ptr<const KeySet>(std::move(set));
}

const _cjose_jwk_int* KeySet::Find(std::string_view kid, Algorithm algorithm) const {
  const _cjose_jwk_int* found = nullptr;
  for (const Key& key : keys_) {
    if (key.algorithm != algorithm || (!kid.empty() && key.kid != kid)) continue;
    if (found != nullptr) return nullptr;  // ambiguous
    found = key.jwk.get();
  }
  return found;
}

}  // namespace sankofa::rpc
