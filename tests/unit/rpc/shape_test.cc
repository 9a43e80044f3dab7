#include "services/platform/rpc/check/shape.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <limits>
#include <string>
#include <vector>

#include "garden/garden.pb.h"
#include "google/rpc/error_details.pb.h"
#include "services/platform/status/refuse.h"
#include "services/platform/time/time.h"

namespace sankofa::rpc {
namespace {

using garden::v1::Branch;
using garden::v1::MisfitRequest;
using garden::v1::MustRequest;
using garden::v1::PlantTreeRequest;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

// 2026-02-28T12:00:00Z
constexpr absl::Time kNow = absl::FromUnixSeconds(1'772'280'000);

PlantTreeRequest Good() {
  PlantTreeRequest request;
  request.set_request_id("f47ac10b-58cc-4372-a567-0e02b2c3d479");
  request.set_species("baobab");
  return request;
}

// The fields that are refused after `change` to a good request.
std::vector<std::string> Wrong(const std::function<void(PlantTreeRequest&)>& change) {
  PlantTreeRequest request = Good();
  change(request);
  const absl::Status status = CheckShape(request, kNow);
  EXPECT_EQ(status::ReasonOf(status), status.ok() ? "" : "INVALID_FIELD");
  return status::FieldsOf(status);
}

TEST(ShapeTest, AWellFormedRequestPasses) {
  EXPECT_TRUE(CheckShape(Good(), kNow).ok());
  PlantTreeRequest full = Good();
  full.set_country("CM");
  full.set_currency("XAF");
  full.set_code("cm-2017");
  full.set_day("2030-02-28");
  full.set_planted_on("2026-02-28");
  full.set_phone("+237677123456");
  full.set_soil(garden::v1::SOIL_CLAY);
  full.set_height(100);
  full.set_age(1);
  full.add_branches()->set_name("été à l'ô");
  full.add_notes("12345");
  *full.mutable_seen_time() = time::ToTimestamp(kNow);
  (*full.mutable_labels())["a"] = "b";
  full.set_photo("\x80\x81\x82\x83");
  full.set_leaves(1000);
  EXPECT_TRUE(CheckShape(full, kNow).ok()) << CheckShape(full, kNow);
}

TEST(ShapeTest, AllFaultsAreReportedTogether) {
  const PlantTreeRequest empty;
  EXPECT_THAT(status::FieldsOf(CheckShape(empty, kNow)), ElementsAre("request_id", "species"));
  EXPECT_THAT(
      Wrong([](auto& request) {
        request.set_request_id("x");
        request.set_country("Cameroon");
        request.add_branches()->add_branches()->mutable_price()->set_currency("USD");
        request.set_height(101);
      }),
      ElementsAre("request_id", "country", "height", "branches[0].name",
                  "branches[0].branches[0].name", "branches[0].branches[0].price.currency"));
}

TEST(ShapeTest, RequiredAsksForSomethingOfEachKind) {
  EXPECT_THAT(
      status::FieldsOf(CheckShape(MustRequest(), kNow)),
      ElementsAre("zero_counts", "number", "soil", "names", "branch", "photo", "text", "sure"));
  MustRequest request;
  request.set_zero_counts(0);
  request.set_number(-1);
  request.set_soil(garden::v1::SOIL_SAND);
  request.add_names("a");
  request.mutable_branch()->set_name("b");
  request.set_photo("\x01");
  request.set_text("c");
  request.set_sure(false);
  EXPECT_TRUE(CheckShape(request, kNow).ok()) << CheckShape(request, kNow);
  request.set_text(" \t\n");
  request.clear_names();
  request.add_names("");
  EXPECT_THAT(status::FieldsOf(CheckShape(request, kNow)), ElementsAre("names[0]", "text"));
}

TEST(ShapeTest, FormatsAreChecked) {
  EXPECT_THAT(Wrong([](auto& r) { r.set_country("XX"); }), ElementsAre("country"));
  EXPECT_THAT(Wrong([](auto& r) { r.set_currency("CFA"); }), ElementsAre("currency"));
  EXPECT_THAT(Wrong([](auto& r) { r.set_code("Not A Code"); }), ElementsAre("code"));
  EXPECT_THAT(Wrong([](auto& r) { r.set_phone("0677123456"); }), ElementsAre("phone"));
  for (const char* day : {"2026-02-29", "2026-2-1", "28/02/2026", "2026-02-28T00:00:00Z",
                          "0000-00-00", "2026-13-01", "tomorrow"}) {
    EXPECT_THAT(Wrong([&](auto& r) { r.set_day(day); }), ElementsAre("day")) << day;
  }
}

TEST(ShapeTest, TheFutureIsRefusedWhereAFieldIsOfThePast) {
  EXPECT_THAT(Wrong([](auto& r) { r.set_planted_on("2026-03-01"); }), ElementsAre("planted_on"));
  EXPECT_THAT(Wrong([](auto& r) { r.set_planted_on("1899-12-31"); }), IsEmpty());
  EXPECT_THAT(Wrong([](auto& r) {
                *r.mutable_seen_time() = time::ToTimestamp(kNow + absl::Nanoseconds(1));
              }),
              ElementsAre("seen_time"));
}

TEST(ShapeTest, TimesThatDoNotExistAreRefused) {
  EXPECT_THAT(Wrong([](auto& r) { r.mutable_seen_time()->set_nanos(-1); }),
              ElementsAre("seen_time"));
  EXPECT_THAT(Wrong([](auto& r) { r.mutable_seen_time()->set_nanos(1'000'000'000); }),
              ElementsAre("seen_time"));
  EXPECT_THAT(Wrong([](auto& r) {
                r.mutable_seen_time()->set_seconds(std::numeric_limits<std::int64_t>::min());
              }),
              ElementsAre("seen_time"));
  EXPECT_THAT(Wrong([](auto& r) {
                r.mutable_seen_time()->set_seconds(std::numeric_limits<std::int64_t>::max());
              }),
              ElementsAre("seen_time"));
}

TEST(ShapeTest, NumbersHaveTheirRange) {
  EXPECT_THAT(Wrong([](auto& r) { r.set_height(-1); }), ElementsAre("height"));
  EXPECT_THAT(Wrong([](auto& r) { r.set_height(std::numeric_limits<int>::min()); }),
              ElementsAre("height"));
  EXPECT_THAT(Wrong([](auto& r) { r.set_age(0); }), ElementsAre("age"));
  EXPECT_THAT(Wrong([](auto& r) { r.set_leaves(1001); }), ElementsAre("leaves"));
  EXPECT_THAT(Wrong([](auto& r) { r.set_leaves(std::numeric_limits<std::uint64_t>::max()); }),
              ElementsAre("leaves"));
  EXPECT_THAT(Wrong([](auto& r) { r.set_slope(std::nan("")); }), ElementsAre("slope"));
  EXPECT_THAT(Wrong([](auto& r) { r.set_slope(-INFINITY); }), ElementsAre("slope"));
}

TEST(ShapeTest, EnumValuesOfTheFutureAreRefused) {
  EXPECT_THAT(Wrong([](auto& r) { r.set_soil(static_cast<garden::v1::Soil>(99)); }),
              ElementsAre("soil"));
  EXPECT_THAT(Wrong([](auto& r) {
                r.add_soils(garden::v1::SOIL_CLAY);
                r.add_soils(static_cast<garden::v1::Soil>(-1));
              }),
              ElementsAre("soils[1]"));
}

TEST(ShapeTest, TextHasALengthInCharacters) {
  EXPECT_THAT(Wrong([](auto& r) { r.set_species("éééééééééééééééééééé"); }), IsEmpty());
  EXPECT_THAT(Wrong([](auto& r) { r.set_species("ééééééééééééééééééééé"); }),
              ElementsAre("species"));
  EXPECT_THAT(Wrong([](auto& r) { r.set_remark(std::string(2000, 'a')); }), IsEmpty());
  EXPECT_THAT(Wrong([](auto& r) { r.set_remark(std::string(2001, 'a')); }), ElementsAre("remark"));
  EXPECT_THAT(Wrong([](auto& r) { r.set_photo("12345"); }), ElementsAre("photo"));
}

TEST(ShapeTest, HostileTextIsRefused) {
  EXPECT_THAT(Wrong([](auto& r) { r.set_remark(std::string("a\0b", 3)); }), ElementsAre("remark"));
  EXPECT_THAT(Wrong([](auto& r) { r.set_remark("\x1b[2J"); }), ElementsAre("remark"));
  EXPECT_THAT(Wrong([](auto& r) { r.set_remark("   "); }), ElementsAre("remark"));
  EXPECT_THAT(Wrong([](auto& r) { r.set_remark("a\xC3"); }), ElementsAre("remark"));
  EXPECT_THAT(Wrong([](auto& r) { (*r.mutable_labels())["a"] = std::string("\0", 1); }),
              ElementsAre("labels[0].value"));
}

TEST(ShapeTest, ListsHaveALength) {
  EXPECT_THAT(Wrong([](auto& r) {
                for (int i = 0; i < 3; ++i) r.add_notes("a");
              }),
              ElementsAre("notes"));
  EXPECT_THAT(Wrong([](auto& r) {
                r.add_notes("a");
                r.add_notes("abcdef");
              }),
              ElementsAre("notes[1]"));
  EXPECT_THAT(Wrong([](auto& r) {
                for (int i = 0; i < 101; ++i) r.add_soils(garden::v1::SOIL_CLAY);
              }),
              ElementsAre("soils"));
  EXPECT_THAT(Wrong([](auto& r) {
                for (int i = 0; i < 101; ++i) (*r.mutable_labels())[std::to_string(i)] = "a";
              }),
              ElementsAre("labels"));
}

TEST(ShapeTest, NestingHasADepth) {
  EXPECT_THAT(Wrong([](auto& r) {
                Branch* branch = r.add_branches();
                for (int i = 0; i < 40; ++i) {
                  branch->set_name("a");
                  branch = branch->add_branches();
                }
                branch->set_name("a");
              }),
              SizeIs(1));
}

TEST(ShapeTest, WhatThePlatformSealsCanNotBeSent) {
  EXPECT_THAT(Wrong([](auto& r) { r.mutable_copy_of()->mutable_sealed()->set_subject_id("x"); }),
              ElementsAre("copy_of.sealed"));
}

TEST(ShapeTest, AnAnswerIsBoundedAndRepeatsNoValue) {
  PlantTreeRequest request = Good();
  for (int i = 0; i < 3; ++i) {
    Branch* outer = request.add_branches();
    for (int j = 0; j < 3; ++j) {
      Branch* middle = outer->add_branches();
      for (int k = 0; k < 3; ++k) {
        middle->add_branches()->set_name("a very personal name");
      }
    }
  }
  const absl::Status status = CheckShape(request, kNow);
  EXPECT_THAT(status::FieldsOf(status), SizeIs(kViolationsMax));
  const std::string trailer = status::ToDetailsTrailer(status);
  EXPECT_LT(trailer.size(), 6000u);  // 8 KiB is what gRPC takes, in base64
  EXPECT_EQ(trailer.find("personal name"), std::string::npos);
}

TEST(RuleFaultsTest, RulesThatDoNotFitTheirFieldAreNamed) {
  EXPECT_THAT(RuleFaults(*PlantTreeRequest::descriptor()), IsEmpty());
  const auto faults = RuleFaults(*MisfitRequest::descriptor());
  EXPECT_THAT(faults, SizeIs(7));
  for (const char* field :
       {"format", "length", "items", "range", "empty_range", "future", "sure"}) {
    EXPECT_THAT(faults, Contains(HasSubstr(std::string("MisfitRequest.") + field)));
  }
}

}  // namespace
}  // namespace sankofa::rpc
