#pragma once

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "sankofa/exchange/v1/exchange_events.pb.h"
#include "sankofa/exchange/v1/feed.pb.h"
#include "sankofa/exchange/v1/feed_messages.pb.h"
#include "sankofa/funding/v1/funding_events.pb.h"
#include "sankofa/monitoring/v1/monitoring_events.pb.h"
#include "sankofa/registration/v1/registration_events.pb.h"
#include "sankofa/validation/v1/validation_events.pb.h"
#include "services/platform/engine/engine.h"
#include "tests/unit/monitoring/fixture.h"

// Events of all services on one case, as they are published.
namespace sankofa::monitoring {

template <class Event>
engine::IncomingEvent Published(const std::string& type, const std::string& id,
                                std::int64_t sequence, const Event& event,
                                absl::Time time = test::Morning(),
                                const std::string& case_id = kCase) {
  return {.meta = {.source = engine::Reactions::SourceOf(Event::descriptor()->full_name()),
                   .stream = {type, id},
                   .sequence = sequence,
                   .partition_key = case_id,
                   .time = time,
                   .traceparent = {}},
          .event_type = Event::descriptor()->full_name(),
          .payload = event.SerializeAsString()};
}

inline common::v1::Money Euros(std::int64_t minor_units) {
  common::v1::Money money;
  money.set_currency("EUR");
  money.set_minor_units(minor_units);
  return money;
}

inline registration::v1::CaseRegistered Registered() {
  registration::v1::CaseRegistered event;
  event.set_case_id(kCase);
  event.set_person_id("person-1");
  event.set_reference("CM-2017-0001");
  event.set_origin_country("CM");
  event.set_host_country("FR");
  event.set_return_type(registration::v1::RETURN_TYPE_VOLUNTARY_RETURN);
  event.set_programme("ofii-cm-2017");
  event.set_region("littoral");
  event.set_responsible_organisation("minrex");
  event.set_adults(2);
  event.set_children(1);
  event.mutable_profile()->set_sex(registration::v1::SEX_FEMALE);
  event.mutable_profile()->set_age_band(registration::v1::AGE_BAND_25_TO_34);
  event.mutable_profile()->set_vulnerable(true);
  *event.mutable_registered_time() = time::ToTimestamp(Noon("2017-01-15"));
  return event;
}

inline registration::v1::CaseArrived Arrived() {
  registration::v1::CaseArrived event;
  event.set_case_id(kCase);
  event.set_arrival_date("2017-03-01");
  return event;
}

inline registration::v1::CaseAssessed Assessed() {
  registration::v1::CaseAssessed event;
  event.set_case_id(kCase);
  event.set_orientation("anpe");
  event.mutable_profile()->set_sex(registration::v1::SEX_FEMALE);
  event.set_adults(2);
  event.set_children(2);
  *event.mutable_assessed_time() = time::ToTimestamp(Noon("2017-03-10"));
  return event;
}

inline registration::v1::CaseErased Erased() {
  registration::v1::CaseErased event;
  event.set_case_id(kCase);
  return event;
}

inline validation::v1::ProjectSubmitted Submitted(const std::string& project) {
  validation::v1::ProjectSubmitted event;
  event.set_project_id(project);
  event.set_case_id(kCase);
  event.set_version(1);
  event.set_kind(validation::v1::PROJECT_KIND_BUSINESS_CREATION);
  event.set_title("Poultry");
  *event.mutable_requested() = Euros(600'000);
  event.set_sector("agriculture");
  event.set_region("littoral");
  event.set_jobs(3);
  return event;
}

inline validation::v1::ProjectApproved Approved(const std::string& project) {
  validation::v1::ProjectApproved event;
  event.set_project_id(project);
  event.set_case_id(kCase);
  event.set_version(1);
  *event.mutable_amount() = Euros(500'000);
  event.set_session_id("session-1");
  event.set_kind(validation::v1::PROJECT_KIND_BUSINESS_CREATION);
  event.set_sector("agriculture");
  event.set_region("littoral");
  event.set_jobs(3);
  *event.mutable_decided_time() = time::ToTimestamp(Noon("2017-05-30"));
  return event;
}

inline funding::v1::GrantReserved Reserved(const std::string& grant) {
  funding::v1::GrantReserved event;
  event.set_grant_id(grant);
  event.set_case_id(kCase);
  event.set_project_id("p1");
  event.set_programme("ofii-cm-2017");
  event.set_budget_line("ofii-cm-2017-line");
  *event.mutable_amount() = Euros(500'000);
  for (const auto& [number, amount] : {std::pair(1, 350'000), std::pair(2, 150'000)}) {
    funding::v1::Instalment& instalment = *event.add_instalments();
    instalment.set_number(number);
    *instalment.mutable_amount() = Euros(amount);
  }
  return event;
}

inline funding::v1::GrantSigned Signed(const std::string& grant) {
  funding::v1::GrantSigned event;
  event.set_grant_id(grant);
  event.set_case_id(kCase);
  event.set_project_id("p1");
  *event.mutable_amount() = Euros(500'000);
  event.set_programme("ofii-cm-2017");
  event.add_follow_up_months(1);
  event.add_follow_up_months(6);
  *event.mutable_signed_time() = time::ToTimestamp(Noon("2017-06-30"));
  event.set_kind(static_cast<funding::v1::ProjectKind>(1));
  event.set_sector("agriculture");
  event.set_level(3);
  return event;
}

template <class Event>
Event InstalmentEvent(const std::string& grant, int number) {
  Event event;
  event.set_grant_id(grant);
  event.set_case_id(kCase);
  event.set_instalment(number);
  *event.mutable_amount() = Euros(350'000);
  return event;
}

// What a partner's node said of the case: `event` as it came over the border, and its number on the partner's feed, which
// is its number in the exchange's stream here too.
inline exchange::v1::FeedEvent FeedEventOf(const std::string& node, std::int64_t sequence,
                                           const engine::IncomingEvent& event) {
  exchange::v1::FeedEvent told;
  told.set_sender(node);
  told.set_receiver("fr");
  told.set_subject(absl::StrCat("Case/", event.meta.partition_key));
  told.set_sequence(sequence);
  told.set_type(event.event_type);
  told.set_payload(event.payload);
  *told.mutable_event_time() = time::ToTimestamp(event.meta.time);
  told.set_source(event.meta.source);
  told.set_source_stream(absl::StrCat(event.meta.stream.type, "/", event.meta.stream.id));
  told.set_source_sequence(event.meta.sequence);
  return told;
}

template <class Event>
engine::IncomingEvent OnReceivedFeed(const std::string& node, std::int64_t sequence,
                                     const Event& event, const std::string& case_id = kCase) {
  return Published("ReceivedFeed", absl::StrCat(node, ":Case/", case_id), sequence, event,
                   test::Morning() + absl::Hours(sequence), case_id);
}

inline engine::IncomingEvent ToldAs(const exchange::v1::FeedEvent& told, const std::string& node,
                                    std::int64_t sequence, const std::string& case_id = kCase) {
  exchange::v1::UpdateReceived update;
  update.set_feed_id(absl::StrCat(node, ":Case/", case_id));
  update.set_subject_id(case_id);
  update.set_sender(node);
  update.set_subject(told.subject());
  update.set_sequence(told.sequence());
  update.set_type(told.type());
  update.set_event(told.SerializeAsString());
  return OnReceivedFeed(node, sequence, update, case_id);
}

inline engine::IncomingEvent Told(const std::string& node, std::int64_t sequence,
                                  const engine::IncomingEvent& event) {
  return ToldAs(FeedEventOf(node, sequence, event), node, sequence, event.meta.partition_key);
}

// A whole case, in the order in which it happens.
std::vector<engine::IncomingEvent> Story();

}  // namespace sankofa::monitoring
