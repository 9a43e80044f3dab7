#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "sankofa/common/v1/common_reason.pb.h"
#include "sankofa/common/v1/node_service.pb.h"
#include "sankofa/monitoring/v1/monitoring_service.pb.h"
#include "sankofa/registration/v1/registration_service.pb.h"
#include "services/platform/rpc/check/formats.h"
#include "services/platform/status/refuse.h"
#include "services/platform/telemetry/trace.h"
#include "services/sankofactl/output/json.h"
#include "tests/unit/sankofactl/fixture.h"

namespace sankofa::ctl {
namespace {

using ::testing::AllOf;
using testing::At;
using ::testing::ElementsAre;
using testing::FakeNode;
using testing::Folder;
using ::testing::HasSubstr;
using ::testing::Not;
using testing::Ran;
using testing::RunWith;
using ::testing::SizeIs;
using ::testing::StartsWith;
using testing::World;

constexpr char kCaseId[] = "f47ac10b-58cc-4372-a567-0e02b2c3d479";

class CallTest : public ::testing::Test {
 protected:
  Ran Call(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), "call");
    return RunWith(node_, world_, At(folder_, std::move(arguments)));
  }
  void Refuse(absl::Status status) {
    node_.answer = [status](const auto&, auto&) { return status; };
  }

  Folder folder_;
  World world_;
  FakeNode node_;
};

TEST_F(CallTest, AnswersAreShownAsJson) {
  node_.answer = [](const auto&, auto& response) {
    auto& found = static_cast<registration::v1::Case&>(response);
    found.set_id(kCaseId);
    found.set_reference("CM-2017-0001");
    return absl::OkStatus();
  };
  const Ran ran =
      Call({"RegistrationService/GetCase", R"({"case_id": ")" + std::string(kCaseId) + R"("})"});
  EXPECT_EQ(ran.exit_code, 0) << ran.err;
  EXPECT_EQ(ran.err, "");
  EXPECT_THAT(ran.out, HasSubstr("\"reference\": \"CM-2017-0001\""));
  ASSERT_THAT(node_.calls, SizeIs(1));
  EXPECT_EQ(node_.calls[0].service, "registration");
  EXPECT_EQ(node_.calls[0].method, "sankofa.registration.v1.RegistrationService/GetCase");
  EXPECT_EQ(node_.Only<registration::v1::GetCaseRequest>().case_id(), kCaseId);
  EXPECT_EQ(node_.target.address, "node.example:7443");
  EXPECT_EQ(node_.target.tls.certificate, folder_.Path("me.pem"));

  const Ran programs = Call({"--json", "GetCase"});
  EXPECT_EQ(programs.exit_code, 0);
  EXPECT_EQ(programs.out,
            "{\"id\":\"" + std::string(kCaseId) + "\",\"reference\":\"CM-2017-0001\"}\n");
}

TEST_F(CallTest, AMethodHasSeveralNames) {
  for (const char* name :
       {"sankofa.registration.v1.RegistrationService/GetCase", "RegistrationService/GetCase",
        "/sankofa.registration.v1.RegistrationService/GetCase", "registration/GetCase", "GetCase",
        "getcase"}) {
    node_.calls.clear();
    EXPECT_EQ(Call({name}).exit_code, 0) << name;
    ASSERT_THAT(node_.calls, SizeIs(1)) << name;
    EXPECT_EQ(node_.calls[0].method, "sankofa.registration.v1.RegistrationService/GetCase");
  }
}

TEST_F(CallTest, AnUnknownMethodIsAMistakeOfTheCommandLine) {
  const Ran ran = Call({"CastVot"});
  EXPECT_EQ(ran.exit_code, 2);
  EXPECT_THAT(ran.err, HasSubstr("ValidationService/CastVote"));
  EXPECT_EQ(Call({""}).exit_code, 2);
  EXPECT_EQ(Call({"/"}).exit_code, 2);
  EXPECT_EQ(Call({}).exit_code, 2);
  EXPECT_THAT(node_.calls, SizeIs(0));
}

