#pragma once

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "services/platform/engine/engine.h"

namespace sankofa::engine {

// One unit of work in memory: what was loaded, what the commands make of it, and what is to be written. A command is
// added with Add, all are decided with Decide, in the order of adding. Lives for one attempt.
class Batch {
 public:
  Batch(const EngineOptions& options, const Registry& registry, const crypto::Vault& vault,
        StoreSession& session)
      : options_(options), registry_(registry), vault_(vault), session_(session) {}

  // The command's place in the batch. The request type must be bound.
  size_t Add(const CommandCall& call);

  // The marks of these streams are loaded and locked with the rest.
  void AddInbox(const InboxStream& stream) { inbox_.insert(stream); }

  // Names, locks and loads. Nothing is decided yet.
  [[nodiscard]] absl::Status Load();

  // Decides the command at `index`. Nothing: a name came up under the lock that was not loaded; the command has to go
  // through once more, in another batch.
  [[nodiscard]] std::optional<Outcome> Decide(size_t index);

  [[nodiscard]] std::int64_t MarkOf(const InboxStream& stream) const;
  void SetMark(const InboxStream& stream, std::int64_t sequence);
  void AddDeadLetter(DeadLetter letter) { writes_.dead_letters.push_back(std::move(letter)); }

  // Seals and writes. A batch that changed nothing rolls back.
  [[nodiscard]] absl::Status Commit();
  void Rollback() { session_.Rollback(); }

 private:
  struct Item {
    CommandCall call;
    const CommandSpec* spec = nullptr;
    StreamKey key;
    std::string request_id;
    std::string fingerprint;
    std::vector<StreamKey> names;
  };
  // An aggregate in memory, in clear.
  struct Working {
    const AggregateSpec* spec = nullptr;
    std::unique_ptr<google::protobuf::Message> state;
    std::int64_t version = 0;
    std::string last_hash;
    std::string partition_key;
    bool changed = false;
  };

  [[nodiscard]] absl::Status AddNames();
  [[nodiscard]] absl::Status LoadStates(std::map<StreamKey, StoredStream> stored);
  [[nodiscard]] std::optional<Outcome> Replay(const Item& item);
  [[nodiscard]] Working& Find(const StreamKey& key);
  [[nodiscard]] absl::Status CheckTarget(const Item& item, const Working& own) const;
  [[nodiscard]] Context ContextOf(const Item& item);
  // Opens the events: seals a copy of each, so that one that can't be sealed refuses the command before it has effects.
  [[nodiscard]] absl::Status SealEvents(const Events& events, std::vector<std::string>& payloads);
  void Take(const Item& item, const Events& events, std::vector<std::string> payloads);
  [[nodiscard]] Outcome AnswerTo(const Item& item);
  [[nodiscard]] absl::Status EnsureKeys(const std::set<std::string>& subjects);
  // The subject's key, made if there is none; null where it was destroyed.
  [[nodiscard]] absl::StatusOr<const crypto::DataKey*> KeyOfSubject(const std::string& subject);
  [[nodiscard]] absl::Status WriteStates();

  const EngineOptions& options_;
  const Registry& registry_;
  const crypto::Vault& vault_;
  StoreSession& session_;

  std::vector<Item> items_;
  std::set<InboxStream> inbox_;
  std::map<StreamKey, Working> working_;
  std::map<std::string, Answer> answers_;
  std::map<std::string, std::optional<crypto::DataKey>> keys_;  // nothing = destroyed
  std::map<InboxStream, std::int64_t> marks_;
  std::set<InboxStream> moved_marks_;
  WriteSet writes_;
  // Why a key could not be read while a command was decided. Nothing is committed then: a passing failure is no answer to
  // a command, and no reason to put an event aside.
  absl::Status failed_;
};

// Opens a stored state: parses it and, with its subject's key, unseals it.
[[nodiscard]] absl::StatusOr<std::unique_ptr<google::protobuf::Message>> ParseState(
    const AggregateSpec& spec, const StoredStream& stored);

// The subject whose key a stored message is sealed with; empty where it is not sealed.
[[nodiscard]] std::string SealedFor(const google::protobuf::Message& message);

// The id by which the aggregate's events are keyed in Kafka.
[[nodiscard]] std::string PartitionKeyOf(const google::protobuf::Message& state,
                                         const StreamKey& key);

// Sets the field `etag`, where the message has one.
void SetEtag(google::protobuf::Message& message, std::int64_t version);

}  // namespace sankofa::engine
