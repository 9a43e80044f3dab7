#pragma once

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include "absl/strings/str_cat.h"
#include "services/platform/rpc/server.h"
#include "services/platform/status/check.h"

namespace sankofa::rpc {

// True where the command ends well.
inline bool RunShell(const std::string& command) {
  return std::system(command.c_str()) == 0;  // NOLINT(bugprone-command-processor): openssl's
}

// Certificates for one test binary, made by openssl in a folder that goes away with it:
//
//   node                    the server's
//   portal, monitoring      systems of node cm
//   partner-fr              a partner's node
//   foreign-node            a system of node tg, signed by the same authority
//   nameless                no SPIFFE id
//   unknown-ca, expired     `portal`, from an authority that nobody trusts, and ended a day ago
class Pki {
 public:
  static const Pki& Get() {
    static const Pki pki;
    return pki;
  }

  [[nodiscard]] TlsFiles Files(const std::string& name) const {
    return {Path("ca.pem"), Path(name + ".pem"), Path(name + ".key")};
  }
  [[nodiscard]] std::string Path(const std::string& file) const { return folder_ + "/" + file; }

 private:
  Pki() {
    char name[] = "/tmp/sankofa-pki-XXXXXX";
    folder_ = ::mkdtemp(name);
    std::ofstream(Path("make.sh")) << kScript;
    const std::string command = absl::StrCat("cd ", folder_, " && bash make.sh >log 2>&1");
    status::Check(RunShell(command), "openssl can't make the certificates of the test");
  }
  ~Pki() { std::filesystem::remove_all(folder_); }

  static constexpr char kScript[] = R"sh(
set -euo pipefail
authority() {
  openssl req -x509 -newkey EC -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj "/CN=$1" \
    -addext basicConstraints=critical,CA:TRUE -addext keyUsage=critical,keyCertSign -keyout "$1.key" -out "$1.pem"
}
issue() {  # file, authority, alternative names, start, end
  : >index
  cat >ca.conf <<EOF
[ca]
default_ca = node
[node]
database = index
new_certs_dir = .
rand_serial = yes
default_md = sha256
policy = policy
unique_subject = no
x509_extensions = system
certificate = $2.pem
private_key = $2.key
[policy]
commonName = supplied
[system]
basicConstraints = critical, CA:FALSE
keyUsage = critical, digitalSignature
extendedKeyUsage = serverAuth, clientAuth
subjectAltName = $3
EOF
  openssl req -new -newkey EC -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "/CN=$1" -keyout "$1.key" -out request
  openssl ca -batch -notext -config ca.conf -in request -out "$1.pem" -startdate "$4" -enddate "$5"
}
stamp() { date -u -d "$1" +%Y%m%d%H%M%SZ; }
before=$(stamp '-1 hour') after=$(stamp '+1 day')
local=DNS:localhost,IP:127.0.0.1
authority ca
authority other
issue node ca "$local,URI:spiffe://cm.sankofa/node" "$before" "$after"
issue portal ca "$local,URI:spiffe://cm.sankofa/portal" "$before" "$after"
issue monitoring ca "$local,URI:spiffe://cm.sankofa/monitoring" "$before" "$after"
issue partner-fr ca "$local,URI:spiffe://cm.sankofa/partner-fr" "$before" "$after"
issue foreign-node ca "$local,URI:spiffe://tg.sankofa/portal" "$before" "$after"
issue nameless ca "$local" "$before" "$after"
issue unknown-ca other "$local,URI:spiffe://cm.sankofa/portal" "$before" "$after"
issue expired ca "$local,URI:spiffe://cm.sankofa/portal" "$(stamp '-3 days')" "$(stamp '-1 day')"
)sh";

  std::string folder_;
};

}  // namespace sankofa::rpc
