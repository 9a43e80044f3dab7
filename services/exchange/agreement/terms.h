#pragma once

#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "sankofa/exchange/v1/partner.pb.h"
#include "sankofa/exchange/v1/sharing_agreement.pb.h"

// The terms of an agreement: what both sides sign. Signed are bytes; the message is only their reading. So terms are
// taken from bytes alone, and bytes that hold anything that this binary does not know are not taken at all: nobody signs
// what they can't read.
namespace sankofa::exchange {

inline constexpr char kAgreementLabel[] = "sankofa.agreement.v1";
// Versions of one agreement. A change is a matter of ministries; whoever needs more starts a new agreement.
inline constexpr int kVersionsMax = 50;
inline constexpr int kTermsBytesMax = 64 * 1024;
inline constexpr int kYearsMax = 5;

// "<agreement id>:<version>".
[[nodiscard]] std::string AgreementIdOf(std::string_view agreement_id, int version);
[[nodiscard]] std::string AgreementIdOf(const v1::AgreementTerms& terms);
// "Agreement/<agreement id>": what messages about it are about, on a feed. `id`: with or without a version.
[[nodiscard]] std::string AgreementSubjectOf(std::string_view id);

// INVALID_FIELD where the bytes are no terms, hold fields that are not known here, or break a rule of a field.
[[nodiscard]] absl::StatusOr<v1::AgreementTerms> ReadTerms(const std::string& bytes,
                                                           absl::Time now);

// How the two sides are called in a request, for the fields of a refusal, and which of them is the partner.
struct Sides {
  std::string proposer_field;     // "our_shares"
  std::string counterpart_field;  // "their_shares"
  bool partner_proposes = false;
  v1::PartnerKind partner_kind = v1::PARTNER_KIND_UNSPECIFIED;
};

// Whether such terms can be agreed on: dates, event types and fields that exist and may leave a node, a purpose for each
// case update, and nothing of a partner that sends nothing.
[[nodiscard]] absl::Status CheckTerms(const v1::AgreementTerms& terms, const Sides& sides);

}  // namespace sankofa::exchange
