#include "services/monitoring/queries.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "services/monitoring/service.h"
#include "services/monitoring/survey/instrument_yaml.h"
#include "services/platform/postgres/store.h"
#include "tests/component/postgres/database.h"
#include "tests/component/redis/redis_server.h"
#include "tests/unit/monitoring/events.h"

// Lists and indicators from the columns that commands fill on a real PostgreSQL, and views folded from its journal into
// a real Redis.
namespace sankofa::monitoring {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

// A query of the service, without an RPC around it.
class TestCall final : public rpc::QueryCall {
 public:
  TestCall(postgres::Pool& pool, engine::Actor actor) : pool_(pool), actor_(std::move(actor)) {}
  [[nodiscard]] const engine::Actor& actor() const override { return actor_; }
  [[nodiscard]] absl::Time now() const override { return Noon("2018-07-01"); }
  [[nodiscard]] absl::Time deadline() const override { return absl::InfiniteFuture(); }
  void RecordRead(const std::string& partition_key) override { read.insert(partition_key); }
  [[nodiscard]] absl::StatusOr<postgres::Result> Sql(
      const std::string& sql, const std::vector<postgres::Param>& params) override {
    auto connection = pool_.Acquire(absl::InfiniteFuture());
    if (!connection.ok()) return connection.status();
    return (*connection)->Execute(sql, params);
  }
  [[nodiscard]] std::string Blind(std::string_view label, std::string_view text) const override {
    return test::FakeBlind(label, text);
  }
  [[nodiscard]] absl::Status Call(const std::string& method,
                                  const google::protobuf::Message& /*request*/,
                                  google::protobuf::Message& /*response*/) override {
    return absl::UnimplementedError(method);
  }

  std::set<std::string> read;

 protected:
  [[nodiscard]] absl::StatusOr<std::shared_ptr<google::protobuf::Message>> LoadState(
      const engine::StreamKey& key, const std::string* /*purpose*/) override {
    return absl::UnimplementedError(key.type);
  }

 private:
  postgres::Pool& pool_;
  engine::Actor actor_;
};

// The journal of monitoring, as NodeService gives it.
class Journal final : public EventSource {
 public:
  explicit Journal(postgres::PostgresStore& store) : store_(store) {}
  absl::StatusOr<std::vector<engine::IncomingEvent>> Replay(const std::string& case_id,
                                                            absl::Time deadline) override {
    auto session = store_.Open(deadline);
    if (!session.ok()) return session.status();
    const auto rows = (*session)->ReadStream({"", case_id}, 1, 1000);
    if (!rows.ok()) return rows.status();
    std::vector<engine::IncomingEvent> events;
    for (const engine::JournalRow& row : *rows) {
      if (!row.publish) continue;
      events.push_back({.meta = {.source = "monitoring",
                                 .stream = row.stream,
                                 .sequence = row.sequence,
                                 .partition_key = row.partition_key,
                                 .time = row.event_time,
                                 .traceparent = {}},
                        .event_type = row.event_type,
                        .payload = row.payload});
    }
    return events;
  }

 private:
  postgres::PostgresStore& store_;
};

std::string CaseId(int number) { return engine::DerivedId(absl::StrCat("case-", number)); }
std::string GrantId(int number) { return engine::DerivedId(absl::StrCat("grant-", number)); }

class QueriesTest : public ::testing::Test {
 protected:
  QueriesTest() {
    Definition().commands(registry_, test::FakeBlind);
    session_ = *store_.Open(absl::InfiniteFuture());
    auto client = redis::Client::Create({.address = redis_server_.address()});
    redis_ = *std::move(client);
    views_store_ = std::make_unique<RedisViewStore>(*redis_);
    views_ = std::make_unique<Views>(*views_store_, journal_, hub_);
    BindQueries(queries_, {.views = [this]() -> Views& { return *views_; },
                           .hub = [this]() -> WatchHub& { return hub_; }});
  }

