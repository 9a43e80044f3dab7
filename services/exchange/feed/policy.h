#pragma once

#include <memory>
#include <string>
#include <vector>

#include "google/protobuf/message.h"
#include "sankofa/exchange/v1/shared_case.pb.h"
#include "sankofa/exchange/v1/sharing_agreement.pb.h"
#include "sankofa/registration/v1/registration_service.pb.h"

// What a partner may get: a function of an event, the agreements, the case and the consents, and of nothing else. Which
// fields pass is read from the protos, by reflection; no message is copied by hand.
//
//   type      an agreement in force names it, for this case, for a purpose to which the person consents now
//   payload   PUBLIC and NODE fields, unless the agreement leaves them out for every purpose that holds; never a PERSONAL
//             or SENSITIVE one, never what is sealed, never a field that this binary does not know
//   box       of what registration discloses for a purpose, the PERSONAL and SENSITIVE fields that the agreement names for
//             that purpose, and what is neither
//
// An event with an `addressee` goes to that partner alone, under any agreement in force, whole but for what is personal.
// One that repeats a partner's fact (`origin_node`) goes to nobody.
namespace sankofa::exchange {

using Purpose = registration::v1::ConsentPurpose;
using Shares = google::protobuf::RepeatedPtrField<v1::Share>;

// How an event may leave the node at all.
enum class Way {
  kStays,
  kCase,        // to whom an agreement and a consent let it
  kAddressed,   // to its addressee
  kStatistics,  // to whom an agreement lets it
};
[[nodiscard]] Way WayOf(const google::protobuf::Message& event);

// The partner that an event is addressed to; empty where it is to none.
[[nodiscard]] std::string AddresseeOf(const google::protobuf::Message& event);
// The case that an event is of; empty where it is of none.
[[nodiscard]] std::string CaseOf(const google::protobuf::Message& event);

// Whether the case is one that the agreement is about.
[[nodiscard]] bool LetsThrough(const v1::CaseFilter& filter, const v1::SharedCase& of);

// The purposes for which events of this type are shared, sorted; UNSPECIFIED among them for statistics.
[[nodiscard]] std::vector<Purpose> PurposesOf(const Shares& shares, const std::string& type);
// All purposes that are named at all, sorted, without UNSPECIFIED.
[[nodiscard]] std::vector<Purpose> PurposesOf(const Shares& shares);

// Under which agreement, and for what, an event goes to a partner.
struct Ground {
  const v1::SharingAgreement* agreement = nullptr;  // null: it does not
  std::vector<Purpose> purposes;  // empty for statistics and for what is addressed
};
// `agreements`: those in force with the partner. `node`: our own id. `consented`: for what the person consents now to
// share with it. Of several agreements the one that covers more purposes, then the one that comes first.
[[nodiscard]] Ground GroundFor(const google::protobuf::Message& event, const std::string& partner,
                               const std::vector<const v1::SharingAgreement*>& agreements,
                               const std::string& node, const v1::SharedCase& of,
                               const std::vector<Purpose>& consented);

// The event with nothing in it that the partner may not see. `purposes` as in Ground.
[[nodiscard]] std::unique_ptr<google::protobuf::Message> Cut(const google::protobuf::Message& event,
                                                             const Shares& shares,
                                                             const std::vector<Purpose>& purposes);

// Of a disclosure what the shares for its purpose let through. Without person and case where nothing is left.
[[nodiscard]] registration::v1::Disclosure Limit(const registration::v1::Disclosure& disclosure,
                                                 const Shares& shares);

}  // namespace sankofa::exchange
