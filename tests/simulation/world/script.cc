#include "tests/simulation/world/script.h"

#include <fstream>
#include <sstream>
#include <utility>

#include "absl/strings/str_cat.h"
#include "sankofa/exchange/v1/exchange_service.pb.h"
#include "sankofa/exchange/v1/feed.pb.h"
#include "sankofa/funding/v1/funding_events.pb.h"
#include "sankofa/funding/v1/funding_service.pb.h"
#include "sankofa/registration/v1/registration_events.pb.h"
#include "sankofa/registration/v1/registration_service.pb.h"
#include "sankofa/validation/v1/validation_events.pb.h"
#include "sankofa/validation/v1/validation_service.pb.h"
#include "services/exchange/feed/route.h"
#include "services/platform/money/money.h"

namespace sankofa::simulation {
namespace {

namespace ex = exchange::v1;
namespace fund = funding::v1;
namespace reg = registration::v1;
namespace val = validation::v1;

constexpr char kCommittee[] = "cm-france";
constexpr char kLine[] = "line-2017";
constexpr char kProgramme[] = "ofii-cm-2017";
// Who the case is submitted to: an organisation that runs no node and answers here.
constexpr char kOrganisation[] = "ofii";
constexpr std::int64_t kRequested = 600'000;

engine::Actor Person(const std::string& subject, std::vector<std::string> roles = {}) {
  return {.subject = subject, .organisation = "agency", .roles = std::move(roles), .system = {}};
}

const std::vector<std::string>& Seats() {
  static const std::vector<std::string> seats = {"embassy", "minrex", "ofii"};
  return seats;
}

std::string AgreementOf(const std::string& a, const std::string& b) {
  return engine::DerivedId("agreement", absl::StrCat(std::min(a, b), "-", std::max(a, b)));
}

void Share(ex::Share& share) {
  share.set_purpose(reg::CONSENT_PURPOSE_REINTEGRATION);
  // Facts of the node that has the case. Acceptance and what follows are facts of who the case is submitted to.
  for (const std::string& type : {reg::CaseRegistered::descriptor()->full_name(),
                                  reg::CaseSubmitted::descriptor()->full_name(),
                                  val::ProjectSubmitted::descriptor()->full_name(),
                                  val::ProjectApproved::descriptor()->full_name(),
                                  fund::GrantSigned::descriptor()->full_name()}) {
    share.add_event_types(type);
  }
  share.add_fields("person.details.phones");
}

const std::string& Programme() {
  static const std::string yaml = [] {
    std::ifstream file(absl::StrCat("tests/data/programmes/", kProgramme, ".yaml"));
    std::stringstream text;
    text << file.rdbuf();
    status::Check(!text.str().empty(), "run it from the root of the tree");
    return text.str();
  }();
  return yaml;
}

reg::PersonDetails Details(int number, int moved) {
  reg::PersonDetails details;
  details.set_given_names(absl::StrCat(kNameMark, " ", std::string(1, char('A' + number % 26))));
  details.set_family_names(absl::StrCat(kNameMark, "-", std::string(1, char('A' + number / 26))));
  details.set_sex(reg::SEX_FEMALE);
  details.set_birth_date(absl::StrCat(1960 + number % 30, "-03-12"));
  details.add_nationalities("CM");
  details.add_phones(absl::StrCat("+23769000", 1000 + number * 10 + moved));
  return details;
}

// The steps of one person's way, and where in the script they are.
class CaseWriter {
 public:
  CaseWriter(Script& script, std::string partner, int number)
      : script_(script), partner_(std::move(partner)), number_(number) {}

