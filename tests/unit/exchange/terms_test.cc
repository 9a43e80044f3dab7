#include "services/exchange/agreement/terms.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <set>
#include <string>
#include <vector>

#include "sankofa/funding/v1/funding_events.pb.h"
#include "sankofa/monitoring/v1/monitoring_events.pb.h"
#include "sankofa/registration/v1/registration_events.pb.h"
#include "sankofa/validation/v1/validation_events.pb.h"
#include "services/exchange/agreement/shareable.h"
#include "services/platform/engine/decider.h"
#include "services/platform/status/refuse.h"
#include "tests/unit/harness.h"

namespace sankofa::exchange {
namespace {

using test::Reason;
using ::testing::ElementsAre;

// ---- What may be named ----------------------------------------------------------------------------------------------

std::vector<std::string> All(Sharing sharing) {
  std::vector<std::string> names;
  for (const auto* any :
       {registration::v1::CaseRegistered::descriptor(),
        validation::v1::ProjectApproved::descriptor(), funding::v1::GrantSigned::descriptor(),
        monitoring::v1::FollowUpPlanned::descriptor()}) {
    for (int i = 0; i < any->file()->message_type_count(); ++i) {
      const std::string& name = any->file()->message_type(i)->full_name();
      if (SharingOf(name) == sharing) names.push_back(name);
    }
  }
  return names;
}

TEST(Shareable, WhatTellsOfACaseMayBeShared) {
  for (const char* type :
       {"sankofa.registration.v1.CaseRegistered", "sankofa.registration.v1.CaseArrived",
        "sankofa.registration.v1.ReferralSent", "sankofa.validation.v1.ProjectApproved",
        "sankofa.funding.v1.GrantSigned", "sankofa.funding.v1.InstalmentPaid",
        "sankofa.monitoring.v1.VisitRecorded", "sankofa.monitoring.v1.SurveyRecorded"}) {
    EXPECT_EQ(SharingOf(type), Sharing::kCase) << type;
  }
}

TEST(Shareable, WhatTellsOfNoCaseStays) {
  for (const char* type :
       {"sankofa.registration.v1.PersonRegistered", "sankofa.registration.v1.PersonErased",
        "sankofa.registration.v1.CaseErased", "sankofa.registration.v1.PartnerDataErased",
        "sankofa.registration.v1.ConsentGiven", "sankofa.registration.v1.ConsentWithdrawn",
        "sankofa.validation.v1.VoteCast", "sankofa.validation.v1.CaseFileOpened",
        "sankofa.funding.v1.BudgetReserved", "sankofa.funding.v1.CaseErasureNoted",
        "sankofa.monitoring.v1.CaseFactRecorded", "sankofa.monitoring.v1.InstrumentPublished"}) {
    EXPECT_EQ(SharingOf(type), Sharing::kNever) << type;
  }
}

TEST(Shareable, OnlyStatisticsAreStatistics) {
  EXPECT_THAT(All(Sharing::kStatistics), ElementsAre("sankofa.monitoring.v1.StatisticsPublished"));
}

TEST(Shareable, WhatDestroysAKeyStays) {
  for (const std::string& type : All(Sharing::kCase)) {
    EXPECT_FALSE(FindEvent(type)->options().GetExtension(common::v1::erases)) << type;
  }
}

TEST(Shareable, OtherMessagesAreNoEvents) {
  for (const char* type :
       {"", "CaseArrived", "sankofa.registration.v1.Person", "sankofa.exchange.v1.FeedAppended",
        "sankofa.exchange.v1.UpdateReceived", "sankofa.common.v1.ReadRecorded",
        "sankofa.registration.v1.CaseArrived "}) {
    EXPECT_EQ(SharingOf(type), Sharing::kUnknown) << type;
    EXPECT_EQ(FindEvent(type), nullptr);
  }
}

TEST(Shareable, PathsLeadThroughADisclosure) {
  for (const char* path : {"person.details", "person.details.phones", "person.vulnerabilities",
                           "person.payout_accounts", "case.reference", "case.header.return_type"}) {
    EXPECT_TRUE(IsDisclosurePath(path)) << path;
  }
  for (const char* path :
       {"", ".", "person", "case", "person.", "person..details", "person.nothing", "consent_ids",
        "person.details.phones.x", "until_date", "person.sealed", "person.sealed.ciphertext",
        "Person.details", " person.details", "person.details "}) {
    EXPECT_FALSE(IsDisclosurePath(path)) << path;
  }
}

TEST(Shareable, AnyFieldButTheCaseCanBeLeftOut) {
  const auto* event = FindEvent("sankofa.registration.v1.CaseRegistered");
  ASSERT_NE(event, nullptr);
  EXPECT_TRUE(CanBeLeftOut(*event, "region"));
  EXPECT_TRUE(CanBeLeftOut(*event, "profile.sex"));
  for (const char* path : {"", "case_id", "nothing", "profile.nothing", "region.x", "profile."}) {
    EXPECT_FALSE(CanBeLeftOut(*event, path)) << path;
  }
}

// ---- What can be agreed on ------------------------------------------------------------------------------------------

v1::AgreementTerms Good() {
  v1::AgreementTerms terms;
  terms.set_agreement_id(engine::DerivedId("agreement"));
  terms.set_version(1);
  terms.set_proposer("fr");
  terms.set_counterpart("tg");
  v1::Share& share = *terms.add_proposer_shares();
  share.set_purpose(registration::v1::CONSENT_PURPOSE_REINTEGRATION);
  share.add_event_types("sankofa.registration.v1.CaseRegistered");
  share.add_event_types("sankofa.funding.v1.GrantSigned");
  share.add_fields("person.details.phones");
  share.add_fields("-sankofa.registration.v1.CaseRegistered.region");
  *terms.add_counterpart_shares() = share;
  terms.set_legal_basis("treaty");
  terms.set_from_date("2026-06-01");
  terms.set_until_date("2031-06-01");
  return terms;
}

struct Outcome {
  std::string reason;
  std::vector<std::string> fields;
};

Outcome Checked(const std::function<void(v1::AgreementTerms&)>& alter,
                v1::PartnerKind kind = v1::PARTNER_KIND_NODE, bool partner_proposes = false) {
  v1::AgreementTerms terms = Good();
  alter(terms);
  const absl::Status checked = CheckTerms(terms, {.proposer_field = "our_shares",
                                                  .counterpart_field = "their_shares",
                                                  .partner_proposes = partner_proposes,
                                                  .partner_kind = kind});
  return {Reason(checked), checked.ok() ? std::vector<std::string>() : status::FieldsOf(checked)};
}

TEST(Terms, OfGoodOnesNothingIsSaid) {
  EXPECT_EQ(Checked([](auto&) {}).reason, "OK");
}

TEST(Terms, LastForADayAtLeastAndFiveYearsAtMost) {
  EXPECT_EQ(Checked([](auto& terms) { terms.set_until_date("2026-06-01"); }).reason, "OK");
  EXPECT_EQ(Checked([](auto& terms) { terms.set_until_date("2026-05-31"); }).reason,
            "AGREEMENT_DATES");
  EXPECT_EQ(Checked([](auto& terms) { terms.set_until_date("2031-06-02"); }).reason,
            "AGREEMENT_DATES");
}

TEST(Terms, ShareSomething) {
  EXPECT_EQ(Checked([](auto& terms) {
              terms.clear_proposer_shares();
              terms.clear_counterpart_shares();
            }).reason,
            "AGREEMENT_EMPTY");
  EXPECT_EQ(Checked([](auto& terms) { terms.clear_proposer_shares(); }).reason, "OK");
}

TEST(Terms, NameEventsThatMayLeaveANode) {
  const auto with = [](const std::string& type) {
    return Checked(
        [&](auto& terms) { terms.mutable_counterpart_shares(0)->set_event_types(1, type); });
  };
  EXPECT_EQ(with("sankofa.registration.v1.Nothing").reason, "EVENT_TYPE_UNKNOWN");
  EXPECT_EQ(with("sankofa.registration.v1.PersonRegistered").reason, "EVENT_TYPE_NOT_SHAREABLE");
  EXPECT_THAT(with("sankofa.registration.v1.ConsentGiven").fields,
              ElementsAre("their_shares[0].event_types[1]"));
}

TEST(Terms, HaveOneShareForEachPurpose) {
  const Outcome twice =
      Checked([](auto& terms) { *terms.add_proposer_shares() = terms.proposer_shares(0); });
  EXPECT_EQ(twice.reason, "PURPOSE_REPEATED");
  EXPECT_THAT(twice.fields, ElementsAre("our_shares[1].purpose"));
  EXPECT_EQ(Checked([](auto& terms) { terms.mutable_proposer_shares(0)->clear_purpose(); }).reason,
            "PURPOSE_MISSING");
  EXPECT_EQ(Checked([](auto& terms) {
              terms.mutable_proposer_shares(0)->set_purpose(
                  static_cast<registration::v1::ConsentPurpose>(99));
            }).reason,
            "PURPOSE_MISSING");
}

TEST(Terms, ShareStatisticsWithoutAPurposeAndWithoutFields) {
  const auto statistics = [](bool field) {
    return [field](v1::AgreementTerms& terms) {
      v1::Share& share = *terms.add_proposer_shares();
      share.add_event_types("sankofa.monitoring.v1.StatisticsPublished");
      if (field) share.add_fields("person.details");
    };
  };
  EXPECT_EQ(Checked(statistics(false)).reason, "OK");
  EXPECT_EQ(Checked(statistics(true)).reason, "FIELD_UNKNOWN");
  EXPECT_EQ(Checked([](auto& terms) {
              terms.mutable_proposer_shares(0)->add_event_types(
                  "sankofa.monitoring.v1.StatisticsPublished");
            }).reason,
            "EVENT_TYPE_NOT_SHAREABLE");
}

TEST(Terms, NameFieldsThatThereAre) {
  for (const char* field :
       {"person", "person.nothing", "-", "-region", "-sankofa.registration.v1.CaseRegistered",
        "-sankofa.registration.v1.CaseRegistered.",
        "-sankofa.registration.v1.CaseRegistered.case_id",
        "-sankofa.registration.v1.CaseRegistered.nothing",
        "-sankofa.registration.v1.CaseArrived.arrival_date",  // of an event that is not shared
        "sankofa.registration.v1.CaseRegistered.region", "+person.details"}) {
    const Outcome outcome =
        Checked([&](auto& terms) { terms.mutable_proposer_shares(0)->set_fields(0, field); });
    EXPECT_EQ(outcome.reason, "FIELD_UNKNOWN") << field;
    EXPECT_THAT(outcome.fields, ElementsAre("our_shares[0].fields[0]"));
  }
}

TEST(Terms, TakeNothingOfWhoSendsNothing) {
  for (const auto kind : {v1::PARTNER_KIND_SUBSCRIBER, v1::PARTNER_KIND_STATISTICS}) {
    const Outcome outcome = Checked([](auto&) {}, kind);
    EXPECT_EQ(outcome.reason, "NOT_A_NODE");
    EXPECT_THAT(outcome.fields, ElementsAre("their_shares"));
    EXPECT_THAT(Checked([](auto&) {}, kind, /*partner_proposes=*/true).fields,
                ElementsAre("our_shares"));
  }
  const auto alone = [](v1::AgreementTerms& terms) { terms.clear_counterpart_shares(); };
  EXPECT_EQ(Checked(alone, v1::PARTNER_KIND_SUBSCRIBER).reason, "OK");
  EXPECT_EQ(Checked(alone, v1::PARTNER_KIND_STATISTICS).reason, "EVENT_TYPE_NOT_SHAREABLE");
  EXPECT_EQ(Checked(
                [](auto& terms) {
                  terms.clear_counterpart_shares();
                  terms.mutable_proposer_shares(0)->Clear();
                  terms.mutable_proposer_shares(0)->add_event_types(
                      "sankofa.monitoring.v1.StatisticsPublished");
                },
                v1::PARTNER_KIND_STATISTICS)
                .reason,
            "OK");
}

TEST(Terms, AreReadFromTheirBytes) {
  const std::string bytes = Good().SerializeAsString();
  const auto read = ReadTerms(bytes, test::Morning());
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(read->SerializeAsString(), bytes);
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    const auto cut = ReadTerms(bytes.substr(0, size), test::Morning());
    if (!cut.ok()) continue;
    EXPECT_EQ(cut->SerializeAsString(), bytes.substr(0, size));
  }
}

TEST(Terms, HaveASubjectOnAFeed) {
  EXPECT_EQ(AgreementSubjectOf("0190:3"), "Agreement/0190");
  EXPECT_EQ(AgreementSubjectOf("0190"), "Agreement/0190");
}

}  // namespace
}  // namespace sankofa::exchange
