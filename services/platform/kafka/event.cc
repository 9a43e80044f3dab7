#include "services/platform/kafka/event.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <map>
#include <optional>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "services/platform/status/text.h"
#include "services/platform/telemetry/trace.h"

namespace sankofa::kafka {
namespace {

constexpr std::string_view kSpecVersion = "ce_specversion";
constexpr std::string_view kId = "ce_id";
constexpr std::string_view kSource = "ce_source";
constexpr std::string_view kType = "ce_type";
constexpr std::string_view kSubject = "ce_subject";
constexpr std::string_view kTime = "ce_time";
constexpr std::string_view kSequence = "ce_sequence";
constexpr std::string_view kPartitionKey = "ce_partitionkey";
constexpr std::string_view kContentType = "content-type";
constexpr std::string_view kTraceparent = "traceparent";
constexpr std::string_view kHash = "sankofa_hash";
constexpr std::string_view kPreviousHash = "sankofa_previous_hash";

constexpr std::array kKnown = {kSpecVersion, kId,          kSource,   kType,
                               kSubject,     kTime,        kSequence, kPartitionKey,
                               kContentType, kTraceparent, kHash,     kPreviousHash};

constexpr std::string_view kSpecVersionValue = "1.0";
constexpr std::string_view kContentTypeValue = "application/protobuf";
constexpr std::string_view kDomain = ".sankofa/";
constexpr char kTimeForm[] = "%E4Y-%m-%d%ET%H:%M:%E9SZ";
constexpr std::size_t kTimeLength = 30;  // "2017-06-30T12:00:00.000000000Z"
constexpr std::size_t kHashBytes = 32;
constexpr std::size_t kNameMax = 63;   // of a node or a service
constexpr std::size_t kTypeMax = 200;  // of a stream's type or an event's
constexpr std::size_t kTextMax = 512;  // of an id or a partition key
constexpr std::size_t kHeadersMax = 64;

std::string IdOf(std::string_view node, std::string_view service, std::string_view subject,
                 std::int64_t sequence) {
  return absl::StrCat(status::Absl(node), "/", status::Absl(service), "/", status::Absl(subject),
                      "/", sequence);
}

std::string SourceOf(std::string_view node, std::string_view service) {
  return absl::StrCat("//", status::Absl(node), status::Absl(kDomain), status::Absl(service));
}

std::string TimeText(absl::Time time) {
  return absl::FormatTime(kTimeForm, time, absl::UTCTimeZone());
}

bool Lower(char c) { return c >= 'a' && c <= 'z'; }
bool Digit(char c) { return c >= '0' && c <= '9'; }
bool Letter(char c) { return Lower(c) || (c >= 'A' && c <= 'Z'); }

// A node's or a service's name: "cm", "registration".
bool IsName(std::string_view text) {
  if (text.empty() || text.size() > kNameMax || !Lower(text.front())) return false;
  return std::all_of(text.begin(), text.end(),
                     [](char c) { return Lower(c) || Digit(c) || c == '-' || c == '_'; });
}

// A protobuf name; `dots` as in a full name.
bool IsTypeName(std::string_view text, bool dots) {
  if (text.empty() || text.size() > kTypeMax) return false;
  bool begins = true;  // a part begins here
  for (const char c : text) {
    if (c == '.') {
      if (begins || !dots) return false;
      begins = true;
    } else {
      if (!Letter(c) && c != '_' && (begins || !Digit(c))) return false;
      begins = false;
    }
  }
  return !begins;
}

// The length of the UTF-8 sequence at the front of `text`; 0 where it is none, or one that RFC 3629 forbids.
std::size_t Utf8Length(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned lead = byte(0);
  const std::size_t length = lead < 0x80   ? 1
                             : lead < 0xC2 ? 0
                             : lead < 0xE0 ? 2
                             : lead < 0xF0 ? 3
                             : lead < 0xF5 ? 4
                                           : 0;
  if (length == 0 || text.size() < length) return 0;
  for (std::size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xC0) != 0x80) return 0;
  }
  if (lead == 0xE0 && byte(1) < 0xA0) return 0;   // longer than needed
  if (lead == 0xED && byte(1) >= 0xA0) return 0;  // surrogates
  if (lead == 0xF0 && byte(1) < 0x90) return 0;   // longer than needed
  if (lead == 0xF4 && byte(1) >= 0x90) return 0;  // beyond Unicode
  return length;
}

