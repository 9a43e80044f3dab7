#include "services/exchange/agreement/terms.h"

#include <set>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "sankofa/common/v1/common_reason.pb.h"
#include "sankofa/exchange/v1/exchange_reason.pb.h"
#include "services/exchange/agreement/shareable.h"
#include "services/platform/rpc/check/formats.h"
#include "services/platform/rpc/check/shape.h"
#include "services/platform/status/refuse.h"
#include "services/platform/status/text.h"
#include "services/platform/time/time.h"

namespace sankofa::exchange {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::RepeatedPtrField;
using status::RefuseField;

constexpr char kTermsField[] = "agreement.terms_bytes";

bool HasUnknownFields(const Message& message) {
  const auto* reflection = message.GetReflection();
  if (!reflection->GetUnknownFields(message).empty()) return true;
  std::vector<const FieldDescriptor*> fields;
  reflection->ListFields(message, &fields);
  for (const FieldDescriptor* field : fields) {
    if (field->cpp_type() != FieldDescriptor::CPPTYPE_MESSAGE) continue;
    const int size = field->is_repeated() ? reflection->FieldSize(message, field) : 1;
    for (int i = 0; i < size; ++i) {
      const Message& inner = field->is_repeated()
                                 ? reflection->GetRepeatedMessage(message, field, i)
                                 : reflection->GetMessage(message, field);
      if (HasUnknownFields(inner)) return true;
    }
  }
  return false;
}

absl::Status CheckDates(const v1::AgreementTerms& terms) {
  const auto from = time::ParseDay(terms.from_date());
  const auto until = time::ParseDay(terms.until_date());
  if (!from || !until || *until < *from || *until > time::AddMonths(*from, 12 * kYearsMax)) {
    return RefuseField(v1::REASON_AGREEMENT_DATES, "until_date");
  }
  return absl::OkStatus();
}

// One event type of a share.
absl::Status CheckEvent(const std::string& type, bool for_statistics, const std::string& field) {
  switch (SharingOf(type)) {
    case Sharing::kUnknown: return RefuseField(v1::REASON_EVENT_TYPE_UNKNOWN, field);
    case Sharing::kNever: return RefuseField(v1::REASON_EVENT_TYPE_NOT_SHAREABLE, field);
    case Sharing::kCase:
      return for_statistics ? RefuseField(v1::REASON_PURPOSE_MISSING, field) : absl::OkStatus();
    case Sharing::kStatistics:
      return for_statistics ? absl::OkStatus()
                            : RefuseField(v1::REASON_EVENT_TYPE_NOT_SHAREABLE, field,
                                          "statistics are shared without a purpose");
  }
  return absl::OkStatus();
}

// "-<event type>.<path>" names a field of an event of the same share; anything else is a path in Disclosure.
bool NamesField(const v1::Share& share, const std::string& text) {
  if (!absl::StartsWith(text, "-")) return IsDisclosurePath(text);
  for (const std::string& type : share.event_types()) {
    const std::string prefix = absl::StrCat("-", type, ".");
    if (!absl::StartsWith(text, prefix)) continue;
    return CanBeLeftOut(*FindEvent(type), text.substr(prefix.size()));
  }
  return false;
}

absl::Status CheckShare(const v1::Share& share, const std::string& field) {
  const bool for_statistics = share.purpose() == registration::v1::CONSENT_PURPOSE_UNSPECIFIED;
  if (!registration::v1::ConsentPurpose_IsValid(share.purpose())) {
    return RefuseField(v1::REASON_PURPOSE_MISSING, absl::StrCat(field, ".purpose"));
  }
  for (int i = 0; i < share.event_types_size(); ++i) {
    const std::string path = absl::StrCat(field, ".event_types[", i, "]");
    if (auto event = CheckEvent(share.event_types(i), for_statistics, path); !event.ok()) {
      return event;
    }
  }
  for (int i = 0; i < share.fields_size(); ++i) {
    if (for_statistics || !NamesField(share, share.fields(i))) {
      return RefuseField(v1::REASON_FIELD_UNKNOWN, absl::StrCat(field, ".fields[", i, "]"));
    }
  }
  return absl::OkStatus();
}

// What one side shares; `event_types` counts what it names.
absl::Status CheckSide(const RepeatedPtrField<v1::Share>& shares, const std::string& field,
                       int& event_types) {
  std::set<int> purposes;
  for (int i = 0; i < shares.size(); ++i) {
    const std::string path = absl::StrCat(field, "[", i, "]");
    if (!purposes.insert(shares[i].purpose()).second) {
      return RefuseField(v1::REASON_PURPOSE_REPEATED, absl::StrCat(path, ".purpose"));
    }
    if (auto share = CheckShare(shares[i], path); !share.ok()) return share;
    event_types += shares[i].event_types_size();
  }
  return absl::OkStatus();
}

}  // namespace

