#include "services/platform/rpc/check/formats.h"

#include <phonenumbers/phonenumber.pb.h>
#include <phonenumbers/phonenumberutil.h>

#include <cstdint>
#include <string>

namespace sankofa::rpc {
namespace {

// ISO 3166-1 alpha-2, all 249 assigned codes (tzdata's iso3166.tab), in order.
constexpr std::string_view kCountries =
    "AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO "
    "BQ BR BS BT BV BW BY BZ CA CC CD CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ DE DJ "
    "DK DM DO DZ EC EE EG EH ER ES ET FI FJ FK FM FO FR GA GB GD GE GF GG GH GI GL GM GN GP "
    "GQ GR GS GT GU GW GY HK HM HN HR HT HU ID IE IL IM IN IO IQ IR IS IT JE JM JO JP KE KG "
    "KH KI KM KN KP KR KW KY KZ LA LB LC LI LK LR LS LT LU LV LY MA MC MD ME MF MG MH MK ML "
    "MM MN MO MP MQ MR MS MT MU MV MW MX MY MZ NA NC NE NF NG NI NL NO NP NR NU NZ OM PA PE "
    "PF PG PH PK PL PM PN PR PS PT PW PY QA RE RO RS RU RW SA SB SC SD SE SG SH SI SJ SK SL "
    "SM SN SO SR SS ST SV SX SY SZ TC TD TF TG TH TJ TK TL TM TN TO TR TT TV TW TZ UA UG UM "
    "US UY UZ VA VC VE VG VI VN VU WF WS YE YT ZA ZM ZW ";

bool IsDigit(char c) { return c >= '0' && c <= '9'; }

// The code point at the beginning of `text` and its length in bytes; length 0 where there is none.
struct Decoded {
  std::uint32_t code_point = 0;
  std::size_t length = 0;
};

Decoded Decode(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const std::uint32_t lead = byte(0);
  if (lead < 0x80) return {lead, 1};
  if (lead < 0xC2 || lead > 0xF4) return {};
  const std::size_t length = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
  if (text.size() < length) return {};
  std::uint32_t code_point = lead & (0xFFu >> (length + 1));
  for (std::size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xC0) != 0x80) return {};
    code_point = (code_point << 6) | (byte(i) & 0x3Fu);
  }
  constexpr std::uint32_t kLeast[] = {0, 0, 0x80, 0x800, 0x10000};
  const bool surrogate = code_point >= 0xD800 && code_point <= 0xDFFF;
  if (code_point < kLeast[length] || code_point > 0x10FFFF || surrogate) return {};
  return {code_point, length};
}

bool IsControl(std::uint32_t c) {
  if (c < 0x20) return c != '\t' && c != '\n' && c != '\r';
  if (c >= 0x7F && c <= 0x9F) return true;
  const bool direction = (c >= 0x202A && c <= 0x202E) || (c >= 0x2066 && c <= 0x2069);
  return direction || c == 0xFEFF || c == 0xFFFE || c == 0xFFFF;
}

}  // namespace

std::optional<std::size_t> CodePoints(std::string_view text) {
  std::size_t number = 0;
  while (!text.empty()) {
    const Decoded decoded = Decode(text);
    if (decoded.length == 0) return std::nullopt;
    text.remove_prefix(decoded.length);
    ++number;
  }
  return number;
}

bool HasControlCharacters(std::string_view text) {
  while (!text.empty()) {
    const Decoded decoded = Decode(text);
    if (decoded.length == 0 || IsControl(decoded.code_point)) return true;
    text.remove_prefix(decoded.length);
  }
  return false;
}

bool IsUuid(std::string_view text) {
  if (text.size() != 36) return false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool hyphen = i == 8 || i == 13 || i == 18 || i == 23;
    const bool hex = IsDigit(text[i]) || (text[i] >= 'a' && text[i] <= 'f');
    if (hyphen ? text[i] != '-' : !hex) return false;
  }
  return true;
}

bool IsCountry(std::string_view text) {
  if (text.size() != 2 || text[0] == ' ' || text[1] == ' ') return false;
  return kCountries.find(text) != std::string_view::npos;
}

bool IsCurrency(std::string_view text) { return text == "EUR" || text == "XAF" || text == "XOF"; }

bool IsCode(std::string_view text) {
  if (text.empty() || text.size() > 64 || text.front() == '-' || text.back() == '-') return false;
  return text.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789-") == std::string_view::npos;
}

bool IsPhone(std::string_view text) {
  // The library takes many ways of writing; we keep one.
  if (text.size() < 5 || text.size() > 16 || text[0] != '+' || text[1] == '0') return false;
  for (const char c : text.substr(1)) {
    if (!IsDigit(c)) return false;
  }
  using i18n::phonenumbers::PhoneNumber;
  using i18n::phonenumbers::PhoneNumberUtil;
  const PhoneNumberUtil& library = *PhoneNumberUtil::GetInstance();
  PhoneNumber number;
  if (library.Parse(std::string(text), "ZZ", &number) != PhoneNumberUtil::NO_PARSING_ERROR) {
    return false;
  }
  std::string canonical;
  library.Format(number, PhoneNumberUtil::E164, &canonical);
  return canonical == text && library.IsValidNumber(number);
}

}  // namespace sankofa::rpc