TEST_F(CallTest, TheRequestComesFromTheLineAFileOrAPipe) {
  const std::string json = R"({"case_id": "a"})";
  const std::string file = folder_.Write("request.json", R"({"caseId": "b"})");
  world_.in = R"({"case_id": "c"})";
  for (const auto& [argument, expected] : std::vector<std::pair<std::string, std::string>>{
           {json, "a"}, {"@" + file, "b"}, {"-", "c"}}) {
    node_.calls.clear();
    const Ran ran = Call({"GetCase", argument});
    EXPECT_EQ(ran.exit_code, 0) << ran.err;
    EXPECT_EQ(node_.Only<registration::v1::GetCaseRequest>().case_id(), expected);
  }
  EXPECT_EQ(Call({"GetCase", "@/nowhere"}).exit_code, 2);
}

TEST_F(CallTest, WhatIsNotARequestIsNotSent) {
  for (const char* request : {"{", "[]", "5", "\"text\"", "{\"unknown\": 1}", "{\"case_id\": 5}",
                              "{\"case_id\": [\"a\"]}", "{\"case_id\": \"a\", \"case_id\": \"b\"}",
                              "{case_id: \"a\"}", "{} {}", "\xFF"}) {
    EXPECT_EQ(Call({"GetCase", request}).exit_code, 2) << request;
  }
  EXPECT_EQ(Call({"AcceptCase", "{\"etag\": {}}"}).exit_code, 2);
  EXPECT_THAT(node_.calls, SizeIs(0));
}

TEST_F(CallTest, AMissingRequestIdIsMadeUpAndAGivenOneKept) {
  EXPECT_EQ(Call({"AcceptCase", "{}"}).exit_code, 0);
  EXPECT_EQ(Call({"AcceptCase", "{}"}).exit_code, 0);
  std::vector<std::string> ids;
  for (const auto& call : node_.calls) {
    registration::v1::AcceptCaseRequest request;
    ASSERT_TRUE(request.ParseFromString(call.request));
    EXPECT_TRUE(rpc::IsUuid(request.request_id())) << request.request_id();
    ids.push_back(request.request_id());
  }
  EXPECT_NE(ids[0], ids[1]);
  node_.calls.clear();
  EXPECT_EQ(Call({"AcceptCase", R"({"request_id": "mine"})"}).exit_code, 0);
  EXPECT_EQ(node_.Only<registration::v1::AcceptCaseRequest>().request_id(), "mine");
}

TEST_F(CallTest, ANodeServiceRequestSaysWhoAnswers) {
  EXPECT_EQ(Call({"NodeService/GetServiceStatus", R"({"service": "funding"})"}).exit_code, 0);
  EXPECT_EQ(node_.calls[0].service, "funding");
}

TEST_F(CallTest, AStreamIsPrintedAsItComes) {
  int token = 0;
  node_.answer = [&token](const auto&, auto& response) {
    static_cast<monitoring::v1::WatchCaseResponse&>(response).set_resume_token(
        std::to_string(++token));
    return absl::OkStatus();
  };
  const Ran all = Call({"WatchCase", "{}", "--json"});
  EXPECT_EQ(all.exit_code, 0);
  EXPECT_EQ(all.out,
            "{\"resume_token\":\"1\"}\n{\"resume_token\":\"2\"}\n{\"resume_token\":\"3\"}\n");
  EXPECT_EQ(Call({"WatchCase", "--count", "1", "--json"}).out, "{\"resume_token\":\"4\"}\n");

  node_.end = status::Refuse(common::v1::REASON_DEADLINE_PASSED);
  const Ran ended = Call({"WatchCase", "{}"});
  EXPECT_EQ(ended.exit_code, 1);
  EXPECT_THAT(ended.err, HasSubstr("DEADLINE_PASSED"));
}

