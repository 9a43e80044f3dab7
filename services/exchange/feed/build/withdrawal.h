#pragma once

#include "sankofa/registration/v1/registration_events.pb.h"
#include "services/exchange/feed/build/round.h"

// Where a partner is to keep nothing any more. Each leads to an Erasure, which is kept until the partner has answered; its
// event leads to the request on the feed (own_messages.h). Until that stops the feed, no consent holds.
namespace sankofa::exchange {

// A consent is withdrawn: nothing more for that purpose, and an erasure where none is left.
[[nodiscard]] absl::Status Withdraw(Round& round, const registration::v1::ConsentWithdrawn& event,
                                    Work& work);
// A person is erased: every partner that got the case is asked to.
[[nodiscard]] absl::Status EraseEverywhere(Round& round, const registration::v1::CaseErased& event,
                                           Work& work);
// Registration has erased what a partner disclosed: its key is destroyed here, and the partner gets its receipt.
[[nodiscard]] absl::Status AnswerErasure(Round& round,
                                         const registration::v1::PartnerDataErased& event,
                                         Work& work);

}  // namespace sankofa::exchange
