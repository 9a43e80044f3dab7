#pragma once

#include <functional>
#include <string>

#include "absl/status/status.h"
#include "services/platform/kafka/client.h"
#include "services/sankofactl/output/json.h"

namespace sankofa::ctl {

struct TailOptions {
  kafka::Offsets from;  // messages below are passed over
  kafka::Offsets to;    // with `follow` off: where to end
  bool follow = true;
  std::string case_id;  // only of this partition key; empty: all
  int count = 0;        // end after so many; 0: no limit
  absl::Time deadline = absl::InfiniteFuture();
};

// Gives the events that `consumer` reads, one after another, until `options` or `print` (false) say that it is enough.
// Fails where Kafka refuses the certificate or the topic.
[[nodiscard]] absl::Status TailEvents(kafka::Consumer& consumer, const TailOptions& options,
                                      const std::function<bool(const kafka::Message&)>& print);

// Topic, place, key, headers (`ce_…`, `traceparent`) and the event; one of a type that this client doesn't know, or
// that can't be read, in base64 and with the reason. What is wrong with its headers is said too.
[[nodiscard]] Json EventToJson(const kafka::Message& message);

}  // namespace sankofa::ctl
