#pragma once

#include <string>

#include "absl/status/status.h"

namespace sankofa::ctl {

struct CertificatePair {
  std::string certificate;  // PEM files
  std::string key;
};

// Makes a new key and a certificate like the one in `files` (the same subject and the same extensions), signed by
// `authority`, for `days` from now and no longer than the authority's own; puts both in place, one right behind the other,
// each as a whole, with the owner that the file had. INVALID_ARGUMENT where the authority did not sign the old one either
// or its key is not its own. Where it fails, the old files are there.
[[nodiscard]] absl::Status RenewCertificate(const CertificatePair& files,
                                            const CertificatePair& authority, int days);

}  // namespace sankofa::ctl
