#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "services/platform/time/time.h"

// Who a person is comes from their token, a JWT that the agency's identity provider signed (OIDC), and from nowhere
// else. Its keys are in a JWKS file (RFC 7517) that is read again when it changes.
//
//     iss, aud   as configured; aud may be a list that holds ours
//     exp        required; nbf if given; both with kLeeway, for clocks differ
//     sub        required: the opaque id that actors are recorded by
//     org        the organisation; roles: ["case_officer", …]
//
// ES256 and RS256 alone: `none` and HS* are refused by name, before a key is looked for. A header with `crit` is refused.
namespace sankofa::rpc {

struct Person {
  std::string subject;
  std::string organisation;
  std::vector<std::string> roles;
};

// Thread-safe. Verified tokens are remembered by their hash until they expire or the keys change, so that a signature is
// checked once and not at every call.
class TokenVerifier {
 public:
  static constexpr absl::Duration kLeeway = absl::Seconds(60);
  static constexpr std::size_t kTokenBytesMax = 8192;
  static constexpr std::size_t kRolesMax = 64;

  struct Options {
    std::string issuer;
    std::string audience;
    std::string jwks_file;
    std::size_t remembered_max = 4096;
    absl::Duration file_check_period = absl::Seconds(1);
    const time::Clock* clock = &time::WallClock();
  };

  // NOT_FOUND or INVALID_ARGUMENT where the file can't be read or has no key that can be used.
  [[nodiscard]] static absl::StatusOr<std::unique_ptr<TokenVerifier>> Create(Options options);
  ~TokenVerifier();
  TokenVerifier(const TokenVerifier&) = delete;
  TokenVerifier& operator=(const TokenVerifier&) = delete;

  // REASON_UNAUTHENTICATED for anything but a token that is good now; the metadata `cause` says why.
  [[nodiscard]] absl::StatusOr<Person> Verify(std::string_view token);

  // Number of tokens remembered.
  [[nodiscard]] std::size_t remembered() const;

 private:
  class Impl;
  explicit TokenVerifier(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace sankofa::rpc
