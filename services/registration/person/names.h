#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "sankofa/registration/v1/person.pb.h"

// How names and documents are compared: folded to what stays the same between two clerks, then hashed with the node's
// key, so that equal ones find each other without standing anywhere in clear.
namespace sankofa::registration {

// See engine::Context::blind.
using Blind = std::function<std::string(std::string_view label, std::string_view text)>;

// The words of a name: without case, accents and apostrophes, letters of African alphabets in the Latin spelling that
// French-language documents give them ("N'Diaye Kɔfi-Élise" → ndiaye, kofi, elise). Other scripts stay as they are.
[[nodiscard]] std::vector<std::string> NameWords(std::string_view name);

// The letters and digits of a document's number, folded likewise ("No. 12-A 7" → no12a7).
[[nodiscard]] std::string FoldNumber(std::string_view number);

// One hash for each different word of `name`, sorted.
[[nodiscard]] std::vector<std::string> NameTokens(std::string_view name, const Blind& blind);

// The id of the claim on a document: country, kind and folded number.
[[nodiscard]] std::string DocumentHash(const v1::IdentityDocument& document, const Blind& blind);

// The id of the claim on names and day of birth: the words in alphabetical order, so that it does not matter which of
// them a clerk took for the family name.
[[nodiscard]] std::string IdentityHash(const v1::PersonDetails& details, const Blind& blind);

// All that finds a person with these details; claims are in a fixed order, each once.
[[nodiscard]] v1::SearchKeys SearchKeysOf(const v1::PersonDetails& details, const Blind& blind);

}  // namespace sankofa::registration
