#pragma once

#include <functional>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "google/protobuf/message.h"
#include "services/platform/engine/engine.h"
#include "services/platform/rpc/queries.h"

// Where a call goes once it is known who asks and that the request is well formed. The server makes no decision beyond
// that, and a dispatcher makes none before.
namespace sankofa::rpc {

// A read that passed the gate.
struct QueryRequest {
  std::string method;  // "sankofa.registration.v1.RegistrationService/GetCase"
  std::shared_ptr<const google::protobuf::Message> request;
  engine::Actor actor;
  absl::Time now;  // scenario time where the node accepts it
  absl::Time deadline;
  std::string traceparent;
};

struct QueryAnswer {
  std::shared_ptr<const google::protobuf::Message> response;
  // The handler read personal fields by QueryCall::LoadPersonal and the trail says so. Otherwise the server removes
  // personal and sensitive fields from the answer.
  bool personal = false;
};

// All three are called on gRPC's threads and never wait. `done` is called once, on any thread; if it is dropped without
// a call, the caller gets UNAVAILABLE. A dispatcher outlives the server.
class Dispatcher {
 public:
  virtual ~Dispatcher() = default;
  virtual void Submit(engine::CommandCall call, std::function<void(engine::Outcome)> done) = 0;
  virtual void Query(QueryRequest query, std::function<void(absl::StatusOr<QueryAnswer>)> done) = 0;
  // A refusal is told by sink->Finish(status). A sink that is dropped ends its stream with UNAVAILABLE.
  virtual void OpenStream(QueryRequest query, std::shared_ptr<StreamSink> sink) = 0;
};

}  // namespace sankofa::rpc
