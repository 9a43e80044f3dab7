#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "sankofa/exchange/v1/feed.pb.h"
#include "sankofa/exchange/v1/partner.pb.h"
#include "sankofa/exchange/v1/sharing_agreement.pb.h"
#include "sankofa/registration/v1/registration_events.pb.h"
#include "services/exchange/ingest/verify.h"
#include "services/platform/crypto/box.h"
#include "services/platform/crypto/hash.h"
#include "services/platform/crypto/sign.h"
#include "services/platform/time/time.h"

// A partner's node, as far as its feed shows it. Written from proto/README.md, not with the builder of services/exchange.
namespace sankofa::exchange {

inline absl::Time Noon() {
  return absl::FromCivil(absl::CivilHour(2026, 3, 4, 12), absl::UTCTimeZone());
}

inline constexpr char kCaseId[] = "0190a5b0-0000-7000-8000-000000000001";
inline constexpr char kAgreementId[] = "0190a5b0-0000-7000-8000-0000000000aa";

class Sender {
 public:
  explicit Sender(std::string node = "tg", std::string receiver = "fr", char seed = 's')
      : node_(std::move(node)),
        receiver_(std::move(receiver)),
        signer_(*crypto::Signer::FromSeed(std::string(32, seed))) {}

  // Whose boxes are sealed for the receiver's key.
  void SealFor(const std::string& public_key) { sealing_key_ = public_key; }

  [[nodiscard]] v1::Partner Partner() const {
    v1::Partner partner;
    partner.set_id(node_);
    partner.set_kind(v1::PARTNER_KIND_NODE);
    partner.set_state(v1::PARTNER_STATE_ACTIVE);
    partner.set_certificate_identity("partner-" + node_);
    v1::PartnerKey& key = *partner.add_keys();
    key.set_key_id(crypto::KeyIdOf(signer_->public_key()));
    key.set_verification_key(signer_->public_key());
    *key.mutable_from_time() = time::ToTimestamp(Noon() - absl::Hours(24));
    return partner;
  }

  // In force; the sender shares case events for reintegration, and statistics.
  [[nodiscard]] v1::SharingAgreement Agreement() const {
    v1::SharingAgreement agreement;
    agreement.set_id(absl::StrCat(kAgreementId, ":1"));
    agreement.set_partner_id(node_);
    agreement.set_state(v1::AGREEMENT_STATE_SIGNED);
    *agreement.mutable_signed_time() = time::ToTimestamp(Noon() - absl::Hours(24));
    v1::AgreementTerms& terms = *agreement.mutable_terms();
    terms.set_agreement_id(kAgreementId);
    terms.set_version(1);
    terms.set_proposer(node_);
    terms.set_counterpart(receiver_);
    terms.set_from_date("2026-01-01");
    terms.set_until_date("2027-12-31");
    v1::Share& share = *terms.add_proposer_shares();
    share.set_purpose(registration::v1::CONSENT_PURPOSE_REINTEGRATION);
    share.add_event_types("sankofa.registration.v1.CaseSubmitted");
    share.add_event_types("sankofa.registration.v1.CaseArrived");
    return agreement;
  }

  [[nodiscard]] registration::v1::Disclosure Disclosure(const std::string& name) const {
    registration::v1::Disclosure disclosure;
    disclosure.set_case_id(kCaseId);
    disclosure.set_partner(receiver_);
    disclosure.set_purpose(registration::v1::CONSENT_PURPOSE_REINTEGRATION);
    disclosure.mutable_person()->set_id(name);
    return disclosure;
  }

  // The next event of the case, unsigned.
  [[nodiscard]] v1::FeedEvent Next(const std::string& case_id = kCaseId) {
    v1::FeedEvent event;
    event.set_sender(node_);
    event.set_receiver(receiver_);
    event.set_subject(absl::StrCat("Case/", case_id));
    Chain& chain = chains_[event.subject()];
    event.set_sequence(chain.sequence + 1);
    event.set_previous_hash(chain.last_hash);
    registration::v1::CaseSubmitted submitted;
    submitted.set_case_id(case_id);
    event.set_type(registration::v1::CaseSubmitted::descriptor()->full_name());
    event.set_payload(submitted.SerializeAsString());
    *event.mutable_event_time() = time::ToTimestamp(issued - absl::Seconds(1));
    *event.mutable_issued_time() = time::ToTimestamp(issued);
    event.set_source("registration");
    event.set_source_stream(event.subject());
    event.set_source_sequence(event.sequence());
    event.set_agreement_id(kAgreementId);
    event.set_agreement_version(1);
    event.add_purposes(registration::v1::CONSENT_PURPOSE_REINTEGRATION);
    return event;
  }

  // Signs it as it is.
  [[nodiscard]] v1::SignedFeedEvent Sign(const v1::FeedEvent& event,
                                         const std::string& box = {}) const {
    v1::SignedFeedEvent message;
    message.set_event(event.SerializeAsString());
    message.set_key_id(crypto::KeyIdOf(signer_->public_key()));
    message.set_signature(signer_->Sign("sankofa.feed.v1", message.event()));
    message.set_sealed(box);
    return message;
  }

  // Puts the event into its chain, with a box where `disclosed` says what is in it.
  v1::SignedFeedEvent Append(v1::FeedEvent event,
                             const std::vector<registration::v1::Disclosure>& disclosed = {}) {
    std::string box;
    if (!disclosed.empty()) {
      v1::SealedContent content;
      content.set_subject(event.subject());
      content.set_sequence(event.sequence());
      for (const auto& disclosure : disclosed) *content.add_disclosures() = disclosure;
      box = *crypto::SealFor(sealing_key_, content.SerializeAsString());
      event.set_sealed_hash(crypto::Hash(box));
      event.set_sealing_key_id(crypto::KeyIdOf(sealing_key_));
    }
    v1::SignedFeedEvent message = Sign(event, box);
    Chain& chain = chains_[event.subject()];
    chain.sequence = event.sequence();
    chain.last_hash = crypto::Hash(message.event());
    chain.messages.push_back(message);
    return message;
  }
  v1::SignedFeedEvent Append(const std::string& case_id = kCaseId) { return Append(Next(case_id)); }

  // What was appended about a subject, oldest first.
  [[nodiscard]] const std::vector<v1::SignedFeedEvent>& Messages(const std::string& subject) {
    return chains_[subject].messages;
  }

  absl::Time issued = Noon();

 private:
  struct Chain {
    std::int64_t sequence = 0;
    std::string last_hash;
    std::vector<v1::SignedFeedEvent> messages;
  };
  const std::string node_;
  const std::string receiver_;
  const std::unique_ptr<crypto::Signer> signer_;
  std::string sealing_key_;
  std::map<std::string, Chain> chains_;
};

}  // namespace sankofa::exchange
