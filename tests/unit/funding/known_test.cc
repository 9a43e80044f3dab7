#include "services/funding/grant/known.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include "sankofa/registration/v1/registration_events.pb.h"
#include "sankofa/validation/v1/validation_events.pb.h"
#include "services/funding/reactions.h"
#include "tests/unit/funding/scenario.h"

namespace sankofa::funding {
namespace {

using test::At;
using test::Id;
using test::Morning;
using test::Office;
using test::Reason;
using test::World;

// Sends the commands that an event of another service leads to.
template <class Event>
void Hear(World& world, const Event& event, absl::Time when = Morning()) {
  engine::Reactions reactions;
  React(reactions);
  const auto* handler = reactions.Find(Event::descriptor()->full_name());
  ASSERT_NE(handler, nullptr);
  engine::Commands commands;
  handler->react(event, {}, commands);
  for (const auto& command : commands.requests()) {
    absl::Status status = absl::InternalError("not one of funding's commands");
    if (const auto* note = dynamic_cast<const v1::NoteCaseRequest*>(command.get())) {
      status = world.Send(*note, At(when));
    } else if (const auto* filing = dynamic_cast<const v1::NoteCaseFilingRequest*>(command.get())) {
      status = world.Send(*filing, At(when));
    } else if (const auto* erasure =
                   dynamic_cast<const v1::NoteCaseErasureRequest*>(command.get())) {
      status = world.Send(*erasure, At(when));
    } else if (const auto* approval = dynamic_cast<const v1::NoteApprovalRequest*>(command.get())) {
      status = world.Send(*approval, At(when));
    }
    EXPECT_EQ(Reason(status), "OK");
  }
}

TEST(Reactions, KeepTheDayOfTheFirstSubmission) {
  World world(BindCommands);
  registration::v1::CaseRegistered registered;
  registered.set_case_id("c");
  registered.set_person_id("p");
  registered.set_programme("ofii-2023");
  registered.set_host_country("BE");
  registered.set_origin_country("CM");
  Hear(world, registered, Morning());
  EXPECT_EQ(world.Get<v1::CaseFile>("c").filed_date(), "2017-06-30");

  registration::v1::CaseSubmitted submitted;
  submitted.set_case_id("c");
  submitted.mutable_header()->set_programme("ofii-cm-2017");
  submitted.mutable_header()->set_host_country("FR");
  submitted.mutable_header()->set_origin_country("CM");
  Hear(world, submitted, Morning() + absl::Hours(48));
  EXPECT_EQ(world.Get<v1::CaseFile>("c").filed_date(), "2017-07-02");
  EXPECT_EQ(world.Get<v1::CaseFile>("c").host_country(), "FR");
  EXPECT_EQ(world.Get<v1::CaseFile>("c").programme(), "ofii-cm-2017");
  EXPECT_EQ(world.Get<v1::CaseFile>("c").person_id(), "p");

  Hear(world, submitted, Morning() + absl::Hours(480));
  EXPECT_EQ(world.Get<v1::CaseFile>("c").filed_date(), "2017-07-02");
}

TEST(Reactions, ErasureDestroysTheKeyOnce) {
  World world(BindCommands);
  registration::v1::CaseErased erased;
  erased.set_case_id("c");
  Hear(world, erased);
  EXPECT_TRUE(world.Get<v1::CaseFile>("c").erased());
  ASSERT_EQ(world.last().size(), 1);
  EXPECT_TRUE(world.last()[0].event->GetDescriptor()->options().GetExtension(common::v1::erases));
  Hear(world, erased);
  EXPECT_TRUE(world.last().empty());
}

TEST(Reactions, KnowAnApprovedProject) {
  World world(BindCommands);
  validation::v1::ProjectApproved approved;
  approved.set_project_id("p");
  approved.set_case_id("c");
  approved.set_version(2);
  *approved.mutable_amount() = money::Of("XAF", 1'000'000);
  approved.set_kind(validation::v1::PROJECT_KIND_TRAINING);
  approved.set_programme("ofii-cm-2017");
  approved.set_sector("sewing");
  approved.set_session_id("s");
  Hear(world, approved);
  const auto& project = world.Get<v1::ApprovedProject>("p");
  EXPECT_EQ(project.case_id(), "c");
  EXPECT_EQ(project.version(), 2);
  EXPECT_EQ(project.approved().minor_units(), 1'000'000);
  EXPECT_EQ(project.kind(), v1::PROJECT_KIND_TRAINING);
  EXPECT_EQ(project.granted().minor_units(), 0);
}

TEST(ApprovedProject, RefusesWhatCannotBe) {
  Office office;
  office.Approve(1, money::Of("EUR", 5'000'00));
  v1::NoteApprovalRequest request;
  request.set_project_id(Id("project"));
  request.set_case_id(Id("case", 2));
  *request.mutable_approved() = money::Of("EUR", 1);
  EXPECT_EQ(Reason(office.world().Send(request, At())), "CASE_MISMATCH");
  request.set_case_id(Id("case"));
  request.mutable_approved()->set_minor_units(0);
  EXPECT_EQ(Reason(office.world().Send(request, At())), "AMOUNT_NOT_POSITIVE");
  *request.mutable_approved() = money::Of("USD", 1);
  EXPECT_EQ(Reason(office.world().Send(request, At())), "AMOUNT_NOT_POSITIVE");
}

TEST(ApprovedProject, KeepsWhatIsDrawnWhenALaterVersionIsApproved) {
  Office office;
  office.Approve(1, money::Of("EUR", 5'000'00));
  ASSERT_EQ(Reason(office.Reserve(test::ReserveRequest(1'000'00), test::GoodFacts())), "OK");
  office.Approve(1, money::Of("XAF", 4'000'000), 2);
  const auto& project = office.world().Get<v1::ApprovedProject>(Id("project"));
  EXPECT_EQ(project.granted().currency(), "XAF");
  EXPECT_EQ(project.granted().minor_units(), 655'957);
}

// An event that was put aside is replayed when others of its stream have taken effect.
TEST(ApprovedProject, AnEarlierApprovalThatComesLateChangesNothing) {
  Office office;
  office.Approve(1, money::Of("EUR", 5'000'00), 2);
  office.Approve(1, money::Of("EUR", 7'000'00), 1);
  const auto& project = office.world().Get<v1::ApprovedProject>(Id("project"));
  EXPECT_EQ(project.version(), 2);
  EXPECT_EQ(project.approved().minor_units(), 5'000'00);
}

TEST(Reactions, ARegistrationThatComesLateLeavesTheFilingAsItIs) {
  World world(BindCommands);
  registration::v1::CaseSubmitted submitted;
  submitted.set_case_id("c");
  submitted.mutable_header()->set_programme("ofii-cm-2017");
  submitted.mutable_header()->set_host_country("FR");
  Hear(world, submitted, Morning() + absl::Hours(48));
  registration::v1::CaseRegistered registered;
  registered.set_case_id("c");
  registered.set_person_id("p");
  registered.set_programme("eurp-voluntary");
  registered.set_host_country("DE");
  Hear(world, registered);
  const auto& file = world.Get<v1::CaseFile>("c");
  EXPECT_EQ(file.person_id(), "p");
  EXPECT_EQ(file.programme(), "ofii-cm-2017");
  EXPECT_EQ(file.host_country(), "FR");
  EXPECT_EQ(file.filed_date(), "2017-07-02");
}

v1::PersonGrant Grant(const std::string& programme, const std::string& scheme, int level,
                      const std::string& case_id, v1::GrantState state, std::int64_t cents,
                      std::vector<std::string> complementary = {}) {
  v1::PersonGrant grant;
  grant.set_grant_id("earlier");
  grant.set_programme(programme);
  grant.set_scheme(scheme);
  grant.set_level(level);
  grant.set_case_id(case_id);
  grant.set_state(state);
  *grant.mutable_amount() = money::Of("EUR", cents);
  for (const auto& other : complementary) grant.add_complementary_programmes(other);
  return grant;
}

struct TwiceCase {
  const char* name;
  v1::PersonGrant earlier;
  v1::PersonGrant wanted;
  bool once;
  const char* reason;
};

TEST(CheckNotFundedTwice, Table) {
  constexpr auto kReserved = v1::GRANT_STATE_RESERVED;
  constexpr auto kCompleted = v1::GRANT_STATE_COMPLETED;
  constexpr auto kCancelled = v1::GRANT_STATE_CANCELLED;
  const auto wanted = [](std::vector<std::string> complementary = {}) {
    return Grant("a", "s", 3, "case", kReserved, 50, std::move(complementary));
  };
  const TwiceCase cases[] = {
      {"the same level of the same case", Grant("a", "s", 3, "case", kReserved, 10), wanted(), true,
       "PROGRAMME_ALREADY_USED"},
      {"another level of the same case", Grant("a", "s", 1, "case", kReserved, 10), wanted(), true,
       "OK"},
      {"a later case", Grant("a", "s", 1, "old", kCompleted, 10), wanted(), true,
       "PROGRAMME_ALREADY_USED"},
      {"a later case, the same family", Grant("b", "s", 1, "old", kCompleted, 10), wanted(), true,
       "PROGRAMME_ALREADY_USED"},
      {"a later case, not once per person", Grant("a", "s", 3, "old", kCompleted, 10), wanted(),
       false, "OK"},
      {"cancelled, nothing paid", Grant("a", "s", 3, "case", kCancelled, 0), wanted(), true, "OK"},
      {"cancelled, something paid", Grant("a", "s", 3, "case", kCancelled, 5), wanted(), true,
       "PROGRAMME_ALREADY_USED"},
      {"another programme, same case", Grant("b", "t", 1, "case", kReserved, 10), wanted(), true,
       "DOUBLE_FUNDING"},
      {"another programme, same case, completed", Grant("b", "t", 1, "case", kCompleted, 10),
       wanted(), false, "DOUBLE_FUNDING"},
      {"another programme, other case, running", Grant("b", "t", 1, "old", kReserved, 10), wanted(),
       false, "DOUBLE_FUNDING"},
      {"another programme, other case, over", Grant("b", "t", 1, "old", kCompleted, 10), wanted(),
       true, "OK"},
      {"complementary on one side", Grant("b", "t", 1, "case", kReserved, 10), wanted({"b"}), true,
       "DOUBLE_FUNDING"},
      {"complementary on the other side", Grant("b", "t", 1, "case", kReserved, 10, {"a"}),
       wanted(), true, "DOUBLE_FUNDING"},
      {"complementary on both", Grant("b", "t", 1, "case", kReserved, 10, {"a"}), wanted({"b"}),
       true, "OK"},
      {"within the ceiling together", Grant("a", "s", 3, "case", kReserved, 50), wanted(), false,
       "OK"},
      {"above the ceiling together", Grant("a", "s", 3, "case", kReserved, 51), wanted(), false,
       "ABOVE_CEILING"},
  };
  for (const TwiceCase& one : cases) {
    v1::PersonFunding person;
    *person.add_grants() = one.earlier;
    EXPECT_EQ(Reason(CheckNotFundedTwice(person, one.wanted, one.once, money::Of("EUR", 100))),
              one.reason)
        << one.name;
  }
}

RC_GTEST_PROP(CheckNotFundedTwice, NeverLetsACaseAboveTheCeilingOfItsLevel, ()) {
  v1::PersonFunding person;
  const auto ceiling = money::Of("EUR", 1000);
  const auto amounts =
      *rc::gen::container<std::vector<std::int64_t>>(rc::gen::inRange<std::int64_t>(1, 600));
  const bool once = *rc::gen::arbitrary<bool>();
  std::int64_t sum = 0;
  for (const auto amount : amounts) {
    const auto wanted = Grant("a", "s", 3, "case", v1::GRANT_STATE_RESERVED, amount);
    if (!CheckNotFundedTwice(person, wanted, once, ceiling).ok()) continue;
    *person.add_grants() = wanted;
    sum += amount;
  }
  RC_ASSERT(sum <= ceiling.minor_units());
  if (once) RC_ASSERT(person.grants_size() <= 1);
}

TEST(PaymentId, KeysOfTwoProvidersNeverMeet) {
  EXPECT_NE(PaymentIdKey("bank", "a:b"), PaymentIdKey("bank-a", "b"));
  EXPECT_EQ(PaymentIdKey("bank", "7"), "bank:7");
}

}  // namespace
}  // namespace sankofa::funding
