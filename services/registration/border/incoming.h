#pragma once

#include <string>

#include "absl/status/status.h"
#include "google/protobuf/repeated_field.h"
#include "sankofa/registration/v1/registration_events.pb.h"
#include "sankofa/registration/v1/registration_internal.pb.h"
#include "services/platform/engine/decider.h"
#include "services/platform/engine/fact_call.h"
#include "services/platform/engine/registry.h"
#include "services/registration/person/names.h"

// A partner's case at this node: how the person and the case come to be, from what the partner tells (signed, never
// personal) and what it discloses (fetched from exchange right before the decision).
//
// Nothing that is missing refuses the case: a person whose names were not disclosed is a pseudonymous one. What is not
// well formed is left out: another node's mistake must not stop this one.
namespace sankofa::registration {

// The id of the record that is made for a partner's case: derived, so that whoever knows the case finds it.
[[nodiscard]] std::string PartnerPersonId(const std::string& sender, const std::string& case_id);

// What the partner disclosed last of the case, for the facts of a command. Nothing disclosed: an empty answer.
[[nodiscard]] absl::StatusOr<std::shared_ptr<const google::protobuf::Message>> FetchDisclosed(
    engine::FactCall& call, const std::string& case_id, const std::string& sender);

// The person as all disclosures together show it: details and vulnerabilities only.
[[nodiscard]] v1::Person DisclosedPerson(const google::protobuf::Message* facts);
// The referrals disclosed, each once.
[[nodiscard]] google::protobuf::RepeatedPtrField<v1::Referral> DisclosedReferrals(
    const google::protobuf::Message* facts);

// The claims that the disclosed details give rise to.
void NameDisclosed(const google::protobuf::Message& facts, const Blind& blind,
                   engine::Names& names);

// The case as it is opened here: the partner answers for it, and what is not well formed is left out. FACT_MALFORMED
// where it is not about `case_id`.
[[nodiscard]] absl::StatusOr<v1::CaseRegistered> IncomingCase(const v1::ReceiveCaseRequest& request,
                                                              const engine::Context& context);

// What the partner shares for is also what may go back to it: one consent a purpose, on file at the partner, without
// scopes. Those that the case has are not added again.
void AddPartnerConsents(const v1::Case& of, const std::string& case_id, const std::string& sender,
                        const google::protobuf::RepeatedField<int>& purposes,
                        const engine::Context& context, engine::Events& events);

}  // namespace sankofa::registration
