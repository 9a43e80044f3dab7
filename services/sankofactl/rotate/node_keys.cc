#include "services/sankofactl/rotate/node_keys.h"

#include <sodium.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "services/platform/crypto/box.h"
#include "services/platform/crypto/hash.h"
#include "services/platform/crypto/secret_file.h"
#include "services/platform/crypto/sign.h"
#include "services/sankofactl/rotate/file.h"

namespace sankofa::ctl {
namespace {

constexpr std::size_t kKeyBytes = 32;

// The keys of a file, a line each.
absl::StatusOr<std::vector<std::string>> ReadKeys(const std::string& file) {
  const auto text = crypto::ReadSecretText(file);
  if (!text.ok()) return text.status();
  std::vector<std::string> keys;
  for (const auto line : absl::StrSplit(*text, '\n', absl::SkipWhitespace())) {
    auto key = crypto::ParseKey(std::string(line));
    if (!key.ok()) {
      return absl::FailedPreconditionError(absl::StrCat(file, ": ", key.status().message()));
    }
    keys.push_back(*std::move(key));
  }
  if (keys.empty()) return absl::FailedPreconditionError(file + " holds no key");
  return keys;
}

absl::Status WriteKeys(const std::string& file, const std::vector<std::string>& keys) {
  std::string text;
  for (const std::string& key : keys) absl::StrAppend(&text, absl::Base64Escape(key), "\n");
  absl::Status written = ReplaceFile(file, text, kPrivateMode);
  sodium_memzero(text.data(), text.size());
  return written;
}

std::string FreshKey() {
  std::string key(kKeyBytes, '\0');
  randombytes_buf(key.data(), key.size());
  return key;
}

bool Exists(const std::string& file) { return ::access(file.c_str(), F_OK) == 0; }

absl::StatusOr<PublicPair> PublicOf(const std::string& seed, const std::string& secret) {
  const auto signer = crypto::Signer::FromSeed(seed);
  if (!signer.ok()) return signer.status();
  const auto sealing = crypto::SealingKey::FromSecret(secret);
  if (!sealing.ok()) return sealing.status();
  return PublicPair{.key_id = crypto::KeyIdOf((*signer)->public_key()),
                    .verification_key = (*signer)->public_key(),
                    .sealing_key = (*sealing)->public_key()};
}

struct NextPair {
  std::string seed;
  std::string secret;
};

absl::StatusOr<NextPair> ReadNext(const NodeKeyFiles& files) {
  auto keys = ReadKeys(files.Next());
  if (!keys.ok()) return keys.status();
  if (keys->size() != 2) {
    return absl::FailedPreconditionError(files.Next() + " does not hold a pair of keys");
  }
  return NextPair{std::move((*keys)[0]), std::move((*keys)[1])};
}

}  // namespace

absl::StatusOr<NodeKeyState> StateOf(const NodeKeyFiles& files) {
  if (Exists(files.Next())) return NodeKeyState::kPrepared;
  const auto sealing = ReadKeys(files.sealing);
  if (!sealing.ok()) return sealing.status();
  return sealing->size() > 1 ? NodeKeyState::kSwitched : NodeKeyState::kAtRest;
}

absl::StatusOr<PublicPair> PairInUse(const NodeKeyFiles& files) {
  const auto signing = ReadKeys(files.signing);
  if (!signing.ok()) return signing.status();
  const auto sealing = ReadKeys(files.sealing);
  if (!sealing.ok()) return sealing.status();
  return PublicOf(signing->front(), sealing->front());
}

absl::StatusOr<PublicPair> PrepareNodeKeys(const NodeKeyFiles& files) {
  const auto state = StateOf(files);
  if (!state.ok()) return state.status();
  if (*state == NodeKeyState::kSwitched) {
    return absl::FailedPreconditionError(
        "the last change is not finished: what was sealed for the earlier key may be on its way. "
        "First: rotate node-keys finish");
  }
  // The pair is kept first, so that it is the same after a crash.
  if (*state == NodeKeyState::kAtRest) {
    if (auto kept = WriteKeys(files.Next(), {FreshKey(), FreshKey()}); !kept.ok()) return kept;
  }
  const auto next = ReadNext(files);
  if (!next.ok()) return next.status();
  auto sealing = ReadKeys(files.sealing);
  if (!sealing.ok()) return sealing.status();
  if (std::find(sealing->begin(), sealing->end(), next->secret) == sealing->end()) {
    sealing->push_back(next->secret);
    if (auto written = WriteKeys(files.sealing, *sealing); !written.ok()) return written;
  }
  return PublicOf(next->seed, next->secret);
}

absl::StatusOr<PublicPair> SwitchNodeKeys(const NodeKeyFiles& files) {
  const auto state = StateOf(files);
  if (!state.ok()) return state.status();
  if (*state == NodeKeyState::kSwitched) return PairInUse(files);
  if (*state == NodeKeyState::kAtRest) {
    return absl::FailedPreconditionError(
        "there is no next pair of keys. First: rotate node-keys prepare");
  }
  const auto next = ReadNext(files);
  if (!next.ok()) return next.status();
  auto sealing = ReadKeys(files.sealing);
  if (!sealing.ok()) return sealing.status();
  std::erase(*sealing, next->secret);
  sealing->insert(sealing->begin(), next->secret);
  if (auto written = WriteKeys(files.sealing, *sealing); !written.ok()) return written;
  if (auto written = WriteKeys(files.signing, {next->seed}); !written.ok()) return written;
  if (::unlink(files.Next().c_str()) != 0) {
    return absl::InternalError(absl::StrCat("removing ", files.Next(), ": ", std::strerror(errno)));
  }
  return PublicOf(next->seed, next->secret);
}

absl::Status FinishNodeKeys(const NodeKeyFiles& files) {
  const auto state = StateOf(files);
  if (!state.ok()) return state.status();
  if (*state == NodeKeyState::kPrepared) {
    return absl::FailedPreconditionError(
        "the next pair is not in use yet. First: rotate node-keys switch");
  }
  const auto sealing = ReadKeys(files.sealing);
  if (!sealing.ok()) return sealing.status();
  return sealing->size() == 1 ? absl::OkStatus() : WriteKeys(files.sealing, {sealing->front()});
}

}  // namespace sankofa::ctl
