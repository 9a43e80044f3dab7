#include "services/registration/person/names.h"

#include <gmock/gmock.h>

#include "tests/unit/registration/fixture.h"

namespace sankofa::registration {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

TEST(NameWords, FoldsCaseAccentsAndApostrophes) {
  EXPECT_THAT(NameWords("N'Diaye Kɔfi-Élise"), ElementsAre("ndiaye", "kofi", "elise"));
  EXPECT_THAT(NameWords("N’DIAYE"), ElementsAre("ndiaye"));
  EXPECT_THAT(NameWords("Ŋgo Ɖɛla Ƒiayibɔ"), ElementsAre("ngo", "dela", "fiayibo"));
  EXPECT_THAT(NameWords("Strauß  Łukasz Øre"), ElementsAre("strauss", "lukasz", "ore"));
  EXPECT_THAT(NameWords("  "), IsEmpty());
  EXPECT_THAT(NameWords("--'!"), IsEmpty());
}

TEST(NameWords, SeesNoDifferenceBetweenComposedAndDecomposedLetters) {
  EXPECT_EQ(NameWords("E\u0301lodie"), NameWords("\u00c9lodie"));
  // Full-width letters, as copied from some forms.
  EXPECT_THAT(NameWords("\uff2a\uff25\uff21\uff2e"), ElementsAre("jean"));
}

TEST(NameWords, TakesOtherScriptsAndBrokenTextAsTheyAre) {
  EXPECT_EQ(NameWords("محمد علي").size(), 2U);
  EXPECT_THAT(NameWords(std::string("Jean\xff Paul")), ElementsAre("jean", "paul"));
  EXPECT_EQ(NameWords(std::string(100000, 'a')).size(), 1U);
}

TEST(IdentityHash, DoesNotDependOnWhichNameIsTheFamilyName) {
  auto one = Adult("Jean Paul", "MBARGA");
  auto other = Adult("mbarga", "Paul  Jéan");
  EXPECT_EQ(IdentityHash(one, test::FakeBlind), IdentityHash(other, test::FakeBlind));
  other.set_birth_date("1985-03-13");
  EXPECT_NE(IdentityHash(one, test::FakeBlind), IdentityHash(other, test::FakeBlind));
}

TEST(DocumentHash, ComparesCountryKindAndFoldedNumber) {
  v1::IdentityDocument document;
  document.set_country("CM");
  document.set_type(v1::DOCUMENT_TYPE_PASSPORT);
  document.set_number("No 12-345 a");
  auto same = document;
  same.set_number("no12345A");
  EXPECT_EQ(DocumentHash(document, test::FakeBlind), DocumentHash(same, test::FakeBlind));
  for (const auto& change : std::vector<std::function<void(v1::IdentityDocument&)>>{
           [](auto& d) { d.set_country("TG"); },
           [](auto& d) { d.set_type(v1::DOCUMENT_TYPE_IDENTITY_CARD); },
           [](auto& d) { d.set_number("no12346A"); }}) {
    auto other = document;
    change(other);
    EXPECT_NE(DocumentHash(document, test::FakeBlind), DocumentHash(other, test::FakeBlind));
  }
}

TEST(SearchKeys, HoldNothingReadable) {
  auto details = Adult();
  AddDocument(details, "0123456");
  const auto keys = SearchKeysOf(details, test::FakeBlind);
  EXPECT_EQ(keys.name_tokens_size(), 4);
  EXPECT_EQ(keys.claims_size(), 2);
  EXPECT_EQ(keys.SerializeAsString().find("elodie"), std::string::npos);
  EXPECT_EQ(keys.SerializeAsString().find("0123456"), std::string::npos);
}

}  // namespace
}  // namespace sankofa::registration
