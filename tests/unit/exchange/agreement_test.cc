#include "services/exchange/agreement/agreement.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include <functional>
#include <string>
#include <vector>

#include "services/exchange/agreement/terms.h"
#include "services/exchange/commands.h"
#include "services/exchange/directory.h"
#include "services/exchange/messages.h"
#include "services/platform/engine/decider.h"
#include "tests/unit/exchange/fixture.h"

namespace sankofa::exchange {
namespace {

using test::Reason;
using test::World;

const std::string kAgreement = engine::DerivedId("agreement");
const absl::CivilDay kDay(2026, 6, 1);

std::string IdOf(int version) { return AgreementIdOf(kAgreement, version); }

// One node with its own state, and the messages that it has to tell its partner.
class Side {
 public:
  Side(std::string node, char seed, std::string partner, char partner_seed)
      : node_(std::move(node)), seed_(seed), partner_(std::move(partner)), world_(BindCommands) {
    EXPECT_TRUE(Send(RegisterNode(partner_, partner_seed)).ok());
  }

  template <class Request>
  absl::Status Send(Request request, int hours = 0) {
    engine::Context context = At(hours);
    const absl::Status sent = world_.Send(std::move(request), context);
    if (!sent.ok()) return sent;
    for (const engine::Emitted& emitted : world_.last()) {
      if (auto outgoing = OutgoingFor(*emitted.event, node_)) outbox.push_back(*outgoing);
    }
    return sent;
  }

  // What the other side has to tell, as it arrives here.
  absl::Status Take(const Outgoing& outgoing, int hours = 0) {
    v1::FeedEvent event;
    event.set_sender(partner_);
    event.set_type(outgoing.message->GetDescriptor()->full_name());
    event.set_payload(outgoing.message->SerializeAsString());
    engine::Commands commands;
    EXPECT_TRUE(CommandsFor({}, event, commands));
    for (const auto& request : commands.requests()) {
      absl::Status sent;
      if (auto* agreement = dynamic_cast<v1::ReceiveAgreementRequest*>(request.get())) {
        sent = Send(*agreement, hours);
      } else if (auto* end = dynamic_cast<v1::ReceiveAgreementEndRequest*>(request.get())) {
        sent = Send(*end, hours);
      }
      if (!sent.ok()) return sent;
    }
    return absl::OkStatus();
  }

  [[nodiscard]] const v1::SharingAgreement& Get(int version) {
    return world_.Get<v1::SharingAgreement>(IdOf(version));
  }
  [[nodiscard]] bool Has(int version) const {
    return world_.Has<v1::SharingAgreement>(IdOf(version));
  }
  [[nodiscard]] World& world() { return world_; }
  [[nodiscard]] engine::Context At(int hours = 0) const {
    engine::Context context = Now(node_, seed_);
    context.now += absl::Hours(hours);
    return context;
  }

  std::vector<Outgoing> outbox;