// An id or a key: UTF-8 without control characters, so that PostgreSQL and logs can hold it.
bool IsText(std::string_view text) {
  if (text.empty() || text.size() > kTextMax) return false;
  while (!text.empty()) {
    const std::size_t length = Utf8Length(text);
    const auto lead = static_cast<unsigned char>(text.front());
    if (length == 0 || lead < 0x20 || lead == 0x7F) return false;
    text.remove_prefix(length);
  }
  return true;
}

std::optional<std::string> ParseHash(std::string_view hex) {
  if (hex.size() != 2 * kHashBytes) return std::nullopt;
  for (const char c : hex) {
    if (!Digit(c) && (c < 'a' || c > 'f')) return std::nullopt;
  }
  return absl::HexStringToBytes(status::Absl(hex));
}

std::optional<std::int64_t> ParseSequence(std::string_view text) {
  std::int64_t sequence = 0;
  // SimpleAtoi takes blanks and signs: only what is written back the same counts.
  if (!absl::SimpleAtoi(status::Absl(text), &sequence) || sequence < 1 ||
      absl::StrCat(sequence) != status::Absl(text)) {
    return std::nullopt;
  }
  return sequence;
}

std::optional<absl::Time> ParseTime(std::string_view text) {
  if (text.size() != kTimeLength) return std::nullopt;
  absl::Time time;
  std::string error;
  if (!absl::ParseTime(kTimeForm, status::Absl(text), &time, &error)) return std::nullopt;
  // Nanoseconds since 1970 in 64 bits are what the journal's hash is made of.
  if (absl::FromUnixNanos(absl::ToUnixNanos(time)) != time) return std::nullopt;
  if (TimeText(time) != text) return std::nullopt;
  return time;
}

absl::Status Malformed(std::string_view what) {
  return absl::InvalidArgumentError(status::Absl(what));
}

absl::Status MalformedHeader(std::string_view name) {
  return absl::InvalidArgumentError(absl::StrCat("header ", status::Absl(name), " is malformed"));
}

using Known = std::map<std::string_view, std::string_view>;

absl::StatusOr<Known> KnownHeaders(const Message& message) {
  if (message.headers.size() > kHeadersMax) return Malformed("too many headers");
  Known known;
  for (const Header& header : message.headers) {
    const auto* const name = std::find(kKnown.begin(), kKnown.end(), header.name);
    if (name == kKnown.end()) continue;
    if (!known.emplace(*name, header.value).second) {
      return absl::InvalidArgumentError(
          absl::StrCat("header ", status::Absl(*name), " is there twice"));
    }
  }
  for (const std::string_view name : kKnown) {
    if (name == kTraceparent || name == kPreviousHash) continue;
    if (!known.contains(name)) {
      return absl::InvalidArgumentError(absl::StrCat("header ", status::Absl(name), " is missing"));
    }
  }
  return known;
}

// "//cm.sankofa/registration"
absl::Status ParseSource(std::string_view source, Event& event) {
  if (!source.starts_with("//")) return MalformedHeader(kSource);
  source.remove_prefix(2);
  const std::size_t domain = source.find(kDomain);
  if (domain == std::string_view::npos) return MalformedHeader(kSource);
  event.node = source.substr(0, domain);
  event.service = source.substr(domain + kDomain.size());
  if (!IsName(event.node) || !IsName(event.service)) return MalformedHeader(kSource);
  return absl::OkStatus();
}

// "Case/7f3c…"; the id may hold slashes.
absl::Status ParseSubject(std::string_view subject, engine::StreamKey& stream) {
  const std::size_t slash = subject.find('/');
  if (slash == std::string_view::npos) return MalformedHeader(kSubject);
  const std::string_view type = subject.substr(0, slash);
  const std::string_view id = subject.substr(slash + 1);
  if (!IsTypeName(type, /*dots=*/false) || !IsText(id)) return MalformedHeader(kSubject);
  stream = {std::string(type), std::string(id)};
  return absl::OkStatus();
}