std::string AgreementIdOf(std::string_view agreement_id, int version) {
  return absl::StrCat(status::Absl(agreement_id), ":", version);
}

std::string AgreementIdOf(const v1::AgreementTerms& terms) {
  return AgreementIdOf(terms.agreement_id(), terms.version());
}

std::string AgreementSubjectOf(std::string_view id) {
  return absl::StrCat("Agreement/", status::Absl(id.substr(0, id.find(':'))));
}

absl::StatusOr<v1::AgreementTerms> ReadTerms(const std::string& bytes, absl::Time now) {
  v1::AgreementTerms terms;
  if (bytes.empty() || bytes.size() > kTermsBytesMax || !terms.ParseFromString(bytes)) {
    return RefuseField(common::v1::REASON_INVALID_FIELD, kTermsField, "terms in wire form");
  }
  if (HasUnknownFields(terms)) {
    return RefuseField(common::v1::REASON_INVALID_FIELD, kTermsField,
                       "it holds fields that this version of the platform does not know");
  }
  if (auto shape = rpc::CheckShape(terms, now); !shape.ok()) return shape;
  if (!rpc::IsUuid(terms.agreement_id())) {
    return RefuseField(common::v1::REASON_INVALID_FIELD, kTermsField, "agreement_id is no UUID");
  }
  return terms;
}

absl::Status CheckTerms(const v1::AgreementTerms& terms, const Sides& sides) {
  if (auto dates = CheckDates(terms); !dates.ok()) return dates;
  int event_types = 0;
  if (auto side = CheckSide(terms.proposer_shares(), sides.proposer_field, event_types);
      !side.ok()) {
    return side;
  }
  if (auto side = CheckSide(terms.counterpart_shares(), sides.counterpart_field, event_types);
      !side.ok()) {
    return side;
  }
  if (event_types == 0) return status::Refuse(v1::REASON_AGREEMENT_EMPTY);

  const auto& theirs =
      sides.partner_proposes ? terms.proposer_shares() : terms.counterpart_shares();
  const auto& ours = sides.partner_proposes ? terms.counterpart_shares() : terms.proposer_shares();
  if (sides.partner_kind != v1::PARTNER_KIND_NODE && !theirs.empty()) {
    return RefuseField(v1::REASON_NOT_A_NODE,
                       sides.partner_proposes ? sides.proposer_field : sides.counterpart_field);
  }
  for (const v1::Share& share : ours) {
    if (sides.partner_kind != v1::PARTNER_KIND_STATISTICS) break;
    if (share.purpose() == registration::v1::CONSENT_PURPOSE_UNSPECIFIED) continue;
    return RefuseField(v1::REASON_EVENT_TYPE_NOT_SHAREABLE,
                       sides.partner_proposes ? sides.counterpart_field : sides.proposer_field,
                       "this partner gets statistics and nothing else");
  }
  return absl::OkStatus();
}

}  // namespace sankofa::exchange
