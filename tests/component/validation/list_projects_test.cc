#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "sankofa/common/v1/access_log.pb.h"
#include "sankofa/validation/v1/validation_internal.pb.h"
#include "sankofa/validation/v1/validation_service.pb.h"
#include "services/platform/engine/engine.h"
#include "services/platform/postgres/store.h"
#include "services/platform/status/refuse.h"
#include "services/validation/commands.h"
#include "services/validation/queries.h"
#include "services/validation/service.h"
#include "tests/component/postgres/database.h"

// Projects listed from the typed columns that commands fill, on a real PostgreSQL.
namespace sankofa::validation {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

// A query of the service, without an RPC around it.
class TestCall final : public rpc::QueryCall {
 public:
  explicit TestCall(postgres::Pool& pool) : pool_(pool) {}
  [[nodiscard]] const engine::Actor& actor() const override { return actor_; }
  [[nodiscard]] absl::Time now() const override { return absl::UnixEpoch(); }
  [[nodiscard]] absl::Time deadline() const override { return absl::InfiniteFuture(); }
  void RecordRead(const std::string& partition_key) override { read.insert(partition_key); }
  [[nodiscard]] absl::StatusOr<postgres::Result> Sql(
      const std::string& sql, const std::vector<postgres::Param>& params) override {
    auto connection = pool_.Acquire(absl::InfiniteFuture());
    if (!connection.ok()) return connection.status();
    return (*connection)->Execute(sql, params);
  }
  [[nodiscard]] std::string Blind(std::string_view /*label*/,
                                  std::string_view text) const override {
    return std::string(text);
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
  engine::Actor actor_;
  postgres::Pool& pool_;
};

class ListProjectsTest : public ::testing::Test {
 protected:
  ListProjectsTest() {
    BindCommands(registry_);
    BindQueries(queries_);
    session_ = *store_.Open(absl::InfiniteFuture());
  }

