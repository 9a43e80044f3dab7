#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "services/platform/config/config.h"
#include "services/sankofactl/doctor/finding.h"

// Certificates, as files and as they are shown to who connects.
namespace sankofa::ctl {

// One certificate as it was seen.
struct SeenCertificate {
  std::string about;         // "node", "registration", "127.0.0.1:7443"
  std::string unreadable;    // why it can't be had; empty where it was read
  bool unreachable = false;  // nothing answered with TLS
  absl::Time from;
  absl::Time until;
  std::string fingerprint;  // SHA-256, hex
  std::vector<std::string>
      names;            // DNS names, addresses, URIs of the subject's alternatives; its common name
  bool trusted = true;  // the node's authority signed it, for what it is used for
  bool key_fits = true;  // the key file is its own
  // A name under which it is called or known has to be among `names`; empty: any.
  std::string needed_name;
  // Of what is shown: the fingerprint of the file that it should have come from; empty: no file is known.
  std::string expected_fingerprint;
};

[[nodiscard]] Finding JudgeCertificate(const SeenCertificate& seen, absl::Time now,
                                       absl::Duration ending);

// A certificate of files. Dates and trust are looked at apart, so that a certificate that has ended is not called one
// that nobody signed.
struct CertificateFiles {
  std::string about;
  std::string certificate;
  std::string key;  // empty: it has none here
  std::string ca;   // empty: it is an authority itself
  std::string needed_name;
};
[[nodiscard]] SeenCertificate LookAtFiles(const CertificateFiles& files);

// What a server shows at "host:port". The client shows `files`' certificate where it is asked.
[[nodiscard]] SeenCertificate LookAtServer(const std::string& address,
                                           const CertificateFiles& files, absl::Duration timeout);

// All of a node: its own files, those of its services, of the command line client, of partners; and what answers at
// its addresses.
[[nodiscard]] std::vector<SeenCertificate> LookAtCertificates(const config::Config& config,
                                                              const CertificateFiles& client,
                                                              absl::Duration timeout);

}  // namespace sankofa::ctl
