#pragma once

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "services/platform/engine/store.h"

// Reactions: other services' events turned into commands on one's own aggregates. A reaction is a pure function of the
// event; the command's request id is derived from the event, so a repeat takes effect once.
namespace sankofa::engine {

// Where an event comes from.
struct EventMeta {
  std::string source;  // service, or node and service: "registration"
  StreamKey stream;
  std::int64_t sequence = 0;
  std::string partition_key;  // the case, mostly
  absl::Time time;
  std::string traceparent;
};

// The commands that a reaction asks for, in order. Field `request_id` is filled by the engine.
class Commands {
 public:
  template <class Request>
  void Add(Request request) {
    requests_.push_back(std::make_shared<Request>(std::move(request)));
  }
  [[nodiscard]] std::vector<std::shared_ptr<google::protobuf::Message>>& requests() {
    return requests_;
  }

 private:
  std::vector<std::shared_ptr<google::protobuf::Message>> requests_;
};

class Reactions {
 public:
  // One reaction for each event type. Event types of the same source without a reaction are passed over; types that
  // this binary does not know go to the dead letters.
  template <class Event>
  void On(std::function<void(const Event&, const EventMeta&, Commands&)> react) {
    handlers_[Event::descriptor()->full_name()] = {
        &Event::default_instance(),
        [react = std::move(react)](const google::protobuf::Message& event, const EventMeta& meta,
                                   Commands& out) {
          react(static_cast<const Event&>(event), meta, out);
        }};
    sources_.insert(SourceOf(Event::descriptor()->full_name()));
  }

  // All events of a service are read, also without a reaction here: for a CallSource.
  void ListenTo(std::string source) { sources_.insert(std::move(source)); }

  struct Handler {
    const google::protobuf::Message* prototype = nullptr;
    std::function<void(const google::protobuf::Message&, const EventMeta&, Commands&)> react;
  };
  [[nodiscard]] const Handler* Find(const std::string& event_type) const {
    const auto found = handlers_.find(event_type);
    return found == handlers_.end() ? nullptr : &found->second;
  }
  // The services whose events are listened to.
  [[nodiscard]] const std::set<std::string>& sources() const { return sources_; }

  // "sankofa.registration.v1.CaseSubmitted" → "registration".
  [[nodiscard]] static std::string SourceOf(const std::string& event_type);

 private:
  std::map<std::string, Handler> handlers_;
  std::set<std::string> sources_;
};

}  // namespace sankofa::engine
