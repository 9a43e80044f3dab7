#include "services/platform/rpc/identity/token.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "services/platform/rpc/identity/jwks.h"
#include "services/platform/status/refuse.h"
#include "services/platform/telemetry/log.h"
#include "services/platform/time/time.h"
#include "tests/unit/rpc/token_maker.h"

namespace sankofa::rpc {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

// Keys are slow to make: once for all tests.
const SigningKey& EcKey() {
  static const SigningKey key = SigningKey::Ec("ec-1");
  return key;
}
const SigningKey& RsaKey() {
  static const SigningKey key = SigningKey::Rsa("rsa-1");
  return key;
}
const SigningKey& ForeignKey() {
  static const SigningKey key = SigningKey::Ec("ec-1");
  return key;
}

class TokenTest : public ::testing::Test {
 protected:
  TokenTest() {
    char name[] = "/tmp/sankofa-token-XXXXXX";
    folder_ = ::mkdtemp(name);
    Publish({EcKey().Json(), RsaKey().Json()});
    verifier_ = Make(100);
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  [[nodiscard]] std::string jwks() const { return folder_ + "/jwks.json"; }

  // Replaces the file as a careful writer does.
  void Publish(const std::vector<std::string>& keys) { PublishText(Jwks(keys)); }
  void PublishText(const std::string& text) {
    WriteFile(jwks() + ".part", text);
    std::filesystem::rename(jwks() + ".part", jwks());
  }

  [[nodiscard]] std::unique_ptr<TokenVerifier> Make(std::size_t remembered_max) {
    TokenVerifier::Options options;
    options.issuer = "https://identity.cm.example";
    options.audience = "sankofa-cm";
    options.jwks_file = jwks();
    options.remembered_max = remembered_max;
    options.clock = &clock_;
    auto made = TokenVerifier::Create(options);
    EXPECT_TRUE(made.ok()) << made.status();
    return *std::move(made);
  }

  [[nodiscard]] TokenClaims Claims() const {
    TokenClaims claims;
    claims.expires = clock_.Now() + absl::Hours(1);
    return claims;
  }

  [[nodiscard]] static std::string Signed(const TokenClaims& claims) {
    return EcKey().Sign(HeaderOf("ES256", "ec-1"), claims.Json());
  }

  // "" where the token is good, the reason otherwise; anything but one reason is a fault.
  std::string Refused(std::string_view token) {
    const auto person = verifier_->Verify(token);
    return person.ok() ? "" : status::ReasonOf(person.status());
  }
  void ExpectRefused(std::string_view token, std::string_view cause) {
    const auto person = verifier_->Verify(token);
    ASSERT_FALSE(person.ok()) << cause;
    EXPECT_EQ(status::ReasonOf(person.status()), "UNAUTHENTICATED");
    EXPECT_THAT(status::ToDetailsTrailer(person.status()), HasSubstr(std::string(cause)));
  }

  std::string folder_;
  time::ManualClock clock_{absl::FromUnixSeconds(1'770'000'000)};
  std::unique_ptr<TokenVerifier> verifier_;
};

TEST_F(TokenTest, AGoodTokenSaysWhoThePersonIs) {
  const auto person = verifier_->Verify(Signed(Claims()));
  ASSERT_TRUE(person.ok()) << person.status();
  EXPECT_EQ(person->subject, "s.ngono");
  EXPECT_EQ(person->organisation, "minrex");
  EXPECT_THAT(person->roles, ElementsAre("case_officer"));
}

TEST_F(TokenTest, Rs256IsTakenToo) {
  EXPECT_EQ(Refused(RsaKey().Sign(HeaderOf("RS256", "rsa-1"), Claims().Json())), "");
}

TEST_F(TokenTest, TimesAreComparedWithLeeway) {
  TokenClaims claims = Claims();
  claims.expires = clock_.Now() - absl::Seconds(59);
  EXPECT_EQ(Refused(Signed(claims)), "");
  claims.expires = clock_.Now() - absl::Seconds(60);
  ExpectRefused(Signed(claims), "expired");
  claims = Claims();
  claims.not_before = clock_.Now() + absl::Seconds(60);
  EXPECT_EQ(Refused(Signed(claims)), "");
  claims.not_before = clock_.Now() + absl::Seconds(61);
  ExpectRefused(Signed(claims), "not yet valid");
}

TEST_F(TokenTest, ARememberedTokenStillExpires) {
  const std::string token = Signed(Claims());
  EXPECT_EQ(Refused(token), "");
  EXPECT_EQ(verifier_->remembered(), 1u);
  clock_.Advance(absl::Hours(1) + absl::Seconds(59));
  EXPECT_EQ(Refused(token), "");
  clock_.Advance(absl::Seconds(1));
  ExpectRefused(token, "expired");
  EXPECT_EQ(verifier_->remembered(), 0u);
}

TEST_F(TokenTest, WhatIsRememberedIsBounded) {
  verifier_ = Make(10);
  for (int i = 0; i < 30; ++i) {
    TokenClaims claims = Claims();
    claims.subject = absl::StrCat("s.", i);
    EXPECT_EQ(Refused(Signed(claims)), "");
    EXPECT_LE(verifier_->remembered(), 10u);
  }
}

TEST_F(TokenTest, ARefusedTokenIsNotRemembered) {
  TokenClaims claims = Claims();
  claims.issuer = "https://evil.example";
  ExpectRefused(Signed(claims), "issuer");
  EXPECT_EQ(verifier_->remembered(), 0u);
}

TEST_F(TokenTest, IssuerAndAudienceMustBeOurs) {
  TokenClaims claims = Claims();
  for (const char* issuer : {"", "https://identity.tg.example", "https://identity.cm.example/",
                             "HTTPS://identity.cm.example"}) {
    claims.issuer = issuer;
    ExpectRefused(Signed(claims), "issuer");
  }
  claims = Claims();
  for (const char* audience :
       {"", "\"sankofa-tg\"", "[]", "[\"sankofa-tg\", 1]", "{}", "1", "null"}) {
    claims.audience = audience;
    ExpectRefused(Signed(claims), "audience");
  }
  claims.audience = "[\"other\", \"sankofa-cm\"]";
  EXPECT_EQ(Refused(Signed(claims)), "");
}

TEST_F(TokenTest, ClaimsMustHaveTheirShape) {
  TokenClaims claims = Claims();
  claims.expires = absl::InfinitePast();
  ExpectRefused(Signed(claims), "no expiry");
  claims = Claims();
  claims.subject = "";
  ExpectRefused(Signed(claims), "no subject");
  claims.subject = std::string(300, 'a');
  ExpectRefused(Signed(claims), "no subject");
  claims = Claims();
  for (const char* roles : {"\"case_officer\"", "[1]", "[[\"case_officer\"]]", "{}"}) {
    claims.roles = roles;
    ExpectRefused(Signed(claims), "malformed");
  }
  claims.roles = "[]";
  EXPECT_EQ(Refused(Signed(claims)), "");
  claims.roles = "";
  EXPECT_EQ(Refused(Signed(claims)), "");
  const auto sign = [](const std::string& json) {
    return EcKey().Sign(HeaderOf("ES256", "ec-1"), json);
  };
  ExpectRefused(sign("[]"), "malformed");
  ExpectRefused(sign("not json"), "malformed");
  ExpectRefused(sign(absl::StrReplaceAll(Claims().Json(), {{"\"sub\"", "\"iss\""}})), "malformed");
  ExpectRefused(sign(absl::StrReplaceAll(Claims().Json(), {{"\"exp\": ", "\"exp\": -"}})),
                "no expiry");
  ExpectRefused(
      sign(absl::StrReplaceAll(Claims().Json(), {{"\"exp\": ", "\"exp\": 1e300, \"x\": "}})),
      "no expiry");
}

TEST_F(TokenTest, AnUnknownKeyIsRefused) {
  // The right id, another key.
  ExpectRefused(ForeignKey().Sign(HeaderOf("ES256", "ec-1"), Claims().Json()), "signature");
  ExpectRefused(EcKey().Sign(HeaderOf("ES256", "ec-2"), Claims().Json()), "unknown key");
  // The id of a key for another algorithm.
  ExpectRefused(EcKey().Sign(HeaderOf("ES256", "rsa-1"), Claims().Json()), "unknown key");
}

TEST_F(TokenTest, WithoutAKeyIdTheOnlyKeyOfTheAlgorithmIsMeant) {
  const std::string token = EcKey().Sign("{\"alg\": \"ES256\"}", Claims().Json());
  EXPECT_EQ(Refused(token), "");
  Publish({EcKey().Json(), SigningKey::Ec("ec-2").Json()});
  clock_.Advance(absl::Seconds(2));
  ExpectRefused(token, "unknown key");
}

TEST_F(TokenTest, AlgNoneIsRefused) {
  for (const char* algorithm : {"none", "None", "NONE", ""}) {
    for (const char* signature : {"", "x"}) {
      EXPECT_EQ(Refused(Forge(HeaderOf(algorithm, "ec-1"), Claims().Json(), signature)),
                "UNAUTHENTICATED")
          << algorithm;
    }
  }
}

TEST_F(TokenTest, Hs256WithThePublicKeyAsSecretIsRefused) {
  for (const std::string& secret : {EcKey().Json(), RsaKey().Json()}) {
    const SigningKey forger = SigningKey::Secret(secret, "rsa-1");
    for (const char* algorithm : {"HS256", "HS384", "HS512"}) {
      for (const char* kid : {"rsa-1", "ec-1", ""}) {
        ExpectRefused(forger.Sign(HeaderOf(algorithm, kid), Claims().Json()), "algorithm");
      }
    }
  }
}

TEST_F(TokenTest, OtherAlgorithmsAreRefused) {
  for (const char* algorithm : {"RS384", "RS512", "PS256"}) {
    ExpectRefused(RsaKey().Sign(HeaderOf(algorithm, "rsa-1"), Claims().Json()), "algorithm");
  }
}

TEST_F(TokenTest, ACriticalHeaderIsRefused) {
  ExpectRefused(
      EcKey().Sign("{\"alg\": \"ES256\", \"kid\": \"ec-1\", \"crit\": [\"exp\"]}", Claims().Json()),
      "critical header");
}

TEST_F(TokenTest, AChangedTokenIsRefused) {
  const std::string token = Signed(Claims());
  for (std::size_t i = 0; i < token.size(); ++i) {
    std::string changed = token;
    changed[i] = changed[i] == 'A' ? 'B' : 'A';
    // The last character of base64 may hold bits that say nothing.
    if (i + 1 == token.size() || token[i + 1] == '.') continue;
    EXPECT_EQ(Refused(changed), "UNAUTHENTICATED") << i;
  }
}

TEST_F(TokenTest, GarbageIsRefused) {
  const std::string token = Signed(Claims());
  const std::string no_signature = token.substr(0, token.rfind('.') + 1);
  for (const std::string& garbage :
       {std::string(),
        std::string("."),
        std::string(".."),
        std::string("..."),
        std::string("a.b.c"),
        std::string(" "),
        std::string("\0\0\0", 3),
        std::string("null"),
        token + "x.y",
        token + ".x",
        "." + token,
        token.substr(1),
        no_signature,
        token.substr(0, token.rfind('.')),
        Forge("{}", "{}", "x"),
        Forge("[]", "{}", "x"),
        Forge("{\"alg\": 1}", "{}", "x"),
        Forge("{\"alg\": \"ES256\", \"kid\": [1]}", "{}", std::string(64, 'x')),
        std::string(100, '.'),
        std::string("\xFF\xFE.\xFF.\xFF")}) {
    EXPECT_EQ(Refused(garbage), "UNAUTHENTICATED") << garbage;
  }
}

TEST_F(TokenTest, AHugeTokenIsRefusedUnread) {
  TokenClaims claims = Claims();
  claims.organisation = std::string(10'000, 'a');
  ExpectRefused(Signed(claims), "malformed");
  ExpectRefused(std::string(1'000'000, 'a'), "malformed");
}

TEST_F(TokenTest, ChangedKeysAreReadAgain) {
  const std::string old_token = Signed(Claims());
  EXPECT_EQ(Refused(old_token), "");
  const SigningKey fresh = SigningKey::Ec("ec-9");
  const std::string fresh_token = fresh.Sign(HeaderOf("ES256", "ec-9"), Claims().Json());
  Publish({fresh.Json()});
  clock_.Advance(absl::Seconds(2));
  EXPECT_EQ(Refused(fresh_token), "");
  // A key that is gone takes its tokens with it, also those that were verified before.
  ExpectRefused(old_token, "unknown key");
}

TEST_F(TokenTest, ABrokenFileLeavesTheKeysAsTheyWere) {
  const telemetry::LogCapture capture;
  const std::string token = Signed(Claims());
  PublishText("{\"keys\": [");
  clock_.Advance(absl::Seconds(2));
  EXPECT_EQ(Refused(token), "");
  EXPECT_THAT(capture.lines().back(), HasSubstr("\"level\":\"ERROR\""));
  std::filesystem::remove(jwks());
  clock_.Advance(absl::Seconds(2));
  EXPECT_EQ(Refused(token), "");
}

TEST(KeySetTest, TakesSigningKeysOfTheTwoAlgorithmsAlone) {
  const auto with = [](std::string json, std::string_view member) {
    return absl::StrCat("{", status::Absl(member), ", ", json.substr(json.find('{') + 1));
  };
  EXPECT_EQ((*KeySet::Parse(Jwks({EcKey().Json(), RsaKey().Json()})))->size(), 2u);
  EXPECT_EQ((*KeySet::Parse(Jwks({with(EcKey().Json(), "\"use\": \"sig\""),
                                  with(EcKey().Json(), "\"use\": \"enc\""),
                                  with(EcKey().Json(), "\"alg\": \"ES256\""),
                                  with(EcKey().Json(), "\"alg\": \"ES384\"")})))
                ->size(),
            2u);
  EXPECT_FALSE(KeySet::Parse(Jwks({SigningKey::Rsa("small", 1024).Json()})).ok());
  EXPECT_FALSE(KeySet::Parse(Jwks({SigningKey::Secret("0123456789abcdef", "s").Json(true)})).ok());
  EXPECT_FALSE(KeySet::Parse(Jwks({EcKey().Json(/*with_private=*/true)})).ok());
  EXPECT_FALSE(KeySet::Parse("").ok());
  EXPECT_FALSE(KeySet::Parse("[]").ok());
  EXPECT_FALSE(KeySet::Parse("{\"keys\": []}").ok());
  EXPECT_FALSE(KeySet::Parse("{\"keys\": [{}, 1, null]}").ok());
}

TEST(TokenVerifierTest, DoesNotStartWithoutKeys) {
  TokenVerifier::Options options;
  options.jwks_file = "/nowhere/jwks.json";
  EXPECT_FALSE(TokenVerifier::Create(options).ok());
}

}  // namespace
}  // namespace sankofa::rpc
