#include "services/monitoring/view/source.h"

#include "absl/strings/str_cat.h"
#include "sankofa/common/v1/node_service.pb.h"
#include "services/platform/status/refuse.h"
#include "services/platform/time/time.h"

namespace sankofa::monitoring {
namespace {

constexpr char kReplayCase[] = "sankofa.common.v1.NodeService/ReplayCase";
constexpr int kPage = 500;
constexpr char kExchange[] = "exchange";

engine::IncomingEvent EventOf(const std::string& service, const common::v1::ReplayedEvent& event) {
  return {.meta = {.source = service,
                   .stream = {event.aggregate(), event.aggregate_id()},
                   .sequence = event.sequence(),
                   .partition_key = event.partition_key(),
                   .time = time::FromTimestamp(event.event_time()),
                   .traceparent = event.traceparent()},
          .event_type = event.type(),
          .payload = event.payload()};
}

// Adds the events of one service, page by page.
absl::Status AddEvents(const rpc::Client& client, const std::string& service,
                       const std::string& case_id, absl::Time deadline,
                       std::vector<engine::IncomingEvent>& events) {
  common::v1::ReplayCaseRequest request;
  request.set_service(service);
  request.set_partition_key(case_id);
  request.set_page_size(kPage);
  rpc::CallOptions options;
  options.deadline = deadline;
  while (true) {
    common::v1::ReplayResponse response;
    if (auto called = client.Call(kReplayCase, request, response, options); !called.ok()) {
      return called;
    }
    for (const auto& event : response.events()) events.push_back(EventOf(service, event));
    if (response.end()) return absl::OkStatus();
    if (events.size() > kCaseEventsMax || response.cursor() == request.after()) {
      return status::Internal(absl::StrCat("the journal of ", service, " has no end for a case"));
    }
    request.set_after(response.cursor());
  }
}

}  // namespace

absl::StatusOr<std::vector<engine::IncomingEvent>> RpcEventSource::Replay(
    const std::string& case_id, absl::Time deadline) {
  static const std::vector<std::string> services = {"registration", "validation", "funding",
                                                    "monitoring", kExchange};
  std::vector<engine::IncomingEvent> events;
  for (const std::string& service : services) {
    const rpc::Client* client = clients_.Find(service);
    if (client == nullptr && service == kExchange) continue;  // a node without partners
    if (client == nullptr) return status::Unavailable(absl::StrCat(service, " has no address"));
    if (auto added = AddEvents(*client, service, case_id, deadline, events); !added.ok()) {
      return added;
    }
  }
  return events;
}

}  // namespace sankofa::monitoring
