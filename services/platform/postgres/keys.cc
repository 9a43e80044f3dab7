#include "services/platform/postgres/keys.h"

#include <sodium.h>

#include <array>
#include <cstring>
#include <string>

namespace sankofa::postgres {
namespace {

// SipHash with a fixed key. Never to be changed: shards are stored, and old and new processes share
// locks.
std::uint64_t StableHash(std::string_view text) {
  static constexpr std::array<unsigned char, crypto_shorthash_KEYBYTES> kKey = {
      's', 'a', 'n', 'k', 'o', 'f', 'a', ' ', 'l', 'o', 'c', 'k', 's', ' ', '1', '\0'};
  std::array<unsigned char, crypto_shorthash_BYTES> hash{};
  crypto_shorthash(hash.data(), reinterpret_cast<const unsigned char*>(text.data()), text.size(),
                   kKey.data());
  std::uint64_t number = 0;
  for (const unsigned char byte : hash) number = (number << 8) | byte;
  return number;
}

}  // namespace

int ShardOf(std::string_view partition_key) {
  return static_cast<int>(StableHash(partition_key) % kShards);
}

std::int64_t LockKey(LockClass lock_class, std::string_view schema, std::string_view first,
                     std::string_view second, std::string_view third) {
  std::string text(1, static_cast<char>(lock_class));
  for (const std::string_view part : {schema, first, second, third}) {
    text.append(part);
    text.push_back('\0');
  }
  return static_cast<std::int64_t>(StableHash(text));
}

}  // namespace sankofa::postgres
