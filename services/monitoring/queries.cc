#include "services/monitoring/queries.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "sankofa/common/v1/common_reason.pb.h"
#include "sankofa/monitoring/v1/monitoring_reason.pb.h"
#include "sankofa/monitoring/v1/monitoring_service.pb.h"
#include "services/monitoring/indicators/indicators.h"
#include "services/monitoring/indicators/statistics.h"
#include "services/platform/rpc/paging.h"
#include "services/platform/time/time.h"

namespace sankofa::monitoring {
namespace {

using postgres::Param;
using rpc::QueryCall;
using status::Refuse;

// A parameter that is NULL where nothing was asked for.
Param OrNull(const std::string& text) { return text.empty() ? Param() : Param(text); }
Param OrNull(int number) { return number == 0 ? Param() : Param(absl::StrCat(number)); }

std::string TextAt(const postgres::Result& rows, int row, int column) {
  return std::string(rows.text(row, column));
}
int IntAt(const postgres::Result& rows, int row, int column) {
  return static_cast<int>(rows.integer(row, column));
}
// Microseconds since 1970, as the statements give times.
google::protobuf::Timestamp TimeAt(const postgres::Result& rows, int row, int column) {
  return time::ToTimestamp(absl::FromUnixMicros(rows.integer(row, column)));
}

// ---- One of each ----------------------------------------------------------------------------------------------------

template <class State, class Request, class IdOf>
void BindGet(rpc::Queries& queries, IdOf id_of) {
  queries.On<Request, State>([id_of](QueryCall& call, const Request& request) {
    return call.Load<State>(id_of(request));
  });
}

template <class State, class Request, class IdOf>
void BindGetNotes(rpc::Queries& queries, IdOf id_of) {
  queries.On<Request, State>([id_of](QueryCall& call, const Request& request) {
    return call.LoadPersonal<State>(id_of(request), request.purpose());
  });
}

// ---- Lists ------------------------------------------------------------------------------------------------------------

constexpr char kVisitsSql[] = R"(
select owner_id, ordinal, case_id, programme, visit_number, months, planned_date, visit_state,
       reschedules, misses, visit_date, business_status, jobs
from visit
where ($1::text is null or case_id = $1)
  and ($2::int is null or visit_state = $2)
  and ($3::date is null or planned_date >= $3)
  and ($4::date is null or planned_date <= $4)
  and (planned_date, owner_id, ordinal) > ($5::date, $6::text, $7::int)
order by planned_date, owner_id, ordinal
limit $8::int)";

absl::StatusOr<v1::ListVisitsResponse> ListVisits(QueryCall& call,
                                                  const v1::ListVisitsRequest& request) {
  const std::string query = rpc::QueryOf(request);
  const auto key = rpc::ReadPageToken(call, query, request.page_token(), {"-infinity", "", "-1"});
  if (!key.ok()) return key.status();
  const int size = rpc::PageSize(request.page_size());
  const auto rows =
      call.Sql(kVisitsSql, {OrNull(request.case_id()), OrNull(static_cast<int>(request.state())),
                            OrNull(request.from_date()), OrNull(request.to_date()), (*key)[0],
                            (*key)[1], (*key)[2], absl::StrCat(size + 1)});
  if (!rows.ok()) return rows.status();
  v1::ListVisitsResponse response;
  for (int i = 0; i < std::min(rows->rows(), size); ++i) {
    v1::VisitSummary& summary = *response.add_visits();
    summary.set_follow_up_id(TextAt(*rows, i, 0));
    summary.set_case_id(TextAt(*rows, i, 2));
    summary.set_programme(TextAt(*rows, i, 3));
    v1::Visit& visit = *summary.mutable_visit();
    visit.set_number(IntAt(*rows, i, 4));
    visit.set_months(IntAt(*rows, i, 5));
    visit.set_planned_date(TextAt(*rows, i, 6));
    visit.set_state(static_cast<v1::VisitState>(IntAt(*rows, i, 7)));
    visit.set_reschedules(IntAt(*rows, i, 8));
    visit.set_misses(IntAt(*rows, i, 9));
    visit.set_visit_date(TextAt(*rows, i, 10));
    visit.set_business_status(static_cast<v1::BusinessStatus>(IntAt(*rows, i, 11)));
    visit.set_jobs(IntAt(*rows, i, 12));
    call.RecordRead(summary.case_id());
  }
  if (rows->rows() > size) {
    response.set_next_page_token(rpc::MakePageToken(
        call, query,
        {TextAt(*rows, size - 1, 6), TextAt(*rows, size - 1, 0), TextAt(*rows, size - 1, 1)}));
  }
  return response;
}

constexpr char kSurveysSql[] = R"(
select owner_id, case_id, follow_up_id, window_months, instrument, instrument_version, taken_date,
       economic, social, psychosocial, composite
from survey
where case_id = $1::text and window_months > $2::int
order by window_months
limit $3::int)";

