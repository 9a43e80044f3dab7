#include "services/platform/kafka/event.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"

namespace sankofa::kafka {
namespace {

using testing::HasSubstr;

engine::JournalRow SomeRow() {
  engine::JournalRow row;
  row.stream = {"Case", "7f3c"};
  row.sequence = 2;
  row.partition_key = "7f3c";
  row.event_type = "sankofa.registration.v1.CaseSubmitted";
  row.payload = std::string("\x0A\x00\xFF", 3);
  row.previous_hash = std::string(32, '\x01');
  row.hash = std::string(32, '\xAB');
  row.event_time = absl::FromUnixNanos(1'498'824'000'000'000'007);
  row.actor = "person-who-decided";
  row.organisation = "guichet";
  row.request_id = "request";
  row.traceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
  return row;
}

// As the broker would hand it out.
Message Travel(const Record& record) {
  return {.topic = record.topic,
          .partition = 1,
          .offset = 7,
          .key = record.key,
          .value = record.value,
          .headers = record.headers};
}

Message SomeMessage() { return Travel(ToRecord(SomeRow(), "cm", "registration")); }

std::string* HeaderOf(Message& message, const std::string& name) {
  for (Header& header : message.headers) {
    if (header.name == name) return &header.value;
  }
  return nullptr;
}

TEST(EventTest, HasCloudEventsHeaders) {
  const Record record = ToRecord(SomeRow(), "cm", "registration");
  EXPECT_EQ(record.topic, "sankofa.registration");
  EXPECT_EQ(record.key, "7f3c");
  EXPECT_EQ(record.value, SomeRow().payload);
  const std::vector<Header> expected = {
      {"ce_specversion", "1.0"},
      {"ce_id", "cm/registration/Case/7f3c/2"},
      {"ce_source", "//cm.sankofa/registration"},
      {"ce_type", "sankofa.registration.v1.CaseSubmitted"},
      {"ce_subject", "Case/7f3c"},
      {"ce_time", "2017-06-30T12:00:00.000000007Z"},
      {"ce_sequence", "2"},
      {"ce_partitionkey", "7f3c"},
      {"content-type", "application/protobuf"},
      {"traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"},
      {"sankofa_hash", std::string(64, 'x')},
      {"sankofa_previous_hash", std::string(64, 'x')}};
  ASSERT_EQ(record.headers.size(), expected.size());
  for (std::size_t i = 0; i + 2 < expected.size(); ++i) EXPECT_EQ(record.headers[i], expected[i]);
  EXPECT_EQ(record.headers[10].value.substr(0, 4), "abab");
  EXPECT_EQ(record.headers[11].value.substr(0, 4), "0101");
}

TEST(EventTest, NamesNobody) {
  for (const Header& header : ToRecord(SomeRow(), "cm", "registration").headers) {
    EXPECT_EQ(header.value.find("person-who-decided"), std::string::npos) << header.name;
  }
}

TEST(EventTest, ComesBackAsItWas) {
  const auto event = ParseEvent(SomeMessage());
  ASSERT_TRUE(event.ok()) << event.status();
  const engine::JournalRow row = SomeRow();
  EXPECT_EQ(event->node, "cm");
  EXPECT_EQ(event->service, "registration");
  EXPECT_EQ(event->hash, row.hash);
  EXPECT_EQ(event->previous_hash, row.previous_hash);
  const engine::IncomingEvent& incoming = event->incoming;
  EXPECT_EQ(incoming.event_type, row.event_type);
  EXPECT_EQ(incoming.payload, row.payload);
  EXPECT_EQ(incoming.meta.source, "registration");
  EXPECT_EQ(incoming.meta.stream, row.stream);
  EXPECT_EQ(incoming.meta.sequence, row.sequence);
  EXPECT_EQ(incoming.meta.partition_key, row.partition_key);
  EXPECT_EQ(incoming.meta.time, row.event_time);
  EXPECT_EQ(incoming.meta.traceparent, row.traceparent);
}

TEST(EventTest, TakesAnEmptyEventAndAnIdWithSlashes) {
  engine::JournalRow row = SomeRow();
  row.payload.clear();
  row.stream.id = "OFII/CM-2017/é";
  row.sequence = 1;
  row.previous_hash.clear();
  row.traceparent.clear();
  const auto event = ParseEvent(Travel(ToRecord(row, "cm", "registration")));
  ASSERT_TRUE(event.ok()) << event.status();
  EXPECT_EQ(event->incoming.meta.stream.id, row.stream.id);
  EXPECT_EQ(event->incoming.payload, "");
  EXPECT_EQ(event->previous_hash, "");
}

TEST(EventTest, PassesOverForeignHeaders) {
  Message message = SomeMessage();
  message.headers.push_back({"tracestate", "a=b"});
  message.headers.push_back({"tracestate", std::string("\0", 1)});
  EXPECT_TRUE(ParseEvent(message).ok());
}

TEST(EventTest, TakesAMalformedTraceForNone) {
  for (const std::string trace :
       {"", "00-zz", "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        "00-00000000000000000000000000000000-00f067aa0ba902b7-01"}) {
    Message message = SomeMessage();
    *HeaderOf(message, "traceparent") = trace;
    const auto event = ParseEvent(message);
    ASSERT_TRUE(event.ok()) << event.status();
    EXPECT_EQ(event->incoming.meta.traceparent, "") << trace;
  }
}

TEST(EventTest, NeedsEveryHeaderOnce) {
  for (const Header& header : SomeMessage().headers) {
    if (header.name == "traceparent") continue;
    Message without = SomeMessage();
    std::erase_if(without.headers, [&](const Header& h) { return h.name == header.name; });
    EXPECT_THAT(std::string(ParseEvent(without).status().message()), HasSubstr(header.name));
    Message twice = SomeMessage();
    twice.headers.push_back(header);
    EXPECT_THAT(std::string(ParseEvent(twice).status().message()), HasSubstr(header.name));
  }
}

struct Hostile {
  std::string name;
  std::string header;
  std::string value;
};
void PrintTo(const Hostile& hostile, std::ostream* out) { *out << hostile.name; }

class HostileTest : public testing::TestWithParam<Hostile> {};

TEST_P(HostileTest, IsRefused) {
  Message message = SomeMessage();
  *HeaderOf(message, GetParam().header) = GetParam().value;
  const auto event = ParseEvent(message);
  ASSERT_FALSE(event.ok());
  EXPECT_TRUE(absl::IsInvalidArgument(event.status())) << event.status();
  // The text is for logs: nothing of the message's content is in it.
  if (GetParam().value.size() > 8) {
    EXPECT_EQ(std::string(event.status().message()).find(GetParam().value), std::string::npos);
  }
}

INSTANTIATE_TEST_SUITE_P(
    All, HostileTest,
    testing::Values(
        Hostile{"SpecVersion", "ce_specversion", "0.3"},
        Hostile{"Json", "content-type", "application/json"},
        Hostile{"SourceWithoutSlashes", "ce_source", "cm.sankofa/registration"},
        Hostile{"SourceWithoutDomain", "ce_source", "//cm/registration"},
        Hostile{"SourceWithoutNode", "ce_source", "//.sankofa/registration"},
        Hostile{"SourceWithoutService", "ce_source", "//cm.sankofa/"},
        Hostile{"SourceUpperCase", "ce_source", "//CM.sankofa/registration"},
        Hostile{"SourceOfAnother", "ce_source", "//cm.sankofa/funding"},
        Hostile{"SourceInjection", "ce_source", "//cm';drop.sankofa/registration"},
        Hostile{"SubjectWithoutSlash", "ce_subject", "Case7f3c"},
        Hostile{"SubjectWithoutType", "ce_subject", "/7f3c"},
        Hostile{"SubjectWithoutId", "ce_subject", "Case/"},
        Hostile{"SubjectOfAnother", "ce_subject", "Case/8888"},
        Hostile{"SubjectDotted", "ce_subject", "a.Case/7f3c"},
        Hostile{"SequenceZero", "ce_sequence", "0"},
        Hostile{"SequenceNegative", "ce_sequence", "-2"},
        Hostile{"SequenceSigned", "ce_sequence", "+2"},
        Hostile{"SequenceBlank", "ce_sequence", " 2"},
        Hostile{"SequenceLeadingZero", "ce_sequence", "02"},
        Hostile{"SequenceHuge", "ce_sequence", "9223372036854775808"},
        Hostile{"SequenceText", "ce_sequence", "two"}, Hostile{"SequenceOther", "ce_sequence", "3"},
        Hostile{"IdOther", "ce_id", "cm/registration/Case/7f3c/3"},
        Hostile{"TypeEmpty", "ce_type", ""},
        Hostile{"TypeOfAnotherService", "ce_type", "sankofa.funding.v1.InstalmentPaid"},
        Hostile{"TypeOfAPrefix", "ce_type", "sankofa.registrationx.v1.CaseSubmitted"},
        Hostile{"TypeDots", "ce_type", "sankofa.registration..CaseSubmitted"},
        Hostile{"TypeEndsInDot", "ce_type", "sankofa.registration.v1."},
        Hostile{"TypeDigit", "ce_type", "sankofa.registration.1v.CaseSubmitted"},
        Hostile{"TypeLong", "ce_type", "sankofa.registration.v1." + std::string(300, 'x')},
        Hostile{"TimeText", "ce_time", "yesterday, before the rain came"},
        Hostile{"TimeInfinite", "ce_time", "infinite-future"},
        Hostile{"TimeNoZone", "ce_time", "2017-06-30T12:00:00.000000007+"},
        Hostile{"TimeOffset", "ce_time", "2017-06-30T13:00:00.0000+01:00"},
        Hostile{"TimeDay", "ce_time", "2017-06-31T12:00:00.000000007Z"},
        Hostile{"TimeLeapSecond", "ce_time", "2016-12-31T23:59:60.000000000Z"},
        Hostile{"TimeTooFar", "ce_time", "9999-12-31T23:59:59.000000000Z"},
        Hostile{"KeyOther", "ce_partitionkey", "8888"}, Hostile{"KeyEmpty", "ce_partitionkey", ""},
        Hostile{"HashShort", "sankofa_hash", "abab"},
        Hostile{"HashUpperCase", "sankofa_hash", std::string(64, 'A')},
        Hostile{"HashText", "sankofa_hash", std::string(64, 'g')},
        Hostile{"PreviousHashText", "sankofa_previous_hash", std::string(64, 'g')},
        Hostile{"PreviousHashMissing", "sankofa_previous_hash", ""}),
    [](const auto& info) { return info.param.name; });

// Ids and keys have to fit PostgreSQL's text and a log line.
TEST(EventTest, RefusesTextThatNobodyCanKeep) {
  for (const std::string& id :
       {std::string("a\0b", 3), std::string("a\nb"), std::string("a\x7F"), std::string("\xFF"),
        std::string("\xC0\x80"), std::string("\xED\xA0\x80"), std::string("\xF4\x90\x80\x80"),
        std::string("\xE2\x82"), std::string("\xE0\x80\x80"), std::string("\xF0\x80\x80\x80"),
        std::string(600, 'x')}) {
    engine::JournalRow row = SomeRow();
    row.stream.id = id;
    EXPECT_FALSE(ParseEvent(Travel(ToRecord(row, "cm", "registration"))).ok());
    row = SomeRow();
    row.partition_key = id;
    EXPECT_FALSE(ParseEvent(Travel(ToRecord(row, "cm", "registration"))).ok());
  }
}

TEST(EventTest, RefusesWhatIsNoEventAtAll) {
  EXPECT_FALSE(ParseEvent({}).ok());
  Message tombstone = SomeMessage();
  tombstone.has_value = false;
  EXPECT_FALSE(ParseEvent(tombstone).ok());
  Message elsewhere = SomeMessage();
  elsewhere.topic = "sankofa.funding";
  EXPECT_FALSE(ParseEvent(elsewhere).ok());
  Message huge = SomeMessage();
  huge.value.resize(kMaxRecordBytes + 1);
  EXPECT_FALSE(ParseEvent(huge).ok());
  Message crowded = SomeMessage();
  crowded.headers.resize(65);
  EXPECT_FALSE(ParseEvent(crowded).ok());
  Message first = SomeMessage();  // of a stream, with a row before it
  *HeaderOf(first, "ce_sequence") = "1";
  *HeaderOf(first, "ce_id") = "cm/registration/Case/7f3c/1";
  EXPECT_FALSE(ParseEvent(first).ok());
}

RC_GTEST_PROP(EventProperty, RoundTrip, ()) {
  const auto text = rc::gen::nonEmpty(rc::gen::string<std::string>());
  engine::JournalRow row = SomeRow();
  row.stream.id = *text;
  row.partition_key = *text;
  row.payload = *rc::gen::string<std::string>();
  row.sequence = *rc::gen::inRange<std::int64_t>(2, 1'000'000'000'000);
  row.event_time =
      absl::FromUnixNanos(*rc::gen::inRange<std::int64_t>(0, 4'000'000'000'000'000'000));
  const Record record = ToRecord(row, "cm", "registration");
  const auto event = ParseEvent(Travel(record));
  if (!event.ok()) return;  // text that can't be kept
  RC_ASSERT(event->incoming.meta.stream == row.stream);
  RC_ASSERT(event->incoming.meta.partition_key == row.partition_key);
  RC_ASSERT(event->incoming.meta.sequence == row.sequence);
  RC_ASSERT(event->incoming.meta.time == row.event_time);
  RC_ASSERT(event->incoming.payload == row.payload);
}

// Whatever is accepted says the same when it is written again.
RC_GTEST_PROP(EventProperty, AcceptsOnlyWhatItWrites, ()) {
  Message message = SomeMessage();
  const int changes = *rc::gen::inRange(1, 4);
  for (int i = 0; i < changes; ++i) {
    Header& header = message.headers[*rc::gen::inRange<std::size_t>(0, message.headers.size())];
    if (header.value.empty()) continue;
    const std::size_t at = *rc::gen::inRange<std::size_t>(0, header.value.size());
    switch (*rc::gen::inRange(0, 3)) {
      case 0: header.value[at] = *rc::gen::arbitrary<char>(); break;
      case 1: header.value.erase(at, 1); break;
      default: header.value.insert(at, 1, *rc::gen::arbitrary<char>());
    }
  }
  const auto event = ParseEvent(message);
  if (!event.ok()) {
    RC_ASSERT(absl::IsInvalidArgument(event.status()));
    return;
  }
  engine::JournalRow row;
  row.stream = event->incoming.meta.stream;
  row.sequence = event->incoming.meta.sequence;
  row.partition_key = event->incoming.meta.partition_key;
  row.event_type = event->incoming.event_type;
  row.payload = event->incoming.payload;
  row.event_time = event->incoming.meta.time;
  row.hash = event->hash;
  row.previous_hash = event->previous_hash;
  const Record again = ToRecord(row, event->node, event->service);
  for (const Header& header : again.headers) {
    RC_ASSERT(*HeaderOf(message, header.name) == header.value);
  }
}

}  // namespace
}  // namespace sankofa::kafka
