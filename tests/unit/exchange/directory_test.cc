#include "services/exchange/directory.h"

#include <gtest/gtest.h>

#include <string>

#include "services/platform/time/time.h"
#include "tests/unit/exchange/fake_directory.h"

namespace sankofa::exchange {
namespace {

const absl::CivilDay kDay(2026, 6, 15);

v1::SharingAgreement Signed(const std::string& from, const std::string& until) {
  v1::SharingAgreement agreement;
  agreement.set_partner_id("fr");
  agreement.set_state(v1::AGREEMENT_STATE_SIGNED);
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
  agreement.set_end_date("2026-06-15");
  EXPECT_TRUE(InForce(agreement, kDay));
  agreement.set_end_date("2026-06-14");
  EXPECT_FALSE(InForce(agreement, kDay));
  agreement.set_end_date("soon");
  EXPECT_FALSE(InForce(agreement, kDay));
}

TEST(Directory, OnlyWhatIsSignedByBothHolds) {
  v1::SharingAgreement agreement = Signed("2026-01-01", "2026-12-31");
  for (const auto state : {v1::AGREEMENT_STATE_UNSPECIFIED, v1::AGREEMENT_STATE_PROPOSED,
                           v1::AGREEMENT_STATE_REPLACED, v1::AGREEMENT_STATE_ENDED}) {
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

TEST(Directory, AKeyIsUsedFromItsFirstMomentToItsLast) {
  const absl::Time now = absl::FromCivil(kDay, absl::UTCTimeZone());
  v1::Partner partner;
  const auto add = [&](const std::string& id, absl::Time from, absl::Time until) {
    v1::PartnerKey& key = *partner.add_keys();
    key.set_key_id(id);
    key.set_verification_key("v" + id);
    key.set_sealing_key("s" + id);
    *key.mutable_from_time() = time::ToTimestamp(from);
    if (until != absl::InfiniteFuture()) *key.mutable_until_time() = time::ToTimestamp(until);
  };
  EXPECT_EQ(SealingKeyOf(partner, now), nullptr);
  add("1", now - absl::Hours(10), now + absl::Hours(1));
  add("2", now, absl::InfiniteFuture());
  EXPECT_EQ(SealingKeyOf(partner, now)->key_id(), "2");
  EXPECT_EQ(SealingKeyOf(partner, now - absl::Nanoseconds(1))->key_id(), "1");
  EXPECT_NE(FindKey(partner, "1", now), nullptr);
  EXPECT_EQ(FindKey(partner, "1", now + absl::Hours(1)), nullptr);
  EXPECT_EQ(FindKey(partner, "2", now - absl::Nanoseconds(1)), nullptr);
  EXPECT_EQ(FindKey(partner, "3", now), nullptr);
  partner.mutable_keys(1)->clear_sealing_key();
  EXPECT_EQ(SealingKeyOf(partner, now)->key_id(), "1");
  partner.mutable_keys(1)->clear_verification_key();
  EXPECT_EQ(FindKey(partner, "2", now), nullptr);
}

}  // namespace
}  // namespace sankofa::exchange
