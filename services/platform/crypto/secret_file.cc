#include "services/platform/crypto/secret_file.h"

#include <fcntl.h>
#include <sodium.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "services/platform/status/text.h"

namespace sankofa::crypto {
namespace {

constexpr size_t kKeyBytes = 32;
constexpr size_t kFileBytesMax = 4096;

absl::StatusOr<std::string> ReadSecretFile(const std::string& file) {
  const int fd = ::open(file.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) {
    return absl::FailedPreconditionError(
        absl::StrCat("can't open ", file, ": ", std::strerror(errno)));
  }
  struct stat info {};
  std::string text(kFileBytesMax, '\0');
  const bool known = ::fstat(fd, &info) == 0;
  const ssize_t got = ::read(fd, text.data(), text.size());
  ::close(fd);
  if (!known || got < 0) return absl::FailedPreconditionError(absl::StrCat("can't read ", file));
  // Kubernetes hands a secret to a process that is not root through its group: the file is root's, and the group is the
  // process's own, in which nobody else is.
  const bool by_group =
      info.st_uid == 0 && info.st_uid != ::geteuid() && info.st_gid == ::getegid();
  const mode_t others = by_group ? S_IWGRP | S_IXGRP | S_IRWXO : S_IRWXG | S_IRWXO;
  if ((info.st_mode & others) != 0) {
    return absl::FailedPreconditionError(
        absl::StrCat(file, " can be read by others than its owner: chmod 600 it"));
  }
  text.resize(static_cast<size_t>(got));
  return text;
}

}  // namespace

absl::StatusOr<std::string> ParseKey(std::string_view base64) {
  // Made where it is returned, and never moved: of a move, g++ 12 with -O2 believes that it reads past a short string.
  absl::StatusOr<std::string> key(absl::in_place);
  if (!absl::Base64Unescape(absl::StripAsciiWhitespace(status::Absl(base64)), &*key) ||
      key->size() != kKeyBytes) {
    key = absl::FailedPreconditionError("a key is 32 bytes in base64");
  }
  return key;
}

absl::StatusOr<std::string> ReadKeyFile(const std::string& file) {
  auto text = ReadSecretFile(file);
  if (!text.ok()) return text.status();
  auto key = ParseKey(*text);
  sodium_memzero(text->data(), text->size());
  if (!key.ok()) {
    return absl::FailedPreconditionError(absl::StrCat(file, " does not hold 32 bytes in base64"));
  }
  return key;
}

absl::StatusOr<std::string> ReadSecretText(const std::string& file) {
  auto text = ReadSecretFile(file);
  if (!text.ok()) return text.status();
  return std::string(absl::StripAsciiWhitespace(*text));
}

}  // namespace sankofa::crypto
