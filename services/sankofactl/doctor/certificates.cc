#include "services/sankofactl/doctor/certificates.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <poll.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <memory>
#include <set>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/time/clock.h"
#include "services/sankofactl/output/table.h"
#include "services/sankofactl/pem.h"

namespace sankofa::ctl {
namespace {

using Store = std::unique_ptr<X509_STORE, Freed<X509_STORE_free>>;
using StoreContext = std::unique_ptr<X509_STORE_CTX, Freed<X509_STORE_CTX_free>>;
using Context = std::unique_ptr<SSL_CTX, Freed<SSL_CTX_free>>;
using Names = std::unique_ptr<GENERAL_NAMES, Freed<GENERAL_NAMES_free>>;

constexpr std::size_t kNameBytes = 256;

absl::Time ToTime(const ASN1_TIME* asn1) {
  std::tm tm{};
  if (ASN1_TIME_to_tm(asn1, &tm) != 1) return absl::InfinitePast();
  return absl::FromTM(tm, absl::UTCTimeZone());
}

std::string TextOf(const ASN1_STRING* string) {
  return {reinterpret_cast<const char*>(ASN1_STRING_get0_data(string)),
          static_cast<std::size_t>(ASN1_STRING_length(string))};
}

std::string AddressText(const ASN1_STRING* bytes) {
  const std::string raw = TextOf(bytes);
  if (raw.size() != 4) return {};
  std::vector<int> parts;
  for (const char c : raw) parts.push_back(static_cast<unsigned char>(c));
  return absl::StrJoin(parts, ".");
}

std::vector<std::string> NamesOf(X509& certificate) {
  std::vector<std::string> names;
  const Names alternatives(static_cast<GENERAL_NAMES*>(
      X509_get_ext_d2i(&certificate, NID_subject_alt_name, nullptr, nullptr)));
  for (int i = 0; alternatives != nullptr && i < sk_GENERAL_NAME_num(alternatives.get()); ++i) {
    const GENERAL_NAME* name = sk_GENERAL_NAME_value(alternatives.get(), i);
    if (name->type == GEN_DNS || name->type == GEN_URI) names.push_back(TextOf(name->d.ia5));
    if (name->type == GEN_IPADD) names.push_back(AddressText(name->d.iPAddress));
  }
  std::array<char, kNameBytes> common{};
  if (X509_NAME_get_text_by_NID(X509_get_subject_name(&certificate), NID_commonName, common.data(),
                                common.size()) > 0) {
    names.emplace_back(common.data());
  }
  return names;
}

std::string FingerprintOf(X509& certificate) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> hash{};
  unsigned int size = 0;
  if (X509_digest(&certificate, EVP_sha256(), hash.data(), &size) != 1) return {};
  return absl::BytesToHexString({reinterpret_cast<const char*>(hash.data()), size});
}

// Whether the authority in `ca` signed it. Its dates are judged elsewhere.
bool Trusted(X509& certificate, const std::string& ca) {
  if (ca.empty()) return X509_check_ca(&certificate) > 0;
  const Store store(X509_STORE_new());
  if (X509_STORE_load_file(store.get(), ca.c_str()) != 1) return false;
  X509_STORE_set_flags(store.get(), X509_V_FLAG_NO_CHECK_TIME);
  const StoreContext context(X509_STORE_CTX_new());
  X509_STORE_CTX_init(context.get(), store.get(), &certificate, nullptr);
  return X509_verify_cert(context.get()) == 1;
}

void Describe(X509& certificate, const std::string& ca, SeenCertificate& seen) {
  seen.from = ToTime(X509_get0_notBefore(&certificate));
  seen.until = ToTime(X509_get0_notAfter(&certificate));
  seen.fingerprint = FingerprintOf(certificate);
  seen.names = NamesOf(certificate);
  seen.trusted = Trusted(certificate, ca);
}

// Waits until the connection can go on; false at the deadline.
bool Await(BIO* bio, absl::Time deadline) {
  int handle = -1;
  if (BIO_get_fd(bio, &handle) < 0 || handle < 0) return absl::Now() < deadline;
  pollfd wait{.fd = handle,
              .events = static_cast<short>(BIO_should_read(bio) ? POLLIN : POLLOUT),
              .revents = 0};
  const auto left = absl::ToInt64Milliseconds(deadline - absl::Now());
  return left > 0 && ::poll(&wait, 1, static_cast<int>(left)) > 0;
}

Certificate ShownBy(const std::string& address, const CertificateFiles& files,
                    absl::Time deadline) {
  const Context context(SSL_CTX_new(TLS_client_method()));
  if (context == nullptr) return nullptr;
  // What is shown is judged afterwards, whatever it is.
  SSL_CTX_set_verify(context.get(), SSL_VERIFY_NONE, nullptr);
  if (!files.key.empty()) {
    (void)SSL_CTX_use_certificate_chain_file(context.get(), files.certificate.c_str());
    (void)SSL_CTX_use_PrivateKey_file(context.get(), files.key.c_str(), SSL_FILETYPE_PEM);
  }
  const Bio bio(BIO_new_ssl_connect(context.get()));
  if (bio == nullptr) return nullptr;
  SSL* ssl = nullptr;
  BIO_get_ssl(bio.get(), &ssl);
  if (ssl == nullptr) return nullptr;
  BIO_set_conn_hostname(bio.get(), address.c_str());
  BIO_set_nbio(bio.get(), 1);
  // gRPC servers end a connection that does not say that it will speak HTTP/2.
  constexpr std::array<unsigned char, 3> kProtocols = {2, 'h', '2'};
  SSL_set_alpn_protos(ssl, kProtocols.data(), kProtocols.size());
  while (BIO_do_handshake(bio.get()) <= 0) {
    if (!BIO_should_retry(bio.get()) || !Await(bio.get(), deadline)) break;
  }
  // Also of a handshake that failed later: the server showed it first.
  return Certificate(SSL_get1_peer_certificate(ssl));
}

std::string HostOf(const std::string& address) {
  return std::string(absl::StripAsciiWhitespace(address.substr(0, address.rfind(':'))));
}

}  // namespace

