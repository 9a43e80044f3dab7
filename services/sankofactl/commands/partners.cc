#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "sankofa/exchange/v1/exchange_service.pb.h"
#include "services/platform/time/time.h"
#include "services/sankofactl/commands/commands.h"
#include "services/sankofactl/output/enum_name.h"
#include "services/sankofactl/output/failure.h"
#include "services/sankofactl/output/json.h"
#include "services/sankofactl/output/table.h"

// `partners`, `agreements`, `refusals`, `erasures`, `digests`, `received`: what goes to and comes from partners. What
// changes something (RegisterPartner, SuspendPartner …) is called by `call`.
namespace sankofa::ctl {
namespace {

namespace exch = exchange::v1;

constexpr int kPage = 100;
constexpr absl::Duration kLongPatience = absl::Seconds(50);
constexpr std::size_t kHashDigitsShown = 12;

struct PartnerArguments {
  std::string partner;
  std::string case_id;
  std::string state;
};

std::string PathOfExchange(const char* method) {
  return absl::StrCat("sankofa.exchange.v1.ExchangeService/", method);
}

std::string When(bool known, const google::protobuf::Timestamp& time) {
  return known ? Moment(time::FromTimestamp(time)) : std::string();
}

// "-1" where the node could not find out.
std::string CountOf(std::int64_t count) { return count < 0 ? "?" : absl::StrCat(count); }

// Asks for all pages, and shows each entry as it comes: as a line of JSON, or as a row at the end.
template <class Response, class Request, class Entry>
int List(Session& session, const char* method, Request request,
         const google::protobuf::RepeatedPtrField<Entry>& (Response::*entries)() const,
         std::vector<std::string> head,
         const std::function<std::vector<std::string>(const Entry&)>& row) {
  Table table(std::move(head));
  request.set_page_size(kPage);
  do {
    Response response;
    const auto called = session.Call("exchange", PathOfExchange(method), request, response);
    if (!called.ok()) return session.Fail(called);
    for (const Entry& entry : (response.*entries)()) {
      if (!session.json()) {
        table.Add(row(entry));
        continue;
      }
      const auto json = ToJson(entry);
      if (!json.ok()) return session.Fail(json.status());
      session.out() << json->Line() << "\n";
    }
    request.set_page_token(response.next_page_token());
  } while (!request.page_token().empty());
  if (!session.json() && !table.empty()) session.out() << table.ToString();
  return kOk;
}

// ---- Partners -------------------------------------------------------------------------------------------------------

std::vector<std::string> PartnerRow(const exch::Partner& partner) {
  std::vector<std::string> keys;
  for (const auto& key : partner.keys()) keys.push_back(key.key_id());
  return {partner.id(),
          partner.name(),
          partner.country(),
          EnumName(partner.kind()),
          EnumName(partner.state()),
          partner.certificate_identity(),
          absl::StrJoin(keys, " ")};
}

int RunPartners(Session& session) {
  return List<exch::ListPartnersResponse, exch::ListPartnersRequest, exch::Partner>(
      session, "ListPartners", {}, &exch::ListPartnersResponse::partners,
      {"code", "name", "country", "kind", "state", "certificate", "keys"}, PartnerRow);
}

std::vector<std::string> HealthRow(const exch::PartnerHealth& health) {
  return {health.partner_id(),
          EnumName(health.state()),
          absl::StrCat(health.published(), "/", health.sent()),
          CountOf(health.unread()),
          When(health.has_last_read_time(), health.last_read_time()),
          CountOf(health.received()),
          CountOf(health.receive_lag()),
          When(health.has_last_received_time(), health.last_received_time()),
          CountOf(health.refused_here()),
          CountOf(health.refused_there()),
          CountOf(health.erasures_unanswered()),
          health.trouble()};
}

// The partner named, or all.
absl::StatusOr<std::vector<std::string>> PartnerCodes(Session& session,
                                                      const std::string& partner) {
  if (!partner.empty()) return std::vector<std::string>{partner};
  std::vector<std::string> codes;
  exch::ListPartnersRequest request;
  request.set_page_size(kPage);
  do {
    exch::ListPartnersResponse response;
    auto called = session.Call("exchange", PathOfExchange("ListPartners"), request, response);
    if (!called.ok()) return called;
    for (const auto& one : response.partners()) codes.push_back(one.id());
    request.set_page_token(response.next_page_token());
  } while (!request.page_token().empty());
  return codes;
}

// Fails where something is in the way of one of them.
int RunHealth(Session& session, const std::string& partner) {
  const auto codes = PartnerCodes(session, partner);
  if (!codes.ok()) return session.Fail(codes.status());
  int exit_code = kOk;
  Table table({"partner", "state", "published", "unread", "read last", "received", "behind",
               "received last", "refused here", "refused there", "erasures open", "in the way"});
  for (const std::string& code : *codes) {
    exch::GetPartnerHealthRequest request;
    request.set_partner_id(code);
    exch::PartnerHealth health;
    const auto called = session.Call("exchange", PathOfExchange("GetPartnerHealth"), request,
                                     health, kLongPatience);
    if (!called.ok()) {
      exit_code = session.Fail(called, absl::StrCat("health of ", code));
      continue;
    }
    if (!health.trouble().empty()) exit_code = kFailed;
    table.Add(HealthRow(health));
    if (!session.json()) continue;
    const auto json = ToJson(health);
    if (!json.ok()) return session.Fail(json.status());
    session.out() << json->Line() << "\n";
  }
  if (!session.json() && !table.empty()) session.out() << table.ToString();
  return exit_code;
}

// ---- Agreements -----------------------------------------------------------------------------------------------------

// "REINTEGRATION_FOLLOW_UP: 12 types, 3 fields".
std::string SharesOf(const google::protobuf::RepeatedPtrField<exch::Share>& shares) {
  std::vector<std::string> parts;
  for (const exch::Share& share : shares) {
    const std::string purpose = EnumName(share.purpose());
    parts.push_back(absl::StrCat(purpose.empty() ? "statistics" : purpose, ": ",
                                 share.event_types_size(), " types, ", share.fields_size(),
                                 " fields"));
  }
  return absl::StrJoin(parts, "; ");
}

std::vector<std::string> AgreementRow(const exch::SharingAgreement& agreement) {
  const exch::AgreementTerms& terms = agreement.terms();
  std::vector<std::string> signers;
  for (const auto& signature : agreement.signatures()) signers.push_back(signature.node());
  const std::string until =
      agreement.end_date().empty() ? terms.until_date() : agreement.end_date();
  return {agreement.id(),
          agreement.partner_id(),
          EnumName(agreement.state()),
          absl::StrCat(terms.from_date(), " to ", until),
          absl::StrJoin(signers, ", "),
          absl::StrCat(terms.proposer(), " shares ", SharesOf(terms.proposer_shares())),
          absl::StrCat(terms.counterpart(), " shares ", SharesOf(terms.counterpart_shares()))};
}

int RunAgreements(Session& session, const std::string& partner) {
  exch::ListAgreementsRequest request;
  request.set_partner_id(partner);
  return List<exch::ListAgreementsResponse, exch::ListAgreementsRequest, exch::SharingAgreement>(
      session, "ListAgreements", request, &exch::ListAgreementsResponse::agreements,
      {"agreement", "partner", "state", "holds", "signed by", "one side", "the other"},
      AgreementRow);
}

// ---- What went wrong, and what has to go ----------------------------------------------------------------------------

int RunRefusals(Session& session, const std::string& partner) {
  exch::ListRefusalsRequest request;
  request.set_partner_id(partner);
  return List<exch::ListRefusalsResponse, exch::ListRefusalsRequest, exch::Evidence>(
      session, "ListRefusals", request, &exch::ListRefusalsResponse::refusals,
      {"last", "partner", "subject", "number", "because", "times", "evidence", "detail"},
      [](const exch::Evidence& one) -> std::vector<std::string> {
        return {When(one.has_last_time(), one.last_time()),
                one.partner_id(),
                one.subject(),
                absl::StrCat(one.sequence()),
                one.reason(),
                absl::StrCat(one.times()),
                one.id().substr(0, kHashDigitsShown),
                one.detail()};
      });
}

int RunErasures(Session& session, const PartnerArguments& arguments) {
  exch::ListErasuresRequest request;
  request.set_partner_id(arguments.partner);
  request.set_case_id(arguments.case_id);
  if (!arguments.state.empty()) {
    exch::ErasureState state = exch::ERASURE_STATE_UNSPECIFIED;
    (void)exch::ErasureState_Parse(absl::StrCat("ERASURE_STATE_", arguments.state), &state);
    request.set_state(state);
  }
  return List<exch::ListErasuresResponse, exch::ListErasuresRequest, exch::Erasure>(
      session, "ListErasures", request, &exch::ListErasuresResponse::erasures,
      {"case", "partner", "state", "asked", "due", "erased there", "answered", "purposes"},
      [](const exch::Erasure& one) -> std::vector<std::string> {
        std::vector<std::string> purposes;
        for (const int purpose : one.purposes()) {
          purposes.push_back(EnumName(static_cast<registration::v1::ConsentPurpose>(purpose)));
        }
        return {one.case_id(),
                one.partner_id(),
                EnumName(one.state()),
                When(one.has_asked_time(), one.asked_time()),
                When(one.has_due_time(), one.due_time()),
                When(one.has_erased_time(), one.erased_time()),
                When(one.has_answered_time(), one.answered_time()),
                purposes.empty() ? "all" : absl::StrJoin(purposes, ", ")};
      });
}

// ---- Digests --------------------------------------------------------------------------------------------------------

int RunCompare(Session& session, const std::string& partner) {
  exch::CompareDigestsRequest request;
  request.set_partner_id(partner);
  exch::DigestComparison comparison;
  const auto called = session.Call("exchange", PathOfExchange("CompareDigests"), request,
                                   comparison, kLongPatience);
  if (!called.ok()) return session.Fail(called);
  if (session.json()) {
    const auto json = ToJson(comparison);
    if (!json.ok()) return session.Fail(json.status());
    session.out() << json->Line() << "\n";
    return comparison.equal() ? kOk : kFailed;
  }
  if (comparison.equal()) {
    session.out() << "digests equal with " << Printable(partner) << ": " << comparison.subjects()
                  << " subjects, both ways\n";
    return kOk;
  }
  session.out() << "digests differ with " << Printable(partner) << ": "
                << comparison.differences_size() << " of " << comparison.subjects()
                << " subjects\n";
  Table table({"subject", "sender", "sent", "received", "difference"});
  for (const exch::DigestDifference& one : comparison.differences()) {
    table.Add({one.subject(), one.sender(), absl::StrCat(one.sent_sequence()),
               absl::StrCat(one.received_sequence()),
               one.content() ? "another content" : "not as far"});
  }
  session.out() << table.ToString();
  return kFailed;
}

int RunReceived(Session& session, const std::string& case_id) {
  exch::ListReceivedRequest request;
  request.set_case_id(case_id);
  return List<exch::ListReceivedResponse, exch::ListReceivedRequest, exch::ReceivedUpdate>(
      session, "ListReceived", request, &exch::ListReceivedResponse::updates,
      {"happened", "owner", "number", "what", "received", "hash"},
      [](const exch::ReceivedUpdate& one) -> std::vector<std::string> {
        return {When(one.has_event_time(), one.event_time()),
                one.sender(),
                absl::StrCat(one.sequence()),
                ShortName(one.type()),
                When(one.has_received_time(), one.received_time()),
                absl::BytesToHexString(one.hash()).substr(0, kHashDigitsShown)};
      });
}

using Run = std::function<int(Session&, const PartnerArguments&)>;

void Bind(CLI::App& command, Session& session, const std::shared_ptr<PartnerArguments>& arguments,
          const Run& run) {
  command.callback([&session, arguments, run] {
    session.run = [&session, arguments, run] { return run(session, *arguments); };
  });
}

}  // namespace

void AddPartners(CLI::App& app, Session& session) {
  auto arguments = std::make_shared<PartnerArguments>();
  auto* partners = app.add_subcommand("partners", "Who this node exchanges case updates with");
  partners->require_subcommand(1);
  Bind(*partners->add_subcommand("list", "The partners"), session, arguments,
       [](Session& s, const PartnerArguments& /*a*/) { return RunPartners(s); });
  auto* health = partners->add_subcommand("health", "What is sent, read, received, refused, open");
  health->add_option("partner", arguments->partner, "Only this one");
  Bind(*health, session, arguments,
       [](Session& s, const PartnerArguments& a) { return RunHealth(s, a.partner); });

  auto* agreements = app.add_subcommand("agreements", "What is shared with partners, and for what");
  Bind(*agreements, session, arguments,
       [](Session& s, const PartnerArguments& a) { return RunAgreements(s, a.partner); });
  auto* refusals = app.add_subcommand("refusals", "Messages of partners that were refused here");
  Bind(*refusals, session, arguments,
       [](Session& s, const PartnerArguments& a) { return RunRefusals(s, a.partner); });
  auto* erasures = app.add_subcommand("erasures", "Who was asked to erase, and who answered");
  erasures->add_option("--case", arguments->case_id, "Only of this case");
  erasures->add_option("--state", arguments->state, "Only in this state")
      ->check(CLI::IsMember({"ASKED", "DONE", "OVERDUE"}));
  Bind(*erasures, session, arguments,
       [](Session& s, const PartnerArguments& a) { return RunErasures(s, a); });
  for (auto* command : {agreements, refusals, erasures}) {
    command->add_option("--partner", arguments->partner, "Only of this partner");
  }

  auto* digests = app.add_subcommand("digests", "Do two nodes have the same?");
  digests->require_subcommand(1);
  auto* compare = digests->add_subcommand("compare", "With a partner, both ways");
  compare->add_option("partner", arguments->partner, "The partner's code")->required();
  Bind(*compare, session, arguments,
       [](Session& s, const PartnerArguments& a) { return RunCompare(s, a.partner); });

  auto* received = app.add_subcommand("received", "What partners said about a case");
  received->add_option("case_id", arguments->case_id, "The case's id")->required();
  Bind(*received, session, arguments,
       [](Session& s, const PartnerArguments& a) { return RunReceived(s, a.case_id); });
}

}  // namespace sankofa::ctl
