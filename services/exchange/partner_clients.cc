#include "services/exchange/partner_clients.h"

#include <sys/stat.h>
#include <unistd.h>

#include <utility>

#include "absl/strings/str_cat.h"

namespace sankofa::exchange {

std::string PartnerFiles::Stamp() const {
  std::string stamp;
  for (const std::string& file : {ca, certificate, key}) {
    struct stat found {};
    if (::stat(file.c_str(), &found) != 0) {
      absl::StrAppend(&stamp, "-;");
    } else {
      absl::StrAppend(&stamp, found.st_mtim.tv_sec, ".", found.st_mtim.tv_nsec, ".", found.st_size,
                      ";");
    }
  }
  return stamp;
}

absl::Status PartnerFiles::Check(const std::string& partner) const {
  for (const std::string& file : {ca, certificate, key}) {
    if (::access(file.c_str(), R_OK) == 0) continue;
    return absl::FailedPreconditionError(
        absl::StrCat(file, " can't be read: put there what ", partner,
                     " gave this node (ca.pem, client.pem, client.key); it is taken without a "
                     "restart"));
  }
  return absl::OkStatus();
}

PartnerFiles PartnerFilesOf(const std::string& folder, const std::string& partner) {
  const std::string base = absl::StrCat(folder, "/", partner, "/");
  return {.ca = base + "ca.pem", .certificate = base + "client.pem", .key = base + "client.key"};
}

absl::StatusOr<std::shared_ptr<const rpc::Client>> PartnerClients::Of(const v1::Partner& partner) {
  const PartnerFiles files = PartnerFilesOf(folder_, partner.id());
  if (folder_.empty()) {
    return absl::FailedPreconditionError("exchange.partner_folder is not set on this node");
  }
  if (partner.exchange_address().empty()) {
    return absl::FailedPreconditionError(absl::StrCat(partner.id(), " has no exchange_address"));
  }
  if (auto there = files.Check(partner.id()); !there.ok()) return there;
  const std::string stamp = absl::StrCat(partner.exchange_address(), " ", files.Stamp());
  const std::lock_guard lock(mutex_);
  Known& known = clients_[partner.id()];
  if (known.client != nullptr && known.stamp == stamp) return known.client;
  auto client = rpc::Client::Create(
      {.address = partner.exchange_address(),
       .tls = {.ca = files.ca, .certificate = files.certificate, .key = files.key},
       .server_name = {}});
  if (!client.ok()) return client.status();
  known = {stamp, *std::move(client)};
  return known.client;
}

absl::Status PartnerClients::Call(const v1::Partner& partner, const std::string& method,
                                  const google::protobuf::Message& request,
                                  google::protobuf::Message& response,
                                  const rpc::CallOptions& options) {
  const auto client = Of(partner);
  if (!client.ok()) return client.status();
  return (*client)->Call(absl::StrCat("sankofa.exchange.v1.ExchangeService/", method), request,
                         response, options);
}

}  // namespace sankofa::exchange
