#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "sankofa/common/v1/common_reason.pb.h"
#include "sankofa/common/v1/node_service.pb.h"
#include "sankofa/monitoring/v1/case_view.pb.h"
#include "sankofa/monitoring/v1/monitoring_service.pb.h"
#include "services/platform/status/refuse.h"
#include "services/platform/time/time.h"
#include "tests/unit/sankofactl/fixture.h"

namespace sankofa::ctl {
namespace {

using testing::At;
using ::testing::ElementsAre;
using testing::FakeNode;
using testing::Folder;
using ::testing::HasSubstr;
using ::testing::Not;
using testing::Ran;
using testing::RunWith;
using testing::SeenCall;

class OperateTest : public ::testing::Test {
 protected:
  Ran Do(std::vector<std::string> arguments) {
    return RunWith(node_, {}, At(folder_, std::move(arguments)));
  }
  template <class Request>
  static Request RequestOf(const SeenCall& call) {
    Request request;
    EXPECT_TRUE(request.ParseFromString(call.request));
    return request;
  }
  std::vector<std::string> Methods() const {
    std::vector<std::string> methods;
    for (const SeenCall& call : node_.calls) {
      methods.push_back(
          absl::StrCat(call.service, " ", call.method.substr(call.method.rfind('/') + 1)));
    }
    return methods;
  }

