#include "services/platform/rpc/identity/token.h"

#include <cjose/cjose.h>
#include <openssl/sha.h>
#include <sys/stat.h>

#include <cmath>
#include <cstring>
#include <mutex>
#include <optional>
#include <unordered_map>
#include <utility>

#include "absl/strings/str_cat.h"
#include "sankofa/common/v1/common_reason.pb.h"
#include "services/platform/rpc/check/formats.h"
#include "services/platform/rpc/files.h"
#include "services/platform/rpc/identity/json.h"
#include "services/platform/rpc/identity/jwks.h"
#include "services/platform/status/refuse.h"
#include "services/platform/telemetry/log.h"

namespace sankofa::rpc {
namespace {

constexpr std::size_t kSubjectMax = 256;
constexpr std::size_t kJwksBytesMax = 1 << 20;

struct FreeJws {
  void operator()(cjose_jws_t* jws) const { cjose_jws_release(jws); }
};
using Jws = std::unique_ptr<cjose_jws_t, FreeJws>;

absl::Status Unauthenticated(std::string_view cause) {
  return status::Refuse(common::v1::REASON_UNAUTHENTICATED,
                        {.fields = {}, .metadata = {{"cause", std::string(cause)}}});
}

std::string HashOf(std::string_view token) {
  std::string hash(SHA256_DIGEST_LENGTH, '\0');
  SHA256(reinterpret_cast<const unsigned char*>(token.data()), token.size(),
         reinterpret_cast<unsigned char*>(hash.data()));
  return hash;
}

// Which version of a file is there. Replaced files have another inode, written ones another time.
struct FileStamp {
  ino_t inode = 0;
  off_t size = -1;
  timespec changed{};
  [[nodiscard]] bool operator==(const FileStamp& other) const {
    return inode == other.inode && size == other.size &&
           std::memcmp(&changed, &other.changed, sizeof(changed)) == 0;
  }
};

FileStamp StampOf(const std::string& file) {
  struct stat info {};
  if (::stat(file.c_str(), &info) != 0) return {};
  return {info.st_ino, info.st_size, info.st_mtim};
}

absl::StatusOr<std::shared_ptr<const KeySet>> ReadKeys(const std::string& file) {
  const auto text = ReadFile(file);
  if (!text.ok()) return text.status();
  if (text->size() > kJwksBytesMax) {
    return absl::InvalidArgumentError(absl::StrCat(file, " is too large"));
  }
  auto keys = KeySet::Parse(*text);
  if (keys.ok()) return keys;
  return absl::Status(keys.status().code(), absl::StrCat(file, ": ", keys.status().message()));
}

// What a verified token says, and for how long it is good.
struct Claims {
  Person person;
  absl::Time expires;
  absl::Time not_before = absl::InfinitePast();
};

// NumericDate; RFC 7519 allows fractions.
std::optional<absl::Time> TimeClaim(const json_t* claims, const char* name) {
  const json_t* value = json_object_get(claims, name);
  if (!IsNumber(value)) return std::nullopt;
  const double seconds = json_number_value(value);
  constexpr double kFarthest = 1e11;
  if (std::isnan(seconds) || seconds < 0 || seconds > kFarthest) return std::nullopt;
  return absl::UnixEpoch() + absl::Seconds(seconds);
}

bool HasAudience(const json_t* claims, const std::string& audience) {
  const json_t* value = json_object_get(claims, "aud");
  if (IsText(value)) return audience == json_string_value(value);
  for (std::size_t i = 0; i < json_array_size(value); ++i) {
    const json_t* entry = json_array_get(value, i);
    if (IsText(entry) && audience == json_string_value(entry)) return true;
  }
  return false;
}

bool IsName(const std::string& text) {
  return text.size() <= kSubjectMax && !HasControlCharacters(text);
}

// Issuer, audience and shape. Times are compared at every use.
absl::StatusOr<Claims> ReadClaims(std::string_view json, const TokenVerifier::Options& options) {
  const Json claims = ParseJson(json);
  if (!IsObject(claims.get())) return Unauthenticated("malformed");
  if (TextUnder(claims.get(), "iss") != options.issuer) return Unauthenticated("issuer");
  if (!HasAudience(claims.get(), options.audience)) return Unauthenticated("audience");

  Claims read;
  const auto expires = TimeClaim(claims.get(), "exp");
  if (!expires) return Unauthenticated("no expiry");
  read.expires = *expires;
  if (json_object_get(claims.get(), "nbf") != nullptr) {
    const auto not_before = TimeClaim(claims.get(), "nbf");
    if (!not_before) return Unauthenticated("malformed");
    read.not_before = *not_before;
  }
  const auto subject = TextUnder(claims.get(), "sub");
  if (!subject || subject->empty() || !IsName(*subject)) return Unauthenticated("no subject");
  read.person.subject = *subject;
  read.person.organisation = TextUnder(claims.get(), "org").value_or("");
  if (!IsName(read.person.organisation)) return Unauthenticated("malformed");

  const json_t* roles = json_object_get(claims.get(), "roles");
  if (roles != nullptr && !IsList(roles)) return Unauthenticated("malformed");
  if (json_array_size(roles) > TokenVerifier::kRolesMax) return Unauthenticated("too many roles");
  for (std::size_t i = 0; i < json_array_size(roles); ++i) {
    const json_t* role = json_array_get(roles, i);
    if (!IsText(role)) return Unauthenticated("malformed");
    read.person.roles.emplace_back(json_string_value(role));
  }
  return read;
}

absl::Status CheckTimes(const Claims& claims, absl::Time now) {
  if (now >= claims.expires + TokenVerifier::kLeeway) return Unauthenticated("expired");
  if (now < claims.not_before - TokenVerifier::kLeeway) return Unauthenticated("not yet valid");
  return absl::OkStatus();
}

std::optional<KeySet::Algorithm> AlgorithmOf(cjose_header_t* header) {
  cjose_err error{};
  const char* name = cjose_header_get(header, "alg", &error);
  if (name == nullptr) return std::nullopt;
  if (std::strcmp(name, "ES256") == 0) return KeySet::Algorithm::kEs256;
  if (std::strcmp(name, "RS256") == 0) return KeySet::Algorithm::kRs256;
  return std::nullopt;
}

}  // namespace

class TokenVerifier::Impl {
 public:
  Impl(Options options, std::shared_ptr<const KeySet> keys, FileStamp stamp)
      : options_(std::move(options)), keys_(std::move(keys)), stamp_(stamp) {}

