#include <gmock/gmock.h>
#include <rapidcheck/gtest.h>

#include <set>
#include <string>
#include <utility>

#include "services/platform/status/refuse.h"
#include "services/platform/time/time.h"
#include "services/registration/care/centre.h"
#include "services/registration/care/referral.h"
#include "tests/unit/registration/fixture.h"

namespace sankofa::registration {
namespace {

using ::testing::ElementsAre;

engine::Context As(const std::string& organisation, absl::Time now = Morning()) {
  auto context = At(now);
  context.actor.organisation = organisation;
  return context;
}

v1::SendReferralRequest Send(const std::string& case_id) {
  auto request = ForCase<v1::SendReferralRequest>(case_id);
  request.set_to_organisation("clinic");
  request.set_need(v1::NEED_HEALTH);
  request.set_reason("needs a check-up");
  *request.mutable_answer_due_time() = time::ToTimestamp(Days(10));
  return request;
}

v1::GiveConsentRequest ReferralConsent(const std::string& case_id) {
  auto request = Consent(case_id);
  request.set_purpose(v1::CONSENT_PURPOSE_REFERRAL);
  request.set_partner("clinic");
  return request;
}

template <class Request>
Request ForReferral(const std::string& id) {
  Request request;
  request.set_referral_id(id);
  return request;
}

std::string NewReferral(Node& node) {
  const std::string case_id = node.Open(node.Register(Adult()));
  node.Must(ReferralConsent(case_id));
  const auto context = As("agency");
  const absl::Status status = node.Send(Send(case_id), context);
  EXPECT_TRUE(status.ok()) << status;
  return context.NewId();
}

// Every command on a referral, by sender and receiver, in every state that it can be in.
TEST(Referral, EveryStateAndCommand) {
  struct Line {
    const char* command;
    std::function<absl::Status(Node&, const std::string& id, absl::Time now)> run;
    // IN_PROGRESS, IN_PROGRESS past its time, ACCEPTED, REJECTED, DONE, REVOKED, LAPSED
    std::vector<std::string> expected;
  };
  const auto by = [](const std::string& organisation, auto request) {
    return [organisation, request](Node& node, const std::string& id, absl::Time now) mutable {
      request.set_referral_id(id);
      return node.Send(request, As(organisation, now));
    };
  };
  const std::string ok = "OK";
  const std::string ended = "REFERRAL_ENDED";
  const std::string answered = "REFERRAL_ANSWERED";
  const std::string stranger = "NOT_RECEIVER";
  const std::string not_sender = "NOT_SENDER";
  const std::vector<Line> lines = {
      {"Accept",
       by("clinic", v1::AcceptReferralRequest()),
       {ok, "ANSWER_TOO_LATE", answered, ended, ended, ended, ended}},
      {"Accept, by the sender",
       by("agency", v1::AcceptReferralRequest()),
       {stranger, stranger, stranger, stranger, stranger, stranger, stranger}},
      {"Reject",
       by("clinic", v1::RejectReferralRequest()),
       {ok, "ANSWER_TOO_LATE", answered, ended, ended, ended, ended}},
      {"Complete",
       by("clinic", v1::CompleteReferralRequest()),
       {"REFERRAL_NOT_ACCEPTED", "REFERRAL_NOT_ACCEPTED", ok, ended, ended, ended, ended}},
      {"Complete, by the sender",
       by("agency", v1::CompleteReferralRequest()),
       {stranger, stranger, stranger, stranger, stranger, stranger, stranger}},
      {"Revoke",
       by("agency", v1::RevokeReferralRequest()),
       {ok, ok, ok, ended, ended, ended, ended}},
      {"Revoke, by the receiver",
       by("clinic", v1::RevokeReferralRequest()),
       {not_sender, not_sender, not_sender, not_sender, not_sender, not_sender, not_sender}},
      {"Lapse",
       by("clock", v1::LapseReferralRequest()),
       {"NOT_DUE_YET", ok, answered, ended, ended, ended, ended}},
  };
  for (const Line& line : lines) {
    ASSERT_EQ(line.expected.size(), 7U) << line.command;
    for (size_t state = 0; state < 7; ++state) {
      Node node;
      const std::string id = NewReferral(node);
      const auto must = [&](const auto& request, const char* organisation, absl::Time now) {
        const absl::Status status = node.Send(request, As(organisation, now));
        ASSERT_TRUE(status.ok()) << status;
      };
      if (state == 2 || state == 4)
        must(ForReferral<v1::AcceptReferralRequest>(id), "clinic", Days(1));
      if (state == 3) must(ForReferral<v1::RejectReferralRequest>(id), "clinic", Days(1));
      if (state == 4) must(ForReferral<v1::CompleteReferralRequest>(id), "clinic", Days(2));
      if (state == 5) must(ForReferral<v1::RevokeReferralRequest>(id), "agency", Days(1));
      if (state == 6) must(ForReferral<v1::LapseReferralRequest>(id), "clock", Days(10));
      EXPECT_EQ(Reason(line.run(node, id, state == 1 ? Days(10) : Days(2))), line.expected[state])
          << line.command << " in state " << state;
    }
  }
}

TEST(Referral, IsSentWithConsentToAnotherOrganisationInAnOpenCase) {
  Node node;
  const std::string case_id = node.Open(node.Register(Adult()));
  EXPECT_EQ(Reason(node.Send(Send("nothing"), As("agency"))), "CASE_NOT_FOUND");
  EXPECT_EQ(Reason(node.Send(Send(case_id), As("agency"))), "NO_VALID_CONSENT");
  node.Must(ReferralConsent(case_id));
  EXPECT_EQ(Reason(node.Send(Send(case_id), As("clinic"))), "SAME_ORGANISATION");
  for (const absl::Time due : {Morning(), Days(-1), Days(367)}) {
    auto request = Send(case_id);
    *request.mutable_answer_due_time() = time::ToTimestamp(due);
    EXPECT_EQ(Reason(node.Send(request, As("agency"))), "DUE_TIME");
  }
  node.Bring(case_id, v1::CASE_STATE_CLOSED);
  EXPECT_EQ(Reason(node.Send(Send(case_id), As("agency"))), "CASE_CLOSED");
}

TEST(Referral, FallsBackToTheSenderAtItsDeadline) {
  Node node;
  const std::string id = NewReferral(node);
  const auto deadline = ReferralDecider::NextDeadline(node.Get<v1::Referral>(id));
  ASSERT_TRUE(deadline.has_value());
  EXPECT_EQ(deadline->due, Days(10));
  node.Must(static_cast<const v1::LapseReferralRequest&>(*deadline->command), Days(10));
  EXPECT_EQ(node.Get<v1::Referral>(id).state(), v1::REFERRAL_STATE_LAPSED);
  EXPECT_FALSE(ReferralDecider::NextDeadline(node.Get<v1::Referral>(id)).has_value());
}

// Sender, receiver, a stranger and the clock do what they like, at any time: what is said of a referral stays true.
RC_GTEST_PROP(ReferralProperty, GoesOneWayAndEndsOnce, ()) {
  using Move = std::pair<v1::ReferralState, v1::ReferralState>;
  static const std::set<Move> kMoves = {
      {v1::REFERRAL_STATE_IN_PROGRESS, v1::REFERRAL_STATE_ACCEPTED},
      {v1::REFERRAL_STATE_IN_PROGRESS, v1::REFERRAL_STATE_REJECTED},
      {v1::REFERRAL_STATE_IN_PROGRESS, v1::REFERRAL_STATE_REVOKED},
      {v1::REFERRAL_STATE_IN_PROGRESS, v1::REFERRAL_STATE_LAPSED},
      {v1::REFERRAL_STATE_ACCEPTED, v1::REFERRAL_STATE_DONE},
      {v1::REFERRAL_STATE_ACCEPTED, v1::REFERRAL_STATE_REVOKED}};
  Node node;
  const std::string id = NewReferral(node);
  absl::Time now = Morning();
  const int steps = *rc::gen::inRange(1, 25);
  for (int step = 0; step < steps; ++step) {
    now += absl::Hours(*rc::gen::inRange(0, 100));
    const auto by = As(*rc::gen::element<std::string>("agency", "clinic", "stranger"), now);
    const v1::Referral was = node.Get<v1::Referral>(id);
    absl::Status status;
    switch (*rc::gen::inRange(0, 5)) {
      case 0: status = node.Send(ForReferral<v1::AcceptReferralRequest>(id), by); break;
      case 1: status = node.Send(ForReferral<v1::RejectReferralRequest>(id), by); break;
      case 2: status = node.Send(ForReferral<v1::CompleteReferralRequest>(id), by); break;
      case 3: status = node.Send(ForReferral<v1::RevokeReferralRequest>(id), by); break;
      default: status = node.Send(ForReferral<v1::LapseReferralRequest>(id), by);
    }
    const v1::Referral& is = node.Get<v1::Referral>(id);
    if (!status.ok()) {
      RC_ASSERT(was.SerializeAsString() == is.SerializeAsString());
      continue;
    }
    RC_ASSERT(kMoves.contains(Move(was.state(), is.state())));
    RC_ASSERT(is.case_id() == was.case_id() && is.from_organisation() == was.from_organisation());
    const bool lapsed = is.state() == v1::REFERRAL_STATE_LAPSED;
    const bool revoked = is.state() == v1::REFERRAL_STATE_REVOKED;
    const bool accepted = is.state() == v1::REFERRAL_STATE_ACCEPTED;
    RC_ASSERT(by.actor.organisation == (revoked ? "agency" : "clinic") || lapsed);
    RC_ASSERT(!lapsed || now >= Days(10));
    RC_ASSERT(!accepted || now < Days(10));
    RC_ASSERT(is.has_ended_time() != accepted);
    RC_ASSERT(!ReferralDecider::NextDeadline(is).has_value());
  }
}

class CentreTest : public ::testing::Test {
 protected:
  CentreTest() {
    v1::OpenCentreRequest open;
    open.set_centre("yaounde");
    open.set_name("Centre de transit");
    open.set_country("CM");
    open.set_places(4);
    node_.Must(open);
  }
  // A household of two.
  std::string Arrived(const std::string& name) {
    const std::string id = node_.Open(node_.Register(Adult(name, "TEST")));
    node_.Bring(id, v1::CASE_STATE_ARRIVED);
    return id;
  }
  absl::Status In(const std::string& case_id, const std::string& centre = "yaounde") {
    auto request = ForCase<v1::CheckInRequest>(case_id);
    request.set_centre(centre);
    return node_.Send(request, At());
  }
  absl::Status Out(const std::string& case_id) {
    auto request = ForCase<v1::CheckOutRequest>(case_id);
    request.set_centre("yaounde");
    return node_.Send(request, At());
  }
  const v1::Centre& centre() { return node_.Get<v1::Centre>("yaounde"); }