Finding JudgeCertificate(const SeenCertificate& seen, absl::Time now, absl::Duration ending) {
  Finding finding{.check = "certificate", .about = seen.about, .trouble = Trouble::kOk, .seen = {}};
  const auto because = [&finding](Trouble trouble, std::string text) {
    finding.trouble = trouble;
    finding.seen = std::move(text);
    return finding;
  };
  if (seen.unreachable) return because(Trouble::kTlsUnreachable, seen.unreadable);
  if (!seen.unreadable.empty()) return because(Trouble::kCertificateMissing, seen.unreadable);
  if (!seen.trusted) {
    return because(Trouble::kCertificateUntrusted, "not signed by the node's authority");
  }
  if (!seen.key_fits) return because(Trouble::kCertificateKey, "the key file has another key");
  if (now > seen.until) return because(Trouble::kCertificateEnded, "ended " + Moment(seen.until));
  if (now < seen.from) {
    return because(Trouble::kCertificateNotYet, "holds from " + Moment(seen.from));
  }
  if (!seen.needed_name.empty() &&
      std::find(seen.names.begin(), seen.names.end(), seen.needed_name) == seen.names.end()) {
    return because(Trouble::kCertificateName, absl::StrCat("lacks ", seen.needed_name, ", has ",
                                                           absl::StrJoin(seen.names, " ")));
  }
  if (!seen.expected_fingerprint.empty() && seen.expected_fingerprint != seen.fingerprint) {
    return because(Trouble::kCertificateOld, "shows another than its file");
  }
  const auto days = absl::ToInt64Hours(seen.until - now) / 24;
  if (seen.until - now < ending) {
    return because(Trouble::kCertificateEnding,
                   absl::StrCat("ends ", Moment(seen.until), ", in ", days, " days"));
  }
  return because(Trouble::kOk, absl::StrCat("until ", Moment(seen.until), ", ", days, " days"));
}

