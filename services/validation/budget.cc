#include "services/validation/budget.h"

#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "sankofa/common/v1/common_reason.pb.h"
#include "sankofa/validation/v1/validation_reason.pb.h"
#include "services/platform/engine/wire.h"
#include "services/platform/money/money.h"
#include "services/platform/status/refuse.h"

namespace sankofa::validation {
namespace {

using common::v1::Money;

// A sum in one currency, which the first amount sets.
class Sum {
 public:
  explicit Sum(std::string& currency) : currency_(currency) {}

  absl::Status Add(const Money& amount, std::int64_t times, const std::string& field) {
    if (amount.minor_units() <= 0) {
      return status::RefuseField(v1::REASON_AMOUNT_NOT_POSITIVE, field);
    }
    if (currency_.empty()) currency_ = amount.currency();
    if (amount.currency() != currency_) {
      return status::RefuseField(common::v1::REASON_MONEY, absl::StrCat(field, ".currency"),
                                 absl::StrCat("expected ", currency_));
    }
    const auto product = money::Multiply(amount, times);
    const auto total = product.ok() ? money::Add(money::Of(currency_, total_), *product) : product;
    if (!total.ok()) return status::RefuseField(common::v1::REASON_MONEY, field);
    total_ = total->minor_units();
    return absl::OkStatus();
  }
  [[nodiscard]] std::int64_t total() const { return total_; }

 private:
  std::string& currency_;
  std::int64_t total_ = 0;
};

}  // namespace

absl::StatusOr<Budget> AddUp(const v1::ProjectContent& content) {
  Budget budget;
  Sum items(budget.currency);
  for (int i = 0; i < content.items_size(); ++i) {
    const v1::BudgetItem& item = content.items(i);
    if (auto added = items.Add(item.unit_price(), item.quantity(),
                               absl::StrCat("content.items[", i, "].unit_price"));
        !added.ok()) {
      return added;
    }
  }
  Sum own(budget.currency);
  for (int i = 0; i < content.own_contributions_size(); ++i) {
    if (auto added = own.Add(content.own_contributions(i).amount(), 1,
                             absl::StrCat("content.own_contributions[", i, "].amount"));
        !added.ok()) {
      return added;
    }
  }
  Sum requested(budget.currency);
  if (content.has_requested()) {
    if (auto added = requested.Add(content.requested(), 1, "content.requested"); !added.ok()) {
      return added;
    }
  }
  budget.items = items.total();
  budget.own = own.total();
  budget.requested = requested.total();
  return budget;
}

absl::Status CheckFreezable(const v1::ProjectContent& content) {
  std::vector<status::FieldViolation> missing;
  const auto need = [&missing](bool there, const char* field) {
    if (!there) missing.push_back({field, "needed for a submission"});
  };
  need(!content.title().empty(), "content.title");
  need(!content.region().empty(), "content.region");
  need(!content.sector().empty(), "content.sector");
  need(content.items_size() > 0, "content.items");
  need(content.has_requested(), "content.requested");
  if (!missing.empty()) {
    return status::Refuse(v1::REASON_PROJECT_INCOMPLETE,
                          {.fields = std::move(missing), .metadata = {}});
  }
  const auto budget = AddUp(content);
  if (!budget.ok()) return budget.status();
  const auto funding = money::Add(money::Of(budget->currency, budget->requested),
                                  money::Of(budget->currency, budget->own));
  if (!funding.ok()) return status::RefuseField(common::v1::REASON_MONEY, "content.requested");
  if (budget->items != funding->minor_units()) {
    return status::Refuse(
        v1::REASON_BUDGET_DOES_NOT_ADD_UP,
        {.fields = {{"content.items", ""}},
         .metadata = {{"items_minor_units", absl::StrCat(budget->items)},
                      {"funding_minor_units", absl::StrCat(funding->minor_units())},
                      {"currency", budget->currency}}});
  }
  return absl::OkStatus();
}

absl::Status CheckAmount(const Money& amount, const std::string& field) {
  std::string currency;
  return Sum(currency).Add(amount, 1, field);
}

std::string ContentHash(const v1::ProjectContent& content, const std::string& description,
                        const engine::Context& context) {
  const std::string bytes = engine::DeterministicBytes(content);
  // The length keeps content and description apart.
  return context.blind("life-project-content", absl::StrCat(bytes.size(), ":", bytes, description));
}

}  // namespace sankofa::validation
