#include "services/validation/forwarded_vote.h"

#include <gmock/gmock.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <deque>
#include <functional>
#include <set>
#include <string>
#include <vector>

#include "sankofa/exchange/v1/exchange_events.pb.h"
#include "sankofa/exchange/v1/feed.pb.h"
#include "services/validation/reactions.h"
#include "services/validation/voting.h"
#include "tests/unit/validation/desk.h"

// A seat of FR votes in a sitting of TG through its own node.
namespace sankofa::validation {
namespace {

using ::testing::IsEmpty;
using ::testing::SizeIs;
namespace ex = exchange::v1;

constexpr const char* kCase = "case-1";

// Hands a message over as exchange does; the first refusal of a command that it leads to.
template <class Event>
absl::Status React(Desk& desk, const std::string& node, const Event& event) {
  engine::Reactions reactions;
  validation::React(reactions);
  const auto* handler = reactions.Find(Event::descriptor()->full_name());
  engine::Commands commands;
  handler->react(event, {}, commands);
  absl::Status refused;
  for (const auto& command : commands.requests()) {
    auto context = desk.As("");
    context.node = node;
    context.actor.system = "exchange";
    const absl::Status status = desk.world.SendAny(*command, context);
    if (refused.ok()) refused = status;
  }
  return refused;
}

ex::UpdateReceived Update(const std::string& sender, const google::protobuf::Message& message,
                          const std::string& case_id = kCase) {
  ex::FeedEvent event;
  event.set_sender(sender);
  event.set_subject(absl::StrCat("Case/", case_id));
  event.set_type(message.GetDescriptor()->full_name());
  event.set_payload(message.SerializeAsString());
  ex::UpdateReceived update;
  update.set_sender(sender);
  update.set_subject_id(case_id);
  update.set_subject(event.subject());
  update.set_type(event.type());
  update.set_event(event.SerializeAsString());
  return update;
}

void Meet(Desk& desk, const std::string& node, const std::string& partner) {
  ex::PartnerRegistered event;
  event.mutable_partner()->set_id(partner);
  event.mutable_partner()->set_kind(ex::PARTNER_KIND_NODE);
  event.mutable_partner()->set_state(ex::PARTNER_STATE_ACTIVE);
  ASSERT_TRUE(React(desk, node, event).ok());
}

// TG with an open sitting whose seat "ofii" votes from FR; and FR.
struct Nodes {
  Nodes() {
    Meet(fr, "fr", "tg");
    auto committee = FiveSeats();
    committee.mutable_seats(2)->set_node("fr");
    tg.Must(committee);
    project = tg.Feasible(kCase);
    session = tg.Scheduled();
    tg.Add(session, project);
  }
  void Open() { tg.Open(session); }

  // Cast at FR.
  v1::VoteForwarded Cast(v1::VoteValue value = v1::VOTE_VALUE_FOR, const std::string& seat = "ofii",
                         const std::string& who = "ofii-holder") {
    v1::ForwardVoteRequest request;
    request.set_to_node("tg");
    request.set_session_id(session);
    request.set_project_id(project);
    request.set_case_id(kCase);
    request.set_seat_code(seat);
    request.set_value(value);
    fr.Must(request, fr.As(who, {"committee_member"}));
    return *fr.world.Last<v1::VoteForwarded>();
  }
  // Arrives at TG and is answered; the answer arrives at FR.
  std::string Answer(const v1::VoteForwarded& vote) {
    const absl::Status arrived = React(tg, "tg", Update("fr", vote));
    if (!arrived.ok()) return Reason(arrived);
    const auto* answer = tg.world.Last<v1::VoteAnswered>();
    if (answer == nullptr) return "nothing new";
    EXPECT_EQ(answer->addressee(), "fr");
    EXPECT_THAT(answer->source_node(), IsEmpty());
    EXPECT_TRUE(React(fr, "fr", Update("tg", *answer)).ok());
    const auto& at_fr = fr.world.Get<v1::ForwardedVote>(vote.vote_id());
    EXPECT_EQ(at_fr.state() == v1::FORWARDED_VOTE_STATE_COUNTED, answer->counted());
    EXPECT_EQ(at_fr.reason(), answer->reason());
    return answer->counted() ? "COUNTED" : answer->reason();
  }
  const v1::AgendaItem& Item() { return *FindItem(tg.Session(session), project); }

