#include "services/exchange/directory.h"

#include <utility>

#include "services/platform/status/refuse.h"
#include "services/platform/time/time.h"

namespace sankofa::exchange {
namespace {

using google::protobuf::RepeatedPtrField;

constexpr absl::Duration kPatience = absl::Seconds(5);

// Of the platform's own table: the states are stored there whole, and neither holds anything personal.
constexpr char kStampSql[] =
    "select count(*)::bigint, coalesce(sum(version), 0)::bigint from aggregate "
    "where type in ('Partner', 'SharingAgreement')";
constexpr char kStatesSql[] =
    "select type, version, state from aggregate where type in ('Partner', 'SharingAgreement') "
    "order by type, id";

}  // namespace

absl::Status Snapshot::Add(std::string_view type, const std::string& state) {
  if (type == "Partner") {
    v1::Partner partner;
    if (!partner.ParseFromString(state)) return status::Internal("a stored partner can't be read");
    partners[partner.id()] = std::move(partner);
    return absl::OkStatus();
  }
  v1::SharingAgreement agreement;
  if (!agreement.ParseFromString(state)) {
    return status::Internal("a stored agreement can't be read");
  }
  if (agreement.has_signed_time() && agreement.state() != v1::AGREEMENT_STATE_REPLACED) {
    agreements[agreement.partner_id()].push_back(std::move(agreement));
  }
  return absl::OkStatus();
}

const v1::Partner* Snapshot::Find(const std::string& partner) const {
  const auto found = partners.find(partner);
  return found == partners.end() ? nullptr : &found->second;
}

const v1::Partner* Snapshot::FindActive(const std::string& partner) const {
  const v1::Partner* found = Find(partner);
  return found != nullptr && found->state() == v1::PARTNER_STATE_ACTIVE ? found : nullptr;
}

std::vector<const v1::SharingAgreement*> Snapshot::InForce(const std::string& partner,
                                                           absl::CivilDay day) const {
  std::vector<const v1::SharingAgreement*> in_force;
  const auto found = agreements.find(partner);
  if (found == agreements.end() || FindActive(partner) == nullptr) return in_force;
  for (const v1::SharingAgreement& agreement : found->second) {
    if (exchange::InForce(agreement, day)) in_force.push_back(&agreement);
  }
  return in_force;
}

bool InForce(const v1::SharingAgreement& agreement, absl::CivilDay day) {
  if (!agreement.has_signed_time() || agreement.state() == v1::AGREEMENT_STATE_REPLACED) {
    return false;
  }
  const auto from = time::ParseDay(agreement.terms().from_date());
  const auto until = time::ParseDay(agreement.terms().until_date());
  if (!from || !until || day < *from || day > *until) return false;
  if (agreement.end_date().empty()) return true;
  const auto end = time::ParseDay(agreement.end_date());
  return end && day <= *end;
}

const RepeatedPtrField<v1::Share>& SharesOf(const v1::AgreementTerms& terms,
                                            const std::string& node) {
  if (node == terms.proposer()) return terms.proposer_shares();
  if (node == terms.counterpart()) return terms.counterpart_shares();
  return v1::AgreementTerms::default_instance().proposer_shares();
}

PostgresDirectory::PostgresDirectory(postgres::Pool& pool, std::string node)
    : pool_(pool), node_(std::move(node)) {}

absl::StatusOr<std::shared_ptr<const Snapshot>> PostgresDirectory::Current() {
  const std::lock_guard lock(mutex_);
  auto connection = pool_.Acquire(absl::Now() + kPatience);
  if (!connection.ok()) return connection.status();
  const auto stamped = (*connection)->Execute(kStampSql);
  if (!stamped.ok()) return stamped.status();
  const Stamp stamp{stamped->integer(0, 0), stamped->integer(0, 1)};
  if (snapshot_ && stamp == stamp_) return snapshot_;

  const auto rows = (*connection)->Execute(kStatesSql);
  if (!rows.ok()) return rows.status();
  auto fresh = std::make_shared<Snapshot>();
  fresh->node = node_;
  Stamp read{rows->rows(), 0};
  for (int row = 0; row < rows->rows(); ++row) {
    read.versions += rows->integer(row, 1);
    if (auto added = fresh->Add(rows->text(row, 0), rows->bytes(row, 2)); !added.ok()) return added;
  }
  stamp_ = read;
  snapshot_ = std::move(fresh);
  return snapshot_;
}

}  // namespace sankofa::exchange
