#include "services/funding/queries.h"

#include <algorithm>
#include <string>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "sankofa/common/v1/common_reason.pb.h"
#include "sankofa/funding/v1/funding_service.pb.h"
#include "services/platform/money/money.h"
#include "services/platform/status/refuse.h"
#include "services/platform/status/text.h"
#include "services/platform/time/time.h"

namespace sankofa::funding {
namespace {

using common::v1::Money;
using postgres::Param;
using postgres::Result;
using rpc::QueryCall;

constexpr int kPageSizeDefault = 25;
constexpr int kPageSizeMax = 100;

int PageSize(int asked) { return asked <= 0 ? kPageSizeDefault : std::min(asked, kPageSizeMax); }

// A page token says after which row the next page begins, and for which query, so that it is not used for another one.
// `query`: the method and its filters. `keys`: the sort columns of the last row shown.
std::string TokenOf(const std::string& query, const std::vector<std::string>& keys) {
  return absl::WebSafeBase64Escape(absl::StrCat(query, "\n", absl::StrJoin(keys, "\n")));
}

// The sort columns that a token holds; empty for the first page.
absl::StatusOr<std::vector<std::string>> KeysOf(const std::string& token, const std::string& query,
                                                size_t count) {
  if (token.empty()) return std::vector<std::string>();
  std::string text;
  const bool readable = absl::WebSafeBase64Unescape(token, &text);
  std::vector<std::string> keys = absl::StrSplit(text, '\n');
  if (!readable || keys.size() != count + 1 || keys.front() != query) {
    return status::RefuseField(common::v1::REASON_INVALID_PAGE_TOKEN, "page_token");
  }
  keys.erase(keys.begin());
  return keys;
}

// `a` and `b` as one line, so that they stand in a token.
std::string QueryName(std::string_view method, const std::vector<std::string>& filters) {
  std::string name(method);
  for (const std::string& filter : filters) absl::StrAppend(&name, "|", absl::CEscape(filter));
  return name;
}

std::string Text(const Result& rows, int row, int column) {
  return std::string(rows.text(row, column));
}

Money MoneyAt(const Result& rows, int row, int currency, int amount) {
  return money::Of(rows.text(row, currency), rows.integer(row, amount));
}

void AddWords(std::string_view text, google::protobuf::RepeatedPtrField<std::string>& out) {
  for (const auto word : absl::StrSplit(status::Absl(text), ' ', absl::SkipEmpty())) {
    out.Add(std::string(word));
  }
}

// A column that the statement gives as microseconds since 1970.
void SetTime(const Result& rows, int row, int column, google::protobuf::Timestamp* out) {
  *out = time::ToTimestamp(absl::FromUnixMicros(rows.integer(row, column)));
}

constexpr std::string_view kMicros = "(extract(epoch from $) * 1000000)::bigint";

std::string MicrosOf(const std::string& column) {
  std::string sql(kMicros);
  return sql.replace(sql.find('$'), 1, column);
}

// --- Agreements, programmes, budget lines: by code ---

// One page of a table whose rows are sorted by owner_id; one row more than the page tells whether another follows.
// `columns` after owner_id; `filter` is an SQL condition on parameters from $3 on.
struct Page {
  Result rows;
  int shown = 0;
  std::string next_page_token;
};

absl::StatusOr<Page> PageByCode(QueryCall& call, const std::string& query, const std::string& sql,
                                const std::string& token, int page_size,
                                std::vector<Param> filters) {
  const auto keys = KeysOf(token, query, 1);
  if (!keys.ok()) return keys.status();
  const int size = PageSize(page_size);
  std::vector<Param> params = {keys->empty() ? std::string() : keys->front(),
                               absl::StrCat(size + 1)};
  std::move(filters.begin(), filters.end(), std::back_inserter(params));
  auto rows = call.Sql(sql, params);
  if (!rows.ok()) return rows.status();
  Page page{.rows = *std::move(rows)};
  page.shown = std::min(page.rows.rows(), size);
  if (page.rows.rows() > size) {
    page.next_page_token = TokenOf(query, {Text(page.rows, page.shown - 1, 0)});
  }
  return page;
}

absl::StatusOr<v1::ListAgreementsResponse> ListAgreements(
    QueryCall& call, const v1::ListAgreementsRequest& request) {
  static const std::string kSql =
      "select owner_id, funder, host_countries, origin_countries, currency, committed, allocated,"
      " valid_from, valid_until from agreement where owner_id > $1 order by owner_id limit $2::int";
  const auto page =
      PageByCode(call, "agreements", kSql, request.page_token(), request.page_size(), {});
  if (!page.ok()) return page.status();
  v1::ListAgreementsResponse response;
  for (int row = 0; row < page->shown; ++row) {
    v1::Agreement& agreement = *response.add_agreements();
    agreement.set_id(Text(page->rows, row, 0));
    agreement.set_funder(Text(page->rows, row, 1));
    AddWords(page->rows.text(row, 2), *agreement.mutable_host_countries());
    AddWords(page->rows.text(row, 3), *agreement.mutable_origin_countries());
    *agreement.mutable_committed() = MoneyAt(page->rows, row, 4, 5);
    *agreement.mutable_allocated() = MoneyAt(page->rows, row, 4, 6);
    agreement.set_valid_from(Text(page->rows, row, 7));
    agreement.set_valid_until(Text(page->rows, row, 8));
  }
  response.set_next_page_token(page->next_page_token);
  return response;
}

absl::StatusOr<v1::ListProgrammesResponse> ListProgrammes(
    QueryCall& call, const v1::ListProgrammesRequest& request) {
  static const std::string kSql =
      "select owner_id, title, scheme, funder from programme where owner_id > $1"
      " order by owner_id limit $2::int";
  const auto page =
      PageByCode(call, "programmes", kSql, request.page_token(), request.page_size(), {});
  if (!page.ok()) return page.status();
  v1::ListProgrammesResponse response;
  for (int row = 0; row < page->shown; ++row) {
    v1::Programme& programme = *response.add_programmes();
    programme.set_id(Text(page->rows, row, 0));
    programme.set_title(Text(page->rows, row, 1));
    programme.set_scheme(Text(page->rows, row, 2));
    programme.set_funder(Text(page->rows, row, 3));
  }
  response.set_next_page_token(page->next_page_token);
  return response;
}

absl::StatusOr<v1::ListBudgetLinesResponse> ListBudgetLines(
    QueryCall& call, const v1::ListBudgetLinesRequest& request) {
  static const std::string kSql =
      "select owner_id, agreement, title, currency, allotted, available, reserved, spent,"
      " programmes, valid_from, valid_until from budget_line"
      " where owner_id > $1 and ($3 = '' or agreement = $3) order by owner_id limit $2::int";
  const std::string query = QueryName("budget_lines", {request.agreement()});
  const auto page = PageByCode(call, query, kSql, request.page_token(), request.page_size(),
                               {request.agreement()});
  if (!page.ok()) return page.status();
  v1::ListBudgetLinesResponse response;
  for (int row = 0; row < page->shown; ++row) {
    v1::BudgetLine& line = *response.add_budget_lines();
    line.set_id(Text(page->rows, row, 0));
    line.set_agreement(Text(page->rows, row, 1));
    line.set_title(Text(page->rows, row, 2));
    line.set_currency(Text(page->rows, row, 3));
    *line.mutable_allotted() = MoneyAt(page->rows, row, 3, 4);
    *line.mutable_available() = MoneyAt(page->rows, row, 3, 5);
    *line.mutable_reserved() = MoneyAt(page->rows, row, 3, 6);
    *line.mutable_spent() = MoneyAt(page->rows, row, 3, 7);
    AddWords(page->rows.text(row, 8), *line.mutable_programmes());
    line.set_valid_from(Text(page->rows, row, 9));
    line.set_valid_until(Text(page->rows, row, 10));
  }
  response.set_next_page_token(page->next_page_token);
  return response;
}

// --- Grants: newest first ---

v1::Grant GrantAt(const Result& rows, int row) {
  v1::Grant grant;
  grant.set_id(Text(rows, row, 0));
  grant.set_case_id(Text(rows, row, 1));
  grant.set_project_id(Text(rows, row, 2));
  grant.set_programme(Text(rows, row, 3));
  grant.set_level(static_cast<int>(rows.integer(row, 4)));
  grant.set_budget_line(Text(rows, row, 5));
  grant.set_kind(static_cast<v1::ProjectKind>(rows.integer(row, 6)));
  grant.set_sector(Text(rows, row, 7));
  grant.set_state(static_cast<v1::GrantState>(rows.integer(row, 8)));
  *grant.mutable_amount() = MoneyAt(rows, row, 9, 10);
  *grant.mutable_paid() = MoneyAt(rows, row, 9, 11);
  *grant.mutable_refund_due() = MoneyAt(rows, row, 9, 12);
  *grant.mutable_refunded() = MoneyAt(rows, row, 9, 13);
  grant.set_payment_currency(Text(rows, row, 14));
  SetTime(rows, row, 15, grant.mutable_reserved_time());
  if (!rows.null(row, 16)) SetTime(rows, row, 16, grant.mutable_signed_time());
  if (!rows.null(row, 17)) SetTime(rows, row, 17, grant.mutable_ended_time());
  return grant;
}

const std::string& GrantsSql() {
  static const std::string sql = absl::StrCat(
      "select owner_id, case_id, project_id, programme, level, budget_line, kind, sector, state,"
      " currency, amount, paid, refund_due, refunded, payment_currency, ",
      MicrosOf("reserved_time"), ", ", MicrosOf("signed_time"), ", ", MicrosOf("ended_time"),
      " from grant_list where ($1 = '' or case_id = $1) and ($2 = '' or project_id = $2)"
      " and ($3 = '' or programme = $3) and ($4 = '' or budget_line = $4)"
      " and ($5::int = 0 or state = $5::int)"
      " and ($6 = '0' or position(' ' || $6 || ' ' in instalment_states) > 0)"
      " and ($7 = '' or (reserved_time, owner_id) <"
      " ('epoch'::timestamptz + nullif($7, '')::bigint * interval '1 microsecond', $8))"
      " order by reserved_time desc, owner_id desc limit $9::int");
  return sql;
}

absl::StatusOr<v1::ListGrantsResponse> ListGrants(QueryCall& call,
                                                  const v1::ListGrantsRequest& request) {
  const std::vector<std::string> filters = {
      request.case_id(),
      request.project_id(),
      request.programme(),
      request.budget_line(),
      absl::StrCat(static_cast<int>(request.state())),
      absl::StrCat(static_cast<int>(request.instalment_state()))};
  const std::string query = QueryName("grants", filters);
  const auto keys = KeysOf(request.page_token(), query, 2);
  if (!keys.ok()) return keys.status();
  std::int64_t after = 0;
  if (!keys->empty() && !absl::SimpleAtoi((*keys)[0], &after)) {
    return status::RefuseField(common::v1::REASON_INVALID_PAGE_TOKEN, "page_token");
  }
  const int size = PageSize(request.page_size());
  std::vector<Param> params(filters.begin(), filters.end());
  params.emplace_back(keys->empty() ? std::string() : absl::StrCat(after));
  params.emplace_back(keys->empty() ? std::string() : (*keys)[1]);
  params.emplace_back(absl::StrCat(size + 1));
  const auto rows = call.Sql(GrantsSql(), params);
  if (!rows.ok()) return rows.status();

  v1::ListGrantsResponse response;
  const int shown = std::min(rows->rows(), size);
  for (int row = 0; row < shown; ++row) {
    *response.add_grants() = GrantAt(*rows, row);
    call.RecordRead(response.grants(row).case_id());
  }
  if (rows->rows() > size) {
    response.set_next_page_token(
        TokenOf(query, {Text(*rows, shown - 1, 15), Text(*rows, shown - 1, 0)}));
  }
  return response;
}

// --- The ledger ---

// One statement, hence one snapshot: sums, batches and lines are of the same moment. Each row begins with what it is.
const std::string& TrialBalanceSql() {
  static const std::string sql = R"sql(
with p as (select * from posting where $1 = '' or currency = $1)
select 'currency', currency, '', coalesce(sum(amount) filter (where amount > 0), 0),
       coalesce(-sum(amount) filter (where amount < 0), 0)
  from p group by currency
union all
select 'account', currency, account, coalesce(sum(amount) filter (where amount > 0), 0),
       coalesce(-sum(amount) filter (where amount < 0), 0)
  from p group by currency, account
union all
select distinct 'batch', '', batch_id, 0, 0
  from p group by batch_id, currency having sum(amount) <> 0
union all
select 'line', l.currency, l.owner_id, 0, 0
  from budget_line l
 cross join lateral (
   select coalesce(-sum(amount) filter (where account = 'line_available'), 0) as available,
          coalesce(-sum(amount) filter (where account = 'line_reserved'), 0) as reserved,
          coalesce(-sum(amount) filter (where account = 'line_spent'), 0) as spent
     from posting where holder = l.owner_id and account like 'line!_%' escape '!') posted
 where ($1 = '' or l.currency = $1)
   and (l.available, l.reserved, l.spent) <> (posted.available, posted.reserved, posted.spent)
order by 1, 2, 3)sql";
  return sql;
}

absl::StatusOr<v1::GetTrialBalanceResponse> GetTrialBalance(
    QueryCall& call, const v1::GetTrialBalanceRequest& request) {
  const auto rows = call.Sql(TrialBalanceSql(), {request.currency()});
  if (!rows.ok()) return rows.status();
  v1::GetTrialBalanceResponse response;
  bool balanced = true;
  for (int row = 0; row < rows->rows(); ++row) {
    const std::string_view what = rows->text(row, 0);
    const std::int64_t debit = rows->integer(row, 3);
    const std::int64_t credit = rows->integer(row, 4);
    if (what == "currency") {
      v1::CurrencyBalance& balance = *response.add_currencies();
      balance.set_currency(Text(*rows, row, 1));
      balance.set_debit_minor_units(debit);
      balance.set_credit_minor_units(credit);
      balance.set_difference_minor_units(debit - credit);
      balanced = balanced && debit == credit;
    } else if (what == "account") {
      v1::AccountBalance& balance = *response.add_accounts();
      v1::Account account = v1::ACCOUNT_UNSPECIFIED;
      if (!v1::Account_Parse("ACCOUNT_" + absl::AsciiStrToUpper(Text(*rows, row, 2)), &account)) {
        return status::Internal("a posting is on an account that there is not");
      }
      balance.set_account(account);
      balance.set_currency(Text(*rows, row, 1));
      balance.set_debit_minor_units(debit);
      balance.set_credit_minor_units(credit);
      balance.set_balance_minor_units(debit - credit);
    } else if (what == "batch") {
      response.add_unbalanced_batches(Text(*rows, row, 2));
    } else {
      response.add_differing_budget_lines(Text(*rows, row, 2));
    }
  }
  response.set_balanced(balanced && response.unbalanced_batches().empty() &&
                        response.differing_budget_lines().empty());
  return response;
}

// A batch is one entry. What was available after it is summed over all entries before the page is cut out.
const std::string& StatementSql() {
  static const std::string sql = R"sql(
with entries as (
  select batch_id, min(position) as position, min(kind) as kind, min(posted_time) as posted_time,
         coalesce(min(grant_id), '') as grant_id, min(currency) as currency,
         coalesce(-sum(amount) filter (where account = 'line_available'), 0)::bigint as available,
         coalesce(-sum(amount) filter (where account = 'line_reserved'), 0)::bigint as reserved,
         coalesce(-sum(amount) filter (where account = 'line_spent'), 0)::bigint as spent
    from posting where holder = $1 and account like 'line!_%' escape '!' group by batch_id),
running as (
  select *, (sum(available) over (order by position))::bigint as available_after from entries)
select position, batch_id, kind, )sql" +
                                 MicrosOf("posted_time") + R"sql(, grant_id, currency,
       available, reserved, spent, available_after,
       coalesce((select case_id from grant_list g where g.owner_id = running.grant_id), '')
  from running where position > $2::bigint order by position limit $3::int)sql";
  return sql;
}

