#include "services/platform/engine/batch.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "sankofa/common/v1/common_reason.pb.h"
#include "sankofa/common/v1/options.pb.h"
#include "sankofa/common/v1/sealed.pb.h"
#include "services/platform/engine/wire.h"

namespace sankofa::engine {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

const FieldDescriptor* StringField(const Message& message, const char* name) {
  const FieldDescriptor* field = message.GetDescriptor()->FindFieldByName(name);
  const bool usable = field != nullptr && !field->is_repeated() &&
                      field->cpp_type() == FieldDescriptor::CPPTYPE_STRING;
  return usable ? field : nullptr;
}

std::string GetString(const Message& message, const char* name) {
  const FieldDescriptor* field = StringField(message, name);
  return field == nullptr ? std::string() : message.GetReflection()->GetString(message, field);
}

// Method, caller and content in one hash, keyed: contents may be personal.
std::string FingerprintOf(const CommandCall& call, const crypto::Vault& vault) {
  std::string text = call.request->GetDescriptor()->full_name();
  for (const std::string* part : {&call.actor.system, &call.actor.subject}) {
    text.push_back('\0');
    text.append(*part);
  }
  text.push_back('\0');
  text.append(DeterministicBytes(*call.request));
  return vault.Blind("request", text);
}

bool HasNames(const CommandSpec& spec, const CommandCall& call) {
  return spec.names || (spec.fact_names && call.facts != nullptr);
}

std::vector<StreamKey> NamesOf(const CommandSpec& spec, const CommandCall& call,
                               const Message& state) {
  Names names;
  if (spec.names) spec.names(*call.request, state, names);
  if (spec.fact_names && call.facts != nullptr) {
    spec.fact_names(*call.request, state, *call.facts, names);
  }
  return names.keys();
}

bool IsInternal(const AggregateSpec& spec) {
  return spec.prototype->GetDescriptor()->options().GetExtension(common::v1::stream).internal();
}

}  // namespace

std::string SealedFor(const Message& message) {
  const auto* descriptor = message.GetDescriptor();
  for (int i = 0; i < descriptor->field_count(); ++i) {
    const FieldDescriptor* field = descriptor->field(i);
    if (field->cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE && !field->is_repeated() &&
        field->message_type() == common::v1::Sealed::descriptor() &&
        message.GetReflection()->HasField(message, field)) {
      return static_cast<const common::v1::Sealed&>(
                 message.GetReflection()->GetMessage(message, field))
          .subject_id();
    }
  }
  return {};
}

std::string PartitionKeyOf(const Message& state, const StreamKey& key) {
  const auto* descriptor = state.GetDescriptor();
  for (int i = 0; i < descriptor->field_count(); ++i) {
    const FieldDescriptor* field = descriptor->field(i);
    if (!field->options().GetExtension(common::v1::partition_key)) continue;
    const std::string value = state.GetReflection()->GetString(state, field);
    return value.empty() ? key.id : value;
  }
  return key.id;
}

void SetEtag(Message& message, std::int64_t version) {
  if (const FieldDescriptor* field = StringField(message, "etag")) {
    message.GetReflection()->SetString(&message, field, absl::StrCat(version));
  }
}

absl::StatusOr<std::unique_ptr<Message>> ParseState(const AggregateSpec& spec,
                                                    const StoredStream& stored) {
  std::unique_ptr<Message> state(spec.prototype->New());
  if (!state->ParseFromString(stored.state)) {
    return status::Internal(absl::StrCat("a stored state of ", spec.type, " can't be parsed"));
  }
  return state;
}

size_t Batch::Add(const CommandCall& call) {
  Item item;
  item.call = call;
  item.spec = registry_.FindCommand(call.request->GetDescriptor()->full_name());
  status::Check(item.spec != nullptr,
                call.request->GetDescriptor()->full_name() + " is not bound to a decider");
  item.key = {item.spec->aggregate->type, item.spec->id(*call.request)};
  item.request_id = GetString(*call.request, "request_id");
  item.fingerprint = FingerprintOf(call, vault_);
  items_.push_back(std::move(item));
  return items_.size() - 1;
}

