#include "services/exchange/queries.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "sankofa/exchange/v1/exchange_service.pb.h"
#include "sankofa/exchange/v1/feed_messages.pb.h"
#include "services/exchange/feed/feed.h"
#include "services/exchange/feed/route.h"
#include "services/platform/crypto/hash.h"
#include "services/platform/rpc/paging.h"
#include "services/platform/time/time.h"

namespace sankofa::exchange {
namespace {

using postgres::Param;
using postgres::Result;
using rpc::QueryCall;

constexpr char kFeedFormat[] = "sankofa.feed.v1";

// A parameter that is NULL where nothing was asked for.
Param OrNull(const std::string& text) { return text.empty() ? Param() : Param(text); }
Param OrNull(int number) { return number == 0 ? Param() : Param(absl::StrCat(number)); }

std::string TextAt(const Result& rows, int row, int column) {
  return std::string(rows.text(row, column));
}

google::protobuf::Timestamp TimeAt(const Result& rows, int row, int column) {
  return time::ToTimestamp(rows.time(row, column));
}

// ---- Identity -------------------------------------------------------------------------------------------------------

v1::OwnIdentity IdentityOf(const QueryAccess& access) {
  v1::OwnIdentity identity;
  identity.set_node(access.node);
  identity.set_country(access.country);
  identity.set_format(kFeedFormat);
  v1::PartnerKey& key = *identity.mutable_key();
  key.set_verification_key(access.verification_key());
  key.set_key_id(crypto::KeyIdOf(key.verification_key()));
  key.set_sealing_key(access.sealing_key());
  return identity;
}

// ---- Lists ----------------------------------------------------------------------------------------------------------

// The rows of one page: column 0 is the id of the aggregate, the columns from 1 on are the key to go on from.
struct Page {
  std::vector<std::string> ids;
  std::string next_page_token;
};

// A list's statement takes its own parameters, then the columns of the key, then how many rows are wanted.
template <class Request>
absl::StatusOr<Page> ReadPage(QueryCall& call, const Request& request, const std::string& sql,
                              std::vector<Param> params, const std::vector<std::string>& first) {
  const std::string query = rpc::QueryOf(request);
  const auto key = rpc::ReadPageToken(call, query, request.page_token(), first);
  if (!key.ok()) return key.status();
  const int size = rpc::PageSize(request.page_size());
  for (const std::string& column : *key) params.emplace_back(column);
  params.emplace_back(absl::StrCat(size + 1));
  const auto rows = call.Sql(sql, params);
  if (!rows.ok()) return rows.status();
  Page page;
  for (int i = 0; i < std::min(rows->rows(), size); ++i) page.ids.push_back(TextAt(*rows, i, 0));
  if (rows->rows() > size) {
    std::vector<std::string> last;
    for (int column = 1; column < rows->columns(); ++column) {
      last.push_back(TextAt(*rows, size - 1, column));
    }
    page.next_page_token = rpc::MakePageToken(call, query, last);
  }
  return page;
}

// Fills `list` with the aggregates of a page.
template <class State>
absl::Status LoadAll(QueryCall& call, const Page& page,
                     google::protobuf::RepeatedPtrField<State>& list) {
  for (const std::string& id : page.ids) {
    auto state = call.Load<State>(id);
    if (!state.ok()) return state.status();
    *list.Add() = *std::move(state);
  }
  return absl::OkStatus();
}

constexpr char kPartnersSql[] =
    "select owner_id, owner_id from partner where owner_id > $1::text order by owner_id "
    "limit $2::int";

absl::StatusOr<v1::ListPartnersResponse> ListPartners(QueryCall& call,
                                                      const v1::ListPartnersRequest& request) {
  const auto page = ReadPage(call, request, kPartnersSql, {}, {""});
  if (!page.ok()) return page.status();
  v1::ListPartnersResponse response;
  if (auto loaded = LoadAll(call, *page, *response.mutable_partners()); !loaded.ok()) return loaded;
  response.set_next_page_token(page->next_page_token);
  return response;
}

constexpr char kAgreementsSql[] =
    "select owner_id, agreement_id, agreement_version from agreement "
    "where ($1::text is null or partner_id = $1) "
    "and (agreement_id, agreement_version) > ($2::text, $3::int) "
    "order by agreement_id, agreement_version limit $4::int";

absl::StatusOr<v1::ListAgreementsResponse> ListAgreements(
    QueryCall& call, const v1::ListAgreementsRequest& request) {
  const auto page =
      ReadPage(call, request, kAgreementsSql, {OrNull(request.partner_id())}, {"", "0"});
  if (!page.ok()) return page.status();
  v1::ListAgreementsResponse response;
  if (auto loaded = LoadAll(call, *page, *response.mutable_agreements()); !loaded.ok()) {
    return loaded;
  }
  response.set_next_page_token(page->next_page_token);
  return response;
}

constexpr char kErasuresSql[] =
    "select owner_id, asked_time, owner_id from erasure "
    "where ($1::text is null or partner_id = $1) and ($2::text is null or case_id = $2) "
    "and ($3::int is null or erasure_state = $3) "
    "and (asked_time, owner_id) < ($4::timestamptz, $5::text) "
    "order by asked_time desc, owner_id desc limit $6::int";

absl::StatusOr<v1::ListErasuresResponse> ListErasures(QueryCall& call,
                                                      const v1::ListErasuresRequest& request) {
  const auto page = ReadPage(call, request, kErasuresSql,
                             {OrNull(request.partner_id()), OrNull(request.case_id()),
                              OrNull(static_cast<int>(request.state()))},
                             {"infinity", ""});
  if (!page.ok()) return page.status();
  v1::ListErasuresResponse response;
  if (auto loaded = LoadAll(call, *page, *response.mutable_erasures()); !loaded.ok()) return loaded;
  response.set_next_page_token(page->next_page_token);
  return response;
}

constexpr char kRefusalsSql[] =
    "select owner_id, last_time, owner_id from refusal "
    "where ($1::text is null or partner_id = $1) "
    "and (last_time, owner_id) < ($2::timestamptz, $3::text) "
    "order by last_time desc, owner_id desc limit $4::int";

absl::StatusOr<v1::ListRefusalsResponse> ListRefusals(QueryCall& call,
                                                      const v1::ListRefusalsRequest& request) {
  const auto page =
      ReadPage(call, request, kRefusalsSql, {OrNull(request.partner_id())}, {"infinity", ""});
  if (!page.ok()) return page.status();
  v1::ListRefusalsResponse response;
  if (auto loaded = LoadAll(call, *page, *response.mutable_refusals()); !loaded.ok()) return loaded;
  for (const auto& refusal : response.refusals()) {
    if (const std::string id = CaseIn(refusal.subject()); !id.empty()) call.RecordRead(id);
  }
  response.set_next_page_token(page->next_page_token);
  return response;
}

constexpr char kReceivedSql[] =
    "select sender, sequence, type, event_time, received_time, hash, owner_id from received_update "
    "where subject_id = $1::text "
    "and (received_time, owner_id, sequence) > ($2::timestamptz, $3::text, $4::bigint) "
    "order by received_time, owner_id, sequence limit $5::int";

absl::StatusOr<v1::ListReceivedResponse> ListReceived(QueryCall& call,
                                                      const v1::ListReceivedRequest& request) {
  const std::string query = rpc::QueryOf(request);
  const auto key = rpc::ReadPageToken(call, query, request.page_token(), {"-infinity", "", "0"});
  if (!key.ok()) return key.status();
  const int size = rpc::PageSize(request.page_size());
  const auto rows = call.Sql(
      kReceivedSql, {request.case_id(), (*key)[0], (*key)[1], (*key)[2], absl::StrCat(size + 1)});
  if (!rows.ok()) return rows.status();
  v1::ListReceivedResponse response;
  for (int i = 0; i < std::min(rows->rows(), size); ++i) {
    v1::ReceivedUpdate& update = *response.add_updates();
    update.set_sender(TextAt(*rows, i, 0));
    update.set_sequence(rows->integer(i, 1));
    update.set_type(TextAt(*rows, i, 2));
    *update.mutable_event_time() = TimeAt(*rows, i, 3);
    *update.mutable_received_time() = TimeAt(*rows, i, 4);
    update.set_hash(rows->bytes(i, 5));
  }
  call.RecordRead(request.case_id());
  if (rows->rows() > size) {
    response.set_next_page_token(rpc::MakePageToken(
        call, query,
        {TextAt(*rows, size - 1, 4), TextAt(*rows, size - 1, 6), TextAt(*rows, size - 1, 1)}));
  }
  return response;
}

// ---- Health ---------------------------------------------------------------------------------------------------------

// A feed's version is the number of its messages; ';' follows ':', so the two ends take in exactly the ids that begin
// with the partner's code and a colon. The relay counts what it has published to a topic, repeats included.
constexpr char kHealthSql[] = R"(
select
  (select coalesce(sum(version), 0) from aggregate
   where type = 'Feed' and id > $1::text || ':' and id < $1::text || ';')::bigint,
  (select coalesce(sum(published), 0) from relay_topic where topic = $2::text)::bigint,
  (select count(*) from received_update where sender = $1::text)::bigint,
  (select max(received_time) from received_update where sender = $1::text),
  (select coalesce(sum(times), 0) from refusal where partner_id = $1::text)::bigint,
  (select count(*) from received_update where sender = $1::text and type = $3::text)::bigint,
  (select count(*) from erasure where partner_id = $1::text and erasure_state <> $4::int)::bigint)";

absl::StatusOr<v1::PartnerHealth> GetPartnerHealth(QueryCall& call,
                                                   const v1::GetPartnerHealthRequest& request,
                                                   const QueryAccess& access) {
  const auto partner = call.Load<v1::Partner>(request.partner_id());
  if (!partner.ok()) return partner.status();
  const auto rows = call.Sql(kHealthSql, {request.partner_id(), FeedTopicOf(request.partner_id()),
                                          v1::FeedRefused::descriptor()->full_name(),
                                          absl::StrCat(static_cast<int>(v1::ERASURE_STATE_DONE))});
  if (!rows.ok()) return rows.status();
  v1::PartnerHealth health;
  health.set_partner_id(partner->id());
  health.set_state(partner->state());
  health.set_sent(rows->integer(0, 0));
  health.set_published(std::min(rows->integer(0, 0), rows->integer(0, 1)));
  health.set_unread(-1);
  health.set_received(rows->integer(0, 2));
  health.set_receive_lag(-1);
  if (!rows->null(0, 3)) *health.mutable_last_received_time() = TimeAt(*rows, 0, 3);
  health.set_refused_here(rows->integer(0, 4));
  health.set_refused_there(rows->integer(0, 5));
  health.set_erasures_unanswered(rows->integer(0, 6));
  for (HealthSource* source : access.health()) source->Fill(*partner, call.deadline(), health);
  return health;
}

}  // namespace

