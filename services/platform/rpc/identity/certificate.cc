#include "services/platform/rpc/identity/certificate.h"

#include <openssl/asn1.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include <algorithm>
#include <ctime>
#include <memory>

#include "absl/strings/str_cat.h"
#include "services/platform/rpc/files.h"

namespace sankofa::rpc {

absl::StatusOr<absl::Time> CertificateEnd(const std::string& file) {
  const auto text = ReadFile(file);
  if (!text.ok()) return text.status();
  const std::unique_ptr<BIO, decltype(&BIO_free)> memory(
      BIO_new_mem_buf(text->data(), static_cast<int>(text->size())), &BIO_free);
  absl::Time first = absl::InfiniteFuture();
  while (true) {
    const std::unique_ptr<X509, decltype(&X509_free)> certificate(
        PEM_read_bio_X509(memory.get(), nullptr, nullptr, nullptr), &X509_free);
    if (certificate == nullptr) break;
    std::tm end{};
    if (ASN1_TIME_to_tm(X509_get0_notAfter(certificate.get()), &end) != 1) break;
    first = std::min(first, absl::FromTM(end, absl::UTCTimeZone()));
  }
  // The end of the file is an error of its own kind; any other means that a certificate is damaged.
  const bool whole = ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
  ERR_clear_error();
  if (!whole || first == absl::InfiniteFuture()) {
    return absl::InvalidArgumentError(absl::StrCat(file, " holds no certificate that can be read"));
  }
  return first;
}

}  // namespace sankofa::rpc
