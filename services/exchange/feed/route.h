#pragma once

#include <optional>
#include <string>

#include "services/platform/engine/store.h"
#include "services/platform/kafka/client.h"

namespace sankofa::exchange {

// "feed.fr"
[[nodiscard]] std::string FeedTopicOf(const std::string& partner);

// The record for a message that was put on a partner's feed; nothing for any other row of the journal. Its headers are
// those of CloudEvents, so that it can be routed and searched; signed is the value alone.
[[nodiscard]] std::optional<kafka::Record> FeedRecordOf(const engine::JournalRow& row);

}  // namespace sankofa::exchange
