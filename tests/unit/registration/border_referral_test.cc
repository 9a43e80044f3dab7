#include <gmock/gmock.h>
#include <rapidcheck/gtest.h>

#include <functional>

#include "services/registration/care/referral.h"
#include "tests/unit/registration/border.h"

// A referral from one node to another: both have it, the receiver answers, the sender takes back and lets lapse.
namespace sankofa::registration {
namespace {

using ::testing::IsEmpty;

// FR refers the person of a case to TG; what TG is told of it is `disclosed`.
std::string Refer(Border& border, const std::string& case_id, const std::string& to = "tg") {
  auto consent = Consent(case_id);
  consent.set_purpose(v1::CONSENT_PURPOSE_REFERRAL);
  consent.set_partner(to);
  EXPECT_TRUE(border.fr.Send(consent).ok());
  auto request = ForCase<v1::SendReferralRequest>(case_id);
  request.set_to_organisation(to);
  request.set_need(v1::NEED_HEALTH);
  request.set_reason("needs dialysis");
  *request.mutable_answer_due_time() = time::ToTimestamp(border.fr.now + absl::Hours(24 * 7));
  request.set_request_id(test::NextRequestId());
  const absl::Status sent = border.fr.Send(request);
  EXPECT_TRUE(sent.ok()) << sent;
  return engine::DerivedId(request.request_id());
}

void DiscloseReferral(Border& border, const std::string& case_id, const std::string& referral) {
  auto& disclosure = *border.tg.disclosed[case_id].add_disclosures();
  disclosure.set_purpose(v1::CONSENT_PURPOSE_REFERRAL);
  auto& shown = *disclosure.add_referrals();
  shown.set_id(referral);
  shown.set_need(v1::NEED_HEALTH);
  shown.set_reason("needs dialysis");
}

v1::Referral& At(Side& side, const std::string& id) { return side.world.Get<v1::Referral>(id); }

template <class Request>
Request On(const std::string& id) {
  Request request;
  request.set_referral_id(id);
  return request;
}

TEST(BorderReferral, ReachesTheOtherNodeWithWhatIsDisclosed) {
  Border border;
  const std::string case_id = border.Submit();
  const std::string id = Refer(border, case_id);
  const auto& sent = *border.fr.world.Last<v1::ReferralSent>();
  EXPECT_EQ(sent.addressee(), "tg");
  DiscloseReferral(border, case_id, id);
  border.Settle();
  const v1::Referral& here = At(border.tg, id);
  EXPECT_EQ(here.state(), v1::REFERRAL_STATE_IN_PROGRESS);
  EXPECT_EQ(here.from_organisation(), "fr");
  EXPECT_EQ(here.to_organisation(), "tg");
  EXPECT_EQ(here.source_node(), "fr");
  EXPECT_EQ(here.need(), v1::NEED_HEALTH);
  EXPECT_EQ(here.reason(), "needs dialysis");
  EXPECT_FALSE(ReferralDecider::NextDeadline(here).has_value());
  EXPECT_THAT(border.tg.refusals, IsEmpty());
}

TEST(BorderReferral, StandsWithoutTheReasonAndTakesItLater) {
  Border border;
  const std::string case_id = border.Submit();
  const std::string id = Refer(border, case_id);
  border.Settle();
  EXPECT_EQ(At(border.tg, id).need(), v1::NEED_UNSPECIFIED);
  EXPECT_THAT(At(border.tg, id).reason(), IsEmpty());
  DiscloseReferral(border, case_id, id);
  ex::DisclosureChanged changed;
  changed.set_case_id(case_id);
  border.fr.Tell(changed, case_id, /*discloses=*/true);
  border.Settle();
  EXPECT_EQ(At(border.tg, id).reason(), "needs dialysis");
  border.fr.Tell(changed, case_id, /*discloses=*/true);
  border.Settle();
  EXPECT_EQ(border.tg.world.Last<v1::ReferralDetailsReceived>(), nullptr) << "nothing new";
}

TEST(BorderReferral, ToAPartnerWithoutANodeStaysHere) {
  Border border;
  const std::string case_id = border.Submit();
  const std::string id = Refer(border, case_id, "croix-rouge");
  EXPECT_THAT(border.fr.world.Last<v1::ReferralSent>()->addressee(), IsEmpty());
  EXPECT_EQ(
      Reason(border.fr.world.Send(On<v1::AcceptReferralRequest>(id), border.fr.Now("croix-rouge"))),
      "OK");
  ex::PartnerSuspended suspended;
  suspended.set_partner_id("tg");
  ASSERT_TRUE(border.fr.React(suspended).ok());
  auto consent = Consent(case_id);
  consent.set_purpose(v1::CONSENT_PURPOSE_REFERRAL);
  consent.set_partner("tg");
  ASSERT_TRUE(border.fr.Send(consent).ok());
  auto request = ForCase<v1::SendReferralRequest>(case_id);
  request.set_to_organisation("tg");
  *request.mutable_answer_due_time() = time::ToTimestamp(border.fr.now + absl::Hours(24));
  EXPECT_EQ(Reason(border.fr.Send(request)), "PARTNER_NOT_A_NODE");
}

// --- Every state and command, at both nodes ---

enum Situation { kInProgress, kAccepted, kRejected, kDone, kRevoked, kLapsed, kSituations };

std::string Prepare(Border& border, int situation) {
  const std::string id = Refer(border, border.Submit());
  border.Settle();
  auto reject = On<v1::RejectReferralRequest>(id);
  reject.set_reason("no");
  auto done = On<v1::CompleteReferralRequest>(id);
  done.set_outcome("done");
  auto revoke = On<v1::RevokeReferralRequest>(id);
  revoke.set_reason("no longer");
  if (situation == kAccepted || situation == kDone) {
    EXPECT_TRUE(border.tg.Send(On<v1::AcceptReferralRequest>(id)).ok());
  }
  if (situation == kDone) {
    EXPECT_TRUE(border.tg.Send(done).ok());
  }
  if (situation == kRejected) {
    EXPECT_TRUE(border.tg.Send(reject).ok());
  }
  if (situation == kRevoked) {
    EXPECT_TRUE(border.fr.Send(revoke).ok());
  }
  if (situation == kLapsed) {
    border.Advance(absl::Hours(24 * 7));
    EXPECT_TRUE(border.fr.Send(On<v1::LapseReferralRequest>(id)).ok());
  }
  border.Settle();
  return id;
}

TEST(BorderReferral, EveryStateAndCommand) {
  struct Line {
    const char* command;
    std::function<absl::Status(Side&, const std::string&)> run;
    std::vector<std::string> sender;    // expected at FR, by situation
    std::vector<std::string> receiver;  // expected at TG
  };
  const std::string ok = "OK";
  const std::string ended = "REFERRAL_ENDED";
  const std::string no_receiver = "NOT_RECEIVER";
  const std::string no_sender = "NOT_SENDER";
  const std::string not_accepted = "REFERRAL_NOT_ACCEPTED";
  const std::string foreign = "NOT_OWNER_OF_FACT";
  const std::vector<std::string> never(kSituations, no_receiver);
  const std::vector<std::string> not_theirs(kSituations, no_sender);
  const auto move = [](v1::ReferralState state) {
    return [state](Side& side, const std::string& id) {
      auto request = On<v1::MoveReferralRequest>(id);
      request.set_sender(side.name() == "fr" ? "tg" : "fr");
      request.set_state(state);
      return side.Send(request);
    };
  };
  const std::vector<std::string> fine(kSituations, ok);
  const std::vector<std::string> unowned(kSituations, foreign);
  const std::vector<Line> lines = {
      {"AcceptReferral",
       [](Side& side, const std::string& id) {
         return side.Send(On<v1::AcceptReferralRequest>(id));
       },
       never,
       {ok, "REFERRAL_ANSWERED", ended, ended, ended, ended}},
      {"RejectReferral",
       [](Side& side, const std::string& id) {
         auto request = On<v1::RejectReferralRequest>(id);
         request.set_reason("no");
         return side.Send(request);
       },
       never,
       {ok, "REFERRAL_ANSWERED", ended, ended, ended, ended}},
      {"CompleteReferral",
       [](Side& side, const std::string& id) {
         auto request = On<v1::CompleteReferralRequest>(id);
         request.set_outcome("done");
         return side.Send(request);
       },
       never,
       {not_accepted, ok, ended, ended, ended, ended}},
      {"RevokeReferral",
       [](Side& side, const std::string& id) {
         auto request = On<v1::RevokeReferralRequest>(id);
         request.set_reason("no longer");
         return side.Send(request);
       },
       {ok, ok, ended, ended, ended, ended},
       not_theirs},
      {"accepted there", move(v1::REFERRAL_STATE_ACCEPTED), fine, unowned},
      {"rejected there", move(v1::REFERRAL_STATE_REJECTED), fine, unowned},
      {"done there", move(v1::REFERRAL_STATE_DONE), fine, unowned},
      {"revoked there", move(v1::REFERRAL_STATE_REVOKED), unowned, fine},
      {"lapsed there", move(v1::REFERRAL_STATE_LAPSED), unowned, fine},
      {"in progress there", move(v1::REFERRAL_STATE_IN_PROGRESS),
       std::vector<std::string>(kSituations, "FACT_MALFORMED"),
       std::vector<std::string>(kSituations, "FACT_MALFORMED")},
  };
  for (const Line& line : lines) {
    for (int situation = 0; situation < kSituations; ++situation) {
      for (const bool at_sender : {true, false}) {
        Border border;
        const std::string id = Prepare(border, situation);
        Side& side = at_sender ? border.fr : border.tg;
        const v1::ReferralState before = At(side, id).state();
        const absl::Status status = line.run(side, id);
        EXPECT_EQ(Reason(status),
                  (at_sender ? line.sender : line.receiver)[static_cast<size_t>(situation)])
            << line.command << " in situation " << situation << " at " << side.name();
        // What has ended stays as it ended.
        if (situation >= kRejected) {
          EXPECT_EQ(At(side, id).state(), before) << line.command;
        }
      }
    }
  }
}

TEST(BorderReferral, RefusesWhatIsNotTheSenders) {
  Border border;
  const std::string id = Refer(border, border.Submit());
  border.Settle();
  v1::ReceiveReferralRequest request;
  request.set_referral_id(id);
  request.set_sender("cm");
  EXPECT_EQ(Reason(border.tg.Send(request)), "FACT_MALFORMED");
  request.clear_request_id();
  request.mutable_sent()->set_referral_id(id);
  request.mutable_sent()->set_case_id("case");
  *request.mutable_sent()->mutable_answer_due_time() = time::ToTimestamp(Days(9));
  EXPECT_EQ(Reason(border.tg.Send(request)), "NOT_OWNER_OF_FACT");
  request.set_sender("fr");
  request.clear_request_id();
  EXPECT_EQ(Reason(border.tg.Send(request)), "OK") << "again";
}

TEST(BorderReferral, AnAnswerThatComesTooLateHasLapsed) {
  Border border;
  const std::string id = Refer(border, border.Submit());
  border.Settle();
  border.Advance(absl::Hours(24 * 7) - absl::Seconds(1));
  ASSERT_TRUE(border.tg.Send(On<v1::AcceptReferralRequest>(id)).ok());
  border.Advance(absl::Seconds(1));
  border.Deliver(border.tg, border.fr);
  EXPECT_EQ(At(border.fr, id).state(), v1::REFERRAL_STATE_IN_PROGRESS);
  ASSERT_TRUE(border.fr.Send(On<v1::LapseReferralRequest>(id)).ok());
  border.Settle();
  EXPECT_EQ(At(border.fr, id).state(), v1::REFERRAL_STATE_LAPSED);
  EXPECT_EQ(At(border.tg, id).state(), v1::REFERRAL_STATE_LAPSED);
}

// Whatever the order in which the two act and hear of each other: nothing that ended begins again, and nobody is refused
// what is theirs to say.
RC_GTEST_PROP(BorderReferral, EndsOnceAtEachNode, ()) {
  const auto steps = *rc::gen::container<std::vector<int>>(rc::gen::inRange(0, 8));
  Border border;
  const std::string id = Refer(border, border.Submit());
  border.Settle();
  std::map<std::string, v1::ReferralState> ended;
  for (const int step : steps) {
    auto reject = On<v1::RejectReferralRequest>(id);
    auto done = On<v1::CompleteReferralRequest>(id);
    auto revoke = On<v1::RevokeReferralRequest>(id);
    switch (step) {
      case 0: (void)border.tg.Send(On<v1::AcceptReferralRequest>(id)); break;
      case 1: (void)border.tg.Send(reject); break;
      case 2: (void)border.tg.Send(done); break;
      case 3: (void)border.fr.Send(revoke); break;
      case 4:
        border.Advance(absl::Hours(24 * 3));
        (void)border.fr.Send(On<v1::LapseReferralRequest>(id));
        break;
      case 5: border.Deliver(border.fr, border.tg); break;
      case 6: border.Deliver(border.tg, border.fr); break;
      default: border.Settle();
    }
    for (Side* side : {&border.fr, &border.tg}) {
      RC_ASSERT(side->refusals.empty());
      const v1::ReferralState state = At(*side, id).state();
      const auto found = ended.find(side->name());
      if (found != ended.end()) {
        RC_ASSERT(found->second == state);
      }
      if (At(*side, id).has_ended_time()) ended.emplace(side->name(), state);
    }
  }
  border.Settle();
  // What the sender still waits for by then lapses, and the receiver hears of it.
  border.Advance(absl::Hours(24 * 30));
  (void)border.fr.Send(On<v1::LapseReferralRequest>(id));
  border.Settle();
  RC_ASSERT(At(border.fr, id).has_ended_time() == At(border.tg, id).has_ended_time());
}

}  // namespace
}  // namespace sankofa::registration
