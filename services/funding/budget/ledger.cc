#include "services/funding/budget/ledger.h"

#include <map>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "services/platform/money/money.h"
#include "services/platform/status/check.h"
#include "services/platform/time/time.h"

namespace sankofa::funding::ledger {

using common::v1::Money;
using google::protobuf::FieldDescriptor;

BatchBuilder::BatchBuilder(const engine::Context& context, std::string_view kind) {
  batch_.set_id(context.NewId("batch"));
  *batch_.mutable_posted_time() = time::ToTimestamp(context.now);
  batch_.set_kind(std::string(kind));
}

BatchBuilder& BatchBuilder::Debit(v1::Account account, std::string_view holder,
                                  const Money& amount) {
  Post(account, holder, amount, 1);
  return *this;
}

BatchBuilder& BatchBuilder::Credit(v1::Account account, std::string_view holder,
                                   const Money& amount) {
  Post(account, holder, amount, -1);
  return *this;
}

BatchBuilder& BatchBuilder::Move(v1::Account debited, v1::Account credited, std::string_view holder,
                                 const Money& amount) {
  return Debit(debited, holder, amount).Credit(credited, holder, amount);
}

void BatchBuilder::Post(v1::Account account, std::string_view holder, const Money& amount,
                        int sign) {
  status::Check(amount.minor_units() >= 0, "a posting has its sign from its side");
  if (amount.minor_units() == 0) return;
  v1::Posting& posting = *batch_.add_postings();
  posting.set_account(account);
  posting.set_holder(std::string(holder));
  *posting.mutable_amount() = money::Of(amount.currency(), sign * amount.minor_units());
}

v1::PostingBatch BatchBuilder::Close() const {
  status::Check(Balances(batch_),
                absl::StrCat("a batch of postings does not balance: ", batch_.kind()));
  return batch_;
}

bool Balances(const v1::PostingBatch& batch) {
  std::map<std::string, Money> sums;
  for (const v1::Posting& posting : batch.postings()) {
    const std::string& currency = posting.amount().currency();
    const auto slot = sums.try_emplace(currency, money::Zero(currency)).first;
    const auto sum = money::Add(slot->second, posting.amount());
    if (!sum.ok()) return false;
    slot->second = *sum;
  }
  return std::all_of(sums.begin(), sums.end(),
                     [](const auto& sum) { return sum.second.minor_units() == 0; });
}

std::string NameOf(v1::Account account) {
  return absl::AsciiStrToLower(absl::StripPrefix(v1::Account_Name(account), "ACCOUNT_"));
}

const engine::Table& PostingTable() {
  static const engine::Table table = {
      .name = "posting",
      .columns = {"batch_id", "kind", "posted_time", "account", "holder", "currency", "amount",
                  "grant_id"},
      .types = {"text", "text", "timestamptz", "text", "text", "text", "bigint", "text"},
      .mode = engine::Table::Mode::kAppend,
  };
  return table;
}

std::vector<engine::Row> RowsOf(const google::protobuf::Message& event) {
  const auto* descriptor = event.GetDescriptor();
  const auto* reflection = event.GetReflection();
  const FieldDescriptor* field = descriptor->FindFieldByName("batch");
  if (field == nullptr || field->message_type() != v1::PostingBatch::descriptor()) return {};
  const auto& batch = static_cast<const v1::PostingBatch&>(reflection->GetMessage(event, field));
  status::Check(Balances(batch), "an event carries postings that do not balance");

  const FieldDescriptor* grant = descriptor->FindFieldByName("grant_id");
  std::optional<std::string> grant_id;
  if (grant != nullptr) grant_id = reflection->GetString(event, grant);
  const std::string posted_time = absl::FormatTime(
      absl::RFC3339_full, time::FromTimestamp(batch.posted_time()), absl::UTCTimeZone());
  std::vector<engine::Row> rows;
  for (const v1::Posting& posting : batch.postings()) {
    rows.push_back({.values = {batch.id(), batch.kind(), posted_time, NameOf(posting.account()),
                               posting.holder(), posting.amount().currency(),
                               absl::StrCat(posting.amount().minor_units()), grant_id}});
  }
  return rows;
}

}  // namespace sankofa::funding::ledger