SeenCertificate LookAtFiles(const CertificateFiles& files) {
  SeenCertificate seen;
  seen.about = files.about;
  seen.needed_name = files.needed_name;
  const Certificate certificate = ReadCertificate(files.certificate);
  if (certificate == nullptr) {
    seen.unreadable = absl::StrCat(files.certificate, " is no certificate that can be read");
    return seen;
  }
  Describe(*certificate, files.ca, seen);
  if (!files.key.empty()) {
    const Key key = ReadKey(files.key);
    if (key == nullptr) {
      seen.unreadable = absl::StrCat(files.key, " is no key that can be read");
      return seen;
    }
    seen.key_fits = X509_check_private_key(certificate.get(), key.get()) == 1;
  }
  ERR_clear_error();
  return seen;
}

SeenCertificate LookAtServer(const std::string& address, const CertificateFiles& files,
                             absl::Duration timeout) {
  SeenCertificate seen;
  seen.about = address;
  const Certificate shown = ShownBy(address, files, absl::Now() + timeout);
  ERR_clear_error();
  if (shown == nullptr) {
    seen.unreachable = true;
    seen.unreadable = absl::StrCat("no certificate was shown at ", address);
    return seen;
  }
  Describe(*shown, files.ca, seen);
  seen.needed_name = HostOf(address);
  return seen;
}

std::vector<SeenCertificate> LookAtCertificates(const config::Config& config,
                                                const CertificateFiles& client,
                                                absl::Duration timeout) {
  const std::string& ca = config.listen.client_ca;
  std::vector<SeenCertificate> all;
  all.push_back(LookAtFiles(
      {.about = "authority", .certificate = ca, .key = {}, .ca = {}, .needed_name = {}}));
  all.push_back(LookAtFiles({.about = "node",
                             .certificate = config.listen.certificate,
                             .key = config.listen.key,
                             .ca = ca,
                             .needed_name = {}}));
  const std::string served = all.back().fingerprint;
  for (const auto& [service, _] : config.services) {
    const std::string base = absl::StrCat(config.kafka.certificate_folder, "/", service);
    all.push_back(LookAtFiles(
        {.about = service,
         .certificate = base + ".pem",
         .key = base + ".key",
         .ca = ca,
         .needed_name = absl::StrCat("spiffe://", config.node.id, ".sankofa/", service)}));
  }
  all.push_back(LookAtFiles(client));
  std::error_code none;
  if (!config.exchange.partner_folder.empty()) {
    std::set<std::string> folders;
    for (const auto& entry :
         std::filesystem::directory_iterator(config.exchange.partner_folder, none)) {
      if (entry.is_directory()) folders.insert(entry.path());
    }
    for (const std::string& folder : folders) {
      all.push_back(
          LookAtFiles({.about = absl::StrCat("from partner ",
                                             std::filesystem::path(folder).filename().string()),
                       .certificate = folder + "/client.pem",
                       .key = folder + "/client.key",
                       .ca = folder + "/ca.pem",
                       .needed_name = absl::StrCat("partner-", config.node.id)}));
    }
  }
  // What answers where services are called: each address once, under the name by which they call it.
  std::set<std::string> addresses;
  for (const auto& [_, address] : config.services) addresses.insert(address);
  for (const std::string& address : addresses) {
    all.push_back(LookAtServer(address, client, timeout));
    // Where all are one process, its file is known.
    if (addresses.size() == 1) all.back().expected_fingerprint = served;
  }
  for (const auto broker : absl::StrSplit(config.kafka.brokers, ',', absl::SkipEmpty())) {
    CertificateFiles for_kafka = client;
    for_kafka.ca = config.kafka.ca;
    all.push_back(LookAtServer(std::string(broker), for_kafka, timeout));
  }
  return all;
}

}  // namespace sankofa::ctl
