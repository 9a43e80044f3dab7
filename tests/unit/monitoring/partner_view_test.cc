#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <map>

#include "services/monitoring/view/view.h"
#include "tests/unit/monitoring/events.h"
#include "tests/unit/monitoring/memory_views.h"

// What partners told of a case, beside what this node's own services say of it.
namespace sankofa::monitoring {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

namespace exch = exchange::v1;
namespace reg = registration::v1;
using Events = std::vector<engine::IncomingEvent>;

// The story as `node` tells it.
Events StoryToldBy(const std::string& node) {
  Events told;
  for (const auto& event : Story()) {
    told.push_back(Told(node, static_cast<std::int64_t>(told.size()) + 1, event));
  }
  return told;
}

// What this node's own services say in a view: all but the sections and what counts their messages.
std::string OwnPart(v1::CaseView view) {
  view.clear_partner_views();
  view.clear_token();
  view.clear_case_id();  // of either
  v1::CaseView rest = view;
  rest.clear_marks();
  for (const v1::StreamMark& mark : view.marks()) {
    if (mark.stream().rfind("exchange/", 0) != 0) *rest.add_marks() = mark;
  }
  return rest.SerializeAsString();
}

exch::ErasureRequested AskToErase() {
  exch::ErasureRequested asked;
  asked.set_erasure_id("e1");
  asked.set_case_id(kCase);
  return asked;
}

TEST(PartnerView, ShowsWhatAPartnerToldAsItsOwnNodeShowsIt) {
  const auto view = FoldAll(kCase, StoryToldBy("tg"));
  ASSERT_TRUE(view.ok()) << view.status();
  ASSERT_THAT(view->partner_views(), SizeIs(1));
  const v1::PartnerView& section = view->partner_views(0);
  EXPECT_EQ(section.node(), "tg");
  EXPECT_EQ(section.sequence(), 22);
  EXPECT_EQ(time::FromTimestamp(section.event_time()), Story().back().meta.time);
  v1::CaseView there = *FoldAll(kCase, Story());
  there.clear_marks();
  EXPECT_EQ(section.facts().SerializeAsString(), there.SerializeAsString());
  // And nothing of it is this node's.
  EXPECT_EQ(view->state(), "");
  EXPECT_THAT(view->projects(), IsEmpty());
  EXPECT_THAT(view->timeline(), IsEmpty());
  EXPECT_EQ(view->token(), 22);
}

TEST(PartnerView, EachPartnerHasItsSection) {
  Events events = {Published("Case", kCase, 1, Registered()),
                   Published("Case", kCase, 2, Arrived()),
                   Told("tg", 1, Published("Case", kCase, 1, Registered())),
                   Told("fr", 1, Published("Grant", "g1", 1, Reserved("g1")))};
  const v1::CaseView view = *FoldAll(kCase, events);
  EXPECT_EQ(view.state(), "ARRIVED");
  EXPECT_THAT(view.grants(), IsEmpty());
  ASSERT_THAT(view.partner_views(), SizeIs(2));
  EXPECT_EQ(view.partner_views(0).node(), "fr");
  EXPECT_EQ(view.partner_views(0).facts().grants(0).state(), "RESERVED");
  EXPECT_EQ(view.partner_views(1).node(), "tg");
  EXPECT_EQ(view.partner_views(1).facts().state(), "REGISTERED");
}

TEST(PartnerView, AMessageThatIsNotOfThisCaseAndPartnerSaysNothing) {
  const engine::IncomingEvent fact = Published("Case", kCase, 1, Registered());
  exch::FeedEvent other_sender = FeedEventOf("fr", 1, fact);
  exch::FeedEvent other_case = FeedEventOf("tg", 2, fact);
  other_case.set_subject(absl::StrCat("Case/", kOtherCase));
  engine::IncomingEvent garbage = Told("tg", 3, fact);
  garbage.payload = "\xff\xff\xff no message";
  v1::CaseView view;
  EXPECT_EQ(Fold(view, ToldAs(other_sender, "tg", 1)), FoldResult::kApplied);
  EXPECT_EQ(Fold(view, ToldAs(other_case, "tg", 2)), FoldResult::kApplied);
  EXPECT_EQ(Fold(view, garbage), FoldResult::kApplied);
  EXPECT_EQ(view.token(), 3);
  for (const auto& section : view.partner_views()) EXPECT_FALSE(section.has_facts());

  // Feeds about agreements, and about another case, are not followed.
  engine::IncomingEvent agreement = Told("tg", 1, fact);
  agreement.meta.stream.id = "tg:Agreement/a1";
  EXPECT_EQ(Fold(view, agreement), FoldResult::kIgnored);
  agreement.meta.stream.id = absl::StrCat("tg:Case/", kOtherCase);
  EXPECT_EQ(Fold(view, agreement), FoldResult::kIgnored);
  agreement.meta.stream.id = "no feed";
  EXPECT_EQ(Fold(view, agreement), FoldResult::kIgnored);
}

TEST(PartnerView, WhatIsErasedIsGoneAndNothingComesAfterIt) {
  const Events story = StoryToldBy("tg");
  const auto count = static_cast<std::int64_t>(story.size());
  const engine::IncomingEvent more = Published("Case", kCase, 2, Arrived());
  // The partner asks for it; the exchange here destroyed the key; the partner's case is erased.
  for (const engine::IncomingEvent& erasure :
       {Told("tg", count + 1, Published("Case", kCase, 9, AskToErase())),
        OnReceivedFeed("tg", count + 1, exch::ReceivedErased()),
        Told("tg", count + 1, Published("Case", kCase, 9, Erased()))}) {
    Events events = story;
    events.push_back(Published("Case", kCase, 1, Registered()));
    events.push_back(erasure);
    events.push_back(Told("tg", count + 2, more));
    const auto view = FoldAll(kCase, events);
    ASSERT_TRUE(view.ok()) << view.status();
    ASSERT_THAT(view->partner_views(), SizeIs(1));
    v1::PartnerView section = view->partner_views(0);
    EXPECT_TRUE(section.erased());
    EXPECT_FALSE(section.has_facts());
    EXPECT_EQ(section.sequence(), count + 2);
    EXPECT_EQ(section.SerializeAsString().find("p1"), std::string::npos);
    // A partner's erasure is not this node's.
    EXPECT_FALSE(view->erased());
    EXPECT_EQ(view->state(), "REGISTERED");
  }
}

TEST(PartnerView, AnErasedCaseHoldsNoSectionWhateverPartnersGoOnToSay) {
  Events events = StoryToldBy("tg");
  events.push_back(Published("Case", kCase, 1, Registered()));
  events.push_back(Published("Case", kCase, 2, Erased()));
  events.push_back(Told("tg", 23, Published("Case", kCase, 2, Arrived())));
  const v1::CaseView view = *FoldAll(kCase, events);
  EXPECT_TRUE(view.erased());
  EXPECT_THAT(view.partner_views(), IsEmpty());
  EXPECT_EQ(view.token(), 25);
}

TEST(PartnerView, DisclosedFieldsAreNotInIt) {
  exch::UpdateReceived update;
  const exch::FeedEvent told = FeedEventOf("tg", 1, Published("Case", kCase, 1, Registered()));
  update.set_sender("tg");
  update.set_event(told.SerializeAsString());
  update.set_discloses(true);
  update.add_disclosures()->mutable_person()->mutable_details()->set_family_names(
      "Never-to-be-seen");
  update.mutable_sealed()->set_ciphertext("Never-to-be-seen");
  const v1::CaseView view = *FoldAll(kCase, {OnReceivedFeed("tg", 1, update)});
  EXPECT_EQ(view.partner_views(0).facts().state(), "REGISTERED");
  EXPECT_EQ(view.SerializeAsString().find("Never-to-be-seen"), std::string::npos);
}

TEST(PartnerView, ASectionHasALimit) {
  v1::CaseView view;
  reg::CaseRegistered large = Registered();
  large.set_reference(std::string(kPartnerBytesMax + 1, 'x'));
  (void)Fold(view, Told("tg", 1, Published("Case", kCase, 1, Registered())));
  EXPECT_EQ(Fold(view, Told("tg", 2, Published("Case", kCase, 2, large))), FoldResult::kApplied);
  EXPECT_TRUE(view.partner_views(0).truncated());
  EXPECT_EQ(view.partner_views(0).facts().reference(), "CM-2017-0001");
  EXPECT_EQ(Fold(view, Told("tg", 3, Published("Case", kCase, 3, Arrived()))),
            FoldResult::kApplied);
  EXPECT_EQ(view.partner_views(0).facts().state(), "REGISTERED");
  EXPECT_EQ(view.partner_views(0).sequence(), 3);
  EXPECT_LT(view.ByteSizeLong(), kPartnerBytesMax);
}

TEST(PartnerView, IsWatchedAndRebuiltLikeTheRest) {
  MemoryViewStore store;
  Journals journals;
  WatchHub hub(3);
  Views views(store, journals, hub);
  const auto sink = std::make_shared<Sink>();
  ASSERT_TRUE(hub.Add(kCase, -1, sink).ok());
  journals.events = {Published("Case", kCase, 1, Registered()),
                     Told("tg", 1, Published("Case", kCase, 1, Registered())),
                     Told("tg", 2, Published("Case", kCase, 2, Arrived()))};
  for (const auto& event : journals.events) ASSERT_TRUE(views.Apply(std::span(&event, 1)).ok());
  EXPECT_THAT(sink->tokens(), ElementsAre(1, 2, 3));
  EXPECT_EQ(sink->messages.back().view().partner_views(0).facts().state(), "ARRIVED");

  const auto rebuild = [&] { return *views.Rebuild(kCase, absl::InfiniteFuture()); };
  EXPECT_EQ(rebuild(), Views::Rebuilt::kSame);
  v1::CaseView wrong = *FoldAll(kCase, journals.events);
  wrong.mutable_partner_views(0)->mutable_facts()->set_state("CLOSED");
  store.values[kCase] = wrong.SerializeAsString();
  EXPECT_EQ(rebuild(), Views::Rebuilt::kDiffering);
  store.values.clear();
  EXPECT_EQ(rebuild(), Views::Rebuilt::kMissing);
  journals.events.push_back(Told("tg", 3, Published("Case", kCase, 3, AskToErase())));
  EXPECT_EQ(rebuild(), Views::Rebuilt::kBehind);
  EXPECT_TRUE(views.Get(kCase, absl::InfiniteFuture())->partner_views(0).erased());
}

TEST(PartnerView, ACaseThatAPartnerOpenedIsFoundBeforeThisNodeSaysAnything) {
  MemoryViewStore store;
  Journals journals;
  WatchHub hub(3);
  Views views(store, journals, hub);
  journals.events = {Told("tg", 1, Published("Case", kCase, 1, Registered()))};
  ASSERT_TRUE(views.Apply(journals.events).ok());
  const engine::IncomingEvent own = Published("Case", kCase, 1, Registered());
  journals.events.push_back(own);
  ASSERT_TRUE(views.Apply(std::span(&own, 1)).ok());
  EXPECT_EQ(store.values[kCase], FoldAll(kCase, journals.events)->SerializeAsString());
  EXPECT_EQ(views.Get(kCase, absl::InfiniteFuture())->token(), 2);
}

// ---- Properties -----------------------------------------------------------------------------------------------------

// Own events and two partners' in any order between streams; partners tell anything, about the same projects and grants,
// in an order that no service would publish, as somebody else, or garbage.
RC_GTEST_PROP(PartnerViewProperty, APartnerNeverChangesWhatThisNodeSays, ()) {
  const Events own = Story();
  Events told_any = own;
  told_any.push_back(Published("Case", kCase, 7, Erased()));
  told_any.push_back(Published("Case", kCase, 7, AskToErase()));
  reg::CaseClosed closed;
  closed.set_case_id(kOtherCase);
  told_any.push_back(Published("Case", kCase, 7, closed));

  v1::CaseView view;
  v1::CaseView alone;
  std::map<std::string, v1::CaseView> alone_partner;
  std::map<std::string, std::int64_t> sequences;
  size_t next_own = 0;
  const int steps = *rc::gen::inRange(0, 60);
  for (int i = 0; i < steps; ++i) {
    if (next_own < own.size() && *rc::gen::arbitrary<bool>()) {
      RC_ASSERT(Fold(view, own[next_own]) == FoldResult::kApplied);
      RC_ASSERT(Fold(alone, own[next_own]) == FoldResult::kApplied);
      ++next_own;
    } else {
      const std::string node = *rc::gen::element<std::string>("fr", "tg");
      const std::int64_t sequence = ++sequences[node];
      exch::FeedEvent told = FeedEventOf(node, sequence, *rc::gen::elementOf(told_any));
      if (*rc::gen::inRange(0, 8) == 0)
        told.set_payload(*rc::gen::container<std::string>(rc::gen::arbitrary<char>()));
      if (*rc::gen::inRange(0, 8) == 0) told.set_sender("cm");
      const engine::IncomingEvent event = ToldAs(told, node, sequence);
      RC_ASSERT(Fold(view, event) == FoldResult::kApplied);
      (void)Fold(alone_partner[node], event);
    }
    RC_ASSERT(OwnPart(view) == OwnPart(alone));
  }
  // Nor does one partner change what another said, or this node.
  for (const v1::PartnerView& section : view.partner_views()) {
    const v1::CaseView& single = alone_partner[section.node()];
    RC_ASSERT(section.SerializeAsString() == single.partner_views(0).SerializeAsString());
  }
  RC_ASSERT(view.token() == steps);
}

RC_GTEST_PROP(PartnerViewProperty, TheOrderBetweenStreamsAndRepeatsDoNotMatter, ()) {
  std::map<std::string, Events> streams;
  for (const auto& event : Story()) streams[event.meta.stream.type].push_back(event);
  for (const char* node : {"fr", "tg"}) streams[node] = StoryToldBy(node);
  if (*rc::gen::arbitrary<bool>()) {
    streams["tg"].push_back(Told("tg", 23, Published("Case", kCase, 9, AskToErase())));
  }
  if (*rc::gen::arbitrary<bool>()) {
    streams["Case"].push_back(Published("Case", kCase, 7, Erased()));
  }
  Events all;
  for (const auto& [_, events] : streams) all.insert(all.end(), events.begin(), events.end());
  v1::CaseView view;
  std::map<std::string, size_t> next;
  for (size_t folded = 0; folded < all.size(); ++folded) {
    std::vector<std::string> open;
    for (const auto& [name, events] : streams) {
      if (next[name] < events.size()) open.push_back(name);
    }
    const std::string name = *rc::gen::elementOf(open);
    const size_t at = next[name]++;
    RC_ASSERT(Fold(view, streams[name][at]) == FoldResult::kApplied);
    const size_t again = *rc::gen::inRange<size_t>(0, at + 1);
    RC_ASSERT(Fold(view, streams[name][again]) == FoldResult::kRepeated);
  }
  RC_ASSERT(view.SerializeAsString() == FoldAll(kCase, all)->SerializeAsString());
  RC_ASSERT(Compare(view, *FoldAll(kCase, all)) == Comparison::kSame);
}

}  // namespace
}  // namespace sankofa::monitoring
