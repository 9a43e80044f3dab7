#include <gmock/gmock.h>

#include "sankofa/registration/v1/registration_reason.pb.h"
#include "services/platform/status/refuse.h"
#include "services/registration/person/person.h"
#include "tests/unit/registration/fixture.h"

namespace sankofa::registration {
namespace {

using ::testing::ElementsAre;

v1::AddPayoutAccountRequest Account(const std::string& person_id, const std::string& phone) {
  auto request = ForPerson<v1::AddPayoutAccountRequest>(person_id);
  request.mutable_account()->set_holder("Élodie Test");
  request.mutable_account()->mutable_mobile()->set_operator_("orange-money-cm");
  request.mutable_account()->mutable_mobile()->set_phone(phone);
  return request;
}

v1::ResolveDuplicateRequest Resolve(const std::string& duplicate, const std::string& kept,
                                    v1::DuplicateVerdict verdict) {
  auto request = ForPerson<v1::ResolveDuplicateRequest>(duplicate);
  request.set_other_person_id(kept);
  request.set_verdict(verdict);
  request.set_note("compared both passports");
  return request;
}

v1::ErasePersonRequest Erase(const std::string& person_id, const std::string& reason = "") {
  auto request = ForPerson<v1::ErasePersonRequest>(person_id);
  request.set_basis(v1::ERASURE_BASIS_REQUEST);
  request.set_reason(reason);
  return request;
}

// Every command on a person in every state that a person can be in.
TEST(Person, EveryStateAndCommand) {
  enum State { kActive, kSuspected, kWithOpenCase, kDuplicate, kErased };
  struct Line {
    const char* command;
    std::function<absl::Status(Node&, const std::string& person, const std::string& other)> run;
    std::vector<std::string> expected;  // by state
  };
  const std::vector<Line> lines = {
      {"UpdatePerson",
       [](Node& node, const std::string& person, const std::string&) {
         auto request = ForPerson<v1::UpdatePersonRequest>(person);
         *request.mutable_details() = Adult("Élodie", "RENAMED");
         return node.Send(request, At());
       },
       {"OK", "OK", "OK", "PERSON_IS_DUPLICATE", "PERSON_ERASED"}},
      {"RecordVulnerabilities",
       [](Node& node, const std::string& person, const std::string&) {
         auto request = ForPerson<v1::RecordVulnerabilitiesRequest>(person);
         request.add_vulnerabilities(v1::VULNERABILITY_DISABILITY);
         return node.Send(request, At());
       },
       {"OK", "OK", "OK", "PERSON_IS_DUPLICATE", "PERSON_ERASED"}},
      {"AddPayoutAccount",
       [](Node& node, const std::string& person, const std::string&) {
         return node.Send(Account(person, "+237690000009"), At());
       },
       {"OK", "OK", "OK", "PERSON_IS_DUPLICATE", "PERSON_ERASED"}},
      {"RemovePayoutAccount",
       [](Node& node, const std::string& person, const std::string&) {
         auto request = ForPerson<v1::RemovePayoutAccountRequest>(person);
         request.set_account_id("none");
         return node.Send(request, At());
       },
       {"PAYOUT_ACCOUNT_NOT_FOUND", "PAYOUT_ACCOUNT_NOT_FOUND", "PAYOUT_ACCOUNT_NOT_FOUND",
        "PERSON_IS_DUPLICATE", "PERSON_ERASED"}},
      {"ResolveDuplicate, same",
       [](Node& node, const std::string& person, const std::string& other) {
         return node.Send(Resolve(person, other, v1::DUPLICATE_VERDICT_SAME_PERSON), At());
       },
       {"NO_SUSPICION", "OK", "NO_SUSPICION", "PERSON_IS_DUPLICATE", "PERSON_ERASED"}},
      {"ResolveDuplicate, different",
       [](Node& node, const std::string& person, const std::string& other) {
         return node.Send(Resolve(person, other, v1::DUPLICATE_VERDICT_DIFFERENT_PERSONS), At());
       },
       {"NO_SUSPICION", "OK", "NO_SUSPICION", "PERSON_IS_DUPLICATE", "PERSON_ERASED"}},
      {"TellDuplicates",
       [](Node& node, const std::string& person, const std::string&) {
         return node.Send(ForPerson<v1::TellDuplicatesRequest>(person), At());
       },
       {"OK", "OK", "OK", "OK", "OK"}},
      {"RegisterCase",
       [](Node& node, const std::string& person, const std::string&) {
         return node.TryOpen(person).status();
       },
       {"OK", "OK", "SECOND_OPEN_CASE", "PERSON_IS_DUPLICATE", "PERSON_ERASED"}},
      {"ErasePerson",
       [](Node& node, const std::string& person, const std::string&) {
         return node.Send(Erase(person), At());
       },
       {"OK", "OK", "PERSON_HAS_OPEN_CASE", "OK", "PERSON_ERASED"}},
  };
  for (const Line& line : lines) {
    ASSERT_EQ(line.expected.size(), 5U);
    for (int state = kActive; state <= kErased; ++state) {
      Node node;
      const std::string other = node.Register(Adult());
      const bool matching = state == kSuspected || state == kDuplicate;
      const std::string person = node.Register(matching ? Adult() : Adult("Somebody", "ELSE-TEST"));
      if (state == kWithOpenCase) node.Bring(node.Open(person), v1::CASE_STATE_SUBMITTED);
      if (state == kDuplicate) {
        node.Must(Resolve(person, other, v1::DUPLICATE_VERDICT_SAME_PERSON));
      }
      if (state == kErased) node.Must(Erase(person));
      const auto before = node.person(person).SerializeAsString();
      const absl::Status status = line.run(node, person, other);
      EXPECT_EQ(Reason(status), line.expected[static_cast<size_t>(state)])
          << line.command << " in state " << state;
      if (!status.ok()) {
        EXPECT_EQ(before, node.person(person).SerializeAsString());
      }
    }
  }
}

TEST(Person, IsRegisteredWithKeysAndWithoutSuspicion) {
  Node node;
  const std::string id = node.Register(Adult());
  const auto& person = node.person(id);
  EXPECT_EQ(person.id(), id);
  EXPECT_EQ(person.state(), v1::PERSON_STATE_ACTIVE);
  EXPECT_EQ(person.responsible_organisation(), "agency");
  EXPECT_FALSE(person.duplicate_open());
  EXPECT_FALSE(PersonDecider::NextDeadline(person).has_value());
}

TEST(Person, RefusesDetailsThatCannotBe) {
  struct Line {
    const char* reason;
    const char* field;
    std::function<void(v1::PersonDetails&)> spoil;
  };
  const std::vector<Line> lines = {
      {"NAME_UNREADABLE", "details.given_names", [](auto& d) { d.set_given_names("--"); }},
      {"NAME_UNREADABLE", "details.family_names", [](auto& d) { d.set_family_names(" . "); }},
      {"NAME_UNREADABLE", "details.household[1].name",
       [](auto& d) { d.mutable_household(1)->set_name("?"); }},
      {"BIRTH_DATE_TOO_EARLY", "details.birth_date",
       [](auto& d) { d.set_birth_date("1886-01-01"); }},
      {"HOUSEHOLD_MEMBER_REPEATED", "details.household[1].member_id",
       [](auto& d) { d.mutable_household(1)->set_member_id("mother"); }},
      {"DOCUMENT_NUMBER_EMPTY", "details.documents[0].number",
       [](auto& d) { AddDocument(d, "--/"); }},
      {"DOCUMENT_REPEATED", "details.documents[1]",
       [](auto& d) {
         AddDocument(d, "A-1");
         AddDocument(d, "a1");
       }},
      {"DOCUMENT_DATES", "details.documents[0].issue_date",
       [](auto& d) {
         AddDocument(d, "A1");
         d.mutable_documents(0)->set_issue_date("1980-01-01");
       }},
      {"DOCUMENT_DATES", "details.documents[0].expiry_date",
       [](auto& d) {
         AddDocument(d, "A1");
         d.mutable_documents(0)->set_issue_date("2015-01-02");
         d.mutable_documents(0)->set_expiry_date("2015-01-01");
       }},
  };
  for (const Line& line : lines) {
    Node node;
    const std::string known = node.Register(Adult("Known", "ONE-TEST"));
    v1::RegisterPersonRequest request;
    *request.mutable_details() = Adult();
    line.spoil(*request.mutable_details());
    const absl::Status registered = node.Send(request, At());
    EXPECT_EQ(Reason(registered), line.reason);
    EXPECT_THAT(status::FieldsOf(registered), ElementsAre(line.field));
    // The same rules on the other entry path.
    auto update = ForPerson<v1::UpdatePersonRequest>(known);
    *update.mutable_details() = request.details();
    EXPECT_EQ(Reason(node.Send(update, At())), line.reason);
  }
}

TEST(Person, VulnerabilitiesAreListedOnceAndFitTheAge) {
  struct Line {
    const char* reason;
    v1::PersonDetails details;
    std::vector<int> vulnerabilities;
  };
  auto old = Adult();
  old.set_birth_date("1940-01-01");
  const std::vector<Line> lines = {
      {"OK", Child(), {v1::VULNERABILITY_UNACCOMPANIED_CHILD, v1::VULNERABILITY_VIOLENCE}},
      {"OK", old, {v1::VULNERABILITY_ELDERLY}},
      {"VULNERABILITY_AGE", Adult(), {v1::VULNERABILITY_SEPARATED_CHILD}},
      {"VULNERABILITY_AGE", Adult(), {v1::VULNERABILITY_ELDERLY}},
      {"VULNERABILITY_REPEATED",
       Adult(),
       {v1::VULNERABILITY_DISABILITY, v1::VULNERABILITY_DISABILITY}},
      {"VULNERABILITY_REPEATED", Adult(), {0}},
      {"VULNERABILITY_REPEATED", Adult(), {4711}},
  };
  for (const Line& line : lines) {
    Node node;
    v1::RegisterPersonRequest request;
    *request.mutable_details() = line.details;
    for (const int kind : line.vulnerabilities) {
      request.add_vulnerabilities(static_cast<v1::Vulnerability>(kind));
    }
    EXPECT_EQ(Reason(node.Send(request, At())), line.reason);
    const std::string id = node.Register(line.details);
    auto record = ForPerson<v1::RecordVulnerabilitiesRequest>(id);
    *record.mutable_vulnerabilities() = request.vulnerabilities();
    EXPECT_EQ(Reason(node.Send(record, At())), line.reason);
  }
}

TEST(Person, BirthStaysBeforeTheArrivalOfTheOpenCase) {
  Node node;
  const std::string id = node.Register(Adult());
  node.Bring(node.Open(id), v1::CASE_STATE_ARRIVED);
  auto update = ForPerson<v1::UpdatePersonRequest>(id);
  *update.mutable_details() = Adult();
  update.mutable_details()->set_birth_date("2017-06-25");
  EXPECT_EQ(Reason(node.Send(update, At())), "ARRIVAL_BEFORE_BIRTH");
}

TEST(PayoutAccounts, AreAddedOnceUpToFiveAndRemoved) {
  Node node;
  const std::string id = node.Register(Adult());
  auto empty = ForPerson<v1::AddPayoutAccountRequest>(id);
  empty.mutable_account()->set_holder("x");
  EXPECT_EQ(Reason(node.Send(empty, At())), "PAYOUT_MEANS_MISSING");
  for (int i = 1; i <= 4; ++i) node.Must(Account(id, "+23769000000" + std::to_string(i)));
  EXPECT_EQ(Reason(node.Send(Account(id, "+237690000002"), At())), "PAYOUT_ACCOUNT_KNOWN");

  auto bank = ForPerson<v1::AddPayoutAccountRequest>(id);
  bank.mutable_account()->mutable_bank()->set_account_number("CM21 1000 2000 3000 4000 5000 600");
  node.Must(bank);
  bank.mutable_account()->mutable_bank()->set_account_number("cm2110002000300040005000600");
  EXPECT_EQ(Reason(node.Send(bank, At())), "PAYOUT_ACCOUNT_KNOWN");
  EXPECT_EQ(Reason(node.Send(Account(id, "+237690000005"), At())), "TOO_MANY_PAYOUT_ACCOUNTS");

  auto remove = ForPerson<v1::RemovePayoutAccountRequest>(id);
  remove.set_account_id(node.person(id).payout_accounts(0).account_id());
  node.Must(remove);
  EXPECT_EQ(node.person(id).payout_accounts_size(), 4);
  EXPECT_EQ(Reason(node.Send(remove, At())), "PAYOUT_ACCOUNT_NOT_FOUND");
}

TEST(Duplicates, AreFoundByDocumentAndByNameOnRegistration) {
  Node node;
  auto details = Adult("Jean Paul", "MBARGA");
  AddDocument(details, "AA-001");
  const std::string first = node.Register(details);

  auto by_document = Adult("Other", "NAME-TEST");
  AddDocument(by_document, "aa 001");
  const std::string second = node.Register(by_document);
  ASSERT_EQ(node.person(second).suspicions_size(), 1);
  EXPECT_EQ(node.person(second).suspicions(0).other_person_id(), first);
  EXPECT_EQ(node.person(second).suspicions(0).basis(), v1::DUPLICATE_BASIS_DOCUMENT);

  const std::string third = node.Register(Adult("Mbarga", "Jéan-Paul"));
  ASSERT_EQ(node.person(third).suspicions_size(), 1);
  EXPECT_EQ(node.person(third).suspicions(0).basis(), v1::DUPLICATE_BASIS_IDENTITY);
  EXPECT_TRUE(node.person(third).duplicate_open());
}

TEST(Duplicates, AreFoundOnUpdateAndNotRaisedAgainOnceSettled) {
  Node node;
  const std::string first = node.Register(Adult());
  const std::string second = node.Register(Adult("Other", "NAME-TEST"));
  auto update = ForPerson<v1::UpdatePersonRequest>(second);
  *update.mutable_details() = Adult();
  node.Must(update);
  EXPECT_TRUE(node.person(second).duplicate_open());

  node.Must(Resolve(second, first, v1::DUPLICATE_VERDICT_DIFFERENT_PERSONS));
  EXPECT_FALSE(node.person(second).duplicate_open());
  node.Must(update);
  EXPECT_FALSE(node.person(second).duplicate_open());
  auto other_side = ForPerson<v1::UpdatePersonRequest>(first);
  *other_side.mutable_details() = Adult();
  node.Must(other_side);
  EXPECT_FALSE(node.person(first).duplicate_open());
}

TEST(Duplicates, TheOtherPersonIsToldAtOnce) {
  Node node;
  const std::string first = node.Register(Adult());
  const std::string second = node.Register(Adult());
  const auto deadline = PersonDecider::NextDeadline(node.person(second));
  ASSERT_TRUE(deadline.has_value());
  EXPECT_LE(deadline->due, Morning());
  node.Must(static_cast<const v1::TellDuplicatesRequest&>(*deadline->command));
  EXPECT_TRUE(node.person(first).duplicate_open());
  EXPECT_FALSE(PersonDecider::NextDeadline(node.person(first)).has_value());
  EXPECT_FALSE(PersonDecider::NextDeadline(node.person(second)).has_value());
}

TEST(Duplicates, ReleasedNamesNoLongerMatch) {
  Node node;
  const std::string first = node.Register(Adult());
  auto update = ForPerson<v1::UpdatePersonRequest>(first);
  *update.mutable_details() = Adult("Quite", "DIFFERENT-TEST");
  node.Must(update);
  const std::string second = node.Register(Adult());
  EXPECT_FALSE(node.person(second).duplicate_open());
}

TEST(Duplicates, TheSamePersonClosesTheCaseAndPassesOnWhatFindsIt) {
  Node node;
  const std::string kept = node.Register(Adult());
  auto details = Adult();
  AddDocument(details, "B-77");
  const std::string duplicate = node.Register(details);
  const std::string case_id = node.Open(duplicate);
  // Somebody else is suspected to be the duplicate, by its document.
  auto third_details = Adult("Third", "TEST");
  AddDocument(third_details, "b77");
  const std::string third = node.Register(third_details);
  node.Must(ForPerson<v1::TellDuplicatesRequest>(third));

  node.Must(Resolve(duplicate, kept, v1::DUPLICATE_VERDICT_SAME_PERSON));
  EXPECT_EQ(node.person(duplicate).state(), v1::PERSON_STATE_DUPLICATE);
  EXPECT_EQ(node.person(duplicate).duplicate_of(), kept);
  EXPECT_FALSE(node.person(duplicate).duplicate_open());
  EXPECT_TRUE(node.person(duplicate).open_case_id().empty());
  EXPECT_EQ(node.of(case_id).state(), v1::CASE_STATE_CLOSED);
  EXPECT_EQ(node.of(case_id).close_reason(), v1::CLOSE_REASON_DUPLICATE);
  auto reopen = ForCase<v1::ReopenCaseRequest>(case_id);
  reopen.set_reason("mistake");
  EXPECT_EQ(Reason(node.Send(reopen, At())), "PERSON_IS_DUPLICATE");

  // The third is now suspected to be the record in use, on both sides.
  EXPECT_TRUE(IsOpen(*FindSuspicion(node.person(third), kept)));
  EXPECT_TRUE(IsOpen(*FindSuspicion(node.person(kept), third)));
  EXPECT_FALSE(IsOpen(*FindSuspicion(node.person(third), duplicate)));
  // And the duplicate's document finds the record in use.
  auto fourth_details = Adult("Fourth", "TEST");
  AddDocument(fourth_details, "B 77");
  const std::string fourth = node.Register(fourth_details);
  EXPECT_NE(FindSuspicion(node.person(fourth), kept), nullptr);
  EXPECT_EQ(FindSuspicion(node.person(fourth), duplicate), nullptr);
}

TEST(Duplicates, SettledMeanwhileAreToldToTheRecordInUse) {
  Node node;
  const std::string kept = node.Register(Adult());
  auto details = Adult();
  AddDocument(details, "B-77");
  const std::string duplicate = node.Register(details);
  auto third_details = Adult("Third", "TEST");
  AddDocument(third_details, "b77");
  const std::string third = node.Register(third_details);  // not told yet
  node.Must(Resolve(duplicate, kept, v1::DUPLICATE_VERDICT_SAME_PERSON));
  for (int i = 0; i < 2; ++i) node.Must(ForPerson<v1::TellDuplicatesRequest>(third));
  EXPECT_TRUE(IsOpen(*FindSuspicion(node.person(third), kept)));
  EXPECT_TRUE(IsOpen(*FindSuspicion(node.person(kept), third)));
}

TEST(Duplicates, RefusesVerdictsThatMakeNoSense) {
  Node node;
  const std::string first = node.Register(Adult());
  const std::string second = node.Register(Adult());
  EXPECT_EQ(Reason(node.Send(Resolve(first, first, v1::DUPLICATE_VERDICT_SAME_PERSON), At())),
            "SAME_PERSON_TWICE");
  EXPECT_EQ(Reason(node.Send(Resolve(second, first, v1::DUPLICATE_VERDICT_MOOT), At())),
            "VERDICT_NOT_AVAILABLE");
  EXPECT_EQ(Reason(node.Send(Resolve(first, "nobody", v1::DUPLICATE_VERDICT_SAME_PERSON), At())),
            "PERSON_NOT_FOUND");
  // The older record may be the one that goes.
  node.Must(Resolve(first, second, v1::DUPLICATE_VERDICT_SAME_PERSON));
  EXPECT_EQ(Reason(node.Send(Resolve(second, first, v1::DUPLICATE_VERDICT_SAME_PERSON), At())),
            "PERSON_IS_DUPLICATE");
}

TEST(Duplicates, OfACommonNameAreBounded) {
  Node node;
  std::string last;
  for (int i = 0; i < kSuspicionsMax + 10; ++i) last = node.Register(Adult());
  EXPECT_EQ(node.person(last).suspicions_size(), kSuspicionsMax);
  EXPECT_TRUE(node.person(last).duplicate_open());
}

TEST(Erasure, LeavesNothingPersonalInAnyState) {
  Node node;
  auto details = Adult();
  AddDocument(details, "ERASE-ME-1");
  const std::string other = node.Register(Adult());
  const std::string id = node.Register(details);
  node.Must(ForPerson<v1::TellDuplicatesRequest>(id));
  node.Must(Account(id, "+237690000003"));
  const std::string case_id = node.Open(id);
  node.Bring(case_id, v1::CASE_STATE_ASSESSED);
  EXPECT_EQ(Reason(node.Send(Erase(id), At())), "PERSON_HAS_OPEN_CASE");

  auto withdraw = ForCase<v1::WithdrawConsentRequest>(case_id);
  withdraw.set_consent_id(node.of(case_id).consents(0).consent_id());
  withdraw.set_giver(v1::CONSENT_GIVER_PERSON);
  node.Must(withdraw);
  node.Must(Erase(id));

  EXPECT_EQ(node.person(id).state(), v1::PERSON_STATE_ERASED);
  EXPECT_FALSE(node.person(other).duplicate_open());
  EXPECT_EQ(node.of(case_id).state(), v1::CASE_STATE_CLOSED);
  EXPECT_EQ(node.of(case_id).close_reason(), v1::CLOSE_REASON_WITHDRAWN);
  EXPECT_TRUE(node.of(case_id).erased());
  const std::string all =
      node.person(id).SerializeAsString() + node.of(case_id).SerializeAsString();
  for (const char* personal :
       {"lodie", "NGO-TEST", "1985-03-12", "+237690000003", "ERASE-ME", "Jeanne", "tailor"}) {
    EXPECT_EQ(all.find(personal), std::string::npos) << personal;
  }
  EXPECT_TRUE(PersonDecider::Project(node.person(id)).empty());
  // Nobody who comes later is compared with the erased person.
  auto again = Adult("Someone", "NEW-TEST");
  AddDocument(again, "erase me 1");
  EXPECT_FALSE(node.person(node.Register(again)).duplicate_open());
}

TEST(Erasure, WithAReasonGoesOverAnOpenCase) {
  Node node;
  const std::string id = node.Register(Adult());
  const std::string case_id = node.Open(id);
  node.Bring(case_id, v1::CASE_STATE_SUBMITTED);
  node.Must(Erase(id, "order 12/2017 of the authority"));
  EXPECT_TRUE(node.of(case_id).erased());
}

TEST(Erasure, StartsWithTheDuplicates) {
  Node node;
  const std::string kept = node.Register(Adult());
  const std::string duplicate = node.Register(Adult());
  node.Must(Resolve(duplicate, kept, v1::DUPLICATE_VERDICT_SAME_PERSON));
  EXPECT_EQ(Reason(node.Send(Erase(kept), At())), "DUPLICATES_FIRST");
  node.Must(Erase(duplicate));
  node.Must(Erase(kept));
}

TEST(Reasons, AllHaveTheirTextsAndCode) {
  const auto* reasons = google::protobuf::GetEnumDescriptor<v1::Reason>();
  for (int i = 1; i < reasons->value_count(); ++i) {
    EXPECT_FALSE(status::Refuse(static_cast<v1::Reason>(reasons->value(i)->number())).ok())
        << reasons->value(i)->name();
  }
}

}  // namespace
}  // namespace sankofa::registration
