#include "services/sankofactl/backup/program.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"

extern char** environ;  // NOLINT(readability-redundant-declaration): not every libc declares it

namespace sankofa::ctl {
namespace {

// What a program says of errors beyond this is passed over.
constexpr std::size_t kSaidMax = 4000;

std::vector<std::string> Environment(const std::map<std::string, std::string>& more) {
  std::vector<std::string> all;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string line = *entry;
    if (!more.contains(line.substr(0, line.find('=')))) all.push_back(line);
  }
  for (const auto& [name, value] : more) all.push_back(absl::StrCat(name, "=", value));
  return all;
}

std::vector<char*> Pointers(std::vector<std::string>& texts) {
  std::vector<char*> pointers;
  pointers.reserve(texts.size() + 1);
  for (std::string& text : texts) pointers.push_back(text.data());
  pointers.push_back(nullptr);
  return pointers;
}

std::string ReadAll(int file) {
  std::string said;
  std::array<char, 4096> buffer{};
  while (true) {
    const ssize_t got = read(file, buffer.data(), buffer.size());
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) break;
    said.append(buffer.data(), static_cast<std::size_t>(got));
    if (said.size() > kSaidMax) said.resize(kSaidMax);
  }
  return said;
}

int WaitFor(pid_t process) {
  int status = 0;
  while (waitpid(process, &status, 0) < 0 && errno == EINTR) {}
  return status;
}

}  // namespace

absl::Status RunProgram(const std::vector<std::string>& command,
                        const std::map<std::string, std::string>& environment) {
  std::array<int, 2> errors{};
  if (pipe2(errors.data(), O_CLOEXEC) != 0) {
    return absl::InternalError(absl::StrCat("no pipe: ", std::strerror(errno)));
  }
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, errors[1], STDERR_FILENO);
  posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  std::vector<std::string> words = command;
  std::vector<std::string> variables = Environment(environment);
  pid_t process = 0;
  const int failed = posix_spawnp(&process, command.front().c_str(), &actions, nullptr,
                                  Pointers(words).data(), Pointers(variables).data());
  posix_spawn_file_actions_destroy(&actions);
  close(errors[1]);
  if (failed != 0) {
    close(errors[0]);
    return absl::FailedPreconditionError(
        absl::StrCat(command.front(), " can't be run: ", std::strerror(failed),
                     ". Install PostgreSQL's client programs (Debian: postgresql-client)."));
  }
  std::string said = ReadAll(errors[0]);
  close(errors[0]);
  const int status = WaitFor(process);
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return absl::OkStatus();
  absl::StripAsciiWhitespace(&said);
  return absl::InternalError(absl::StrCat(command.front(), " failed: ", said));
}

}  // namespace sankofa::ctl
