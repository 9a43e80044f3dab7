#include "services/registration/border/hand_over.h"

#include <gmock/gmock.h>
#include <rapidcheck/gtest.h>

#include <functional>

#include "services/platform/crypto/sign.h"
#include "tests/unit/registration/border.h"

// The responsibility for a case passes between two nodes: never to both, never to none, whatever the road does.
namespace sankofa::registration {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

// A case that TG has accepted and FR answers for.
std::string Accepted(Border& border) {
  const std::string id = border.Submit();
  border.Settle();
  EXPECT_TRUE(border.tg.Send(ForCase<v1::AcceptCaseRequest>(id)).ok());
  border.Settle();
  return id;
}

v1::OfferHandOverRequest Offer(const std::string& case_id, const Side& from,
                               const std::string& to = "tg", int days = 7) {
  auto request = ForCase<v1::OfferHandOverRequest>(case_id);
  request.set_to_partner(to);
  *request.mutable_answer_due_time() = time::ToTimestamp(from.now + absl::Hours(24 * days));
  request.set_request_id(test::NextRequestId());
  return request;
}

template <class Request>
Request For(const std::string& hand_over_id) {
  Request request;
  request.set_hand_over_id(hand_over_id);
  return request;
}

v1::DeclineHandOverRequest Decline(const std::string& id) {
  auto request = For<v1::DeclineHandOverRequest>(id);
  request.set_reason(v1::DECLINE_REASON_NO_CAPACITY);
  return request;
}

std::string MustOffer(Border& border, const std::string& case_id) {
  const auto offer = Offer(case_id, border.fr);
  const absl::Status offered = border.fr.Send(offer);
  EXPECT_TRUE(offered.ok()) << offered;
  return engine::DerivedId(offer.request_id());
}

bool SaysMine(Side& side, const std::string& case_id) {
  return side.of(case_id).responsible_node().empty();
}

TEST(HandOver, TakesBothSignaturesAndChangesBothNodes) {
  Border border;
  const std::string id = Accepted(border);
  const std::string hand_over = MustOffer(border, id);
  border.Settle();
  EXPECT_EQ(border.tg.hand_over(hand_over).state(), v1::HAND_OVER_STATE_OFFERED);
  ASSERT_TRUE(border.tg.Send(For<v1::AcceptHandOverRequest>(hand_over)).ok());
  // Signed by the receiver, nothing has changed yet.
  EXPECT_TRUE(SaysMine(border.fr, id));
  EXPECT_FALSE(SaysMine(border.tg, id));
  border.Settle();
  for (Side* side : {&border.fr, &border.tg}) {
    EXPECT_THAT(side->refusals, IsEmpty());
    EXPECT_EQ(side->of(id).responsible_organisation(), "tg");
    EXPECT_TRUE(side->of(id).hand_over_id().empty());
    const v1::HandOver& done = side->hand_over(hand_over);
    EXPECT_EQ(done.state(), v1::HAND_OVER_STATE_COMPLETED);
    EXPECT_EQ(done.releaser().node(), "fr");
    EXPECT_EQ(done.receiver().node(), "tg");
    for (const auto& signature : {done.releaser(), done.receiver()}) {
      EXPECT_TRUE(crypto::Verifies(signature.public_key(), kHandOverLabel, done.statement(),
                                   signature.signature()));
    }
    v1::HandOverStatement statement;
    ASSERT_TRUE(statement.ParseFromString(done.statement()));
    EXPECT_EQ(statement.case_id(), id);
  }
  EXPECT_FALSE(SaysMine(border.fr, id));
  EXPECT_TRUE(SaysMine(border.tg, id));
  // And back again.
  const auto back = Offer(id, border.tg, "fr");
  ASSERT_TRUE(border.tg.Send(back).ok());
  border.Settle();
  ASSERT_TRUE(
      border.fr.Send(For<v1::AcceptHandOverRequest>(engine::DerivedId(back.request_id()))).ok());
  border.Settle();
  EXPECT_TRUE(SaysMine(border.fr, id));
  EXPECT_FALSE(SaysMine(border.tg, id));
}

TEST(HandOver, DeclinedOrUnansweredFallsBack) {
  for (const bool decline : {true, false}) {
    Border border;
    const std::string id = Accepted(border);
    const std::string hand_over = MustOffer(border, id);
    border.Settle();
    if (decline) {
      ASSERT_TRUE(border.tg.Send(Decline(hand_over)).ok());
    } else {
      border.Advance(absl::Hours(24 * 7));
      border.fr.RunDeadlines();
    }
    border.Settle();
    for (Side* side : {&border.fr, &border.tg}) {
      EXPECT_EQ(side->hand_over(hand_over).state(),
                decline ? v1::HAND_OVER_STATE_DECLINED : v1::HAND_OVER_STATE_LAPSED);
      EXPECT_EQ(side->of(id).responsible_organisation(), "fr");
    }
    // Free for the next one.
    EXPECT_EQ(Reason(border.fr.Send(Offer(id, border.fr))), "OK");
  }
}

TEST(HandOver, AnAcceptanceThatComesTooLateIsAnsweredWithTheLapse) {
  Border border;
  const std::string id = Accepted(border);
  const std::string hand_over = MustOffer(border, id);
  border.Settle();
  border.Advance(absl::Hours(24 * 7) - absl::Seconds(1));
  ASSERT_TRUE(border.tg.Send(For<v1::AcceptHandOverRequest>(hand_over)).ok());
  border.Advance(absl::Seconds(1));
  border.Settle();  // before the releaser's deadline has run
  EXPECT_EQ(border.fr.hand_over(hand_over).state(), v1::HAND_OVER_STATE_LAPSED);
  EXPECT_EQ(border.tg.hand_over(hand_over).state(), v1::HAND_OVER_STATE_LAPSED);
  EXPECT_TRUE(SaysMine(border.fr, id));
  EXPECT_FALSE(SaysMine(border.tg, id));
  // The same acceptance once more: told again, and the next offer is not disturbed.
  const std::string next = MustOffer(border, id);
  Border::Hand(border.past["tg"].back(), border.fr);
  EXPECT_NE(border.fr.world.Last<v1::HandOverLapsed>(), nullptr);
  EXPECT_EQ(border.fr.of(id).hand_over_id(), next);
  EXPECT_THAT(border.fr.refusals, IsEmpty());
}

TEST(HandOver, OfACaseThatIsOverMeanwhileLapses) {
  Border border;
  const std::string id = Accepted(border);
  const std::string hand_over = MustOffer(border, id);
  border.Settle();
  ASSERT_TRUE(border.tg.Send(For<v1::AcceptHandOverRequest>(hand_over)).ok());
  auto close = ForCase<v1::CloseCaseRequest>(id);
  close.set_reason(v1::CLOSE_REASON_WITHDRAWN);
  ASSERT_TRUE(border.fr.Send(close).ok());
  border.Settle();
  EXPECT_EQ(border.tg.hand_over(hand_over).state(), v1::HAND_OVER_STATE_LAPSED);
  EXPECT_TRUE(SaysMine(border.fr, id));
}

TEST(OfferHandOver, IsForWhoAnswersAndToWhoIsConcerned) {
  Border border;
  const std::string id = Accepted(border);
  EXPECT_EQ(Reason(border.tg.Send(Offer(id, border.tg, "fr"))), "NOT_RESPONSIBLE");
  EXPECT_EQ(Reason(border.fr.Send(Offer(id, border.fr, "cm"))), "PARTNER_NOT_CONCERNED");
  EXPECT_EQ(Reason(border.fr.Send(Offer(test::NextRequestId(), border.fr))), "CASE_NOT_FOUND");
  EXPECT_EQ(Reason(border.fr.Send(Offer(id, border.fr, "tg", 0))), "DUE_TIME");
  EXPECT_EQ(Reason(border.fr.Send(Offer(id, border.fr, "tg", 400))), "DUE_TIME");
  ex::PartnerSuspended suspended;
  suspended.set_partner_id("tg");
  ASSERT_TRUE(border.fr.React(suspended).ok());
  EXPECT_EQ(Reason(border.fr.Send(Offer(id, border.fr))), "PARTNER_NOT_A_NODE");
  ex::PartnerResumed resumed;
  resumed.set_partner_id("tg");
  ASSERT_TRUE(border.fr.React(resumed).ok());
  auto context = border.fr.Now();
  context.sign = nullptr;
  EXPECT_EQ(Reason(border.fr.world.Send(Offer(id, border.fr), context)), "NODE_CANNOT_SIGN");
  MustOffer(border, id);
  EXPECT_EQ(Reason(border.fr.Send(Offer(id, border.fr))), "HAND_OVER_OPEN");

  Border early;
  const std::string submitted = early.Submit();
  early.Settle();
  EXPECT_EQ(Reason(early.fr.Send(Offer(submitted, early.fr))), "CASE_NOT_ACCEPTED");
  auto close = ForCase<v1::CloseCaseRequest>(submitted);
  close.set_reason(v1::CLOSE_REASON_WITHDRAWN);
  ASSERT_TRUE(early.fr.Send(close).ok());
  EXPECT_EQ(Reason(early.fr.Send(Offer(submitted, early.fr))), "CASE_CLOSED");
}

// --- Every state and command, at both nodes ---

enum Situation { kOffered, kAccepted, kCompleted, kDeclined, kLapsed, kSituations };

struct Prepared {
  std::string case_id;
  std::string id;
  v1::HandOverOffered offered;
  v1::HandOverAccepted accepted;
  v1::HandOverCompleted completed;
};

template <class Event>
void Keep(const std::vector<ex::UpdateReceived>& past, Event& into) {
  for (const auto& update : past) {
    ex::FeedEvent event;
    ASSERT_TRUE(event.ParseFromString(update.event()));
    if (event.type() == Event::descriptor()->full_name()) into.ParseFromString(event.payload());
  }
}

// kAccepted: signed there, and the releaser has not heard of it.
Prepared Prepare(Border& border, int situation) {
  Prepared prepared;
  prepared.case_id = Accepted(border);
  prepared.id = MustOffer(border, prepared.case_id);
  border.Settle();
  Keep(border.past["fr"], prepared.offered);
  if (situation == kDeclined) {
    EXPECT_TRUE(border.tg.Send(Decline(prepared.id)).ok());
    border.Settle();
  }
  if (situation == kLapsed) {
    border.Advance(absl::Hours(24 * 7));
    border.fr.RunDeadlines();
    border.Settle();
  }
  if (situation == kAccepted || situation == kCompleted) {
    EXPECT_TRUE(border.tg.Send(For<v1::AcceptHandOverRequest>(prepared.id)).ok());
    prepared.accepted = *border.tg.world.Last<v1::HandOverAccepted>();
    if (situation == kCompleted) {
      border.Settle();
      Keep(border.past["fr"], prepared.completed);
    }
  }
  return prepared;
}

TEST(HandOver, EveryStateAndCommand) {
  struct Line {
    const char* command;
    std::function<absl::Status(Border&, const Prepared&)> run;
    std::vector<std::string> expected;
  };
  const std::string ok = "OK";
  const std::string ours = "HAND_OVER_OURS";
  const std::string answered = "HAND_OVER_ANSWERED";
  const std::string ended = "HAND_OVER_ENDED";
  const std::string statement = "HAND_OVER_STATEMENT";
  const std::string foreign = "NOT_OWNER_OF_FACT";
  const auto answer = [](Side& side, const Prepared& of, bool decline) {
    v1::ReceiveHandOverAnswerRequest request;
    request.set_hand_over_id(of.id);
    request.set_sender("tg");
    if (decline) {
      request.mutable_declined()->set_hand_over_id(of.id);
    } else {
      *request.mutable_accepted() = of.accepted;
    }
    return side.Send(request);
  };
  const auto end = [](Side& side, const Prepared& of, bool lapse, const std::string& sender) {
    v1::EndHandOverRequest request;
    request.set_hand_over_id(of.id);
    request.set_sender(sender);
    if (lapse) {
      request.mutable_lapsed()->set_hand_over_id(of.id);
    } else {
      *request.mutable_completed() = of.completed;
      if (of.completed.statement().empty()) {
        // Made up by the releaser, without the signature of who is to take over.
        request.mutable_completed()->set_statement(of.offered.statement());
        *request.mutable_completed()->mutable_releaser() = of.offered.releaser();
      }
    }
    return side.Send(request);
  };
  const std::vector<Line> lines = {
      {"AcceptHandOver at the receiver",
       [](Border& b, const Prepared& of) {
         return b.tg.Send(For<v1::AcceptHandOverRequest>(of.id));
       },
       {ok, answered, ended, ended, ended}},
      {"AcceptHandOver at the releaser",
       [](Border& b, const Prepared& of) {
         return b.fr.Send(For<v1::AcceptHandOverRequest>(of.id));
       },
       {ours, ours, ours, ours, ours}},
      {"DeclineHandOver at the receiver",
       [](Border& b, const Prepared& of) { return b.tg.Send(Decline(of.id)); },
       {ok, answered, ended, ended, ended}},
      {"DeclineHandOver at the releaser",
       [](Border& b, const Prepared& of) { return b.fr.Send(Decline(of.id)); },
       {ours, ours, ours, ours, ours}},
      {"the offer again",
       [](Border& b, const Prepared& of) {
         v1::ReceiveHandOverRequest request;
         request.set_hand_over_id(of.id);
         request.set_sender("fr");
         *request.mutable_offered() = of.offered;
         return b.tg.Send(request);
       },
       {ok, ok, ok, ok, ok}},
      {"an acceptance, signed where it was given",
       [&](Border& b, const Prepared& of) { return answer(b.fr, of, false); },
       {statement, ok, ok, statement, statement}},
      {"a decline",
       [&](Border& b, const Prepared& of) { return answer(b.fr, of, true); },
       {ok, ok, ok, ok, ok}},
      {"a decline at the wrong node",
       [&](Border& b, const Prepared& of) { return answer(b.tg, of, true); },
       {foreign, foreign, foreign, foreign, foreign}},
      {"a completion, made up where it did not take place",
       [&](Border& b, const Prepared& of) { return end(b.tg, of, false, "fr"); },
       {statement, statement, ok, statement, statement}},
      {"a lapse",
       [&](Border& b, const Prepared& of) { return end(b.tg, of, true, "fr"); },
       {ok, ok, ok, ok, ok}},
      {"a lapse from a third node",
       [&](Border& b, const Prepared& of) { return end(b.tg, of, true, "cm"); },
       {foreign, foreign, foreign, foreign, foreign}},
      {"the deadline, early",
       [](Border& b, const Prepared& of) {
         return b.fr.Send(For<v1::LapseHandOverRequest>(of.id));
       },
       {"NOT_DUE_YET", "NOT_DUE_YET", ended, ended, ended}},
      {"the deadline at the receiver",
       [](Border& b, const Prepared& of) {
         return b.tg.Send(For<v1::LapseHandOverRequest>(of.id));
       },
       {ended, ended, ended, ended, ended}},
  };
  for (const Line& line : lines) {
    for (int situation = 0; situation < kSituations; ++situation) {
      Border border;
      const Prepared of = Prepare(border, situation);
      EXPECT_EQ(Reason(line.run(border, of)), line.expected[static_cast<size_t>(situation)])
          << line.command << " in situation " << situation;
      const bool both = SaysMine(border.fr, of.case_id) && SaysMine(border.tg, of.case_id);
      EXPECT_FALSE(both) << line.command << " in situation " << situation;
    }
  }
}

TEST(HandOver, RefusesWhatWasNotSignedSo) {
  struct Line {
    const char* reason;
    std::function<void(v1::ReceiveHandOverRequest&)> spoil;
  };
  const std::vector<Line> lines = {
      {"OK", [](auto&) {}},
      {"NOT_OWNER_OF_FACT", [](auto& r) { r.set_sender("cm"); }},
      {"FACT_MALFORMED", [](auto& r) { r.mutable_offered()->set_to_node("cm"); }},
      {"FACT_MALFORMED", [](auto& r) { r.mutable_offered()->set_statement("garbage"); }},
      {"FACT_MALFORMED", [](auto& r) { r.mutable_offered()->clear_answer_due_time(); }},
      {"FACT_MALFORMED",
       [](auto& r) { r.mutable_offered()->mutable_answer_due_time()->set_seconds(4000000000); }},
      {"HAND_OVER_STATEMENT",
       [](auto& r) { r.mutable_offered()->mutable_releaser()->set_signature("none"); }},
      {"HAND_OVER_STATEMENT",
       [](auto& r) { r.mutable_offered()->mutable_releaser()->set_node("tg"); }},
      {"HAND_OVER_STATEMENT",
       [](auto& r) {
         // A good signature, but with a key that is not the partner's.
         auto& releaser = *r.mutable_offered()->mutable_releaser();
         const auto other = *crypto::Signer::FromSeed(std::string(32, 'z'));
         releaser.set_public_key(other->public_key());
         releaser.set_signature(other->Sign(kHandOverLabel, r.offered().statement()));
       }},
  };
  for (const Line& line : lines) {
    Border border;
    const std::string id = Accepted(border);
    const std::string hand_over = MustOffer(border, id);
    v1::ReceiveHandOverRequest request;
    request.set_hand_over_id(hand_over);
    request.set_sender("fr");
    *request.mutable_offered() = *border.fr.world.Last<v1::HandOverOffered>();
    line.spoil(request);
    EXPECT_EQ(Reason(border.tg.Send(request)), line.reason);
  }
}

// --- Exactly one ---

struct Step {
  int kind;
  int variant;
};
std::ostream& operator<<(std::ostream& out, const Step& step) {
  return out << "{" << step.kind << ", " << step.variant << "}";
}

// Offers, answers, time, deadlines, slow and repeating roads, closings and reopenings. At no time do both nodes say that
// they answer for the case; each node names exactly one organisation; and when all messages have arrived, the two say
// the same and exactly one of them says "I".
void Walk(const std::vector<Step>& steps) {
  Border border;
  const std::string id = Accepted(border);
  const auto newest = [](Side& side, int variant) {
    const auto all = side.world.All<v1::HandOver>();
    return all.empty() ? std::string() : all[static_cast<size_t>(variant) % all.size()]->id();
  };
  const auto check = [&] {
    RC_ASSERT(!(SaysMine(border.fr, id) && SaysMine(border.tg, id)));
    for (Side* side : {&border.fr, &border.tg}) {
      RC_ASSERT(side->refusals.empty());
      const std::string& organisation = side->of(id).responsible_organisation();
      RC_ASSERT(organisation == "fr" || organisation == "tg");
      RC_ASSERT((organisation == side->name()) == SaysMine(*side, id));
    }
  };
  for (const Step& step : steps) {
    Side& side = step.variant % 2 == 0 ? border.fr : border.tg;
    Side& other = step.variant % 2 == 0 ? border.tg : border.fr;
    switch (step.kind) {
      case 0:
      case 1: (void)side.Send(Offer(id, side, other.name(), 1 + step.variant % 5)); break;
      case 2:
      case 3: {
        const std::string one = newest(side, step.variant);
        if (!one.empty()) (void)side.Send(For<v1::AcceptHandOverRequest>(one));
        break;
      }
      case 4: {
        const std::string one = newest(side, step.variant);
        if (!one.empty()) (void)side.Send(Decline(one));
        break;
      }
      case 5: border.Deliver(border.fr, border.tg); break;
      case 6: border.Deliver(border.tg, border.fr); break;
      case 7: {
        auto& past = border.past[side.name()];
        if (past.empty()) break;
        Border::Hand(past[static_cast<size_t>(step.variant) % past.size()], other);
        // What is repeated out of order may be refused: it does no harm.
        other.refusals.clear();
        break;
      }
      case 8:
        // The clocks need not agree.
        side.now += absl::Hours(24 * (step.variant % 4));
        side.RunDeadlines();
        break;
      case 9: {
        auto close = ForCase<v1::CloseCaseRequest>(id);
        close.set_reason(v1::CLOSE_REASON_WITHDRAWN);
        auto reopen = ForCase<v1::ReopenCaseRequest>(id);
        reopen.set_reason("again");
        if (step.variant % 3 == 0) (void)side.Send(close);
        (void)side.Send(reopen);
        break;
      }
      default: border.Settle();
    }
    check();
  }
  border.Settle();
  check();
  RC_ASSERT(SaysMine(border.fr, id) != SaysMine(border.tg, id));
  RC_ASSERT(border.fr.of(id).responsible_organisation() ==
            border.tg.of(id).responsible_organisation());
  int completed = 0;
  for (const v1::HandOver* one : border.fr.world.All<v1::HandOver>()) {
    completed += one->state() == v1::HAND_OVER_STATE_COMPLETED ? 1 : 0;
  }
  RC_TAG(completed > 0 ? "handed over" : "never handed over");
}

rc::Gen<Step> AnyStep() {
  return rc::gen::construct<Step>(rc::gen::inRange(0, 11), rc::gen::inRange(0, 100));
}

RC_GTEST_PROP(HandOver, LeavesExactlyOneResponsible, ()) {
  Walk(*rc::gen::container<std::vector<Step>>(AnyStep()));
}

RC_GTEST_PROP(HandOver, LeavesExactlyOneResponsibleOnLongWalks, ()) {
  Walk(*rc::gen::noShrink(rc::gen::container<std::vector<Step>>(200, AnyStep())));
}

}  // namespace
}  // namespace sankofa::registration
