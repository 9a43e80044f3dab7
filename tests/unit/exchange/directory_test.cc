#include "services/exchange/directory.h"

#include <gtest/gtest.h>

#include <string>

#include "tests/unit/exchange/fake_directory.h"

namespace sankofa::exchange {
namespace {

const absl::CivilDay kDay(2026, 6, 15);

v1::SharingAgreement Signed(const std::string& from, const std::string& until) {
  v1::SharingAgreement agreement;
  agreement.set_partner_id("fr");
  agreement.set_state(v1::AGREEMENT_STATE_SIGNED);
  agreement.mutable_signed_time()->set_seconds(1);
  agreement.mutable_terms()->set_from_date(from);
  agreement.mutable_terms()->set_until_date(until);
  return agreement;
}

v1::Partner Named(const std::string& code, v1::PartnerState state) {
  v1::Partner partner;
  partner.set_id(code);
  partner.set_state(state);
  return partner;
}

TEST(Directory, AnAgreementHoldsFromItsFirstDayToItsLast) {
  EXPECT_TRUE(InForce(Signed("2026-06-15", "2026-06-15"), kDay));
  EXPECT_FALSE(InForce(Signed("2026-06-16", "2026-06-20"), kDay));
  EXPECT_FALSE(InForce(Signed("2026-06-01", "2026-06-14"), kDay));
  EXPECT_FALSE(InForce(Signed("", "2026-06-20"), kDay));
}

TEST(Directory, AnAgreementThatIsEndedHoldsToItsEnd) {
  v1::SharingAgreement agreement = Signed("2026-01-01", "2026-12-31");
  agreement.set_state(v1::AGREEMENT_STATE_ENDED);
  agreement.set_end_date("2026-06-15");
  EXPECT_TRUE(InForce(agreement, kDay));
  agreement.set_end_date("2026-06-14");
  EXPECT_FALSE(InForce(agreement, kDay));
  agreement.set_end_date("soon");
  EXPECT_FALSE(InForce(agreement, kDay));
}

TEST(Directory, OnlyWhatIsSignedByBothAndNotReplacedHolds) {
  v1::SharingAgreement agreement = Signed("2026-01-01", "2026-12-31");
  agreement.set_state(v1::AGREEMENT_STATE_REPLACED);
  EXPECT_FALSE(InForce(agreement, kDay));
  agreement.clear_signed_time();
  for (const auto state : {v1::AGREEMENT_STATE_UNSPECIFIED, v1::AGREEMENT_STATE_PROPOSED,
                           v1::AGREEMENT_STATE_SIGNED, v1::AGREEMENT_STATE_ENDED}) {
    agreement.set_state(state);
    EXPECT_FALSE(InForce(agreement, kDay)) << state;
  }
}

TEST(Directory, NothingIsInForceWithWhoIsSuspended) {
  FakeDirectory directory;
  directory.Put(Signed("2026-01-01", "2026-12-31"));
  EXPECT_TRUE((*directory.Current())->InForce("fr", kDay).empty());
  directory.Put(Named("fr", v1::PARTNER_STATE_SUSPENDED));
  EXPECT_TRUE((*directory.Current())->InForce("fr", kDay).empty());
  EXPECT_EQ((*directory.Current())->FindActive("fr"), nullptr);
  EXPECT_NE((*directory.Current())->Find("fr"), nullptr);
  directory.Put(Named("fr", v1::PARTNER_STATE_ACTIVE));
  EXPECT_EQ((*directory.Current())->InForce("fr", kDay).size(), 1);
}

TEST(Directory, EachSideHasItsOwnShares) {
  v1::AgreementTerms terms;
  terms.set_proposer("fr");
  terms.set_counterpart("tg");
  terms.add_proposer_shares()->add_event_types("a");
  EXPECT_EQ(SharesOf(terms, "fr").size(), 1);
  EXPECT_EQ(SharesOf(terms, "tg").size(), 0);
  EXPECT_EQ(SharesOf(terms, "cm").size(), 0);
}

}  // namespace
}  // namespace sankofa::exchange
