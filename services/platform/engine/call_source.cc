#include "services/platform/engine/call_source.h"

#include "absl/strings/str_cat.h"
#include "google/protobuf/descriptor.h"
#include "sankofa/common/v1/common_reason.pb.h"
#include "services/platform/status/check.h"

namespace sankofa::engine {

using google::protobuf::Message;

CommandCall CallFor(const IncomingEvent& event, std::shared_ptr<Message> request,
                    std::string_view label) {
  const EventMeta& meta = event.meta;
  const std::string cause =
      absl::StrCat(meta.source, "/", meta.stream.type, "/", meta.stream.id, "/", meta.sequence);
  const auto* field = request->GetDescriptor()->FindFieldByName("request_id");
  status::Check(field != nullptr, request->GetDescriptor()->full_name() + " has no request_id");
  request->GetReflection()->SetString(request.get(), field, DerivedId(cause, label));
  CommandCall call;
  call.request = std::move(request);
  call.actor.system = meta.source;
  call.now = meta.time;
  call.traceparent = meta.traceparent;
  return call;
}

CommandCall CallForDue(const Registry& registry, const DueCommand& due, absl::Time now) {
  const CommandSpec* spec = registry.FindCommand(due.command_type);
  status::Check(spec != nullptr, due.command_type + " is due but bound to nothing");
  std::shared_ptr<Message> request(spec->prototype->New());
  status::Check(request->ParseFromString(due.command), "a due command can't be parsed");
  const auto* field = request->GetDescriptor()->FindFieldByName("request_id");
  request->GetReflection()->SetString(request.get(), field,
                                      DerivedId(absl::StrCat(due.stream.type, "/", due.stream.id),
                                                absl::StrCat("due ", due.version)));
  CommandCall call;
  call.request = std::move(request);
  call.actor.system = "clock";
  call.now = now;
  return call;
}

Calls CallsOf(const Reactions& reactions, const IncomingEvent& event) {
  const Reactions::Handler* handler = reactions.Find(event.event_type);
  if (handler == nullptr) {
    const bool known = google::protobuf::DescriptorPool::generated_pool()->FindMessageTypeByName(
                           event.event_type) != nullptr;
    if (!known) return status::Refuse(common::v1::REASON_UNKNOWN_EVENT_TYPE);
    return std::vector<CommandCall>();
  }
  std::unique_ptr<Message> message(handler->prototype->New());
  if (!message->ParseFromString(event.payload)) {
    return status::Refuse(common::v1::REASON_MALFORMED_EVENT);
  }
  Commands commands;
  handler->react(*message, event.meta, commands);
  std::vector<CommandCall> calls;
  for (auto& request : commands.requests()) {
    calls.push_back(CallFor(event, std::move(request), absl::StrCat(calls.size())));
  }
  return calls;
}

std::vector<Calls> ReactionCalls::CallsOf(std::span<const IncomingEvent> events) {
  std::vector<Calls> calls;
  calls.reserve(events.size());
  for (const IncomingEvent& event : events) {
    calls.push_back(engine::CallsOf(reactions_, event));
  }
  return calls;
}

}  // namespace sankofa::engine
