#include "services/platform/rpc/identity/access.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "garden/garden.pb.h"
#include "services/platform/status/refuse.h"

namespace sankofa::rpc {
namespace {

using ::testing::ElementsAre;

const google::protobuf::MethodDescriptor& MethodOf(const char* service, const char* method) {
  const auto* found = garden::v1::Tree::descriptor()->file()->FindServiceByName(service);
  return *found->FindMethodByName(method);
}

AccessRule RuleOf(const char* method) { return *AccessRule::Of(MethodOf("GardenService", method)); }

engine::Actor PersonWith(std::vector<std::string> roles, std::string system = "portal") {
  engine::Actor actor;
  actor.subject = "s.ngono";
  actor.roles = std::move(roles);
  actor.system = std::move(system);
  return actor;
}

engine::Actor System(std::string name) {
  engine::Actor actor;
  actor.system = std::move(name);
  return actor;
}

std::string ReasonFor(const char* method, const engine::Actor& actor) {
  return status::ReasonOf(CheckAccess(RuleOf(method), actor));
}

TEST(AccessRuleTest, IsReadFromTheOption) {
  const AccessRule rule = RuleOf("PlantTree");
  EXPECT_THAT(rule.roles, ElementsAre("case_officer", "counsellor"));
  EXPECT_TRUE(rule.systems.empty());
  EXPECT_THAT(RuleOf("CountTrees").systems, ElementsAre("monitoring"));
}

TEST(AccessRuleTest, WithoutAnOptionNobodyIsLetIn) {
  EXPECT_FALSE(AccessRule::Of(MethodOf("WildService", "NoAccess")));
  EXPECT_FALSE(AccessRule::Of(MethodOf("WildService", "NobodyIn")));
}

TEST(AccessTest, APersonIsAllowedByOneOfTheirRoles) {
  EXPECT_EQ(ReasonFor("PlantTree", PersonWith({"auditor", "counsellor"})), "");
  EXPECT_EQ(ReasonFor("PlantTree", PersonWith({"auditor"})), "NOT_ALLOWED");
  EXPECT_EQ(ReasonFor("PlantTree", PersonWith({})), "NOT_ALLOWED");
}

TEST(AccessTest, RolesAreComparedAsTheyAre) {
  for (const char* role :
       {"CASE_OFFICER", "Case_Officer", "role_case_officer", "case_officer ", "case", "", "*"}) {
    EXPECT_EQ(ReasonFor("PlantTree", PersonWith({role})), "NOT_ALLOWED") << role;
  }
}

TEST(AccessTest, ASystemIsAllowedByNameAndWithoutAPersonOnly) {
  EXPECT_EQ(ReasonFor("CountTrees", System("monitoring")), "");
  EXPECT_EQ(ReasonFor("CountTrees", System("funding")), "NOT_ALLOWED");
  EXPECT_EQ(ReasonFor("CountTrees", PersonWith({"case_officer"}, "monitoring")), "NOT_ALLOWED");
  EXPECT_EQ(ReasonFor("GetTree", System("portal")), "");
  // A person who may not is not allowed because the system may.
  EXPECT_EQ(ReasonFor("GetTree", PersonWith({"auditor"}, "portal")), "NOT_ALLOWED");
}

TEST(AccessTest, WhereOnlyAPersonWillDoASystemIsAskedForOne) {
  EXPECT_EQ(ReasonFor("PlantTree", System("portal")), "UNAUTHENTICATED");
  EXPECT_EQ(ReasonFor("GetTree", System("funding")), "UNAUTHENTICATED");
}

TEST(AccessTest, APartnerGetsInWhereTheMethodIsOpenToPartnersAndNowhereElse) {
  EXPECT_EQ(ReasonFor("CountTrees", System("partner-fr")), "");
  for (const char* method : {"PlantTree", "GetTree", "WatchTrees"}) {
    EXPECT_EQ(ReasonFor(method, System("partner-fr")), "NOT_ALLOWED") << method;
  }
}

TEST(AccessTest, APartnerBringsNobody) {
  EXPECT_EQ(ReasonFor("CountTrees", PersonWith({"case_officer"}, "partner-fr")), "NOT_ALLOWED");
  EXPECT_EQ(ReasonFor("PlantTree", PersonWith({"case_officer"}, "partner-fr")), "NOT_ALLOWED");
}

TEST(AccessTest, WhoIsNoPartnerDoesNotGetInAsOne) {
  for (const char* name : {"", "partner", "partner-", "partners", "a-partner-fr", "Partner-fr"}) {
    EXPECT_EQ(ReasonFor("CountTrees", System(name)), "NOT_ALLOWED") << name;
  }
}

TEST(AccessRuleTest, APartnerCanNotBeNamedAsASystem) {
  EXPECT_FALSE(AccessRule::Of(MethodOf("WildService", "NamesAPartner")));
}

TEST(PartnerOfTest, IsTheNameWithoutThePrefix) {
  EXPECT_EQ(PartnerOf("partner-fr"), "fr");
  EXPECT_EQ(PartnerOf("partner-partner-fr"), "partner-fr");
  EXPECT_FALSE(PartnerOf("portal"));
  EXPECT_FALSE(PartnerOf("partner-"));
  EXPECT_FALSE(PartnerOf(""));
}

TEST(SystemOfTest, TakesSystemsOfTheOwnNodeAlone) {
  EXPECT_EQ(SystemOf("spiffe://cm.sankofa/portal", "cm"), "portal");
  EXPECT_EQ(SystemOf("spiffe://cm.sankofa/a-1", "cm"), "a-1");
  for (const char* id :
       {"", "spiffe://tg.sankofa/portal", "spiffe://cm.sankofa.evil.example/portal",
        "spiffe://cm.sankofa/", "spiffe://cm.sankofa/portal/admin", "spiffe://cm.sankofa/Portal",
        "SPIFFE://cm.sankofa/portal", "https://cm.sankofa/portal", "portal",
        "spiffe://cm.sankofa/port al", "spiffe://xcm.sankofa/portal"}) {
    EXPECT_FALSE(SystemOf(id, "cm")) << id;
  }
}

}  // namespace
}  // namespace sankofa::rpc
