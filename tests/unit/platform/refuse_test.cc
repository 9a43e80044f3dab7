#include "services/platform/status/refuse.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"
#include "sankofa/common/v1/common_reason.pb.h"
#include "sankofa/common/v1/options.pb.h"

namespace sankofa::status {
namespace {

using ::testing::ElementsAre;

TEST(Refuse, CarriesReasonFieldsAndBothLanguagesOverTheWire) {
  const absl::Status status =
      RefuseField(common::v1::REASON_INVALID_FIELD, "items[2].unit_price", "must be positive");
  const absl::Status back =
      FromTrailer(static_cast<int>(status.code()), "text", ToDetailsTrailer(status));

  EXPECT_EQ(back.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(ReasonOf(back), "INVALID_FIELD");
  EXPECT_THAT(FieldsOf(back), ElementsAre("items[2].unit_price"));

  google::rpc::Status wire;
  ASSERT_TRUE(wire.ParseFromString(ToDetailsTrailer(back)));
  std::vector<std::string> locales;
  for (const auto& any : wire.details()) {
    google::rpc::LocalizedMessage localized;
    if (any.UnpackTo(&localized)) locales.push_back(localized.locale());
  }
  EXPECT_THAT(locales, ElementsAre("en", "fr"));
}

TEST(Refuse, EveryPlatformReasonHasItsTextsAndCode) {
  const auto* reasons = google::protobuf::GetEnumDescriptor<common::v1::Reason>();
  for (int i = 1; i < reasons->value_count(); ++i) {
    const auto& refusal = reasons->value(i)->options().GetExtension(common::v1::refusal);
    EXPECT_NE(refusal.code(), google::rpc::OK) << reasons->value(i)->name();
    EXPECT_FALSE(refusal.en().empty()) << reasons->value(i)->name();
    EXPECT_FALSE(refusal.fr().empty()) << reasons->value(i)->name();
  }
}

TEST(Status, WithoutDetailsHasNoReason) {
  EXPECT_EQ(ReasonOf(absl::UnavailableError("gone")), "");
  EXPECT_EQ(ReasonOf(FromTrailer(14, "gone", "not a message")), "");
}

}  // namespace
}  // namespace sankofa::status
