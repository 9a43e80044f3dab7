#include "services/exchange/feed/shared_case.h"

#include "sankofa/registration/v1/registration_events.pb.h"

namespace sankofa::exchange {
namespace {

namespace reg = registration::v1;

void Take(const reg::CaseHeader& header, v1::SharedCase& news) {
  news.set_origin_country(header.origin_country());
  news.set_host_country(header.host_country());
  news.set_programme(header.programme());
}

}  // namespace

v1::SharedCase Noted(const v1::SharedCase& of, const v1::SharedCase& news) {
  v1::SharedCase after = of;
  after.MergeFrom(news);  // in proto3 what is empty or false is not there
  after.clear_etag();
  return after;
}

v1::SharedCase NewsIn(const google::protobuf::Message& event) {
  v1::SharedCase news;
  if (const auto* registered = dynamic_cast<const reg::CaseRegistered*>(&event)) {
    news.set_id(registered->case_id());
    news.set_person_id(registered->person_id());
    news.set_origin_country(registered->origin_country());
    news.set_host_country(registered->host_country());
    news.set_programme(registered->programme());
  } else if (const auto* changed = dynamic_cast<const reg::CaseHeaderChanged*>(&event)) {
    news.set_id(changed->case_id());
    Take(changed->header(), news);
  } else if (const auto* submitted = dynamic_cast<const reg::CaseSubmitted*>(&event)) {
    news.set_id(submitted->case_id());
    Take(submitted->header(), news);
    news.set_submitted(true);
  } else if (const auto* erased = dynamic_cast<const reg::CaseErased*>(&event)) {
    news.set_id(erased->case_id());
    news.set_erased(true);
  }
  return news;
}

engine::Decision SharedCaseDecider::Decide(const State& of, const v1::NoteCaseRequest& request,
                                           const engine::Context& /*context*/) {
  v1::CaseNoted noted;
  *noted.mutable_shared_case() = Noted(of, request.shared_case());
  if (noted.shared_case().SerializeAsString() == of.SerializeAsString()) return engine::Events();
  return engine::Emit(std::move(noted));
}

void SharedCaseDecider::Apply(State& of, const v1::CaseNoted& event) { of = event.shared_case(); }

std::vector<engine::Row> SharedCaseDecider::Project(const State& of) {
  return {{{of.person_id(), of.submitted() ? "t" : "f"}}};
}

const engine::Table& SharedCaseDecider::ProjectTable() {
  static const engine::Table table = {
      .name = "shared_case", .columns = {"person_id", "submitted"}, .types = {"text", "boolean"}};
  return table;
}

void BindSharedCase(engine::Registry& registry) {
  registry.Command<SharedCaseDecider, v1::NoteCaseRequest>(
      {.target = engine::Target::kEither,
       .id = [](const v1::NoteCaseRequest& request) { return request.shared_case().id(); }});
}

}  // namespace sankofa::exchange