TEST_F(CallTest, AStreamHasTimeAndACallLittle) {
  const absl::Time before = absl::Now();
  Call({"WatchCase"});
  Call({"GetCase"});
  Call({"GetCase", "--timeout", "250ms"});
  Call({"GetCase", "--timeout", "2"});
  const absl::Duration slack = absl::Seconds(5);
  EXPECT_GT(node_.calls[0].options.deadline, before + absl::Minutes(30));
  EXPECT_LT(node_.calls[0].options.deadline, before + absl::Hours(1));
  EXPECT_LT(node_.calls[1].options.deadline, before + absl::Minutes(1));
  EXPECT_LT(node_.calls[2].options.deadline, before + absl::Milliseconds(250) + slack);
  EXPECT_GE(node_.calls[3].options.deadline, before + absl::Seconds(2));
}

TEST_F(CallTest, ARefusalIsToldWithAllThatTheNodeSays) {
  Refuse(status::Refuse(
      common::v1::REASON_INVALID_FIELD,
      {.fields = {{"case_id", "is not a UUID"}, {"items[2].price", ""}},
       .metadata = {{"trace", "0123456789abcdef0123456789abcdef"}, {"least", "5"}}}));
  const Ran ran = Call({"GetCase"});
  EXPECT_EQ(ran.exit_code, 1);
  EXPECT_EQ(ran.out, "");
  EXPECT_THAT(ran.err, StartsWith("sankofactl: INVALID_FIELD (INVALID_ARGUMENT)\n  A field is"));
  EXPECT_THAT(ran.err, HasSubstr("\n  field   case_id: is not a UUID\n  field   items[2].price\n"));
  EXPECT_THAT(ran.err, HasSubstr("\n  least   5\n"));
  EXPECT_THAT(ran.err, HasSubstr("\n  trace   0123456789abcdef0123456789abcdef\n"));
}

TEST_F(CallTest, ARefusalInFrench) {
  Refuse(status::Refuse(common::v1::REASON_NOT_FOUND));
  EXPECT_THAT(Call({"GetCase", "--language", "fr"}).err, HasSubstr("Vérifiez l'identifiant."));
  EXPECT_THAT(Call({"GetCase"}).err, HasSubstr("Check the id."));
  world_.environment = {{"LANG", "fr_CM.UTF-8"}};
  EXPECT_THAT(Call({"GetCase"}).err, HasSubstr("Vérifiez l'identifiant."));
  EXPECT_THAT(Call({"GetCase", "--language", "en"}).err, HasSubstr("Check the id."));
  EXPECT_EQ(Call({"GetCase", "--language", "de"}).exit_code, 2);
}

TEST_F(CallTest, ARefusalForPrograms) {
  Refuse(status::RefuseField(common::v1::REASON_INVALID_FIELD, "case_id", "is not a UUID"));
  const Ran ran = Call({"--json", "GetCase"});
  EXPECT_EQ(ran.exit_code, 1);
  const auto json = Json::Parse(ran.err);
  ASSERT_TRUE(json.ok()) << ran.err;
  json_t* error = json_object_get(json->get(), "error");
  const auto text = [error](const char* name) {
    return std::string(json_string_value(json_object_get(error, name)));
  };
  EXPECT_EQ(text("code"), "INVALID_ARGUMENT");
  EXPECT_EQ(text("reason"), "INVALID_FIELD");
  json_t* field = json_array_get(json_object_get(error, "fields"), 0);
  EXPECT_STREQ(json_string_value(json_object_get(field, "field")), "case_id");
  // Of the call, as the node named none.
  EXPECT_EQ(text("trace_id"), telemetry::TraceIdOf(node_.calls[0].options.traceparent));
}

TEST_F(CallTest, TextFromElsewhereCannotSteerTheTerminal) {
  Refuse(absl::InternalError("\x1B[2J\x1B]0;title\x07 done\xC2\x9B\xE2\x80\xAE"));
  const Ran ran = Call({"GetCase"});
  EXPECT_EQ(ran.exit_code, 1);
  EXPECT_THAT(ran.err, AllOf(Not(HasSubstr("\x1B")), Not(HasSubstr("\x07")),
                             Not(HasSubstr("\xC2\x9B")), Not(HasSubstr("\xE2\x80\xAE"))));
}