  Folder folder_;
  FakeNode node_;
};

// ---- status ---------------------------------------------------------------------------------------------------------

TEST_F(OperateTest, StatusComparesWhatWasPublishedWithWhatWasApplied) {
  node_.answer = [](const SeenCall& call, auto& response) {
    auto& status = static_cast<common::v1::ServiceStatus&>(response);
    status.set_service(call.service);
    status.set_version("0.1.0");
    status.set_events_published_target(120);
    status.set_events_published(call.service == "registration" ? 118 : 120);
    if (call.service == "funding") (*status.mutable_events_applied())["registration"] = 115;
    return absl::OkStatus();
  };
  const Ran ran = Do({"status"});
  EXPECT_EQ(ran.exit_code, 0) << ran.err;
  EXPECT_THAT(ran.out, HasSubstr("registration  0.1.0    118        2 "));
  EXPECT_THAT(ran.out, HasSubstr("registration 115/120"));
  EXPECT_THAT(Methods(), ElementsAre("registration GetServiceStatus", "validation GetServiceStatus",
                                     "funding GetServiceStatus", "monitoring GetServiceStatus",
                                     "exchange GetServiceStatus"));
  const Ran programs =
      Do({"status", "--service", "registration", "--service", "funding", "--json"});
  EXPECT_THAT(programs.out, HasSubstr("\"events_unpublished\":2,\"events_unapplied\":0}\n"));
  EXPECT_THAT(programs.out, HasSubstr("\"events_unpublished\":0,\"events_unapplied\":5}\n"));
}

TEST_F(OperateTest, StatusShowsConsumersBesideTheReactionsAndLeavesFeedsOut) {
  node_.answer = [](const SeenCall& call, auto& response) {
    auto& status = static_cast<common::v1::ServiceStatus&>(response);
    status.set_service(call.service);
    status.set_events_published_target(50);
    if (call.service == "exchange") status.set_events_for_partners(40);
    if (call.service != "monitoring") return absl::OkStatus();
    (*status.mutable_events_applied())["exchange"] = 10;
    status.add_consumers()->set_group("sankofa.monitoring");
    auto& view = *status.add_consumers();
    view.set_group("sankofa.monitoring.view");
    view.set_lag(7);
    view.set_trouble("Redis does not answer");
    return absl::OkStatus();
  };
  const Ran ran = Do({"status"});
  EXPECT_EQ(ran.exit_code, 0) << ran.err;
  EXPECT_THAT(ran.out, HasSubstr("exchange 10/10, sankofa.monitoring.view 7 unread "
                                 "(Redis does not answer)"));
  const Ran programs = Do({"status", "--service", "exchange", "--service", "monitoring", "--json"});
  EXPECT_THAT(programs.out, HasSubstr("\"events_unapplied\":0}\n"));
}

TEST_F(OperateTest, StatusOfTheOthersIsShownWhenOneIsDown) {
  node_.answer = [](const SeenCall& call, auto& /*response*/) {
    return call.service == "validation" ? status::Unavailable("nobody there") : absl::OkStatus();
  };
  const Ran ran = Do({"status"});
  EXPECT_EQ(ran.exit_code, 1);
  EXPECT_THAT(ran.err, HasSubstr("status of validation: DEPENDENCY_UNAVAILABLE"));
  EXPECT_THAT(ran.out, HasSubstr("\nmonitoring "));
  EXPECT_THAT(ran.out, Not(HasSubstr("validation")));
}

// ---- dead letters ---------------------------------------------------------------------------------------------------

// monitoring has the letters 3 and 4; 4 can't be applied still.
absl::Status TwoLetters(const SeenCall& call, google::protobuf::Message& response) {
  if (auto* list = dynamic_cast<common::v1::ListDeadLettersResponse*>(&response)) {
    if (call.service != "monitoring") return absl::OkStatus();
    for (const int id : {3, 4}) {
      auto* letter = list->add_dead_letters();
      letter->set_id(id);
      letter->set_state("waiting");
      letter->set_source("funding");
      letter->set_stream("Grant/g-1");
      letter->set_sequence(id);
      letter->set_type("sankofa.funding.v1.GrantSigned");
      letter->set_reason("UNKNOWN_EVENT_TYPE");
    }
    return absl::OkStatus();
  }
  common::v1::ReplayDeadLetterRequest request;
  if (!request.ParseFromString(call.request)) return absl::InternalError("not a request");
  auto& result = static_cast<common::v1::DeadLetterResult&>(response);
  result.set_state(request.id() == 4 ? "waiting" : "replayed");
  if (request.id() == 4) result.set_reason("CASE_NOT_READY");
  return absl::OkStatus();
}

TEST_F(OperateTest, DeadLettersAreListedByName) {
  node_.answer = TwoLetters;
  const Ran ran = Do({"dead-letters", "list"});
  EXPECT_EQ(ran.exit_code, 0) << ran.err;
  EXPECT_THAT(ran.out, HasSubstr("monitoring/3  waiting"));
  EXPECT_THAT(ran.out, HasSubstr("GrantSigned  Grant/g-1 #4  UNKNOWN_EVENT_TYPE"));
  EXPECT_THAT(Do({"dead-letters", "list", "--json"}).out,
              HasSubstr("{\"service\":\"monitoring\",\"dead_letter\":{\"id\":\"3\""));
  EXPECT_THAT(Do({"dead-letters", "list", "--service", "funding"}).out,
              HasSubstr("No dead letters wait."));
}

TEST_F(OperateTest, AllPagesOfDeadLettersAreRead) {
  node_.answer = [](const SeenCall& call, auto& response) {
    const auto request = RequestOf<common::v1::ListDeadLettersRequest>(call);
    auto& list = static_cast<common::v1::ListDeadLettersResponse&>(response);
    for (std::int64_t id = request.after_id() + 1;
         id <= 700 && list.dead_letters_size() < request.page_size(); ++id) {
      list.add_dead_letters()->set_id(id);
    }
    return absl::OkStatus();
  };
  const Ran ran = Do({"dead-letters", "list", "--service", "monitoring"});
  EXPECT_THAT(ran.out, HasSubstr("monitoring/700"));
  EXPECT_EQ(std::count(ran.out.begin(), ran.out.end(), '\n'), 701);
}

TEST_F(OperateTest, ADeadLetterIsReplayedByName) {
  node_.answer = TwoLetters;
  EXPECT_EQ(Do({"dead-letters", "replay", "monitoring/3"}).out, "monitoring/3  replayed\n");
  EXPECT_EQ(node_.Only<common::v1::ReplayDeadLetterRequest>().id(), 3);
  const Ran still = Do({"dead-letters", "replay", "4", "--service", "monitoring"});
  EXPECT_EQ(still.exit_code, 1);
  EXPECT_EQ(still.out, "monitoring/4  waiting  CASE_NOT_READY\n");
}

TEST_F(OperateTest, AllDeadLettersAreReplayedAndOneThatStaysIsNoObstacle) {
  node_.answer = TwoLetters;
  const Ran ran = Do({"dead-letters", "replay", "--all"});
  EXPECT_EQ(ran.exit_code, 1);
  EXPECT_EQ(ran.out, "monitoring/3  replayed\nmonitoring/4  waiting  CASE_NOT_READY\n");
}

TEST_F(OperateTest, ADeadLetterIsDiscardedWithAReason) {
  node_.answer = [](const auto&, auto& response) {
    static_cast<common::v1::DeadLetterResult&>(response).set_state("discarded");
    return absl::OkStatus();
  };
  const Ran ran = Do({"dead-letters", "discard", "funding/7", "--reason", "a test event"});
  EXPECT_EQ(ran.exit_code, 0) << ran.err;
  const auto request = node_.Only<common::v1::DiscardDeadLetterRequest>();
  EXPECT_EQ(request.service(), "funding");
  EXPECT_EQ(request.id(), 7);
  EXPECT_EQ(request.reason(), "a test event");
}

TEST_F(OperateTest, WhatNamesNoDeadLetterIsNotSent) {
  for (const char* name : {"", "3", "monitoring/", "monitoring/0", "monitoring/-1", "monitoring/x",
                           "exchequer/1", "monitoring/1/2", "/1"}) {
    EXPECT_EQ(Do({"dead-letters", "replay", name}).exit_code, 2) << name;
  }
  EXPECT_EQ(Do({"dead-letters", "replay"}).exit_code, 2);
  EXPECT_EQ(Do({"dead-letters", "replay", "monitoring/1", "--all"}).exit_code, 2);
  EXPECT_TRUE(node_.calls.empty());
}

// ---- deadlines, view ------------------------------------------------------------------------------------------------

TEST_F(OperateTest, DeadlinesAreRunAtTheScenariosTime) {
  node_.answer = [](const auto&, auto& response) {
    static_cast<common::v1::RunDeadlinesResponse&>(response).set_commands(2);
    return absl::OkStatus();
  };
  const Ran ran =
      Do({"deadlines", "run", "--service", "monitoring", "--scenario-time", "2018-01-15"});
  EXPECT_EQ(ran.exit_code, 0) << ran.err;
  EXPECT_THAT(ran.out, HasSubstr("monitoring  2         0\n"));
  EXPECT_TRUE(node_.calls.at(0).options.scenario_time.has_value());
}

TEST_F(OperateTest, ViewsAreRebuiltPageByPage) {
  int differing = 0;
  node_.answer = [&differing](const SeenCall& call, auto& response) {
    const auto request = RequestOf<monitoring::v1::RebuildViewsRequest>(call);
    auto& rebuilt = static_cast<monitoring::v1::RebuildViewsResponse&>(response);
    rebuilt.set_rebuilt(100);
    rebuilt.set_missing(1);
    rebuilt.set_differing(differing);
    if (request.page_token().empty()) rebuilt.set_next_page_token("2");
    return absl::OkStatus();
  };
  const Ran ran = Do({"view", "rebuild"});
  EXPECT_EQ(ran.exit_code, 0) << ran.err;
  EXPECT_EQ(node_.calls.size(), 2U);
  EXPECT_THAT(ran.out,
              HasSubstr("200 views folded anew from the journals; before, 2 were missing"));
  differing = 1;
  EXPECT_EQ(Do({"view", "rebuild", "--json"}).exit_code, 1);
}

// ---- case -----------------------------------------------------------------------------------------------------------

TEST_F(OperateTest, ACaseIsShownOnOnePage) {
  node_.answer = [](const auto&, auto& response) {
    auto& view = static_cast<monitoring::v1::CaseView&>(response);
    view.set_case_id("c-1");
    view.set_reference("CM-2017-0001");
    view.set_state("REINTEGRATING");
    view.set_host_country("FR");
    view.set_origin_country("CM");
    view.set_adults(2);
    auto* grant = view.add_grants();
    grant->set_grant_id("g-1");
    grant->mutable_amount()->set_currency("EUR");
    grant->mutable_amount()->set_minor_units(400000);
    auto* survey = view.add_surveys();
    survey->set_window_months(6);
    survey->set_composite(45);
    survey->set_economic(1000);
    auto* entry = view.add_timeline();
    *entry->mutable_time() =
        time::ToTimestamp(absl::FromCivil(absl::CivilDay(2017, 6, 30), absl::UTCTimeZone()));
    entry->set_text_en("The case was registered.");
    entry->set_source_node("tg");
    entry->set_text_fr("Le dossier a été enregistré.");
    auto* hand_over = view.add_hand_overs();
    hand_over->set_state("OFFERED");
    hand_over->set_to_node("fr");
    auto* section = view.add_partner_views();
    section->set_node("tg");
    section->set_sequence(12);
    section->mutable_facts()->set_case_id("c-1");
    section->mutable_facts()->set_state("ARRIVED");
    auto* erased = view.add_partner_views();
    erased->set_node("de");
    erased->set_erased(true);
    return absl::OkStatus();
  };
  const Ran ran = Do({"case", "show", "c-1"});
  EXPECT_EQ(ran.exit_code, 0) << ran.err;
  EXPECT_THAT(ran.out, ::testing::StartsWith("Case CM-2017-0001  REINTEGRATING\n"));
  EXPECT_THAT(ran.out, HasSubstr("FR → CM"));
  EXPECT_THAT(ran.out, HasSubstr("4,000.00 EUR"));
  EXPECT_THAT(ran.out, HasSubstr("\nHand-overs\n"));
  EXPECT_THAT(ran.out, HasSubstr("1.000     0.000   0.000         0.045\n"));
  EXPECT_THAT(ran.out, HasSubstr("2017-06-30 00:00:00Z  The case was registered. (tg)\n"));
  EXPECT_THAT(ran.out, HasSubstr("\n---- As tg tells it: message 12\nCase c-1  ARRIVED\n"));
  EXPECT_THAT(ran.out, ::testing::EndsWith("\n---- As de tells it: message 0, erased\n"));
  EXPECT_THAT(ran.out, Not(HasSubstr("Alerts")));
  EXPECT_THAT(Do({"case", "show", "c-1", "--language", "fr"}).out,
              HasSubstr("Le dossier a été enregistré."));
  EXPECT_THAT(Do({"case", "show", "c-1", "--json"}).out,
              HasSubstr("\"reference\":\"CM-2017-0001\""));
}

TEST_F(OperateTest, AnErasedCaseShowsThatItWas) {
  node_.answer = [](const auto&, auto& response) {
    auto& view = static_cast<monitoring::v1::CaseView&>(response);
    view.set_case_id("c-1");
    view.set_erased(true);
    return absl::OkStatus();
  };
  EXPECT_EQ(Do({"case", "show", "c-1"}).out, "Case c-1  ERASED\n  id           c-1\n");
}

void AddEntry(common::v1::ListTrailResponse& response, int second, const std::string& type) {
  auto* entry = response.add_entries();
  *entry->mutable_event_time() = time::ToTimestamp(absl::FromUnixSeconds(second));
  entry->set_type(type);
  entry->set_stream("Case/c-1");
  entry->set_sequence(second);
}

TEST_F(OperateTest, ATrailIsMadeOfAllServicesInTheOrderOfTime) {
  node_.answer = [](const SeenCall& call, auto& response) {
    auto& list = static_cast<common::v1::ListTrailResponse&>(response);
    const auto request = RequestOf<common::v1::ListTrailRequest>(call);
    if (call.service == "registration" && request.page_token().empty()) {
      AddEntry(list, 1, "sankofa.registration.v1.CaseRegistered");
      list.mutable_entries(0)->set_actor("s.ngono");
      list.mutable_entries(0)->set_organisation("minrex");
      list.mutable_entries(0)->set_system("portal");
      list.set_next_page_token("more");
    } else if (call.service == "registration") {
      AddEntry(list, 3, "sankofa.common.v1.ReadRecorded");
      list.mutable_entries(0)->set_method(
          "sankofa.registration.v1.RegistrationService/GetCaseFile");
      list.mutable_entries(0)->set_personal(true);
      list.mutable_entries(0)->set_purpose("reception");
      list.mutable_entries(0)->set_actor("a.mbarga");
    } else if (call.service == "validation") {
      AddEntry(list, 2, "sankofa.validation.v1.CaseFileOpened");
      list.mutable_entries(0)->set_system("validation");
    }
    return absl::OkStatus();
  };
  const Ran ran = Do({"case", "trail", "c-1"});
  EXPECT_EQ(ran.exit_code, 0) << ran.err;
  const auto at = [&ran](const char* text) { return ran.out.find(text); };
  EXPECT_NE(at("s.ngono (minrex) by portal"), std::string::npos);
  EXPECT_NE(at("read with personal data by GetCaseFile, for: reception"), std::string::npos);
  EXPECT_NE(at("system validation"), std::string::npos);
  EXPECT_LT(at("CaseRegistered"), at("CaseFileOpened"));
  EXPECT_LT(at("CaseFileOpened"), at("GetCaseFile"));
  EXPECT_EQ(node_.calls.size(), 6U);
}

TEST_F(OperateTest, AnIncompleteTrailIsAFailure) {
  node_.answer = [](const SeenCall& call, auto& response) {
    if (call.service == "funding") return status::Refuse(common::v1::REASON_NOT_ALLOWED);
    AddEntry(static_cast<common::v1::ListTrailResponse&>(response), 1, "a.B");
    return absl::OkStatus();
  };
  const Ran ran = Do({"case", "trail", "c-1", "--json"});
  EXPECT_EQ(ran.exit_code, 1);
  EXPECT_THAT(ran.err, HasSubstr("\"about\":\"trail of funding\""));
  EXPECT_EQ(std::count(ran.out.begin(), ran.out.end(), '\n'), 4);
}

}  // namespace
}  // namespace sankofa::ctl
