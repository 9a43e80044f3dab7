#include "services/monitoring/follow_up/case_facts.h"

#include <algorithm>
#include <map>
#include <utility>

#include "absl/strings/str_cat.h"
#include "sankofa/monitoring/v1/alert.pb.h"
#include "sankofa/monitoring/v1/follow_up.pb.h"
#include "sankofa/monitoring/v1/indicators.pb.h"
#include "services/platform/time/time.h"

namespace sankofa::monitoring {
namespace {

// The element of `list` with the same key as `fact`, made where there is none. Null where the list is full.
template <class Fact, class Key>
Fact* Find(google::protobuf::RepeatedPtrField<Fact>& list, const Fact& fact, Key key) {
  for (Fact& known : list) {
    if (key(known) == key(fact)) return &known;
  }
  return list.size() < kFactsMax ? list.Add() : nullptr;
}

template <class Fact, class Key>
void Replace(google::protobuf::RepeatedPtrField<Fact>& list, const Fact& fact, Key key) {
  if (Fact* known = Find(list, fact, key)) *known = fact;
}

// What an event does not say stays as it was. One that was put aside and is replayed when later ones of its stream have
// taken effect adds only what none of these says.
template <class Fact, class Key>
void Merge(google::protobuf::RepeatedPtrField<Fact>& list, const Fact& fact, Key key) {
  Fact* known = Find(list, fact, key);
  if (known == nullptr) return;
  Fact merged = fact.sequence() < known->sequence() ? fact : *known;
  merged.MergeFrom(fact.sequence() < known->sequence() ? *known : fact);
  *known = std::move(merged);
}

void Toggle(google::protobuf::RepeatedPtrField<std::string>& ids, const v1::ActivityFact& fact) {
  const auto found = std::find(ids.begin(), ids.end(), fact.id());
  if (fact.ended()) {
    if (found != ids.end()) ids.erase(found);
  } else if (found == ids.end() && ids.size() < kFactsMax) {
    *ids.Add() = fact.id();
  }
}

// The first day counts, whichever event comes first.
void Reach(v1::CaseFacts& state, v1::Stage stage, const std::string& date) {
  v1::StageFact fact;
  fact.set_stage(stage);
  v1::StageFact* known =
      Find(*state.mutable_stages(), fact, [](const auto& one) { return one.stage(); });
  if (known == nullptr) return;
  if (known->date().empty() || date < known->date()) known->set_date(date);
  known->set_stage(stage);
}

void SetHeader(v1::CaseFacts& state, const v1::HeaderFact& fact, std::int64_t sequence) {
  v1::HeaderFact header = fact;
  if (sequence < state.header_sequence()) {
    // The registration comes late: what was told since stands.
    header = state.header();
    if (!fact.registered_date().empty()) {
      header.set_registered_date(fact.registered_date());
      header.set_responsible_organisation(fact.responsible_organisation());
      Reach(state, v1::STAGE_REGISTERED, fact.registered_date());
    }
  } else if (fact.registered_date().empty()) {
    header.set_registered_date(state.header().registered_date());
    header.set_responsible_organisation(state.header().responsible_organisation());
  } else {
    Reach(state, v1::STAGE_REGISTERED, fact.registered_date());
  }
  *state.mutable_header() = std::move(header);
  state.set_header_sequence(std::max(sequence, state.header_sequence()));
}

void SetProfile(v1::CaseFacts& state, const v1::ProfileFact& profile, std::int64_t sequence) {
  if (sequence < state.profile_sequence()) return;
  *state.mutable_profile() = profile;
  state.set_profile_sequence(sequence);
}

void Close(v1::CaseFacts& state, const v1::ClosureFact& closure, std::int64_t sequence) {
  if (sequence < state.closure_sequence()) return;
  state.set_closure_sequence(sequence);
  state.set_close_reason(closure.close_reason());
  state.set_visits_ended(closure.visits_ended());
  if (closure.visits_ended()) state.clear_active_follow_ups();
}

bool ClosesVisits(const v1::RecordCaseFactRequest& request) {
  return request.fact().has_closure() && request.fact().closure().visits_ended();
}

void EndFollowUps(const v1::CaseFacts& state, v1::FollowUpCloseReason reason,
                  const engine::Context& context, engine::Events& events) {
  for (const std::string& id : state.active_follow_ups()) {
    if (context.Related<v1::FollowUp>(id).state() != v1::FOLLOW_UP_STATE_ACTIVE) continue;
    v1::FollowUpClosed closed;
    closed.set_follow_up_id(id);
    closed.set_case_id(state.case_id());
    closed.set_close_reason(reason);
    *closed.mutable_close_time() = time::ToTimestamp(context.now);
    events.AddTo<v1::FollowUp>(id, std::move(closed));
  }
}

}  // namespace

// ---- Decide -----------------------------------------------------------------------------------------------------------

engine::Decision CaseFactsDecider::Decide(const State& state,
                                          const v1::RecordCaseFactRequest& request,
                                          const engine::Context& context) {
  if (state.erased()) return engine::Events();
  v1::CaseFactRecorded event;
  event.set_case_id(request.case_id());
  *event.mutable_fact() = request.fact();
  event.set_sequence(request.sequence());
  State after = state;
  Apply(after, event);
  if (after.SerializeAsString() == state.SerializeAsString()) return engine::Events();
  engine::Events events = engine::Emit(std::move(event));
  // A closure that comes late, after the case was opened again, ends nothing.
  if (ClosesVisits(request) && request.sequence() >= state.closure_sequence()) {
    EndFollowUps(state, v1::FOLLOW_UP_CLOSE_REASON_CASE_ENDED, context, events);
  }
  return events;
}

engine::Decision CaseFactsDecider::Decide(const State& state, const v1::EraseCaseRequest& request,
                                          const engine::Context& context) {
  if (state.erased()) return engine::Events();
  engine::Events events;
  EndFollowUps(state, v1::FOLLOW_UP_CLOSE_REASON_CASE_ERASED, context, events);
  for (const std::string& id : state.open_alerts()) {
    if (context.Related<v1::Alert>(id).state() == v1::ALERT_STATE_RESOLVED) continue;
    v1::AlertResolved resolved;
    resolved.set_alert_id(id);
    resolved.set_case_id(state.case_id());
    resolved.set_resolution(v1::ALERT_RESOLUTION_CASE_ERASED);
    *resolved.mutable_resolve_time() = time::ToTimestamp(context.now);
    events.AddTo<v1::Alert>(id, std::move(resolved));
  }
  v1::CaseFactsErased erased;
  erased.set_case_id(request.case_id());
  events.Add(std::move(erased));
  return events;
}

// ---- Apply ------------------------------------------------------------------------------------------------------------

void CaseFactsDecider::Apply(State& state, const v1::CaseFactRecorded& event) {
  state.set_id(event.case_id());
  state.set_case_id(event.case_id());
  const v1::CaseFact& fact = event.fact();
  switch (fact.fact_case()) {
    case v1::CaseFact::kHeader: SetHeader(state, fact.header(), event.sequence()); break;
    case v1::CaseFact::kProfile: SetProfile(state, fact.profile(), event.sequence()); break;
    case v1::CaseFact::kStage: Reach(state, fact.stage().stage(), fact.stage().date()); break;
    case v1::CaseFact::kClosure: Close(state, fact.closure(), event.sequence()); break;
    case v1::CaseFact::kProject:
      Merge(*state.mutable_projects(), fact.project(),
            [](const auto& one) { return one.project_id(); });
      break;
    case v1::CaseFact::kGrant:
      Merge(*state.mutable_grants(), fact.grant(), [](const auto& one) { return one.grant_id(); });
      break;
    case v1::CaseFact::kPayment:
      Replace(*state.mutable_payments(), fact.payment(),
              [](const auto& one) { return std::pair(one.grant_id(), one.instalment()); });
      break;
    case v1::CaseFact::kVisit:
      Replace(*state.mutable_visits(), fact.visit(),
              [](const auto& one) { return std::pair(one.follow_up_id(), one.number()); });
      break;
    case v1::CaseFact::kSurvey:
      Replace(*state.mutable_surveys(), fact.survey(),
              [](const auto& one) { return one.window_months(); });
      break;
    case v1::CaseFact::kReferral:
      Replace(*state.mutable_referrals(), fact.referral(),
              [](const auto& one) { return one.referral_id(); });
      break;
    case v1::CaseFact::kFollowUp:
      Toggle(*state.mutable_active_follow_ups(), fact.follow_up());
      break;
    case v1::CaseFact::kAlert: Toggle(*state.mutable_open_alerts(), fact.alert()); break;
    case v1::CaseFact::FACT_NOT_SET: break;
  }
}

// Counts and sums of the case go on, for money is to be accounted for; what tells something of the person is gone.
void CaseFactsDecider::Apply(State& state, const v1::CaseFactsErased& event) {
  state.set_id(event.case_id());
  state.set_case_id(event.case_id());
  state.clear_profile();
  state.clear_surveys();
  state.clear_active_follow_ups();
  state.clear_open_alerts();
  if (state.has_header()) state.mutable_header()->clear_region();
  state.set_erased(true);
}

// ---- Projection, binding ------------------------------------------------------------------------------------------

const engine::Table& CaseFactsDecider::ProjectTable() {
  static const engine::Table table{
      .name = "case_fact",
      .columns = {"indicator", "months", "currency", "value", "registered_date", "sex", "age_band",
                  "origin_country", "host_country", "return_type", "programme", "kind", "region",
                  "sector", "vulnerable", "level"},
      .types = {"integer", "integer", "text", "bigint", "date", "text", "text", "text", "text",
                "text", "text", "text", "text", "text", "text", "text"}};
  return table;
}

namespace {

// Collects the figures of one case, one for each indicator, window and currency, and writes them with the case's one
// value of each disaggregation.
class Figures {
 public:
  explicit Figures(const v1::CaseFacts& facts) : facts_(facts) {}