  Desk fr;
  Desk tg;
  std::string project;
  std::string session;
};

TEST(ForwardedVote, CountsInThePartnersSitting) {
  Nodes nodes;
  nodes.Open();
  const auto vote = nodes.Cast();
  EXPECT_EQ(vote.to_node(), "tg");
  EXPECT_THAT(vote.source_node(), IsEmpty());
  EXPECT_EQ(nodes.fr.world.Get<v1::ForwardedVote>(vote.vote_id()).state(),
            v1::FORWARDED_VOTE_STATE_SENT);
  EXPECT_EQ(nodes.Answer(vote), "COUNTED");
  ASSERT_THAT(nodes.Item().votes(), SizeIs(1));
  EXPECT_EQ(nodes.Item().votes(0).seat_code(), "ofii");
  EXPECT_EQ(nodes.Item().votes(0).subject(), "ofii-holder");
  EXPECT_EQ(nodes.Item().votes(0).node(), "fr");
  // The same message again, and a second vote of the seat.
  EXPECT_EQ(nodes.Answer(vote), "nothing new");
  EXPECT_EQ(nodes.Answer(nodes.Cast(v1::VOTE_VALUE_AGAINST)), "ALREADY_VOTED");
  EXPECT_THAT(nodes.Item().votes(), SizeIs(1));
}

// Every rule of CastVote, and what only a vote from abroad can get wrong.
TEST(ForwardedVote, IsHeldToTheRulesOfAVoteCastThere) {
  struct Line {
    const char* reason;
    std::function<void(Nodes&)> before;
    std::function<void(v1::VoteForwarded&)> change;
  };
  const auto nothing = [](auto&) {};
  const auto secretary = [](Nodes& n, const auto& request) {
    n.tg.Must(request, n.tg.Secretary());
  };
  const std::vector<Line> lines = {
      {"COUNTED", [](Nodes& n) { n.Open(); }, nothing},
      {"SESSION_NOT_OPEN", nothing, nothing},
      {"SESSION_CLOSED",
       [](Nodes& n) {
         n.Open();
         n.tg.Close(n.session);
       },
       nothing},
      {"SESSION_UNKNOWN", [](Nodes& n) { n.Open(); },
       [](auto& vote) { vote.set_session_id("another"); }},
      {"PROJECT_NOT_ON_AGENDA", [](Nodes& n) { n.Open(); },
       [](auto& vote) { vote.set_project_id("another"); }},
      {"SEAT_UNKNOWN", [](Nodes& n) { n.Open(); },
       [](auto& vote) { vote.set_seat_code("nobody"); }},
      {"SEAT_OF_ANOTHER_NODE", [](Nodes& n) { n.Open(); },
       [](auto& vote) {
         vote.set_seat_code("anpe");
         vote.set_subject("anpe-holder");
       }},
      {"SEAT_ABSENT",
       [](Nodes& n) {
         n.tg.Open(n.session, {"embassy", "minrex", "anpe", "chamber"});
       },
       nothing},
      {"NOT_SEAT_HOLDER", [](Nodes& n) { n.Open(); },
       [](auto& vote) { vote.set_subject("ofii-deputy"); }},
      {"NOT_SEAT_HOLDER", [](Nodes& n) { n.Open(); }, [](auto& vote) { vote.clear_subject(); }},
      {"INTEREST_DECLARED",
       [&](Nodes& n) {
         n.Open();
         secretary(n, Desk::Interest(n.session, n.project, "ofii"));
       },
       nothing},
      {"PROJECT_DECIDED",
       [&](Nodes& n) {
         n.Open();
         for (const char* seat : {"embassy", "minrex", "anpe", "chamber"}) {
           EXPECT_TRUE(n.tg.Vote(n.session, n.project, seat, v1::VOTE_VALUE_FOR).ok());
         }
         secretary(n, Desk::Decision(n.session, n.project));
       },
       nothing},
      {"INVALID_FIELD", [](Nodes& n) { n.Open(); },
       [](auto& vote) { vote.set_value(static_cast<v1::VoteValue>(42)); }},
      {"AMOUNT_WITHOUT_APPROVAL", [](Nodes& n) { n.Open(); },
       [](auto& vote) {
         vote.set_value(v1::VOTE_VALUE_AGAINST);
         *vote.mutable_proposed_amount() = money::Of("EUR", 1);
       }},
      {"CURRENCY_DIFFERS", [](Nodes& n) { n.Open(); },
       [](auto& vote) { *vote.mutable_proposed_amount() = money::Of("XAF", 1); }},
      {"AMOUNT_OVER_REQUEST", [](Nodes& n) { n.Open(); },
       [](auto& vote) { *vote.mutable_proposed_amount() = money::Of("EUR", 600'001); }},
  };
  for (const Line& line : lines) {
    Nodes nodes;
    line.before(nodes);
    auto vote = nodes.Cast();
    line.change(vote);
    const int before = nodes.Item().votes_size();
    EXPECT_EQ(nodes.Answer(vote), line.reason);
    EXPECT_EQ(nodes.Item().votes_size(), before + (line.reason == std::string("COUNTED") ? 1 : 0));
  }
}

TEST(ForwardedVote, IsRefusedWhereItIsNotTheSendersToSay) {
  Nodes nodes;
  nodes.Open();
  const auto vote = nodes.Cast();
  for (const auto& change : std::vector<std::function<void(v1::VoteForwarded&)>>{
           [](auto& v) { v.set_to_node("cm"); }, [](auto& v) { v.clear_vote_id(); },
           [](auto& v) { v.set_case_id("another"); }}) {
    auto wrong = vote;
    change(wrong);
    EXPECT_EQ(Reason(React(nodes.tg, "tg", Update("fr", wrong))), "VOTE_NOT_OURS");
  }
  ASSERT_EQ(nodes.Answer(vote), "COUNTED");
  EXPECT_EQ(Reason(React(nodes.tg, "tg", Update("cm", vote))), "VOTE_NOT_OURS");
  // At the node where it was cast, only the sitting's node answers, and the first answer stands.
  v1::VoteAnswered answer;
  answer.set_vote_id(vote.vote_id());
  EXPECT_EQ(Reason(React(nodes.fr, "fr", Update("cm", answer))), "VOTE_NOT_OURS");
  EXPECT_TRUE(React(nodes.fr, "fr", Update("tg", answer)).ok());
  EXPECT_EQ(nodes.fr.world.Get<v1::ForwardedVote>(vote.vote_id()).state(),
            v1::FORWARDED_VOTE_STATE_COUNTED);
  // The sitting's node takes no answer to a vote that it answers itself.
  EXPECT_EQ(Reason(React(nodes.tg, "tg", Update("fr", answer))), "VOTE_NOT_OURS");
}

TEST(ForwardedVote, OfASeatThatVotesThroughAPartnerNobodyElseSpeaks) {
  Nodes nodes;
  nodes.Open();
  // Somebody at TG whose subject happens to be the same.
  EXPECT_EQ(Reason(nodes.tg.Vote(nodes.session, nodes.project, "ofii", v1::VOTE_VALUE_FOR)),
            "SEAT_OF_ANOTHER_NODE");
  EXPECT_EQ(Reason(nodes.tg.Do(Desk::Interest(nodes.session, nodes.project, "ofii"),
                               nodes.tg.As("ofii-holder", {"committee_member"}))),
            "NOT_SEAT_HOLDER");
}

TEST(ForwardVote, GoesToActivePartnersWithANode) {
  struct Line {
    const char* reason;
    std::function<void(Desk&)> before;
    std::function<void(v1::ForwardVoteRequest&)> change;
  };
  const auto nothing = [](auto&) {};
  const std::vector<Line> lines = {
      {"OK", nothing, nothing},
      {"PARTNER_NOT_A_NODE", nothing, [](auto& r) { r.set_to_node("nobody"); }},
      {"PARTNER_NOT_A_NODE",
       [](Desk& fr) {
         ex::PartnerSuspended suspended;
         suspended.set_partner_id("tg");
         ASSERT_TRUE(React(fr, "fr", suspended).ok());
       },
       nothing},
      {"OK",
       [](Desk& fr) {
         ex::PartnerSuspended suspended;
         suspended.set_partner_id("tg");
         ex::PartnerResumed resumed;
         resumed.set_partner_id("tg");
         ASSERT_TRUE(React(fr, "fr", suspended).ok());
         ASSERT_TRUE(React(fr, "fr", resumed).ok());
       },
       nothing},
      {"PARTNER_NOT_A_NODE",
       [](Desk& fr) {
         ex::PartnerChanged changed;
         changed.mutable_partner()->set_id("tg");
         changed.mutable_partner()->set_kind(ex::PARTNER_KIND_SUBSCRIBER);
         ASSERT_TRUE(React(fr, "fr", changed).ok());
       },
       nothing},
      {"AMOUNT_WITHOUT_APPROVAL", nothing,
       [](auto& r) {
         r.set_value(v1::VOTE_VALUE_ADJOURN);
         *r.mutable_proposed_amount() = money::Of("EUR", 1);
       }},
      {"AMOUNT_NOT_POSITIVE", nothing,
       [](auto& r) { *r.mutable_proposed_amount() = money::Of("EUR", 0); }},
  };
  for (const Line& line : lines) {
    Desk fr;
    Meet(fr, "fr", "tg");
    line.before(fr);
    v1::ForwardVoteRequest request;
    request.set_to_node("tg");
    request.set_value(v1::VOTE_VALUE_FOR);
    line.change(request);
    EXPECT_EQ(Reason(fr.Do(request, fr.As("ofii-holder"))), line.reason);
  }
}

// Many votes from both nodes, repeated and late: a seat votes once, none with an interest, and each vote cast at FR has
// one answer, the same at both nodes.
RC_GTEST_PROP(ForwardedVote, OneVoteASeatWhateverTheRoad, ()) {
  const auto steps = *rc::gen::container<std::vector<int>>(rc::gen::inRange(0, 60));
  Nodes nodes;
  nodes.Open();
  std::vector<v1::VoteForwarded> sent;
  std::deque<v1::VoteForwarded> road;
  for (const int step : steps) {
    const std::string& seat = Seats()[static_cast<size_t>(step) % 5];
    switch (step % 6) {
      case 0:
      case 1:
        road.push_back(nodes.Cast(static_cast<v1::VoteValue>(1 + step % 3), seat,
                                  absl::StrCat(seat, "-holder")));
        sent.push_back(road.back());
        break;
      case 2: (void)nodes.tg.Vote(nodes.session, nodes.project, seat, v1::VOTE_VALUE_FOR); break;
      case 3:
        if (!road.empty()) {
          (void)nodes.Answer(road.front());
          road.pop_front();
        }
        break;
      case 4:
        if (!sent.empty() && road.empty())
          (void)nodes.Answer(sent[static_cast<size_t>(step) % sent.size()]);
        break;
      default:
        (void)nodes.tg.Do(Desk::Interest(nodes.session, nodes.project, seat), nodes.tg.Secretary());
    }
    std::set<std::string> voted;
    for (const v1::Vote& vote : nodes.Item().votes()) {
      RC_ASSERT(voted.insert(vote.seat_code()).second);
      RC_ASSERT(!HasInterest(nodes.Item(), vote.seat_code()));
      RC_ASSERT(vote.node() == (vote.seat_code() == "ofii" ? "fr" : ""));
    }
  }
  for (; !road.empty(); road.pop_front()) (void)nodes.Answer(road.front());
  for (const v1::VoteForwarded& vote : sent) {
    const auto& here = nodes.fr.world.Get<v1::ForwardedVote>(vote.vote_id());
    const auto& there = nodes.tg.world.Get<v1::ForwardedVote>(vote.vote_id());
    RC_ASSERT(here.state() != v1::FORWARDED_VOTE_STATE_SENT);
    RC_ASSERT(here.state() == there.state());
    RC_ASSERT(here.reason() == there.reason());
  }
}

}  // namespace
}  // namespace sankofa::validation