absl::StatusOr<v1::ListSurveysResponse> ListSurveys(QueryCall& call,
                                                    const v1::ListSurveysRequest& request) {
  const std::string query = rpc::QueryOf(request);
  const auto key = rpc::ReadPageToken(call, query, request.page_token(), {"0"});
  if (!key.ok()) return key.status();
  const int size = rpc::PageSize(request.page_size());
  const auto rows = call.Sql(kSurveysSql, {request.case_id(), (*key)[0], absl::StrCat(size + 1)});
  if (!rows.ok()) return rows.status();
  v1::ListSurveysResponse response;
  for (int i = 0; i < std::min(rows->rows(), size); ++i) {
    v1::Survey& survey = *response.add_surveys();
    survey.set_id(TextAt(*rows, i, 0));
    survey.set_case_id(TextAt(*rows, i, 1));
    survey.set_follow_up_id(TextAt(*rows, i, 2));
    survey.set_window_months(IntAt(*rows, i, 3));
    survey.set_instrument(TextAt(*rows, i, 4));
    survey.set_instrument_version(IntAt(*rows, i, 5));
    survey.set_taken_date(TextAt(*rows, i, 6));
    survey.mutable_scores()->set_economic(IntAt(*rows, i, 7));
    survey.mutable_scores()->set_social(IntAt(*rows, i, 8));
    survey.mutable_scores()->set_psychosocial(IntAt(*rows, i, 9));
    survey.mutable_scores()->set_composite(IntAt(*rows, i, 10));
  }
  call.RecordRead(request.case_id());
  if (rows->rows() > size) {
    response.set_next_page_token(rpc::MakePageToken(call, query, {TextAt(*rows, size - 1, 3)}));
  }
  return response;
}

constexpr char kAlertsSql[] = R"(
select owner_id, case_id, kind, alert_state, owner_organisation, owner_role, owner,
       (extract(epoch from deadline_time) * 1000000)::bigint,
       (extract(epoch from raise_time) * 1000000)::bigint,
       follow_up_id, visit_number, window_months, low_scores,
       to_char(deadline_time at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS.US') || '+00'
from alert
where ($1::text is null or case_id = $1)
  and (alert_state = $2::int or ($2::int is null and alert_state <> $3::int))
  and ($4::text is null or owner_organisation = $4)
  and (deadline_time, owner_id) > ($5::timestamptz, $6::text)
order by deadline_time, owner_id
limit $7::int)";

v1::Alert AlertAt(const postgres::Result& rows, int i) {
  v1::Alert alert;
  alert.set_id(TextAt(rows, i, 0));
  alert.set_case_id(TextAt(rows, i, 1));
  alert.set_kind(static_cast<v1::AlertKind>(IntAt(rows, i, 2)));
  alert.set_state(static_cast<v1::AlertState>(IntAt(rows, i, 3)));
  alert.set_owner_organisation(TextAt(rows, i, 4));
  alert.set_owner_role(static_cast<common::v1::Role>(IntAt(rows, i, 5)));
  alert.set_owner(TextAt(rows, i, 6));
  *alert.mutable_deadline_time() = TimeAt(rows, i, 7);
  *alert.mutable_raise_time() = TimeAt(rows, i, 8);
  alert.set_follow_up_id(TextAt(rows, i, 9));
  alert.set_visit_number(IntAt(rows, i, 10));
  alert.set_window_months(IntAt(rows, i, 11));
  const std::string low = TextAt(rows, i, 12);
  for (const absl::string_view name : absl::StrSplit(low, ',', absl::SkipEmpty())) {
    alert.add_low_scores(std::string(name));
  }
  return alert;
}

absl::StatusOr<v1::ListAlertsResponse> ListAlerts(QueryCall& call,
                                                  const v1::ListAlertsRequest& request) {
  const std::string query = rpc::QueryOf(request);
  const auto key = rpc::ReadPageToken(call, query, request.page_token(), {"-infinity", ""});
  if (!key.ok()) return key.status();
  const int size = rpc::PageSize(request.page_size());
  const auto rows =
      call.Sql(kAlertsSql, {OrNull(request.case_id()), OrNull(static_cast<int>(request.state())),
                            absl::StrCat(static_cast<int>(v1::ALERT_STATE_RESOLVED)),
                            OrNull(request.owner_organisation()), (*key)[0], (*key)[1],
                            absl::StrCat(size + 1)});
  if (!rows.ok()) return rows.status();
  v1::ListAlertsResponse response;
  for (int i = 0; i < std::min(rows->rows(), size); ++i) {
    *response.add_alerts() = AlertAt(*rows, i);
    call.RecordRead(response.alerts(i).case_id());
  }
  if (rows->rows() > size) {
    response.set_next_page_token(
        rpc::MakePageToken(call, query, {TextAt(*rows, size - 1, 13), TextAt(*rows, size - 1, 0)}));
  }
  return response;
}

