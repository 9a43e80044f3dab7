#include "services/monitoring/view/store.h"

#include <sodium.h>

#include "absl/strings/str_cat.h"
#include "services/platform/status/refuse.h"

namespace sankofa::monitoring {
namespace {

constexpr std::size_t kVersionBytes = 16;
constexpr int kKeepSeconds = 31 * 24 * 3600;

// Compares and sets in one step. The version is the beginning of the value, whatever else is there.
constexpr char kPutScript[] =
    "local kept = redis.call('GET', KEYS[1]) "
    "local version = kept and string.sub(kept, 1, 16) or '' "
    "if version ~= ARGV[1] then return 0 end "
    "redis.call('SET', KEYS[1], ARGV[2], 'EX', ARGV[3]) "
    "return 1";

std::string KeyOf(const std::string& case_id) { return absl::StrCat("view:", case_id); }

std::string VersionOf(const std::string& bytes) {
  std::string version(kVersionBytes, '\0');
  crypto_generichash(reinterpret_cast<unsigned char*>(version.data()), version.size(),
                     reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size(), nullptr,
                     0);
  return version;
}

ViewSlot SlotOf(const std::string& value) {
  ViewSlot slot;
  slot.version = value.substr(0, kVersionBytes);
  if (value.size() < kVersionBytes) return slot;
  const std::string bytes = value.substr(kVersionBytes);
  v1::CaseView view;
  if (VersionOf(bytes) == slot.version && view.ParseFromString(bytes)) slot.view = std::move(view);
  return slot;
}

absl::Status ErrorOf(const redis::Reply& reply) {
  return status::Internal(absl::StrCat("redis answers a view with ", reply.text.substr(0, 100)));
}

}  // namespace

absl::StatusOr<std::vector<ViewSlot>> RedisViewStore::Get(std::span<const std::string> case_ids) {
  std::vector<redis::Command> commands;
  for (const std::string& case_id : case_ids) commands.push_back({"GET", KeyOf(case_id)});
  const auto replies = client_.Pipeline(commands);
  if (!replies.ok()) return replies.status();
  std::vector<ViewSlot> slots;
  for (const redis::Reply& reply : *replies) {
    if (reply.kind == redis::Reply::Kind::kError) return ErrorOf(reply);
    slots.push_back(reply.nil() ? ViewSlot() : SlotOf(reply.text));
  }
  return slots;
}

absl::StatusOr<std::vector<bool>> RedisViewStore::Put(std::span<const Write> writes) {
  std::vector<redis::Command> commands;
  for (const Write& write : writes) {
    const std::string bytes = write.view->SerializeAsString();
    commands.push_back({"EVAL", kPutScript, "1", KeyOf(write.case_id), write.version,
                        absl::StrCat(VersionOf(bytes), bytes), absl::StrCat(kKeepSeconds)});
  }
  const auto replies = client_.Pipeline(commands);
  if (!replies.ok()) return replies.status();
  std::vector<bool> written;
  for (const redis::Reply& reply : *replies) {
    if (reply.kind == redis::Reply::Kind::kError) return ErrorOf(reply);
    written.push_back(reply.integer == 1);
  }
  return written;
}

absl::Status RedisViewStore::Drop(const std::string& case_id) {
  return client_.Call({"DEL", KeyOf(case_id)}).status();
}

}  // namespace sankofa::monitoring