void BindQueries(rpc::Queries& queries, const QueryAccess& access) {
  queries.On<v1::GetOwnIdentityRequest, v1::OwnIdentity>(
      [access](QueryCall& /*call*/,
               const v1::GetOwnIdentityRequest& /*request*/) -> absl::StatusOr<v1::OwnIdentity> {
        return IdentityOf(access);
      });
  queries.On<v1::GetPartnerRequest, v1::Partner>(
      [](QueryCall& call, const v1::GetPartnerRequest& request) {
        return call.Load<v1::Partner>(request.partner_id());
      });
  queries.On<v1::ListPartnersRequest, v1::ListPartnersResponse>(ListPartners);
  queries.On<v1::GetAgreementRequest, v1::SharingAgreement>(
      [](QueryCall& call, const v1::GetAgreementRequest& request) {
        return call.Load<v1::SharingAgreement>(request.id());
      });
  queries.On<v1::ListAgreementsRequest, v1::ListAgreementsResponse>(ListAgreements);
  queries.On<v1::ListErasuresRequest, v1::ListErasuresResponse>(ListErasures);
  queries.On<v1::ListRefusalsRequest, v1::ListRefusalsResponse>(ListRefusals);
  queries.On<v1::ListReceivedRequest, v1::ListReceivedResponse>(ListReceived);
  queries.On<v1::GetPartnerHealthRequest, v1::PartnerHealth>(
      [access](QueryCall& call, const v1::GetPartnerHealthRequest& request) {
        return GetPartnerHealth(call, request, access);
      });
}

}  // namespace sankofa::exchange
