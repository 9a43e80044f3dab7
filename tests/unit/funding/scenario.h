#pragma once

#include <fstream>
#include <sstream>
#include <string>

#include "sankofa/funding/v1/approved_project.pb.h"
#include "sankofa/funding/v1/case_file.pb.h"
#include "sankofa/funding/v1/funding_internal.pb.h"
#include "sankofa/funding/v1/funding_service.pb.h"
#include "services/funding/commands.h"
#include "services/platform/money/money.h"
#include "services/platform/time/time.h"
#include "tests/unit/harness.h"

// A small funding office: an agreement, a budget line, the programme of the Cameroon sitting, and people with an approved
// project. Persons and cases are numbers here.
namespace sankofa::funding::test {

using sankofa::test::At;
using sankofa::test::Morning;
using sankofa::test::Reason;
using sankofa::test::World;

inline std::string Id(std::string_view what, int number = 1) {
  return engine::DerivedId(absl::StrCat(std::string(what), "-", number));
}

inline std::string ReadFile(const std::string& path) {
  std::ifstream file(path);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

inline engine::Context By(std::string subject, absl::Time now = Morning()) {
  return At(now, {}, std::move(subject));
}

// What registration and validation say of case `number`: all is well.
inline std::shared_ptr<v1::GrantFacts> GoodFacts(int number = 1) {
  auto facts = std::make_shared<v1::GrantFacts>();
  facts->set_case_id(Id("case", number));
  facts->set_person_id(Id("person", number));
  facts->set_case_open(true);
  facts->set_case_version(7);
  facts->set_age_years(30);
  facts->set_adults(2);
  facts->set_children(1);
  facts->add_nationalities("CM");
  facts->set_return_date("2017-03-01");
  facts->set_return_type(v1::RETURN_TYPE_VOLUNTARY_RETURN);
  facts->set_months_in_host_country(24);
  facts->set_project_id(Id("project", number));
  facts->set_project_approved(true);
  facts->set_project_version(1);
  facts->set_approved_version(1);
  facts->set_project_stream_version(9);
  return facts;
}

inline v1::ReserveGrantRequest ReserveRequest(std::int64_t cents, int number = 1) {
  v1::ReserveGrantRequest request;
  request.set_project_id(Id("project", number));
  request.set_case_id(Id("case", number));
  request.set_person_id(Id("person", number));
  request.set_programme("ofii-cm-2017");
  request.set_level(3);
  request.set_budget_line("cm-2017");
  *request.mutable_amount() = money::Of("EUR", cents);
  request.set_means(v1::PAYMENT_MEANS_BANK_TRANSFER);
  return request;
}

class Office {
 public:
  Office() : world_(BindCommands) {
    v1::RecordAgreementRequest agreement;
    agreement.set_agreement("ofii-minrex");
    agreement.set_funder("ofii");
    agreement.add_host_countries("FR");
    agreement.add_origin_countries("CM");
    *agreement.mutable_committed() = money::Of("EUR", 100'000'00);
    agreement.set_valid_from("2015-01-01");
    agreement.set_valid_until("2019-12-31");
    Must(world_.Send(agreement, At()));
    OpenLine("cm-2017", 80'000'00);
    LoadProgramme("ofii-cm-2017");
  }

  World& world() { return world_; }

  void OpenLine(const std::string& code, std::int64_t cents) {
    v1::OpenBudgetLineRequest line;
    line.set_budget_line(code);
    line.set_agreement("ofii-minrex");
    *line.mutable_amount() = money::Of("EUR", cents);
    Must(world_.Send(line, At()));
  }

  void LoadProgramme(const std::string& code) {
    v1::LoadProgrammeRequest programme;
    programme.set_programme(code);
    programme.set_yaml(ReadFile("tests/data/programmes/" + code + ".yaml"));
    Must(world_.Send(programme, At()));
  }

  // Case and project `number`: filed in spring, approved for `amount`.
  void Approve(int number, const common::v1::Money& amount, int version = 1,
               v1::ProjectKind kind = v1::PROJECT_KIND_BUSINESS_CREATION) {
    if (!world_.Has<v1::CaseFile>(Id("case", number))) {
      v1::NoteCaseRequest file;
      file.set_case_id(Id("case", number));
      file.set_person_id(Id("person", number));
      file.set_programme("ofii-cm-2017");
      file.set_host_country("FR");
      file.set_origin_country("CM");
      Must(world_.Send(file, At(Morning() - absl::Hours(24 * 90))));
    }
    v1::NoteApprovalRequest approval;
    approval.set_project_id(Id("project", number));
    approval.set_case_id(Id("case", number));
    approval.set_version(version);
    *approval.mutable_approved() = amount;
    approval.set_kind(kind);
    approval.set_programme("ofii-cm-2017");
    approval.set_sector("trade");
    Must(world_.Send(approval, At()));
  }

  absl::Status Reserve(const v1::ReserveGrantRequest& request,
                       std::shared_ptr<const v1::GrantFacts> facts) {
    engine::Context context = By("manager");
    context.facts = std::move(facts);
    grant_id_ = context.NewId();
    return world_.Send(request, context);
  }

  // The grant that was asked for last.
  const v1::Grant& grant() { return world_.Get<v1::Grant>(grant_id_); }
  const std::string& grant_id() const { return grant_id_; }

  // A command on a grant's instalment, by `subject`.
  template <class Request>
  absl::Status On(const std::string& grant_id, int instalment, const std::string& subject,
                  Request request = {}) {
    request.set_grant_id(grant_id);
    if constexpr (requires { request.set_instalment(1); }) request.set_instalment(instalment);
    return world_.Send(request, By(subject));
  }

  absl::Status Release(const std::string& grant_id, int instalment, const std::string& subject,
                       std::shared_ptr<const v1::GrantFacts> facts) {
    v1::ReleaseInstalmentRequest request;
    request.set_grant_id(grant_id);
    request.set_instalment(instalment);
    engine::Context context = By(subject);
    context.facts = std::move(facts);
    return world_.Send(request, context);
  }

  absl::Status Pay(const std::string& grant_id, int instalment, const std::string& payment_id) {
    const v1::Instalment& due = world_.Get<v1::Grant>(grant_id).instalments(instalment - 1);
    v1::RecordPaymentRequest request;
    request.set_order_id(due.order_id());
    request.set_provider("bank");
    request.set_payment_id(payment_id);
    *request.mutable_amount() = due.payment_amount();
    *request.mutable_paid_time() = time::ToTimestamp(Morning());
    return On(grant_id, instalment, "bookkeeper", request);
  }

  absl::Status SubmitProof(const std::string& grant_id, int instalment,
                           const std::string& subject) {
    v1::SubmitProofRequest request;
    request.set_proof_reference("invoice-1");
    request.set_proof_sha256(std::string(64, 'a'));
    return On(grant_id, instalment, subject, request);
  }

  // An instalment all the way from PLANNED to PROVEN.
  void PayAndProve(const std::string& grant_id, int instalment, int number) {
    Must(On<v1::RequestInstalmentRequest>(grant_id, instalment, "requester"));
    Must(On<v1::ApproveInstalmentRequest>(grant_id, instalment, "approver"));
    Must(Release(grant_id, instalment, "releaser", GoodFacts(number)));
    Must(Pay(grant_id, instalment, absl::StrCat("pay-", number, "-", instalment)));
    Must(SubmitProof(grant_id, instalment, "requester"));
    Must(On<v1::AcceptProofRequest>(grant_id, instalment, "approver"));
  }

  static void Must(const absl::Status& status) {
    status::Check(status.ok(),
                  absl::StrCat("a step of the scenario was refused: ", Reason(status)));
  }

 private:
  World world_;
  std::string grant_id_;
};

}  // namespace sankofa::funding::test
