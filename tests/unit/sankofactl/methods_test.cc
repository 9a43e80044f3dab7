#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "services/sankofactl/catalogue.h"
#include "services/sankofactl/output/json.h"
#include "tests/unit/sankofactl/fixture.h"

namespace sankofa::ctl {
namespace {

using ::testing::AllOf;
using testing::FakeNode;
using ::testing::HasSubstr;
using ::testing::Not;
using testing::RunWith;
using ::testing::StartsWith;

TEST(CatalogueTest, KnowsEveryServicesMethodsAndEvents) {
  std::set<std::string> services;
  for (const auto* method : Methods()) {
    services.insert(method->service()->full_name());
    EXPECT_EQ(*FindMethod(PathOf(*method)), method);
    EXPECT_NE(FindType(method->input_type()->full_name()), nullptr);
  }
  EXPECT_THAT(services, ::testing::ElementsAre("sankofa.common.v1.NodeService",
                                               "sankofa.exchange.v1.ExchangeService",
                                               "sankofa.funding.v1.FundingService",
                                               "sankofa.monitoring.v1.MonitoringService",
                                               "sankofa.registration.v1.RegistrationService",
                                               "sankofa.validation.v1.ValidationService"));
  for (const char* type :
       {"sankofa.registration.v1.CaseSubmitted", "sankofa.validation.v1.ProjectApproved",
        "sankofa.funding.v1.GrantSigned", "sankofa.monitoring.v1.VisitRecorded",
        "sankofa.exchange.v1.UpdateReceived", "sankofa.exchange.v1.SignedFeedEvent",
        "sankofa.common.v1.ReadRecorded"}) {
    EXPECT_NE(FindType(type), nullptr) << type;
  }
  EXPECT_EQ(FindType("sankofa.registration.v1.Nothing"), nullptr);
  EXPECT_EQ(FindType(""), nullptr);
}

class MethodsTest : public ::testing::Test {
 protected:
  testing::Ran Methods(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), "methods");
    return RunWith(node_, {}, std::move(arguments));
  }
  FakeNode node_;
};

TEST_F(MethodsTest, AreListedWithRolesAndRequestFields) {
  const auto ran = Methods({"registration"});
  EXPECT_EQ(ran.exit_code, 0);
  EXPECT_THAT(ran.out, HasSubstr("RegistrationService/CheckEligibility  (query)\n"));
  EXPECT_THAT(ran.out, HasSubstr("  systems  validation"));
  EXPECT_THAT(ran.out, HasSubstr("RegistrationService/AcceptCase  (command)\n  roles    "));
  EXPECT_THAT(ran.out, HasSubstr("  request  request_id* case_id*"));
  EXPECT_THAT(ran.out, Not(HasSubstr("ValidationService/")));
}

TEST_F(MethodsTest, OfAllServicesOfTheNodeAndOfStreams) {
  const auto all = Methods({});
  EXPECT_THAT(all.out, AllOf(HasSubstr("FundingService/ReserveGrant  (command)"),
                             HasSubstr("MonitoringService/WatchCase  (stream)"),
                             HasSubstr("NodeService/ListDeadLetters  (query)")));
  const auto node = Methods({"node"});
  EXPECT_THAT(node.out, AllOf(StartsWith("NodeService/"), Not(HasSubstr("FundingService"))));
}

TEST_F(MethodsTest, OneIsShownWithTheRulesOfItsFields) {
  const auto ran = Methods({"RecordVisit"});
  EXPECT_EQ(ran.exit_code, 0);
  EXPECT_THAT(ran.out, HasSubstr("visit_number"));
  EXPECT_THAT(ran.out, HasSubstr("required, at least 1, at most 24"));
  EXPECT_THAT(ran.out, HasSubstr("required, past_date"));
  EXPECT_THAT(ran.out, HasSubstr("required, at most 4000 letters, sensitive"));
  EXPECT_THAT(ran.out, HasSubstr("list of DocumentReference"));
  EXPECT_THAT(ran.out, HasSubstr("BUSINESS_STATUS_"));
  EXPECT_EQ(Methods({"nothing"}).exit_code, 2);
}

TEST_F(MethodsTest, ForPrograms) {
  const auto ran = Methods({"GetCaseView", "--json"});
  const auto json = Json::Parse(ran.out);
  ASSERT_TRUE(json.ok()) << ran.out;
  EXPECT_THAT(ran.out,
              HasSubstr("\"method\":\"sankofa.monitoring.v1.MonitoringService/GetCaseView\""));
  EXPECT_THAT(ran.out, HasSubstr("{\"name\":\"case_id\",\"type\":\"string\",\"rules\":"
                                 "[\"required\",\"uuid\"]}"));
}

}  // namespace
}  // namespace sankofa::ctl