  template <class Request>
  std::shared_ptr<const google::protobuf::Message> Send(Request request) {
    request.set_request_id(engine::DerivedId(absl::StrCat("request-", ++requests_)));
    engine::CommandCall call;
    call.request = std::make_shared<Request>(std::move(request));
    call.actor.subject = "author";
    call.now = now_;
    auto outcome = engine_.Execute(*session_, std::vector{call}).front();
    EXPECT_TRUE(outcome.ok()) << outcome.status();
    return outcome.ok() ? *outcome : nullptr;
  }
  std::string Draft(const std::string& case_id,
                    v1::ProjectKind kind = v1::PROJECT_KIND_BUSINESS_CREATION) {
    v1::MoveCaseFileRequest assessed;
    assessed.set_case_id(case_id);
    assessed.set_standing(v1::CASE_STANDING_ASSESSED);
    Send(assessed);
    v1::DraftProjectRequest request;
    request.set_case_id(case_id);
    request.set_kind(kind);
    request.mutable_content()->set_title("Couture");
    request.mutable_content()->mutable_requested()->set_currency("EUR");
    request.mutable_content()->mutable_requested()->set_minor_units(70'000);
    return static_cast<const v1::LifeProject&>(*Send(request)).id();
  }

  absl::StatusOr<v1::ListProjectsResponse> List(const v1::ListProjectsRequest& request) {
    TestCall call(pool_);
    auto answer = queries_.handlers()
                      .at(v1::ListProjectsRequest::descriptor()->full_name())
                      .unary(call, request);
    read_ = call.read;
    if (!answer.ok()) return answer.status();
    return static_cast<const v1::ListProjectsResponse&>(**answer);
  }
  std::vector<std::string> IdsOf(const v1::ListProjectsRequest& request) {
    std::vector<std::string> ids;
    const auto page = List(request);
    EXPECT_TRUE(page.ok()) << page.status();
    if (!page.ok()) return ids;
    for (const auto& one : page->projects()) ids.push_back(one.project_id());
    return ids;
  }

  postgres::testing::Database database_{Definition().migrations};
  engine::Registry registry_;
  rpc::Queries queries_;
  std::unique_ptr<crypto::Vault> vault_ = *crypto::Vault::FromBytes(std::string(32, 'k'));
  postgres::Pool pool_{database_.options(), 4};
  postgres::PostgresStore store_{pool_, {.schema = database_.service()}};
  engine::Engine engine_{
      {.node = "cm", .country = "CM", .service = "validation"}, registry_, *vault_};
  std::unique_ptr<engine::StoreSession> session_;
  absl::Time now_ = absl::FromUnixNanos(1'498'813'200'123'456'789);
  int requests_ = 0;
  std::set<std::string> read_;
};

TEST_F(ListProjectsTest, PagesAreWholeAndInOrderAlsoOfTheSameMoment) {
  std::vector<std::string> drafted;
  for (int i = 0; i < 7; ++i) {
    // Three at one moment, then one a second: equal times are told apart by id.
    if (i >= 3) now_ += absl::Seconds(1);
    drafted.push_back(Draft(absl::StrCat("case-", i)));
  }
  std::sort(drafted.begin(), drafted.begin() + 3);

  std::vector<std::string> listed;
  v1::ListProjectsRequest request;
  request.set_page_size(2);
  int pages = 0;
  do {
    const auto page = List(request);
    ASSERT_TRUE(page.ok()) << page.status();
    for (const auto& one : page->projects()) listed.push_back(one.project_id());
    request.set_page_token(page->next_page_token());
    ++pages;
  } while (!request.page_token().empty() && pages < 10);
  EXPECT_EQ(listed, drafted);
  EXPECT_EQ(pages, 4);
}

TEST_F(ListProjectsTest, FiltersByCaseAndState) {
  const std::string first = Draft("case-1");
  now_ += absl::Seconds(1);
  const std::string second = Draft("case-1", v1::PROJECT_KIND_SOCIAL);
  now_ += absl::Seconds(1);
  const std::string other = Draft("case-2");
  v1::WithdrawProjectRequest withdraw;
  withdraw.set_project_id(second);
  withdraw.set_reason("Renonce.");
  Send(withdraw);

  v1::ListProjectsRequest request;
  EXPECT_THAT(IdsOf(request), ElementsAre(first, second, other));
  EXPECT_THAT(read_, ElementsAre("case-1", "case-2"));
  request.set_case_id("case-1");
  EXPECT_THAT(IdsOf(request), ElementsAre(first, second));
  request.set_state(v1::PROJECT_STATE_WITHDRAWN);
  EXPECT_THAT(IdsOf(request), ElementsAre(second));
  request.set_case_id("case-2");
  EXPECT_THAT(IdsOf(request), IsEmpty());
  request = {};
  request.set_session_id("nothing");
  EXPECT_THAT(IdsOf(request), IsEmpty());
}

TEST_F(ListProjectsTest, ShowsWhatTheColumnsHold) {
  const std::string id = Draft("case-1");
  const auto page = List({});
  ASSERT_TRUE(page.ok()) << page.status();
  ASSERT_EQ(page->projects_size(), 1);
  const v1::ProjectSummary& summary = page->projects(0);
  EXPECT_EQ(summary.project_id(), id);
  EXPECT_EQ(summary.case_id(), "case-1");
  EXPECT_EQ(summary.kind(), v1::PROJECT_KIND_BUSINESS_CREATION);
  EXPECT_EQ(summary.state(), v1::PROJECT_STATE_DRAFT);
  EXPECT_EQ(summary.title(), "Couture");
  EXPECT_EQ(summary.requested().currency(), "EUR");
  EXPECT_EQ(summary.requested().minor_units(), 70'000);
  EXPECT_FALSE(summary.has_approved_amount());
  EXPECT_EQ(summary.session_id(), "");
  EXPECT_EQ(summary.drafted_time().seconds(), 1'498'813'200);
}

TEST_F(ListProjectsTest, ATokenOfAnotherQueryIsRefused) {
  Draft("case-1");
  Draft("case-2");
  v1::ListProjectsRequest request;
  request.set_page_size(1);
  const auto page = List(request);
  ASSERT_TRUE(page.ok()) << page.status();
  request.set_page_token(page->next_page_token());
  request.set_case_id("case-1");
  EXPECT_EQ(status::ReasonOf(List(request).status()), "INVALID_PAGE_TOKEN");
  request.set_page_token("' or true --");
  EXPECT_EQ(status::ReasonOf(List(request).status()), "INVALID_PAGE_TOKEN");
}

}  // namespace
}  // namespace sankofa::validation
