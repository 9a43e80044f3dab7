#include "services/platform/service/letters.h"

#include <vector>

#include "google/protobuf/descriptor.h"
#include "sankofa/common/v1/common_reason.pb.h"
#include "services/platform/postgres/journal.h"
#include "services/platform/service/runtime.h"
#include "services/platform/status/refuse.h"
#include "services/platform/telemetry/log.h"

namespace sankofa::service {
namespace {

constexpr absl::Duration kLookEvery = absl::Minutes(1);
constexpr absl::Duration kConnectionWait = absl::Seconds(1);
constexpr absl::Duration kCommandTime = absl::Seconds(20);
constexpr int kLettersAtOnce = 100;
constexpr char kUnknownType[] = "UNKNOWN_EVENT_TYPE";

bool IsKnown(const std::string& type) {
  return google::protobuf::DescriptorPool::generated_pool()->FindMessageTypeByName(type) != nullptr;
}

}  // namespace

absl::Status ApplyAgain(Runtime& runtime, const engine::IncomingEvent& event, absl::Time deadline) {
  engine::Calls commands = std::move(runtime.call_source().CallsOf({&event, 1}).front());
  if (!commands.ok()) return commands.status();
  for (engine::CommandCall& command : *commands) {
    command.deadline = deadline;
    const auto outcome = runtime.executor().Run(command);
    if (!outcome.ok()) return outcome.status();
  }
  return absl::OkStatus();
}

void LateKnown::ApplyIfDue() {
  if (absl::Now() < next_) return;
  next_ = absl::Now() + kLookEvery;
  if (auto applied = Apply(); !applied.ok()) {
    telemetry::Warn("events that an earlier version did not know could not be looked at",
                    {{"status", applied}});
  }
}

absl::Status LateKnown::Apply() {
  std::int64_t after = 0;
  while (true) {
    std::vector<postgres::Letter> letters;
    {
      auto connection = runtime_.pool().Acquire(absl::Now() + kConnectionWait);
      if (!connection.ok()) return connection.status();
      auto read = postgres::Journal(**connection, runtime_.definition().name)
                      .DeadLetters("waiting", after, kLettersAtOnce);
      if (!read.ok()) return read.status();
      letters = *std::move(read);
    }
    if (letters.empty()) return absl::OkStatus();
    for (const postgres::Letter& letter : letters) {
      after = letter.letter;
      const engine::DeadLetter& dead = letter.dead;
      if (dead.reason != kUnknownType || !IsKnown(dead.event_type) ||
          refused_.contains(letter.letter)) {
        continue;
      }
      const engine::IncomingEvent event{.meta = {.source = dead.from.source,
                                                 .stream = dead.from.stream,
                                                 .sequence = dead.sequence,
                                                 .partition_key = dead.partition_key,
                                                 .time = dead.event_time,
                                                 .traceparent = dead.traceparent},
                                        .event_type = dead.event_type,
                                        .payload = dead.payload};
      const absl::Status applied = ApplyAgain(runtime_, event, absl::Now() + kCommandTime);
      if (!applied.ok() && status::IsTransient(applied)) return applied;
      if (!applied.ok()) {
        refused_.insert(letter.letter);
        telemetry::Warn(
            "an event that is known now is refused: its dead letter stays",
            {{"letter", letter.letter}, {"type", dead.event_type}, {"status", applied}});
        continue;
      }
      auto connection = runtime_.pool().Acquire(absl::Now() + kConnectionWait);
      if (!connection.ok()) return connection.status();
      const auto closed = postgres::Journal(**connection, runtime_.definition().name)
                              .CloseDeadLetter(letter.letter, "replayed");
      if (!closed.ok() && !absl::IsNotFound(closed)) return closed;
      telemetry::Info("an event that an earlier version had put aside was applied",
                      {{"letter", letter.letter}, {"type", dead.event_type}});
    }
  }
}

}  // namespace sankofa::service
