#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/civil_time.h"
#include "sankofa/exchange/v1/partner.pb.h"
#include "sankofa/exchange/v1/sharing_agreement.pb.h"
#include "services/platform/postgres/pool.h"

// Who the partners are and what is agreed with them, for those who send and receive: they look here once for each batch
// of messages, and the deciders check again under lock.
namespace sankofa::exchange {

// As it stood at one moment. Never changes; may be kept as long as it is wanted.
struct Snapshot {
  std::string node;                             // our own id
  std::map<std::string, v1::Partner> partners;  // by code; suspended ones too
  // By partner: those that both have signed and that no later version replaced, whatever their days.
  std::map<std::string, std::vector<v1::SharingAgreement>> agreements;

  // Takes a stored state in, by the type of its aggregate: "Partner" or "SharingAgreement", in the order of their ids.
  // For who fills a snapshot.
  [[nodiscard]] absl::Status Add(std::string_view type, const std::string& state);

  // Null where there is none of this code.
  [[nodiscard]] const v1::Partner* Find(const std::string& partner) const;
  // Null where there is none of this code, or it is suspended.
  [[nodiscard]] const v1::Partner* FindActive(const std::string& partner) const;
  // The agreements with an active partner that hold on `day`.
  [[nodiscard]] std::vector<const v1::SharingAgreement*> InForce(const std::string& partner,
                                                                 absl::CivilDay day) const;
};

// Whether an agreement holds on a day: signed by both, not replaced, from its first day to its last, or to its end
// where it was ended early.
[[nodiscard]] bool InForce(const v1::SharingAgreement& agreement, absl::CivilDay day);

// What `node` shares under the agreement: the proposer's part or the counterpart's. What is shared with it: SharesOf the
// partner. Empty for who is no side of it.
[[nodiscard]] const google::protobuf::RepeatedPtrField<v1::Share>& SharesOf(
    const v1::AgreementTerms& terms, const std::string& node);

// Thread-safe.
class Directory {
 public:
  virtual ~Directory() = default;
  // As it stands now: what was committed before the call is in it. UNAVAILABLE while the database can't be reached.
  [[nodiscard]] virtual absl::StatusOr<std::shared_ptr<const Snapshot>> Current() = 0;
};

// Reads exchange's own schema: one small statement a call; partners and agreements are read again only when one of them
// has changed. The pool must outlive it.
class PostgresDirectory final : public Directory {
 public:
  PostgresDirectory(postgres::Pool& pool, std::string node);
  [[nodiscard]] absl::StatusOr<std::shared_ptr<const Snapshot>> Current() override;

 private:
  // Tells states apart: how many partners and agreements there are, and the sum of their versions, which only grows.
  struct Stamp {
    std::int64_t count = -1;
    std::int64_t versions = -1;
    bool operator==(const Stamp&) const = default;
  };

  postgres::Pool& pool_;
  const std::string node_;
  std::mutex mutex_;
  Stamp stamp_;
  std::shared_ptr<const Snapshot> snapshot_;
};

}  // namespace sankofa::exchange
