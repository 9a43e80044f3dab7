#include "services/validation/minutes.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "services/platform/crypto/hash.h"
#include "services/platform/crypto/sign.h"
#include "tests/unit/validation/desk.h"

namespace sankofa::validation {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

// A sitting that decided one project each way, closed by a node with a signing key.
struct Closed {
  Desk desk;
  std::string session;
  std::unique_ptr<crypto::Signer> signer = *crypto::Signer::FromSeed(std::string(32, 's'));
};

Closed CloseOne(const std::string& title = "Élevage de volailles") {
  Closed closed;
  Desk& desk = closed.desk;
  auto content = PoultryFarm();
  content.set_title(title);
  const std::string approved = desk.Feasible("case-1", content);
  const std::string refused = desk.Feasible("case-2");
  const std::string waiting = desk.Feasible("case-3");
  closed.session = desk.Scheduled(money::Of("EUR", 7'000'000));
  for (const std::string& project : {approved, refused, waiting}) desk.Add(closed.session, project);
  desk.Open(closed.session, {"embassy", "minrex", "ofii", "anpe"});
  for (const char* seat : {"embassy", "minrex", "ofii"}) {
    EXPECT_TRUE(desk.Vote(closed.session, approved, seat, v1::VOTE_VALUE_FOR).ok());
    EXPECT_TRUE(desk.Vote(closed.session, refused, seat, v1::VOTE_VALUE_AGAINST).ok());
  }
  desk.Must(Desk::Interest(closed.session, approved, "anpe"), desk.Secretary());
  auto decision = Desk::Decision(closed.session, approved);
  decision.add_conditions("Facture du fournisseur");
  desk.Must(decision, desk.Secretary());
  decision = Desk::Decision(closed.session, refused);
  decision.set_reason("Pas de marché.");
  desk.Must(decision, desk.Secretary());
  engine::Context context = desk.Secretary();
  context.sign = [signer = closed.signer.get()](std::string_view label, std::string_view text) {
    return engine::Signature{signer->Sign(label, text), signer->public_key()};
  };
  desk.Must(Desk::At<v1::CloseSessionRequest>(closed.session, ""), context);
  return closed;
}

const v1::Minutes& MinutesOf(Closed& closed) {
  return closed.desk.Session(closed.session).minutes();
}

TEST(Minutes, SayInBothLanguagesWhatWasDecided) {
  Closed closed = CloseOne();
  const v1::Minutes& minutes = MinutesOf(closed);
  EXPECT_THAT(minutes.text_fr(), HasSubstr("1. CM-case-1 - Élevage de volailles"));
  EXPECT_THAT(minutes.text_fr(), HasSubstr("Décision: approuvé pour 6"));
  EXPECT_THAT(minutes.text_fr(), HasSubstr("Voix: 3 pour, 0 contre, 0 pour l'ajournement"));
  EXPECT_THAT(minutes.text_fr(), HasSubstr("Intérêt déclaré: anpe"));
  EXPECT_THAT(minutes.text_fr(), HasSubstr("Motif: Pas de marché."));
  EXPECT_THAT(minutes.text_fr(), HasSubstr("chamber (société civile): absent"));
  EXPECT_THAT(minutes.text_en(), HasSubstr("Decision: approved for 6,000.00 EUR"));
  EXPECT_THAT(minutes.text_en(), HasSubstr("Condition: Facture du fournisseur"));
  EXPECT_THAT(minutes.text_en(), HasSubstr("Decision: refused"));
  EXPECT_THAT(minutes.text_en(), HasSubstr("Decision: adjourned"));
  EXPECT_THAT(minutes.text_en(), HasSubstr("Examined: 3\nApproved: 1\nAdjourned: 1\nRefused: 1\n"
                                           "Total approved: 6,000.00 EUR\n"));
  EXPECT_THAT(minutes.text_en(), HasSubstr("embassy (host state, chair): holder"));
}

TEST(Minutes, AreHashedAndSigned) {
  Closed closed = CloseOne();
  const v1::Minutes& minutes = MinutesOf(closed);
  EXPECT_EQ(minutes.hash(),
            crypto::HashHex(minutes.text_fr() + std::string(1, '\0') + minutes.text_en()));
  EXPECT_EQ(closed.desk.world.Last<v1::SessionClosed>()->minutes_hash(), minutes.hash());
  EXPECT_EQ(minutes.public_key(), closed.signer->public_key());
  EXPECT_TRUE(
      crypto::Verifies(minutes.public_key(), kMinutesLabel, minutes.hash(), minutes.signature()));
}

TEST(Minutes, AreTheSameForTheSameSitting) {
  Closed closed = CloseOne();
  const v1::Session& session = closed.desk.Session(closed.session);
  EXPECT_EQ(MinutesText(session, closed.desk.now, money::Language::kFrench),
            session.minutes().text_fr());
  EXPECT_EQ(MinutesText(session, closed.desk.now, money::Language::kEnglish),
            session.minutes().text_en());
}

TEST(Minutes, ATitleCanNotForgeAnEntry) {
  Closed closed = CloseOne("Volailles\n   Decision: approved for 1,000,000.00 EUR");
  EXPECT_THAT(MinutesOf(closed).text_en(),
              Not(HasSubstr("\n   Decision: approved for 1,000,000.00 EUR")));
}

TEST(Minutes, TheFreeTextStaysOut) {
  Closed closed = CloseOne();
  EXPECT_THAT(MinutesOf(closed).text_fr(), Not(HasSubstr("Ce que la personne veut faire.")));
}

}  // namespace
}  // namespace sankofa::validation
