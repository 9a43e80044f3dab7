#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

struct _cjose_jwk_int;

namespace sankofa::rpc {

// The public keys of one JWKS document. Immutable, so many threads may share it.
class KeySet {
 public:
  enum class Algorithm { kEs256, kRs256 };

  // Keys for other uses or algorithms, symmetric keys and RSA keys below 2048 bits are passed over; INVALID_ARGUMENT
  // where nothing is left, the document is not a JWKS, or a private key stands in it.
  [[nodiscard]] static absl::StatusOr<std::shared_ptr<const KeySet>> Parse(std::string_view json);

  // The key with this id for this algorithm. Without an id: the only key for the algorithm. Null where there is none.
  [[nodiscard]] const _cjose_jwk_int* Find(std::string_view kid, Algorithm algorithm) const;
  [[nodiscard]] std::size_t size() const { return keys_.size(); }

 private:
  struct Release {
    void operator()(_cjose_jwk_int* key) const;
  };
  struct Key {
    std::string kid;
    Algorithm algorithm;
    std::unique_ptr<_cjose_jwk_int, Release> jwk;
  };
  std::vector<Key> keys_;
};

}  // namespace sankofa::rpc