constexpr char kInstrumentsSql[] = R"(
select owner_id, instrument_version, title_en, title_fr
from instrument
where owner_id > $1::text
order by owner_id
limit $2::int)";

absl::StatusOr<v1::ListInstrumentsResponse> ListInstruments(
    QueryCall& call, const v1::ListInstrumentsRequest& request) {
  const std::string query = rpc::QueryOf(request);
  const auto key = rpc::ReadPageToken(call, query, request.page_token(), {""});
  if (!key.ok()) return key.status();
  const int size = rpc::PageSize(request.page_size());
  const auto rows = call.Sql(kInstrumentsSql, {(*key)[0], absl::StrCat(size + 1)});
  if (!rows.ok()) return rows.status();
  v1::ListInstrumentsResponse response;
  for (int i = 0; i < std::min(rows->rows(), size); ++i) {
    v1::InstrumentSummary& summary = *response.add_instruments();
    summary.set_code(TextAt(*rows, i, 0));
    summary.set_version(IntAt(*rows, i, 1));
    summary.mutable_title()->set_en(TextAt(*rows, i, 2));
    summary.mutable_title()->set_fr(TextAt(*rows, i, 3));
  }
  if (rows->rows() > size) {
    response.set_next_page_token(rpc::MakePageToken(call, query, {TextAt(*rows, size - 1, 0)}));
  }
  return response;
}

constexpr char kStatisticsSql[] = R"(
select owner_id, from_date, until_date, minimum_cell,
       (extract(epoch from publish_time) * 1000000)::bigint
from statistics
where owner_id > $1::text
order by owner_id
limit $2::int)";

absl::StatusOr<v1::ListStatisticsResponse> ListStatistics(
    QueryCall& call, const v1::ListStatisticsRequest& request) {
  const std::string query = rpc::QueryOf(request);
  const auto key = rpc::ReadPageToken(call, query, request.page_token(), {""});
  if (!key.ok()) return key.status();
  const int size = rpc::PageSize(request.page_size());
  const auto rows = call.Sql(kStatisticsSql, {(*key)[0], absl::StrCat(size + 1)});
  if (!rows.ok()) return rows.status();
  v1::ListStatisticsResponse response;
  for (int i = 0; i < std::min(rows->rows(), size); ++i) {
    v1::StatisticsSummary& summary = *response.add_statistics();
    summary.set_code(TextAt(*rows, i, 0));
    summary.set_from_date(TextAt(*rows, i, 1));
    summary.set_until_date(TextAt(*rows, i, 2));
    summary.set_minimum_cell(IntAt(*rows, i, 3));
    *summary.mutable_publish_time() = TimeAt(*rows, i, 4);
  }
  if (rows->rows() > size) {
    response.set_next_page_token(rpc::MakePageToken(call, query, {TextAt(*rows, size - 1, 0)}));
  }
  return response;
}

// ---- Views ------------------------------------------------------------------------------------------------------------

absl::StatusOr<v1::CaseView> GetCaseView(QueryCall& call, const v1::GetCaseViewRequest& request,
                                         Views& views) {
  auto view = views.Get(request.case_id(), call.deadline());
  if (!view.ok()) return view.status();
  if (view->erased()) return Refuse(v1::REASON_CASE_ERASED);
  call.RecordRead(request.case_id());
  return view;
}

absl::Status WatchCase(QueryCall& call, const v1::WatchCaseRequest& request,
                       const std::shared_ptr<rpc::StreamSink>& sink, Views& views, WatchHub& hub) {
  const auto after = ParseResumeToken(request.resume_token());
  if (!after.ok()) return after.status();
  // Added before the view is read, so that no change falls in between.
  if (auto added = hub.Add(request.case_id(), *after, sink); !added.ok()) return added;
  const auto view = views.Get(request.case_id(), call.deadline());
  if (!view.ok() || view->erased()) {
    hub.Remove(sink);
    return view.ok() ? Refuse(v1::REASON_CASE_ERASED) : view.status();
  }
  call.RecordRead(request.case_id());
  hub.Notify(*view);
  return absl::OkStatus();
}

