#include "services/exchange/feed/route.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "sankofa/exchange/v1/exchange_events.pb.h"
#include "sankofa/exchange/v1/feed.pb.h"
#include "services/platform/status/check.h"
#include "services/platform/time/time.h"

namespace sankofa::exchange {
namespace {

constexpr char kTimeForm[] = "%Y-%m-%dT%H:%M:%E9SZ";

}  // namespace

std::string FeedTopicOf(const std::string& partner) { return absl::StrCat("feed.", partner); }

std::optional<kafka::Record> FeedRecordOf(const engine::JournalRow& row) {
  static const std::string kAppended = v1::FeedAppended::descriptor()->full_name();
  if (row.event_type != kAppended) return std::nullopt;
  v1::FeedAppended appended;
  v1::FeedEvent event;
  status::Check(appended.ParseFromString(row.payload) && event.ParseFromString(appended.event()),
                "a message in the journal can't be read");
  v1::SignedFeedEvent message;
  message.set_event(appended.event());
  message.set_key_id(appended.key_id());
  message.set_signature(appended.signature());
  message.set_sealed(appended.sealed());
  kafka::Record record{.topic = FeedTopicOf(appended.receiver()),
                       .key = appended.subject_id(),
                       .value = message.SerializeAsString(),
                       .headers = {}};
  const auto add = [&](std::string name, std::string value) {
    record.headers.push_back({std::move(name), std::move(value)});
  };
  add("ce_specversion", "1.0");
  add("ce_id", absl::StrCat(event.sender(), "/", event.receiver(), "/", event.subject(), "/",
                            event.sequence()));
  add("ce_source", absl::StrCat("//", event.sender(), ".sankofa/exchange"));
  add("ce_type", event.type());
  add("ce_subject", event.subject());
  add("ce_time",
      absl::FormatTime(kTimeForm, time::FromTimestamp(event.event_time()), absl::UTCTimeZone()));
  add("ce_sequence", absl::StrCat(event.sequence()));
  add("ce_partitionkey", record.key);
  add("content-type", "application/protobuf");
  add("sankofa_key_id", appended.key_id());
  if (!row.traceparent.empty()) add("traceparent", row.traceparent);
  return record;
}

}  // namespace sankofa::exchange
