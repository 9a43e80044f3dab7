#include "services/registration/case/disclosure.h"

#include <gmock/gmock.h>

#include "services/registration/case/eligibility.h"
#include "services/registration/person/age.h"
#include "tests/unit/registration/fixture.h"

namespace sankofa::registration {
namespace {

using ::testing::ElementsAre;

const absl::CivilDay kToday(2017, 6, 30);

struct File {
  v1::Person person;
  v1::Case of;
};

File Example(const std::vector<std::string>& scopes, const v1::PersonDetails& details = Adult()) {
  File file;
  *file.person.mutable_details() = details;
  AddDocument(*file.person.mutable_details(), "X-1");
  file.person.set_id("person");
  file.person.add_vulnerabilities(v1::VULNERABILITY_DISABILITY);
  file.person.mutable_search_keys()->add_name_tokens("token");
  file.of.set_id("case");
  file.of.set_person_id("person");
  file.of.set_etag("7");
  file.of.set_reference("CM-2017-X");
  *file.of.mutable_header() = Header();
  file.of.mutable_assessment()->set_summary("summary");
  auto* consent = file.of.add_consents();
  consent->set_consent_id("consent");
  consent->set_purpose(v1::CONSENT_PURPOSE_REINTEGRATION);
  consent->set_partner("ofii");
  consent->set_giver(v1::CONSENT_GIVER_PERSON);
  consent->set_from_date("2017-01-01");
  consent->set_until_date("2017-12-31");
  for (const auto& scope : scopes) consent->add_scopes(scope);
  return file;
}

v1::GetDisclosureRequest Request(const std::string& partner = "ofii") {
  v1::GetDisclosureRequest request;
  request.set_case_id("case");
  request.set_partner(partner);
  request.set_purpose(v1::CONSENT_PURPOSE_REINTEGRATION);
  return request;
}

TEST(Scopes, AreShareableFieldsOnly) {
  for (const char* good :
       {"person.details", "person.details.phones", "person.details.documents.number",
        "person.details.household.birth_date", "person.vulnerabilities", "person.payout_accounts",
        "case.reference", "case.header.programme", "case.assessment.needs"}) {
    EXPECT_TRUE(IsShareable(good)) << good;
  }
  for (const char* bad :
       {"", ".", "person", "case", "person.", "person.details.", "person.search_keys",
        "person.suspicions", "person.sealed", "case.notes", "case.consents", "case.person_id",
        "person.details.nothing", "person.details.phones.x", "persons.details", "person details",
        "person.details.household..name", "case_id"}) {
    EXPECT_FALSE(IsShareable(bad)) << bad;
  }
}

TEST(Disclosure, HasExactlyTheFieldsCovered) {
  const File file = Example({"person.details.given_names", "person.details.documents.number",
                             "case.reference", "case.header.programme"});
  const auto disclosure = Disclose(Request(), file.of, file.person, kToday);
  ASSERT_TRUE(disclosure.ok()) << disclosure.status();

  v1::Disclosure expected;
  expected.set_case_id("case");
  expected.set_partner("ofii");
  expected.set_purpose(v1::CONSENT_PURPOSE_REINTEGRATION);
  expected.add_consent_ids("consent");
  expected.set_until_date("2017-12-31");
  for (const char* scope : {"case.header.programme", "case.reference",
                            "person.details.documents.number", "person.details.given_names"}) {
    expected.add_scopes(scope);
  }
  expected.mutable_person()->mutable_details()->set_given_names("Élodie Marthe");
  expected.mutable_person()->mutable_details()->add_documents()->set_number("X-1");
  expected.mutable_case_()->set_reference("CM-2017-X");
  expected.mutable_case_()->mutable_header()->set_programme("ofii-cm-2017");
  EXPECT_EQ(disclosure->DebugString(), expected.DebugString());
}

TEST(Disclosure, OfDetailsHoldsNothingSensitive) {
  const File file = Example({"person.details"});
  const auto disclosure = Disclose(Request(), file.of, file.person, kToday);
  ASSERT_TRUE(disclosure.ok());
  EXPECT_EQ(disclosure->person().details().family_names(), "NGO-TEST");
  EXPECT_EQ(disclosure->person().vulnerabilities_size(), 0);
  EXPECT_FALSE(disclosure->person().has_search_keys());
  EXPECT_FALSE(disclosure->case_().has_assessment());
}

TEST(Disclosure, UnitesWhatSeveralConsentsCoverUntilTheFirstEnds) {
  File file = Example({"person.details.phones"});
  auto* second = file.of.add_consents();
  *second = file.of.consents(0);
  second->set_consent_id("second");
  second->set_until_date("2017-07-31");
  second->clear_scopes();
  second->add_scopes("person.vulnerabilities");
  const auto disclosure = Disclose(Request(), file.of, file.person, kToday);
  ASSERT_TRUE(disclosure.ok());
  EXPECT_THAT(disclosure->consent_ids(), ElementsAre("consent", "second"));
  EXPECT_EQ(disclosure->until_date(), "2017-07-31");
  EXPECT_EQ(disclosure->person().vulnerabilities_size(), 1);
  const auto later = Disclose(Request(), file.of, file.person, absl::CivilDay(2017, 8, 1));
  ASSERT_TRUE(later.ok());
  EXPECT_EQ(later->person().vulnerabilities_size(), 0);
}

TEST(Disclosure, IsRefusedWithoutAConsentThatHolds) {
  const auto reason = [](const File& file, const v1::GetDisclosureRequest& request,
                         absl::CivilDay on = kToday) {
    return Reason(Disclose(request, file.of, file.person, on).status());
  };
  const File file = Example({"person.details"});
  EXPECT_EQ(reason(file, Request("frontex")), "NO_VALID_CONSENT");
  auto payment = Request();
  payment.set_purpose(v1::CONSENT_PURPOSE_PAYMENT);
  EXPECT_EQ(reason(file, payment), "NO_VALID_CONSENT");
  EXPECT_EQ(reason(file, Request(), absl::CivilDay(2016, 12, 31)), "NO_VALID_CONSENT");
  EXPECT_EQ(reason(file, Request(), absl::CivilDay(2018, 1, 1)), "NO_VALID_CONSENT");
  File withdrawn = file;
  withdrawn.of.mutable_consents(0)->mutable_withdrawn_time();
  EXPECT_EQ(reason(withdrawn, Request()), "NO_VALID_CONSENT");
  // A child can't have given it.
  EXPECT_EQ(reason(Example({"person.details"}, Child()), Request()), "NO_VALID_CONSENT");
  File guarded = Example({"person.details"}, Child());
  guarded.of.mutable_consents(0)->set_giver(v1::CONSENT_GIVER_GUARDIAN);
  EXPECT_EQ(reason(guarded, Request()), "OK");
}

TEST(WholeMonths, CountsToTheDay) {
  EXPECT_EQ(WholeMonths(absl::CivilDay(2014, 9, 1), absl::CivilDay(2017, 6, 1)), 33);
  EXPECT_EQ(WholeMonths(absl::CivilDay(2014, 9, 2), absl::CivilDay(2017, 6, 1)), 32);
  EXPECT_EQ(WholeMonths(absl::CivilDay(2017, 1, 31), absl::CivilDay(2017, 2, 28)), 1);
  EXPECT_EQ(WholeMonths(absl::CivilDay(2017, 1, 31), absl::CivilDay(2017, 1, 31)), 0);
  EXPECT_EQ(WholeMonths(absl::CivilDay(2017, 2, 1), absl::CivilDay(2017, 1, 1)), 0);
}

TEST(Eligibility, SaysWhatOthersNeedWithoutNames) {
  File file = Example({"person.details"});
  auto answer = Eligibility(file.of, file.person, /*duplicate_open=*/true, kToday);
  EXPECT_EQ(answer.version(), 7);
  EXPECT_TRUE(answer.duplicate_open());
  EXPECT_EQ(answer.age_years(), 32);
  EXPECT_EQ(answer.adults(), 1);
  EXPECT_EQ(answer.children(), 1);
  EXPECT_THAT(answer.nationalities(), ElementsAre("CM"));
  EXPECT_EQ(answer.months_in_host_country(), 33);
  EXPECT_TRUE(answer.consent_valid());
  EXPECT_EQ(answer.programme(), "ofii-cm-2017");
  EXPECT_EQ(answer.SerializeAsString().find("lodie"), std::string::npos);

  file.of.set_arrival_date("2015-09-01");
  answer = Eligibility(file.of, file.person, false, kToday);
  EXPECT_EQ(answer.return_date(), "2015-09-01");
  EXPECT_EQ(answer.months_in_host_country(), 12);
  EXPECT_FALSE(
      Eligibility(file.of, file.person, false, absl::CivilDay(2018, 1, 1)).consent_valid());
}

TEST(Eligibility, OfAnErasedCaseHoldsNothingPersonal) {
  File file = Example({"person.details"});
  file.of.set_erased(true);
  const auto answer = Eligibility(file.of, v1::Person(), false, kToday);
  EXPECT_TRUE(answer.erased());
  EXPECT_FALSE(answer.consent_valid());
  EXPECT_EQ(answer.age_years(), 0);
  EXPECT_EQ(answer.adults() + answer.children(), 0);
  EXPECT_EQ(answer.nationalities_size(), 0);
}

TEST(Profile, PutsAgesIntoBands) {
  for (const auto& [birth, band] :
       std::vector<std::pair<std::string, v1::AgeBand>>{{"1999-07-01", v1::AGE_BAND_UNDER_18},
                                                        {"1999-06-30", v1::AGE_BAND_18_TO_24},
                                                        {"1992-06-30", v1::AGE_BAND_25_TO_34},
                                                        {"1982-06-30", v1::AGE_BAND_35_TO_49},
                                                        {"1967-06-30", v1::AGE_BAND_50_TO_64},
                                                        {"1952-07-01", v1::AGE_BAND_50_TO_64},
                                                        {"1952-06-30", v1::AGE_BAND_65_AND_OVER}}) {
    v1::Person person;
    *person.mutable_details() = Adult();
    person.mutable_details()->set_birth_date(birth);
    EXPECT_EQ(ProfileOf(person, kToday).age_band(), band) << birth;
  }
  EXPECT_EQ(ProfileOf(v1::Person(), kToday).age_band(), v1::AGE_BAND_UNSPECIFIED);
}

}  // namespace
}  // namespace sankofa::registration
