#include <algorithm>

#include "absl/strings/str_cat.h"
#include "sankofa/funding/v1/approved_project.pb.h"
#include "sankofa/funding/v1/budget_line.pb.h"
#include "sankofa/funding/v1/case_file.pb.h"
#include "sankofa/funding/v1/funding_internal.pb.h"
#include "sankofa/funding/v1/funding_reason.pb.h"
#include "sankofa/funding/v1/person_funding.pb.h"
#include "services/funding/budget/ledger.h"
#include "services/funding/grant/grant.h"
#include "services/funding/grant/known.h"
#include "services/funding/programme/rule_set.h"
#include "services/platform/money/money.h"
#include "services/platform/status/refuse.h"
#include "services/platform/time/time.h"

// Reservation: where project, case, person, programme and budget line meet. All of them are locked while it is decided.
namespace sankofa::funding {
namespace {

using common::v1::Money;
using engine::Context;
using engine::Decision;
using status::Refuse;
using status::RefuseField;

// All that a reservation is decided on.
struct Parts {
  const v1::ReserveGrantRequest& request;
  const v1::ApprovedProject& project;
  const v1::CaseFile& file;
  const v1::PersonFunding& person;
  const v1::BudgetLine& line;
  const v1::Programme& programme;
  const v1::GrantFacts& facts;
  // Found on the way.
  const v1::RuleSet* rule_set = nullptr;
  const v1::Level* level = nullptr;
};

template <class List>
bool Contains(const List& list, const std::string& value) {
  return std::find(list.begin(), list.end(), value) != list.end();
}

// Everything that is named is there, and belongs together.
absl::Status CheckTogether(const Parts& parts) {
  const v1::ReserveGrantRequest& request = parts.request;
  if (parts.file.id().empty()) return RefuseField(v1::REASON_CASE_UNKNOWN, "case_id");
  if (parts.file.erased()) return Refuse(v1::REASON_PERSON_ERASED);
  if (parts.project.id().empty()) return RefuseField(v1::REASON_PROJECT_NOT_APPROVED, "project_id");
  if (parts.project.case_id() != request.case_id() || parts.facts.case_id() != request.case_id()) {
    return RefuseField(v1::REASON_CASE_MISMATCH, "case_id");
  }
  if (parts.file.person_id() != request.person_id() ||
      parts.facts.person_id() != request.person_id()) {
    return RefuseField(v1::REASON_CASE_MISMATCH, "person_id");
  }
  if (parts.programme.id().empty()) return RefuseField(v1::REASON_PROGRAMME_UNKNOWN, "programme");
  if (parts.line.id().empty()) return RefuseField(v1::REASON_BUDGET_LINE_UNKNOWN, "budget_line");
  return absl::OkStatus();
}

// The budget line pays for this programme, these countries, today.
absl::Status CheckLine(const Parts& parts, const Context& context) {
  const v1::BudgetLine& line = parts.line;
  const std::string today = time::FormatDay(time::DayOf(context.now));
  if (today < line.valid_from() || today > line.valid_until()) {
    return RefuseField(v1::REASON_AGREEMENT_NOT_VALID, "budget_line");
  }
  if (!line.programmes().empty() && !Contains(line.programmes(), parts.programme.id())) {
    return RefuseField(v1::REASON_PROGRAMME_NOT_ON_LINE, "budget_line");
  }
  if ((!line.host_countries().empty() &&
       !Contains(line.host_countries(), parts.file.host_country())) ||
      !Contains(line.origin_countries(), parts.file.origin_country())) {
    return RefuseField(v1::REASON_COUNTRY_NOT_COVERED, "budget_line");
  }
  return absl::OkStatus();
}

// The project is approved, today still, in the version that funding has heard of, and for this programme.
absl::Status CheckProject(const Parts& parts) {
  if (!parts.facts.project_approved()) {
    return RefuseField(v1::REASON_PROJECT_NOT_APPROVED, "project_id");
  }
  if (parts.facts.project_version() != parts.project.version() ||
      parts.facts.approved_version() != parts.project.version()) {
    return RefuseField(v1::REASON_PROJECT_CHANGED, "project_id");
  }
  const std::string& approved_under = parts.project.programme();
  if (!approved_under.empty() && approved_under != parts.programme.id() &&
      !Contains(parts.rule_set->complementary_programmes(), approved_under)) {
    return RefuseField(v1::REASON_PROGRAMME_MISMATCH, "programme");
  }
  return absl::OkStatus();
}

bool DeliveryAllowed(const v1::Level& level, v1::PaymentMeans means) {
  const int mode =
      means == v1::PAYMENT_MEANS_SUPPLIER ? v1::DELIVERY_MODE_IN_KIND : v1::DELIVERY_MODE_CASH;
  return std::find(level.delivery_modes().begin(), level.delivery_modes().end(), mode) !=
         level.delivery_modes().end();
}

// The amount is within what was approved and is not drawn yet.
absl::Status CheckApproved(const Parts& parts) {
  const auto drawn = money::Convert(parts.request.amount(), parts.project.approved().currency());
  if (!drawn.ok()) return drawn.status();
  const auto total = money::Add(parts.project.granted(), drawn->target);
  if (!total.ok()) return total.status();
  if (total->minor_units() > parts.project.approved().minor_units()) {
    return Refuse(v1::REASON_ABOVE_APPROVED,
                  {.fields = {{"amount", "above what is approved"}},
                   .metadata = {{"approved", money::Format(parts.project.approved())},
                                {"granted", money::Format(parts.project.granted())}}});
  }
  return absl::OkStatus();
}

absl::Status CheckCostShare(const Parts& parts) {
  const int share = parts.level->cost_share_percent();
  if (share == 0 || share == 100) return absl::OkStatus();
  if (!parts.request.has_total_cost()) {
    return RefuseField(v1::REASON_TOTAL_COST_REQUIRED, "total_cost");
  }
  if (parts.request.total_cost().minor_units() <= 0) {
    return RefuseField(v1::REASON_AMOUNT_NOT_POSITIVE, "total_cost");
  }
  const auto most = money::PercentOf(parts.request.total_cost(), share);
  if (!most.ok()) return most.status();
  const auto within = money::AtMost(parts.request.amount(), *most);
  if (!within.ok()) return within.status();
  return *within ? absl::OkStatus() : RefuseField(v1::REASON_ABOVE_COST_SHARE, "amount");
}

absl::Status CheckAmount(const Parts& parts) {
  const Money& amount = parts.request.amount();
  if (amount.minor_units() <= 0) return RefuseField(v1::REASON_AMOUNT_NOT_POSITIVE, "amount");
  if (amount.currency() != parts.line.currency()) {
    return RefuseField(v1::REASON_CURRENCY_MISMATCH, "amount.currency", parts.line.currency());
  }
  if (!DeliveryAllowed(*parts.level, parts.request.means())) {
    return RefuseField(v1::REASON_DELIVERY_NOT_ALLOWED, "means");
  }
  if (auto approved = CheckApproved(parts); !approved.ok()) return approved;
  if (auto share = CheckCostShare(parts); !share.ok()) return share;
  if (amount.minor_units() > parts.line.available().minor_units()) {
    return RefuseField(v1::REASON_BUDGET_EXHAUSTED, "amount");
  }
  return absl::OkStatus();
}

v1::PersonGrant PersonGrantOf(const Parts& parts, const std::string& grant_id) {
  v1::PersonGrant grant;
  grant.set_grant_id(grant_id);
  grant.set_case_id(parts.request.case_id());
  grant.set_programme(parts.programme.id());
  grant.set_scheme(parts.programme.scheme());
  grant.set_level(parts.level->level());
  *grant.mutable_amount() = parts.request.amount();
  grant.set_state(v1::GRANT_STATE_RESERVED);
  *grant.mutable_complementary_programmes() = parts.rule_set->complementary_programmes();
  return grant;
}

// Number and amount of each instalment; AMOUNT_TOO_SMALL where one would be nothing.
absl::Status Divide(const Parts& parts, v1::GrantReserved& event) {
  const auto& percents = parts.level->instalment_percents();
  const std::vector<std::int64_t> weights(percents.begin(), percents.end());
  const auto shares = money::Split(parts.request.amount(), weights);
  if (!shares.ok()) return shares.status();
  for (const Money& share : *shares) {
    if (share.minor_units() == 0) return RefuseField(v1::REASON_AMOUNT_TOO_SMALL, "amount");
    v1::Instalment& instalment = *event.add_instalments();
    instalment.set_number(event.instalments_size());
    *instalment.mutable_amount() = share;
  }
  return absl::OkStatus();
}

absl::StatusOr<v1::GrantReserved> Reserved(const Parts& parts, const Context& context) {
  const v1::ReserveGrantRequest& request = parts.request;
  const std::string& currency = request.payment_currency();
  if (const auto payable =
          money::Convert(request.amount(), currency.empty() ? parts.line.currency() : currency);
      !payable.ok()) {
    return payable.status();
  }
  v1::GrantReserved event;
  event.set_grant_id(context.NewId());
  event.set_case_id(request.case_id());
  event.set_person_id(request.person_id());
  event.set_project_id(request.project_id());
  event.set_project_version(parts.project.version());
  event.set_programme(parts.programme.id());
  event.set_rule_set_version(parts.rule_set->version());
  event.set_level(parts.level->level());
  event.set_budget_line(parts.line.id());
  event.set_kind(parts.project.kind());
  event.set_sector(parts.project.sector());
  *event.mutable_amount() = request.amount();
  event.set_payment_currency(currency.empty() ? parts.line.currency() : currency);
  event.set_means(request.means());
  if (request.has_total_cost()) *event.mutable_total_cost() = request.total_cost();
  event.set_filed_date(parts.file.filed_date());
  *event.mutable_reserved_time() = time::ToTimestamp(context.now);
  *event.mutable_follow_up_months() = parts.rule_set->follow_up_months();
  if (auto divided = Divide(parts, event); !divided.ok()) return divided;
  *event.mutable_batch() = ledger::BatchBuilder(context, "reserve")
                               .Move(v1::ACCOUNT_LINE_AVAILABLE, v1::ACCOUNT_LINE_RESERVED,
                                     parts.line.id(), request.amount())
                               .Close();
  return event;
}

// The grant, and what the others learn of it.
Decision Emit(const Parts& parts, v1::GrantReserved reserved) {
  v1::BudgetReserved on_line;
  on_line.set_grant_id(reserved.grant_id());
  *on_line.mutable_amount() = reserved.amount();
  v1::ApprovalDrawn on_project;
  on_project.set_grant_id(reserved.grant_id());
  const auto drawn = money::Convert(reserved.amount(), parts.project.approved().currency());
  if (!drawn.ok()) return drawn.status();
  *on_project.mutable_amount() = drawn->target;
  v1::PersonGrantAdded on_person;
  on_person.set_person_id(reserved.person_id());
  *on_person.mutable_grant() = PersonGrantOf(parts, reserved.grant_id());
  return engine::Emit(std::move(reserved))
      .AddTo<v1::BudgetLine>(parts.line.id(), std::move(on_line))
      .AddTo<v1::ApprovedProject>(parts.project.id(), std::move(on_project))
      .AddTo<v1::PersonFunding>(parts.request.person_id(), std::move(on_person));
}

}  // namespace

Decision GrantDecider::Decide(const State& /*grant*/, const v1::ReserveGrantRequest& request,
                              const Context& context) {
  const auto* facts = context.Facts<v1::GrantFacts>();
  if (facts == nullptr) return status::Internal("a grant is reserved without facts");
  Parts parts{.request = request,
              .project = context.Related<v1::ApprovedProject>(request.project_id()),
              .file = context.Related<v1::CaseFile>(request.case_id()),
              .person = context.Related<v1::PersonFunding>(request.person_id()),
              .line = context.Related<v1::BudgetLine>(request.budget_line()),
              .programme = context.Related<v1::Programme>(request.programme()),
              .facts = *facts};
  if (auto together = CheckTogether(parts); !together.ok()) return together;
  if (auto line = CheckLine(parts, context); !line.ok()) return line;
  parts.rule_set = InForce(parts.programme, parts.file.filed_date());
  if (parts.rule_set == nullptr) return RefuseField(v1::REASON_RULE_SET_NOT_IN_FORCE, "programme");
  parts.level = FindLevel(*parts.rule_set, request.level());
  if (parts.level == nullptr) return RefuseField(v1::REASON_LEVEL_UNKNOWN, "level");
  if (auto project = CheckProject(parts); !project.ok()) return project;
  if (auto eligible = CheckEligible(*parts.rule_set, *parts.level, parts.project.kind(),
                                    parts.file.filed_date(), *facts);
      !eligible.ok()) {
    return eligible;
  }
  if (auto amount = CheckAmount(parts); !amount.ok()) return amount;
  const auto ceiling = CeilingOf(*parts.level, facts->adults(), facts->children());
  if (!ceiling.ok()) return ceiling.status();
  if (auto once = CheckNotFundedTwice(parts.person, PersonGrantOf(parts, context.NewId()),
                                      parts.rule_set->once_per_person(), *ceiling);
      !once.ok()) {
    return once;
  }
  auto reserved = Reserved(parts, context);
  if (!reserved.ok()) return reserved.status();
  return Emit(parts, *std::move(reserved));
}

}  // namespace sankofa::funding
