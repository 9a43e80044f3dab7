#include "services/exchange/ingest/coverage.h"

#include <gtest/gtest.h>

#include "sankofa/registration/v1/registration_service.pb.h"
#include "tests/unit/exchange/sender.h"

namespace sankofa::exchange {
namespace {

class CoverageTest : public ::testing::Test {
 protected:
  [[nodiscard]] std::string Kind(const v1::FeedEvent& event) const {
    switch (CoverageOf(event, agreement_ ? &*agreement_ : nullptr).kind) {
      case Coverage::Kind::kCovered: return "covered";
      case Coverage::Kind::kNotYet: return "not yet";
      case Coverage::Kind::kOut: return "out";
    }
    return "";
  }

  Sender sender_;
  v1::FeedEvent event_ = sender_.Next();
  std::optional<v1::SharingAgreement> agreement_ = sender_.Agreement();
};

TEST_F(CoverageTest, WhatTheAgreementSharesIsCovered) {
  EXPECT_EQ(Kind(event_), "covered");
  EXPECT_EQ(AgreementNeeded(event_), absl::StrCat(kAgreementId, ":1"));
}

TEST_F(CoverageTest, AnAgreementThatIsNotHereYetIsWaitedFor) {
  agreement_->set_state(v1::AGREEMENT_STATE_PROPOSED);
  agreement_->clear_signed_time();
  EXPECT_EQ(Kind(event_), "not yet");
  agreement_.reset();
  EXPECT_EQ(Kind(event_), "not yet");
}

TEST_F(CoverageTest, ItIsJudgedWhenTheMessageWasIssued) {
  agreement_->mutable_terms()->set_until_date("2026-03-04");
  EXPECT_EQ(Kind(event_), "covered");
  agreement_->mutable_terms()->set_until_date("2026-03-03");
  EXPECT_EQ(Kind(event_), "out");
  agreement_ = sender_.Agreement();
  agreement_->mutable_terms()->set_from_date("2026-03-05");
  EXPECT_EQ(Kind(event_), "out");
  agreement_ = sender_.Agreement();
  agreement_->set_end_date("2026-03-03");
  EXPECT_EQ(Kind(event_), "out");
  // Replaced or ended since, and read late.
  for (const auto state : {v1::AGREEMENT_STATE_REPLACED, v1::AGREEMENT_STATE_ENDED}) {
    agreement_ = sender_.Agreement();
    agreement_->set_state(state);
    EXPECT_EQ(Kind(event_), "covered");
  }
}

TEST_F(CoverageTest, OnlyTheSendersSharesCount) {
  agreement_->mutable_terms()->set_proposer("fr");
  agreement_->mutable_terms()->set_counterpart("tg");
  EXPECT_EQ(Kind(event_), "out");
  agreement_->mutable_terms()->mutable_counterpart_shares()->Swap(
      agreement_->mutable_terms()->mutable_proposer_shares());
  EXPECT_EQ(Kind(event_), "covered");
  agreement_->set_partner_id("cm");
  EXPECT_EQ(Kind(event_), "out");
}

TEST_F(CoverageTest, TypeAndPurposeHaveToBeShared) {
  event_.set_type("sankofa.registration.v1.CaseClosed");
  event_.clear_payload();
  EXPECT_EQ(Kind(event_), "out");
  event_ = sender_.Next();
  event_.add_purposes(registration::v1::CONSENT_PURPOSE_RESEARCH);
  EXPECT_EQ(Kind(event_), "out");
  event_ = sender_.Next();
  event_.clear_purposes();  // as statistics are
  EXPECT_EQ(Kind(event_), "out");
  agreement_->mutable_terms()->mutable_proposer_shares(0)->clear_purpose();
  EXPECT_EQ(Kind(event_), "covered");
}

TEST_F(CoverageTest, WhatIsPersonalComesInASealedBoxOnly) {
  registration::v1::Person person;
  person.set_id("p");
  person.mutable_details()->add_phones("+22890000000");
  agreement_->mutable_terms()->mutable_proposer_shares(0)->add_event_types(
      registration::v1::Person::descriptor()->full_name());
  event_.set_type(registration::v1::Person::descriptor()->full_name());
  event_.set_payload(person.SerializeAsString());
  EXPECT_EQ(Kind(event_), "out");
  person.clear_details();
  event_.set_payload(person.SerializeAsString());
  EXPECT_EQ(Kind(event_), "covered");
}

TEST_F(CoverageTest, APayloadIsOfItsType) {
  event_.set_payload("\xff\xff\xff");
  EXPECT_EQ(Kind(event_), "out");
  event_.set_type("sankofa.registration.v1.Unheard");
  EXPECT_EQ(Kind(event_), "out");
}

TEST_F(CoverageTest, WhatKeepsTheAgreementNeedsNone) {
  agreement_.reset();
  for (const char* type : {"FeedRefused", "ErasureRequested", "ErasureDone", "AgreementSigned",
                           "AgreementEnded", "DisclosureChanged", "SomethingLater"}) {
    event_.set_type(absl::StrCat("sankofa.exchange.v1.", type));
    event_.clear_payload();
    EXPECT_EQ(AgreementNeeded(event_), "") << type;
    EXPECT_EQ(Kind(event_), "covered") << type;
  }
  // What is of the service itself never leaves a node.
  event_.set_type("sankofa.exchange.v1.FeedAppended");
  EXPECT_NE(Kind(event_), "covered");
}

}  // namespace
}  // namespace sankofa::exchange
