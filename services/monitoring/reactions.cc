#include "services/monitoring/reactions.h"

#include "sankofa/funding/v1/funding_events.pb.h"
#include "sankofa/monitoring/v1/case_facts.pb.h"
#include "sankofa/monitoring/v1/monitoring_internal.pb.h"
#include "sankofa/registration/v1/registration_events.pb.h"
#include "sankofa/validation/v1/validation_events.pb.h"
#include "services/monitoring/names.h"
#include "services/platform/time/time.h"

namespace sankofa::monitoring {
namespace {

namespace fund = funding::v1;
namespace reg = registration::v1;
namespace val = validation::v1;
using engine::Commands;
using engine::EventMeta;

// The command that tells CaseFacts of something, with the fact to be filled.
struct Telling {
  // `sequence`: of an event in the case's own stream.
  explicit Telling(const std::string& case_id, std::int64_t sequence = 0) {
    request.set_case_id(case_id);
    request.set_sequence(sequence);
  }
  v1::CaseFact& fact() { return *request.mutable_fact(); }
  v1::RecordCaseFactRequest request;
};

std::string DayOf(const google::protobuf::Timestamp& time) {
  return time::FormatDay(time::DayOf(time::FromTimestamp(time)));
}

void TellStage(const std::string& case_id, v1::Stage stage, const std::string& date,
               Commands& out) {
  Telling telling(case_id);
  telling.fact().mutable_stage()->set_stage(stage);
  telling.fact().mutable_stage()->set_date(date);
  out.Add(std::move(telling.request));
}

void TellProfile(const std::string& case_id, const EventMeta& meta,
                 const reg::StatisticalProfile& profile, Commands& out) {
  Telling telling(case_id, meta.sequence);
  v1::ProfileFact& fact = *telling.fact().mutable_profile();
  fact.set_sex(NameOf(profile.sex()));
  fact.set_age_band(NameOf(profile.age_band()));
  fact.set_vulnerable(profile.vulnerable());
  out.Add(std::move(telling.request));
}

// A header that was changed before submission, or is final at submission.
void TellHeader(const std::string& case_id, const EventMeta& meta, const reg::CaseHeader& header,
                Commands& out) {
  Telling telling(case_id, meta.sequence);
  v1::HeaderFact& fact = *telling.fact().mutable_header();
  fact.set_origin_country(header.origin_country());
  fact.set_host_country(header.host_country());
  fact.set_return_type(NameOf(header.return_type()));
  fact.set_programme(header.programme());
  fact.set_region(header.region());
  out.Add(std::move(telling.request));
}

// Nobody is visited any more, except where the case was closed because all went well: its visits go on to the end.
bool EndsVisits(reg::CloseReason reason) { return reason != reg::CLOSE_REASON_COMPLETED; }

void ReactToCases(engine::Reactions& reactions) {
  reactions.On<reg::CaseRegistered>(
      [](const reg::CaseRegistered& event, const EventMeta& meta, Commands& out) {
        Telling telling(event.case_id(), meta.sequence);
        v1::HeaderFact& fact = *telling.fact().mutable_header();
        fact.set_registered_date(DayOf(event.registered_time()));
        fact.set_origin_country(event.origin_country());
        fact.set_host_country(event.host_country());
        fact.set_return_type(NameOf(event.return_type()));
        fact.set_programme(event.programme());
        fact.set_region(event.region());
        fact.set_responsible_organisation(event.responsible_organisation());
        out.Add(std::move(telling.request));
        TellProfile(event.case_id(), meta, event.profile(), out);
      });
  reactions.On<reg::CaseHeaderChanged>(
      [](const reg::CaseHeaderChanged& event, const EventMeta& meta, Commands& out) {
        TellHeader(event.case_id(), meta, event.header(), out);
      });
  reactions.On<reg::CaseSubmitted>(
      [](const reg::CaseSubmitted& event, const EventMeta& meta, Commands& out) {
        if (event.has_header()) TellHeader(event.case_id(), meta, event.header(), out);
      });
  reactions.On<reg::CaseArrived>(
      [](const reg::CaseArrived& event, const EventMeta& /*meta*/, Commands& out) {
        TellStage(event.case_id(), v1::STAGE_ARRIVED, event.arrival_date(), out);
      });
  reactions.On<reg::CaseAssessed>(
      [](const reg::CaseAssessed& event, const EventMeta& meta, Commands& out) {
        TellStage(event.case_id(), v1::STAGE_ASSESSED, DayOf(event.assessed_time()), out);
        TellProfile(event.case_id(), meta, event.profile(), out);
      });
  reactions.On<reg::CaseClosed>(
      [](const reg::CaseClosed& event, const EventMeta& meta, Commands& out) {
        Telling telling(event.case_id(), meta.sequence);
        telling.fact().mutable_closure()->set_close_reason(NameOf(event.reason()));
        telling.fact().mutable_closure()->set_visits_ended(EndsVisits(event.reason()));
        out.Add(std::move(telling.request));
      });
  reactions.On<reg::CaseReopened>(
      [](const reg::CaseReopened& event, const EventMeta& meta, Commands& out) {
        Telling telling(event.case_id(), meta.sequence);
        telling.fact().mutable_closure();
        out.Add(std::move(telling.request));
      });
  reactions.On<reg::CaseErased>(
      [](const reg::CaseErased& event, const EventMeta& /*meta*/, Commands& out) {
        v1::EraseCaseRequest request;
        request.set_case_id(event.case_id());
        out.Add(std::move(request));
      });
  reactions.On<reg::ReferralSent>(
      [](const reg::ReferralSent& event, const EventMeta& /*meta*/, Commands& out) {
        Telling telling(event.case_id());
        telling.fact().mutable_referral()->set_referral_id(event.referral_id());
        out.Add(std::move(telling.request));
      });
}

template <class Event>
Telling ProjectTelling(const Event& event, const EventMeta& meta) {
  Telling telling(event.case_id());
  v1::ProjectFact& fact = *telling.fact().mutable_project();
  fact.set_project_id(event.project_id());
  fact.set_kind(NameOf(event.kind()));
  fact.set_sector(event.sector());
  fact.set_region(event.region());
  fact.set_jobs(event.jobs());
  fact.set_sequence(meta.sequence);
  return telling;
}

void ReactToProjects(engine::Reactions& reactions) {
  reactions.On<val::ProjectSubmitted>(
      [](const val::ProjectSubmitted& event, const EventMeta& meta, Commands& out) {
        out.Add(ProjectTelling(event, meta).request);
      });
  reactions.On<val::ProjectApproved>(
      [](const val::ProjectApproved& event, const EventMeta& meta, Commands& out) {
        Telling telling = ProjectTelling(event, meta);
        *telling.fact().mutable_project()->mutable_approved() = event.amount();
        out.Add(std::move(telling.request));
        TellStage(event.case_id(), v1::STAGE_APPROVED, DayOf(event.decided_time()), out);
      });
}

void ReactToGrants(engine::Reactions& reactions) {
  reactions.On<fund::GrantSigned>(
      [](const fund::GrantSigned& event, const EventMeta& meta, Commands& out) {
        v1::PlanFollowUpRequest plan;
        plan.set_grant_id(event.grant_id());
        plan.set_case_id(event.case_id());
        plan.set_project_id(event.project_id());
        plan.set_programme(event.programme());
        plan.set_kind(NameOf(event.kind()));
        plan.set_sector(event.sector());
        plan.set_start_date(DayOf(event.signed_time()));
        *plan.mutable_months() = event.follow_up_months();
        out.Add(std::move(plan));

        Telling telling(event.case_id());
        v1::GrantFact& fact = *telling.fact().mutable_grant();
        fact.set_grant_id(event.grant_id());
        fact.set_project_id(event.project_id());
        fact.set_kind(NameOf(event.kind()));
        fact.set_sector(event.sector());
        fact.set_programme(event.programme());
        fact.set_level(event.level());
        fact.set_sequence(meta.sequence);
        *fact.mutable_amount() = event.amount();
        out.Add(std::move(telling.request));
        TellStage(event.case_id(), v1::STAGE_FUNDED, DayOf(event.signed_time()), out);
      });
  reactions.On<fund::InstalmentPaid>(
      [](const fund::InstalmentPaid& event, const EventMeta& /*meta*/, Commands& out) {
        Telling telling(event.case_id());
        v1::PaymentFact& fact = *telling.fact().mutable_payment();
        fact.set_grant_id(event.grant_id());
        fact.set_instalment(event.instalment());
        *fact.mutable_amount() = event.amount();
        out.Add(std::move(telling.request));
      });
  reactions.On<fund::RefundRecorded>(
      [](const fund::RefundRecorded& event, const EventMeta& meta, Commands& out) {
        Telling telling(event.case_id());
        v1::PaymentFact& fact = *telling.fact().mutable_payment();
        fact.set_grant_id(event.grant_id());
        fact.set_instalment(static_cast<int>(-meta.sequence));
        *fact.mutable_amount() = event.amount();
        fact.mutable_amount()->set_minor_units(-event.amount().minor_units());
        out.Add(std::move(telling.request));
      });
  reactions.On<fund::GrantCompleted>(
      [](const fund::GrantCompleted& event, const EventMeta& /*meta*/, Commands& out) {
        TellStage(event.case_id(), v1::STAGE_COMPLETED, DayOf(event.completed_time()), out);
      });
  reactions.On<fund::GrantCancelled>(
      [](const fund::GrantCancelled& event, const EventMeta& meta, Commands& out) {
        v1::CancelFollowUpRequest cancel;
        cancel.set_grant_id(event.grant_id());
        cancel.set_case_id(event.case_id());
        out.Add(std::move(cancel));
        Telling telling(event.case_id());
        telling.fact().mutable_grant()->set_grant_id(event.grant_id());
        telling.fact().mutable_grant()->set_cancelled(true);
        telling.fact().mutable_grant()->set_sequence(meta.sequence);
        out.Add(std::move(telling.request));
      });
}

}  // namespace

void React(engine::Reactions& reactions) {
  ReactToCases(reactions);
  ReactToProjects(reactions);
  ReactToGrants(reactions);
}

}  // namespace sankofa::monitoring