absl::Status ParseHashes(const Known& known, std::int64_t sequence, Event& event) {
  const auto hash = ParseHash(known.at(kHash));
  if (!hash) return MalformedHeader(kHash);
  event.hash = *hash;
  const auto previous = known.find(kPreviousHash);
  if (previous == known.end() || previous->second.empty()) {
    return sequence == 1 ? absl::OkStatus() : Malformed("header sankofa_previous_hash is missing");
  }
  if (sequence == 1) return Malformed("the first event of a stream has a previous hash");
  const auto previous_hash = ParseHash(previous->second);
  if (!previous_hash) return MalformedHeader(kPreviousHash);
  event.previous_hash = *previous_hash;
  return absl::OkStatus();
}

}  // namespace

std::string TopicOf(std::string_view service) {
  return absl::StrCat("sankofa.", status::Absl(service));
}

Record ToRecord(const engine::JournalRow& row, std::string_view node, std::string_view service) {
  const std::string subject = absl::StrCat(row.stream.type, "/", row.stream.id);
  Record record{.topic = TopicOf(service), .key = row.partition_key, .value = row.payload};
  const auto add = [&](std::string_view name, std::string value) {
    record.headers.push_back({std::string(name), std::move(value)});
  };
  add(kSpecVersion, std::string(kSpecVersionValue));
  add(kId, IdOf(node, service, subject, row.sequence));
  add(kSource, SourceOf(node, service));
  add(kType, row.event_type);
  add(kSubject, subject);
  add(kTime, TimeText(row.event_time));
  add(kSequence, absl::StrCat(row.sequence));
  add(kPartitionKey, row.partition_key);
  add(kContentType, std::string(kContentTypeValue));
  if (!row.traceparent.empty()) add(kTraceparent, row.traceparent);
  add(kHash, absl::BytesToHexString(row.hash));
  add(kPreviousHash, absl::BytesToHexString(row.previous_hash));
  return record;
}

absl::StatusOr<Event> ParseEvent(const Message& message) {
  if (!message.has_value) return Malformed("the message has no value");
  if (message.value.size() > kMaxRecordBytes) return Malformed("the value is too large");
  const auto known = KnownHeaders(message);
  if (!known.ok()) return known.status();
  if (known->at(kSpecVersion) != kSpecVersionValue) return MalformedHeader(kSpecVersion);
  if (known->at(kContentType) != kContentTypeValue) return MalformedHeader(kContentType);

  Event event;
  if (auto status = ParseSource(known->at(kSource), event); !status.ok()) return status;
  engine::EventMeta& meta = event.incoming.meta;
  meta.source = event.service;
  if (message.topic != TopicOf(event.service)) return Malformed("the topic is not the source's");
  if (auto status = ParseSubject(known->at(kSubject), meta.stream); !status.ok()) return status;
  const auto sequence = ParseSequence(known->at(kSequence));
  if (!sequence) return MalformedHeader(kSequence);
  meta.sequence = *sequence;
  if (known->at(kId) != IdOf(event.node, event.service, known->at(kSubject), *sequence)) {
    return Malformed("header ce_id does not agree with source, subject and sequence");
  }
  const std::string_view type = known->at(kType);
  if (!IsTypeName(type, /*dots=*/true)) return MalformedHeader(kType);
  // Whoever may write to one service's topic must not speak for another.
  if (!type.starts_with(TopicOf(event.service) + ".")) {
    return Malformed("the event's type is not of the source's package");
  }
  event.incoming.event_type = type;
  const auto time = ParseTime(known->at(kTime));
  if (!time) return MalformedHeader(kTime);
  meta.time = *time;
  if (!IsText(known->at(kPartitionKey))) return MalformedHeader(kPartitionKey);
  if (known->at(kPartitionKey) != message.key) {
    return Malformed("header ce_partitionkey is not the key");
  }
  meta.partition_key = message.key;
  const auto traceparent = known->find(kTraceparent);
  if (traceparent != known->end()) {
    const auto trace = telemetry::ParseTraceparent(traceparent->second);
    if (trace) meta.traceparent = trace->ToString();
  }
  if (auto status = ParseHashes(*known, *sequence, event); !status.ok()) return status;
  event.incoming.payload = message.value;
  return event;
}

}  // namespace sankofa::kafka
