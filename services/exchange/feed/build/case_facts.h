#pragma once

#include "services/exchange/feed/build/round.h"

// What happened in a case, to the partners that an agreement and a consent let have it.
//
// A case's feed begins when the case is submitted and the partner is entitled to it: then all that happened before is
// read again from the services' journals and goes out first, in order. The same is done where a partner was suspended
// meanwhile, and where an agreement comes into force later (backlog.h). What was sent is known from the feed's marks: of
// each stream the number of the last event. The feed does not go back behind it, for receivers apply what they read: a
// closing that is told after the reopening that followed it would close the case again.
//
// A box goes with the first message, and with the next one after what may be disclosed has changed; where nothing else is
// to be said, with a DisclosureChanged.
namespace sankofa::exchange {

// `message`: the event at hand where it is one of the case; null to look whether there is anything to tell.
[[nodiscard]] absl::Status ShareCase(Round& round, const v1::SharedCase& of,
                                     const v1::Partner& partner,
                                     const google::protobuf::Message* message, Work& work);
// The same, with every active partner.
[[nodiscard]] absl::Status ShareWithAll(Round& round, const std::string& case_id,
                                        const google::protobuf::Message& message, Work& work);
// An event with an addressee, to that partner and nobody else. It needs an agreement in force, and no consent. Kept where
// the partner is suspended. `message`: the event, parsed.
[[nodiscard]] absl::Status ShareWithAddressee(Round& round, const engine::IncomingEvent& event,
                                              const google::protobuf::Message& message, Work& work);

}  // namespace sankofa::exchange