// The further aggregates of each command, from its own state as it stands without a lock.
absl::Status Batch::AddNames() {
  std::vector<StreamKey> needed;
  for (const Item& item : items_) {
    if (HasNames(*item.spec, item.call)) needed.push_back(item.key);
  }
  if (needed.empty()) return absl::OkStatus();
  std::sort(needed.begin(), needed.end());
  needed.erase(std::unique(needed.begin(), needed.end()), needed.end());
  auto peeked = session_.Peek(needed);
  if (!peeked.ok()) return peeked.status();

  std::map<StreamKey, std::unique_ptr<Message>> states;
  std::set<std::string> subjects;
  for (const auto& [key, stored] : *peeked) {
    auto state = ParseState(*registry_.FindAggregate(key.type), stored);
    if (!state.ok()) return state.status();
    if (std::string subject = SealedFor(**state); !subject.empty()) subjects.insert(subject);
    states[key] = *std::move(state);
  }
  if (!subjects.empty()) {
    auto keys = session_.PeekKeys({subjects.begin(), subjects.end()});
    if (!keys.ok()) return keys.status();
    for (auto& [key, state] : states) {
      const auto found = keys->find(SealedFor(*state));
      if (found == keys->end() || found->second.wrapped.empty()) continue;
      auto opened = vault_.Unwrap(found->first, found->second.wrapped);
      if (!opened.ok()) return opened.status();
      if (auto unsealed = crypto::Unseal(*state, *opened); !unsealed.ok()) return unsealed;
    }
  }
  for (Item& item : items_) {
    if (!HasNames(*item.spec, item.call)) continue;
    const auto found = states.find(item.key);
    item.names = NamesOf(*item.spec, item.call,
                         found == states.end() ? *item.spec->aggregate->prototype : *found->second);
  }
  return absl::OkStatus();
}

absl::Status Batch::Load() {
  if (auto named = AddNames(); !named.ok()) return named;
  std::set<StreamKey> streams;
  std::set<std::string> request_ids;
  for (const Item& item : items_) {
    streams.insert(item.key);
    streams.insert(item.names.begin(), item.names.end());
    if (!item.request_id.empty()) request_ids.insert(item.request_id);
  }
  auto loaded = session_.Load({.streams = {streams.begin(), streams.end()},
                               .request_ids = {request_ids.begin(), request_ids.end()},
                               .inbox = {inbox_.begin(), inbox_.end()}});
  if (!loaded.ok()) return loaded.status();
  answers_ = std::move(loaded->answers);
  marks_ = std::move(loaded->marks);
  for (const StreamKey& key : streams) {
    Working& working = working_[key];
    working.spec = registry_.FindAggregate(key.type);
    status::Check(working.spec != nullptr, key.type + " is named but no aggregate of this service");
    working.state.reset(working.spec->prototype->New());
  }
  return LoadStates(std::move(loaded->streams));
}

absl::Status Batch::LoadStates(std::map<StreamKey, StoredStream> stored) {
  // Subjects are locked in one go and in order: those that stored states are sealed for, and those that requests name.
  std::set<std::string> subjects;
  for (auto& [key, stream] : stored) {
    Working& working = Find(key);
    auto state = ParseState(*working.spec, stream);
    if (!state.ok()) return state.status();
    working.state = *std::move(state);
    working.version = stream.version;
    working.last_hash = std::move(stream.last_hash);
    working.partition_key = PartitionKeyOf(*working.state, key);
    if (std::string subject = SealedFor(*working.state); !subject.empty()) {
      subjects.insert(std::move(subject));
    } else if (crypto::HasPersonalFields(*working.state->GetDescriptor())) {
      subject = crypto::SubjectOf(*working.state);
      if (!subject.empty()) subjects.insert(std::move(subject));
    }
  }
  for (const Item& item : items_) {
    if (std::string subject = crypto::SubjectOf(*item.call.request); !subject.empty()) {
      subjects.insert(std::move(subject));
    }
  }
  if (auto ensured = EnsureKeys(subjects); !ensured.ok()) return ensured;
  for (auto& [key, working] : working_) {
    const std::string subject = SealedFor(*working.state);
    if (subject.empty()) continue;
    const auto& data_key = keys_.at(subject);
    if (!data_key) {
      crypto::Redact(*working.state);
    } else if (auto unsealed = crypto::Unseal(*working.state, *data_key); !unsealed.ok()) {
      return unsealed;
    }
  }
  return absl::OkStatus();
}

