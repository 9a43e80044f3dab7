#include "services/registration/case/case.h"

#include <gmock/gmock.h>

#include <set>

#include "services/platform/status/refuse.h"
#include "services/registration/person/person.h"
#include "tests/unit/registration/fixture.h"

namespace sankofa::registration {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

v1::OverrideConsentRequest Override(const std::string& case_id) {
  auto request = ForCase<v1::OverrideConsentRequest>(case_id);
  request.set_purpose(v1::CONSENT_PURPOSE_REINTEGRATION);
  request.set_partner("ofii");
  request.add_scopes("person.vulnerabilities");
  request.set_basis(v1::OVERRIDE_BASIS_VITAL_INTEREST);
  request.set_reason("urgent operation");
  request.set_until_date("2017-07-31");
  return request;
}

v1::RecordBestInterestsRequest BestInterests(const std::string& case_id) {
  auto request = ForCase<v1::RecordBestInterestsRequest>(case_id);
  request.set_determined_date("2017-05-01");
  request.set_authority("juge des enfants");
  request.set_summary("family reunification");
  return request;
}

template <class Request>
Request Refusal(const std::string& case_id, v1::RefusalReason reason) {
  auto request = ForCase<Request>(case_id);
  request.set_reason(reason);
  return request;
}

v1::CloseCaseRequest Close(const std::string& case_id, v1::CloseReason reason) {
  auto request = ForCase<v1::CloseCaseRequest>(case_id);
  request.set_reason(reason);
  return request;
}

v1::ReopenCaseRequest Reopen(const std::string& case_id) {
  auto request = ForCase<v1::ReopenCaseRequest>(case_id);
  request.set_reason("the person came back");
  return request;
}

v1::ConfirmArrivalRequest Arrival(const std::string& case_id, const std::string& day) {
  auto request = ForCase<v1::ConfirmArrivalRequest>(case_id);
  request.set_arrival_date(day);
  return request;
}

v1::ErasePersonRequest Erase(const std::string& person_id) {
  auto request = ForPerson<v1::ErasePersonRequest>(person_id);
  request.set_basis(v1::ERASURE_BASIS_REQUEST);
  request.set_reason("asked for in writing");
  return request;
}

// The states of the table below, in its order.
enum Situation {
  kRegistered,
  kSubmitted,
  kRetroactive,  // SUBMITTED, and waits for the host partner
  kAccepted,
  kArrived,
  kAssessed,
  kReintegrating,
  kClosed,
  kErased,
  kSituations,
};

std::string Prepare(Node& node, int situation) {
  const std::string person = node.Register(Adult());
  if (situation == kRetroactive) {
    const std::string id = node.OpenRetroactive(person);
    node.Must(Consent(id));
    node.Must(ForCase<v1::SubmitCaseRequest>(id));
    return id;
  }
  const std::string id = node.Open(person);
  switch (situation) {
    case kSubmitted: node.Bring(id, v1::CASE_STATE_SUBMITTED); break;
    case kAccepted: node.Bring(id, v1::CASE_STATE_ACCEPTED); break;
    case kArrived: node.Bring(id, v1::CASE_STATE_ARRIVED); break;
    case kAssessed: node.Bring(id, v1::CASE_STATE_ASSESSED); break;
    case kReintegrating: node.Bring(id, v1::CASE_STATE_REINTEGRATING); break;
    case kClosed: node.Bring(id, v1::CASE_STATE_CLOSED); break;
    case kErased: node.Must(Erase(person)); break;
    default: node.Must(Consent(id));
  }
  return id;
}

// Every command on a case in every state that a case can be in.
TEST(Case, EveryStateAndCommand) {
  struct Line {
    const char* command;
    std::function<absl::Status(Node&, const std::string& case_id)> run;
    std::vector<std::string> expected;  // by situation
  };
  const auto send = [](auto request) {
    return [request](Node& node, const std::string& id) mutable {
      request.set_case_id(id);
      return node.Send(request, At());
    };
  };
  auto header = ForCase<v1::UpdateCaseHeaderRequest>("");
  *header.mutable_header() = Header();
  auto accepted = ForCase<v1::AnswerRetroactiveCaseRequest>("");
  accepted.set_accepted(true);
  const std::string ok = "OK";
  const std::string closed = "CASE_CLOSED";
  const std::string erased = "CASE_ERASED";
  const std::string not_registered = "CASE_NOT_REGISTERED";
  const std::string not_submitted = "CASE_NOT_SUBMITTED";
  const std::string not_accepted = "CASE_NOT_ACCEPTED";
  const std::string not_arrived = "CASE_NOT_ARRIVED";
  const std::string not_running = "CASE_NOT_REINTEGRATING";
  const std::string frozen = "HEADER_FROZEN";
  const std::string host = "RETROACTIVE_AWAITS_HOST";
  const std::string no_retro = "NOT_RETROACTIVE";
  const std::string open = "CASE_NOT_CLOSED";
  const std::vector<Line> lines = {
      {"UpdateCaseHeader",
       send(header),
       {ok, frozen, frozen, frozen, frozen, frozen, frozen, closed, erased}},
      {"GiveConsent", send(Consent("")), {ok, ok, ok, ok, ok, ok, ok, closed, erased}},
      {"OverrideConsent", send(Override("")), {ok, ok, ok, ok, ok, ok, ok, ok, erased}},
      {"WithdrawConsent",
       [](Node& node, const std::string& id) {
         auto request = ForCase<v1::WithdrawConsentRequest>(id);
         const auto& consents = node.of(id).consents();
         request.set_consent_id(consents.empty() ? "none" : consents[0].consent_id());
         request.set_giver(v1::CONSENT_GIVER_PERSON);
         return node.Send(request, At());
       },
       {ok, ok, ok, ok, ok, ok, ok, "CONSENT_NOT_FOUND", erased}},
      {"RecordBestInterests",
       send(BestInterests("")),
       {"NOT_A_CHILD", "NOT_A_CHILD", "NOT_A_CHILD", "NOT_A_CHILD", "NOT_A_CHILD", "NOT_A_CHILD",
        "NOT_A_CHILD", closed, erased}},
      {"SubmitCase",
       send(ForCase<v1::SubmitCaseRequest>("")),
       {ok, not_registered, not_registered, not_registered, not_registered, not_registered,
        not_registered, closed, erased}},
      {"AcceptCase",
       send(ForCase<v1::AcceptCaseRequest>("")),
       {not_submitted, ok, host, not_submitted, not_submitted, not_submitted, not_submitted, closed,
        erased}},
      {"RefuseCase",
       send(Refusal<v1::RefuseCaseRequest>("", v1::REFUSAL_REASON_NATIONALITY)),
       {not_submitted, ok, host, not_submitted, not_submitted, not_submitted, not_submitted, closed,
        erased}},
      {"AnswerRetroactiveCase, accepted",
       send(accepted),
       {not_submitted, no_retro, ok, not_submitted, not_submitted, not_submitted, not_submitted,
        closed, erased}},
      {"AnswerRetroactiveCase, refused",
       send(Refusal<v1::AnswerRetroactiveCaseRequest>("", v1::REFUSAL_REASON_OUT_OF_SCOPE)),
       {not_submitted, no_retro, ok, not_submitted, not_submitted, not_submitted, not_submitted,
        closed, erased}},
      {"ExpireRetroactiveCase",
       send(ForCase<v1::ExpireRetroactiveCaseRequest>("")),
       {not_submitted, no_retro, "NOT_DUE_YET", not_submitted, not_submitted, not_submitted,
        not_submitted, closed, erased}},
      {"ConfirmArrival",
       send(Arrival("", "2017-06-21")),
       {not_accepted, not_accepted, not_accepted, ok, not_accepted, not_accepted, not_accepted,
        closed, erased}},
      {"AssessCase",
       send(Assessment("")),
       {not_arrived, not_arrived, not_arrived, not_arrived, ok, ok, ok, closed, erased}},
      {"StartReintegration",
       send(ForCase<v1::StartReintegrationRequest>("")),
       {"CASE_NOT_ASSESSED", "CASE_NOT_ASSESSED", "CASE_NOT_ASSESSED", "CASE_NOT_ASSESSED",
        "CASE_NOT_ASSESSED", ok, ok, ok, ok}},
      {"CloseCase, withdrawn",
       send(Close("", v1::CLOSE_REASON_WITHDRAWN)),
       {ok, ok, ok, ok, ok, ok, ok, closed, erased}},
      {"CloseCase, completed",
       send(Close("", v1::CLOSE_REASON_COMPLETED)),
       {not_running, not_running, not_running, not_running, not_running, not_running, ok, closed,
        erased}},
      {"CloseCase, duplicate",
       send(Close("", v1::CLOSE_REASON_DUPLICATE)),
       {"NOT_A_DUPLICATE", "NOT_A_DUPLICATE", "NOT_A_DUPLICATE", "NOT_A_DUPLICATE",
        "NOT_A_DUPLICATE", "NOT_A_DUPLICATE", "NOT_A_DUPLICATE", closed, erased}},
      {"ReopenCase", send(Reopen("")), {open, open, open, open, open, open, open, ok, erased}},
  };
  for (const Line& line : lines) {
    ASSERT_EQ(line.expected.size(), static_cast<size_t>(kSituations)) << line.command;
    for (int situation = 0; situation < kSituations; ++situation) {
      Node node;
      const std::string id = Prepare(node, situation);
      const std::string before = node.of(id).SerializeAsString();
      const absl::Status status = line.run(node, id);
      EXPECT_EQ(Reason(status), line.expected[static_cast<size_t>(situation)])
          << line.command << " in situation " << situation;
      if (!status.ok()) {
        EXPECT_EQ(before, node.of(id).SerializeAsString());
      }
    }
  }
}

TEST(Case, OpensWithProfileHouseholdAndReference) {
  Node node;
  v1::RegisterPersonRequest request;
  *request.mutable_details() = Adult();
  request.add_vulnerabilities(v1::VULNERABILITY_SINGLE_PARENT);
  const auto context = At();
  ASSERT_TRUE(node.Send(request, context).ok());
  const std::string id = node.Open(context.NewId());
  const auto& opened = *node.Last<v1::CaseRegistered>();
  EXPECT_EQ(opened.profile().sex(), v1::SEX_FEMALE);
  EXPECT_EQ(opened.profile().age_band(), v1::AGE_BAND_25_TO_34);
  EXPECT_TRUE(opened.profile().vulnerable());
  EXPECT_EQ(opened.adults(), 1);    // the mother does not return
  EXPECT_EQ(opened.children(), 1);  // the son does
  EXPECT_EQ(opened.responsible_organisation(), "agency");
  EXPECT_EQ(opened.origin_country(), "CM");
  EXPECT_EQ(opened.programme(), "ofii-cm-2017");
  EXPECT_EQ(opened.region(), "littoral");
  EXPECT_EQ(node.of(id).reference(), ReferenceOf("CM", 2017, id));
  EXPECT_EQ(node.person(node.of(id).person_id()).open_case_id(), id);
}

TEST(Reference, IsStableReadableAndDifferentForDifferentCases) {
  EXPECT_EQ(ReferenceOf("CM", 2017, "00000000-0000-8000-8000-000000000000"),
            "CM-2017-000000000000");
  EXPECT_EQ(ReferenceOf("TG", 2021, "ffffffff-ffff-8fff-bfff-ffffffffffff"),
            "TG-2021-ZZZZZZZZZZZZ");
  std::set<std::string> all;
  for (int i = 0; i < 20000; ++i) all.insert(ReferenceOf("CM", 2017, test::NextRequestId()));
  EXPECT_EQ(all.size(), 20000U);
}

TEST(Case, RefusesHeadersThatCannotBe) {
  struct Line {
    const char* reason;
    const char* field;
    std::function<void(v1::CaseHeader&)> spoil;
  };
  const std::vector<Line> lines = {
      {"SAME_COUNTRY", "header.host_country", [](auto& h) { h.set_host_country("CM"); }},
      {"COUNTRY_NOT_OURS", "header.origin_country", [](auto& h) { h.set_origin_country("TG"); }},
      {"ENTRY_BEFORE_BIRTH", "header.host_entry_date",
       [](auto& h) { h.set_host_entry_date("1985-03-11"); }},
      {"RETURN_BEFORE_ENTRY", "header.planned_return_date",
       [](auto& h) { h.set_planned_return_date("2014-08-31"); }},
  };
  for (const Line& line : lines) {
    Node node;
    const std::string person = node.Register(Adult());
    v1::CaseHeader header = Header();
    line.spoil(header);
    const absl::Status refused = node.TryOpen(person, header).status();
    EXPECT_EQ(Reason(refused), line.reason);
    EXPECT_THAT(status::FieldsOf(refused), ElementsAre(line.field));
    auto change = ForCase<v1::UpdateCaseHeaderRequest>(node.Open(person));
    *change.mutable_header() = header;
    EXPECT_EQ(Reason(node.Send(change, At())), line.reason);
  }
}

TEST(Case, OpensForAPersonOnFileOnly) {
  Node node;
  EXPECT_EQ(Reason(node.TryOpen("nobody").status()), "PERSON_NOT_FOUND");
}

TEST(Case, IsTheOnlyOpenOneAlsoWhenReopened) {
  Node node;
  const std::string person = node.Register(Adult());
  const std::string first = node.Open(person);
  EXPECT_EQ(Reason(node.TryOpen(person).status()), "SECOND_OPEN_CASE");
  node.Must(Close(first, v1::CLOSE_REASON_WITHDRAWN));
  const std::string second = node.Open(person);
  EXPECT_EQ(Reason(node.Send(Reopen(first), At())), "SECOND_OPEN_CASE");
  node.Must(Close(second, v1::CLOSE_REASON_LOST_TO_FOLLOW_UP));
  node.Must(Reopen(first));
  EXPECT_EQ(node.person(person).open_case_id(), first);
  EXPECT_THAT(node.person(person).case_ids(), ElementsAre(first, second));
}

TEST(Case, APersonHasSoManyAndNoMore) {
  Node node;
  const std::string person = node.Register(Adult());
  for (int i = 0; i < kCasesMax; ++i) {
    node.Must(Close(node.Open(person), v1::CLOSE_REASON_WITHDRAWN));
  }
  EXPECT_EQ(Reason(node.TryOpen(person).status()), "TOO_MANY_CASES");
}

TEST(Case, HeaderChangesBeforeSubmissionAndNeverAfter) {
  Node node;
  const std::string id = node.Open(node.Register(Adult()));
  auto change = ForCase<v1::UpdateCaseHeaderRequest>(id);
  *change.mutable_header() = Header();
  change.mutable_header()->set_programme("eurp");
  node.Must(change);
  EXPECT_EQ(node.of(id).header().programme(), "eurp");
  node.Must(Consent(id));
  node.Must(ForCase<v1::SubmitCaseRequest>(id));
  EXPECT_EQ(node.Last<v1::CaseSubmitted>()->header().programme(), "eurp");
  node.Must(Refusal<v1::RefuseCaseRequest>(id, v1::REFUSAL_REASON_INCOMPLETE));
  node.Must(Reopen(id));
  ASSERT_EQ(node.of(id).state(), v1::CASE_STATE_REGISTERED);
  EXPECT_EQ(Reason(node.Send(change, At())), "HEADER_FROZEN");
}

TEST(Case, IsSubmittedWithConsentOnly) {
  struct Line {
    const char* reason;
    std::function<void(v1::GiveConsentRequest&)> change;
  };
  const std::vector<Line> lines = {
      {"OK", [](auto&) {}},
      {"OK", [](auto& c) { c.set_until_date("2017-06-30"); }},
      {"CONSENT_MISSING", [](auto& c) { c.set_purpose(v1::CONSENT_PURPOSE_PAYMENT); }},
      {"CONSENT_MISSING", [](auto& c) { c.set_partner("frontex"); }},
      {"CONSENT_MISSING", [](auto& c) { c.set_from_date("2017-07-01"); }},
  };
  for (const Line& line : lines) {
    Node node;
    const std::string id = node.Open(node.Register(Adult()));
    EXPECT_EQ(Reason(node.Send(ForCase<v1::SubmitCaseRequest>(id), At())), "CONSENT_MISSING");
    auto consent = Consent(id);
    line.change(consent);
    node.Must(consent);
    EXPECT_EQ(Reason(node.Send(ForCase<v1::SubmitCaseRequest>(id), At())), line.reason);
  }
  Node node;
  const std::string id = node.Open(node.Register(Adult()));
  node.Must(Consent(id));
  auto withdraw = ForCase<v1::WithdrawConsentRequest>(id);
  withdraw.set_consent_id(node.of(id).consents(0).consent_id());
  withdraw.set_giver(v1::CONSENT_GIVER_NOBODY);
  EXPECT_EQ(Reason(node.Send(withdraw, At())), "CONSENT_GIVER");
  withdraw.set_giver(v1::CONSENT_GIVER_PERSON);
  node.Must(withdraw);
  EXPECT_EQ(Reason(node.Send(withdraw, At())), "CONSENT_WITHDRAWN");
  EXPECT_EQ(Reason(node.Send(ForCase<v1::SubmitCaseRequest>(id), At())), "CONSENT_MISSING");
  // With a written reason it may go without.
  node.Must(Override(id));
  EXPECT_EQ(node.of(id).notes(0).text(), "urgent operation");
  node.Must(ForCase<v1::SubmitCaseRequest>(id));
}

TEST(Case, OfAChildNeedsGuardianAndBestInterests) {
  Node node;
  const std::string id = node.Open(node.Register(Child()));
  EXPECT_EQ(Reason(node.Send(Consent(id), At())), "CHILD_NEEDS_GUARDIAN");
  node.Must(Override(id));
  EXPECT_EQ(Reason(node.Send(ForCase<v1::SubmitCaseRequest>(id), At())), "CHILD_NEEDS_GUARDIAN");
  node.Must(GuardianConsent(id));
  EXPECT_EQ(Reason(node.Send(ForCase<v1::SubmitCaseRequest>(id), At())), "BEST_INTERESTS_MISSING");
  auto early = BestInterests(id);
  early.set_determined_date("2003-01-01");
  EXPECT_EQ(Reason(node.Send(early, At())), "BEST_INTERESTS_BEFORE_BIRTH");
  node.Must(BestInterests(id));
  node.Must(ForCase<v1::SubmitCaseRequest>(id));
}

TEST(Case, ChildhoodEndsOnTheBirthday) {
  for (const auto& [birth, reason] : std::vector<std::pair<std::string, std::string>>{
           {"1999-06-30", "OK"}, {"1999-07-01", "CHILD_NEEDS_GUARDIAN"}}) {
    Node node;
    auto details = Child();
    details.set_birth_date(birth);
    const std::string id = node.Open(node.Register(details));
    EXPECT_EQ(Reason(node.Send(Consent(id), At())), reason);
  }
}

TEST(Consent, RefusesWhatCannotBeGiven) {
  struct Line {
    const char* reason;
    const char* field;
    std::function<void(v1::GiveConsentRequest&)> spoil;
  };
  const std::vector<Line> lines = {
      {"CONSENT_DATES", "until_date", [](auto& c) { c.set_until_date("2016-12-31"); }},
      {"CONSENT_DATES", "until_date", [](auto& c) { c.set_until_date("2017-06-29"); }},
      {"CONSENT_DATES", "until_date", [](auto& c) { c.set_until_date("2022-07-01"); }},
      {"SCOPE_UNKNOWN", "scopes[1]", [](auto& c) { c.add_scopes("person"); }},
      {"SCOPE_UNKNOWN", "scopes[1]", [](auto& c) { c.add_scopes("person.search_keys"); }},
      {"SCOPE_UNKNOWN", "scopes[1]", [](auto& c) { c.add_scopes("person.details.shoe_size"); }},
      {"SCOPE_REPEATED", "scopes[1]", [](auto& c) { c.add_scopes("person.details.phones"); }},
      {"CONSENT_GIVER", "giver", [](auto& c) { c.set_giver(v1::CONSENT_GIVER_NOBODY); }},
      {"GUARDIAN_NOT_EXPECTED", "guardian_member_id",
       [](auto& c) { c.set_guardian_member_id("mother"); }},
      {"GUARDIAN_UNKNOWN", "guardian_member_id",
       [](auto& c) { c.set_giver(v1::CONSENT_GIVER_GUARDIAN); }},
      {"GUARDIAN_IS_CHILD", "guardian_member_id",
       [](auto& c) {
         c.set_giver(v1::CONSENT_GIVER_GUARDIAN);
         c.set_guardian_member_id("son");
       }},
  };
  for (const Line& line : lines) {
    Node node;
    auto request = Consent(node.Open(node.Register(Adult())));
    line.spoil(request);
    const absl::Status refused = node.Send(request, At());
    EXPECT_EQ(Reason(refused), line.reason);
    EXPECT_THAT(status::FieldsOf(refused), ElementsAre(line.field));
  }
  Node node;
  const std::string id = node.Open(node.Register(Adult()));
  for (int i = 0; i < kConsentsMax; ++i) node.Must(Consent(id));
  EXPECT_EQ(Reason(node.Send(Consent(id), At())), "TOO_MANY_CONSENTS");
  EXPECT_EQ(Reason(node.Send(Override(id), At())), "TOO_MANY_CONSENTS");
}

TEST(Retroactive, IsRefusedBySilenceOfSevenDays) {
  Node node;
  const std::string person = node.Register(Adult());
  const std::string id = node.OpenRetroactive(person);
  EXPECT_FALSE(CaseDecider::NextDeadline(node.of(id)).has_value());
  node.Must(Consent(id));
  node.Must(ForCase<v1::SubmitCaseRequest>(id));
  const auto deadline = CaseDecider::NextDeadline(node.of(id));
  ASSERT_TRUE(deadline.has_value());
  EXPECT_EQ(deadline->due, Days(7));
  const auto& command = static_cast<const v1::ExpireRetroactiveCaseRequest&>(*deadline->command);
  EXPECT_EQ(Reason(node.Send(command, At(Days(7) - absl::Nanoseconds(1)))), "NOT_DUE_YET");
  auto answer = ForCase<v1::AnswerRetroactiveCaseRequest>(id);
  answer.set_accepted(true);
  EXPECT_EQ(Reason(node.Send(answer, At(Days(7)))), "ANSWER_TOO_LATE");
  node.Must(command, Days(7));
  EXPECT_EQ(node.of(id).state(), v1::CASE_STATE_CLOSED);
  EXPECT_EQ(node.of(id).close_reason(), v1::CLOSE_REASON_REFUSED);
  EXPECT_EQ(node.of(id).refusal_reason(), v1::REFUSAL_REASON_NO_ANSWER);
  EXPECT_THAT(node.person(person).open_case_id(), IsEmpty());
  EXPECT_FALSE(CaseDecider::NextDeadline(node.of(id)).has_value());
  // Asked once more, the seven days begin again.
  node.Must(Reopen(id), Days(8));
  node.Must(ForCase<v1::SubmitCaseRequest>(id), Days(9));
  EXPECT_EQ(CaseDecider::NextDeadline(node.of(id))->due, Days(16));
}

TEST(Retroactive, IsArrivedOnceTheHostPartnerAccepts) {
  Node node;
  const std::string id = Prepare(node, kRetroactive);
  auto answer = ForCase<v1::AnswerRetroactiveCaseRequest>(id);
  answer.set_accepted(true);
  node.Must(answer, Days(6));
  EXPECT_EQ(node.of(id).state(), v1::CASE_STATE_ARRIVED);
  EXPECT_EQ(node.of(id).arrival_date(), "2017-06-01");
  EXPECT_NE(node.Last<v1::CaseAccepted>(), nullptr);
  EXPECT_NE(node.Last<v1::CaseArrived>(), nullptr);
  EXPECT_FALSE(CaseDecider::NextDeadline(node.of(id)).has_value());
}

TEST(Retroactive, ArrivalIsAfterBirthAndEntry) {
  for (const auto& [day, reason] : std::vector<std::pair<std::string, std::string>>{
           {"1985-03-11", "ARRIVAL_BEFORE_BIRTH"}, {"2014-08-31", "ARRIVAL_BEFORE_ENTRY"}}) {
    Node node;
    v1::RegisterRetroactiveCaseRequest request;
    request.set_person_id(node.Register(Adult()));
    *request.mutable_header() = Header();
    request.set_arrival_date(day);
    EXPECT_EQ(Reason(node.Send(request, At())), reason);
    auto confirm = Arrival(node.Open(request.person_id()), day);
    node.Bring(confirm.case_id(), v1::CASE_STATE_ACCEPTED);
    EXPECT_EQ(Reason(node.Send(confirm, At())), reason);
  }
}

TEST(Refusal, NeedsAReasonAndWithOtherANote) {
  for (const auto reason : {v1::REFUSAL_REASON_UNSPECIFIED, v1::REFUSAL_REASON_NO_ANSWER}) {
    Node node;
    EXPECT_EQ(
        Reason(node.Send(Refusal<v1::RefuseCaseRequest>(Prepare(node, kSubmitted), reason), At())),
        "REFUSAL_REASON_NOT_AVAILABLE");
    Node other;
    EXPECT_EQ(
        Reason(other.Send(
            Refusal<v1::AnswerRetroactiveCaseRequest>(Prepare(other, kRetroactive), reason), At())),
        "REFUSAL_REASON_NOT_AVAILABLE");
  }
  Node node;
  auto refuse = Refusal<v1::RefuseCaseRequest>(Prepare(node, kSubmitted), v1::REFUSAL_REASON_OTHER);
  EXPECT_EQ(Reason(node.Send(refuse, At())), "NOTE_REQUIRED");
  refuse.set_note("the consulate has doubts");
  node.Must(refuse);
  EXPECT_EQ(node.Last<v1::CaseClosed>()->reason(), v1::CLOSE_REASON_REFUSED);
  EXPECT_EQ(node.of(refuse.case_id()).notes(0).text(), "the consulate has doubts");
}

TEST(Reopening, GoesBackToTheStateBefore) {
  for (const auto& [situation, state] :
       std::vector<std::pair<int, v1::CaseState>>{{kRegistered, v1::CASE_STATE_REGISTERED},
                                                  {kSubmitted, v1::CASE_STATE_REGISTERED},
                                                  {kAccepted, v1::CASE_STATE_ACCEPTED},
                                                  {kArrived, v1::CASE_STATE_ARRIVED},
                                                  {kAssessed, v1::CASE_STATE_ASSESSED},
                                                  {kReintegrating, v1::CASE_STATE_REINTEGRATING}}) {
    Node node;
    const std::string id = Prepare(node, situation);
    node.Must(Close(id, v1::CLOSE_REASON_RE_MIGRATED));
    node.Must(Reopen(id));
    EXPECT_EQ(node.of(id).state(), state);
    EXPECT_EQ(node.of(id).close_reason(), v1::CLOSE_REASON_UNSPECIFIED);
  }
}

TEST(Closing, AsADuplicateNeedsASuspicion) {
  Node node;
  node.Register(Adult());
  const std::string person = node.Register(Adult());
  const std::string id = node.Open(person);
  node.Must(Close(id, v1::CLOSE_REASON_DUPLICATE));
}

TEST(Assessment, MakesTheProfileAnewAndListsNeedsOnce) {
  Node node;
  const std::string id = Prepare(node, kArrived);
  auto assess = Assessment(id);
  assess.set_vulnerable(true);
  assess.set_orientation_note("close to home");
  node.Must(assess);
  EXPECT_TRUE(node.of(id).profile().vulnerable());
  EXPECT_EQ(node.of(id).orientation(), "anpe");
  EXPECT_EQ(node.Last<v1::CaseAssessed>()->profile().age_band(), v1::AGE_BAND_25_TO_34);
  assess.mutable_assessment()->add_needs(v1::NEED_BUSINESS);
  const absl::Status refused = node.Send(assess, At());
  EXPECT_EQ(Reason(refused), "NEED_REPEATED");
  EXPECT_THAT(status::FieldsOf(refused), ElementsAre("assessment.needs[1]"));
}

TEST(Notes, KeepTheNewest) {
  v1::Case of;
  for (int i = 0; i <= kNotesMax; ++i) AddNote(of, v1::NOTE_KIND_CLOSING, std::to_string(i), {});
  EXPECT_EQ(of.notes_size(), kNotesMax);
  EXPECT_EQ(of.notes(0).text(), "1");
}

}  // namespace
}  // namespace sankofa::registration
