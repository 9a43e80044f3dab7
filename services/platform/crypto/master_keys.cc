#include "services/platform/crypto/master_keys.h"

#include <fcntl.h>
#include <sodium.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "services/platform/crypto/secret_file.h"
#include "services/platform/status/check.h"
#include "services/platform/status/text.h"

namespace sankofa::crypto {
namespace {

constexpr std::size_t kKeyBytes = 32;
constexpr std::size_t kNameBytes = 16;  // libsodium's least
constexpr std::size_t kNameDigits = 8;
// A key that was never finished stands in the way of nothing, but the file is read as a whole.
constexpr std::size_t kEarlierMax = 8;
constexpr char kBlindUse[] = "sankofa blind index v1";
constexpr char kNameUse[] = "sankofa master key name v1";

const unsigned char* Bytes(std::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}
unsigned char* Bytes(std::string& text) { return reinterpret_cast<unsigned char*>(text.data()); }

void Wipe(std::string& secret) {
  if (!secret.empty()) sodium_memzero(secret.data(), secret.size());
}

absl::Status Malformed(int line, std::string_view why) {
  return absl::FailedPreconditionError(
      absl::StrCat("line ", line, " of the master keys: ", status::Absl(why)));
}

absl::Status TakeLine(const std::vector<std::string>& words, int line, MasterKeys& keys) {
  if (words.size() != 2) return Malformed(line, "a word and a key are wanted");
  auto key = ParseKey(words[1]);
  if (!key.ok()) return Malformed(line, "a key is 32 bytes in base64");
  if (words[0] == "master" && keys.master.empty()) {
    keys.master = *std::move(key);
  } else if (words[0] == "next" && !keys.next) {
    keys.next = *std::move(key);
  } else if (words[0] == "earlier" && keys.earlier.size() < kEarlierMax) {
    keys.earlier.push_back(*std::move(key));
  } else if (words[0] == "blind" && keys.blind.empty()) {
    keys.blind = *std::move(key);
  } else {
    return Malformed(line, "it is not known, or one too many");
  }
  return absl::OkStatus();
}

std::string Line(std::string_view word, const std::string& key) {
  return absl::StrCat(status::Absl(word), " ", absl::Base64Escape(key), "\n");
}

absl::Status Failed(const std::string& what) {
  return absl::InternalError(absl::StrCat(what, ": ", std::strerror(errno)));
}

// Whole and on the disk, or an error.
absl::Status WriteAll(int fd, const std::string& text) {
  std::size_t written = 0;
  while (written < text.size()) {
    const ssize_t got = ::write(fd, text.data() + written, text.size() - written);
    if (got < 0) return Failed("writing the master keys");
    written += static_cast<std::size_t>(got);
  }
  return ::fsync(fd) == 0 ? absl::OkStatus() : Failed("writing the master keys");
}

}  // namespace

MasterKeys::~MasterKeys() {
  Wipe(master);
  if (next) Wipe(*next);
  for (std::string& key : earlier) Wipe(key);
  Wipe(blind);
}

absl::StatusOr<MasterKeys> ParseMasterKeys(std::string_view text) {
  MasterKeys keys;
  if (auto alone = ParseKey(text); alone.ok()) {
    keys.master = *std::move(alone);
    return keys;
  }
  int line = 0;
  for (const auto& part : absl::StrSplit(status::Absl(text), '\n')) {
    ++line;
    const std::vector<std::string> words = absl::StrSplit(part, ' ', absl::SkipWhitespace());
    if (words.empty()) continue;
    if (auto taken = TakeLine(words, line, keys); !taken.ok()) return taken;
  }
  if (keys.master.empty()) {
    return absl::FailedPreconditionError("a master key is 32 bytes in base64, and there is none");
  }
  if ((keys.next || !keys.earlier.empty()) && keys.blind.empty()) {
    return absl::FailedPreconditionError("several master keys without the key of the blind index");
  }
  return keys;
}

absl::StatusOr<MasterKeys> ReadMasterKeys(const std::string& file) {
  auto text = ReadSecretText(file);
  if (!text.ok()) return text.status();
  auto keys = ParseMasterKeys(*text);
  Wipe(*text);
  if (keys.ok()) return keys;
  return absl::FailedPreconditionError(absl::StrCat(
      file, " does not hold 32 bytes in base64, or master keys: ", keys.status().message()));
}

std::string FormatMasterKeys(const MasterKeys& keys) {
  // As it was first, where nothing was ever changed.
  if (keys.blind.empty()) return absl::StrCat(absl::Base64Escape(keys.master), "\n");
  std::string text = Line("master", keys.master);
  if (keys.next) text.append(Line("next", *keys.next));
  for (const std::string& key : keys.earlier) text.append(Line("earlier", key));
  text.append(Line("blind", keys.blind));
  return text;
}

absl::Status WriteMasterKeys(const std::string& file, const MasterKeys& keys) {
  struct stat before {};
  const bool known = ::stat(file.c_str(), &before) == 0;
  const std::string part = absl::StrCat(file, ".part");
  const int fd = ::open(part.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (fd < 0) return Failed(absl::StrCat("making ", part));
  std::string text = FormatMasterKeys(keys);
  absl::Status written = WriteAll(fd, text);
  Wipe(text);
  if (written.ok() && known && before.st_uid != ::geteuid() &&
      ::fchown(fd, before.st_uid, before.st_gid) != 0) {
    written = Failed("giving the file to the owner that it had");
  }
  ::close(fd);
  if (written.ok() && ::rename(part.c_str(), file.c_str()) != 0) {
    written = Failed(absl::StrCat("putting ", file, " in place"));
  }
  if (!written.ok()) ::unlink(part.c_str());
  return written;
}

std::string KeyName(std::string_view key) {
  std::array<unsigned char, kNameBytes> hash{};
  constexpr std::string_view kUse = kNameUse;
  crypto_generichash(hash.data(), hash.size(), Bytes(kUse), kUse.size(), Bytes(key), key.size());
  return absl::BytesToHexString({reinterpret_cast<const char*>(hash.data()), hash.size()})
      .substr(0, kNameDigits);
}

std::vector<std::string> KeyNames(const MasterKeys& keys) {
  std::vector<std::string> names = {KeyName(keys.master)};
  if (keys.next) names.push_back(KeyName(*keys.next));
  for (const std::string& key : keys.earlier) names.push_back(KeyName(key));
  return names;
}

std::string BlindKeyOf(const MasterKeys& keys) {
  if (!keys.blind.empty()) return keys.blind;
  std::string key(kKeyBytes, '\0');
  constexpr std::string_view kUse = kBlindUse;
  crypto_generichash(Bytes(key), key.size(), Bytes(kUse), kUse.size(), Bytes(keys.master),
                     keys.master.size());
  return key;
}

MasterKeys Prepared(MasterKeys keys, std::string fresh) {
  keys.blind = BlindKeyOf(keys);
  if (!keys.next) keys.next = std::move(fresh);
  return keys;
}

MasterKeys Promoted(MasterKeys keys) {
  if (!keys.next) return keys;
  keys.earlier.insert(keys.earlier.begin(), std::move(keys.master));
  keys.master = *std::move(keys.next);
  keys.next.reset();
  return keys;
}

MasterKeys Finished(MasterKeys keys) {
  for (std::string& key : keys.earlier) Wipe(key);
  keys.earlier.clear();
  return keys;
}

}  // namespace sankofa::crypto
