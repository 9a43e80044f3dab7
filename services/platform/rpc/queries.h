#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "google/protobuf/message.h"
#include "services/platform/engine/decider.h"
#include "services/platform/postgres/result.h"
#include "services/platform/status/check.h"

// What a service binds to its read methods. Commands need no binding here: a method whose request type is a bound
// command (engine/registry.h) goes to the engine. A method that is neither keeps the process from starting.
namespace sankofa::rpc {

// One read. Runs on a thread that may wait. Not thread-safe.
class QueryCall {
 public:
  virtual ~QueryCall() = default;
  [[nodiscard]] virtual const engine::Actor& actor() const = 0;
  [[nodiscard]] virtual absl::Time now() const = 0;  // scenario time where the node accepts it
  [[nodiscard]] virtual absl::Time deadline() const = 0;

  // The aggregate without its personal fields, `etag` filled. NOT_FOUND where there is none.
  template <class State>
  [[nodiscard]] absl::StatusOr<State> Load(const std::string& id) {
    return Cast<State>(LoadState(engine::KeyOf<State>(id), /*purpose=*/nullptr));
  }

  // With its personal fields. That they were read, by whom and for what purpose, is committed to the trail before the
  // answer leaves.
  template <class State>
  [[nodiscard]] absl::StatusOr<State> LoadPersonal(const std::string& id,
                                                   const std::string& purpose) {
    return Cast<State>(LoadState(engine::KeyOf<State>(id), &purpose));
  }

  // Notes a read of a case (or of another partition key) in the trail. Load and LoadPersonal do it by themselves; a
  // query by SQL that shows rows of single cases calls it for each.
  virtual void RecordRead(const std::string& partition_key) = 0;

  // A statement on the service's own schema, outside a transaction.
  [[nodiscard]] virtual absl::StatusOr<postgres::Result> Sql(
      const std::string& sql, const std::vector<postgres::Param>& params) = 0;

  // See crypto::Vault::Blind.
  [[nodiscard]] virtual std::string Blind(std::string_view label, std::string_view text) const = 0;

  // Calls another service (or a method of this one) on the service's own account, within this call's deadline.
  // `method`: "sankofa.registration.v1.RegistrationService/CheckEligibility".
  [[nodiscard]] virtual absl::Status Call(const std::string& method,
                                          const google::protobuf::Message& request,
                                          google::protobuf::Message& response) = 0;

 protected:
  [[nodiscard]] virtual absl::StatusOr<std::shared_ptr<google::protobuf::Message>> LoadState(
      const engine::StreamKey& key, const std::string* purpose) = 0;

 private:
  template <class State>
  static absl::StatusOr<State> Cast(
      absl::StatusOr<std::shared_ptr<google::protobuf::Message>> loaded) {
    if (!loaded.ok()) return loaded.status();
    return static_cast<State&>(**loaded);
  }
};

// The writing end of a server stream. Thread-safe; outlives the call.
class StreamSink {
 public:
  virtual ~StreamSink() = default;
  // Queues a message. False where the client is gone or the stream's buffer is full: the source then stops, and the
  // client resumes with the last token it got.
  virtual bool Write(const google::protobuf::Message& message) = 0;
  virtual void Finish(const absl::Status& status) = 0;
  [[nodiscard]] virtual bool cancelled() const = 0;
  // How many messages Write takes now; 0 where the client is gone. For a source that has more than the buffer holds.
  [[nodiscard]] virtual std::size_t room() const { return cancelled() ? 0 : 1; }
  // `told` is called when there is room again, and when the client is gone; on a thread of gRPC, which must not wait.
  // Given once. What it holds is let go of with the call.
  virtual void OnRoom(std::function<void()> /*told*/) {}
};

class Queries {
 public:
  // Binds the method whose request is `Request`. The answer leaves without personal and sensitive fields unless the
  // handler used LoadPersonal.
  template <class Request, class Response>
  void On(std::function<absl::StatusOr<Response>(QueryCall&, const Request&)> handle) {
    const auto [_, fresh] = handlers_.emplace(
        Request::descriptor()->full_name(),
        Handler{
            &Request::default_instance(),
            [handle = std::move(handle)](QueryCall& call, const google::protobuf::Message& request)
                -> absl::StatusOr<std::shared_ptr<google::protobuf::Message>> {
              auto response = handle(call, static_cast<const Request&>(request));
              if (!response.ok()) return response.status();
              return std::make_shared<Response>(*std::move(response));
            },
            nullptr});
    status::Check(fresh, Request::descriptor()->full_name() + " is bound twice");
  }

  // Binds a server-streaming method. `open` starts the source and returns; an error ends the call.
  template <class Request>
  void OnStream(
      std::function<absl::Status(QueryCall&, const Request&, std::shared_ptr<StreamSink>)> open) {
    const auto [_, fresh] = handlers_.emplace(
        Request::descriptor()->full_name(),
        Handler{&Request::default_instance(), nullptr,
                [open = std::move(open)](QueryCall& call, const google::protobuf::Message& request,
                                         std::shared_ptr<StreamSink> sink) {
                  return open(call, static_cast<const Request&>(request), std::move(sink));
                }});
    status::Check(fresh, Request::descriptor()->full_name() + " is bound twice");
  }

  struct Handler {
    const google::protobuf::Message* prototype = nullptr;
    std::function<absl::StatusOr<std::shared_ptr<google::protobuf::Message>>(
        QueryCall&, const google::protobuf::Message&)>
        unary;
    std::function<absl::Status(QueryCall&, const google::protobuf::Message&,
                               std::shared_ptr<StreamSink>)>
        stream;
  };
  [[nodiscard]] const std::map<std::string, Handler>& handlers() const { return handlers_; }

 private:
  std::map<std::string, Handler> handlers_;
};

}  // namespace sankofa::rpc
