#include "services/registration/care/centre.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "sankofa/registration/v1/registration_reason.pb.h"
#include "services/platform/status/refuse.h"
#include "services/platform/time/time.h"
#include "services/registration/case/case.h"

namespace sankofa::registration {
namespace {

using status::Refuse;
using status::RefuseField;
using time::ToTimestamp;

int Occupied(const v1::Centre& centre) {
  int persons = 0;
  for (const auto& stay : centre.stays()) persons += stay.persons();
  return persons;
}

}  // namespace

engine::Decision CentreDecider::Decide(const State& /*centre*/,
                                       const v1::OpenCentreRequest& request,
                                       const engine::Context& context) {
  v1::CentreOpened event;
  event.set_centre(request.centre());
  event.set_name(request.name());
  event.set_country(request.country());
  event.set_places(request.places());
  *event.mutable_opened_time() = ToTimestamp(context.now);
  return engine::Emit(event);
}

void CentreDecider::Apply(State& centre, const v1::CentreOpened& event) {
  centre.set_id(event.centre());
  centre.set_name(event.name());
  centre.set_country(event.country());
  centre.set_places(event.places());
  *centre.mutable_opened_time() = event.opened_time();
}

engine::Decision CentreDecider::Decide(const State& centre,
                                       const v1::ChangeCentrePlacesRequest& request,
                                       const engine::Context& /*context*/) {
  if (request.places() < centre.occupied()) return Refuse(v1::REASON_CENTRE_OCCUPIED);
  v1::CentrePlacesChanged event;
  event.set_centre(centre.id());
  event.set_places(request.places());
  return engine::Emit(event);
}

void CentreDecider::Apply(State& centre, const v1::CentrePlacesChanged& event) {
  centre.set_places(event.places());
}

engine::Decision CentreDecider::Decide(const State& centre, const v1::CheckInRequest& request,
                                       const engine::Context& context) {
  const auto& of = context.Related<v1::Case>(request.case_id());
  if (of.id().empty()) return RefuseField(v1::REASON_CASE_NOT_FOUND, "case_id");
  if (auto wrong = CheckOpen(of); !wrong.ok()) return wrong;
  if (of.state() < v1::CASE_STATE_ARRIVED) return Refuse(v1::REASON_CASE_NOT_ARRIVED);
  if (!of.centre().empty()) {
    return Refuse(v1::REASON_CASE_LODGED, {.fields = {}, .metadata = {{"centre", of.centre()}}});
  }
  const int persons = std::max(1, of.adults() + of.children());
  if (centre.occupied() + persons > centre.places()) {
    return Refuse(
        v1::REASON_CENTRE_FULL,
        {.fields = {}, .metadata = {{"free", absl::StrCat(centre.places() - centre.occupied())}}});
  }
  v1::StayBegun begun;
  begun.set_centre(centre.id());
  begun.set_case_id(of.id());
  begun.set_persons(persons);
  *begun.mutable_check_in_time() = ToTimestamp(context.now);
  v1::CaseLodged lodged;
  lodged.set_case_id(of.id());
  lodged.set_centre(centre.id());
  return engine::Emit(std::move(begun)).AddTo<v1::Case>(of.id(), std::move(lodged));
}

void CentreDecider::Apply(State& centre, const v1::StayBegun& event) {
  auto* stay = centre.add_stays();
  stay->set_case_id(event.case_id());
  stay->set_persons(event.persons());
  *stay->mutable_check_in_time() = event.check_in_time();
  centre.set_occupied(Occupied(centre));
}

engine::Decision CentreDecider::Decide(const State& centre, const v1::CheckOutRequest& request,
                                       const engine::Context& context) {
  const auto& stays = centre.stays();
  const bool here = std::any_of(stays.begin(), stays.end(), [&](const auto& stay) {
    return stay.case_id() == request.case_id();
  });
  if (!here) return Refuse(v1::REASON_NOT_LODGED_HERE);
  v1::StayEnded ended;
  ended.set_centre(centre.id());
  ended.set_case_id(request.case_id());
  *ended.mutable_check_out_time() = ToTimestamp(context.now);
  v1::CaseLeftCentre left;
  left.set_case_id(request.case_id());
  left.set_centre(centre.id());
  return engine::Emit(std::move(ended)).AddTo<v1::Case>(request.case_id(), std::move(left));
}

void CentreDecider::Apply(State& centre, const v1::StayEnded& event) {
  auto& stays = *centre.mutable_stays();
  stays.erase(std::remove_if(stays.begin(), stays.end(),
                             [&](const auto& stay) { return stay.case_id() == event.case_id(); }),
              stays.end());
  centre.set_occupied(Occupied(centre));
}

const engine::Table& CentreDecider::ProjectTable() {
  static const engine::Table table{.name = "centre_list",
                                   .columns = {"name", "country", "places", "occupied"},
                                   .types = {"text", "text", "int", "int"},
                                   .mode = engine::Table::Mode::kReplace};
  return table;
}

std::vector<engine::Row> CentreDecider::Project(const State& centre) {
  return {{{centre.name(), centre.country(), absl::StrCat(centre.places()),
            absl::StrCat(centre.occupied())}}};
}

}  // namespace sankofa::registration