  void Set(v1::IndicatorKind kind, std::int64_t value, int months = 0) {
    values_[{kind, months, ""}] = value;
  }
  void Add(v1::IndicatorKind kind, const common::v1::Money& money) {
    values_[{kind, 0, money.currency()}] += money.minor_units();
  }

  [[nodiscard]] std::vector<engine::Row> Rows() const {
    const std::vector<std::string> values = Values();
    const std::string& date = facts_.header().registered_date();
    std::vector<engine::Row> rows;
    for (const auto& [key, value] : values_) {
      const auto& [kind, months, currency] = key;
      engine::Row row{{absl::StrCat(static_cast<int>(kind)), absl::StrCat(months), currency,
                       absl::StrCat(value),
                       date.empty() ? std::nullopt : std::optional<std::string>(date)}};
      row.values.insert(row.values.end(), values.begin(), values.end());
      rows.push_back(std::move(row));
    }
    return rows;
  }

 private:
  [[nodiscard]] const v1::GrantFact* FirstGrant() const {
    for (const v1::GrantFact& grant : facts_.grants()) {
      if (!grant.cancelled()) return &grant;
    }
    return nullptr;
  }
  [[nodiscard]] std::vector<std::string> Values() const {
    const v1::HeaderFact& header = facts_.header();
    const v1::GrantFact* grant = FirstGrant();
    const auto* project = facts_.projects_size() > 0 ? &facts_.projects(0) : nullptr;
    const std::string none;
    const std::string& kind = grant != nullptr     ? grant->kind()
                              : project != nullptr ? project->kind()
                                                   : none;
    const std::string& sector = grant != nullptr     ? grant->sector()
                                : project != nullptr ? project->sector()
                                                     : none;
    const std::string& programme = grant != nullptr ? grant->programme() : header.programme();
    const std::string vulnerable = !facts_.has_profile()           ? ""
                                   : facts_.profile().vulnerable() ? "true"
                                                                   : "false";
    const std::string level =
        grant == nullptr || grant->level() == 0 ? "" : absl::StrCat(grant->level());
    return {facts_.profile().sex(),
            facts_.profile().age_band(),
            header.origin_country(),
            header.host_country(),
            header.return_type(),
            programme,
            kind,
            header.region(),
            sector,
            vulnerable,
            level};
  }

