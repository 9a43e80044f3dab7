#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "services/platform/crypto/master_keys.h"
#include "services/platform/postgres/connection.h"

// The node's master key is changed while the node works: subjects' keys are wrapped anew, and what they sealed stays as it
// is. Where it stands is said by the file of the keys alone, so that it can be broken off anywhere and begun again.
namespace sankofa::ctl {

enum class MasterKeyStep {
  kPrepare,  // nothing is under way: make a key
  kPromote,  // there is a next one: let it wrap
  kRewrap,   // there are earlier ones: wrap anew what they wrapped, then let them go
};
[[nodiscard]] MasterKeyStep NextStep(const crypto::MasterKeys& keys);

struct Rewrapped {
  std::int64_t subjects = 0;  // keys that are there
  std::int64_t changed = 0;   // of these, wrapped anew now
  Rewrapped& operator+=(const Rewrapped& other);
};

inline constexpr int kRewrapPage = 500;

// Wraps each subject's key of the schema that `connection` works in with `keys.master`. A key that is destroyed meanwhile
// stays destroyed. FAILED_PRECONDITION, and nothing lost, for one that no key of `keys` opens. `after_page` is called
// after each commit; an error of it ends the work where it is.
[[nodiscard]] absl::StatusOr<Rewrapped> Rewrap(
    postgres::Connection& connection, const crypto::MasterKeys& keys,
    const std::function<absl::Status()>& after_page = nullptr, int page = kRewrapPage);

// How many keys of the schema are not wrapped with `keys.master`.
[[nodiscard]] absl::StatusOr<std::int64_t> LeftBehind(postgres::Connection& connection,
                                                      const crypto::MasterKeys& keys);

}  // namespace sankofa::ctl