absl::StatusOr<v1::GetStatementResponse> GetStatement(QueryCall& call,
                                                      const v1::GetStatementRequest& request) {
  const auto line = call.Load<v1::BudgetLine>(request.budget_line());
  if (!line.ok()) return line.status();
  const std::string query = QueryName("statement", {request.budget_line()});
  const auto keys = KeysOf(request.page_token(), query, 1);
  if (!keys.ok()) return keys.status();
  std::int64_t after = 0;
  if (!keys->empty() && !absl::SimpleAtoi(keys->front(), &after)) {
    return status::RefuseField(common::v1::REASON_INVALID_PAGE_TOKEN, "page_token");
  }
  const int size = PageSize(request.page_size());
  const auto rows = call.Sql(StatementSql(),
                             {request.budget_line(), absl::StrCat(after), absl::StrCat(size + 1)});
  if (!rows.ok()) return rows.status();
  v1::GetStatementResponse response;
  const int shown = std::min(rows->rows(), size);
  for (int row = 0; row < shown; ++row) {
    v1::StatementEntry& entry = *response.add_entries();
    entry.set_batch_id(Text(*rows, row, 1));
    entry.set_kind(Text(*rows, row, 2));
    SetTime(*rows, row, 3, entry.mutable_posted_time());
    entry.set_grant_id(Text(*rows, row, 4));
    *entry.mutable_available_change() = MoneyAt(*rows, row, 5, 6);
    *entry.mutable_reserved_change() = MoneyAt(*rows, row, 5, 7);
    *entry.mutable_spent_change() = MoneyAt(*rows, row, 5, 8);
    *entry.mutable_available_after() = MoneyAt(*rows, row, 5, 9);
    if (const std::string case_id = Text(*rows, row, 10); !case_id.empty()) {
      call.RecordRead(case_id);
    }
  }
  if (rows->rows() > size) {
    response.set_next_page_token(TokenOf(query, {Text(*rows, shown - 1, 0)}));
  }
  return response;
}

}  // namespace

