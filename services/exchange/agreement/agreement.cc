#include "services/exchange/agreement/agreement.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "sankofa/common/v1/common_reason.pb.h"
#include "sankofa/exchange/v1/exchange_reason.pb.h"
#include "services/exchange/agreement/terms.h"
#include "services/exchange/partner/keys.h"
#include "services/platform/crypto/hash.h"
#include "services/platform/crypto/sign.h"
#include "services/platform/status/refuse.h"
#include "services/platform/time/time.h"

namespace sankofa::exchange {
namespace {

using engine::Context;
using engine::Decision;
using engine::Events;
using status::Refuse;
using status::RefuseField;

bool Exists(const v1::SharingAgreement& agreement) {
  return agreement.state() != v1::AGREEMENT_STATE_UNSPECIFIED;
}

const v1::AgreementSignature* SignatureOf(const v1::SharingAgreement& agreement,
                                          const std::string& node) {
  for (const v1::AgreementSignature& signature : agreement.signatures()) {
    if (signature.node() == node) return &signature;
  }
  return nullptr;
}

// What holds of the partner of a command that sets something in force.
absl::Status CheckPartner(const v1::Partner& partner) {
  if (partner.state() == v1::PARTNER_STATE_UNSPECIFIED) {
    return Refuse(v1::REASON_PARTNER_NOT_FOUND);
  }
  return partner.state() == v1::PARTNER_STATE_SUSPENDED ? Refuse(v1::REASON_PARTNER_SUSPENDED)
                                                        : absl::OkStatus();
}

// The other versions of an agreement that exist. The commands' names() has named them all.
std::vector<const v1::SharingAgreement*> OtherVersions(const std::string& agreement_id, int version,
                                                       const Context& context) {
  std::vector<const v1::SharingAgreement*> others;
  for (int other = 1; other <= kVersionsMax; ++other) {
    if (other == version) continue;
    const auto& agreement =
        context.Related<v1::SharingAgreement>(AgreementIdOf(agreement_id, other));
    if (Exists(agreement)) others.push_back(&agreement);
  }
  return others;
}

// Whether a signature can't set it in force any more: it was ended, its last day is past, or both have signed a later
// version.
bool IsOver(const v1::SharingAgreement& agreement, const Context& context) {
  const v1::AgreementTerms& terms = agreement.terms();
  const auto until = time::ParseDay(terms.until_date());
  if (agreement.state() != v1::AGREEMENT_STATE_PROPOSED || !until ||
      *until < time::DayOf(context.now)) {
    return true;
  }
  const auto others = OtherVersions(terms.agreement_id(), terms.version(), context);
  return std::any_of(others.begin(), others.end(), [&](const auto* other) {
    return other->has_signed_time() && other->terms().version() > terms.version();
  });
}

// This node's signature; nothing where it has no key.
std::optional<v1::AgreementSignature> SignHere(const std::string& terms_bytes,
                                               const Context& context) {
  if (!context.sign) return std::nullopt;
  const engine::Signature made = context.sign(kAgreementLabel, terms_bytes);
  if (made.bytes.empty()) return std::nullopt;
  v1::AgreementSignature signature;
  signature.set_node(context.node);
  signature.set_key_id(crypto::KeyIdOf(made.public_key));
  signature.set_signature(made.bytes);
  *signature.mutable_signed_time() = time::ToTimestamp(context.now);
  return signature;
}

// Whether a partner's signature is one under these terms, by a key that is good now: what a stolen or ended key signs
// sets nothing in force.
bool VerifiesFor(const v1::Partner& partner, const v1::AgreementSignature& signature,
                 const std::string& terms_bytes, absl::Time now) {
  const v1::PartnerKey* key = FindKey(partner, signature.key_id(), now);
  return key != nullptr && signature.node() == partner.id() &&
         crypto::Verifies(key->verification_key(), kAgreementLabel, terms_bytes,
                          signature.signature());
}

// The further signature, and what follows once both are there: earlier versions are replaced, or this one is, where a
// later one is in its place already.
Events Countersign(const v1::SharingAgreement& agreement, v1::AgreementSignature signature,
                   const Context& context) {
  v1::AgreementCountersigned event;
  event.set_id(agreement.id());
  event.set_partner_id(agreement.partner_id());
  *event.mutable_signature() = std::move(signature);
  *event.mutable_signed_time() = time::ToTimestamp(context.now);
  v1::SharingAgreement after = agreement;
  AgreementDecider::Apply(after, event);
  *event.mutable_agreement() = std::move(after);

  Events events;
  events.Add(std::move(event));
  const v1::AgreementTerms& terms = agreement.terms();
  for (const auto* other : OtherVersions(terms.agreement_id(), terms.version(), context)) {
    if (!other->has_signed_time() || other->state() == v1::AGREEMENT_STATE_REPLACED) continue;
    const bool later = other->terms().version() > terms.version();
    v1::AgreementReplaced replaced;
    replaced.set_id(later ? agreement.id() : other->id());
    replaced.set_by(later ? other->id() : agreement.id());
    if (later) {
      events.Add(std::move(replaced));
    } else {
      events.AddTo<v1::SharingAgreement>(other->id(), std::move(replaced));
    }
  }
  return events;
}

v1::AgreementTerms TermsOf(const v1::ProposeAgreementRequest& request, const std::string& node) {
  v1::AgreementTerms terms;
  terms.set_agreement_id(request.agreement_id());
  terms.set_version(request.version());
  terms.set_proposer(node);
  terms.set_counterpart(request.partner_id());
  *terms.mutable_proposer_shares() = request.our_shares();
  *terms.mutable_counterpart_shares() = request.their_shares();
  if (request.has_cases()) *terms.mutable_cases() = request.cases();
  terms.set_legal_basis(request.legal_basis());
  terms.set_from_date(request.from_date());
  terms.set_until_date(request.until_date());
  return terms;
}

// A proposal follows the last version here, and is with the same partner.
absl::Status CheckFollows(const v1::ProposeAgreementRequest& request,
                          const v1::SharingAgreement& own, const Context& context) {
  const auto refused = RefuseField(v1::REASON_AGREEMENT_VERSION, "version");
  if (Exists(own) || request.version() > kVersionsMax) return refused;
  int last = 0;
  for (const auto* other : OtherVersions(request.agreement_id(), request.version(), context)) {
    if (other->partner_id() != request.partner_id()) return refused;
    last = std::max(last, other->terms().version());
  }
  return request.version() == last + 1 ? absl::OkStatus() : refused;
}

}  // namespace

// ---- This side ------------------------------------------------------------------------------------------------------

Decision AgreementDecider::Decide(const State& agreement,
                                  const v1::ProposeAgreementRequest& request,
                                  const Context& context) {
  const auto& partner = context.Related<v1::Partner>(request.partner_id());
  if (auto fit = CheckPartner(partner); !fit.ok()) return fit;
  if (auto follows = CheckFollows(request, agreement, context); !follows.ok()) return follows;
  v1::AgreementTerms terms = TermsOf(request, context.node);
  if (auto checked = CheckTerms(terms, {.proposer_field = "our_shares",
                                        .counterpart_field = "their_shares",
                                        .partner_proposes = false,
                                        .partner_kind = partner.kind()});
      !checked.ok()) {
    return checked;
  }
  v1::AgreementProposed event;
  v1::SharingAgreement& proposed = *event.mutable_agreement();
  proposed.set_terms_bytes(terms.SerializeAsString());
  if (proposed.terms_bytes().size() > kTermsBytesMax) {
    return Refuse(common::v1::REASON_MESSAGE_TOO_LARGE);
  }
  auto signature = SignHere(proposed.terms_bytes(), context);
  if (!signature) return Refuse(v1::REASON_NO_SIGNING_KEY);
  proposed.set_id(AgreementIdOf(terms));
  proposed.set_partner_id(request.partner_id());
  proposed.set_state(v1::AGREEMENT_STATE_PROPOSED);
  *proposed.mutable_terms() = std::move(terms);
  *proposed.add_signatures() = *std::move(signature);
  *proposed.mutable_proposed_time() = time::ToTimestamp(context.now);
  return engine::Emit(std::move(event));
}

Decision AgreementDecider::Decide(const State& agreement,
                                  const v1::SignAgreementRequest& /*request*/,
                                  const Context& context) {
  if (!Exists(agreement)) return Refuse(v1::REASON_AGREEMENT_NOT_FOUND);
  const v1::AgreementTerms& terms = agreement.terms();
  if (context.node != terms.proposer() && context.node != terms.counterpart()) {
    return Refuse(v1::REASON_NOT_THEIRS_TO_SIGN);
  }
  if (SignatureOf(agreement, context.node) != nullptr) return Refuse(v1::REASON_SIGNED_ALREADY);
  if (IsOver(agreement, context)) return Refuse(v1::REASON_AGREEMENT_OVER);
  const auto& partner = context.Related<v1::Partner>(agreement.partner_id());
  if (auto fit = CheckPartner(partner); !fit.ok()) return fit;
  const v1::AgreementSignature* theirs = SignatureOf(agreement, partner.id());
  if (theirs == nullptr || !VerifiesFor(partner, *theirs, agreement.terms_bytes(), context.now)) {
    return Refuse(v1::REASON_SIGNATURE_INVALID);
  }
  auto signature = SignHere(agreement.terms_bytes(), context);
  if (!signature) return Refuse(v1::REASON_NO_SIGNING_KEY);
  return Countersign(agreement, *std::move(signature), context);
}

Decision AgreementDecider::Decide(const State& agreement,
                                  const v1::RecordPartnerSignatureRequest& request,
                                  const Context& context) {
  if (!Exists(agreement)) return Refuse(v1::REASON_AGREEMENT_NOT_FOUND);
  if (SignatureOf(agreement, agreement.partner_id()) != nullptr) {
    return Refuse(v1::REASON_SIGNED_ALREADY);
  }
  if (IsOver(agreement, context)) return Refuse(v1::REASON_AGREEMENT_OVER);
  const auto& partner = context.Related<v1::Partner>(agreement.partner_id());
  if (auto fit = CheckPartner(partner); !fit.ok()) return fit;
  if (FindKey(partner, request.key_id(), context.now) == nullptr) {
    return RefuseField(v1::REASON_KEY_NOT_FOUND, "key_id");
  }
  v1::AgreementSignature signature;
  signature.set_node(partner.id());
  signature.set_key_id(request.key_id());
  signature.set_signature(request.signature());
  *signature.mutable_signed_time() = time::ToTimestamp(context.now);
  if (!VerifiesFor(partner, signature, agreement.terms_bytes(), context.now)) {
    return RefuseField(v1::REASON_SIGNATURE_INVALID, "signature");
  }
  return Countersign(agreement, std::move(signature), context);
}

Decision AgreementDecider::Decide(const State& agreement,
                                  const v1::TerminateAgreementRequest& request,
                                  const Context& context) {
  if (!Exists(agreement)) return Refuse(v1::REASON_AGREEMENT_NOT_FOUND);
  const bool sooner = agreement.end_date().empty() || request.end_date() < agreement.end_date();
  if (agreement.state() == v1::AGREEMENT_STATE_REPLACED || !sooner) {
    return Refuse(v1::REASON_AGREEMENT_OVER);
  }
  const auto end = time::ParseDay(request.end_date());
  if (!end || *end < time::DayOf(context.now) ||
      request.end_date() > agreement.terms().until_date()) {
    return RefuseField(v1::REASON_AGREEMENT_DATES, "end_date", "from today to the last day");
  }
  v1::AgreementTerminated event;
  event.set_id(agreement.id());
  event.set_partner_id(agreement.partner_id());
  event.set_end_date(request.end_date());
  return engine::Emit(std::move(event));
}

// ---- The other side -------------------------------------------------------------------------------------------------

namespace {

// A proposal of the partner that is not here yet. `agreement` is what arrived, `terms` what its bytes say.
Decision TakeProposal(const v1::SharingAgreement& agreement, v1::AgreementTerms terms,
                      const v1::Partner& partner, const Context& context) {
  // Our own proposal, and we have none of it: nobody answers what was not asked.
  if (terms.proposer() != partner.id()) return Refuse(v1::REASON_AGREEMENT_NOT_FOUND);
  for (const auto* other : OtherVersions(terms.agreement_id(), terms.version(), context)) {
    if (other->partner_id() != partner.id() || other->terms().version() > terms.version()) {
      return Refuse(v1::REASON_AGREEMENT_VERSION);
    }
  }
  if (auto checked = CheckTerms(terms, {.proposer_field = "agreement.terms.proposer_shares",
                                        .counterpart_field = "agreement.terms.counterpart_shares",
                                        .partner_proposes = true,
                                        .partner_kind = partner.kind()});
      !checked.ok()) {
    return checked;
  }
  const v1::AgreementSignature* theirs = SignatureOf(agreement, partner.id());
  if (theirs == nullptr || !VerifiesFor(partner, *theirs, agreement.terms_bytes(), context.now)) {
    return Refuse(v1::REASON_SIGNATURE_INVALID);
  }
  v1::AgreementProposed event;
  v1::SharingAgreement& proposed = *event.mutable_agreement();
  proposed.set_id(AgreementIdOf(terms));
  proposed.set_partner_id(partner.id());
  proposed.set_state(v1::AGREEMENT_STATE_PROPOSED);
  proposed.set_terms_bytes(agreement.terms_bytes());
  *proposed.mutable_terms() = std::move(terms);
  *proposed.add_signatures() = *theirs;
  *proposed.mutable_proposed_time() = time::ToTimestamp(context.now);
  return engine::Emit(std::move(event));
}

}  // namespace

Decision AgreementDecider::Decide(const State& agreement,
                                  const v1::ReceiveAgreementRequest& request,
                                  const Context& context) {
  const auto& partner = context.Related<v1::Partner>(request.partner_id());
  if (auto fit = CheckPartner(partner); !fit.ok()) return fit;
  auto terms = ReadTerms(request.agreement().terms_bytes(), context.now);
  if (!terms.ok()) return terms.status();
  const bool between_us =
      (terms->proposer() == partner.id() && terms->counterpart() == context.node) ||
      (terms->proposer() == context.node && terms->counterpart() == partner.id());
  if (!between_us) return Refuse(v1::REASON_NOT_THEIRS_TO_SIGN);
  if (terms->version() < 1 || terms->version() > kVersionsMax ||
      AgreementIdOf(*terms) != request.agreement().id()) {
    return Refuse(v1::REASON_AGREEMENT_VERSION);
  }
  if (!Exists(agreement)) {
    return TakeProposal(request.agreement(), *std::move(terms), partner, context);
  }
  if (agreement.partner_id() != partner.id() ||
      agreement.terms_bytes() != request.agreement().terms_bytes()) {
    return Refuse(v1::REASON_AGREEMENT_VERSION);
  }
  if (SignatureOf(agreement, partner.id()) != nullptr) return Events();
  const v1::AgreementSignature* theirs = SignatureOf(request.agreement(), partner.id());
  if (theirs == nullptr || !VerifiesFor(partner, *theirs, agreement.terms_bytes(), context.now)) {
    return Refuse(v1::REASON_SIGNATURE_INVALID);
  }
  // Also where it was ended here meanwhile: there it is in force to its end, and so it is here.
  return Countersign(agreement, *theirs, context);
}

Decision AgreementDecider::Decide(const State& agreement,
                                  const v1::ReceiveAgreementEndRequest& request,
                                  const Context& /*context*/) {
  if (!Exists(agreement) || agreement.partner_id() != request.partner_id()) {
    return Refuse(v1::REASON_AGREEMENT_NOT_FOUND);
  }
  if (!time::ParseDay(request.end_date())) {
    return RefuseField(v1::REASON_AGREEMENT_DATES, "end_date");
  }
  const std::string last =
      agreement.end_date().empty() ? agreement.terms().until_date() : agreement.end_date();
  const bool ends_sooner =
      request.end_date() < last ||
      (request.end_date() == last && agreement.state() != v1::AGREEMENT_STATE_ENDED);
  if (agreement.state() == v1::AGREEMENT_STATE_REPLACED || !ends_sooner) return Events();
  v1::AgreementTerminated event;
  event.set_id(agreement.id());
  event.set_partner_id(agreement.partner_id());
  event.set_end_date(request.end_date());
  event.set_by_partner(true);
  return engine::Emit(std::move(event));
}

// ---- What they mean -------------------------------------------------------------------------------------------------

void AgreementDecider::Apply(State& agreement, const v1::AgreementProposed& event) {
  agreement = event.agreement();
}

void AgreementDecider::Apply(State& agreement, const v1::AgreementCountersigned& event) {
  *agreement.add_signatures() = event.signature();
  *agreement.mutable_signed_time() = event.signed_time();
  if (agreement.state() == v1::AGREEMENT_STATE_PROPOSED) {
    agreement.set_state(v1::AGREEMENT_STATE_SIGNED);
  }
}

void AgreementDecider::Apply(State& agreement, const v1::AgreementReplaced& /*event*/) {
  agreement.set_state(v1::AGREEMENT_STATE_REPLACED);
}

void AgreementDecider::Apply(State& agreement, const v1::AgreementTerminated& event) {
  agreement.set_state(v1::AGREEMENT_STATE_ENDED);
  agreement.set_end_date(event.end_date());
}

// ---- Lists and bindings ---------------------------------------------------------------------------------------------

std::vector<engine::Row> AgreementDecider::Project(const State& agreement) {
  return {{{agreement.partner_id(), agreement.terms().agreement_id(),
            absl::StrCat(agreement.terms().version()),
            absl::StrCat(static_cast<int>(agreement.state()))}}};
}

const engine::Table& AgreementDecider::ProjectTable() {
  static const engine::Table table{
      .name = "agreement",
      .columns = {"partner_id", "agreement_id", "agreement_version", "agreement_state"},
      .types = {"text", "text", "integer", "integer"}};
  return table;
}

namespace {

// All versions of the agreement that `id` is one of. A text that is no id names nothing.
void NameVersions(const std::string& id, engine::Names& names) {
  const std::string agreement_id = id.substr(0, id.find(':'));
  for (int version = 1; version <= kVersionsMax; ++version) {
    const std::string other = AgreementIdOf(agreement_id, version);
    if (other != id) names.Add<v1::SharingAgreement>(other);
  }
}

}  // namespace

void BindAgreement(engine::Registry& registry) {
  using engine::Names;
  using engine::Target;
  registry.Command<AgreementDecider, v1::ProposeAgreementRequest>(
      {.target = Target::kEither,
       .id =
           [](const auto& request) {
             return AgreementIdOf(request.agreement_id(), request.version());
           },
       .names =
           [](const auto& request, const auto& /*agreement*/, Names& names) {
             names.Add<v1::Partner>(request.partner_id());
             NameVersions(AgreementIdOf(request.agreement_id(), request.version()), names);
           }});
  registry.Command<AgreementDecider, v1::SignAgreementRequest>(
      {.target = Target::kEither,
       .id = [](const auto& request) { return request.id(); },
       .names =
           [](const auto& request, const auto& agreement, Names& names) {
             names.Add<v1::Partner>(agreement.partner_id());
             NameVersions(request.id(), names);
           }});
  registry.Command<AgreementDecider, v1::RecordPartnerSignatureRequest>(
      {.target = Target::kEither,
       .id = [](const auto& request) { return request.id(); },
       .names =
           [](const auto& request, const auto& agreement, Names& names) {
             names.Add<v1::Partner>(agreement.partner_id());
             NameVersions(request.id(), names);
           }});
  registry.Command<AgreementDecider, v1::TerminateAgreementRequest>(
      {.target = Target::kEither, .id = [](const auto& request) { return request.id(); }});
  registry.Command<AgreementDecider, v1::ReceiveAgreementRequest>(
      {.target = Target::kEither,
       .id = [](const auto& request) { return request.agreement().id(); },
       .names =
           [](const auto& request, const auto& /*agreement*/, Names& names) {
             names.Add<v1::Partner>(request.partner_id());
             NameVersions(request.agreement().id(), names);
           }});
  registry.Command<AgreementDecider, v1::ReceiveAgreementEndRequest>(
      {.target = Target::kEither, .id = [](const auto& request) { return request.id(); }});
}

}  // namespace sankofa::exchange