  template <class Request>
  void Send(Request request, const std::string& day) {
    request.set_request_id(test::NextRequestId());
    engine::CommandCall call;
    call.request = std::make_shared<Request>(std::move(request));
    call.actor = {.subject = "officer", .organisation = "agency", .roles = {}, .system = {}};
    call.now = Noon(day);
    const auto outcome = engine_.Execute(*session_, std::vector{call}).front();
    ASSERT_TRUE(outcome.ok()) << outcome.status();
  }

  template <class Response, class Request>
  absl::StatusOr<Response> Ask(const Request& request, const std::string& role = "auditor") {
    TestCall call(pool_, {.subject = "asker", .organisation = {}, .roles = {role}, .system = {}});
    const auto& handler = queries_.handlers().at(Request::descriptor()->full_name());
    const auto answer = handler.unary(call, request);
    read_ = call.read;
    if (!answer.ok()) return answer.status();
    return static_cast<const Response&>(**answer);
  }

  // A case with a grant of 1000 euros; women from 8 on.
  void AddCase(int number) {
    Send(Fact(Header("2017-01-15"), CaseId(number)), "2017-01-15");
    v1::CaseFact profile;
    profile.mutable_profile()->set_sex(number < 8 ? "MALE" : "FEMALE");
    Send(Fact(profile, CaseId(number)), "2017-01-15");
    v1::CaseFact grant;
    grant.mutable_grant()->set_grant_id(GrantId(number));
    grant.mutable_grant()->set_kind("BUSINESS_CREATION");
    *grant.mutable_grant()->mutable_amount() = Euros(100'000);
    Send(Fact(grant, CaseId(number)), "2017-06-30");
    v1::PlanFollowUpRequest plan = Plan("BUSINESS_CREATION", GrantId(number));
    plan.set_case_id(CaseId(number));
    Send(plan, "2017-06-30");
  }
  void Visit(int number, int visit, const std::string& day, bool running) {
    v1::RecordVisitRequest request = Visited(visit, day);
    request.set_follow_up_id(GrantId(number));
    request.set_business_status(running ? v1::BUSINESS_STATUS_RUNNING
                                        : v1::BUSINESS_STATUS_NOT_RUNNING);
    Send(request, day);
  }

  postgres::testing::Database database_{Definition().migrations};
  postgres::Pool pool_{database_.options(), 4};
  postgres::PostgresStore store_{pool_, {.schema = database_.service()}};
  engine::Registry registry_;
  std::unique_ptr<crypto::Vault> vault_ = *crypto::Vault::FromBytes(std::string(32, 'k'));
  engine::Engine engine_{
      {.node = "cm", .country = "CM", .service = "monitoring", .signer = nullptr},
      registry_,
      *vault_};
  std::unique_ptr<engine::StoreSession> session_;
  test::RedisServer redis_server_;
  std::unique_ptr<redis::Client> redis_;
  std::unique_ptr<ViewStore> views_store_;
  Journal journal_{store_};
  WatchHub hub_{10};
  std::unique_ptr<Views> views_;
  rpc::Queries queries_;
  std::set<std::string> read_;
};

TEST_F(QueriesTest, VisitsComeByDateInPages) {
  for (int i = 0; i < 3; ++i) AddCase(i);
  Visit(0, 1, "2017-07-30", true);
  v1::ListVisitsRequest request;
  request.set_page_size(5);
  std::vector<std::string> days;
  std::set<std::string> seen;
  do {
    const auto page = Ask<v1::ListVisitsResponse>(request);
    ASSERT_TRUE(page.ok()) << page.status();
    EXPECT_LE(page->visits_size(), 5);
    for (const v1::VisitSummary& summary : page->visits()) {
      days.push_back(summary.visit().planned_date());
      EXPECT_TRUE(
          seen.insert(absl::StrCat(summary.follow_up_id(), summary.visit().number())).second);
      EXPECT_TRUE(read_.contains(summary.case_id()));  // each case seen is on its trail
    }
    request.set_page_token(page->next_page_token());
  } while (!request.page_token().empty());
  EXPECT_THAT(days, SizeIs(12));
  EXPECT_TRUE(std::is_sorted(days.begin(), days.end()));

  v1::ListVisitsRequest recorded;
  recorded.set_state(v1::VISIT_STATE_RECORDED);
  const auto found = Ask<v1::ListVisitsResponse>(recorded);
  ASSERT_THAT(found->visits(), SizeIs(1));
  EXPECT_EQ(found->visits(0).visit().visit_date(), "2017-07-30");
  EXPECT_EQ(found->visits(0).visit().business_status(), v1::BUSINESS_STATUS_RUNNING);
  v1::ListVisitsRequest due;
  due.set_case_id(CaseId(1));
  due.set_from_date("2017-08-01");
  due.set_to_date("2017-12-31");
  EXPECT_THAT(Ask<v1::ListVisitsResponse>(due)->visits(), SizeIs(2));
}

TEST_F(QueriesTest, APageTokenIsGoodForItsQueryOnly) {
  AddCase(0);
  v1::ListVisitsRequest request;
  request.set_page_size(1);
  const std::string token = Ask<v1::ListVisitsResponse>(request)->next_page_token();
  request.set_page_token(token);
  request.set_page_size(2);
  EXPECT_TRUE(Ask<v1::ListVisitsResponse>(request).ok());  // another size is the same query
  request.set_state(v1::VISIT_STATE_PLANNED);
  EXPECT_EQ(test::Reason(Ask<v1::ListVisitsResponse>(request).status()), "INVALID_PAGE_TOKEN");
  for (const std::string& forged : {std::string("x"), token.substr(1), token + "AAAA"}) {
    v1::ListVisitsRequest again;
    again.set_page_token(forged);
    EXPECT_EQ(test::Reason(Ask<v1::ListVisitsResponse>(again).status()), "INVALID_PAGE_TOKEN");
  }
}

TEST_F(QueriesTest, AlertsComeByDeadline) {
  for (int i = 0; i < 3; ++i) AddCase(i);
  for (int i = 0; i < 3; ++i) {
    v1::MissVisitRequest miss;
    miss.set_follow_up_id(GrantId(i));
    miss.set_visit_number(1);
    Send(miss, absl::StrCat("2017-09-0", 3 - i));
  }
  v1::ListAlertsRequest request;
  request.set_page_size(1);
  std::vector<std::string> cases;
  do {
    const auto page = Ask<v1::ListAlertsResponse>(request);
    ASSERT_TRUE(page.ok()) << page.status();
    for (const v1::Alert& alert : page->alerts()) {
      cases.push_back(alert.case_id());
      EXPECT_EQ(alert.kind(), v1::ALERT_KIND_VISIT_MISSED);
      EXPECT_EQ(
          time::FromTimestamp(alert.deadline_time()) - time::FromTimestamp(alert.raise_time()),
          kAlertPeriod);
    }
    request.set_page_token(page->next_page_token());
  } while (!request.page_token().empty());
  EXPECT_THAT(cases, ElementsAre(CaseId(2), CaseId(1), CaseId(0)));

  v1::ResolveAlertRequest resolve;
  resolve.set_alert_id(absl::StrCat("visit:", GrantId(2), ":1:1"));
  resolve.set_resolution(v1::ALERT_RESOLUTION_ACTED);
  resolve.set_resolution_note("Called.");
  Send(resolve, "2017-09-04");
  EXPECT_THAT(Ask<v1::ListAlertsResponse>(v1::ListAlertsRequest())->alerts(), SizeIs(2));
  v1::ListAlertsRequest resolved;
  resolved.set_state(v1::ALERT_STATE_RESOLVED);
  EXPECT_THAT(Ask<v1::ListAlertsResponse>(resolved)->alerts(), SizeIs(1));
  v1::ListAlertsRequest others;
  others.set_owner_organisation("somebody else");
  EXPECT_THAT(Ask<v1::ListAlertsResponse>(others)->alerts(), IsEmpty());
}

TEST_F(QueriesTest, SurveysAndInstrumentsAreListed) {
  AddCase(0);
  Send(Publish(), "2017-07-01");
  for (const auto& [window, day] : {std::pair(12, "2018-06-30"), std::pair(6, "2017-12-30")}) {
    v1::RecordSurveyRequest survey = Surveyed(*ParseInstrument(ShippedYaml()), true, window, day);
    survey.set_case_id(CaseId(0));
    survey.set_follow_up_id(GrantId(0));
    Send(survey, day);
  }
  v1::ListSurveysRequest request;
  request.set_case_id(CaseId(0));
  request.set_page_size(1);
  const auto first = Ask<v1::ListSurveysResponse>(request);
  ASSERT_TRUE(first.ok()) << first.status();
  EXPECT_EQ(first->surveys(0).window_months(), 6);
  EXPECT_EQ(first->surveys(0).scores().composite(), 1000);
  EXPECT_THAT(first->surveys(0).answers(), IsEmpty());
  request.set_page_token(first->next_page_token());
  const auto second = Ask<v1::ListSurveysResponse>(request);
  EXPECT_EQ(second->surveys(0).window_months(), 12);
  EXPECT_EQ(second->next_page_token(), "");
  EXPECT_THAT(read_, ElementsAre(CaseId(0)));

  const auto instruments = Ask<v1::ListInstrumentsResponse>(v1::ListInstrumentsRequest());
  ASSERT_TRUE(instruments.ok()) << instruments.status();
  ASSERT_THAT(instruments->instruments(), SizeIs(1));
  EXPECT_EQ(instruments->instruments(0).version(), 1);
}

TEST_F(QueriesTest, IndicatorsCountCasesAndSums) {
  for (int i = 0; i < 10; ++i) AddCase(i);
  for (int i = 0; i < 10; ++i) Visit(i, 3, "2017-12-30", i != 0);
  v1::GetIndicatorsRequest request;
  request.set_from_date("2017-01-01");
  request.set_to_date("2017-12-31");
  request.add_group_by(v1::DISAGGREGATION_SEX);
  request.add_group_by(v1::DISAGGREGATION_KIND);
  auto response = Ask<v1::GetIndicatorsResponse>(request);
  ASSERT_TRUE(response.ok()) << response.status();
  const auto find = [&response](v1::IndicatorKind kind) -> const v1::Indicator& {
    for (const v1::Indicator& indicator : response->indicators()) {
      if (indicator.kind() == kind) return indicator;
    }
    return v1::Indicator::default_instance();
  };
  EXPECT_EQ(find(v1::INDICATOR_KIND_REGISTERED).total().cases(), 10);
  const auto& granted = find(v1::INDICATOR_KIND_AMOUNT_GRANTED);
  EXPECT_EQ(granted.currency(), "EUR");
  EXPECT_EQ(granted.total().sum(), 1'000'000);
  ASSERT_THAT(granted.cells(), SizeIs(2));
  EXPECT_EQ(granted.cells(0).values(0).value(), "FEMALE");
  EXPECT_EQ(granted.cells(0).values(1).value(), "BUSINESS_CREATION");
  EXPECT_EQ(granted.cells(0).cases(), 2);
  EXPECT_EQ(granted.cells(1).sum(), 800'000);
  const auto& running = find(v1::INDICATOR_KIND_BUSINESS_RUNNING);
  EXPECT_EQ(running.months(), 6);
  EXPECT_EQ(running.total().mean_thousandths(), 900);

  request.add_filters()->set_disaggregation(v1::DISAGGREGATION_SEX);
  request.mutable_filters(0)->set_value("FEMALE");
  response = Ask<v1::GetIndicatorsResponse>(request);
  EXPECT_EQ(find(v1::INDICATOR_KIND_REGISTERED).total().cases(), 2);
  request.set_from_date("2017-02-01");
  EXPECT_THAT(Ask<v1::GetIndicatorsResponse>(request)->indicators(), IsEmpty());
}

TEST_F(QueriesTest, PublishedIndicatorsHideTheFew) {
  for (int i = 0; i < 10; ++i) AddCase(i);  // eight men, two women
  v1::GetIndicatorsRequest request;
  request.set_from_date("2017-01-01");
  request.set_to_date("2017-12-31");
  request.add_group_by(v1::DISAGGREGATION_SEX);
  EXPECT_EQ(test::Reason(Ask<v1::GetIndicatorsResponse>(request, "statistician").status()),
            "PUBLISHED_ONLY");
  request.set_published(true);
  const auto response = Ask<v1::GetIndicatorsResponse>(request, "statistician");
  ASSERT_TRUE(response.ok()) << response.status();
  for (const v1::Indicator& indicator : response->indicators()) {
    EXPECT_EQ(indicator.total().cases(), 10);
    for (const v1::IndicatorCell& cell : indicator.cells()) EXPECT_TRUE(cell.suppressed());
  }
}

TEST_F(QueriesTest, StatisticsArePreviewedPublishedAndListed) {
  for (int i = 0; i < 20; ++i) AddCase(i);  // eight men, twelve women
  for (int i = 0; i < 20; ++i) Visit(i, 3, "2017-12-30", i % 2 == 0);
  v1::PreviewStatisticsRequest preview;
  preview.set_from_date("2017-01-01");
  preview.set_until_date("2017-12-31");
  const auto tables = Ask<v1::StatisticsTables>(preview, "statistician");
  ASSERT_TRUE(tables.ok()) << tables.status();
  EXPECT_EQ(tables->minimum_cell(), 5);
  const auto find = [&tables](v1::IndicatorKind kind) -> const v1::StatisticsMeasure& {
    for (const v1::StatisticsMeasure& measure : tables->measures()) {
      if (measure.kind() == kind) return measure;
    }
    return v1::StatisticsMeasure::default_instance();
  };
  EXPECT_EQ(find(v1::INDICATOR_KIND_REGISTERED).total().cases(), 20);
  const v1::StatisticsMeasure& granted = find(v1::INDICATOR_KIND_AMOUNT_GRANTED);
  EXPECT_EQ(granted.currency(), "EUR");
  EXPECT_EQ(granted.total().sum(), 2'000'000);
  // Sex, age band (not known), host country, type of return, kind, region, vulnerability.
  ASSERT_THAT(granted.breakdowns(), SizeIs(7));
  EXPECT_EQ(granted.breakdowns(0).disaggregation(), v1::DISAGGREGATION_SEX);
  ASSERT_THAT(granted.breakdowns(0).figures(), SizeIs(2));
  EXPECT_EQ(granted.breakdowns(0).figures(0).value(), "FEMALE");
  EXPECT_EQ(granted.breakdowns(0).figures(0).cases(), 12);
  EXPECT_EQ(granted.breakdowns(0).figures(1).sum(), 800'000);
  EXPECT_EQ(granted.breakdowns(2).figures(0).value(), "FR");
  // Of the men four run a business and four don't: shown, that would be too few.
  const v1::StatisticsMeasure& running = find(v1::INDICATOR_KIND_BUSINESS_RUNNING);
  EXPECT_EQ(running.total().mean_thousandths(), 500);
  for (const auto& breakdown : running.breakdowns()) {
    EXPECT_NE(breakdown.disaggregation(), v1::DISAGGREGATION_SEX);
  }
  EXPECT_THAT(read_, IsEmpty());  // it is about no case

  v1::PublishStatisticsRequest publish;
  publish.set_request_id(test::NextRequestId());
  publish.set_code("cm-2017");
  publish.set_from_date("2017-01-01");
  publish.set_until_date("2017-12-31");
  engine::CommandCall call;
  call.request = std::make_shared<v1::PublishStatisticsRequest>(publish);
  call.now = Noon("2018-07-01");
  call.facts = std::make_shared<v1::StatisticsTables>(*tables);
  const auto outcome = engine_.Execute(*session_, std::vector{call}).front();
  ASSERT_TRUE(outcome.ok()) << outcome.status();
  // What is published names no case.
  const auto rows = session_->ReadStream({"Statistics", "cm-2017"}, 1, 10);
  ASSERT_TRUE(rows.ok()) << rows.status();
  ASSERT_THAT(*rows, SizeIs(1));
  EXPECT_TRUE(rows->front().publish);
  for (int i = 0; i < 20; ++i) {
    EXPECT_EQ(rows->front().payload.find(CaseId(i)), std::string::npos);
    EXPECT_EQ(rows->front().payload.find(GrantId(i)), std::string::npos);
  }

  const auto listed = Ask<v1::ListStatisticsResponse>(v1::ListStatisticsRequest(), "statistician");
  ASSERT_TRUE(listed.ok()) << listed.status();
  ASSERT_THAT(listed->statistics(), SizeIs(1));
  EXPECT_EQ(listed->statistics(0).code(), "cm-2017");
  EXPECT_EQ(listed->statistics(0).until_date(), "2017-12-31");
  EXPECT_EQ(time::FromTimestamp(listed->statistics(0).publish_time()), Noon("2018-07-01"));
}

TEST_F(QueriesTest, RebuiltViewsAreThoseInUse) {
  for (int i = 0; i < 3; ++i) AddCase(i);
  // Live: event by event, as the consumer gets them.
  for (int i = 0; i < 3; ++i) {
    const auto events = journal_.Replay(CaseId(i), absl::InfiniteFuture());
    for (const auto& event : *events) ASSERT_TRUE(views_->Apply(std::span(&event, 1)).ok());
  }
  Visit(0, 1, "2017-07-30", true);  // case 0 is behind
  ASSERT_TRUE(views_store_->Drop(CaseId(1)).ok());
  v1::RebuildViewsRequest request;
  request.set_page_size(2);
  v1::RebuildViewsResponse sum;
  do {
    const auto page = Ask<v1::RebuildViewsResponse>(request, "node_operator");
    ASSERT_TRUE(page.ok()) << page.status();
    sum.set_rebuilt(sum.rebuilt() + page->rebuilt());
    sum.set_missing(sum.missing() + page->missing());
    sum.set_behind(sum.behind() + page->behind());
    sum.set_differing(sum.differing() + page->differing());
    request.set_page_token(page->next_page_token());
  } while (!request.page_token().empty());
  EXPECT_EQ(sum.rebuilt(), 3);
  EXPECT_EQ(sum.missing(), 1);
  EXPECT_EQ(sum.behind(), 1);
  EXPECT_EQ(sum.differing(), 0);
  for (int i = 0; i < 3; ++i) {
    v1::GetCaseViewRequest get;
    get.set_case_id(CaseId(i));
    const auto view = Ask<v1::CaseView>(get);
    ASSERT_TRUE(view.ok()) << view.status();
    EXPECT_EQ(view->SerializeAsString(),
              FoldAll(CaseId(i), *journal_.Replay(CaseId(i), absl::InfiniteFuture()))
                  ->SerializeAsString());
    EXPECT_THAT(read_, ElementsAre(CaseId(i)));
  }
}

TEST_F(QueriesTest, AnUnknownOrErasedCaseHasNoView) {
  v1::GetCaseViewRequest get;
  get.set_case_id(CaseId(0));
  EXPECT_EQ(test::Reason(Ask<v1::CaseView>(get).status()), "NOT_FOUND");
  const auto erased = Published("Case", CaseId(0), 1, Erased(), Noon("2017-01-01"), CaseId(0));
  ASSERT_TRUE(views_->Apply(std::span(&erased, 1)).ok());
  EXPECT_EQ(test::Reason(Ask<v1::CaseView>(get).status()), "CASE_ERASED");
}

}  // namespace
}  // namespace sankofa::monitoring