  absl::StatusOr<Person> Verify(std::string_view token) {
    if (token.empty() || token.size() > kTokenBytesMax) return Unauthenticated("malformed");
    const absl::Time now = options_.clock->Now();
    const std::string hash = HashOf(token);
    std::shared_ptr<const KeySet> keys;
    {
      const std::lock_guard lock(mutex_);
      ReloadIfChanged(now);
      const auto known = remembered_.find(hash);
      if (known != remembered_.end()) {
        if (absl::Status times = CheckTimes(known->second, now); !times.ok()) {
          remembered_.erase(known);
          return times;
        }
        return known->second.person;
      }
      keys = keys_;
    }
    auto claims = VerifySignature(token, *keys);
    if (!claims.ok()) return claims.status();
    if (absl::Status times = CheckTimes(*claims, now); !times.ok()) return times;
    Person person = claims->person;
    const std::lock_guard lock(mutex_);
    if (keys == keys_) Remember(hash, *std::move(claims), now);
    return person;
  }

  std::size_t remembered() const {
    const std::lock_guard lock(mutex_);
    return remembered_.size();
  }

 private:
  absl::StatusOr<Claims> VerifySignature(std::string_view token, const KeySet& keys) const {
    cjose_err error{};
    const Jws jws(cjose_jws_import(token.data(), token.size(), &error));
    if (jws == nullptr) return Unauthenticated("malformed");
    cjose_header_t* header = cjose_jws_get_protected(jws.get());
    const auto algorithm = AlgorithmOf(header);
    if (!algorithm) return Unauthenticated("algorithm");
    if (json_object_get(header, "crit") != nullptr) {
      return Unauthenticated("critical header");
    }
    const char* kid = cjose_header_get(header, "kid", &error);
    const auto* key = keys.Find(kid == nullptr ? "" : kid, *algorithm);
    if (key == nullptr) return Unauthenticated("unknown key");
    if (!cjose_jws_verify(jws.get(), key, &error)) return Unauthenticated("signature");
    std::uint8_t* bytes = nullptr;
    std::size_t size = 0;
    if (!cjose_jws_get_plaintext(jws.get(), &bytes, &size, &error)) {
      return Unauthenticated("malformed");
    }
    return ReadClaims({reinterpret_cast<const char*>(bytes), size}, options_);
  }

  // The file is looked at, not read, and at most once a period. A file that has become unreadable leaves the keys as
  // they were: people go on working while the person on call repairs it.
  void ReloadIfChanged(absl::Time now) {
    if (now < looked_ + options_.file_check_period && now >= looked_) return;
    looked_ = now;
    const FileStamp stamp = StampOf(options_.jwks_file);
    if (stamp == stamp_) return;
    auto keys = ReadKeys(options_.jwks_file);
    if (!keys.ok()) {
      unreadable_.Met(telemetry::Level::kError, "the JWKS file can't be read; the old keys stay",
                      {{"status", keys.status()}});
      return;
    }
    unreadable_.Over("the JWKS file is readable again");
    stamp_ = stamp;
    keys_ = *std::move(keys);
    remembered_.clear();
    telemetry::Info("keys of the identity provider were read again", {{"keys", keys_->size()}});
  }

  void Remember(const std::string& hash, Claims claims, absl::Time now) {
    if (remembered_.size() >= options_.remembered_max) {
      std::erase_if(remembered_,
                    [&](const auto& entry) { return now >= entry.second.expires + kLeeway; });
    }
    // Still full: whoever is dropped is verified again at the next call.
    while (remembered_.size() >= options_.remembered_max && !remembered_.empty()) {
      remembered_.erase(remembered_.begin());
    }
    remembered_.emplace(hash, std::move(claims));
  }

  const Options options_;
  mutable std::mutex mutex_;
  std::shared_ptr<const KeySet> keys_;
  FileStamp stamp_;
  absl::Time looked_ = absl::InfinitePast();
  telemetry::RepeatedLog unreadable_;
  std::unordered_map<std::string, Claims> remembered_;
};

absl::StatusOr<std::unique_ptr<TokenVerifier>> TokenVerifier::Create(Options options) {
  // The stamp first: a change between the two is then seen at the next look.
  const FileStamp stamp = StampOf(options.jwks_file);
  auto keys = ReadKeys(options.jwks_file);
  if (!keys.ok()) return keys.status();
  return std::unique_ptr<TokenVerifier>(
      new TokenVerifier(std::make_unique<Impl>(std::move(options), *std::move(keys), stamp)));
}

TokenVerifier::TokenVerifier(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
TokenVerifier::~TokenVerifier() = default;

absl::StatusOr<Person> TokenVerifier::Verify(std::string_view token) {
  return impl_->Verify(token);
}

std::size_t TokenVerifier::remembered() const { return impl_->remembered(); }

}  // namespace sankofa::rpc
