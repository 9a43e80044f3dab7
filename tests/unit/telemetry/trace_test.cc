#include "services/platform/telemetry/trace.h"

#include <gtest/gtest.h>

#include <set>
#include <string>

namespace sankofa::telemetry {
namespace {

constexpr char kHeader[] = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

TEST(TraceTest, ReadsAWellFormedHeader) {
  const auto parent = ParseTraceparent(kHeader);
  ASSERT_TRUE(parent);
  EXPECT_EQ(parent->trace_id, "4bf92f3577b34da6a3ce929d0e0e4736");
  EXPECT_EQ(parent->span_id, "00f067aa0ba902b7");
  EXPECT_TRUE(parent->sampled);
  EXPECT_EQ(parent->ToString(), kHeader);
}

TEST(TraceTest, ReadsTheSampledFlagAlone) {
  const std::string stem = std::string(kHeader).substr(0, 53);
  for (const char* flags : {"01", "03", "0b", "ff", "05"}) {
    EXPECT_TRUE(ParseTraceparent(stem + flags)->sampled) << flags;
  }
  for (const char* flags : {"00", "02", "0a", "fe", "10"}) {
    EXPECT_FALSE(ParseTraceparent(stem + flags)->sampled) << flags;
  }
}

TEST(TraceTest, RefusesWhatTheStandardRefuses) {
  for (const char* header : {"", "00", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7",
                             "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
                             "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
                             "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
                             "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
                             "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-x",
                             "00_4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
                             "00-4bf92f3577b34da6a3ce929d0e0e473g-00f067aa0ba902b7-01",
                             "01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01x"}) {
    EXPECT_FALSE(ParseTraceparent(header)) << header;
  }
}

TEST(TraceTest, ReadsALaterVersionAsFarAsItIsKnown) {
  EXPECT_TRUE(ParseTraceparent("01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-later"));
}

TEST(TraceTest, AChildKeepsTheTraceAndHasItsOwnSpan) {
  const auto child = ParseTraceparent(ChildTraceparent(kHeader));
  ASSERT_TRUE(child);
  EXPECT_EQ(child->trace_id, "4bf92f3577b34da6a3ce929d0e0e4736");
  EXPECT_NE(child->span_id, "00f067aa0ba902b7");
  EXPECT_TRUE(ParseTraceparent(ChildTraceparent("garbage")));
}

TEST(TraceTest, NewTracesDiffer) {
  std::set<std::string> ids;
  for (int i = 0; i < 1000; ++i) ids.insert(TraceIdOf(NewTraceparent()));
  EXPECT_EQ(ids.size(), 1000u);
  EXPECT_FALSE(ids.contains(""));
}

TEST(TraceTest, ScopesNest) {
  EXPECT_EQ(CurrentTraceparent(), "");
  {
    const TraceScope outer("a");
    {
      const TraceScope inner("b");
      EXPECT_EQ(CurrentTraceparent(), "b");
    }
    EXPECT_EQ(CurrentTraceparent(), "a");
  }
  EXPECT_EQ(CurrentTraceparent(), "");
}

}  // namespace
}  // namespace sankofa::telemetry
