#pragma once

#include <optional>
#include <string_view>

// The written forms of text that a field rule can ask for (sankofa.common.v1.Format). Each takes well-formed UTF-8.
namespace sankofa::rpc {

// The number of code points; nothing where the text is not UTF-8.
[[nodiscard]] std::optional<std::size_t> CodePoints(std::string_view text);

// True for characters that no text here needs and that harm those who read it: C0 controls but tab and line ends,
// DEL, C1 controls, and marks that change the direction of text.
[[nodiscard]] bool HasControlCharacters(std::string_view text);

// "f47ac10b-58cc-4372-a567-0e02b2c3d479", lower case.
[[nodiscard]] bool IsUuid(std::string_view text);

// A code that ISO 3166-1 assigns, upper case. User-assigned and reserved codes are not countries.
[[nodiscard]] bool IsCountry(std::string_view text);

// A currency that the platform keeps accounts in: EUR, XAF, XOF.
[[nodiscard]] bool IsCurrency(std::string_view text);

// Lower-case letters, digits and hyphens, not a hyphen first or last, at most 64.
[[nodiscard]] bool IsCode(std::string_view text);

// E.164, "+237677123456", and a number that its country's plan knows.
[[nodiscard]] bool IsPhone(std::string_view text);

}  // namespace sankofa::rpc
