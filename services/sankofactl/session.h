#pragma once

#include <functional>
#include <istream>
#include <map>
#include <memory>
#include <optional>
#include <ostream>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "google/protobuf/message.h"
#include "services/platform/config/config.h"
#include "services/platform/kafka/client.h"
#include "services/sankofactl/caller.h"

namespace sankofa::ctl {

// The world outside, so that tests can be it.
struct Io {
  std::istream& in;
  std::ostream& out;
  std::ostream& err;
  config::Environment environment;
};

// The options that every command has, as they were typed.
struct GlobalOptions {
  std::string node_folder;
  std::string address;
  std::string ca;
  std::string certificate;
  std::string key;
  std::string server_name;
  std::string token_file;
  std::string timeout;
  std::string scenario_time;
  std::string language;
  bool json = false;
};

// One run of the program: what was asked for, of which node, and how the answer is shown. Used by one thread.
class Session {
 public:
  Session(Io& io, Connect connect) : io_(io), connect_(std::move(connect)) {}

  [[nodiscard]] GlobalOptions& options() { return options_; }
  // Reads what the options name. A usage error says what is wrong with them.
  [[nodiscard]] absl::Status Prepare();

  [[nodiscard]] std::istream& in() { return io_.in; }
  [[nodiscard]] std::ostream& out() { return io_.out; }
  [[nodiscard]] std::ostream& err() { return io_.err; }
  [[nodiscard]] bool json() const { return options_.json; }
  [[nodiscard]] const std::string& language() const { return language_; }
  [[nodiscard]] std::optional<absl::Duration> timeout() const { return timeout_; }

  // Calls `path` ("sankofa.registration.v1.RegistrationService/GetCase") of `service`, with token, deadline and a trace
  // of its own.
  [[nodiscard]] absl::Status Call(const std::string& service, const std::string& path,
                                  const google::protobuf::Message& request,
                                  google::protobuf::Message& response,
                                  absl::Duration patience = kPatience);
  [[nodiscard]] absl::Status ReadStream(
      const std::string& service, const std::string& path, const google::protobuf::Message& request,
      google::protobuf::Message& response,
      const std::function<bool(const google::protobuf::Message&)>& take,
      absl::Duration patience = kStreamPatience);

  // False for the exchange of a node whose folder says that it has no partners.
  [[nodiscard]] bool Runs(const std::string& service) const;

  // The node's configuration: `file`, or the one in the node's folder.
  [[nodiscard]] absl::StatusOr<config::Config> LoadConfig(const std::string& file = {}) const;
  // How Kafka is reached with the same certificate; `brokers` empty: as the node's configuration says.
  [[nodiscard]] absl::StatusOr<kafka::ClientOptions> KafkaClient(const std::string& brokers) const;

  // Says what went wrong, and with what where one command asks for several things; what the process ends with.
  int Fail(const absl::Status& status, const std::string& about = {});

  // What the command line asked for; set by the command that was named.
  std::function<int()> run;

 private:
  // Most commands are answered in milliseconds; the node allows a minute.
  static constexpr absl::Duration kPatience = absl::Seconds(10);
  static constexpr absl::Duration kStreamPatience = absl::Minutes(59);

  [[nodiscard]] absl::Status PrepareTimes();
  [[nodiscard]] absl::Status PrepareToken();
  [[nodiscard]] absl::StatusOr<Target> FindTarget() const;
  [[nodiscard]] absl::StatusOr<Caller*> Connected();
  [[nodiscard]] rpc::CallOptions CallOptions(absl::Duration patience);

  Io& io_;
  const Connect connect_;
  GlobalOptions options_;
  std::optional<absl::Duration> timeout_;
  std::optional<absl::Time> scenario_time_;
  std::string language_ = "en";
  std::string token_;
  std::string trace_id_;  // of the last call
  std::unique_ptr<Caller> caller_;
};

}  // namespace sankofa::ctl