  void Register() {
    person_ = script_.size();
    Registration<reg::RegisterPersonRequest>([number = number_](const Script&) {
      reg::RegisterPersonRequest request;
      *request.mutable_details() = Details(number, 0);
      return request;
    });
    case_ = script_.size();
    Registration<reg::RegisterCaseRequest>([person = person_](const Script& script) {
      reg::RegisterCaseRequest request;
      request.set_person_id(Id(script, person));
      auto& header = *request.mutable_header();
      header.set_origin_country(script.node().id() == "tg" ? "TG" : "CM");
      header.set_host_country("FR");
      header.set_return_type(reg::RETURN_TYPE_VOLUNTARY_RETURN);
      header.set_programme(kProgramme);
      header.set_partner(kOrganisation);
      header.set_region("littoral");
      header.set_host_entry_date("2014-09-01");
      return request;
    });
  }
  void Consent() { Consent(partner_); }
  void Consent(const std::string& partner) {
    Registration<reg::GiveConsentRequest>([of = case_, partner](const Script& script) {
      reg::GiveConsentRequest request;
      request.set_case_id(Id(script, of));
      request.set_purpose(reg::CONSENT_PURPOSE_REINTEGRATION);
      request.set_partner(partner);
      request.add_scopes("person.details.phones");
      request.set_giver(reg::CONSENT_GIVER_PERSON);
      request.set_from_date("2017-01-01");
      request.set_until_date("2018-12-31");
      return request;
    });
  }
  // Of the consent that the partner was given last.
  void Withdraw() {
    Registration<reg::WithdrawConsentRequest>(
        [of = case_, partner = partner_](const Script& script) {
          reg::WithdrawConsentRequest request;
          request.set_case_id(Id(script, of));
          request.set_giver(reg::CONSENT_GIVER_PERSON);
          const auto kept = script.node().service("registration").Kept<reg::Case>(Id(script, of));
          for (const reg::Consent& consent :
               kept ? kept->consents() : reg::Case::default_instance().consents()) {
            if (consent.partner() == partner) request.set_consent_id(consent.consent_id());
          }
          return request;
        });
  }
  void Move() {
    Registration<reg::UpdatePersonRequest>(
        [person = person_, number = number_](const Script& script) {
          reg::UpdatePersonRequest request;
          request.set_person_id(Id(script, person));
          *request.mutable_details() = Details(number, 1);
          return request;
        });
  }
  template <class Request>
  void OnCase(std::function<void(Request&)> fill = nullptr) {
    Registration<Request>([of = case_, fill = std::move(fill)](const Script& script) {
      Request request;
      request.set_case_id(Id(script, of));
      if (fill) fill(request);
      return request;
    });
  }