absl::Status Batch::EnsureKeys(const std::set<std::string>& subjects) {
  std::vector<std::string> missing;
  for (const std::string& subject : subjects) {
    if (!keys_.contains(subject)) missing.push_back(subject);
  }
  if (missing.empty()) return absl::OkStatus();
  auto loaded = session_.LoadKeys(missing);
  if (!loaded.ok()) return failed_ = loaded.status();
  for (const std::string& subject : missing) {
    const auto found = loaded->find(subject);
    if (found == loaded->end()) {
      crypto::DataKey fresh = vault_.NewDataKey();
      writes_.new_keys.push_back({subject, vault_.Wrap(subject, fresh)});
      keys_.emplace(subject, std::move(fresh));
    } else if (found->second.wrapped.empty()) {
      keys_.emplace(subject, std::nullopt);
    } else {
      auto opened = vault_.Unwrap(subject, found->second.wrapped);
      if (!opened.ok()) return opened.status();
      keys_.emplace(subject, *std::move(opened));
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<const crypto::DataKey*> Batch::KeyOfSubject(const std::string& subject) {
  if (auto ensured = EnsureKeys({subject}); !ensured.ok()) return ensured;
  const auto& key = keys_.at(subject);
  return key ? &*key : nullptr;
}

Batch::Working& Batch::Find(const StreamKey& key) {
  const auto found = working_.find(key);
  status::Check(found != working_.end(),
                "a decider wrote to " + key.type + ", which its command did not name");
  return found->second;
}

std::optional<Outcome> Batch::Replay(const Item& item) {
  const auto found = answers_.find(item.request_id);
  if (item.request_id.empty() || found == answers_.end()) return std::nullopt;
  if (found->second.fingerprint != item.fingerprint) {
    return Outcome(status::RefuseField(common::v1::REASON_REQUEST_ID_REUSED, "request_id"));
  }
  std::shared_ptr<Message> answer(item.spec->aggregate->prototype->New());
  if (!answer->ParseFromString(found->second.bytes)) {
    return Outcome(status::Internal("a stored answer can't be parsed"));
  }
  return Outcome(std::shared_ptr<const Message>(std::move(answer)));
}

absl::Status Batch::CheckTarget(const Item& item, const Working& own) const {
  const bool exists = own.version > 0;
  if (item.spec->target == Target::kExisting && !exists) {
    return status::Refuse(common::v1::REASON_NOT_FOUND,
                          {.fields = {}, .metadata = {{"aggregate", item.key.type}}});
  }
  if (item.spec->target == Target::kNew && exists) {
    return status::Refuse(common::v1::REASON_ALREADY_EXISTS,
                          {.fields = {}, .metadata = {{"aggregate", item.key.type}}});
  }
  const std::string etag = GetString(*item.call.request, "etag");
  if (!etag.empty() && etag != absl::StrCat(own.version)) {
    return status::Refuse(common::v1::REASON_STALE_ETAG,
                          {.fields = {{"etag", "the current one is in the details"}},
                           .metadata = {{"current_etag", absl::StrCat(own.version)}}});
  }
  return absl::OkStatus();
}

Context Batch::ContextOf(const Item& item) {
  Context context;
  context.now = item.call.now;
  context.actor = item.call.actor;
  context.request_id = item.request_id;
  context.node = options_.node;
  context.country = options_.country;
  context.blind = [this](std::string_view label, std::string_view text) {
    return vault_.Blind(label, text);
  };
  if (options_.signer != nullptr) {
    context.sign = [signer = options_.signer](std::string_view label, std::string_view text) {
      auto made = signer->SignNamed(label, text);
      return Signature{std::move(made.signature), std::move(made.public_key)};
    };
  }
  context.facts = item.call.facts;
  for (const StreamKey& key : item.names) {
    const Working& named = Find(key);
    if (named.version > 0) context.related[key] = named.state.get();
  }
  return context;
}

std::optional<Outcome> Batch::Decide(size_t index) {
  Item& item = items_[index];
  if (auto replayed = Replay(item)) return replayed;
  Working& own = Find(item.key);
  if (auto target = CheckTarget(item, own); !target.ok()) return Outcome(target);
  if (HasNames(*item.spec, item.call)) {
    item.names = NamesOf(*item.spec, item.call, *own.state);
    for (const StreamKey& key : item.names) {
      if (!working_.contains(key)) return std::nullopt;
    }
  }
  const Decision decision = item.spec->decide(*own.state, *item.call.request, ContextOf(item));
  if (!decision.ok()) return Outcome(decision.status());
  std::vector<std::string> payloads;
  if (auto sealed = SealEvents(*decision, payloads); !sealed.ok()) return Outcome(sealed);
  Take(item, *decision, std::move(payloads));
  return AnswerTo(item);
}

absl::Status Batch::SealEvents(const Events& events, std::vector<std::string>& payloads) {
  for (const Emitted& emitted : events.entries()) {
    if (!crypto::HasPersonalFields(*emitted.event->GetDescriptor())) {
      payloads.push_back(emitted.event->SerializeAsString());
      continue;
    }
    std::unique_ptr<Message> copy(emitted.event->New());
    copy->CopyFrom(*emitted.event);
    crypto::Redact(*copy);
    const bool personal = copy->ByteSizeLong() != emitted.event->ByteSizeLong();
    if (personal) {
      auto key = KeyOfSubject(crypto::SubjectOf(*emitted.event));
      if (!key.ok()) return key.status();
      if (*key == nullptr) return status::Refuse(common::v1::REASON_ERASED);
      copy->CopyFrom(*emitted.event);
      if (auto sealed = crypto::Seal(*copy, **key); !sealed.ok()) return sealed;
    }
    payloads.push_back(copy->SerializeAsString());
  }
  return absl::OkStatus();
}

void Batch::Take(const Item& item, const Events& events, std::vector<std::string> payloads) {
  for (size_t i = 0; i < payloads.size(); ++i) {
    const Emitted& emitted = events.entries()[i];
    const StreamKey& key = emitted.key ? *emitted.key : item.key;
    Working& working = Find(key);
    const std::string& type = emitted.event->GetDescriptor()->full_name();
    const auto apply = working.spec->apply.find(type);
    status::Check(apply != working.spec->apply.end(), type + " is no event of " + key.type);
    apply->second(*working.state, *emitted.event);
    working.partition_key = PartitionKeyOf(*working.state, key);
    working.changed = true;

    JournalRow row;
    row.stream = key;
    row.sequence = ++working.version;
    row.partition_key = working.partition_key;
    row.event_type = type;
    row.payload = std::move(payloads[i]);
    row.previous_hash = working.last_hash;
    row.event_time = item.call.now;
    row.actor = item.call.actor.subject;
    row.organisation = item.call.actor.organisation;
    row.system = item.call.actor.system;
    row.request_id = item.request_id;
    row.traceparent = item.call.traceparent;
    row.publish = !IsInternal(*working.spec);
    row.hash = HashOf(row);
    working.last_hash = row.hash;
    writes_.journal.push_back(std::move(row));

    if (working.spec->event_table != nullptr) {
      auto rows = working.spec->project_event(*working.state, *emitted.event);
      if (!rows.empty()) {
        writes_.appends.push_back({working.spec->event_table, key.id, std::move(rows)});
      }
    }
    if (emitted.event->GetDescriptor()->options().GetExtension(common::v1::erases)) {
      const std::string subject = crypto::SubjectOf(*emitted.event);
      status::Check(!subject.empty(), type + " erases nobody");
      writes_.destroyed_keys.push_back(subject);
      keys_[subject] = std::nullopt;
    }
  }
}

Outcome Batch::AnswerTo(const Item& item) {
  const Working& own = Find(item.key);
  std::shared_ptr<Message> answer(own.state->New());
  answer->CopyFrom(*own.state);
  crypto::Redact(*answer);
  SetEtag(*answer, own.version);
  if (!item.request_id.empty()) {
    Answer stored{item.request_id, item.fingerprint, answer->GetDescriptor()->full_name(),
                  answer->SerializeAsString(), item.call.now};
    answers_[item.request_id] = stored;
    writes_.answers.push_back(std::move(stored));
  }
  return std::shared_ptr<const Message>(std::move(answer));
}

std::int64_t Batch::MarkOf(const InboxStream& stream) const {
  const auto found = marks_.find(stream);
  return found == marks_.end() ? 0 : found->second;
}

void Batch::SetMark(const InboxStream& stream, std::int64_t sequence) {
  marks_[stream] = sequence;
  moved_marks_.insert(stream);
}

absl::Status Batch::WriteStates() {
  for (auto& [key, working] : working_) {
    if (!working.changed) continue;
    StateWrite write;
    write.stream = key;
    write.partition_key = working.partition_key;
    if (working.spec->table != nullptr) {
      write.table = working.spec->table;
      write.rows = working.spec->project(*working.state);
    }
    if (working.spec->next_deadline) {
      if (const auto deadline = working.spec->next_deadline(*working.state)) {
        write.due = deadline->due;
        write.due_command_type = deadline->command->GetDescriptor()->full_name();
        write.due_command = deadline->command->SerializeAsString();
      }
    }
    if (crypto::HasPersonalFields(*working.state->GetDescriptor())) {
      const std::string subject = crypto::SubjectOf(*working.state);
      auto data_key = subject.empty() ? nullptr : KeyOfSubject(subject);
      if (!data_key.ok()) return data_key.status();
      if (*data_key == nullptr) {
        crypto::Redact(*working.state);
      } else if (auto sealed = crypto::Seal(*working.state, **data_key); !sealed.ok()) {
        return sealed;
      }
    }
    write.stored = {working.version, working.state->SerializeAsString(), working.last_hash};
    writes_.states.push_back(std::move(write));
  }
  return absl::OkStatus();
}

absl::Status Batch::Commit() {
  if (!failed_.ok()) {
    session_.Rollback();
    return failed_;
  }
  for (const InboxStream& stream : moved_marks_) writes_.marks[stream] = marks_.at(stream);
  const bool nothing = writes_.journal.empty() && writes_.answers.empty() &&
                       writes_.marks.empty() && writes_.dead_letters.empty();
  if (nothing) {
    session_.Rollback();
    return absl::OkStatus();
  }
  if (auto written = WriteStates(); !written.ok()) {
    session_.Rollback();
    return written;
  }
  return session_.Commit(writes_);
}

}  // namespace sankofa::engine