void BindQueries(rpc::Queries& queries) {
  queries.On<v1::GetAgreementRequest, v1::Agreement>([](QueryCall& call, const auto& request) {
    return call.Load<v1::Agreement>(request.agreement());
  });
  queries.On<v1::ListAgreementsRequest, v1::ListAgreementsResponse>(ListAgreements);
  queries.On<v1::GetProgrammeRequest, v1::Programme>([](QueryCall& call, const auto& request) {
    return call.Load<v1::Programme>(request.programme());
  });
  queries.On<v1::ListProgrammesRequest, v1::ListProgrammesResponse>(ListProgrammes);
  queries.On<v1::GetBudgetLineRequest, v1::BudgetLine>([](QueryCall& call, const auto& request) {
    return call.Load<v1::BudgetLine>(request.budget_line());
  });
  queries.On<v1::ListBudgetLinesRequest, v1::ListBudgetLinesResponse>(ListBudgetLines);
  queries.On<v1::GetGrantRequest, v1::Grant>([](QueryCall& call, const auto& request) {
    return request.purpose().empty()
               ? call.Load<v1::Grant>(request.grant_id())
               : call.LoadPersonal<v1::Grant>(request.grant_id(), request.purpose());
  });
  queries.On<v1::ListGrantsRequest, v1::ListGrantsResponse>(ListGrants);
  queries.On<v1::GetTrialBalanceRequest, v1::GetTrialBalanceResponse>(GetTrialBalance);
  queries.On<v1::GetStatementRequest, v1::GetStatementResponse>(GetStatement);
}

}  // namespace sankofa::funding
