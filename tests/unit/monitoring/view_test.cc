#include "services/monitoring/view/view.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <map>

#include "tests/unit/monitoring/events.h"

namespace sankofa::monitoring {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

namespace reg = registration::v1;
namespace val = validation::v1;
namespace fund = funding::v1;
using Events = std::vector<engine::IncomingEvent>;

TEST(Fold, ShowsTheWholeCase) {
  const auto folded = FoldAll(kCase, Story());
  ASSERT_TRUE(folded.ok()) << folded.status();
  const v1::CaseView& view = *folded;
  EXPECT_EQ(view.case_id(), kCase);
  EXPECT_EQ(view.token(), 22);
  EXPECT_EQ(view.reference(), "CM-2017-0001");
  EXPECT_EQ(view.state(), "REINTEGRATING");
  EXPECT_EQ(view.return_type(), "VOLUNTARY_RETURN");
  EXPECT_EQ(view.arrival_date(), "2017-03-01");
  EXPECT_EQ(view.orientation(), "anpe");
  EXPECT_EQ(view.children(), 2);
  ASSERT_THAT(view.projects(), SizeIs(1));
  EXPECT_EQ(view.projects(0).state(), "APPROVED");
  EXPECT_EQ(view.projects(0).kind(), "BUSINESS_CREATION");
  EXPECT_EQ(view.projects(0).approved().minor_units(), 500'000);
  ASSERT_THAT(view.grants(), SizeIs(1));
  EXPECT_EQ(view.grants(0).state(), "SIGNED");
  ASSERT_THAT(view.grants(0).instalments(), SizeIs(2));
  EXPECT_EQ(view.grants(0).instalments(0).state(), "PAID");
  EXPECT_EQ(view.grants(0).instalments(1).state(), "PLANNED");
  ASSERT_THAT(view.follow_ups(), SizeIs(1));
  EXPECT_EQ(view.follow_ups(0).visits(0).business_status(), "RUNNING");
  EXPECT_EQ(view.follow_ups(0).visits(1).state(), "PLANNED");
  EXPECT_EQ(view.surveys(0).composite(), 345);
  EXPECT_EQ(view.alerts(0).kind(), "LOW_SCORE");
  EXPECT_EQ(view.referrals(0).state(), "IN_PROGRESS");
  ASSERT_THAT(view.timeline(), SizeIs(22));
  EXPECT_EQ(view.timeline(0).text_en(), "Case registered");
  EXPECT_EQ(view.timeline(9).text_fr(), "À l'ordre du jour de la séance du 2017-05-30");
  EXPECT_EQ(view.timeline(18).text_en(), "Instalment 1 paid");
  EXPECT_EQ(view.SerializeAsString().find("Never to be seen"), std::string::npos);
}

TEST(Fold, ATimelineEntryHasBothLanguages) {
  const v1::CaseView view = *FoldAll(kCase, Story());
  for (const auto& line : view.timeline()) {
    EXPECT_FALSE(line.text_en().empty()) << line.event_type();
    EXPECT_FALSE(line.text_fr().empty()) << line.event_type();
    EXPECT_EQ(line.text_en().find("{}"), std::string::npos);
    EXPECT_EQ(line.text_fr().find("{}"), std::string::npos);
  }
}

TEST(Fold, DropsRepeatsAndRefusesGaps) {
  const Events story = Story();
  v1::CaseView view;
  EXPECT_EQ(Fold(view, story[1]), FoldResult::kGap);
  EXPECT_THAT(view.marks(), IsEmpty());
  EXPECT_EQ(Fold(view, story[0]), FoldResult::kApplied);
  const std::string before = view.SerializeAsString();
  EXPECT_EQ(Fold(view, story[0]), FoldResult::kRepeated);
  EXPECT_EQ(Fold(view, story[2]), FoldResult::kGap);
  EXPECT_EQ(view.SerializeAsString(), before);
  EXPECT_TRUE(Holds(view, story[0].meta));
  EXPECT_FALSE(Holds(view, story[1].meta));
}

TEST(Fold, PassesOverStreamsThatItDoesNotFollow) {
  v1::CaseView view;
  engine::IncomingEvent event = Published("CaseFile", kCase, 7, Registered());
  EXPECT_EQ(Fold(view, event), FoldResult::kIgnored);
  EXPECT_TRUE(Holds(view, event.meta));
  // The same name in another service is another stream.
  event = Published("Case", kCase, 1, Registered());
  event.meta.source = "funding";
  EXPECT_EQ(Fold(view, event), FoldResult::kIgnored);
  EXPECT_EQ(view.token(), 0);
}

TEST(Fold, AnEventOfALaterVersionHoldsNothingUp) {
  v1::CaseView view;
  engine::IncomingEvent event = Published("Case", kCase, 1, Registered());
  event.event_type = "sankofa.registration.v1.CaseTeleported";
  EXPECT_EQ(Fold(view, event), FoldResult::kApplied);
  event = Published("Case", kCase, 2, Registered());
  event.payload = "\xff\xff\xff no message";
  EXPECT_EQ(Fold(view, event), FoldResult::kApplied);
  EXPECT_EQ(view.token(), 2);
  EXPECT_THAT(view.timeline(), IsEmpty());
  EXPECT_EQ(Fold(view, Published("Case", kCase, 3, Registered())), FoldResult::kApplied);
  EXPECT_EQ(view.state(), "REGISTERED");
}

TEST(Fold, AProjectTakenOffTheAgendaStandsWhereItStood) {
  v1::CaseView view;
  val::ProjectAdjourned adjourned;
  adjourned.set_project_id("p1");
  adjourned.set_case_id(kCase);
  val::ProjectScheduled scheduled;
  scheduled.set_project_id("p1");
  scheduled.set_case_id(kCase);
  val::ProjectUnscheduled unscheduled;
  unscheduled.set_project_id("p1");
  unscheduled.set_case_id(kCase);
  (void)Fold(view, Published("LifeProject", "p1", 1, adjourned));
  (void)Fold(view, Published("LifeProject", "p1", 2, scheduled));
  EXPECT_EQ(view.projects(0).state(), "IN_COMMITTEE");
  (void)Fold(view, Published("LifeProject", "p1", 3, unscheduled));
  EXPECT_EQ(view.projects(0).state(), "ADJOURNED");
}

TEST(Fold, ACancelledGrantVoidsWhatWasNotPaid) {
  v1::CaseView view;
  fund::GrantCancelled cancelled;
  cancelled.set_grant_id("g1");
  cancelled.set_case_id(kCase);
  (void)Fold(view, Published("Grant", "g1", 1, Reserved("g1")));
  (void)Fold(view, Published("Grant", "g1", 2, InstalmentEvent<fund::InstalmentPaid>("g1", 1)));
  (void)Fold(view, Published("Grant", "g1", 3, cancelled));
  EXPECT_EQ(view.grants(0).instalments(0).state(), "PAID");
  EXPECT_EQ(view.grants(0).instalments(1).state(), "VOIDED");
}

TEST(Fold, AHandOverStandsBesideTheCaseUntilBothHaveSigned) {
  v1::CaseView view;
  reg::HandOverOffered offered;
  offered.set_hand_over_id("h1");
  offered.set_case_id(kCase);
  offered.set_from_node("cm");
  offered.set_to_node("fr");
  reg::HandOverCompleted completed;
  completed.set_hand_over_id("h1");
  completed.set_case_id(kCase);
  reg::CaseResponsibilityChanged changed;
  changed.set_case_id(kCase);
  changed.set_responsible_organisation("ofii");
  changed.set_responsible_node("fr");
  (void)Fold(view, Published("Case", kCase, 1, Registered()));
  (void)Fold(view, Published("HandOver", "h1", 1, offered));
  EXPECT_EQ(view.hand_overs(0).state(), "OFFERED");
  EXPECT_EQ(view.hand_overs(0).to_node(), "fr");
  EXPECT_EQ(view.responsible_organisation(), "minrex");
  (void)Fold(view, Published("HandOver", "h1", 2, completed));
  (void)Fold(view, Published("Case", kCase, 2, changed));
  EXPECT_EQ(view.hand_overs(0).state(), "COMPLETED");
  EXPECT_EQ(view.responsible_organisation(), "ofii");
  EXPECT_EQ(view.responsible_node(), "fr");
}

TEST(Fold, WhatAnOwnServiceRepeatsOfAPartnerNamesItsOwner) {
  v1::CaseView view;
  (void)Fold(view, Published("Case", kCase, 1, Registered()));
  reg::CaseArrived arrived = Arrived();
  arrived.set_source_node("tg");
  (void)Fold(view, Published("Case", kCase, 2, arrived, Noon("2018-03-02")));
  EXPECT_EQ(view.timeline(0).source_node(), "");
  EXPECT_EQ(view.timeline(1).source_node(), "tg");
}

TEST(Fold, AnErasedCaseIsEmptyWheneverItWasErased) {
  const Events story = Story();
  // The erasure comes after all of the case's own events, and anywhere among those of other streams.
  for (size_t place = 12; place <= story.size(); ++place) {
    Events events = story;
    events.insert(events.begin() + static_cast<std::ptrdiff_t>(place),
                  Published("Case", kCase, 7, Erased()));
    const auto view = FoldAll(kCase, events);
    ASSERT_TRUE(view.ok()) << view.status();
    EXPECT_TRUE(view->erased());
    EXPECT_EQ(view->token(), 23);
    v1::CaseView rest = *view;
    rest.clear_marks();
    rest.clear_case_id();
    rest.clear_token();
    rest.clear_erased();
    EXPECT_EQ(rest.ByteSizeLong(), 0U);
  }
}

TEST(Fold, KeepsTheNewestOfALongTimeline) {
  v1::CaseView view;
  reg::CaseLodged lodged;
  lodged.set_case_id(kCase);
  for (int i = 1; i <= kTimelineMax + 20; ++i) {
    ASSERT_EQ(Fold(view, Published("Case", kCase, i, lodged, Noon("2017-01-01") + absl::Hours(i))),
              FoldResult::kApplied);
  }
  ASSERT_THAT(view.timeline(), SizeIs(kTimelineMax));
  EXPECT_EQ(view.timeline(0).sequence(), 21);
}

TEST(Fold, FollowsALimitedNumberOfStreams) {
  v1::CaseView view;
  for (int i = 0; i < kStreamsMax + 5; ++i) {
    const std::string grant = absl::StrCat("g", i);
    (void)Fold(view, Published("Grant", grant, 1, Reserved(grant)));
  }
  EXPECT_EQ(view.marks_size(), kStreamsMax);
  EXPECT_TRUE(Holds(view, Published("Grant", "one-more", 1, Reserved("one-more")).meta));
}

TEST(Compare, TellsBehindFromDiffering) {
  const Events story = Story();
  const v1::CaseView whole = *FoldAll(kCase, story);
  const v1::CaseView part = *FoldAll(kCase, Events(story.begin(), story.end() - 3));
  EXPECT_EQ(Compare(whole, whole), Comparison::kSame);
  EXPECT_EQ(Compare(part, whole), Comparison::kBehind);
  EXPECT_EQ(Compare(whole, part), Comparison::kAhead);
  v1::CaseView wrong = whole;
  wrong.set_state("CLOSED");
  EXPECT_EQ(Compare(wrong, whole), Comparison::kDiffering);
}

// ---- Properties -----------------------------------------------------------------------------------------------------

// The story told with each stream in its order and the streams in any, each event perhaps more than once.
RC_GTEST_PROP(FoldProperty, TheOrderBetweenStreamsAndRepeatsDoNotMatter, ()) {
  Events story = Story();
  if (*rc::gen::arbitrary<bool>()) story.push_back(Published("Case", kCase, 7, Erased()));
  const v1::CaseView expected = *FoldAll(kCase, story);

  std::map<std::string, Events> streams;
  for (const auto& event : story) streams[event.meta.stream.type].push_back(event);
  v1::CaseView view;
  std::map<std::string, size_t> next;
  size_t folded = 0;
  while (folded < story.size()) {
    std::vector<std::string> open;
    for (const auto& [name, events] : streams) {
      if (next[name] < events.size()) open.push_back(name);
    }
    const std::string name = *rc::gen::elementOf(open);
    const size_t at = next[name]++;
    RC_ASSERT(Fold(view, streams[name][at]) == FoldResult::kApplied);
    ++folded;
    // Something that was told before is told again; something too early is not taken.
    const size_t again = *rc::gen::inRange<size_t>(0, at + 1);
    RC_ASSERT(Fold(view, streams[name][again]) == FoldResult::kRepeated);
    if (at + 2 < streams[name].size()) {
      const std::string before = view.SerializeAsString();
      RC_ASSERT(Fold(view, streams[name][at + 2]) == FoldResult::kGap);
      RC_ASSERT(view.SerializeAsString() == before);
    }
  }
  RC_ASSERT(view.SerializeAsString() == expected.SerializeAsString());
  RC_ASSERT(view.token() == static_cast<std::int64_t>(story.size()));
}

// Events in an order that no service would ever publish: the fold is total, and the token counts.
RC_GTEST_PROP(FoldProperty, SurvivesAnyHistory, ()) {
  const Events story = Story();
  std::map<std::pair<std::string, std::string>, std::int64_t> sequences;
  Events events;
  const int count = *rc::gen::inRange(0, 60);
  for (int i = 0; i < count; ++i) {
    engine::IncomingEvent event = *rc::gen::elementOf(story);
    const std::string suffix = *rc::gen::element<std::string>("", "-2");
    event.meta.stream.id += suffix;
    event.meta.sequence = ++sequences[{event.meta.stream.type, event.meta.stream.id}];
    event.meta.time += absl::Hours(*rc::gen::inRange(-1000, 1000));
    events.push_back(event);
  }
  const auto view = FoldAll(kCase, events);
  RC_ASSERT(view.ok());
  RC_ASSERT(view->token() == count);
  RC_ASSERT(view->timeline_size() == count);
  for (int i = 1; i < view->timeline_size(); ++i) {
    RC_ASSERT(time::FromTimestamp(view->timeline(i - 1).time()) <=
              time::FromTimestamp(view->timeline(i).time()));
  }
}

}  // namespace
}  // namespace sankofa::monitoring