  Node node_;
};

TEST_F(CentreTest, IsNeverOverItsPlaces) {
  const std::string first = Arrived("One");
  const std::string second = Arrived("Two");
  const std::string third = Arrived("Three");
  EXPECT_EQ(Reason(In(first)), "OK");
  EXPECT_EQ(Reason(In(second)), "OK");
  EXPECT_EQ(centre().occupied(), 4);
  EXPECT_EQ(Reason(In(third)), "CENTRE_FULL");
  EXPECT_EQ(Reason(Out(first)), "OK");
  EXPECT_EQ(Reason(Out(first)), "NOT_LODGED_HERE");
  EXPECT_EQ(Reason(In(third)), "OK");
  auto change = v1::ChangeCentrePlacesRequest();
  change.set_centre("yaounde");
  change.set_places(3);
  EXPECT_EQ(Reason(node_.Send(change, At())), "CENTRE_OCCUPIED");
  change.set_places(4);
  EXPECT_EQ(Reason(node_.Send(change, At())), "OK");
}

TEST_F(CentreTest, LodgesAHouseholdOnceAndItsCaseStaysOpen) {
  const std::string id = Arrived("One");
  EXPECT_EQ(Reason(In(id)), "OK");
  EXPECT_EQ(node_.of(id).centre(), "yaounde");
  EXPECT_EQ(Reason(In(id)), "CASE_LODGED");
  auto close = ForCase<v1::CloseCaseRequest>(id);
  close.set_reason(v1::CLOSE_REASON_WITHDRAWN);
  EXPECT_EQ(Reason(node_.Send(close, At())), "CASE_LODGED");
  auto erase = ForPerson<v1::ErasePersonRequest>(node_.of(id).person_id());
  erase.set_basis(v1::ERASURE_BASIS_ORDER);
  erase.set_reason("order");
  EXPECT_EQ(Reason(node_.Send(erase, At())), "CASE_LODGED");
  EXPECT_EQ(Reason(Out(id)), "OK");
  EXPECT_EQ(node_.of(id).centre(), "");
  node_.Must(erase);
}

TEST_F(CentreTest, TakesInCasesFromArrivalToTheEnd) {
  EXPECT_EQ(Reason(In("nothing")), "CASE_NOT_FOUND");
  for (const auto& [state, reason] : std::vector<std::pair<v1::CaseState, std::string>>{
           {v1::CASE_STATE_REGISTERED, "CASE_NOT_ARRIVED"},
           {v1::CASE_STATE_SUBMITTED, "CASE_NOT_ARRIVED"},
           {v1::CASE_STATE_ACCEPTED, "CASE_NOT_ARRIVED"},
           {v1::CASE_STATE_ARRIVED, "OK"},
           {v1::CASE_STATE_ASSESSED, "OK"},
           {v1::CASE_STATE_REINTEGRATING, "OK"},
           {v1::CASE_STATE_CLOSED, "CASE_CLOSED"}}) {
    const std::string id =
        node_.Open(node_.Register(Adult("State " + std::to_string(state), "TEST")));
    node_.Bring(id, state);
    EXPECT_EQ(Reason(In(id)), reason) << state;
    if (reason == "OK") {
      EXPECT_TRUE(Out(id).ok());
    }
  }
}

}  // namespace
}  // namespace sankofa::registration