  const v1::CaseFacts& facts_;
  std::map<std::tuple<v1::IndicatorKind, int, std::string>, std::int64_t> values_;
};

v1::IndicatorKind KindOf(v1::Stage stage) {
  switch (stage) {
    case v1::STAGE_REGISTERED: return v1::INDICATOR_KIND_REGISTERED;
    case v1::STAGE_ARRIVED: return v1::INDICATOR_KIND_ARRIVED;
    case v1::STAGE_ASSESSED: return v1::INDICATOR_KIND_ASSESSED;
    case v1::STAGE_APPROVED: return v1::INDICATOR_KIND_APPROVED;
    case v1::STAGE_FUNDED: return v1::INDICATOR_KIND_FUNDED;
    case v1::STAGE_COMPLETED: return v1::INDICATOR_KIND_COMPLETED;
    default: return v1::INDICATOR_KIND_UNSPECIFIED;
  }
}

// A case counts once in each figure: a business is running where one of the case's businesses was.
void AddVisits(const v1::CaseFacts& facts, Figures& figures) {
  std::map<int, bool> running;
  std::map<std::string, std::pair<int, int>> last;  // by follow-up: number and jobs
  for (const v1::VisitFact& visit : facts.visits()) {
    if (visit.business()) running[visit.months()] |= visit.running();
    auto& seen = last[visit.follow_up_id()];
    if (visit.number() >= seen.first) seen = {visit.number(), visit.jobs()};
  }
  for (const auto& [months, runs] : running) {
    figures.Set(v1::INDICATOR_KIND_BUSINESS_RUNNING, runs ? 1 : 0, months);
  }
  if (last.empty()) return;
  std::int64_t jobs = 0;
  for (const auto& [_, seen] : last) jobs += seen.second;
  figures.Set(v1::INDICATOR_KIND_JOBS, jobs);
}

void AddMoney(const v1::CaseFacts& facts, Figures& figures) {
  bool approved = false;
  std::int64_t jobs = 0;
  for (const v1::ProjectFact& project : facts.projects()) {
    if (!project.has_approved()) continue;
    approved = true;
    jobs += project.jobs();
    figures.Add(v1::INDICATOR_KIND_AMOUNT_APPROVED, project.approved());
  }
  if (approved) figures.Set(v1::INDICATOR_KIND_JOBS_PLANNED, jobs);
  for (const v1::GrantFact& grant : facts.grants()) {
    if (!grant.cancelled()) figures.Add(v1::INDICATOR_KIND_AMOUNT_GRANTED, grant.amount());
  }
  for (const v1::PaymentFact& payment : facts.payments()) {
    figures.Add(v1::INDICATOR_KIND_AMOUNT_PAID, payment.amount());
  }
}

}  // namespace

// A row that says that the case is known, and its figures; none before the case itself is known, for the day of
// registration says to which period a figure belongs.
std::vector<engine::Row> CaseFactsDecider::Project(const State& state) {
  Figures figures(state);
  figures.Set(v1::INDICATOR_KIND_UNSPECIFIED, 0);
  if (state.header().registered_date().empty()) return figures.Rows();
  for (const v1::StageFact& stage : state.stages()) figures.Set(KindOf(stage.stage()), 1);
  AddVisits(state, figures);
  AddMoney(state, figures);
  for (const v1::SurveyFact& survey : state.surveys()) {
    const int window = survey.window_months();
    figures.Set(v1::INDICATOR_KIND_SCORE_ECONOMIC, survey.economic(), window);
    figures.Set(v1::INDICATOR_KIND_SCORE_SOCIAL, survey.social(), window);
    figures.Set(v1::INDICATOR_KIND_SCORE_PSYCHOSOCIAL, survey.psychosocial(), window);
    figures.Set(v1::INDICATOR_KIND_SCORE_COMPOSITE, survey.composite(), window);
  }
  if (state.referrals_size() > 0) {
    figures.Set(v1::INDICATOR_KIND_REFERRALS, state.referrals_size());
  }
  return figures.Rows();
}

void BindCaseFacts(engine::Registry& registry) {
  using engine::Names;
  const auto case_id = [](const auto& request) { return request.case_id(); };
  registry.Command<CaseFactsDecider, v1::RecordCaseFactRequest>(
      {.target = engine::Target::kEither,
       .id = case_id,
       .names = [](const auto& request, const auto& state, Names& names) {
         if (!ClosesVisits(request)) return;
         for (const std::string& id : state.active_follow_ups()) names.Add<v1::FollowUp>(id);
       }});
  registry.Command<CaseFactsDecider, v1::EraseCaseRequest>(
      {.target = engine::Target::kEither,
       .id = case_id,
       .names = [](const auto& /*request*/, const auto& state, Names& names) {
         for (const std::string& id : state.active_follow_ups()) names.Add<v1::FollowUp>(id);
         for (const std::string& id : state.open_alerts()) names.Add<v1::Alert>(id);
       }});
}

}  // namespace sankofa::monitoring
