#include "tests/unit/registration/border.h"

#include <gmock/gmock.h>
#include <rapidcheck/gtest.h>

#include <functional>

#include "sankofa/registration/v1/claim.pb.h"
#include "services/registration/border/incoming.h"
#include "services/registration/border/sides.h"
#include "services/registration/case/eligibility.h"
#include "services/registration/person/age.h"

// A case that two nodes know: how it comes, who may do what, and how it goes.
namespace sankofa::registration {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

const v1::Person& PersonAt(Side& side, const std::string& case_id) {
  return side.world.person(side.of(case_id).person_id());
}

TEST(IncomingCase, IsOpenedForAcceptanceWithThePersonDisclosed) {
  Border border;
  const std::string id = border.Submit();
  auto details = Adult("Komla", "AGBEKO-TEST");
  details.clear_household();
  border.Disclose(id, details);
  border.Settle();
  EXPECT_THAT(border.tg.refusals, IsEmpty());

  const v1::Case& here = border.tg.of(id);
  const v1::Case& there = border.fr.of(id);
  EXPECT_EQ(here.state(), v1::CASE_STATE_SUBMITTED);
  EXPECT_EQ(here.source_node(), "fr");
  EXPECT_EQ(here.responsible_organisation(), "fr");
  EXPECT_EQ(here.responsible_node(), "fr");
  EXPECT_EQ(here.reference(), there.reference());
  EXPECT_EQ(here.header().SerializeAsString(), there.header().SerializeAsString());
  EXPECT_EQ(here.adults(), there.adults());
  EXPECT_EQ(here.children(), there.children());
  EXPECT_EQ(here.profile().SerializeAsString(), there.profile().SerializeAsString());
  EXPECT_NE(here.person_id(), there.person_id()) << "each node has its own pseudonyms of persons";

  const v1::Person& person = PersonAt(border.tg, id);
  EXPECT_EQ(person.details().family_names(), "AGBEKO-TEST");
  EXPECT_EQ(person.open_case_id(), id);
  EXPECT_EQ(person.source_node(), "fr");
  EXPECT_EQ(person.id(), PartnerPersonId("fr", id));

  // What comes for a purpose goes back for it, and nothing personal with it.
  ASSERT_THAT(here.consents(), SizeIs(1));
  EXPECT_EQ(here.consents(0).partner(), "fr");
  EXPECT_EQ(here.consents(0).giver(), v1::CONSENT_GIVER_PARTNER);
  EXPECT_EQ(here.consents(0).until_date(), "2018-06-30");
  EXPECT_THAT(here.consents(0).scopes(), IsEmpty());
  const auto eligible = Eligibility(here, person, false, time::DayOf(Morning()));
  EXPECT_TRUE(eligible.consent_valid());
  EXPECT_EQ(eligible.children(), there.children()) << "the household was not disclosed";
}

TEST(IncomingCase, NeedsNothingDisclosed) {
  Border border;
  const std::string id = border.Submit();
  border.Settle();
  EXPECT_THAT(border.tg.refusals, IsEmpty());
  const v1::Person& person = PersonAt(border.tg, id);
  EXPECT_EQ(person.state(), v1::PERSON_STATE_ACTIVE);
  EXPECT_TRUE(person.details().given_names().empty());
  EXPECT_THAT(person.search_keys().claims(), IsEmpty());
  EXPECT_FALSE(person.duplicate_open());
  // Nobody knows how old the person is; the band is known.
  EXPECT_EQ(AgeOf(person, time::DayOf(Morning())), 0);
  EXPECT_FALSE(IsChild(person, time::DayOf(Morning())));
  EXPECT_EQ(Eligibility(border.tg.of(id), person, false, time::DayOf(Morning())).age_years(), 25);
  // A second pseudonymous person is not taken for the first.
  const std::string second = border.Submit();
  border.Settle();
  EXPECT_FALSE(PersonAt(border.tg, second).duplicate_open());
  // The case goes its way all the same, with the household and the profile that the partner gave.
  ASSERT_TRUE(border.tg.Send(ForCase<v1::AcceptCaseRequest>(id)).ok());
  auto arrival = ForCase<v1::ConfirmArrivalRequest>(id);
  arrival.set_arrival_date("2017-06-20");
  ASSERT_TRUE(border.tg.Send(arrival).ok());
  ASSERT_TRUE(border.tg.Send(Assessment(id)).ok());
  EXPECT_EQ(border.tg.of(id).children(), 1);
  EXPECT_EQ(border.tg.of(id).profile().age_band(), v1::AGE_BAND_25_TO_34);
}

TEST(IncomingCase, LooksForDuplicatesAsEveryRegistrationDoes) {
  Border border;
  auto details = Adult("Komla", "AGBEKO-TEST");
  AddDocument(details, "TG-77");
  v1::RegisterPersonRequest known;
  *known.mutable_details() = details;
  known.set_request_id(test::NextRequestId());
  ASSERT_TRUE(border.tg.Send(known).ok());
  const std::string own = engine::DerivedId(known.request_id());

  const std::string id = border.Submit();
  v1::PersonDetails part;  // a document's number is enough
  *part.add_documents() = details.documents(0);
  border.Disclose(id, part);
  border.Settle();
  const std::string made = border.tg.of(id).person_id();
  EXPECT_TRUE(border.tg.world.person(made).duplicate_open());
  v1::TellDuplicatesRequest tell;
  tell.set_person_id(made);
  ASSERT_TRUE(border.tg.Send(tell).ok());
  EXPECT_TRUE(border.tg.world.person(own).duplicate_open());

  // The record registered here stays in use; what hangs on it is not erased from abroad.
  auto resolve = ForPerson<v1::ResolveDuplicateRequest>(own);
  resolve.set_other_person_id(made);
  resolve.set_verdict(v1::DUPLICATE_VERDICT_SAME_PERSON);
  EXPECT_EQ(Reason(border.tg.Send(resolve)), "KEEP_OWN_RECORD");
  resolve.set_person_id(made);
  resolve.set_other_person_id(own);
  resolve.clear_request_id();
  EXPECT_EQ(Reason(border.tg.Send(resolve)), "OK");
  border.Settle();
  EXPECT_EQ(border.fr.of(id).state(), v1::CASE_STATE_CLOSED);
  EXPECT_EQ(border.fr.of(id).close_reason(), v1::CLOSE_REASON_DUPLICATE);
}

TEST(IncomingCase, LeavesOutWhatIsNotWellFormed) {
  Border border;
  const std::string id = border.Submit();
  v1::PersonDetails garbage;
  garbage.set_birth_date("31/12/1980");
  garbage.set_given_names(std::string(5000, 'x'));
  garbage.set_sex(static_cast<v1::Sex>(99));
  for (int i = 0; i < 200; ++i) garbage.add_phones("not a phone");
  for (int i = 0; i < 200; ++i) garbage.add_household()->set_birth_date("2010-13-01");
  border.Disclose(id, garbage, "not a day");
  border.Settle();
  EXPECT_THAT(border.tg.refusals, IsEmpty());
  const v1::Person& person = PersonAt(border.tg, id);
  EXPECT_TRUE(person.details().birth_date().empty());
  EXPECT_TRUE(person.details().given_names().empty());
  EXPECT_EQ(person.details().sex(), v1::SEX_UNSPECIFIED);
  EXPECT_EQ(person.details().phones_size(), 5);
  EXPECT_EQ(person.details().household_size(), 20);
  EXPECT_EQ(border.tg.of(id).consents(0).until_date(), "2022-06-30");
  (void)HouseholdOf(person, time::DayOf(Morning()));

  v1::CaseRegistered told;
  told.set_case_id(test::NextRequestId());
  told.set_host_entry_date("yesterday");
  told.set_arrival_date("tomorrow");
  told.set_adults(-4);
  told.set_return_type(static_cast<v1::ReturnType>(77));
  border.fr.Tell(told, told.case_id());
  border.Settle();
  const v1::Case& of = border.tg.of(told.case_id());
  EXPECT_EQ(of.state(), v1::CASE_STATE_REGISTERED);
  EXPECT_TRUE(of.header().host_entry_date().empty());
  EXPECT_TRUE(of.arrival_date().empty());
  EXPECT_EQ(of.adults(), 0);
  EXPECT_FALSE(of.reference().empty());
  (void)Eligibility(of, border.tg.world.person(of.person_id()), false, time::DayOf(Morning()));
}

TEST(IncomingCase, IsRefusedWhereItIsAnotherOnesOrNoneAtAll) {
  Border border;
  const std::string own = border.SubmitRetroactive();
  v1::CaseRegistered told;
  told.set_case_id(own);
  border.fr.Tell(told, own);  // TG's own case
  told.set_case_id(test::NextRequestId());
  border.fr.Tell(told, test::NextRequestId());  // a subject that it is not about
  told.set_case_id("short");
  border.fr.Tell(told, "short");
  border.Settle();
  EXPECT_THAT(border.tg.refusals,
              ElementsAre("sankofa.registration.v1.CaseRegistered: NOT_OWNER_OF_FACT",
                          "sankofa.registration.v1.CaseRegistered: FACT_MALFORMED",
                          "sankofa.registration.v1.CaseRegistered: FACT_MALFORMED"));
  EXPECT_TRUE(border.tg.of(own).source_node().empty());
}

TEST(IncomingCase, IsTakenInOnce) {
  Border border;
  const std::string id = border.Submit();
  border.Settle();
  const std::string before = border.tg.of(id).SerializeAsString();
  for (const auto& update : border.past["fr"]) Border::Hand(update, border.tg);
  EXPECT_EQ(border.tg.of(id).SerializeAsString(), before);
  EXPECT_THAT(border.tg.refusals, IsEmpty());
}

TEST(IncomingCase, HasNoOtherCaseOnItsRecord) {
  Border border;
  const std::string id = border.Submit();
  border.Settle();
  auto close = ForCase<v1::CloseCaseRequest>(id);
  close.set_reason(v1::CLOSE_REASON_WITHDRAWN);
  ASSERT_TRUE(border.fr.Send(close).ok());
  border.Settle();
  v1::RegisterCaseRequest open;
  open.set_person_id(border.tg.of(id).person_id());
  *open.mutable_header() = Border::HeaderTo("fr");
  EXPECT_EQ(Reason(border.tg.Send(open)), "PERSON_OF_PARTNER");
}

TEST(Disclosure, IsFollowedUntilThisNodeKnowsBetter) {
  Border border;
  const std::string id = border.Submit();
  border.Disclose(id, Adult("Komla", "AGBEKO-TEST"));
  border.Settle();
  ex::DisclosureChanged changed;
  changed.set_case_id(id);
  auto moved = Adult("Komla", "AGBEKO-TEST");
  moved.set_phones(0, "+22890000001");
  border.Disclose(id, moved);
  border.fr.Tell(changed, id, /*discloses=*/true);
  border.Settle();
  EXPECT_EQ(PersonAt(border.tg, id).details().phones(0), "+22890000001");

  auto update = ForPerson<v1::UpdatePersonRequest>(border.tg.of(id).person_id());
  *update.mutable_details() = Adult("Komla", "AGBEKO-TEST");
  update.mutable_details()->set_phones(0, "+22890000002");
  ASSERT_TRUE(border.tg.Send(update).ok());
  border.fr.Tell(changed, id, /*discloses=*/true);
  border.Settle();
  EXPECT_EQ(PersonAt(border.tg, id).details().phones(0), "+22890000002");
  EXPECT_THAT(border.tg.refusals, IsEmpty());
}

TEST(Disclosure, WithdrawnHereStaysWithdrawn) {
  Border border;
  const std::string id = border.Submit();
  border.Disclose(id, Adult());
  border.Settle();
  auto withdraw = ForCase<v1::WithdrawConsentRequest>(id);
  withdraw.set_consent_id(border.tg.of(id).consents(0).consent_id());
  withdraw.set_giver(v1::CONSENT_GIVER_PARTNER);
  EXPECT_EQ(Reason(border.tg.Send(withdraw)), "CONSENT_GIVER");
  withdraw.set_giver(v1::CONSENT_GIVER_PERSON);
  ASSERT_TRUE(border.tg.Send(withdraw).ok());
  ex::DisclosureChanged changed;
  changed.set_case_id(id);
  border.fr.Tell(changed, id, /*discloses=*/true);
  border.Settle();
  EXPECT_THAT(border.tg.of(id).consents(), SizeIs(1));
  EXPECT_TRUE(border.tg.of(id).consents(0).has_withdrawn_time());
}

// --- Who may do what ---

enum Situation {
  kSubmitted,
  kAccepted,
  kArrived,
  kAssessed,
  kReintegrating,
  kRefused,  // closed from SUBMITTED
  kEnded,    // closed from REINTEGRATING
  kErased,
  kSituations,
};

// Brings the case at both nodes; `agency` follows it, `answering` accepts it.
void Bring(Border& border, const std::string& id, int situation, bool retroactive) {
  Side& agency = border.tg;
  border.Settle();
  if (situation == kErased) {
    Side& owner = retroactive ? border.tg : border.fr;
    auto erase = ForPerson<v1::ErasePersonRequest>(owner.of(id).person_id());
    erase.set_basis(v1::ERASURE_BASIS_REQUEST);
    erase.set_reason("asked");
    ASSERT_TRUE(owner.Send(erase).ok());
    ex::ErasureRequested ask;
    ask.set_erasure_id("erasure");
    ask.set_case_id(id);
    owner.Tell(ask, id);
    border.Settle();
    return;
  }
  auto answer = ForCase<v1::AnswerRetroactiveCaseRequest>(id);
  answer.set_accepted(situation != kRefused);
  answer.set_reason(v1::REFUSAL_REASON_OUT_OF_SCOPE);
  auto refuse = ForCase<v1::RefuseCaseRequest>(id);
  refuse.set_reason(v1::REFUSAL_REASON_OUT_OF_SCOPE);
  if (situation == kSubmitted) return;
  if (retroactive) {
    ASSERT_TRUE(border.fr.Send(answer).ok());
  } else if (situation == kRefused) {
    ASSERT_TRUE(border.tg.Send(refuse).ok());
  } else {
    ASSERT_TRUE(border.tg.Send(ForCase<v1::AcceptCaseRequest>(id)).ok());
  }
  border.Settle();
  if (situation <= kAccepted || situation == kRefused) return;
  auto arrival = ForCase<v1::ConfirmArrivalRequest>(id);
  arrival.set_arrival_date("2017-06-20");
  if (!retroactive) {
    ASSERT_TRUE(agency.Send(arrival).ok());
  }
  if (situation >= kAssessed) {
    ASSERT_TRUE(agency.Send(Assessment(id)).ok());
  }
  if (situation >= kReintegrating) {
    ASSERT_TRUE(agency.Send(ForCase<v1::StartReintegrationRequest>(id)).ok());
  }
  auto close = ForCase<v1::CloseCaseRequest>(id);
  close.set_reason(v1::CLOSE_REASON_COMPLETED);
  if (situation == kEnded) {
    ASSERT_TRUE(agency.Send(close).ok());
  }
  border.Settle();
}

struct Line {
  const char* command;
  std::function<absl::Status(Side&, const std::string& id)> run;
  std::vector<std::string> host;    // expected at FR, by situation
  std::vector<std::string> agency;  // expected at TG
};

template <class Request>
std::function<absl::Status(Side&, const std::string&)> With(Request request) {
  return [request](Side& side, const std::string& id) mutable {
    request.set_case_id(id);
    return side.Send(request);
  };
}

void CheckLines(const std::vector<Line>& lines, bool retroactive) {
  for (const Line& line : lines) {
    ASSERT_EQ(line.host.size(), static_cast<size_t>(kSituations)) << line.command;
    ASSERT_EQ(line.agency.size(), static_cast<size_t>(kSituations)) << line.command;
    for (int situation = 0; situation < kSituations; ++situation) {
      if (retroactive && situation == kAccepted) continue;  // arrives with the acceptance
      for (const bool at_host : {true, false}) {
        Border border;
        const std::string id = retroactive ? border.SubmitRetroactive() : border.Submit();
        Bring(border, id, situation, retroactive);
        Side& side = at_host ? border.fr : border.tg;
        const std::string before = side.of(id).SerializeAsString();
        const absl::Status status = line.run(side, id);
        const auto& expected = at_host ? line.host : line.agency;
        EXPECT_EQ(Reason(status), expected[static_cast<size_t>(situation)])
            << line.command << " in situation " << situation << " at " << side.name();
        if (!status.ok()) {
          EXPECT_EQ(before, side.of(id).SerializeAsString());
        }
        border.Settle();
        EXPECT_EQ(border.fr.of(id).state(), border.tg.of(id).state())
            << line.command << " in situation " << situation << " at " << side.name();
        EXPECT_THAT(border.fr.refusals, IsEmpty());
        EXPECT_THAT(border.tg.refusals, IsEmpty());
      }
    }
  }
}

constexpr const char* kOk = "OK";
constexpr const char* kGone = "CASE_ERASED";
constexpr const char* kClosed = "CASE_CLOSED";
constexpr const char* kOpen = "CASE_NOT_CLOSED";
constexpr const char* kTheirs = "CASE_OF_PARTNER";
constexpr const char* kTheyRun = "PARTNER_RUNS_CASE";
constexpr const char* kTheyAnswer = "PARTNER_ANSWERS";
constexpr const char* kNotSubmitted = "CASE_NOT_SUBMITTED";
constexpr const char* kNotAccepted = "CASE_NOT_ACCEPTED";
constexpr const char* kNotArrived = "CASE_NOT_ARRIVED";
constexpr const char* kNotRegistered = "CASE_NOT_REGISTERED";
constexpr const char* kFrozen = "HEADER_FROZEN";
constexpr const char* kAwaitsHost = "RETROACTIVE_AWAITS_HOST";
constexpr const char* kNotRetro = "NOT_RETROACTIVE";
constexpr const char* kNotAssessed = "CASE_NOT_ASSESSED";

v1::RefuseCaseRequest Refusal() {
  v1::RefuseCaseRequest request;
  request.set_reason(v1::REFUSAL_REASON_NO_CAPACITY);
  return request;
}
v1::AnswerRetroactiveCaseRequest Answer() {
  v1::AnswerRetroactiveCaseRequest request;
  request.set_accepted(true);
  return request;
}
v1::ConfirmArrivalRequest Arrival() {
  v1::ConfirmArrivalRequest request;
  request.set_arrival_date("2017-06-21");
  return request;
}
v1::CloseCaseRequest Closing() {
  v1::CloseCaseRequest request;
  request.set_reason(v1::CLOSE_REASON_WITHDRAWN);
  return request;
}
v1::ReopenCaseRequest Reopening() {
  v1::ReopenCaseRequest request;
  request.set_reason("again");
  return request;
}
v1::UpdateCaseHeaderRequest HeaderChange() {
  v1::UpdateCaseHeaderRequest request;
  *request.mutable_header() = Border::HeaderTo("tg");
  return request;
}

// Every command whose owner depends on the border, in every state, at both nodes. After each, both agree.
TEST(Border, OrdinaryDirection) {
  CheckLines(
      {
          {"UpdateCaseHeader",
           With(HeaderChange()),
           {kFrozen, kFrozen, kFrozen, kFrozen, kFrozen, kClosed, kClosed, kGone},
           {kTheirs, kTheirs, kTheirs, kTheirs, kTheirs, kClosed, kClosed, kGone}},
          {"SubmitCase",
           With(v1::SubmitCaseRequest()),
           {kNotRegistered, kNotRegistered, kNotRegistered, kNotRegistered, kNotRegistered, kClosed,
            kClosed, kGone},
           {kNotRegistered, kNotRegistered, kNotRegistered, kNotRegistered, kNotRegistered, kClosed,
            kClosed, kGone}},
          {"AcceptCase",
           With(v1::AcceptCaseRequest()),
           {kTheyAnswer, kNotSubmitted, kNotSubmitted, kNotSubmitted, kNotSubmitted, kClosed,
            kClosed, kGone},
           {kOk, kNotSubmitted, kNotSubmitted, kNotSubmitted, kNotSubmitted, kClosed, kClosed,
            kGone}},
          {"RefuseCase",
           With(Refusal()),
           {kTheyAnswer, kNotSubmitted, kNotSubmitted, kNotSubmitted, kNotSubmitted, kClosed,
            kClosed, kGone},
           {kOk, kNotSubmitted, kNotSubmitted, kNotSubmitted, kNotSubmitted, kClosed, kClosed,
            kGone}},
          {"AnswerRetroactiveCase",
           With(Answer()),
           {kNotRetro, kNotSubmitted, kNotSubmitted, kNotSubmitted, kNotSubmitted, kClosed, kClosed,
            kGone},
           {kNotRetro, kNotSubmitted, kNotSubmitted, kNotSubmitted, kNotSubmitted, kClosed, kClosed,
            kGone}},
          {"ConfirmArrival",
           With(Arrival()),
           {kNotAccepted, kTheyRun, kNotAccepted, kNotAccepted, kNotAccepted, kClosed, kClosed,
            kGone},
           {kNotAccepted, kOk, kNotAccepted, kNotAccepted, kNotAccepted, kClosed, kClosed, kGone}},
          {"AssessCase",
           With(Assessment("")),
           {kNotArrived, kNotArrived, kTheyRun, kTheyRun, kTheyRun, kClosed, kClosed, kGone},
           {kNotArrived, kNotArrived, kOk, kOk, kOk, kClosed, kClosed, kGone}},
          {"StartReintegration",
           With(v1::StartReintegrationRequest()),
           {kTheyRun, kTheyRun, kTheyRun, kTheyRun, kOk, kOk, kOk, kOk},
           {kNotAssessed, kNotAssessed, kNotAssessed, kOk, kOk, kOk, kOk, kOk}},
          {"CloseCase",
           With(Closing()),
           {kOk, kOk, kTheyRun, kTheyRun, kTheyRun, kClosed, kClosed, kGone},
           {kTheirs, kTheirs, kOk, kOk, kOk, kClosed, kClosed, kGone}},
          {"ReopenCase",
           With(Reopening()),
           {kOpen, kOpen, kOpen, kOpen, kOpen, kOk, kTheyRun, kGone},
           {kOpen, kOpen, kOpen, kOpen, kOpen, kTheirs, kOk, kGone}},
      },
      /*retroactive=*/false);
}

TEST(Border, RetroactiveDirection) {
  CheckLines(
      {
          {"AcceptCase",
           With(v1::AcceptCaseRequest()),
           {kAwaitsHost, "", kNotSubmitted, kNotSubmitted, kNotSubmitted, kClosed, kClosed, kGone},
           {kAwaitsHost, "", kNotSubmitted, kNotSubmitted, kNotSubmitted, kClosed, kClosed, kGone}},
          {"AnswerRetroactiveCase",
           With(Answer()),
           {kOk, "", kNotSubmitted, kNotSubmitted, kNotSubmitted, kClosed, kClosed, kGone},
           {kTheyAnswer, "", kNotSubmitted, kNotSubmitted, kNotSubmitted, kClosed, kClosed, kGone}},
          {"ConfirmArrival",
           With(Arrival()),
           {kNotAccepted, "", kNotAccepted, kNotAccepted, kNotAccepted, kClosed, kClosed, kGone},
           {kNotAccepted, "", kNotAccepted, kNotAccepted, kNotAccepted, kClosed, kClosed, kGone}},
          {"AssessCase",
           With(Assessment("")),
           {kNotArrived, "", kTheyRun, kTheyRun, kTheyRun, kClosed, kClosed, kGone},
           {kNotArrived, "", kOk, kOk, kOk, kClosed, kClosed, kGone}},
          {"CloseCase",
           With(Closing()),
           {kTheirs, "", kTheyRun, kTheyRun, kTheyRun, kClosed, kClosed, kGone},
           {kOk, "", kOk, kOk, kOk, kClosed, kClosed, kGone}},
          {"ReopenCase",
           With(Reopening()),
           {kOpen, "", kOpen, kOpen, kOpen, kTheirs, kTheyRun, kGone},
           {kOpen, "", kOpen, kOpen, kOpen, kOk, kOk, kGone}},
      },
      /*retroactive=*/true);
}

TEST(Border, AnAcceptanceHoldsForTheSubmissionThatItAnswers) {
  Border border;
  const std::string id = border.Submit();
  border.Settle();
  ASSERT_TRUE(border.tg.Send(ForCase<v1::AcceptCaseRequest>(id)).ok());
  // Meanwhile FR takes the case back and submits it again.
  auto close = Closing();
  close.set_case_id(id);
  auto reopen = Reopening();
  reopen.set_case_id(id);
  ASSERT_TRUE(border.fr.Send(close).ok());
  ASSERT_TRUE(border.fr.Send(reopen).ok());
  ASSERT_EQ(border.fr.of(id).state(), v1::CASE_STATE_REGISTERED);
  ASSERT_TRUE(border.fr.Send(ForCase<v1::SubmitCaseRequest>(id)).ok());
  border.Settle();
  EXPECT_EQ(border.fr.of(id).state(), v1::CASE_STATE_SUBMITTED);
  EXPECT_EQ(border.tg.of(id).state(), v1::CASE_STATE_SUBMITTED);
  ASSERT_TRUE(border.tg.Send(ForCase<v1::AcceptCaseRequest>(id)).ok());
  border.Settle();
  EXPECT_EQ(border.fr.of(id).state(), v1::CASE_STATE_ACCEPTED);
}

// The person arrives, and TG closes the case and opens it again; FR, which knows nothing of that, takes it back.
TEST(Border, OfClosingsAndReopeningsAtBothNodesTheLastTurnStands) {
  for (const bool closed_again : {false, true}) {
    Border border;
    const std::string id = border.Submit();
    border.Settle();
    ASSERT_TRUE(border.tg.Send(ForCase<v1::AcceptCaseRequest>(id)).ok());
    border.Settle();
    auto arrival = Arrival();
    arrival.set_case_id(id);
    auto close = Closing();
    close.set_case_id(id);
    auto reopen = Reopening();
    reopen.set_case_id(id);
    ASSERT_TRUE(border.tg.Send(arrival).ok());
    ASSERT_TRUE(border.tg.Send(close).ok());
    ASSERT_TRUE(border.tg.Send(reopen).ok());
    ASSERT_TRUE(border.fr.Send(close).ok());
    if (closed_again) {
      ASSERT_TRUE(border.fr.Send(reopen).ok());
      ASSERT_TRUE(border.fr.Send(close).ok());
    }
    border.Settle();
    const auto wanted = closed_again ? v1::CASE_STATE_CLOSED : v1::CASE_STATE_ARRIVED;
    EXPECT_EQ(border.tg.of(id).state(), wanted);
    EXPECT_EQ(border.fr.of(id).state(), wanted);
    EXPECT_EQ(border.tg.of(id).turn(), border.fr.of(id).turn());
  }
}

TEST(Border, SilenceRefusesARetroactiveCaseAtBothNodes) {
  Border border;
  const std::string id = border.SubmitRetroactive();
  border.Settle();
  ASSERT_EQ(border.fr.of(id).state(), v1::CASE_STATE_SUBMITTED);
  border.Advance(kAnswerWithin - absl::Seconds(1));
  ASSERT_TRUE(border.fr.Send(ForCase<v1::AnswerRetroactiveCaseRequest>(id)).code() ==
              absl::StatusCode::kInvalidArgument)
      << "a refusal without a reason";
  auto answer = Answer();
  answer.set_case_id(id);
  ASSERT_TRUE(border.fr.Send(answer).ok());
  border.Advance(absl::Seconds(1));  // and is on its way too long
  border.tg.RunDeadlines();
  border.fr.RunDeadlines();
  EXPECT_EQ(border.tg.of(id).refusal_reason(), v1::REFUSAL_REASON_NO_ANSWER);
  border.Settle();
  for (Side* side : {&border.fr, &border.tg}) {
    EXPECT_EQ(side->of(id).state(), v1::CASE_STATE_CLOSED) << side->name();
    EXPECT_EQ(side->of(id).refusal_reason(), v1::REFUSAL_REASON_NO_ANSWER) << side->name();
    EXPECT_THAT(side->refusals, IsEmpty());
  }
}

TEST(Border, AnAnswerThatArrivesAfterTheTimeChangesNothing) {
  for (const bool accepted : {true, false}) {
    Border border;
    const std::string id = border.SubmitRetroactive();
    border.Settle();
    border.Advance(kAnswerWithin - absl::Seconds(1));
    auto answer = Answer();
    answer.set_case_id(id);
    answer.set_accepted(accepted);
    answer.set_reason(v1::REFUSAL_REASON_OUT_OF_SCOPE);
    ASSERT_TRUE(border.fr.Send(answer).ok());
    border.Advance(absl::Seconds(1));
    border.Settle();  // the deadline has not run yet
    EXPECT_EQ(border.tg.of(id).state(), v1::CASE_STATE_SUBMITTED);
    EXPECT_THAT(border.tg.refusals, IsEmpty());
    border.tg.RunDeadlines();
    EXPECT_EQ(border.tg.of(id).refusal_reason(), v1::REFUSAL_REASON_NO_ANSWER);
    border.Settle();
    EXPECT_EQ(border.fr.of(id).state(), v1::CASE_STATE_CLOSED);
  }
  Border border;
  const std::string id = border.SubmitRetroactive();
  border.Settle();
  border.Advance(kAnswerWithin);
  auto answer = Answer();
  answer.set_case_id(id);
  EXPECT_EQ(Reason(border.fr.Send(answer)), "ANSWER_TOO_LATE");
}

TEST(Border, RefusesFactsOfWhoDoesNotOwnThem) {
  struct Try {
    const char* what;
    std::function<void(v1::ReceiveCaseFactRequest&, const std::string&)> tell;
  };
  const std::vector<Try> by_fr = {
      {"accepted", [](auto& r, const auto& id) { r.mutable_accepted()->set_case_id(id); }},
      {"refused", [](auto& r, const auto& id) { r.mutable_refused()->set_case_id(id); }},
      {"arrived", [](auto& r, const auto& id) { r.mutable_arrived()->set_case_id(id); }},
      {"assessed", [](auto& r, const auto& id) { r.mutable_assessed()->set_case_id(id); }},
      {"started", [](auto& r, const auto& id) { r.mutable_started()->set_case_id(id); }},
  };
  Border border;
  const std::string id = border.Submit();
  border.Settle();
  const std::string before = border.tg.of(id).SerializeAsString();
  for (const Try& one : by_fr) {
    auto request = ForCase<v1::ReceiveCaseFactRequest>(id);
    request.set_sender("fr");
    one.tell(request, id);
    EXPECT_EQ(Reason(border.tg.Send(request)), "NOT_OWNER_OF_FACT") << one.what;
  }
  auto submitted = ForCase<v1::ReceiveCaseFactRequest>(id);
  submitted.set_sender("tg");
  submitted.mutable_submitted()->set_case_id(id);
  EXPECT_EQ(Reason(border.fr.Send(submitted)), "NOT_OWNER_OF_FACT");
  auto closed = ForCase<v1::ReceiveCaseFactRequest>(id);
  closed.set_sender("cm");
  closed.mutable_closed()->set_case_id(id);
  EXPECT_EQ(Reason(border.tg.Send(closed)), "NOT_OWNER_OF_FACT") << "a third node";
  closed.set_sender("fr");
  closed.clear_request_id();
  closed.mutable_closed()->set_case_id("another");
  EXPECT_EQ(Reason(border.tg.Send(closed)), "FACT_MALFORMED");
  closed.clear_closed();
  closed.clear_request_id();
  EXPECT_EQ(Reason(border.tg.Send(closed)), "FACT_MALFORMED");
  EXPECT_EQ(border.tg.of(id).SerializeAsString(), before);

  auto arrived = ForCase<v1::ReceiveCaseFactRequest>(id);
  arrived.set_sender("tg");
  arrived.mutable_arrived()->set_case_id(id);
  arrived.mutable_arrived()->set_arrival_date("some day");
  EXPECT_EQ(Reason(border.fr.Send(arrived)), "FACT_MALFORMED");
}

// --- Erasure ---

ex::ErasureRequested Ask(const std::string& id) {
  ex::ErasureRequested ask;
  ask.set_erasure_id("erasure-1");
  ask.set_case_id(id);
  return ask;
}

TEST(PartnerErasure, TakesThePersonAndTheCaseAndAnswers) {
  for (const int situation : {kSubmitted, kAssessed, kEnded, kRefused}) {
    Border border;
    const std::string id = border.Submit();
    border.Disclose(id, Adult("Komla", "AGBEKO-TEST"));
    Bring(border, id, situation, false);
    border.fr.Tell(Ask(id), id);
    border.Settle();
    EXPECT_THAT(border.tg.refusals, IsEmpty());
    const v1::Case& of = border.tg.of(id);
    EXPECT_TRUE(of.erased());
    EXPECT_EQ(of.state(), v1::CASE_STATE_CLOSED);
    const v1::Person& person = PersonAt(border.tg, id);
    EXPECT_EQ(person.state(), v1::PERSON_STATE_ERASED);
    EXPECT_FALSE(person.has_details());
    for (const auto* claim : border.tg.world.All<v1::IdentityClaim>()) {
      EXPECT_THAT(claim->person_ids(), IsEmpty());
    }
    ASSERT_NE(border.tg.world.Last<v1::PartnerDataErased>(), nullptr);
    EXPECT_EQ(border.tg.world.Last<v1::PartnerDataErased>()->erasure_id(), "erasure-1");
    EXPECT_EQ(border.tg.world.Last<v1::CaseErased>()->source_node(), "fr");
    // Asked again, it answers again.
    border.fr.Tell(Ask(id), id);
    border.Settle();
    EXPECT_NE(border.tg.world.Last<v1::PartnerDataErased>(), nullptr);
    EXPECT_EQ(border.tg.world.Last<v1::CaseErased>(), nullptr);
    EXPECT_THAT(border.tg.refusals, IsEmpty());
  }
}

TEST(PartnerErasure, LeavesOurOwnCaseAlone) {
  Border border;
  const std::string id = border.SubmitRetroactive();
  border.Settle();
  border.fr.Tell(Ask(id), id);
  border.Settle();
  EXPECT_FALSE(border.tg.of(id).erased());
  EXPECT_TRUE(PersonAt(border.tg, id).has_details());
  EXPECT_NE(border.tg.world.Last<v1::PartnerDataErased>(), nullptr);
}

TEST(PartnerErasure, OfACaseThatNeverCameKeepsItFromComing) {
  Border border;
  const std::string id = border.Submit();
  const auto on_the_way = border.fr.out;
  border.fr.out.clear();
  border.fr.Tell(Ask(id), id);
  border.Settle();
  EXPECT_TRUE(border.tg.of(id).erased());
  EXPECT_THAT(CaseDecider::Project(border.tg.of(id)), IsEmpty());
  for (const auto& update : on_the_way) Border::Hand(update, border.tg);
  EXPECT_TRUE(border.tg.of(id).erased());
  EXPECT_FALSE(border.tg.world.Has<v1::Person>(PartnerPersonId("fr", id)));
  EXPECT_THAT(border.tg.refusals, IsEmpty());
}

TEST(PartnerNode, IsWhatExchangeTells) {
  Side node("tg", "TG", "fr");
  ex::PartnerRegistered registered;
  auto& partner = *registered.mutable_partner();
  partner.set_id("eu");
  partner.set_kind(ex::PARTNER_KIND_STATISTICS);
  partner.set_state(ex::PARTNER_STATE_ACTIVE);
  ASSERT_TRUE(node.React(registered).ok());
  const auto& eu = node.world.Get<v1::PartnerNode>("eu");
  EXPECT_FALSE(eu.runs_node());
  EXPECT_TRUE(eu.active());
  EXPECT_THAT(eu.keys(), IsEmpty());
  ex::PartnerKeyAdded added;
  added.set_partner_id("eu");
  added.mutable_key()->set_key_id("k1");
  added.mutable_key()->set_verification_key("aa");
  ASSERT_TRUE(node.React(added).ok());
  ASSERT_TRUE(node.React(added).ok());
  EXPECT_THAT(eu.keys(), SizeIs(1));
  ex::PartnerSuspended suspended;
  suspended.set_partner_id("eu");
  ASSERT_TRUE(node.React(suspended).ok());
  EXPECT_FALSE(eu.active());
  EXPECT_THAT(eu.keys(), SizeIs(1));
  ex::PartnerResumed resumed;
  resumed.set_partner_id("eu");
  ASSERT_TRUE(node.React(resumed).ok());
  EXPECT_TRUE(eu.active());
  ex::PartnerKeyRevoked revoked;
  revoked.set_partner_id("eu");
  revoked.set_key_id("k1");
  ASSERT_TRUE(node.React(revoked).ok());
  EXPECT_THAT(eu.keys(), IsEmpty());
}

// --- Whatever happens on the road ---

struct Step {
  int kind;
  int variant;
};
std::ostream& operator<<(std::ostream& out, const Step& step) {
  return out << "{" << step.kind << ", " << step.variant << "}";
}

// Anything that an officer of either side may try, refused or not.
void Try(Side& side, const std::string& id, int variant) {
  switch (variant) {
    case 0: (void)side.Send(ForCase<v1::AcceptCaseRequest>(id)); break;
    case 1: {
      auto refuse = Refusal();
      refuse.set_case_id(id);
      (void)side.Send(refuse);
      break;
    }
    case 2: {
      auto answer = Answer();
      answer.set_case_id(id);
      (void)side.Send(answer);
      break;
    }
    case 3: {
      auto arrival = Arrival();
      arrival.set_case_id(id);
      (void)side.Send(arrival);
      break;
    }
    case 4: (void)side.Send(Assessment(id)); break;
    case 5: (void)side.Send(ForCase<v1::StartReintegrationRequest>(id)); break;
    case 6: {
      auto close = Closing();
      close.set_case_id(id);
      (void)side.Send(close);
      break;
    }
    case 7: {
      auto reopen = Reopening();
      reopen.set_case_id(id);
      (void)side.Send(reopen);
      break;
    }
    default: (void)side.Send(ForCase<v1::SubmitCaseRequest>(id));
  }
}

// Both nodes may act at any time, the road may be slow in both directions and deliver twice: nothing is refused that
// its owner says, nothing is shared back, the case has one responsible organisation, and at each node the case and its
// person fit.
RC_GTEST_PROP(Border, KeepsItsPromisesOverASlowRoad, ()) {
  const bool retroactive = *rc::gen::arbitrary<bool>();
  const auto steps = *rc::gen::container<std::vector<Step>>(
      rc::gen::construct<Step>(rc::gen::inRange(0, 9), rc::gen::inRange(0, 9)));
  Border border;
  const std::string id = retroactive ? border.SubmitRetroactive() : border.Submit();
  border.Settle();
  for (const Step& step : steps) {
    switch (step.kind) {
      case 0:
      case 1: Try(border.fr, id, step.variant); break;
      case 2:
      case 3: Try(border.tg, id, step.variant); break;
      case 4:
      case 5:
      case 6: {
        // A repeat right after: exchange's mark drops it, and so would the rules.
        Side& from = step.variant % 2 == 0 ? border.fr : border.tg;
        Side& to = step.variant % 2 == 0 ? border.tg : border.fr;
        const bool any = !from.out.empty();
        border.Deliver(from, to);
        if (any && step.variant > 5) Border::Hand(border.past[from.name()].back(), to);
        break;
      }
      case 7:
        border.Advance(absl::Hours(24));
        border.fr.RunDeadlines();
        border.tg.RunDeadlines();
        break;
      default: border.Settle();
    }
    for (Side* side : {&border.fr, &border.tg}) {
      const v1::Case& of = side->of(id);
      RC_ASSERT(side->refusals.empty());
      RC_ASSERT(of.responsible_organisation() == (retroactive ? "tg" : "fr"));
      const bool open = of.state() != v1::CASE_STATE_CLOSED;
      RC_ASSERT(open == (side->world.person(of.person_id()).open_case_id() == id));
    }
  }
  // When all has arrived and the deadlines have run, both say the same.
  border.Advance(absl::Hours(24 * 30));
  border.Settle();
  border.fr.RunDeadlines();
  border.tg.RunDeadlines();
  border.Settle();
  RC_ASSERT(border.fr.of(id).state() == border.tg.of(id).state());
}

}  // namespace
}  // namespace sankofa::registration
