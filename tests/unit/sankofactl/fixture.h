#pragma once

#include <filesystem>
#include <fstream>
#include <functional>
#include <memory>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "services/sankofactl/app.h"

// The program run as a whole, against a node that answers what the test says.
namespace sankofa::ctl::testing {

struct SeenCall {
  std::string service;
  std::string method;
  std::string request;  // in wire form
  rpc::CallOptions options;
};

struct FakeNode {
  using Answer = std::function<absl::Status(const SeenCall&, google::protobuf::Message& response)>;

  // What to answer; OK and an empty message where the test says nothing.
  Answer answer = [](const SeenCall&, google::protobuf::Message&) { return absl::OkStatus(); };
  // Of a stream, `answer` is asked so many times, and then `end` is its end.
  int stream_length = 3;
  absl::Status end;

  std::vector<SeenCall> calls;
  Target target;

  // The request of the only call.
  template <class Request>
  [[nodiscard]] Request Only() const {
    Request request;
    if (calls.size() != 1 || !request.ParseFromString(calls.front().request)) std::abort();
    return request;
  }
};

class FakeCaller final : public Caller {
 public:
  explicit FakeCaller(FakeNode& node) : node_(node) {}

  absl::Status Call(const std::string& service, const std::string& method,
                    const google::protobuf::Message& request, google::protobuf::Message& response,
                    const rpc::CallOptions& options) override {
    node_.calls.push_back({service, method, request.SerializeAsString(), options});
    return node_.answer(node_.calls.back(), response);
  }

  absl::Status ReadStream(
      const std::string& service, const std::string& method,
      const google::protobuf::Message& request, google::protobuf::Message& response,
      const rpc::CallOptions& options,
      const std::function<bool(const google::protobuf::Message&)>& take) override {
    node_.calls.push_back({service, method, request.SerializeAsString(), options});
    for (int i = 0; i < node_.stream_length; ++i) {
      response.Clear();
      if (auto answered = node_.answer(node_.calls.back(), response); !answered.ok()) {
        return answered;
      }
      if (!take(response)) return absl::OkStatus();
    }
    return node_.end;
  }

 private:
  FakeNode& node_;
};

struct Ran {
  int exit_code = -1;
  std::string out;
  std::string err;
};

struct World {
  std::string in;
  config::Environment environment;
};

inline Ran RunWith(FakeNode& node, const World& world, std::vector<std::string> arguments) {
  std::istringstream in(world.in);
  std::ostringstream out;
  std::ostringstream err;
  const Connect connect = [&node](const Target& target) -> absl::StatusOr<std::unique_ptr<Caller>> {
    node.target = target;
    return std::make_unique<FakeCaller>(node);
  };
  Ran ran;
  ran.exit_code =
      Run(std::move(arguments),
          Io{.in = in, .out = out, .err = err, .environment = world.environment}, connect);
  ran.out = out.str();
  ran.err = err.str();
  return ran;
}

// A folder of its own, removed at the end.
class Folder {
 public:
  Folder() {
    std::string pattern = std::filesystem::temp_directory_path() / "sankofactl-XXXXXX";
    path_ = mkdtemp(pattern.data());
  }
  ~Folder() { std::filesystem::remove_all(path_); }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;

  [[nodiscard]] std::string Path(const std::string& name) const { return path_ / name; }
  // Writes a file and gives its path.
  std::string Write(const std::string& name, const std::string& text) const {
    std::ofstream(Path(name), std::ios::binary) << text;
    return Path(name);
  }

 private:
  std::filesystem::path path_;
};

// Arguments that name a node by its address, then `arguments`.
inline std::vector<std::string> At(const Folder& folder, std::vector<std::string> arguments) {
  std::vector<std::string> all = {
      "--address",     "node.example:7443",          "--ca",  folder.Write("ca.pem", "ca"),
      "--certificate", folder.Write("me.pem", "me"), "--key", folder.Write("me.key", "key")};
  all.insert(all.end(), arguments.begin(), arguments.end());
  return all;
}

}  // namespace sankofa::ctl::testing
