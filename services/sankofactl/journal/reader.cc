#include "services/sankofactl/journal/reader.h"

#include <cstddef>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "services/platform/postgres/journal.h"

namespace sankofa::ctl {
namespace {

// One item after another of what is read a page at a time.
template <class Item>
class Paged {
 public:
  using ReadPage = std::function<absl::StatusOr<std::vector<Item>>(const Item* after)>;
  Paged(int page_rows, ReadPage read)
      : page_rows_(static_cast<std::size_t>(page_rows)), read_(std::move(read)) {}

  // Null at the end. Valid until the next call of Advance.
  absl::StatusOr<const Item*> Current() {
    if (at_ < page_.size()) return &page_[at_];
    if (ended_) return static_cast<const Item*>(nullptr);
    auto page = read_(page_.empty() ? nullptr : &page_.back());
    if (!page.ok()) return page.status();
    ended_ = page->size() < page_rows_;
    if (page->empty()) return static_cast<const Item*>(nullptr);
    page_ = *std::move(page);
    at_ = 0;
    return &page_[at_];
  }
  void Advance() { ++at_; }

 private:
  const std::size_t page_rows_;
  const ReadPage read_;
  std::vector<Item> page_;
  std::size_t at_ = 0;
  bool ended_ = false;
};

absl::StatusOr<std::vector<StreamHead>> ReadHeads(postgres::Connection& connection,
                                                  const StreamHead* after, int limit) {
  static const std::string kSql =
      "select type, id, version, last_hash from aggregate "
      "where (type, id) > ($1::text, $2::text) order by type, id limit $3::int";
  const engine::StreamKey from = after == nullptr ? engine::StreamKey() : after->stream;
  auto result = connection.Execute(
      postgres::Statement{.sql = kSql,
                          .params = {postgres::Param(from.type), postgres::Param(from.id),
                                     postgres::Param(absl::StrCat(limit))},
                          .binary_rows = true});
  if (!result.ok()) return result.status();
  std::vector<StreamHead> heads;
  for (int row = 0; row < result->rows(); ++row) {
    heads.push_back(
        {.stream = {std::string(result->text(row, 0)), std::string(result->text(row, 1))},
         .version = result->integer(row, 2),
         .last_hash = result->bytes(row, 3)});
  }
  return heads;
}

// Gives heads and rows as one sequence.
absl::Status Merge(Paged<StreamHead>& heads, Paged<engine::JournalRow>& rows,
                   const JournalReceiver& receiver) {
  while (true) {
    const auto head = heads.Current();
    if (!head.ok()) return head.status();
    const auto row = rows.Current();
    if (!row.ok()) return row.status();
    if (*head == nullptr && *row == nullptr) return absl::OkStatus();
    const bool row_first =
        *row != nullptr && (*head == nullptr || (*row)->stream < (*head)->stream);
    // A head's own rows come behind it, as the next head is then larger.
    if (row_first) {
      if (auto taken = receiver.row(**row); !taken.ok()) return taken;
      rows.Advance();
    } else {
      if (auto taken = receiver.head(**head); !taken.ok()) return taken;
      heads.Advance();
    }
  }
}

}  // namespace

absl::Status ReadJournal(postgres::Connection& connection, const std::string& schema,
                         const JournalReceiver& receiver, int page_rows) {
  // One snapshot for all pages. It takes no transaction id, so the relay's horizon goes on.
  auto begun = connection.Execute("begin isolation level repeatable read read only");
  if (!begun.ok()) return begun.status();
  postgres::Journal journal(connection, schema);
  Paged<StreamHead> heads(
      page_rows, [&](const StreamHead* after) { return ReadHeads(connection, after, page_rows); });
  Paged<engine::JournalRow> rows(page_rows, [&](const engine::JournalRow* after) {
    return after == nullptr ? journal.ReadAllStreams({}, 0, page_rows)
                            : journal.ReadAllStreams(after->stream, after->sequence, page_rows);
  });
  auto merged = Merge(heads, rows, receiver);
  connection.Rollback();
  return merged;
}

}  // namespace sankofa::ctl
