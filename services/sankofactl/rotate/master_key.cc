#include "services/sankofactl/rotate/master_key.h"

#include <memory>
#include <utility>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "services/platform/crypto/vault.h"
#include "services/platform/postgres/result.h"
#include "services/platform/status/text.h"

namespace sankofa::ctl {
namespace {

constexpr char kPageSql[] =
    "select subject_id, encode(wrapped, 'hex') from subject_key "
    "where wrapped is not null and subject_id > $1::text order by subject_id limit $2::int";
// Only what is still as it was read: in between it may have been destroyed, or wrapped anew by another run.
constexpr char kUpdateSql[] =
    "update subject_key k set wrapped = decode(n.fresh, 'hex') "
    "from unnest($1::text[], $2::text[], $3::text[]) as n (subject_id, old, fresh) "
    "where k.subject_id = n.subject_id and k.wrapped = decode(n.old, 'hex')";

// A vault over the newest key alone, and one over all.
struct Vaults {
  std::unique_ptr<crypto::Vault> newest;
  std::unique_ptr<crypto::Vault> all;
};

absl::StatusOr<Vaults> VaultsOf(const crypto::MasterKeys& keys) {
  auto newest = crypto::Vault::FromBytes(keys.master);
  if (!newest.ok()) return newest.status();
  auto all = crypto::Vault::FromBase64(crypto::FormatMasterKeys(keys));
  if (!all.ok()) return all.status();
  return Vaults{*std::move(newest), *std::move(all)};
}

struct Page {
  std::vector<std::string> subjects;
  std::vector<std::string> old;    // hex
  std::vector<std::string> fresh;  // hex
};

absl::Status AddTo(Page& page, const Vaults& vaults, const std::string& subject,
                   const std::string& hex) {
  const std::string wrapped = absl::HexStringToBytes(hex);
  if (vaults.newest->Unwrap(subject, wrapped).ok()) return absl::OkStatus();
  const auto key = vaults.all->Unwrap(subject, wrapped);
  if (!key.ok()) {
    return absl::FailedPreconditionError(
        "a subject's key opens with none of the master keys in the file: nothing was changed for "
        "it. Put the key that wrapped it into the file as `earlier`, then run this again.");
  }
  page.subjects.push_back(subject);
  page.old.push_back(hex);
  page.fresh.push_back(absl::BytesToHexString(vaults.newest->Wrap(subject, *key)));
  return absl::OkStatus();
}

// Calls `take(subject, wrapped in hex)` for all, and `end` after each page.
absl::Status EachKey(
    postgres::Connection& connection, int page,
    const std::function<absl::Status(const std::string&, const std::string&)>& take,
    const std::function<absl::Status()>& end) {
  std::string last;
  while (true) {
    const auto rows = connection.Execute(kPageSql, {last, absl::StrCat(page)});
    if (!rows.ok()) return rows.status();
    if (rows->rows() == 0) return absl::OkStatus();
    for (int row = 0; row < rows->rows(); ++row) {
      last = std::string(rows->text(row, 0));
      if (auto taken = take(last, std::string(rows->text(row, 1))); !taken.ok()) return taken;
    }
    if (auto ended = end(); !ended.ok()) return ended;
  }
}

}  // namespace

MasterKeyStep NextStep(const crypto::MasterKeys& keys) {
  if (keys.next) return MasterKeyStep::kPromote;
  return keys.earlier.empty() ? MasterKeyStep::kPrepare : MasterKeyStep::kRewrap;
}

Rewrapped& Rewrapped::operator+=(const Rewrapped& other) {
  subjects += other.subjects;
  changed += other.changed;
  return *this;
}

absl::StatusOr<Rewrapped> Rewrap(postgres::Connection& connection, const crypto::MasterKeys& keys,
                                 const std::function<absl::Status()>& after_page, int page) {
  const auto vaults = VaultsOf(keys);
  if (!vaults.ok()) return vaults.status();
  Rewrapped done;
  Page pending;
  const auto write = [&]() -> absl::Status {
    if (!pending.subjects.empty()) {
      const auto updated = connection.Execute(
          kUpdateSql, {postgres::ArrayLiteral(pending.subjects),
                       postgres::ArrayLiteral(pending.old), postgres::ArrayLiteral(pending.fresh)});
      if (!updated.ok()) return updated.status();
      done.changed += updated->affected();
      pending = {};
    }
    return after_page ? after_page() : absl::OkStatus();
  };
  auto walked = EachKey(
      connection, page,
      [&](const std::string& subject, const std::string& hex) {
        ++done.subjects;
        return AddTo(pending, *vaults, subject, hex);
      },
      write);
  if (!walked.ok()) return walked;
  return done;
}

absl::StatusOr<std::int64_t> LeftBehind(postgres::Connection& connection,
                                        const crypto::MasterKeys& keys) {
  const auto newest = crypto::Vault::FromBytes(keys.master);
  if (!newest.ok()) return newest.status();
  std::int64_t left = 0;
  auto walked = EachKey(
      connection, kRewrapPage,
      [&](const std::string& subject, const std::string& hex) {
        if (!(*newest)->Unwrap(subject, absl::HexStringToBytes(hex)).ok()) ++left;
        return absl::OkStatus();
      },
      [] { return absl::OkStatus(); });
  if (!walked.ok()) return walked;
  return left;
}

}  // namespace sankofa::ctl
