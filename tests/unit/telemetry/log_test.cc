#include "services/platform/telemetry/log.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <sstream>
#include <string>

#include "google/protobuf/timestamp.pb.h"
#include "sankofa/common/v1/common_reason.pb.h"
#include "services/platform/status/refuse.h"
#include "services/platform/telemetry/trace.h"
#include "spdlog/fmt/fmt.h"

namespace sankofa::telemetry {
namespace {

using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::SizeIs;

// What must not compile, tested by what the compiler says it can do.
template <class T>
concept Streamable = requires(std::ostream& stream, const T& value) {
  stream << value;
};
template <class T>
concept Loggable = std::is_constructible_v<LogValue, const T&>;

static_assert(Streamable<std::string> && Loggable<std::string> && Loggable<int>);
static_assert(!Streamable<Personal<std::string>>);
static_assert(!Loggable<Personal<std::string>>);
static_assert(!fmt::is_formattable<Personal<std::string>>::value);
static_assert(!Loggable<google::protobuf::Timestamp>);
static_assert(!Loggable<std::shared_ptr<google::protobuf::Message>>);
static_assert(!Loggable<google::protobuf::Message*>);
static_assert(!Loggable<const google::protobuf::Message*>);

class LogTest : public ::testing::Test {
 protected:
  void TearDown() override { ConfigureLog({}); }
  std::string Last() const { return capture_.lines().back(); }
  LogCapture capture_;
};

TEST_F(LogTest, ALineIsOneJsonObject) {
  ConfigureLog({.level = Level::kInfo, .node = "cm", .service = "registration"});
  Info("relay caught up", {{"shard", 3}, {"ready", true}, {"lag", absl::Milliseconds(1500)}});
  EXPECT_THAT(Last(), ::testing::MatchesRegex(
                          "\\{\"time\":\"20[0-9T:.-]*Z\",\"level\":\"INFO\",\"node\":\"cm\","
                          "\"service\":\"registration\",\"msg\":\"relay caught up\",\"shard\":3,"
                          "\"ready\":true,\"lag\":1.5\\}"));
}

TEST_F(LogTest, LinesBelowTheLevelAreDropped) {
  ConfigureLog({.level = Level::kWarn});
  Debug("a");
  Info("b");
  EXPECT_THAT(capture_.lines(), SizeIs(0));
  Warn("c");
  Error("d");
  EXPECT_THAT(capture_.lines(), SizeIs(2));
  EXPECT_THAT(Last(), HasSubstr("\"level\":\"ERROR\""));
}

TEST_F(LogTest, CarriesTheTraceAndServiceOfItsThread) {
  const TraceScope trace("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01");
  {
    const ServiceScope service("funding");
    Info("x");
  }
  EXPECT_THAT(Last(), HasSubstr("\"trace\":\"4bf92f3577b34da6a3ce929d0e0e4736\""));
  EXPECT_THAT(Last(), HasSubstr("\"service\":\"funding\""));
  Info("y");
  EXPECT_THAT(Last(), Not(HasSubstr("funding")));
}

TEST_F(LogTest, HostileTextStaysInsideItsValue) {
  Info("x", {{"text", std::string("\",\"level\":\"ERROR\n\\\0\x7f", 20)}});
  EXPECT_THAT(Last(),
              EndsWith("\"text\":\"\\\",\\\"level\\\":\\\"ERROR\\u000a\\\\\\u0000\\u007f\"}"));
  Info("x", {{"text", "caf\xC3\xA9 \xC3 \xED\xA0\x80 \xF5"}});
  EXPECT_THAT(Last(), EndsWith("\"text\":\"café \xEF\xBF\xBD \xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD "
                               "\xEF\xBF\xBD\"}"));
}

TEST_F(LogTest, LongTextIsCut) {
  Info("x", {{"text", std::string(100'000, 'a')}});
  EXPECT_LT(Last().size(), 5000u);
}

TEST_F(LogTest, NumbersAreJson) {
  Info("x", {{"a", std::numeric_limits<double>::quiet_NaN()},
             {"b", std::numeric_limits<std::uint64_t>::max()},
             {"c", std::numeric_limits<std::int64_t>::min()},
             {"d", 0.25}});
  EXPECT_THAT(Last(), EndsWith("\"a\":null,\"b\":18446744073709551615,\"c\":-9223372036854775808,"
                               "\"d\":0.25}"));
}

TEST_F(LogTest, AStatusIsItsReasonAndDetail) {
  Warn("x", {{"status", status::Unavailable("no route")}});
  EXPECT_THAT(Last(), EndsWith("\"UNAVAILABLE: DEPENDENCY_UNAVAILABLE detail=no route\"}"));
  Warn("x", {{"status", status::RefuseField(common::v1::REASON_INVALID_FIELD, "a.b", "wrong")}});
  EXPECT_THAT(Last(), EndsWith("\"INVALID_ARGUMENT: INVALID_FIELD fields=a.b\"}"));
  Warn("x", {{"status", absl::OkStatus()}});
  EXPECT_THAT(Last(), EndsWith("\"OK\"}"));
}

TEST_F(LogTest, ARepeatedStateIsSaidWhenItBeginsAndWhenItIsOver) {
  RepeatedLog broker(absl::Hours(1));
  broker.Over("broker is back");
  EXPECT_THAT(capture_.lines(), SizeIs(0));
  for (int i = 0; i < 100; ++i) broker.Met(Level::kWarn, "broker is away");
  EXPECT_THAT(capture_.lines(), SizeIs(1));
  broker.Over("broker is back");
  EXPECT_THAT(capture_.lines(), SizeIs(2));
  broker.Met(Level::kWarn, "broker is away");
  EXPECT_THAT(capture_.lines(), SizeIs(3));
}

TEST_F(LogTest, ARepeatedStateIsCounted) {
  RepeatedLog broker(absl::ZeroDuration());
  broker.Met(Level::kWarn, "broker is away");
  broker.Met(Level::kWarn, "broker is away");
  EXPECT_THAT(Last(), HasSubstr("broker is away (met 2 times so far)"));
}

TEST_F(LogTest, APersonalValueIsThereForThoseWhoAsk) {
  EXPECT_EQ(Personal<std::string>("Ama").Reveal(), "Ama");
}

TEST(ParseLevelTest, KnowsFourWords) {
  Level level = Level::kInfo;
  EXPECT_TRUE(ParseLevel("debug", level));
  EXPECT_EQ(level, Level::kDebug);
  EXPECT_TRUE(ParseLevel("error", level));
  EXPECT_EQ(level, Level::kError);
  EXPECT_FALSE(ParseLevel("Info", level));
  EXPECT_FALSE(ParseLevel("", level));
  EXPECT_EQ(level, Level::kError);
}

}  // namespace
}  // namespace sankofa::telemetry