 private:
  const std::string node_;
  const char seed_;
  const std::string partner_;
  World world_;
};

v1::ProposeAgreementRequest Proposal(const std::string& partner, int version = 1) {
  v1::ProposeAgreementRequest request;
  request.set_agreement_id(kAgreement);
  request.set_version(version);
  request.set_partner_id(partner);
  v1::Share& share = *request.add_our_shares();
  share.set_purpose(registration::v1::CONSENT_PURPOSE_REINTEGRATION);
  share.add_event_types("sankofa.registration.v1.CaseArrived");
  share.add_fields("person.details.phones");
  request.set_legal_basis("Treaty of 12 May 2025, article 4");
  request.set_from_date("2026-06-01");
  request.set_until_date("2028-05-31");
  return request;
}

v1::SignAgreementRequest Sign(int version) {
  v1::SignAgreementRequest request;
  request.set_id(IdOf(version));
  return request;
}

v1::TerminateAgreementRequest Terminate(int version, const std::string& day = "2026-06-10") {
  v1::TerminateAgreementRequest request;
  request.set_id(IdOf(version));
  request.set_end_date(day);
  return request;
}

v1::RecordPartnerSignatureRequest Record(int version, const std::string& terms_bytes, char seed,
                                         const std::string& label = kAgreementLabel) {
  v1::RecordPartnerSignatureRequest request;
  request.set_id(IdOf(version));
  request.set_key_id(KeyId(seed));
  request.set_signature(Signer(seed).Sign(label, terms_bytes));
  return request;
}

v1::SuspendPartnerRequest Suspend(const std::string& partner) {
  v1::SuspendPartnerRequest request;
  request.set_partner_id(partner);
  request.set_reason("trouble");
  return request;
}

class AgreementTest : public ::testing::Test {
 protected:
  // FR proposes, TG takes it over.
  void Propose(int version = 1) {
    ASSERT_TRUE(fr_.Send(Proposal("tg", version)).ok());
    ASSERT_TRUE(tg_.Take(fr_.outbox.back()).ok());
  }
  void Agree(int version = 1) {
    Propose(version);
    ASSERT_EQ(Reason(tg_.Send(Sign(version))), "OK");
    ASSERT_EQ(Reason(fr_.Take(tg_.outbox.back())), "OK");
  }
  Side fr_{"fr", 'f', "tg", 't'};
  Side tg_{"tg", 't', "fr", 'f'};
};

// ---- The way of an agreement ----------------------------------------------------------------------------------------

TEST_F(AgreementTest, IsInForceOnBothSidesOnceBothHaveSigned) {
  Propose();
  EXPECT_FALSE(InForce(fr_.Get(1), kDay));
  EXPECT_FALSE(InForce(tg_.Get(1), kDay));
  ASSERT_TRUE(tg_.Send(Sign(1)).ok());
  EXPECT_TRUE(InForce(tg_.Get(1), kDay));
  EXPECT_FALSE(InForce(fr_.Get(1), kDay));
  ASSERT_TRUE(fr_.Take(tg_.outbox.back()).ok());
  EXPECT_TRUE(InForce(fr_.Get(1), kDay));
  EXPECT_EQ(fr_.Get(1).terms_bytes(), tg_.Get(1).terms_bytes());
  EXPECT_EQ(fr_.Get(1).signatures_size(), 2);
  EXPECT_EQ(fr_.outbox.size(), 1);  // what the partner told is not told back
  EXPECT_EQ(tg_.outbox.size(), 1);
}

TEST_F(AgreementTest, SignaturesCanBeVerifiedByAnybody) {
  Agree();
  for (const v1::AgreementSignature& signature : tg_.Get(1).signatures()) {
    const char seed = signature.node() == "fr" ? 'f' : 't';
    EXPECT_EQ(signature.key_id(), KeyId(seed));
    EXPECT_TRUE(crypto::Verifies(Signer(seed).public_key(), "sankofa.agreement.v1",
                                 tg_.Get(1).terms_bytes(), signature.signature()));
  }
}

TEST_F(AgreementTest, MessagesThatComeAgainChangeNothing) {
  Agree();
  const std::string before = tg_.Get(1).SerializeAsString();
  EXPECT_TRUE(tg_.Take(fr_.outbox.front()).ok());
  EXPECT_EQ(tg_.Get(1).SerializeAsString(), before);
  const std::string there = fr_.Get(1).SerializeAsString();
  EXPECT_TRUE(fr_.Take(tg_.outbox.back()).ok());
  EXPECT_EQ(fr_.Get(1).SerializeAsString(), there);
}

TEST_F(AgreementTest, ALaterVersionTakesThePlaceOfTheEarlierOnes) {
  Agree(1);
  Propose(2);
  EXPECT_TRUE(InForce(tg_.Get(1), kDay));
  ASSERT_TRUE(tg_.Send(Sign(2)).ok());
  EXPECT_EQ(tg_.Get(1).state(), v1::AGREEMENT_STATE_REPLACED);
  EXPECT_TRUE(InForce(tg_.Get(2), kDay));
  ASSERT_TRUE(fr_.Take(tg_.outbox.back()).ok());
  EXPECT_EQ(fr_.Get(1).state(), v1::AGREEMENT_STATE_REPLACED);
  EXPECT_TRUE(InForce(fr_.Get(2), kDay));
}

TEST_F(AgreementTest, AnEarlierVersionThatIsSignedLateIsOver) {
  Agree(1);
  Propose(2);
  Propose(3);
  ASSERT_TRUE(tg_.Send(Sign(3)).ok());
  EXPECT_EQ(tg_.Get(1).state(), v1::AGREEMENT_STATE_REPLACED);
  EXPECT_EQ(Reason(tg_.Send(Sign(2))), "AGREEMENT_OVER");
}

TEST_F(AgreementTest, ASignatureThatArrivesAfterALaterVersionSetsNothingInForce) {
  Agree(1);
  Propose(2);
  Propose(3);
  ASSERT_TRUE(tg_.Send(Sign(2)).ok());
  ASSERT_TRUE(tg_.Send(Sign(3)).ok());
  ASSERT_EQ(tg_.outbox.size(), 3);
  ASSERT_TRUE(fr_.Take(tg_.outbox[2]).ok());  // version 3 first
  ASSERT_TRUE(fr_.Take(tg_.outbox[1]).ok());
  EXPECT_EQ(fr_.Get(2).state(), v1::AGREEMENT_STATE_REPLACED);
  EXPECT_TRUE(InForce(fr_.Get(3), kDay));
}

TEST_F(AgreementTest, EndsOnItsDayOnBothSides) {
  Agree();
  ASSERT_TRUE(tg_.Send(Terminate(1)).ok());
  ASSERT_TRUE(fr_.Take(tg_.outbox.back()).ok());
  for (Side* side : {&fr_, &tg_}) {
    EXPECT_EQ(side->Get(1).state(), v1::AGREEMENT_STATE_ENDED);
    EXPECT_TRUE(InForce(side->Get(1), absl::CivilDay(2026, 6, 10)));
    EXPECT_FALSE(InForce(side->Get(1), absl::CivilDay(2026, 6, 11)));
  }
  EXPECT_EQ(fr_.outbox.size(), 1);  // it told of its proposal only
  EXPECT_EQ(Reason(tg_.Send(Terminate(1))), "AGREEMENT_OVER");
  EXPECT_EQ(Reason(tg_.Send(Terminate(1, "2026-06-05"))), "OK");
}

TEST_F(AgreementTest, AProposalThatIsTakenBackIsNeverInForce) {
  Propose();
  ASSERT_TRUE(fr_.Send(Terminate(1)).ok());
  ASSERT_TRUE(tg_.Take(fr_.outbox.back()).ok());
  EXPECT_EQ(tg_.Get(1).state(), v1::AGREEMENT_STATE_ENDED);
  EXPECT_EQ(Reason(tg_.Send(Sign(1))), "AGREEMENT_OVER");
  EXPECT_FALSE(InForce(tg_.Get(1), kDay));
}

TEST_F(AgreementTest, TakenBackAndSignedAtOnceHoldsToItsEndOnBothSides) {
  Propose();
  ASSERT_TRUE(tg_.Send(Sign(1)).ok());
  ASSERT_TRUE(fr_.Send(Terminate(1)).ok());
  ASSERT_TRUE(fr_.Take(tg_.outbox.back()).ok());
  ASSERT_TRUE(tg_.Take(fr_.outbox.back()).ok());
  for (Side* side : {&fr_, &tg_}) {
    EXPECT_EQ(side->Get(1).state(), v1::AGREEMENT_STATE_ENDED);
    EXPECT_TRUE(InForce(side->Get(1), absl::CivilDay(2026, 6, 10)));
    EXPECT_FALSE(InForce(side->Get(1), absl::CivilDay(2026, 6, 11)));
  }
}

TEST_F(AgreementTest, BothMayProposeTheSameVersionAndGoOnWithTheNext) {
  ASSERT_TRUE(fr_.Send(Proposal("tg")).ok());
  ASSERT_TRUE(tg_.Send(Proposal("fr")).ok());
  EXPECT_EQ(Reason(tg_.Take(fr_.outbox.back())), "AGREEMENT_VERSION");
  EXPECT_EQ(Reason(fr_.Take(tg_.outbox.back())), "AGREEMENT_VERSION");
  Agree(2);
  EXPECT_TRUE(InForce(fr_.Get(2), kDay));
  EXPECT_TRUE(InForce(tg_.Get(2), kDay));
}

// ---- Every state, every command -------------------------------------------------------------------------------------

struct State {
  const char* name;
  std::function<void(Side& fr, Side& tg)> reach;
};

// From TG's side, where FR is the partner.
const std::vector<State>& States() {
  static const std::vector<State> states = {
      {"none", [](Side&, Side&) {}},
      {"proposed by us", [](Side&, Side& tg) { ASSERT_TRUE(tg.Send(Proposal("fr")).ok()); }},
      {"proposed by the partner",
       [](Side& fr, Side& tg) {
         ASSERT_TRUE(fr.Send(Proposal("tg")).ok());
         ASSERT_TRUE(tg.Take(fr.outbox.back()).ok());
       }},
      {"signed",
       [](Side& fr, Side& tg) {
         ASSERT_TRUE(fr.Send(Proposal("tg")).ok());
         ASSERT_TRUE(tg.Take(fr.outbox.back()).ok());
         ASSERT_TRUE(tg.Send(Sign(1)).ok());
       }},
      {"replaced",
       [](Side& fr, Side& tg) {
         for (const int version : {1, 2}) {
           ASSERT_TRUE(fr.Send(Proposal("tg", version)).ok());
           ASSERT_TRUE(tg.Take(fr.outbox.back()).ok());
           ASSERT_TRUE(tg.Send(Sign(version)).ok());
         }
       }},
      {"ended",
       [](Side& fr, Side& tg) {
         ASSERT_TRUE(fr.Send(Proposal("tg")).ok());
         ASSERT_TRUE(tg.Take(fr.outbox.back()).ok());
         ASSERT_TRUE(tg.Send(Sign(1)).ok());
         ASSERT_TRUE(tg.Send(Terminate(1)).ok());
       }},
      {"taken back",
       [](Side& fr, Side& tg) {
         ASSERT_TRUE(fr.Send(Proposal("tg")).ok());
         ASSERT_TRUE(tg.Take(fr.outbox.back()).ok());
         ASSERT_TRUE(tg.Send(Terminate(1)).ok());
       }},
  };
  return states;
}

struct Row {
  const char* command;
  std::function<absl::Status(Side& fr, Side& tg)> run;
  std::vector<std::string> reasons;  // in the order of States()
};

TEST(Agreement, EveryCommandInEveryState) {
  const std::string over = "AGREEMENT_OVER";
  const std::string none = "AGREEMENT_NOT_FOUND";
  const std::string version = "AGREEMENT_VERSION";
  const std::string twice = "SIGNED_ALREADY";
  const std::vector<Row> rows = {
      {"propose",
       [](Side&, Side& tg) { return tg.Send(Proposal("fr")); },
       {"OK", version, version, version, version, version, version}},
      {"sign",
       [](Side&, Side& tg) { return tg.Send(Sign(1)); },
       {none, twice, "OK", twice, twice, twice, over}},
      {"record",
       [](Side&, Side& tg) {
         const std::string bytes = tg.Has(1) ? tg.Get(1).terms_bytes() : std::string();
         return tg.Send(Record(1, bytes, 'f'));
       },
       {none, "OK", twice, twice, twice, twice, twice}},
      {"terminate",
       [](Side&, Side& tg) { return tg.Send(Terminate(1, "2026-06-05")); },
       {none, "OK", "OK", "OK", over, "OK", "OK"}},
      {"receive a proposal",
       [](Side&, Side& tg) {
         Side other("fr", 'f', "tg", 't');
         EXPECT_TRUE(other.Send(Proposal("tg")).ok());
         return tg.Take(other.outbox.back());
       },
       {"OK", version, "OK", "OK", "OK", "OK", "OK"}},
      {"receive a signature",
       [](Side& fr, Side& tg) -> absl::Status {
         if (!tg.Has(1)) return absl::OkStatus();
         Outgoing again{"tg", "", nullptr};
         auto message = std::make_shared<v1::AgreementSigned>();
         *message->mutable_agreement() = tg.Get(1);
         v1::AgreementSignature& signature = *message->mutable_agreement()->add_signatures();
         signature.set_node("fr");
         signature.set_key_id(KeyId('f'));
         signature.set_signature(Signer('f').Sign(kAgreementLabel, tg.Get(1).terms_bytes()));
         again.message = message;
         (void)fr;
         return tg.Take(again);
       },
       {"OK", "OK", "OK", "OK", "OK", "OK", "OK"}},
      {"receive the end",
       [](Side&, Side& tg) {
         v1::ReceiveAgreementEndRequest request;
         request.set_partner_id("fr");
         request.set_id(IdOf(1));
         request.set_end_date("2026-06-03");
         return tg.Send(request);
       },
       {none, "OK", "OK", "OK", "OK", "OK", "OK"}},
  };
  for (const Row& row : rows) {
    for (std::size_t i = 0; i < States().size(); ++i) {
      Side fr("fr", 'f', "tg", 't');
      Side tg("tg", 't', "fr", 'f');
      States()[i].reach(fr, tg);
      EXPECT_EQ(Reason(row.run(fr, tg)), row.reasons[i]) << row.command << ", " << States()[i].name;
    }
  }
}

// ---- What is refused ------------------------------------------------------------------------------------------------

TEST_F(AgreementTest, NothingIsProposedToOrSignedWithWhoIsSuspendedOrUnknown) {
  EXPECT_EQ(Reason(tg_.Send(Proposal("cm"))), "PARTNER_NOT_FOUND");
  Propose();
  ASSERT_TRUE(tg_.Send(Suspend("fr")).ok());
  EXPECT_EQ(Reason(tg_.Send(Sign(1))), "PARTNER_SUSPENDED");
  EXPECT_EQ(Reason(tg_.Send(Proposal("fr", 2))), "PARTNER_SUSPENDED");
  EXPECT_EQ(Reason(tg_.Take(fr_.outbox.back())), "PARTNER_SUSPENDED");
  EXPECT_EQ(Reason(tg_.Send(Terminate(1))), "OK");
}

TEST_F(AgreementTest, VersionsFollowOneAnother) {
  EXPECT_EQ(Reason(tg_.Send(Proposal("fr", 2))), "AGREEMENT_VERSION");
  EXPECT_EQ(Reason(tg_.Send(Proposal("fr", 1))), "OK");
  EXPECT_EQ(Reason(tg_.Send(Proposal("fr", 3))), "AGREEMENT_VERSION");
  ASSERT_TRUE(tg_.Send(RegisterNode("cm", 'c')).ok());
  EXPECT_EQ(Reason(tg_.Send(Proposal("cm", 2))), "AGREEMENT_VERSION");
  EXPECT_EQ(Reason(tg_.Send(Proposal("fr", kVersionsMax + 1))), "AGREEMENT_VERSION");
}

TEST_F(AgreementTest, WithoutASigningKeyNothingIsProposedOrSigned) {
  engine::Context context = tg_.At();
  context.sign = nullptr;
  EXPECT_EQ(Reason(tg_.world().Send(Proposal("fr"), context)), "NO_SIGNING_KEY");
  Propose();
  context = tg_.At();
  context.sign = [](std::string_view, std::string_view) { return engine::Signature(); };
  EXPECT_EQ(Reason(tg_.world().Send(Sign(1), context)), "NO_SIGNING_KEY");
}

TEST_F(AgreementTest, SignaturesOfOthersOrOverOtherBytesAreNone) {
  ASSERT_TRUE(tg_.Send(Proposal("fr")).ok());
  const std::string bytes = tg_.Get(1).terms_bytes();
  EXPECT_EQ(Reason(tg_.Send(Record(1, bytes, 'x'))), "KEY_NOT_FOUND");
  EXPECT_EQ(Reason(tg_.Send(Record(1, bytes + " ", 'f'))), "SIGNATURE_INVALID");
  EXPECT_EQ(Reason(tg_.Send(Record(1, bytes, 'f', "sankofa.feed.v1"))), "SIGNATURE_INVALID");
  v1::RecordPartnerSignatureRequest request = Record(1, bytes, 'x');
  request.set_key_id(KeyId('f'));
  EXPECT_EQ(Reason(tg_.Send(request)), "SIGNATURE_INVALID");
  request.set_signature("short");
  EXPECT_EQ(Reason(tg_.Send(request)), "SIGNATURE_INVALID");
  EXPECT_EQ(tg_.Get(1).state(), v1::AGREEMENT_STATE_PROPOSED);
}

TEST_F(AgreementTest, AKeyThatWasRevokedSetsNothingInForce) {
  Propose();
  v1::RevokePartnerKeyRequest revoke;
  revoke.set_partner_id("fr");
  revoke.set_key_id(KeyId('f'));
  ASSERT_TRUE(tg_.Send(revoke).ok());
  EXPECT_EQ(Reason(tg_.Send(Sign(1))), "SIGNATURE_INVALID");
}

TEST_F(AgreementTest, WhatIsPastItsLastDayIsNotSigned) {
  Propose();
  EXPECT_EQ(Reason(tg_.Send(Sign(1), 24 * 800)), "AGREEMENT_OVER");
}

TEST_F(AgreementTest, EndsFromTodayOnAndNotAfterItsLastDay) {
  Agree();
  EXPECT_EQ(Reason(tg_.Send(Terminate(1, "2026-05-31"))), "AGREEMENT_DATES");
  EXPECT_EQ(Reason(tg_.Send(Terminate(1, "2028-06-01"))), "AGREEMENT_DATES");
  EXPECT_EQ(Reason(tg_.Send(Terminate(1, "2026-06-01"))), "OK");
}

// What a partner may send, altered in one place each.
TEST_F(AgreementTest, AlteredProposalsAreRefused) {
  ASSERT_TRUE(fr_.Send(Proposal("tg")).ok());
  const v1::SharingAgreement good = fr_.Get(1);
  const auto take = [&](const std::function<void(v1::SharingAgreement&)>& alter) {
    v1::ReceiveAgreementRequest request;
    request.set_partner_id("fr");
    *request.mutable_agreement() = good;
    alter(*request.mutable_agreement());
    Side tg("tg", 't', "fr", 'f');
    return Reason(tg.Send(request));
  };
  const auto with_terms = [&](const std::function<void(v1::AgreementTerms&)>& alter) {
    return take([&](v1::SharingAgreement& agreement) {
      v1::AgreementTerms terms = agreement.terms();
      alter(terms);
      agreement.set_terms_bytes(terms.SerializeAsString());
      agreement.mutable_signatures(0)->set_signature(
          Signer('f').Sign(kAgreementLabel, agreement.terms_bytes()));
      agreement.set_id(AgreementIdOf(terms));
    });
  };
  EXPECT_EQ(take([](auto&) {}), "OK");
  EXPECT_EQ(with_terms([](auto&) {}), "OK");
  // What stands beside the bytes counts for nothing.
  EXPECT_EQ(take([](auto& agreement) {
              agreement.mutable_terms()->clear_legal_basis();
              agreement.set_state(v1::AGREEMENT_STATE_SIGNED);
              agreement.mutable_signed_time()->set_seconds(1);
              agreement.set_partner_id("cm");
            }),
            "OK");
  EXPECT_EQ(take([](auto& agreement) { agreement.clear_signatures(); }), "SIGNATURE_INVALID");
  EXPECT_EQ(take([](auto& agreement) { agreement.mutable_signatures(0)->set_node("tg"); }),
            "SIGNATURE_INVALID");
  EXPECT_EQ(take([](auto& agreement) { agreement.mutable_signatures(0)->set_key_id("0"); }),
            "SIGNATURE_INVALID");
  EXPECT_EQ(take([](auto& agreement) { agreement.clear_terms_bytes(); }), "INVALID_FIELD");
  EXPECT_EQ(take([](auto& agreement) { agreement.set_terms_bytes("\xff\xff"); }), "INVALID_FIELD");
  EXPECT_EQ(take([](auto& agreement) {
              agreement.set_terms_bytes(std::string(kTermsBytesMax + 1, '\x0a'));
            }),
            "INVALID_FIELD");
  EXPECT_EQ(take([](auto& agreement) { agreement.set_id(""); }), "AGREEMENT_VERSION");
  EXPECT_EQ(take([](auto& agreement) { agreement.set_id(IdOf(2)); }), "AGREEMENT_VERSION");
  EXPECT_EQ(with_terms([](auto& terms) { terms.set_version(0); }), "AGREEMENT_VERSION");
  EXPECT_EQ(with_terms([](auto& terms) { terms.set_version(-1); }), "AGREEMENT_VERSION");
  EXPECT_EQ(with_terms([](auto& terms) { terms.set_version(kVersionsMax + 1); }),
            "AGREEMENT_VERSION");
  EXPECT_EQ(with_terms([](auto& terms) { terms.set_agreement_id("a:1"); }), "INVALID_FIELD");
  EXPECT_EQ(with_terms([](auto& terms) { terms.set_proposer("cm"); }), "NOT_THEIRS_TO_SIGN");
  EXPECT_EQ(with_terms([](auto& terms) { terms.set_counterpart("cm"); }), "NOT_THEIRS_TO_SIGN");
  EXPECT_EQ(with_terms([](auto& terms) {
              terms.set_proposer("tg");
              terms.set_counterpart("fr");
            }),
            "AGREEMENT_NOT_FOUND");
  EXPECT_EQ(with_terms([](auto& terms) { terms.clear_legal_basis(); }), "INVALID_FIELD");
  EXPECT_EQ(with_terms([](auto& terms) { terms.set_from_date("01/06/2026"); }), "INVALID_FIELD");
  EXPECT_EQ(with_terms([](auto& terms) { terms.set_until_date("2040-01-01"); }), "AGREEMENT_DATES");
  EXPECT_EQ(with_terms([](auto& terms) { terms.clear_proposer_shares(); }), "AGREEMENT_EMPTY");
  EXPECT_EQ(with_terms([](auto& terms) {
              terms.mutable_proposer_shares(0)->add_event_types("sankofa.registration.v1.Nothing");
            }),
            "EVENT_TYPE_UNKNOWN");
  // A field that a later version of the platform may know: nobody signs what they can't read.
  EXPECT_EQ(with_terms([](auto& terms) {
              auto* share = terms.mutable_proposer_shares(0);
              share->GetReflection()->MutableUnknownFields(share)->AddVarint(999, 1);
            }),
            "INVALID_FIELD");
}

TEST_F(AgreementTest, APartnerSpeaksOfItsOwnAgreementsOnly) {
  ASSERT_TRUE(tg_.Send(RegisterNode("cm", 'c')).ok());
  Agree();
  v1::ReceiveAgreementEndRequest end;
  end.set_partner_id("cm");
  end.set_id(IdOf(1));
  end.set_end_date("2026-06-01");
  EXPECT_EQ(Reason(tg_.Send(end)), "AGREEMENT_NOT_FOUND");
  end.set_partner_id("fr");
  end.set_end_date("today");
  EXPECT_EQ(Reason(tg_.Send(end)), "AGREEMENT_DATES");
  // The next version of FR's agreement, by CM.
  Side cm("cm", 'c', "tg", 't');
  ASSERT_TRUE(cm.Send(Proposal("tg", 1)).ok());
  ASSERT_TRUE(cm.Send(Proposal("tg", 2)).ok());
  v1::ReceiveAgreementRequest request;
  request.set_partner_id("cm");
  *request.mutable_agreement() = cm.Get(2);
  EXPECT_EQ(Reason(tg_.Send(request)), "AGREEMENT_VERSION");
}

// ---- Whatever is done -----------------------------------------------------------------------------------------------

// Two nodes do anything in any order, their messages arrive late, twice or never, and some were altered on the way. An
// agreement is in force on a side only where the stored bytes bear two signatures that verify, and never two versions of
// it at once; once all messages have arrived in order, both sides say the same.
RC_GTEST_PROP(AgreementProperty, IsInForceByTwoSignaturesOverTheSameBytes, ()) {
  Side fr("fr", 'f', "tg", 't');
  Side tg("tg", 't', "fr", 'f');
  std::size_t fr_taken = 0;
  std::size_t tg_taken = 0;
  const auto steps = *rc::gen::container<std::vector<int>>(rc::gen::inRange(0, 100));
  for (const int step : steps) {
    Side& side = step % 2 == 0 ? fr : tg;
    Side& other = step % 2 == 0 ? tg : fr;
    std::size_t& taken = step % 2 == 0 ? fr_taken : tg_taken;
    const std::string partner = step % 2 == 0 ? "tg" : "fr";
    const int version = 1 + step % 3;
    if (step < 20) {
      (void)side.Send(Proposal(partner, version));
    } else if (step < 40) {
      (void)side.Send(Sign(version));
    } else if (step < 46) {
      (void)side.Send(Terminate(version));
    } else if (step < 50 && !other.outbox.empty()) {  // altered on the way, and signed by nobody
      const auto* agreement =
          dynamic_cast<const v1::AgreementSigned*>(other.outbox.back().message.get());
      if (agreement == nullptr) continue;
      v1::ReceiveAgreementRequest request;
      request.set_partner_id(partner);
      *request.mutable_agreement() = agreement->agreement();
      request.mutable_agreement()->mutable_terms_bytes()->back() ^= 1;
      RC_ASSERT(!side.Send(request).ok());
    } else if (step < 90 && taken < other.outbox.size()) {
      (void)side.Take(other.outbox[taken++]);
    } else if (!other.outbox.empty()) {
      (void)side.Take(other.outbox[static_cast<std::size_t>(step) % other.outbox.size()]);
    }
    for (Side* one : {&fr, &tg}) {
      int in_force = 0;
      for (int v = 1; v <= 3; ++v) {
        if (!one->Has(v) || !InForce(one->Get(v), kDay)) continue;
        ++in_force;
        const v1::SharingAgreement& agreement = one->Get(v);
        RC_ASSERT(agreement.signatures_size() == 2);
        RC_ASSERT(agreement.signatures(0).node() != agreement.signatures(1).node());
        for (const v1::AgreementSignature& signature : agreement.signatures()) {
          const char seed = signature.node() == "fr" ? 'f' : 't';
          RC_ASSERT(crypto::Verifies(Signer(seed).public_key(), kAgreementLabel,
                                     agreement.terms_bytes(), signature.signature()));
        }
        RC_ASSERT(agreement.terms().SerializeAsString() == agreement.terms_bytes());
      }
      RC_ASSERT(in_force <= 1);
    }
  }
  while (fr_taken < tg.outbox.size() || tg_taken < fr.outbox.size()) {
    if (fr_taken < tg.outbox.size()) (void)fr.Take(tg.outbox[fr_taken++]);
    if (tg_taken < fr.outbox.size()) (void)tg.Take(fr.outbox[tg_taken++]);
  }
  for (int v = 1; v <= 3; ++v) {
    RC_ASSERT(InForce(fr.Get(v), kDay) == InForce(tg.Get(v), kDay));
  }
}

}  // namespace
}  // namespace sankofa::exchange
