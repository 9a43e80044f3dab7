#include <map>

#include "services/platform/kafka/reaction_runner.h"

namespace sankofa::kafka {
namespace {

// For a free connection; the runner tries again anyway.
constexpr absl::Duration kOpenTimeout = absl::Seconds(2);

}  // namespace

absl::StatusOr<engine::ReactionResult> EngineSink::Apply(
    std::span<const engine::IncomingEvent> events) {
  auto session = store_.Open(absl::Now() + kOpenTimeout);
  if (!session.ok()) return session.status();
  return engine_.React(**session, calls_, events);
}

absl::Status EngineSink::Bury(std::span<const engine::DeadLetter> letters, bool once) {
  auto session = store_.Open(absl::Now() + kOpenTimeout);
  if (!session.ok()) return session.status();
  engine::LoadRequest request;
  if (once) {
    std::map<engine::InboxStream, bool> streams;
    for (const engine::DeadLetter& letter : letters) streams[letter.from] = true;
    for (const auto& [stream, _] : streams) request.inbox.push_back(stream);
  }
  auto loaded = (*session)->Load(request);
  if (!loaded.ok()) {
    (*session)->Rollback();
    return loaded.status();
  }
  engine::WriteSet writes;
  for (const engine::DeadLetter& letter : letters) {
    if (once) {
      std::int64_t& mark = loaded->marks[letter.from];
      if (letter.sequence <= mark) continue;
      writes.marks[letter.from] = mark = letter.sequence;
    }
    writes.dead_letters.push_back(letter);
  }
  return (*session)->Commit(writes);
}

}  // namespace sankofa::kafka