TEST_F(CallTest, WhoAsksIsInTheTokenOfTheFileOrTheEnvironment) {
  Call({"GetCase"});
  world_.environment = {{"SANKOFA_TOKEN", "from.the.environment"}};
  Call({"GetCase"});
  Call({"GetCase", "--token-file", folder_.Write("token", "from.the.file\n")});
  EXPECT_EQ(node_.calls[0].options.token, "");
  EXPECT_EQ(node_.calls[1].options.token, "from.the.environment");
  EXPECT_EQ(node_.calls[2].options.token, "from.the.file");
  EXPECT_EQ(Call({"GetCase", "--token-file", "/nowhere"}).exit_code, 2);
  EXPECT_EQ(Call({"GetCase", "--token-file", folder_.Write("two", "two words")}).exit_code, 2);
  EXPECT_EQ(Call({"GetCase", "--token-file", folder_.Write("evil", "a\r\nb: c")}).exit_code, 2);
  EXPECT_THAT(node_.calls, SizeIs(3));
}

TEST_F(CallTest, TheScenarioMaySayWhatTimeItIs) {
  Call({"GetCase"});
  Call({"GetCase", "--scenario-time", "2017-06-30T09:00:00Z"});
  Call({"GetCase", "--scenario-time", "2017-06-30"});
  const absl::Time day = absl::FromCivil(absl::CivilDay(2017, 6, 30), absl::UTCTimeZone());
  EXPECT_EQ(node_.calls[0].options.scenario_time, std::nullopt);
  EXPECT_EQ(node_.calls[1].options.scenario_time, day + absl::Hours(9));
  EXPECT_EQ(node_.calls[2].options.scenario_time, day);
  EXPECT_EQ(Call({"GetCase", "--scenario-time", "yesterday"}).exit_code, 2);
  EXPECT_EQ(Call({"GetCase", "--scenario-time", "2017-02-30"}).exit_code, 2);
}

TEST_F(CallTest, WrongCommandLines) {
  for (const std::vector<std::string>& arguments :
       std::vector<std::vector<std::string>>{{},
                                             {"nothing"},
                                             {"call"},
                                             {"call", "GetCase", "{}", "more"},
                                             {"call", "GetCase", "--count", "0"},
                                             {"call", "GetCase", "--timeout", "soon"},
                                             {"call", "GetCase", "--timeout", "-1s"},
                                             {"call", "GetCase", "--unknown"},
                                             {"events"},
                                             {"case", "show"},
                                             {"dead-letters", "discard", "monitoring/1"},
                                             {"status", "--service", "exchequer"},
                                             {"--node-folder", "/nowhere", "status"}}) {
    const Ran ran = RunWith(node_, world_, At(folder_, arguments));
    EXPECT_EQ(ran.exit_code, 2) << ::testing::PrintToString(arguments);
    EXPECT_NE(ran.err, "") << ::testing::PrintToString(arguments);
  }
  EXPECT_THAT(node_.calls, SizeIs(0));
}

TEST_F(CallTest, ANodeHasToBeNamed) {
  const Ran ran = RunWith(node_, world_, {"call", "GetCase"});
  EXPECT_EQ(ran.exit_code, 2);
  EXPECT_THAT(ran.err, HasSubstr("--node-folder"));
}

TEST_F(CallTest, HelpAndVersionAreNoFailures) {
  EXPECT_EQ(RunWith(node_, world_, {"--help"}).exit_code, 0);
  EXPECT_THAT(RunWith(node_, world_, {"call", "--help"}).out, HasSubstr("@file"));
  EXPECT_THAT(RunWith(node_, world_, {"--version"}).out, StartsWith("sankofactl "));
}

}  // namespace
}  // namespace sankofa::ctl
