#include "services/registration/queries.h"

#include <algorithm>
#include <limits>
#include <set>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "sankofa/common/v1/common_reason.pb.h"
#include "sankofa/registration/v1/registration_reason.pb.h"
#include "sankofa/registration/v1/registration_service.pb.h"
#include "services/platform/status/refuse.h"
#include "services/platform/time/time.h"
#include "services/registration/case/consent.h"
#include "services/registration/case/disclosure.h"
#include "services/registration/case/eligibility.h"
#include "services/registration/organisation.h"
#include "services/registration/page.h"
#include "services/registration/person/age.h"
#include "services/registration/person/names.h"
#include "services/registration/person/view.h"

namespace sankofa::registration {
namespace {

using postgres::Result;
using rpc::QueryCall;
using status::Refuse;
using status::RefuseField;

Blind BlindOf(const QueryCall& call) {
  return [&call](std::string_view label, std::string_view text) { return call.Blind(label, text); };
}

std::string Text(const Result& rows, int row, int column) {
  return std::string(rows.text(row, column));
}

google::protobuf::Timestamp Time(const Result& rows, int row, int column) {
  return time::ToTimestamp(absl::FromUnixMicros(rows.integer(row, column)));
}

// --- Person ---

absl::StatusOr<v1::Person> GetPerson(QueryCall& call, const v1::GetPersonRequest& request) {
  auto person =
      call.LoadPersonal<v1::Person>(request.person_id(), v1::ReadPurpose_Name(request.purpose()));
  if (!person.ok()) return person.status();
  return ViewFor(call.actor(), *std::move(person));
}

// The hashes that a person must have, all of them.
std::set<std::string> Wanted(const QueryCall& call, const v1::SearchPersonsRequest& request) {
  const Blind blind = BlindOf(call);
  std::set<std::string> wanted;
  for (auto& token : NameTokens(request.name(), blind)) wanted.insert(std::move(token));
  if (request.has_document()) wanted.insert(DocumentHash(request.document(), blind));
  return wanted;
}

absl::StatusOr<v1::SearchPersonsResponse> SearchPersons(QueryCall& call,
                                                        const v1::SearchPersonsRequest& request) {
  const std::set<std::string> wanted = Wanted(call, request);
  if (wanted.empty()) return RefuseField(v1::REASON_SEARCH_EMPTY, "name");
  PageQuery query(call, "persons");
  query.Where("value = any($::text[])",
              postgres::ArrayLiteral(std::vector<std::string>(wanted.begin(), wanted.end())));
  query.Where("kind = any($::text[])", "{name,document}");
  const auto page =
      query.Run("select owner_id from person_key",
                {.columns = {"owner_id"},
                 .types = {"text"},
                 .group = absl::StrCat("group by owner_id having count(*) = ", wanted.size())},
                request.page_token(), request.page_size());
  if (!page.ok()) return page.status();
  v1::SearchPersonsResponse response;
  for (int row = 0; row < page->shown; ++row) {
    auto person = call.LoadPersonal<v1::Person>(Text(page->rows, row, 0),
                                                v1::ReadPurpose_Name(request.purpose()));
    if (!person.ok()) return person.status();
    *response.add_persons() = ViewInList(*std::move(person));
  }
  response.set_next_page_token(page->next_page_token);
  return response;
}

// --- Case ---

absl::StatusOr<v1::Case> GetCase(QueryCall& call, const v1::GetCaseRequest& request) {
  return call.Load<v1::Case>(request.case_id());
}

absl::StatusOr<v1::Case> GetCaseFile(QueryCall& call, const v1::GetCaseFileRequest& request) {
  return call.LoadPersonal<v1::Case>(request.case_id(), v1::ReadPurpose_Name(request.purpose()));
}

std::int64_t MicrosAtStartOf(absl::CivilDay day) {
  return absl::ToUnixMicros(absl::FromCivil(day, absl::UTCTimeZone()));
}

// Upper case; empty where it can't be the beginning of a reference.
std::string AsReference(const std::string& given) {
  std::string reference = absl::AsciiStrToUpper(given);
  const bool possible = std::all_of(reference.begin(), reference.end(), [](unsigned char letter) {
    return absl::ascii_isalnum(letter) || letter == '-';
  });
  return possible ? reference : std::string();
}

absl::StatusOr<v1::ListCasesResponse> ListCases(QueryCall& call,
                                                const v1::ListCasesRequest& request) {
  PageQuery query(call, "cases");
  if (!request.states().empty()) {
    query.Where("state = any($::int[])",
                absl::StrCat("{", absl::StrJoin(request.states(), ","), "}"));
  }
  if (!request.programme().empty()) query.Where("programme = $", request.programme());
  if (!request.reference().empty()) {
    const std::string reference = AsReference(request.reference());
    if (reference.empty()) return v1::ListCasesResponse();
    query.Where("reference >= $", reference);
    query.Where("reference < $", reference + "~");  // after every letter and digit
  }
  const std::string& from = request.registered_from();
  const std::string& until = request.registered_until();
  if (!from.empty() && !until.empty() && until < from) {
    return RefuseField(v1::REASON_DATE_RANGE, "registered_until");
  }
  if (!from.empty()) {
    query.Where("registered_us >= $::bigint", absl::StrCat(MicrosAtStartOf(Day(from))));
  }
  if (!until.empty()) {
    query.Where("registered_us < $::bigint", absl::StrCat(MicrosAtStartOf(Day(until) + 1)));
  }
  const auto page = query.Run(
      "select registered_us, owner_id, reference, state, person_id, programme, origin_country,"
      " host_country, return_type, responsible_organisation, arrival_date from case_list",
      {.columns = {"registered_us", "owner_id"}, .types = {"bigint", "text"}, .descending = true},
      request.page_token(), request.page_size());
  if (!page.ok()) return page.status();
  v1::ListCasesResponse response;
  for (int row = 0; row < page->shown; ++row) {
    auto& shown = *response.add_cases();
    *shown.mutable_registered_time() = Time(page->rows, row, 0);
    shown.set_case_id(Text(page->rows, row, 1));
    shown.set_reference(Text(page->rows, row, 2));
    shown.set_state(static_cast<v1::CaseState>(page->rows.integer(row, 3)));
    shown.set_person_id(Text(page->rows, row, 4));
    shown.set_programme(Text(page->rows, row, 5));
    shown.set_origin_country(Text(page->rows, row, 6));
    shown.set_host_country(Text(page->rows, row, 7));
    shown.set_return_type(static_cast<v1::ReturnType>(page->rows.integer(row, 8)));
    shown.set_responsible_organisation(Text(page->rows, row, 9));
    shown.set_arrival_date(Text(page->rows, row, 10));
    call.RecordRead(shown.case_id());
  }
  response.set_next_page_token(page->next_page_token);
  return response;
}

// What the partner is asked for, and why: of the referrals to it that are under way.
absl::Status AddReferrals(QueryCall& call, const v1::GetDisclosureRequest& request,
                          const std::string& purpose, v1::Disclosure& disclosure) {
  const auto rows = call.Sql(
      "select owner_id from referral_list where case_id = $1 and to_organisation = $2"
      " and state = any($3::int[]) order by sent_us, owner_id limit 50",
      {request.case_id(), request.partner(),
       absl::StrCat("{", v1::REFERRAL_STATE_IN_PROGRESS, ",", v1::REFERRAL_STATE_ACCEPTED, "}")});
  if (!rows.ok()) return rows.status();
  for (int row = 0; row < rows->rows(); ++row) {
    const auto referral = call.LoadPersonal<v1::Referral>(Text(*rows, row, 0), purpose);
    if (!referral.ok()) return referral.status();
    auto& shown = *disclosure.add_referrals();
    shown.set_id(referral->id());
    shown.set_case_id(referral->case_id());
    shown.set_need(referral->need());
    shown.set_reason(referral->reason());
  }
  return absl::OkStatus();
}

// Nothing personal is read before it is clear that somebody agreed to something.
absl::StatusOr<v1::Disclosure> GetDisclosure(QueryCall& call,
                                             const v1::GetDisclosureRequest& request) {
  const absl::CivilDay today = time::DayOf(call.now());
  auto of = call.Load<v1::Case>(request.case_id());
  if (!of.ok()) return of.status();
  if (of->erased()) return Refuse(v1::REASON_CASE_ERASED);
  if (Covering(*of, v1::Person(), request.partner(), request.purpose(), today).empty()) {
    return Refuse(v1::REASON_NO_VALID_CONSENT);
  }
  const std::string purpose = absl::StrCat("disclosure to ", request.partner(), ": ",
                                           v1::ConsentPurpose_Name(request.purpose()));
  of = call.LoadPersonal<v1::Case>(request.case_id(), purpose);
  if (!of.ok()) return of.status();
  auto person = call.LoadPersonal<v1::Person>(of->person_id(), purpose);
  if (!person.ok()) return person.status();
  auto disclosure = Disclose(request, *of, *person, today);
  if (!disclosure.ok() || !CoversReferrals(*disclosure)) return disclosure;
  if (auto added = AddReferrals(call, request, purpose, *disclosure); !added.ok()) return added;
  return disclosure;
}

// A suspicion counts from the moment that either side carries it.
absl::StatusOr<bool> DuplicateOpen(QueryCall& call, const std::string& person_id) {
  auto rows = call.Sql(
      "select exists (select from person_key where kind = 'suspicion'"
      " and (owner_id = $1 or value = $1))::int",
      {person_id});
  if (!rows.ok()) return rows.status();
  return rows->integer(0, 0) != 0;
}

absl::StatusOr<v1::CheckEligibilityResponse> CheckEligibility(
    QueryCall& call, const v1::CheckEligibilityRequest& request) {
  const absl::CivilDay on =
      request.on_date().empty() ? time::DayOf(call.now()) : Day(request.on_date());
  auto of = call.Load<v1::Case>(request.case_id());
  if (!of.ok()) return of.status();
  if (of->erased()) return Eligibility(*of, v1::Person(), /*duplicate_open=*/false, on);
  auto person = call.LoadPersonal<v1::Person>(of->person_id(), "eligibility");
  if (!person.ok()) return person.status();
  const auto duplicate_open = DuplicateOpen(call, of->person_id());
  if (!duplicate_open.ok()) return duplicate_open.status();
  return Eligibility(*of, *person, *duplicate_open, on);
}

// --- Referral and centre ---

absl::StatusOr<v1::Referral> GetReferral(QueryCall& call, const v1::GetReferralRequest& request) {
  auto referral = call.Load<v1::Referral>(request.referral_id());
  if (!referral.ok()) return referral.status();
  const auto& roles = call.actor().roles;
  const std::string& organisation = OrganisationOf(call.actor());
  const bool concerned =
      organisation == referral->from_organisation() ||
      organisation == referral->to_organisation() || !referral->source_node().empty() ||
      std::find(roles.begin(), roles.end(), "data_protection_officer") != roles.end();
  if (!concerned) return Refuse(common::v1::REASON_NOT_ALLOWED);
  return call.LoadPersonal<v1::Referral>(request.referral_id(),
                                         v1::ReadPurpose_Name(request.purpose()));
}

absl::StatusOr<v1::ListReferralsResponse> ListReferrals(QueryCall& call,
                                                        const v1::ListReferralsRequest& request) {
  PageQuery query(call, "referrals");
  query.Where(request.received() ? "to_organisation = $" : "from_organisation = $",
              OrganisationOf(call.actor()));
  if (request.state() != v1::REFERRAL_STATE_UNSPECIFIED) {
    query.Where("state = $::int", absl::StrCat(static_cast<int>(request.state())));
  }
  const auto page = query.Run(
      "select sent_us, owner_id, case_id, state, from_organisation, to_organisation, due_us"
      " from referral_list",
      {.columns = {"sent_us", "owner_id"}, .types = {"bigint", "text"}, .descending = true},
      request.page_token(), request.page_size());
  if (!page.ok()) return page.status();
  v1::ListReferralsResponse response;
  for (int row = 0; row < page->shown; ++row) {
    auto& shown = *response.add_referrals();
    *shown.mutable_sent_time() = Time(page->rows, row, 0);
    shown.set_referral_id(Text(page->rows, row, 1));
    shown.set_case_id(Text(page->rows, row, 2));
    shown.set_state(static_cast<v1::ReferralState>(page->rows.integer(row, 3)));
    shown.set_from_organisation(Text(page->rows, row, 4));
    shown.set_to_organisation(Text(page->rows, row, 5));
    *shown.mutable_answer_due_time() = Time(page->rows, row, 6);
    call.RecordRead(shown.case_id());
  }
  response.set_next_page_token(page->next_page_token);
  return response;
}

// --- Hand-over ---

absl::StatusOr<v1::HandOver> GetHandOver(QueryCall& call, const v1::GetHandOverRequest& request) {
  auto hand_over = call.Load<v1::HandOver>(request.hand_over_id());
  if (hand_over.ok()) call.RecordRead(hand_over->case_id());
  return hand_over;
}

absl::StatusOr<v1::ListHandOversResponse> ListHandOvers(QueryCall& call,
                                                        const v1::ListHandOversRequest& request) {
  PageQuery query(call, "hand-overs");
  if (!request.case_id().empty()) query.Where("case_id = $", request.case_id());
  if (request.state() != v1::HAND_OVER_STATE_UNSPECIFIED) {
    query.Where("state = $::int", absl::StrCat(static_cast<int>(request.state())));
  }
  const auto page = query.Run(
      "select offered_us, owner_id, case_id, state, from_node, to_node, due_us"
      " from hand_over_list",
      {.columns = {"offered_us", "owner_id"}, .types = {"bigint", "text"}, .descending = true},
      request.page_token(), request.page_size());
  if (!page.ok()) return page.status();
  v1::ListHandOversResponse response;
  for (int row = 0; row < page->shown; ++row) {
    auto& shown = *response.add_hand_overs();
    *shown.mutable_offered_time() = Time(page->rows, row, 0);
    shown.set_hand_over_id(Text(page->rows, row, 1));
    shown.set_case_id(Text(page->rows, row, 2));
    shown.set_state(static_cast<v1::HandOverState>(page->rows.integer(row, 3)));
    shown.set_from_node(Text(page->rows, row, 4));
    shown.set_to_node(Text(page->rows, row, 5));
    *shown.mutable_answer_due_time() = Time(page->rows, row, 6);
    call.RecordRead(shown.case_id());
  }
  response.set_next_page_token(page->next_page_token);
  return response;
}

absl::StatusOr<v1::Centre> GetCentre(QueryCall& call, const v1::GetCentreRequest& request) {
  auto centre = call.Load<v1::Centre>(request.centre());
  if (!centre.ok()) return centre.status();
  for (const v1::Stay& stay : centre->stays()) call.RecordRead(stay.case_id());
  return centre;
}

absl::StatusOr<v1::ListCentresResponse> ListCentres(QueryCall& call,
                                                    const v1::ListCentresRequest& request) {
  PageQuery query(call, "centres");
  if (!request.country().empty()) query.Where("country = $", request.country());
  const auto page = query.Run("select owner_id, name, country, places, occupied from centre_list",
                              {.columns = {"owner_id"}, .types = {"text"}}, request.page_token(),
                              request.page_size());
  if (!page.ok()) return page.status();
  v1::ListCentresResponse response;
  for (int row = 0; row < page->shown; ++row) {
    auto& shown = *response.add_centres();
    shown.set_centre(Text(page->rows, row, 0));
    shown.set_name(Text(page->rows, row, 1));
    shown.set_country(Text(page->rows, row, 2));
    shown.set_places(static_cast<int>(page->rows.integer(row, 3)));
    shown.set_occupied(static_cast<int>(page->rows.integer(row, 4)));
  }
  response.set_next_page_token(page->next_page_token);
  return response;
}

}  // namespace

void BindQueries(rpc::Queries& queries) {
  queries.On<v1::GetPersonRequest, v1::Person>(GetPerson);
  queries.On<v1::SearchPersonsRequest, v1::SearchPersonsResponse>(SearchPersons);
  queries.On<v1::GetCaseRequest, v1::Case>(GetCase);
  queries.On<v1::GetCaseFileRequest, v1::Case>(GetCaseFile);
  queries.On<v1::ListCasesRequest, v1::ListCasesResponse>(ListCases);
  queries.On<v1::GetDisclosureRequest, v1::Disclosure>(GetDisclosure);
  queries.On<v1::CheckEligibilityRequest, v1::CheckEligibilityResponse>(CheckEligibility);
  queries.On<v1::GetReferralRequest, v1::Referral>(GetReferral);
  queries.On<v1::ListReferralsRequest, v1::ListReferralsResponse>(ListReferrals);
  queries.On<v1::GetHandOverRequest, v1::HandOver>(GetHandOver);
  queries.On<v1::ListHandOversRequest, v1::ListHandOversResponse>(ListHandOvers);
  queries.On<v1::GetCentreRequest, v1::Centre>(GetCentre);
  queries.On<v1::ListCentresRequest, v1::ListCentresResponse>(ListCentres);
}

}  // namespace sankofa::registration
