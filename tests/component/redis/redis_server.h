#pragma once

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <cstdlib>
#include <string>

#include "absl/strings/str_cat.h"

// A Redis server of a test's own: on a free port, without files, gone when the test is.
namespace sankofa::test {

class RedisServer {
 public:
  RedisServer() : port_(FreePort()) { Start(); }
  ~RedisServer() { Kill(); }
  RedisServer(const RedisServer&) = delete;
  RedisServer& operator=(const RedisServer&) = delete;

  [[nodiscard]] std::string address() const { return absl::StrCat("127.0.0.1:", port_); }

  void Start() {
    std::array<int, 2> output{};
    ASSERT_EQ(pipe(output.data()), 0);
    process_ = fork();
    ASSERT_GE(process_, 0);
    if (process_ == 0) {
      prctl(PR_SET_PDEATHSIG, SIGKILL);  // not to outlive a test that crashed
      dup2(output[1], STDOUT_FILENO);
      close(output[0]);
      close(output[1]);
      const std::string port = absl::StrCat(port_);
      execlp("redis-server", "redis-server", "--port", port.c_str(), "--bind", "127.0.0.1",
             "--save", "", "--appendonly", "no", static_cast<char*>(nullptr));
      _exit(127);
    }
    close(output[1]);
    // Its own word that it is ready; the end of its output where it is not.
    std::string said;
    std::array<char, 512> bytes{};
    while (said.find("Ready to accept connections") == std::string::npos) {
      const ssize_t count = read(output[0], bytes.data(), bytes.size());
      ASSERT_GT(count, 0) << "redis-server did not start: " << said;
      said.append(bytes.data(), static_cast<size_t>(count));
    }
    close(output[0]);
  }

  // At once, as kill -9 does.
  void Kill() {
    if (process_ <= 0) return;
    kill(process_, SIGKILL);
    waitpid(process_, nullptr, 0);
    process_ = -1;
  }
  // Stands still, so that calls are neither answered nor refused.
  void Freeze() const { kill(process_, SIGSTOP); }
  void Thaw() const { kill(process_, SIGCONT); }

 private:
  static int FreePort() {
    const int probe = socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in any{};
    any.sin_family = AF_INET;
    any.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof(any);
    EXPECT_EQ(bind(probe, reinterpret_cast<sockaddr*>(&any), size), 0);
    EXPECT_EQ(getsockname(probe, reinterpret_cast<sockaddr*>(&any), &size), 0);
    close(probe);
    return ntohs(any.sin_port);
  }

  int port_;
  pid_t process_ = -1;
};

}  // namespace sankofa::test
