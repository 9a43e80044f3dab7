#include "services/sankofactl/rotate/file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

#include "absl/strings/str_cat.h"

namespace sankofa::ctl {
namespace {

absl::Status Failed(const char* what, const std::string& file, int error) {
  return absl::InternalError(absl::StrCat(what, " ", file, ": ", std::strerror(error)));
}

}  // namespace

absl::Status WritePart(const std::string& file, std::string_view text, mode_t mode) {
  struct stat before {};
  const bool known = ::stat(file.c_str(), &before) == 0;
  const std::string part = file + ".part";
  ::unlink(part.c_str());
  const int fd = ::open(part.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, kPrivateMode);
  if (fd < 0) return Failed("making", part, errno);
  const bool written =
      ::write(fd, text.data(), text.size()) == static_cast<ssize_t>(text.size()) &&
      ::fchmod(fd, mode) == 0 &&
      (!known || before.st_uid == ::geteuid() || ::fchown(fd, before.st_uid, before.st_gid) == 0) &&
      ::fsync(fd) == 0;
  const int error = errno;
  ::close(fd);
  if (written) return absl::OkStatus();
  ::unlink(part.c_str());
  return Failed("writing", part, error);
}

absl::Status PutPart(const std::string& file) {
  if (::rename((file + ".part").c_str(), file.c_str()) == 0) return absl::OkStatus();
  return Failed("putting in place", file, errno);
}

absl::Status ReplaceFile(const std::string& file, std::string_view text, mode_t mode) {
  if (auto written = WritePart(file, text, mode); !written.ok()) return written;
  return PutPart(file);
}

}  // namespace sankofa::ctl
