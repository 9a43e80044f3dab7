#pragma once

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "services/platform/kafka/event.h"
#include "services/platform/kafka/memory_broker.h"
#include "services/platform/kafka/reaction_runner.h"
#include "services/platform/kafka/relay.h"

// The journal, the engine and the sources in memory, each with a plan for its n-th call to fail.
namespace sankofa::kafka {

inline constexpr char kNode[] = "cm";
inline constexpr char kService[] = "registration";

// Counts calls; the planned one fails.
class NthCall {
 public:
  enum class Kind { kBefore, kAnswerLost };  // nothing was done; all was done and the answer lost
  void Plan(int n, Kind kind) {
    calls_ = 0;
    at_ = n;
    kind_ = kind;
  }
  // True where the call fails; `done` says whether its effect is there all the same.
  bool Fails(bool& done) {
    const bool fails = ++calls_ == at_;
    done = !fails || kind_ == Kind::kAnswerLost;
    return fails;
  }
  [[nodiscard]] bool hit() const { return calls_ >= at_; }

 private:
  int calls_ = 0;
  int at_ = 0;
  Kind kind_ = Kind::kBefore;
};

// What PostgreSQL keeps for the relay.
struct FakeJournal {
  std::vector<RelayRow> rows;
  RelayPosition cursor;
  std::map<std::string, ParkedCase> parked;
  std::map<std::string, std::int64_t> topics;
  int owner = 0;
  bool down = false;
  NthCall calls;
  int waits = 0;

  // Appends an event of the case to its own stream; one stream a case unless `stream` says another.
  void Add(const std::string& partition_key, const std::string& payload = "x", bool publish = true,
           std::string stream = {}) {
    if (stream.empty()) stream = partition_key;
    engine::JournalRow row;
    row.stream = {"Case", stream};
    row.sequence = ++sequences[stream];
    row.partition_key = partition_key;
    row.event_type = "sankofa.registration.v1.CaseSubmitted";
    row.payload = payload;
    row.previous_hash = row.sequence == 1 ? std::string() : hashes[stream];
    row.event_time = absl::FromUnixSeconds(1'500'000'000) + absl::Seconds(rows.size());
    row.publish = publish;
    row.hash = hashes[stream] = engine::HashOf(row);
    rows.push_back({{100 + rows.size() / 3, static_cast<std::int64_t>(rows.size()) + 1}, row});
  }

  std::map<std::string, std::int64_t> sequences;
  std::map<std::string, std::string> hashes;
};

class FakeRelaySource final : public RelaySource {
 public:
  explicit FakeRelaySource(FakeJournal& journal, int id = 1) : journal_(journal), id_(id) {}

  absl::StatusOr<bool> Own() override {
    return Call([&]() -> absl::StatusOr<bool> {
      if (journal_.owner == 0) journal_.owner = id_;
      return journal_.owner == id_;
    });
  }
  void Release() override {
    if (journal_.owner == id_) journal_.owner = 0;
  }
  absl::StatusOr<RelayState> Load() override {
    return Call([&]() -> absl::StatusOr<RelayState> {
      RelayState state{.cursor = journal_.cursor};
      for (const auto& [_, parked] : journal_.parked) state.parked.push_back(parked);
      state.topics = journal_.topics;
      return state;
    });
  }
  absl::StatusOr<std::vector<RelayRow>> Read(RelayPosition after, int limit) override {
    return Call([&]() -> absl::StatusOr<std::vector<RelayRow>> {
      std::vector<RelayRow> rows;
      for (const RelayRow& row : journal_.rows) {
        if (row.at > after && static_cast<int>(rows.size()) < limit) rows.push_back(row);
      }
      return rows;
    });
  }
  absl::StatusOr<std::vector<RelayRow>> ReadCase(const std::string& partition_key,
                                                 RelayPosition from, RelayPosition to,
                                                 int limit) override {
    return Call([&]() -> absl::StatusOr<std::vector<RelayRow>> {
      std::vector<RelayRow> rows;
      for (const RelayRow& row : journal_.rows) {
        if (row.at >= from && row.at <= to && row.row.partition_key == partition_key &&
            static_cast<int>(rows.size()) < limit) {
          rows.push_back(row);
        }
      }
      return rows;
    });
  }
  absl::Status Save(const RelayUpdate& update) override {
    return Call([&]() -> absl::StatusOr<bool> {
             if (journal_.owner != id_) return absl::FailedPreconditionError("not the owner");
             journal_.cursor = std::max(journal_.cursor, update.cursor);
             for (const ParkedCase& parked : update.park) {
               journal_.parked[parked.partition_key] = parked;
             }
             for (const std::string& key : update.unpark) journal_.parked.erase(key);
             for (const auto& [topic, records] : update.topics) journal_.topics[topic] = records;
             return true;
           })
        .status();
  }
  absl::StatusOr<RelayLag> Lag(RelayPosition after) override {
    return Call([&]() -> absl::StatusOr<RelayLag> {
      RelayLag lag;
      for (const RelayRow& row : journal_.rows) {
        if (row.at <= after) continue;
        if (++lag.rows == 1) lag.oldest = row.row.event_time;
      }
      return lag;
    });
  }
  absl::StatusOr<bool> Wait(absl::Time /*deadline*/) override {
    ++journal_.waits;
    return Call([&]() -> absl::StatusOr<bool> { return true; });
  }

