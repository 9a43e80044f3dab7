#include "services/validation/queries.h"

#include <algorithm>
#include <string>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "sankofa/common/v1/common_reason.pb.h"
#include "sankofa/validation/v1/validation_reason.pb.h"
#include "sankofa/validation/v1/validation_service.pb.h"
#include "services/platform/money/money.h"
#include "services/platform/status/refuse.h"
#include "services/platform/time/time.h"

namespace sankofa::validation {
namespace {

using postgres::Param;
using postgres::Result;
using rpc::QueryCall;

constexpr int kPageSizeDefault = 25;
constexpr int kPageSizeMax = 100;

// Those who work with a project; others see it without its free texts.
bool MaySeeFreeTexts(const engine::Actor& actor) {
  static const std::vector<std::string> roles = {"case_officer", "counsellor",
                                                 "committee_secretary", "committee_member"};
  return std::find_first_of(actor.roles.begin(), actor.roles.end(), roles.begin(), roles.end()) !=
         actor.roles.end();
}

absl::StatusOr<v1::LifeProject> GetProject(QueryCall& call, const v1::GetProjectRequest& request) {
  if (request.purpose().empty()) return call.Load<v1::LifeProject>(request.project_id());
  if (!MaySeeFreeTexts(call.actor())) return status::Refuse(common::v1::REASON_NOT_ALLOWED);
  return call.LoadPersonal<v1::LifeProject>(request.project_id(), request.purpose());
}

// Where a page ended: the sort columns of its last row, and the filters of the query that it belongs to.
struct Cursor {
  std::int64_t drafted_micros = 0;
  std::string project_id;
};

std::string FiltersOf(const v1::ListProjectsRequest& request) {
  return absl::StrJoin(
      {absl::CEscape(request.case_id()), absl::StrCat(static_cast<int>(request.state())),
       absl::CEscape(request.session_id())},
      ",");
}

std::string TokenOf(const v1::ListProjectsRequest& request, const Cursor& cursor) {
  return absl::WebSafeBase64Escape(
      absl::StrCat(FiltersOf(request), "\n", cursor.drafted_micros, "\n", cursor.project_id));
}

absl::StatusOr<Cursor> CursorOf(const v1::ListProjectsRequest& request) {
  Cursor cursor;
  std::string text;
  const bool readable = absl::WebSafeBase64Unescape(request.page_token(), &text);
  const std::vector<std::string> parts = absl::StrSplit(text, '\n');
  if (!readable || parts.size() != 3 || parts[0] != FiltersOf(request) ||
      !absl::SimpleAtoi(parts[1], &cursor.drafted_micros)) {
    return status::RefuseField(common::v1::REASON_INVALID_PAGE_TOKEN, "page_token");
  }
  cursor.project_id = parts[2];
  return cursor;
}

// A statement with its parameters, built from the filters that are set.
struct Statement {
  std::string sql;
  std::vector<Param> params;
};

absl::StatusOr<Statement> ListStatement(const v1::ListProjectsRequest& request, int rows) {
  Statement statement;
  std::vector<std::string> conditions = {"true"};
  const auto add = [&statement](const std::string& value) {
    statement.params.emplace_back(value);
    return absl::StrCat("$", statement.params.size());
  };
  if (!request.case_id().empty()) {
    conditions.push_back(absl::StrCat("case_id = ", add(request.case_id())));
  }
  if (request.state() != v1::PROJECT_STATE_UNSPECIFIED) {
    conditions.push_back(
        absl::StrCat("state = ", add(absl::StrCat(static_cast<int>(request.state()))), "::int"));
  }
  if (!request.session_id().empty()) {
    conditions.push_back(absl::StrCat("session_id = ", add(request.session_id())));
  }
  if (!request.page_token().empty()) {
    const auto cursor = CursorOf(request);
    if (!cursor.ok()) return cursor.status();
    const std::string micros = add(absl::StrCat(cursor->drafted_micros));
    conditions.push_back(absl::StrCat("(drafted_time, owner_id) > (timestamptz 'epoch' + ", micros,
                                      "::bigint * interval '1 microsecond', ",
                                      add(cursor->project_id), ")"));
  }
  statement.sql = absl::StrCat(
      "select owner_id, case_id, case_reference, kind, state, version, title, currency,"
      " requested_minor, approved_currency, approved_minor, session_id, programme,"
      " (extract(epoch from drafted_time) * 1000000)::bigint"
      " from life_project where ",
      absl::StrJoin(conditions, " and "), " order by drafted_time, owner_id limit ",
      add(absl::StrCat(rows)), "::int");
  return statement;
}

v1::ProjectSummary SummaryOf(const Result& rows, int row) {
  const auto text = [&](int column) { return std::string(rows.text(row, column)); };
  v1::ProjectSummary summary;
  summary.set_project_id(text(0));
  summary.set_case_id(text(1));
  summary.set_case_reference(text(2));
  summary.set_kind(static_cast<v1::ProjectKind>(rows.integer(row, 3)));
  summary.set_state(static_cast<v1::ProjectState>(rows.integer(row, 4)));
  summary.set_version(static_cast<int>(rows.integer(row, 5)));
  summary.set_title(text(6));
  if (!rows.null(row, 7)) {
    *summary.mutable_requested() = money::Of(rows.text(row, 7), rows.integer(row, 8));
  }
  if (!rows.null(row, 9)) {
    *summary.mutable_approved_amount() = money::Of(rows.text(row, 9), rows.integer(row, 10));
  }
  summary.set_session_id(text(11));
  summary.set_programme(text(12));
  *summary.mutable_drafted_time() = time::ToTimestamp(absl::FromUnixMicros(rows.integer(row, 13)));
  return summary;
}

absl::StatusOr<v1::ListProjectsResponse> ListProjects(QueryCall& call,
                                                      const v1::ListProjectsRequest& request) {
  const int size =
      request.page_size() <= 0 ? kPageSizeDefault : std::min(request.page_size(), kPageSizeMax);
  // One row more than the page tells whether another page follows.
  const auto statement = ListStatement(request, size + 1);
  if (!statement.ok()) return statement.status();
  const auto rows = call.Sql(statement->sql, statement->params);
  if (!rows.ok()) return rows.status();

  v1::ListProjectsResponse response;
  const int shown = std::min(rows->rows(), size);
  for (int row = 0; row < shown; ++row) {
    *response.add_projects() = SummaryOf(*rows, row);
    call.RecordRead(response.projects(row).case_id());
  }
  if (rows->rows() > size) {
    const int last = shown - 1;
    response.set_next_page_token(
        TokenOf(request, {.drafted_micros = rows->integer(last, 13),
                          .project_id = response.projects(last).project_id()}));
  }
  return response;
}

// An agenda tells of cases, so that reading it is a read of each.
absl::StatusOr<v1::Session> LoadSession(QueryCall& call, const std::string& session_id) {
  auto session = call.Load<v1::Session>(session_id);
  if (!session.ok()) return session;
  for (const v1::AgendaItem& item : session->agenda()) call.RecordRead(item.case_id());
  return session;
}

absl::StatusOr<v1::GetMinutesResponse> GetMinutes(QueryCall& call,
                                                  const v1::GetMinutesRequest& request) {
  auto session = LoadSession(call, request.session_id());
  if (!session.ok()) return session.status();
  if (!session->has_minutes()) return status::Refuse(v1::REASON_MINUTES_NOT_READY);
  v1::GetMinutesResponse response;
  response.set_session_id(request.session_id());
  *response.mutable_minutes() = std::move(*session->mutable_minutes());
  return response;
}

absl::StatusOr<v1::CheckProjectResponse> CheckProject(QueryCall& call,
                                                      const v1::CheckProjectRequest& request) {
  const auto project = call.Load<v1::LifeProject>(request.project_id());
  if (!project.ok()) return project.status();
  v1::CheckProjectResponse response;
  response.set_project_id(project->id());
  response.set_case_id(project->case_id());
  response.set_state(project->state());
  response.set_version(project->version());
  response.set_approved_version(project->approved_version());
  if (project->has_approved_amount()) {
    *response.mutable_approved_amount() = project->approved_amount();
  }
  std::int64_t version = 0;
  if (absl::SimpleAtoi(project->etag(), &version)) response.set_stream_version(version);
  return response;
}

}  // namespace

void BindQueries(rpc::Queries& queries) {
  queries.On<v1::GetProjectRequest, v1::LifeProject>(GetProject);
  queries.On<v1::ListProjectsRequest, v1::ListProjectsResponse>(ListProjects);
  queries.On<v1::GetCommitteeRequest, v1::Committee>(
      [](QueryCall& call, const v1::GetCommitteeRequest& request) {
        return call.Load<v1::Committee>(request.committee_code());
      });
  queries.On<v1::GetSessionRequest, v1::Session>(
      [](QueryCall& call, const v1::GetSessionRequest& request) {
        return LoadSession(call, request.session_id());
      });
  queries.On<v1::GetForwardedVoteRequest, v1::ForwardedVote>(
      [](QueryCall& call, const v1::GetForwardedVoteRequest& request) {
        return call.Load<v1::ForwardedVote>(request.vote_id());
      });
  queries.On<v1::GetMinutesRequest, v1::GetMinutesResponse>(GetMinutes);
  queries.On<v1::CheckProjectRequest, v1::CheckProjectResponse>(CheckProject);
}

}  // namespace sankofa::validation
