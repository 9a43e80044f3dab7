#include "services/platform/telemetry/metrics.h"

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <string>

#include "absl/strings/str_cat.h"

namespace sankofa::telemetry {
namespace {

using ::testing::HasSubstr;

std::string HttpGet(int port, const std::string& path) {
  const int socket = ::socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  std::string answer;
  if (::connect(socket, reinterpret_cast<sockaddr*>(&address), sizeof(address)) == 0) {
    const std::string request = absl::StrCat("GET ", path, " HTTP/1.0\r\n\r\n");
    if (::send(socket, request.data(), request.size(), 0) > 0) {
      char buffer[4096];
      for (ssize_t n = 0; (n = ::recv(socket, buffer, sizeof(buffer), 0)) > 0;) {
        answer.append(buffer, static_cast<std::size_t>(n));
      }
    }
  }
  ::close(socket);
  return answer;
}

TEST(MetricsTest, TheSameNameAndLabelsAreTheSameMetric) {
  GetCounter("sankofa_test_total", "A test.", {{"kind", "a"}}).Add();
  GetCounter("sankofa_test_total", "A test.", {{"kind", "a"}}).Add(2);
  GetCounter("sankofa_test_total", "A test.", {{"kind", "b"}}).Add();
  EXPECT_EQ(GetCounter("sankofa_test_total", "A test.", {{"kind", "a"}}).value(), 3);
  EXPECT_THAT(MetricsText(), HasSubstr("sankofa_test_total{kind=\"a\"} 3"));
  EXPECT_THAT(MetricsText(), HasSubstr("sankofa_test_total{kind=\"b\"} 1"));
}

TEST(MetricsTest, GaugesAndHistograms) {
  Gauge gauge = GetGauge("sankofa_test_queue", "A test.");
  gauge.Set(5);
  gauge.Add(-2);
  EXPECT_EQ(gauge.value(), 3);
  GetHistogram("sankofa_test_seconds", "A test.").Observe(0.002);
  EXPECT_THAT(MetricsText(), HasSubstr("sankofa_test_seconds_bucket{le=\"0.0025\"} 1"));
  EXPECT_THAT(MetricsText(), HasSubstr("sankofa_test_seconds_bucket{le=\"0.001\"} 0"));
}

TEST(MetricsTest, SeriesOfANameAreBounded) {
  for (std::size_t i = 0; i < kSeriesLimit + 50; ++i) {
    GetCounter("sankofa_test_wild_total", "A test.", {{"id", absl::StrCat(i)}}).Add();
  }
  EXPECT_EQ(GetCounter("sankofa_test_wild_total", "A test.", {{"id", "other"}}).value(), 50);
}

TEST(MetricsTest, AreServedOverHttp) {
  GetCounter("sankofa_test_served_total", "A test.").Add();
  const auto server = MetricsServer::Start("127.0.0.1:0");
  ASSERT_TRUE(server.ok());
  const std::string answer = HttpGet((*server)->port(), "/metrics");
  EXPECT_THAT(answer, HasSubstr("200 OK"));
  EXPECT_THAT(answer, HasSubstr("sankofa_test_served_total 1"));
  EXPECT_THAT(HttpGet((*server)->port(), "/"), HasSubstr("404"));
}

TEST(MetricsTest, AnAddressInUseIsAnError) {
  const auto first = MetricsServer::Start("127.0.0.1:0");
  ASSERT_TRUE(first.ok());
  EXPECT_FALSE(MetricsServer::Start(absl::StrCat("127.0.0.1:", (*first)->port())).ok());
  EXPECT_FALSE(MetricsServer::Start("nonsense").ok());
}

TEST(MetricsDeathTest, ANameForTwoKindsIsABug) {
  GetCounter("sankofa_test_twice", "A test.").Add();
  EXPECT_DEATH((void)GetGauge("sankofa_test_twice", "A test."), "sankofa_test_twice");
  EXPECT_DEATH((void)GetCounter("not a name", "A test."), "not a name");
}

}  // namespace
}  // namespace sankofa::telemetry
