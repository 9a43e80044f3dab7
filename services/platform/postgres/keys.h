#pragma once

#include <cstdint>
#include <string_view>

namespace sankofa::postgres {

// The journal is published by as many relays side by side; a partition key belongs to one of them.
// The number is part of the data: a row keeps the shard it was written with.
inline constexpr int kShards = 1;
[[nodiscard]] int ShardOf(std::string_view partition_key);

// What an advisory lock stands for.
enum class LockClass : char {
  kStream = 's',
  kRequest = 'r',
  kInbox = 'i',
  kSubject = 'k',
  kRelay = 'p',  // a shard of the journal, held by the relay that publishes it
  kMigration = 'm',
};

// The key of an advisory lock: a hash of what it stands for. Two things with one hash wait for each
// other now and then, and no harm comes of it.
[[nodiscard]] std::int64_t LockKey(LockClass lock_class, std::string_view schema,
                                   std::string_view first, std::string_view second = {},
                                   std::string_view third = {});

}  // namespace sankofa::postgres