constexpr int kRebuildDefault = 100;
constexpr absl::Duration kRebuildReserve = absl::Seconds(1);  // for the answer
constexpr char kKnownCasesSql[] = R"(
select owner_id from case_fact
where indicator = 0 and owner_id > $1::text
order by owner_id
limit $2::int)";

// As many cases of the page as there is time for.
absl::StatusOr<v1::RebuildViewsResponse> RebuildViews(QueryCall& call,
                                                      const v1::RebuildViewsRequest& request,
                                                      Views& views) {
  const std::string query = rpc::QueryOf(request);
  const auto key = rpc::ReadPageToken(call, query, request.page_token(), {""});
  if (!key.ok()) return key.status();
  const int size = rpc::PageSize(request.page_size(), kRebuildDefault);
  const auto rows = call.Sql(kKnownCasesSql, {(*key)[0], absl::StrCat(size + 1)});
  if (!rows.ok()) return rows.status();
  v1::RebuildViewsResponse response;
  int done = 0;
  while (done < std::min(rows->rows(), size)) {
    if (done > 0 && absl::Now() > call.deadline() - kRebuildReserve) break;
    const auto rebuilt = views.Rebuild(TextAt(*rows, done, 0), call.deadline());
    if (!rebuilt.ok()) return rebuilt.status();
    ++done;
    response.set_rebuilt(response.rebuilt() + (*rebuilt == Views::Rebuilt::kUnknown ? 0 : 1));
    response.set_missing(response.missing() + (*rebuilt == Views::Rebuilt::kMissing ? 1 : 0));
    response.set_behind(response.behind() + (*rebuilt == Views::Rebuilt::kBehind ? 1 : 0));
    response.set_differing(response.differing() + (*rebuilt == Views::Rebuilt::kDiffering ? 1 : 0));
  }
  if (rows->rows() > done) {
    response.set_next_page_token(rpc::MakePageToken(call, query, {TextAt(*rows, done - 1, 0)}));
  }
  return response;
}

}  // namespace

void BindQueries(rpc::Queries& queries, ViewAccess access) {
  const auto follow_up_id = [](const auto& request) { return request.follow_up_id(); };
  const auto survey_id = [](const auto& request) { return request.survey_id(); };
  const auto alert_id = [](const auto& request) { return request.alert_id(); };
  BindGet<v1::FollowUp, v1::GetFollowUpRequest>(queries, follow_up_id);
  BindGetNotes<v1::FollowUp, v1::GetFollowUpNotesRequest>(queries, follow_up_id);
  BindGet<v1::Survey, v1::GetSurveyRequest>(queries, survey_id);
  BindGetNotes<v1::Survey, v1::GetSurveyAnswersRequest>(queries, survey_id);
  BindGet<v1::Alert, v1::GetAlertRequest>(queries, alert_id);
  BindGetNotes<v1::Alert, v1::GetAlertNotesRequest>(queries, alert_id);
  BindGet<v1::Instrument, v1::GetInstrumentRequest>(
      queries, [](const auto& request) { return request.code(); });
  queries.On<v1::ListVisitsRequest, v1::ListVisitsResponse>(ListVisits);
  queries.On<v1::ListSurveysRequest, v1::ListSurveysResponse>(ListSurveys);
  queries.On<v1::ListAlertsRequest, v1::ListAlertsResponse>(ListAlerts);
  queries.On<v1::ListInstrumentsRequest, v1::ListInstrumentsResponse>(ListInstruments);
  queries.On<v1::GetIndicatorsRequest, v1::GetIndicatorsResponse>(GetIndicators);
  queries.On<v1::PreviewStatisticsRequest, v1::StatisticsTables>(PreviewStatistics);
  BindGet<v1::Statistics, v1::GetStatisticsRequest>(
      queries, [](const auto& request) { return request.code(); });
  queries.On<v1::ListStatisticsRequest, v1::ListStatisticsResponse>(ListStatistics);
  queries.On<v1::GetCaseViewRequest, v1::CaseView>(
      [access](QueryCall& call, const v1::GetCaseViewRequest& request) {
        return GetCaseView(call, request, access.views());
      });
  queries.OnStream<v1::WatchCaseRequest>([access](QueryCall& call,
                                                  const v1::WatchCaseRequest& request,
                                                  std::shared_ptr<rpc::StreamSink> sink) {
    return WatchCase(call, request, sink, access.views(), access.hub());
  });
  queries.On<v1::RebuildViewsRequest, v1::RebuildViewsResponse>(
      [access = std::move(access)](QueryCall& call, const v1::RebuildViewsRequest& request) {
        return RebuildViews(call, request, access.views());
      });
}

}  // namespace sankofa::monitoring
