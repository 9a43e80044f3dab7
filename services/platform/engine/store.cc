#include "services/platform/engine/store.h"

#include <sodium.h>

#include <array>

#include "absl/strings/str_cat.h"

namespace sankofa::engine {
namespace {

void Update(crypto_generichash_state& state, std::string_view field) {
  std::array<unsigned char, 8> length{};
  for (int i = 0; i < 8; ++i) {
    length.at(7 - i) = static_cast<unsigned char>(field.size() >> (8 * i));
  }
  crypto_generichash_update(&state, length.data(), length.size());
  crypto_generichash_update(&state, reinterpret_cast<const unsigned char*>(field.data()),
                            field.size());
}

}  // namespace

std::string HashOf(const JournalRow& row) {
  crypto_generichash_state state;
  crypto_generichash_init(&state, nullptr, 0, crypto_generichash_BYTES);
  Update(state, row.stream.type);
  Update(state, row.stream.id);
  Update(state, absl::StrCat(row.sequence));
  Update(state, row.partition_key);
  Update(state, row.event_type);
  Update(state, row.payload);
  Update(state, row.previous_hash);
  Update(state, absl::StrCat(absl::ToUnixNanos(row.event_time)));
  Update(state, row.actor);
  Update(state, row.organisation);
  Update(state, row.system);
  Update(state, row.request_id);
  std::string hash(crypto_generichash_BYTES, '\0');
  crypto_generichash_final(&state, reinterpret_cast<unsigned char*>(hash.data()), hash.size());
  return hash;
}

}  // namespace sankofa::engine
