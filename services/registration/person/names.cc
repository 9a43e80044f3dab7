#include "services/registration/person/names.h"

#include <unicode/normalizer2.h>
#include <unicode/uchar.h>
#include <unicode/unistr.h>

#include <algorithm>
#include <array>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "services/platform/status/check.h"

namespace sankofa::registration {
namespace {

// Letters without a decomposition, in lower case, and how French- and English-language documents write them.
constexpr std::array<std::pair<char32_t, std::string_view>, 22> kSpellings = {{
    {U'æ', "ae"}, {U'œ', "oe"}, {U'ø', "o"}, {U'đ', "d"}, {U'ð', "d"}, {U'þ', "th"},
    {U'ł', "l"},  {U'ı', "i"},  {U'ɓ', "b"}, {U'ɗ', "d"}, {U'ɖ', "d"}, {U'ɛ', "e"},
    {U'ə', "e"},  {U'ǝ', "e"},  {U'ƒ', "f"}, {U'ɣ', "g"}, {U'ƙ', "k"}, {U'ŋ', "n"},
    {U'ɔ', "o"},  {U'ʋ', "v"},  {U'ƴ', "y"}, {U'ʉ', "u"},
}};

// Apostrophes and the modifier letters that stand for them: dropped inside a word.
bool IsApostrophe(UChar32 letter) {
  return letter == '\'' || letter == 0x2018 || letter == 0x2019 || letter == 0x02BC ||
         letter == 0x02BB || letter == 0xA78C || letter == '`' || letter == 0x00B4;
}

// Lower case without marks: compatibility case folding, then decomposition. Marks fall out with the letters kept below.
icu::UnicodeString Fold(std::string_view text) {
  UErrorCode error = U_ZERO_ERROR;
  const auto* casefold = icu::Normalizer2::getNFKCCasefoldInstance(error);
  const auto* decompose = icu::Normalizer2::getNFKDInstance(error);
  status::Check(U_SUCCESS(error), "ICU's normalisation data can't be loaded");
  const auto given = icu::UnicodeString::fromUTF8(
      icu::StringPiece(text.data(), static_cast<int32_t>(text.size())));
  icu::UnicodeString folded = decompose->normalize(casefold->normalize(given, error), error);
  status::Check(U_SUCCESS(error), "ICU can't normalise a text");
  return folded;
}

void AppendLetter(UChar32 letter, std::string& word) {
  const auto* spelling = std::find_if(
      kSpellings.begin(), kSpellings.end(),
      [letter](const auto& entry) { return entry.first == static_cast<char32_t>(letter); });
  if (spelling != kSpellings.end()) {
    word.append(spelling->second);
  } else {
    icu::UnicodeString(letter).toUTF8String(word);
  }
}

}  // namespace

std::vector<std::string> NameWords(std::string_view name) {
  const icu::UnicodeString folded = Fold(name);
  std::vector<std::string> words;
  std::string word;
  for (int32_t i = 0; i < folded.length(); i = folded.moveIndex32(i, 1)) {
    const UChar32 letter = folded.char32At(i);
    if (IsApostrophe(letter) || u_charType(letter) == U_NON_SPACING_MARK) continue;
    if (u_isalnum(letter)) {
      AppendLetter(letter, word);
    } else if (!word.empty()) {
      words.push_back(std::exchange(word, {}));
    }
  }
  if (!word.empty()) words.push_back(std::move(word));
  return words;
}

std::string FoldNumber(std::string_view number) { return absl::StrJoin(NameWords(number), ""); }

std::vector<std::string> NameTokens(std::string_view name, const Blind& blind) {
  std::set<std::string> tokens;
  for (const std::string& word : NameWords(name)) tokens.insert(blind("registration/name", word));
  return {tokens.begin(), tokens.end()};
}

std::string DocumentHash(const v1::IdentityDocument& document, const Blind& blind) {
  return blind("registration/document",
               absl::StrCat(document.country(), "/", static_cast<int>(document.type()), "/",
                            FoldNumber(document.number())));
}

std::string IdentityHash(const v1::PersonDetails& details, const Blind& blind) {
  auto words = NameWords(absl::StrCat(details.given_names(), " ", details.family_names()));
  std::sort(words.begin(), words.end());
  return blind("registration/identity",
               absl::StrCat(absl::StrJoin(words, " "), "/", details.birth_date()));
}

v1::SearchKeys SearchKeysOf(const v1::PersonDetails& details, const Blind& blind) {
  v1::SearchKeys keys;
  for (auto& token :
       NameTokens(absl::StrCat(details.given_names(), " ", details.family_names()), blind)) {
    keys.add_name_tokens(std::move(token));
  }
  std::set<std::string> documents;
  for (const auto& document : details.documents()) {
    // A partner may disclose that there is a document and not its number: that finds nobody.
    if (!FoldNumber(document.number()).empty()) documents.insert(DocumentHash(document, blind));
  }
  for (const std::string& hash : documents) {
    auto* claim = keys.add_claims();
    claim->set_kind(v1::CLAIM_KIND_DOCUMENT);
    claim->set_hash(hash);
  }
  // Nor does a name without a day of birth, or the other way round.
  if (keys.name_tokens().empty() || details.birth_date().empty()) return keys;
  auto* claim = keys.add_claims();
  claim->set_kind(v1::CLAIM_KIND_IDENTITY);
  claim->set_hash(IdentityHash(details, blind));
  return keys;
}

}  // namespace sankofa::registration