  void Project() {
    project_ = script_.size();
    script_.Then<val::DraftProjectRequest>(
        "validation", Person("author", {"counsellor"}), [of = case_](const Script& script) {
          val::DraftProjectRequest request;
          request.set_case_id(Id(script, of));
          request.set_kind(val::PROJECT_KIND_BUSINESS_CREATION);
          request.set_description("Ce que la personne veut faire.");
          auto& content = *request.mutable_content();
          content.set_title("Élevage de volailles");
          content.set_place("Bafoussam");
          content.set_region("ouest");
          content.set_sector("agriculture");
          content.set_jobs(2);
          auto* item = content.add_items();
          item->set_label("Bâtiment");
          item->set_quantity(1);
          *item->mutable_unit_price() = money::Of("EUR", kRequested + 100'000);
          auto* own = content.add_own_contributions();
          own->set_label("Épargne");
          own->set_form(val::CONTRIBUTION_FORM_CASH);
          *own->mutable_amount() = money::Of("EUR", 100'000);
          *content.mutable_requested() = money::Of("EUR", kRequested);
          return request;
        });
    OnProject<val::SubmitProjectRequest>(Person("author", {"counsellor"}));
    OnProject<val::RecordFeasibilityRequest>(Person("operator", {"counsellor"}), [](auto& request) {
      request.set_version(1);
      request.set_feasible(true);
      request.set_reasons("Le marché est porteur.");
    });
  }

  void Sitting() {
    const auto secretary = Person("secretary", {"committee_secretary"});
    session_ = script_.size();
    script_.Then<val::ScheduleSessionRequest>("validation", secretary, [](const Script& script) {
      val::ScheduleSessionRequest request;
      request.set_committee_code(kCommittee);
      request.set_date(time::FormatDay(time::DayOf(script.node().world().clock().Now())));
      request.set_place("Yaoundé");
      return request;
    });
    AtSession<val::AddToAgendaRequest>(secretary);
    AtSession<val::OpenSessionRequest>(secretary, [](auto& request) {
      for (const std::string& seat : Seats()) {
        auto* attendance = request.add_attendance();
        attendance->set_seat_code(seat);
        attendance->set_presence(val::PRESENCE_HOLDER);
      }
    });
    for (const std::string& seat : Seats()) {
      AtSession<val::CastVoteRequest>(Person(seat + "-holder", {"committee_member"}),
                                      [seat](auto& request) {
                                        request.set_seat_code(seat);
                                        request.set_value(val::VOTE_VALUE_FOR);
                                      });
    }
    AtSession<val::DecideProjectRequest>(secretary);
    AtSession<val::CloseSessionRequest>(secretary);
  }

  void Grant() {
    grant_ = script_.size();
    script_.Then<fund::ReserveGrantRequest>(
        "funding", Person("manager"),
        [project = project_, of = case_, person = person_](const Script& script) {
          fund::ReserveGrantRequest request;
          request.set_project_id(Id(script, project));
          request.set_case_id(Id(script, of));
          request.set_person_id(Id(script, person));
          request.set_programme(kProgramme);
          request.set_level(3);
          request.set_budget_line(kLine);
          *request.mutable_amount() = money::Of("EUR", kRequested);
          request.set_means(fund::PAYMENT_MEANS_BANK_TRANSFER);
          return request;
        });
    OnGrant<fund::SignGrantRequest>("manager");
    OnGrant<fund::RequestInstalmentRequest>("requester");
    OnGrant<fund::ApproveInstalmentRequest>("approver");
    OnGrant<fund::ReleaseInstalmentRequest>("releaser");
    script_.Then<fund::RecordPaymentRequest>(
        "funding", Person("bookkeeper"), [grant = grant_](const Script& script) {
          fund::RecordPaymentRequest request;
          request.set_grant_id(Id(script, grant));
          request.set_instalment(1);
          request.set_provider("bank");
          request.set_payment_id(absl::StrCat("pay-", script.RequestId(script.size())));
          *request.mutable_paid_time() = time::ToTimestamp(script.node().world().clock().Now());
          const auto kept = script.node().service("funding").Kept<fund::Grant>(Id(script, grant));
          if (kept && !kept->instalments().empty()) {
            request.set_order_id(kept->instalments(0).order_id());
            *request.mutable_amount() = kept->instalments(0).payment_amount();
          }
          return request;
        });
    OnGrant<fund::SubmitProofRequest>("requester", [](auto& request) {
      request.set_proof_reference("invoice-1");
      request.set_proof_sha256(std::string(64, 'a'));
    });
    OnGrant<fund::AcceptProofRequest>("approver");
  }

 private:
  // What a step creates is called after its request.
  static std::string Id(const Script& script, std::size_t step) {
    return engine::DerivedId(script.RequestId(step));
  }
  template <class Request>
  void Registration(std::function<Request(const Script&)> make) {
    script_.Then<Request>("registration", Person("officer"), std::move(make));
  }
  template <class Request>
  void OnProject(engine::Actor actor, std::function<void(Request&)> fill = nullptr) {
    script_.Then<Request>("validation", std::move(actor),
                          [project = project_, fill = std::move(fill)](const Script& script) {
                            Request request;
                            request.set_project_id(Id(script, project));
                            if (fill) fill(request);
                            return request;
                          });
  }
  // Some of what is done at a session is about one project of its agenda.
  template <class Request>
  static void NameProject(Request& request, [[maybe_unused]] const std::string& project_id) {
    if constexpr (requires { request.set_project_id(""); }) request.set_project_id(project_id);
  }
  template <class Request>
  void AtSession(engine::Actor actor, std::function<void(Request&)> fill = nullptr) {
    script_.Then<Request>(
        "validation", std::move(actor),
        [session = session_, project = project_, fill = std::move(fill)](const Script& script) {
          Request request;
          request.set_session_id(Id(script, session));
          NameProject(request, Id(script, project));
          if (fill) fill(request);
          return request;
        });
  }
  template <class Request>
  void OnGrant(const std::string& subject, std::function<void(Request&)> fill = nullptr) {
    script_.Then<Request>("funding", Person(subject),
                          [grant = grant_, fill = std::move(fill)](const Script& script) {
                            Request request;
                            request.set_grant_id(Id(script, grant));
                            if constexpr (requires { request.set_instalment(1); }) {
                              request.set_instalment(1);
                            }
                            if (fill) fill(request);
                            return request;
                          });
  }

  Script& script_;
  const std::string partner_;
  const int number_;
  std::size_t person_ = 0;
  std::size_t case_ = 0;
  std::size_t project_ = 0;
  std::size_t session_ = 0;
  std::size_t grant_ = 0;
};

}  // namespace

Script Introduce(Node& node, const std::vector<std::string>& all) {
  Script script(node, absl::StrCat("introduce ", node.id()));
  for (const std::string& other : all) {
    if (other == node.id()) continue;
    script.Then<ex::RegisterPartnerRequest>(
        "exchange", Person("operator"), [other](const Script& by) {
          Node& partner = by.node().world().node(other);
          ex::RegisterPartnerRequest request;
          request.set_partner_id(other);
          request.set_name("Office for return");
          request.set_country(partner.country());
          request.set_kind(ex::PARTNER_KIND_NODE);
          request.set_verification_key(partner.signer()->public_key());
          request.set_sealing_key(partner.sealing_key().public_key());
          request.set_brokers(absl::StrCat("kafka.", other, ".example:9093"));
          request.set_topic(exchange::FeedTopicOf(by.node().id()));
          request.set_exchange_address(absl::StrCat("exchange.", other, ".example:7443"));
          return request;
        });
  }
  for (const std::string& other : all) {
    if (other <= node.id()) continue;
    script.Then<ex::ProposeAgreementRequest>(
        "exchange", Person("officer"), [other](const Script& by) {
          ex::ProposeAgreementRequest request;
          request.set_agreement_id(AgreementOf(by.node().id(), other));
          request.set_version(1);
          request.set_partner_id(other);
          Share(*request.add_our_shares());
          Share(*request.add_their_shares());
          request.set_legal_basis("Treaty of 12 May 2015, article 4");
          request.set_from_date("2017-01-01");
          request.set_until_date("2019-12-31");
          return request;
        });
  }
  return script;
}

Script Countersign(Node& node, const std::vector<std::string>& all) {
  Script script(node, absl::StrCat("countersign ", node.id()));
  for (const std::string& other : all) {
    if (other >= node.id()) continue;
    script.Then<ex::SignAgreementRequest>("exchange", Person("officer"), [other](const Script& by) {
      ex::SignAgreementRequest request;
      request.set_id(absl::StrCat(AgreementOf(other, by.node().id()), ":1"));
      return request;
    });
  }
  return script;
}

Script OpenOffice(Node& node) {
  Script script(node, absl::StrCat("office ", node.id()));
  script.Then<val::CreateCommitteeRequest>("validation", Person("secretary"), [](const Script&) {
    val::CreateCommitteeRequest request;
    request.set_committee_code(kCommittee);
    request.set_name("Comité franco-camerounais");
    request.set_country("CM");
    for (const std::string& seat : Seats()) {
      auto& added = *request.add_seats();
      const std::size_t place = static_cast<std::size_t>(request.seats_size());
      added.set_code(seat);
      added.set_college(place == 2 ? val::COLLEGE_ORIGIN_STATE : val::COLLEGE_HOST_STATE);
      added.set_role(place == 1   ? val::SEAT_ROLE_CHAIR
                     : place == 2 ? val::SEAT_ROLE_DEPUTY_CHAIR
                                  : val::SEAT_ROLE_MEMBER);
      added.set_holder_subject(seat + "-holder");
      added.set_deputy_subject(seat + "-deputy");
    }
    return request;
  });
  script.Then<fund::RecordAgreementRequest>("funding", Person("manager"), [](const Script&) {
    fund::RecordAgreementRequest request;
    request.set_agreement("ofii-minrex");
    request.set_funder("ofii");
    request.add_host_countries("FR");
    request.add_origin_countries("CM");
    request.add_origin_countries("TG");
    *request.mutable_committed() = money::Of("EUR", 10'000'000);
    request.set_valid_from("2015-01-01");
    request.set_valid_until("2019-12-31");
    return request;
  });
  script.Then<fund::OpenBudgetLineRequest>("funding", Person("manager"), [](const Script&) {
    fund::OpenBudgetLineRequest request;
    request.set_budget_line(kLine);
    request.set_agreement("ofii-minrex");
    *request.mutable_amount() = money::Of("EUR", 8'000'000);
    return request;
  });
  script.Then<fund::LoadProgrammeRequest>("funding", Person("manager"), [](const Script&) {
    fund::LoadProgrammeRequest request;
    request.set_programme(kProgramme);
    request.set_yaml(Programme());
    return request;
  });
  return script;
}

Script CaseScript(Node& node, const std::string& partner, int number, Random& random) {
  Script script(node, absl::StrCat("case ", number, " ", node.id()));
  CaseWriter writer(script, partner, number);
  const int length = random.Below(100);
  writer.Register();
  writer.Consent(kOrganisation);
  writer.Consent();
  writer.OnCase<reg::SubmitCaseRequest>();
  if (length < 20) return script;
  writer.OnCase<reg::AcceptCaseRequest>();
  const bool withdraws = random.Chance(500);
  if (withdraws) writer.Withdraw();
  if (random.Chance(300)) writer.Move();
  writer.OnCase<reg::ConfirmArrivalRequest>(
      [](auto& request) { request.set_arrival_date("2017-06-20"); });
  if (withdraws && random.Chance(500)) writer.Consent();
  if (length < 50) return script;
  writer.OnCase<reg::AssessCaseRequest>([](auto& request) {
    request.mutable_assessment()->add_needs(reg::NEED_BUSINESS);
    request.mutable_assessment()->add_abilities("tailor");
    request.set_orientation("anpe");
  });
  writer.Project();
  if (length < 75) return script;
  writer.Sitting();
  if (length < 85) return script;
  writer.Grant();
  return script;
}

}  // namespace sankofa::simulation
