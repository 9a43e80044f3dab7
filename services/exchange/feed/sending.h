#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "services/platform/service/definition.h"

// The sending side of exchange in a running node: the builder over the node's services, and the partners' rights to
// read.
namespace sankofa::exchange {

// Whether registration's answer to GetDisclosure says that nothing may be disclosed, as opposed to a question that was
// not answered.
[[nodiscard]] bool SaysNo(const absl::Status& answer);

// The builder, with all it asks of others.
[[nodiscard]] std::unique_ptr<engine::CallSource> MakeFeedCalls(service::Runtime& runtime);

// The feed topics of the active partners. Empty while the database can't be reached: those in use are known anyway.
[[nodiscard]] std::vector<std::string> FeedTopics(service::Runtime& runtime);

// Gives each active partner the right to read its own feed and its own group, and takes it back from who is suspended.
// Has a thread of its own; looks a few times a minute, and soon after a partner has changed.
[[nodiscard]] std::unique_ptr<service::Part> MakeFeedAccess(service::Runtime& runtime);

}  // namespace sankofa::exchange
