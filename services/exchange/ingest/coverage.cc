#include "services/exchange/ingest/coverage.h"

#include <algorithm>
#include <memory>
#include <set>
#include <string_view>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "google/protobuf/descriptor.h"
#include "google/protobuf/message.h"
#include "google/protobuf/stubs/logging.h"
#include "sankofa/common/v1/options.pb.h"
#include "sankofa/exchange/v1/feed_messages.pb.h"
#include "services/exchange/directory.h"
#include "services/platform/crypto/vault.h"
#include "services/platform/time/time.h"

namespace sankofa::exchange {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

Coverage Out(std::string detail) { return {Coverage::Kind::kOut, std::move(detail)}; }
Coverage NotYet(std::string detail) { return {Coverage::Kind::kNotYet, std::move(detail)}; }

// Messages of feed_messages.proto, and later ones of the same package that this version does not know yet.
bool KeepsTheAgreement(const std::string& type) {
  static const std::set<std::string, std::less<>> kNames = {
      v1::DisclosureChanged::descriptor()->full_name(),
      v1::FeedRefused::descriptor()->full_name(),
      v1::ErasureRequested::descriptor()->full_name(),
      v1::ErasureDone::descriptor()->full_name(),
      v1::AgreementSigned::descriptor()->full_name(),
      v1::AgreementEnded::descriptor()->full_name()};
  if (kNames.contains(type)) return true;
  return absl::StartsWith(type, "sankofa.exchange.v1.") &&
         google::protobuf::DescriptorPool::generated_pool()->FindMessageTypeByName(type) == nullptr;
}

const FieldDescriptor* AddresseeOf(const Descriptor& type) {
  for (int i = 0; i < type.field_count(); ++i) {
    if (type.field(i)->options().GetExtension(common::v1::addressee)) return type.field(i);
  }
  return nullptr;
}

// Whether the agreement held when the message was issued. One that was replaced or ended since held until then.
bool Held(const v1::SharingAgreement& agreement, const v1::FeedEvent& event) {
  v1::SharingAgreement then = agreement;
  then.set_state(v1::AGREEMENT_STATE_SIGNED);
  return InForce(then, time::DayOf(time::FromTimestamp(event.issued_time())));
}

bool Covers(const v1::Share& share, const v1::FeedEvent& event, int purpose) {
  return share.purpose() == purpose &&
         std::find(share.event_types().begin(), share.event_types().end(), event.type()) !=
             share.event_types().end();
}

// Every purpose that it is shared for needs a share of its own that names the type.
std::string UncoveredPurpose(const v1::SharingAgreement& agreement, const v1::FeedEvent& event) {
  const auto& shares = SharesOf(agreement.terms(), event.sender());
  const auto covered = [&](int purpose) {
    return std::any_of(shares.begin(), shares.end(),
                       [&](const v1::Share& share) { return Covers(share, event, purpose); });
  };
  if (event.purposes().empty()) {
    return covered(registration::v1::CONSENT_PURPOSE_UNSPECIFIED) ? "" : "for no purpose";
  }
  for (const int purpose : event.purposes()) {
    const std::string& name = registration::v1::ConsentPurpose_Name(purpose);
    if (purpose == registration::v1::CONSENT_PURPOSE_UNSPECIFIED || name.empty()) {
      return "for a purpose that is not known";
    }
    if (!covered(purpose)) return absl::StrCat("for ", name);
  }
  return {};
}

// What only a sealed box may hold is not there.
bool IsPlain(const Message& payload) {
  const std::unique_ptr<Message> open(payload.New());
  open->CopyFrom(payload);
  crypto::Redact(*open);
  return open->ByteSizeLong() == payload.ByteSizeLong();
}

}  // namespace

std::string AgreementNeeded(const v1::FeedEvent& event) {
  if (KeepsTheAgreement(event.type())) return {};
  if (absl::StrContains(event.agreement_id(), ':')) return event.agreement_id();
  return absl::StrCat(event.agreement_id(), ":", event.agreement_version());
}

Coverage CoverageOf(const v1::FeedEvent& event, const v1::SharingAgreement* agreement) {
  const Descriptor* type =
      google::protobuf::DescriptorPool::generated_pool()->FindMessageTypeByName(event.type());
  const google::protobuf::LogSilencer silence;  // as in Verify
  const bool keeps = KeepsTheAgreement(event.type());
  if (keeps && type == nullptr) return {};
  if (type == nullptr) return Out("its type is not known here");
  const std::unique_ptr<Message> payload(
      google::protobuf::MessageFactory::generated_factory()->GetPrototype(type)->New());
  if (!payload->ParseFromString(event.payload())) return Out("its payload is not of its type");
  if (!IsPlain(*payload)) return Out("its payload holds fields that only a sealed box may hold");
  if (keeps) return {};

  if (agreement == nullptr) return NotYet("the agreement that it names is not known here");
  if (agreement->partner_id() != event.sender()) return Out("the agreement is with somebody else");
  if (agreement->state() == v1::AGREEMENT_STATE_PROPOSED) {  // by one side
    return NotYet("the agreement that it names is not signed by both here");
  }
  if (!Held(*agreement, event)) return Out("the agreement that it names was not in force");
  if (const FieldDescriptor* addressee = AddresseeOf(*type)) {
    if (payload->GetReflection()->GetString(*payload, addressee) != event.receiver()) {
      return Out("it is addressed to another partner");
    }
    return {};
  }
  const std::string purpose = UncoveredPurpose(*agreement, event);
  if (!purpose.empty()) {
    return Out(absl::StrCat("the agreement does not share ", event.type(), " ", purpose));
  }
  return {};
}

}  // namespace sankofa::exchange
