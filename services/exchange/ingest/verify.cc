#include "services/exchange/ingest/verify.h"

#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "google/protobuf/stubs/logging.h"
#include "services/exchange/partner/keys.h"
#include "services/platform/crypto/hash.h"
#include "services/platform/crypto/sign.h"
#include "services/platform/kafka/client.h"
#include "services/platform/status/text.h"
#include "services/platform/time/time.h"

namespace sankofa::exchange {
namespace {

// So that it fits into a record of our own topic, sealed and with what we say of it.
constexpr std::size_t kMessageBytesMax = 902 << 10;
constexpr std::size_t kSubjectMax = 200;
constexpr std::size_t kTypeMax = 120;
constexpr std::size_t kHashBytes = 32;
constexpr std::size_t kTextMax = 200;
constexpr std::int64_t kSequenceMax = std::int64_t{1} << 53;

constexpr std::string_view kLetters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
constexpr std::string_view kDigits = "0123456789";

bool ConsistsOf(std::string_view text, std::string_view signs) {
  for (const char sign : text) {
    const bool good = kLetters.find(sign) != std::string_view::npos ||
                      kDigits.find(sign) != std::string_view::npos ||
                      signs.find(sign) != std::string_view::npos;
    if (!good) return false;
  }
  return true;
}

bool IsTypeName(std::string_view type) {
  return !type.empty() && type.size() <= kTypeMax && ConsistsOf(type, "._");
}

// Kept as text, so nothing in it that a database or a terminal would trip over.
bool IsPlainText(std::string_view text) {
  return text.size() <= kTextMax && ConsistsOf(text, "._-:/");
}

bool IsTime(const google::protobuf::Timestamp& time) {
  constexpr std::int64_t kFirst = -62'135'596'800;  // year 1
  constexpr std::int64_t kLast = 253'402'300'799;   // year 9999
  return time.seconds() >= kFirst && time.seconds() <= kLast && time.nanos() >= 0 &&
         time.nanos() < 1'000'000'000;
}

bool IsHashOrEmpty(const std::string& hash) { return hash.empty() || hash.size() == kHashBytes; }

// Every field as it has to be, whatever it says; else what is wrong.
std::string_view FaultIn(const v1::FeedEvent& event) {
  if (!IsSubject(event.subject())) return "its subject has not the form Type/id";
  if (event.sequence() < 1 || event.sequence() > kSequenceMax) return "its sequence is none";
  if ((event.sequence() == 1) != event.previous_hash().empty() ||
      !IsHashOrEmpty(event.previous_hash())) {
    return "its previous_hash is none";
  }
  if (!IsTypeName(event.type())) return "its type is no name of a message";
  if (!event.has_issued_time() || !IsTime(event.issued_time())) return "its issued_time is none";
  if (!event.has_event_time() || !IsTime(event.event_time())) return "its event_time is none";
  if (!IsPlainText(event.source()) || !IsPlainText(event.source_stream()) ||
      !IsPlainText(event.agreement_id()) || !IsPlainText(event.sealing_key_id())) {
    return "a name in it is none";
  }
  if (!IsHashOrEmpty(event.sealed_hash())) return "its sealed_hash is none";
  return {};
}

RefusedMessage Refused(v1::RefusedBecause because, std::string detail, v1::SignedFeedEvent message,
                       const v1::FeedEvent* claims = nullptr) {
  RefusedMessage refused;
  refused.because = because;
  refused.detail = std::move(detail);
  refused.message = std::move(message);
  refused.message.clear_sealed();
  if (claims != nullptr) {
    if (IsSubject(claims->subject())) refused.subject = claims->subject();
    if (claims->sequence() > 0 && claims->sequence() <= kSequenceMax) {
      refused.sequence = claims->sequence();
    }
    if (IsTypeName(claims->type())) refused.type = claims->type();
  }
  return refused;
}

// The disclosures in the box; or what is wrong with it.
std::string OpenBox(const Verifier& verifier, const v1::SignedFeedEvent& message,
                    const v1::FeedEvent& event, ReadFrom from,
                    std::vector<registration::v1::Disclosure>& disclosures) {
  const std::string& box = message.sealed();
  if (box.empty()) {
    if (event.sealed_hash().empty() || from == ReadFrom::kReplay) return {};
    return "its box was taken out";
  }
  if (event.sealed_hash().empty()) return "it has a box that was not signed";
  if (crypto::Hash(box) != event.sealed_hash()) return "its box is not the one that was signed";
  if (verifier.sealing_key == nullptr) {
    return "it has a box, and this node has no sealing key (crypto.sealing_key_file)";
  }
  // While the key is being changed, an earlier or the next one opens too.
  const auto opened = verifier.sealing_key->Open(box);
  if (!opened.ok()) {
    if (event.sealing_key_id() == crypto::KeyIdOf(verifier.sealing_key->public_key())) {
      return "its box can't be opened";
    }
    return absl::StrCat("its box is for the key ", event.sealing_key_id(),
                        ", which is not this node's");
  }
  v1::SealedContent content;
  if (!content.ParseFromString(*opened)) return "what its box holds can't be read";
  if (content.subject() != event.subject() || content.sequence() != event.sequence()) {
    return "its box belongs to another message";
  }
  for (registration::v1::Disclosure& disclosure : *content.mutable_disclosures()) {
    if (disclosure.case_id() != SubjectIdOf(event.subject()) ||
        disclosure.partner() != verifier.node) {
      return "its box discloses another case, or for somebody else";
    }
    disclosures.push_back(std::move(disclosure));
  }
  return {};
}

}  // namespace

bool IsSubject(std::string_view subject) {
  const std::size_t slash = subject.find('/');
  if (slash == std::string_view::npos || subject.size() > kSubjectMax) return false;
  const std::string_view type = subject.substr(0, slash);
  const std::string_view id = subject.substr(slash + 1);
  return !type.empty() && !id.empty() && ConsistsOf(type, "") && ConsistsOf(id, "._-:");
}

std::string SubjectIdOf(std::string_view subject) {
  const std::size_t slash = subject.find('/');
  return std::string(slash == std::string_view::npos ? subject : subject.substr(slash + 1));
}

std::string NameOf(v1::RefusedBecause because) {
  return std::string(absl::StripPrefix(v1::RefusedBecause_Name(because), "REFUSED_BECAUSE_"));
}

std::string RefusedMessage::EvidenceId() const {
  // Lengths keep what stands in one field from standing in another.
  return crypto::HashHex(absl::StrCat(message.event().size(), ":", message.event(),
                                      message.key_id().size(), ":", message.key_id(),
                                      message.signature()));
}

v1::FeedRefused RefusedMessage::Receipt(absl::Time now) const {
  v1::FeedRefused receipt;
  receipt.set_subject(subject);
  receipt.set_sequence(sequence);
  receipt.set_event_hash(crypto::Hash(message.event()));
  receipt.set_because(because);
  receipt.set_type(type);
  *receipt.mutable_refused_time() = time::ToTimestamp(now);
  return receipt;
}

Verdict Verify(const Verifier& verifier, std::string_view value, ReadFrom from) {
  // Anybody's bytes: that they can't be read is said here, once, and not by the library for each field.
  const google::protobuf::LogSilencer silence;
  VerifiedMessage verified;
  v1::SignedFeedEvent& message = verified.message;
  // Whatever is not exactly the four fields is refused: what stands beside the signed bytes is not signed.
  if (value.size() > kMessageBytesMax ||
      !message.ParseFromArray(value.data(), static_cast<int>(value.size())) ||
      message.SerializeAsString() != value ||
      !v1::SignedFeedEvent::GetReflection()->GetUnknownFields(message).empty()) {
    v1::SignedFeedEvent raw;
    raw.set_event(std::string(value));
    return Refused(v1::REFUSED_BECAUSE_MALFORMED, "it is no SignedFeedEvent", std::move(raw));
  }
  v1::FeedEvent& event = verified.event;
  if (!event.ParseFromString(message.event())) {
    return Refused(v1::REFUSED_BECAUSE_MALFORMED, "what was signed is no FeedEvent",
                   std::move(message));
  }
  const auto refuse = [&](v1::RefusedBecause because, std::string detail) {
    return Refused(because, std::move(detail), std::move(message), &event);
  };
  if (verifier.sender.state() != v1::PARTNER_STATE_ACTIVE) {
    return refuse(v1::REFUSED_BECAUSE_SUSPENDED, "the sender is suspended");
  }
  const v1::PartnerKey* key =
      IsTime(event.issued_time())
          ? FindKey(verifier.sender, message.key_id(), time::FromTimestamp(event.issued_time()))
          : nullptr;
  if (key == nullptr) {
    return refuse(v1::REFUSED_BECAUSE_UNKNOWN_KEY,
                  "the key is none of the sender's, was revoked, or had ended");
  }
  if (!crypto::Verifies(key->verification_key(), kFeedLabel, message.event(),
                        message.signature())) {
    return refuse(v1::REFUSED_BECAUSE_SIGNATURE, "the signature does not verify");
  }
  if (event.sender() != verifier.sender.id() || event.receiver() != verifier.node) {
    return refuse(v1::REFUSED_BECAUSE_ADDRESS, "it is from somebody else, or for somebody else");
  }
  if (const std::string_view fault = FaultIn(event); !fault.empty()) {
    return refuse(v1::REFUSED_BECAUSE_MALFORMED, std::string(fault));
  }
  std::string fault = OpenBox(verifier, message, event, from, verified.disclosures);
  if (!fault.empty()) return refuse(v1::REFUSED_BECAUSE_SEAL, std::move(fault));
  return verified;
}

}  // namespace sankofa::exchange
