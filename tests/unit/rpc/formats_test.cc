#include "services/platform/rpc/check/formats.h"

#include <gtest/gtest.h>

#include <string>
#include <string_view>

namespace sankofa::rpc {
namespace {

// A string literal with its zero bytes.
template <std::size_t N>
std::string Raw(const char (&text)[N]) {
  return std::string(text, N - 1);
}

TEST(CodePointsTest, CountsCharactersNotBytes) {
  EXPECT_EQ(CodePoints(""), 0u);
  EXPECT_EQ(CodePoints("abc"), 3u);
  EXPECT_EQ(CodePoints("Éyadéma"), 7u);
  EXPECT_EQ(CodePoints("\xF0\x9F\x8C\xB3"), 1u);
  EXPECT_EQ(CodePoints("\xEF\xBF\xBF"), 1u);
  EXPECT_EQ(CodePoints("\xF4\x8F\xBF\xBF"), 1u);
}

TEST(CodePointsTest, RefusesWhatIsNotUtf8) {
  for (const char* text :
       {"\x80", "\xC3", "\xC3(", "\xC0\x80", "\xC1\xBF", "\xE0\x80\x80", "\xE0\x9F\xBF",
        "\xED\xA0\x80", "\xED\xBF\xBF", "\xE2\x82", "\xF0\x8F\xBF\xBF", "\xF4\x90\x80\x80",
        "\xF5\x80\x80\x80", "\xFF", "\xFE", "a\xC3", "\xF0\x9F\x8C"}) {
    EXPECT_FALSE(CodePoints(text)) << text;
  }
}

TEST(ControlCharactersTest, AreFoundWhereverTheyStand) {
  EXPECT_FALSE(HasControlCharacters("one line\nand a tab\there\r\n"));
  EXPECT_FALSE(HasControlCharacters("Ñandú 東京 \xF0\x9F\x8C\xB3"));
  EXPECT_TRUE(HasControlCharacters(Raw("a\0b")));
  EXPECT_TRUE(HasControlCharacters("\x1B[31mred"));
  EXPECT_TRUE(HasControlCharacters("a\x7F"));
  EXPECT_TRUE(HasControlCharacters("a\xC2\x85"));  // C1
  EXPECT_TRUE(
      HasControlCharacters("a\xE2\x80\xAE"
                           "b"));  // right-to-left override
  EXPECT_TRUE(
      HasControlCharacters("a\xE2\x81\xA6"
                           "b"));                     // isolate
  EXPECT_TRUE(HasControlCharacters("\xEF\xBB\xBF"));  // byte order mark
}

TEST(UuidTest, TakesLowerCaseTextFormAlone) {
  EXPECT_TRUE(IsUuid("f47ac10b-58cc-4372-a567-0e02b2c3d479"));
  for (const char* text :
       {"", "F47AC10B-58CC-4372-A567-0E02B2C3D479", "f47ac10b58cc4372a5670e02b2c3d479",
        "{f47ac10b-58cc-4372-a567-0e02b2c3d479}", "f47ac10b-58cc-4372-a567-0e02b2c3d47",
        "f47ac10b-58cc-4372-a567-0e02b2c3d4799", "f47ac10b-58cc-4372-a567-0e02b2c3d47g",
        "f47ac10b-58cc-4372-a567-0e02b2c3d47\n", "f47ac10b_58cc_4372_a567_0e02b2c3d479",
        "f47ac10-b58cc-4372-a567-0e02b2c3d479", "' or 1=1; --xxxxxxxxxxxxxxxxxxxxxxxx"}) {
    EXPECT_FALSE(IsUuid(text)) << text;
  }
}

TEST(CountryTest, TakesAssignedCodesAlone) {
  for (const char* code : {"CM", "TG", "FR", "AD", "ZW", "AX", "SS", "CW"}) {
    EXPECT_TRUE(IsCountry(code)) << code;
  }
  // Lower case, names, three letters, reserved (UK, EU), user-assigned (XK, ZZ), gone (YU), parts of two codes.
  for (const char* code : {"", "C", "cm", "Cm", "CMR", "UK", "EU", "XK", "ZZ", "AA", "YU", "M ",
                           " C", "  ", "C\n", "É"}) {
    EXPECT_FALSE(IsCountry(code)) << code;
  }
}

TEST(CountryTest, KnowsTheNumberOfCountries) {
  int countries = 0;
  for (char a = 'A'; a <= 'Z'; ++a) {
    for (char b = 'A'; b <= 'Z'; ++b) {
      const char code[] = {a, b, '\0'};
      countries += IsCountry(code) ? 1 : 0;
    }
  }
  EXPECT_EQ(countries, 249);
}

TEST(CurrencyTest, TakesThoseThatAccountsAreKeptIn) {
  EXPECT_TRUE(IsCurrency("EUR"));
  EXPECT_TRUE(IsCurrency("XAF"));
  EXPECT_TRUE(IsCurrency("XOF"));
  for (const char* code : {"", "eur", "USD", "XAFX", "CFA", "XA", "EUR "}) {
    EXPECT_FALSE(IsCurrency(code)) << code;
  }
}

TEST(CodeTest, TakesLowerCaseWordsWithHyphens) {
  EXPECT_TRUE(IsCode("cm-2017-06"));
  EXPECT_TRUE(IsCode("a"));
  EXPECT_TRUE(IsCode(std::string(64, 'a')));
  for (const std::string& text :
       {std::string(), std::string(65, 'a'), std::string("A"), std::string("a_b"),
        std::string("-a"), std::string("a-"), std::string("a b"), std::string("é"),
        std::string("../etc"), Raw("a\0b"), std::string("a\n")}) {
    EXPECT_FALSE(IsCode(text)) << text;
  }
}

TEST(PhoneTest, TakesNumbersThatTheirCountryKnows) {
  EXPECT_TRUE(IsPhone("+237677123456"));  // Cameroon, mobile
  EXPECT_TRUE(IsPhone("+22890123456"));   // Togo, mobile
  EXPECT_TRUE(IsPhone("+33612345678"));   // France, mobile
  for (const char* text :
       {"", "+", "677123456", "00237677123456", "+237 677 12 34 56", "+237677", "+2376771234567890",
        "+23767712345a", "+0237677123456", "+237-677-123-456", "+33012345678", "tel:+237677123456",
        "+237677123456;ext=1", "+999123456789", "++237677123456", "+237677123456 "}) {
    EXPECT_FALSE(IsPhone(text)) << text;
  }
}

}  // namespace
}  // namespace sankofa::rpc
