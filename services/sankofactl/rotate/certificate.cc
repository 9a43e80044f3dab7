#include "services/sankofactl/rotate/certificate.h"

#include <openssl/bn.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <array>
#include <memory>
#include <string_view>
#include <utility>

#include "absl/strings/str_cat.h"
#include "services/sankofactl/pem.h"
#include "services/sankofactl/rotate/file.h"

namespace sankofa::ctl {
namespace {

using Extension = std::unique_ptr<X509_EXTENSION, Freed<X509_EXTENSION_free>>;
using Number = std::unique_ptr<BIGNUM, Freed<BN_free>>;

constexpr int kSerialBits = 127;
constexpr long kHourSeconds = 3600;
constexpr int kX509v3 = 2;

// With OpenSSL's own words.
absl::Status Failed(const std::string& what) {
  std::array<char, 256> words{};
  ERR_error_string_n(ERR_get_error(), words.data(), words.size());
  ERR_clear_error();
  return absl::InternalError(absl::StrCat(what, ": ", words.data()));
}

bool SetSerial(X509& certificate) {
  const Number serial(BN_new());
  return serial != nullptr &&
         BN_rand(serial.get(), kSerialBits, BN_RAND_TOP_ANY, BN_RAND_BOTTOM_ANY) == 1 &&
         BN_to_ASN1_INTEGER(serial.get(), X509_get_serialNumber(&certificate)) != nullptr;
}

// An hour back, so that a clock that is a little behind takes it too.
bool SetDates(X509& certificate, const X509& authority, int days) {
  if (X509_gmtime_adj(X509_getm_notBefore(&certificate), -kHourSeconds) == nullptr ||
      X509_time_adj_ex(X509_getm_notAfter(&certificate), days, 0, nullptr) == nullptr) {
    return false;
  }
  const ASN1_TIME* last = X509_get0_notAfter(&authority);
  return ASN1_TIME_compare(X509_get0_notAfter(&certificate), last) <= 0 ||
         X509_set1_notAfter(&certificate, last) == 1;
}

// What names keys is made anew; all else is as it was.
bool CopyExtensions(const X509& from, X509& to, X509& authority) {
  for (int i = 0; i < X509_get_ext_count(&from); ++i) {
    X509_EXTENSION* extension = X509_get_ext(&from, i);
    const int kind = OBJ_obj2nid(X509_EXTENSION_get_object(extension));
    if (kind == NID_subject_key_identifier || kind == NID_authority_key_identifier) continue;
    if (X509_add_ext(&to, extension, -1) != 1) return false;
  }
  X509V3_CTX context;
  X509V3_set_ctx(&context, &authority, &to, nullptr, nullptr, 0);
  for (const auto& [kind, value] :
       {std::pair{NID_subject_key_identifier, "hash"}, {NID_authority_key_identifier, "keyid"}}) {
    const Extension extension(X509V3_EXT_conf_nid(nullptr, &context, kind, value));
    if (extension == nullptr || X509_add_ext(&to, extension.get(), -1) != 1) return false;
  }
  return true;
}

std::string_view TextOf(BIO& bio) {
  char* bytes = nullptr;
  const auto size = static_cast<std::size_t>(BIO_get_mem_data(&bio, &bytes));
  return {bytes, size};
}

absl::Status Put(const CertificatePair& files, X509& certificate, EVP_PKEY& key) {
  const Bio key_text(BIO_new(BIO_s_secmem()));
  const Bio certificate_text(BIO_new(BIO_s_mem()));
  if (PEM_write_bio_PKCS8PrivateKey(key_text.get(), &key, nullptr, nullptr, 0, nullptr, nullptr) !=
          1 ||
      PEM_write_bio_X509(certificate_text.get(), &certificate) != 1) {
    return Failed("writing certificate and key");
  }
  if (auto part = WritePart(files.key, TextOf(*key_text), kPrivateMode); !part.ok()) return part;
  if (auto part = WritePart(files.certificate, TextOf(*certificate_text), kPublicMode); !part.ok())
    return part;
  if (auto put = PutPart(files.key); !put.ok()) return put;
  return PutPart(files.certificate);
}

}  // namespace

absl::Status RenewCertificate(const CertificatePair& files, const CertificatePair& authority,
                              int days) {
  const Certificate old = ReadCertificate(files.certificate);
  const Certificate signer = ReadCertificate(authority.certificate);
  const Key signing_key = ReadKey(authority.key);
  ERR_clear_error();
  if (old == nullptr || signer == nullptr || signing_key == nullptr) {
    const std::string& file = old == nullptr      ? files.certificate
                              : signer == nullptr ? authority.certificate
                                                  : authority.key;
    return absl::InvalidArgumentError(absl::StrCat(file, " can't be read"));
  }
  if (X509_check_private_key(signer.get(), signing_key.get()) != 1) {
    return absl::InvalidArgumentError(
        absl::StrCat(authority.key, " is not the key of ", authority.certificate));
  }
  if (X509_verify(old.get(), signing_key.get()) != 1) {
    ERR_clear_error();
    return absl::InvalidArgumentError(
        absl::StrCat(files.certificate, " was not signed by ", authority.certificate));
  }
  const Key key(EVP_EC_gen("P-256"));
  const Certificate fresh(X509_new());
  if (key == nullptr || fresh == nullptr) return Failed("making a key");
  const bool made = X509_set_version(fresh.get(), kX509v3) == 1 && SetSerial(*fresh) &&
                    X509_set_subject_name(fresh.get(), X509_get_subject_name(old.get())) == 1 &&
                    X509_set_issuer_name(fresh.get(), X509_get_subject_name(signer.get())) == 1 &&
                    X509_set_pubkey(fresh.get(), key.get()) == 1 &&
                    SetDates(*fresh, *signer, days) && CopyExtensions(*old, *fresh, *signer) &&
                    X509_sign(fresh.get(), signing_key.get(), EVP_sha256()) > 0;
  if (!made) return Failed("making a certificate");
  return Put(files, *fresh, *key);
}

}  // namespace sankofa::ctl
