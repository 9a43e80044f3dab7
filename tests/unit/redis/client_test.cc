#include "services/platform/redis/client.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <thread>

#include "absl/strings/str_cat.h"
#include "services/platform/status/refuse.h"

// What happens without a server, or with one that misbehaves. With a real one: tests/component/redis.
namespace sankofa::redis {
namespace {

// A port of the loopback interface that takes connections. What then happens is up to the test.
class Listener {
 public:
  Listener() : socket_(socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in any{};
    any.sin_family = AF_INET;
    any.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof(any);
    EXPECT_EQ(bind(socket_, reinterpret_cast<sockaddr*>(&any), size), 0);
    EXPECT_EQ(listen(socket_, 16), 0);
    EXPECT_EQ(getsockname(socket_, reinterpret_cast<sockaddr*>(&any), &size), 0);
    port_ = ntohs(any.sin_port);
  }
  ~Listener() { Close(); }
  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;

  void Close() {
    if (socket_ >= 0) close(socket_);
    socket_ = -1;
  }
  [[nodiscard]] int Accept() const { return accept(socket_, nullptr, nullptr); }
  [[nodiscard]] std::string address() const { return absl::StrCat("127.0.0.1:", port_); }

 private:
  int socket_;
  int port_ = 0;
};

// Answers each connection's first bytes with `answer`, then closes it.
class Server {
 public:
  explicit Server(std::string answer)
      : thread_([this, answer = std::move(answer)] {
          for (int peer = listener_.Accept(); peer >= 0; peer = listener_.Accept()) {
            if (stopping_) {
              close(peer);
              return;
            }
            char bytes[512];
            if (read(peer, bytes, sizeof(bytes)) > 0) {
              EXPECT_EQ(write(peer, answer.data(), answer.size()),
                        static_cast<ssize_t>(answer.size()));
            }
            close(peer);
          }
        }) {}
  ~Server() {
    stopping_ = true;
    const int wake = socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    to.sin_port = htons(static_cast<std::uint16_t>(std::stoi(address().substr(10))));
    EXPECT_EQ(connect(wake, reinterpret_cast<sockaddr*>(&to), sizeof(to)), 0);
    thread_.join();
    close(wake);
  }
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;
  [[nodiscard]] std::string address() const { return listener_.address(); }

 private:
  Listener listener_;
  std::atomic<bool> stopping_ = false;
  std::thread thread_;
};

std::unique_ptr<Client> ClientOf(Options options, const time::Clock& clock) {
  auto client = Client::Create(std::move(options), clock);
  EXPECT_TRUE(client.ok()) << client.status();
  return *std::move(client);
}

TEST(Client, RefusesAnAddressThatIsNone) {
  for (const char* address :
       {"", "localhost", ":6379", "localhost:", "localhost:x", "h:0", "h:70000"}) {
    EXPECT_FALSE(Client::Create({.address = address}).ok()) << address;
  }
}

TEST(Circuit, RefusesAtOnceWhileTheServerIsAwayAndTriesAgainLater) {
  Listener listener;
  const std::string address = listener.address();
  listener.Close();
  time::ManualClock clock(absl::UnixEpoch());
  const auto client = ClientOf({.address = address}, clock);
  EXPECT_TRUE(client->up());

  const auto first = client->Call({"PING"});
  EXPECT_TRUE(absl::IsUnavailable(first.status()));
  EXPECT_FALSE(client->up());
  // Refused without touching the network: also if somebody listens by now.
  const auto second = client->Call({"PING"});
  EXPECT_TRUE(absl::IsUnavailable(second.status()));
  EXPECT_NE(second.status(), first.status());

  clock.Advance(absl::Milliseconds(101));
  EXPECT_EQ(client->Call({"PING"}).status(), first.status());  // tried again
  clock.Advance(absl::Milliseconds(101));
  EXPECT_EQ(client->Call({"PING"}).status(), second.status());  // the pause has doubled
  clock.Advance(absl::Milliseconds(100));
  EXPECT_EQ(client->Call({"PING"}).status(), first.status());
}

TEST(Circuit, ClosesWhenAProbeGetsThrough) {
  const Server server("+PONG\r\n");
  const auto faults = std::make_shared<Faults>();
  time::ManualClock clock(absl::UnixEpoch());
  const auto client = ClientOf({.address = server.address(), .faults = faults}, clock);
  faults->FailNth(1, Fault::kBeforeSend);
  EXPECT_TRUE(absl::IsUnavailable(client->Call({"PING"}).status()));
  EXPECT_TRUE(absl::IsUnavailable(client->Call({"PING"}).status()));
  EXPECT_EQ(faults->calls(), 1);  // the second never got that far
  clock.Advance(absl::Seconds(1));
  const auto reply = client->Call({"PING"});
  ASSERT_TRUE(reply.ok()) << reply.status();
  EXPECT_EQ(reply->text, "PONG");
  EXPECT_TRUE(client->up());
}

TEST(Client, ASilentServerCostsNoMoreThanTheTimeout) {
  const Listener silent;  // the kernel takes the connection, nobody answers
  const auto client = ClientOf(
      {.address = silent.address(), .call_timeout = absl::Milliseconds(50)}, time::WallClock());
  const absl::Time begin = absl::Now();
  EXPECT_TRUE(absl::IsUnavailable(client->Call({"PING"}).status()));
  EXPECT_LT(absl::Now() - begin, absl::Seconds(5));
  EXPECT_FALSE(client->up());
}

TEST(Client, AServerThatHangsUpIsNoSignal) {
  const Server server("-ERR unknown command 'SECRET'\r\n");
  time::ManualClock clock(absl::UnixEpoch());
  const auto client = ClientOf({.address = server.address()}, clock);
  for (int i = 0; i < 20; ++i) {
    clock.Advance(absl::Seconds(10));
    // A large command, so that writing goes on after the server has closed.
    const auto reply = client->Call({"SET", "key", std::string(1 << 20, 'x')});
    EXPECT_FALSE(reply.ok());
  }
}

TEST(Client, AnErrorReplyTellsNoValue) {
  const Server server("-ERR unknown command 'SECRET'\r\n");
  const auto client = ClientOf({.address = server.address()}, time::WallClock());
  const auto reply = client->Call({"SECRET"});
  EXPECT_EQ(reply.status().code(), absl::StatusCode::kInternal);
  EXPECT_EQ(status::ToDetailsTrailer(reply.status()).find("SECRET"), std::string::npos);
  EXPECT_TRUE(client->up());  // the server is there
}

TEST(Client, AServerThatLoadsIsDown) {
  const Server server("-LOADING Redis is loading the dataset in memory\r\n");
  const auto client = ClientOf({.address = server.address()}, time::WallClock());
  EXPECT_TRUE(absl::IsUnavailable(client->Call({"GET", "key"}).status()));
  EXPECT_FALSE(client->up());
}

TEST(Client, ABrokenAnswerIsUnavailable) {
  for (const char* answer : {"", "garbage\r\n", "$5\r\nab", "*2\r\n:1\r\n", "$-7\r\n", ":x\r\n"}) {
    const Server server(answer);
    const auto client = ClientOf({.address = server.address()}, time::WallClock());
    EXPECT_FALSE(client->Call({"GET", "key"}).ok()) << answer;
  }
}

}  // namespace
}  // namespace sankofa::redis