 private:
  // A failed call is a lost connection, and with it the lock.
  template <class F>
  auto Call(F effect) -> decltype(effect()) {
    if (journal_.down) {
      Release();
      return absl::UnavailableError("the database is away");
    }
    bool done = true;
    const bool fails = journal_.calls.Fails(done);
    if (!fails) return effect();
    if (done) static_cast<void>(effect());
    Release();
    return absl::UnavailableError("the connection is lost");
  }

  FakeJournal& journal_;
  const int id_;
};

// What a consumer that counts sequences makes of a topic: the events that take effect, by stream.
inline std::map<std::string, std::vector<std::int64_t>> Effect(
    const std::vector<Message>& messages) {
  std::map<std::string, std::vector<std::int64_t>> effect;
  for (const Message& message : messages) {
    const auto event = ParseEvent(message);
    if (!event.ok()) continue;
    std::vector<std::int64_t>& applied = effect[event->incoming.meta.stream.id];
    if (event->incoming.meta.sequence == static_cast<std::int64_t>(applied.size()) + 1) {
      applied.push_back(event->incoming.meta.sequence);
    }
  }
  return effect;
}

// A service behind its engine: marks, effects and dead letters.
class FakeSink final : public ReactionSink {
 public:
  absl::StatusOr<engine::ReactionResult> Apply(
      std::span<const engine::IncomingEvent> events) override {
    if (down) return absl::UnavailableError("the database is away");
    bool done = true;
    const bool fails = calls.Fails(done);
    engine::ReactionResult result;
    if (done) result = React(events);
    if (fails) return absl::UnavailableError("the connection is lost");
    return result;
  }

  absl::Status Bury(std::span<const engine::DeadLetter> letters, bool once) override {
    if (down) return absl::UnavailableError("the database is away");
    bool done = true;
    const bool fails = calls.Fails(done);
    for (const engine::DeadLetter& letter : letters) {
      if (!done) break;
      if (once) {
        if (letter.sequence <= marks[letter.from]) continue;
        marks[letter.from] = letter.sequence;
      }
      dead_letters.push_back(letter);
    }
    return fails ? absl::UnavailableError("the connection is lost") : absl::OkStatus();
  }

  absl::StatusOr<engine::Gaps> Refuse(std::span<const Unreadable> messages) override {
    if (!refuse) return ReactionSink::Refuse(messages);
    if (down) return absl::UnavailableError("the database is away");
    return refuse(messages);
  }

  NthCall calls;
  bool down = false;
  // As a partner's feed is taken: an event with this payload is refused, and its stream's mark stays where it is.
  std::string refused_payload;
  std::function<engine::Gaps(std::span<const Unreadable>)> refuse;
  int refused = 0;
  std::map<engine::InboxStream, std::int64_t> marks;
  std::vector<engine::IncomingEvent> applied;
  std::vector<engine::DeadLetter> dead_letters;
  int repeated = 0;

 private:
  engine::ReactionResult React(std::span<const engine::IncomingEvent> events) {
    engine::ReactionResult result;
    for (const engine::IncomingEvent& event : events) {
      const engine::InboxStream from{event.meta.source, event.meta.stream};
      std::int64_t& mark = marks[from];
      if (event.meta.sequence <= mark) {
        ++result.repeated;
      } else if (event.meta.sequence > mark + 1) {
        result.gaps.emplace_back(from, mark + 1);
      } else if (!refused_payload.empty() && event.payload == refused_payload) {
        result.gaps.emplace_back(from, mark + 1);
        ++refused;
      } else {
        mark = event.meta.sequence;
        applied.push_back(event);
        ++result.applied;
      }
    }
    repeated += result.repeated;
    return result;
  }
};

// Other services' journals, over their Replay.
class FakeReplay final : public ReplaySource {
 public:
  explicit FakeReplay(const FakeJournal& journal) : journal_(journal) {}

  absl::StatusOr<std::vector<engine::IncomingEvent>> Fetch(const std::string& source,
                                                           const engine::StreamKey& stream,
                                                           std::int64_t from_sequence,
                                                           int limit) override {
    ++fetches;
    if (answer) return answer(from_sequence);
    if (answer_for) return answer_for(stream, from_sequence);
    if (down) return absl::UnavailableError("the source is away");
    std::vector<engine::IncomingEvent> events;
    for (const RelayRow& row : journal_.rows) {
      if (row.row.stream != stream || row.row.sequence < from_sequence) continue;
      if (static_cast<int>(events.size()) == limit) break;
      engine::IncomingEvent event;
      event.meta = {.source = source,
                    .stream = stream,
                    .sequence = row.row.sequence,
                    .partition_key = row.row.partition_key,
                    .time = row.row.event_time};
      event.event_type = row.row.event_type;
      event.payload = row.row.payload;
      events.push_back(std::move(event));
    }
    return events;
  }

  bool down = false;
  int fetches = 0;
  using Answer = absl::StatusOr<std::vector<engine::IncomingEvent>>;
  std::function<Answer(std::int64_t)> answer;
  std::function<Answer(const engine::StreamKey&, std::int64_t)> answer_for;

 private:
  const FakeJournal& journal_;
};

}  // namespace sankofa::kafka
