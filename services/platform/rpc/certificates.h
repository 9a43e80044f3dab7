#pragma once

#include <grpcpp/security/tls_certificate_provider.h>

#include <memory>

#include "absl/status/statusor.h"
#include "services/platform/rpc/server.h"

namespace sankofa::rpc {

// Authority, certificate and key of these files, read again when the files change, at most a second later: from then on
// new connections have the new ones, and those that are there go on. All who name the same files share one watcher, with
// a thread of its own. NOT_FOUND where a file can't be read.
//
// Certificate and key are two files. Put the new ones in place by renaming, one right behind the other: whoever connects
// between the two is refused, and comes through a second later.
[[nodiscard]] absl::StatusOr<std::shared_ptr<grpc::experimental::CertificateProviderInterface>>
CertificatesOf(const TlsFiles& files);

}  // namespace sankofa::rpc
