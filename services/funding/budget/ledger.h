#pragma once

#include <string>
#include <string_view>

#include "sankofa/funding/v1/ledger.pb.h"
#include "services/platform/engine/decider.h"

// Double entry. An event that moves money carries the batch of postings that it makes, so the ledger is one table that
// is only ever added to and that can be built again from the events. A debit is positive, a credit negative, and every
// batch adds up to zero in every currency: a batch that does not ends the process before anything is written.
//
//     open      donor_commitment  +    line_available −
//     transfer  line_available A  +    line_available B −
//     reserve   line_available    +    line_reserved −
//     release   grant             +    payable −
//     pay       payable           +    bank −                 line_reserved  +   line_spent −
//     fail      payable           +    grant −                (the release taken back)
//     void      line_reserved     +    line_available −
//     refund    bank              +    grant −                line_spent     +   line_available −
//
// A payment in another currency than the line's goes over exchange_difference, once in each currency.
namespace sankofa::funding::ledger {

// Builds one batch. Postings of zero are left out.
class BatchBuilder {
 public:
  BatchBuilder(const engine::Context& context, std::string_view kind);

  BatchBuilder& Debit(v1::Account account, std::string_view holder,
                      const common::v1::Money& amount);
  BatchBuilder& Credit(v1::Account account, std::string_view holder,
                       const common::v1::Money& amount);
  // Debits the one and credits the other.
  BatchBuilder& Move(v1::Account debited, v1::Account credited, std::string_view holder,
                     const common::v1::Money& amount);

  // The batch; ends the process where it does not balance.
  [[nodiscard]] v1::PostingBatch Close() const;

 private:
  void Post(v1::Account account, std::string_view holder, const common::v1::Money& amount,
            int sign);

  v1::PostingBatch batch_;
};

// True where the sum is zero in every currency.
[[nodiscard]] bool Balances(const v1::PostingBatch& batch);

// Lower case, without the prefix: "line_available".
[[nodiscard]] std::string NameOf(v1::Account account);

// The table of postings, shared by all aggregates whose events carry a batch.
[[nodiscard]] const engine::Table& PostingTable();

// The rows of the batch that `event` carries; none where it carries none.
[[nodiscard]] std::vector<engine::Row> RowsOf(const google::protobuf::Message& event);

}  // namespace sankofa::funding::ledger
