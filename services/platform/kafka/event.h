#pragma once

#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "services/platform/engine/engine.h"
#include "services/platform/engine/store.h"
#include "services/platform/kafka/client.h"

// An event as it travels: CloudEvents 1.0 in Kafka's binary mode. Key = partition key, value = the event's protobuf,
// everything else in headers:
//
//   ce_specversion         1.0
//   ce_id                  <node>/<service>/<Type>/<id>/<sequence>
//   ce_source              //<node>.sankofa/<service>
//   ce_type                full name of the event's message
//   ce_subject             <Type>/<id>
//   ce_time                RFC 3339 in UTC with nine digits of a second
//   ce_sequence            1, 2, 3 … in the stream
//   ce_partitionkey        the key again
//   content-type           application/protobuf
//   traceparent            W3C trace context, where there is one
//   sankofa_hash           of the journal row, 64 hex digits
//   sankofa_previous_hash  of the row before in the stream; empty for the first
//
// No header names a person: the actor stays in the journal.
namespace sankofa::kafka {

// "sankofa.registration"
[[nodiscard]] std::string TopicOf(std::string_view service);

// The record for a row of `service`'s journal on `node` ("cm").
[[nodiscard]] Record ToRecord(const engine::JournalRow& row, std::string_view node,
                              std::string_view service);

struct Event {
  std::string node;
  std::string service;
  engine::IncomingEvent incoming;  // `meta.source` is the service's name
  std::string hash;                // 32 bytes
  std::string previous_hash;       // 32 bytes; empty for sequence 1
};

// The strict inverse. Messages come from outside: whatever is wrong is INVALID_ARGUMENT with the reason in its text,
// which holds nothing of the message but header names. Checked beyond form: the headers agree with each other and the
// key, the topic is the source service's, the event type is of that service's package, and every text is one that
// PostgreSQL can keep. Headers of other names are passed over; a malformed traceparent counts as none.
[[nodiscard]] absl::StatusOr<Event> ParseEvent(const Message& message);

}  // namespace sankofa::kafka
