#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "sankofa/exchange/v1/partner.pb.h"
#include "services/platform/rpc/client.h"

// How partners' nodes are reached: with what each of them gave this node.
namespace sankofa::exchange {

// The files of one partner in `exchange.partner_folder`.
struct PartnerFiles {
  std::string ca;           // the authority of its cluster and exchange
  std::string certificate;  // that it made for this node
  std::string key;

  // Changes when one of them does, so that a renewed certificate is taken without a restart.
  [[nodiscard]] std::string Stamp() const;
  // FAILED_PRECONDITION naming the file that is not there, and what the operator can do.
  [[nodiscard]] absl::Status Check(const std::string& partner) const;
};

[[nodiscard]] PartnerFiles PartnerFilesOf(const std::string& folder, const std::string& partner);

// Clients of partners' exchanges. Thread-safe.
class PartnerClients {
 public:
  explicit PartnerClients(std::string folder) : folder_(std::move(folder)) {}

  // FAILED_PRECONDITION where a file is missing or the partner has no address.
  [[nodiscard]] absl::StatusOr<std::shared_ptr<const rpc::Client>> Of(const v1::Partner& partner);
  // Calls a method of its exchange: "Replay".
  [[nodiscard]] absl::Status Call(const v1::Partner& partner, const std::string& method,
                                  const google::protobuf::Message& request,
                                  google::protobuf::Message& response,
                                  const rpc::CallOptions& options);

 private:
  struct Known {
    std::string stamp;
    std::shared_ptr<const rpc::Client> client;
  };
  const std::string folder_;
  std::mutex mutex_;
  std::map<std::string, Known> clients_;
};

}  // namespace sankofa::exchange
