#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include "sankofa/monitoring/v1/monitoring_events.pb.h"
#include "sankofa/registration/v1/registration_events.pb.h"
#include "services/platform/crypto/vault.h"
#include "services/sankofactl/output/json.h"
#include "services/sankofactl/output/table.h"

namespace sankofa::ctl {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

TEST(TableTest, ColumnsAreAsWideAsTheirWidestCell) {
  Table table({"a", "bb", "c"});
  table.Add({"1", "2", "3"});
  table.Add({"één", "", ""});
  EXPECT_EQ(table.ToString(),
            "a    bb  c\n"
            "1    2   3\n"
            "één\n");
  EXPECT_FALSE(table.empty());
  EXPECT_TRUE(Table({"a"}).empty());
}

TEST(PrintableTest, ReplacesWhatATerminalObeys) {
  EXPECT_EQ(Printable("Ngaoundéré → Lomé, 5\u00A0€ 🙂"),
            "Ngaoundéré → Lomé, 5\u00A0€ 🙂");
  EXPECT_EQ(Printable("two\nlines\tof text"), "two lines of text");
  EXPECT_EQ(Printable("\x1B[31m"), "\uFFFD[31m");
  EXPECT_EQ(Printable("\x7F"), "\uFFFD");
  EXPECT_EQ(Printable("\xC2\x9B"), "\uFFFD");                  // C1
  EXPECT_EQ(Printable("\xE2\x80\xAE"), "\uFFFD");              // right-to-left override
  EXPECT_EQ(Printable("\xC0\xAF"), "\uFFFD\uFFFD");            // longer than needed
  EXPECT_EQ(Printable("\xED\xA0\x80"), "\uFFFD\uFFFD\uFFFD");  // a surrogate
  EXPECT_EQ(Printable("\xE2\x82"), "\uFFFD\uFFFD");            // cut
  EXPECT_EQ(Printable(std::string_view("\0", 1)), "\uFFFD");
}

RC_GTEST_PROP(PrintableTest, AnyBytesBecomePrintableOnceAndForAll, (const std::string& bytes)) {
  const std::string printable = Printable(bytes);
  RC_ASSERT(Printable(printable) == printable);
  for (const char c : printable) {
    RC_ASSERT(static_cast<unsigned char>(c) >= 0x20);
    RC_ASSERT(c != '\x7F');
  }
}

TEST(MomentTest, IsInUtcWithoutFractions) {
  EXPECT_EQ(Moment(absl::FromUnixNanos(1'498'824'000'123'456'789)), "2017-06-30 12:00:00Z");
  EXPECT_EQ(Moment(absl::InfinitePast()), "");
  EXPECT_EQ(ShortName("sankofa.registration.v1.CaseSubmitted"), "CaseSubmitted");
  EXPECT_EQ(ShortName("Case"), "Case");
}

monitoring::v1::VisitRecorded SealedVisit() {
  monitoring::v1::VisitRecorded visit;
  visit.set_case_id("c-1");
  visit.set_visit_date("2018-01-15");
  visit.set_observations("the shop is open");
  visit.set_next_steps("buy a freezer");
  EXPECT_TRUE(crypto::Seal(visit, crypto::DataKey(std::string(32, 'k'))).ok());
  return visit;
}

TEST(JsonTest, SealedPartsAreShownAsSealed) {
  const auto visit = SealedVisit();
  const auto json = ToJson(visit);
  ASSERT_TRUE(json.ok()) << json.status();
  EXPECT_EQ(json->Line(),
            "{\"case_id\":\"c-1\",\"visit_date\":\"2018-01-15\",\"sealed\":{\"subject_id\":\"c-1\","
            "\"may_hold\":[\"observations\",\"next_steps\",\"documents\"],\"bytes\":" +
                std::to_string(visit.sealed().ciphertext().size()) + "}}");
  EXPECT_THAT(json->Pretty(), Not(HasSubstr("nonce")));
}

TEST(JsonTest, AMessageWithoutPersonalFieldsHasNothingSealed) {
  monitoring::v1::VisitRecorded visit;
  visit.set_case_id("c-1");
  EXPECT_EQ(ToJson(visit)->Line(), "{\"case_id\":\"c-1\"}");
}

TEST(JsonTest, FieldsInsideASealedMessageAreNamedAsAWhole) {
  registration::v1::PersonRegistered registered;
  registered.set_person_id("p-1");
  registered.mutable_sealed()->set_subject_id("p-1");
  registered.mutable_sealed()->set_ciphertext("cipher");
  EXPECT_THAT(
      ToJson(registered)->Line(),
      HasSubstr("\"may_hold\":[\"details\",\"vulnerabilities\",\"search_keys\"],\"bytes\":6"));
}

TEST(JsonTest, TextsOfAnyKindCanBeShown) {
  monitoring::v1::VisitRecorded visit;
  visit.set_case_id(std::string("a\0b\x1B\"\\", 6));
  const auto json = ToJson(visit);
  ASSERT_TRUE(json.ok()) << json.status();
  EXPECT_EQ(json->Line(), "{\"case_id\":\"a\\u0000b\\u001B\\\"\\\\\"}");
  EXPECT_EQ(Json::Text("\xFF").Line(), "\"\uFFFD\"");
}

TEST(JsonTest, WhatIsReadIsWhatWasWritten) {
  monitoring::v1::VisitRecorded visit;
  visit.set_case_id("é\"\n");
  visit.set_jobs(-3);
  monitoring::v1::VisitRecorded read;
  ASSERT_TRUE(FromJson(ToJson(visit)->Pretty(), read).ok());
  EXPECT_EQ(read.SerializeAsString(), visit.SerializeAsString());
}

}  // namespace
}  // namespace sankofa::ctl
