#pragma once

#include <cjose/cjose.h>
#include <jansson.h>

#include <fstream>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/time/time.h"
#include "services/platform/status/check.h"
#include "services/platform/status/text.h"

// An identity provider for tests: keys, a JWKS document, tokens both good and forged.
namespace sankofa::rpc {

class SigningKey {
 public:
  static SigningKey Ec(std::string kid) {
    return SigningKey(cjose_jwk_create_EC_random(CJOSE_JWK_EC_P_256, nullptr), std::move(kid));
  }
  static SigningKey Rsa(std::string kid, std::size_t bits = 2048) {
    static constexpr std::uint8_t kExponent[] = {0x01, 0x00, 0x01};
    return SigningKey(cjose_jwk_create_RSA_random(bits, kExponent, sizeof(kExponent), nullptr),
                      std::move(kid));
  }
  // A symmetric key made of any bytes, say of a public key that everybody knows.
  static SigningKey Secret(std::string_view bytes, std::string kid) {
    return SigningKey(cjose_jwk_create_oct_spec(reinterpret_cast<const std::uint8_t*>(bytes.data()),
                                                bytes.size(), nullptr),
                      std::move(kid));
  }

  // As a JWK, public half only unless asked otherwise.
  [[nodiscard]] std::string Json(bool with_private = false) const {
    char* json = cjose_jwk_to_json(jwk_.get(), with_private, nullptr);
    std::string text = json;
    free(json);  // NOLINT(cppcoreguidelines-no-malloc): as cjose documents
    return text;
  }

  // A token with this header (JSON) over these claims (JSON).
  [[nodiscard]] std::string Sign(const std::string& header, const std::string& claims) const {
    json_t* fields = json_loads(header.c_str(), 0, nullptr);
    cjose_err error{};
    cjose_jws_t* jws =
        cjose_jws_sign(jwk_.get(), fields, reinterpret_cast<const std::uint8_t*>(claims.data()),
                       claims.size(), &error);
    status::Check(jws != nullptr, "a test token can't be signed");
    const char* text = nullptr;
    status::Check(cjose_jws_export(jws, &text, &error), "a test token can't be written");
    std::string token = text;
    cjose_jws_release(jws);
    json_decref(fields);
    return token;
  }

  [[nodiscard]] const std::string& kid() const { return kid_; }

 private:
  SigningKey(cjose_jwk_t* jwk, std::string kid)
      : jwk_(jwk, cjose_jwk_release), kid_(std::move(kid)) {
    status::Check(jwk != nullptr, "a test key can't be made");
    cjose_jwk_set_kid(jwk, kid_.c_str(), kid_.size(), nullptr);
  }

  std::shared_ptr<cjose_jwk_t> jwk_;
  std::string kid_;
};

inline std::string Jwks(const std::vector<std::string>& keys) {
  return absl::StrCat("{\"keys\": [", absl::StrJoin(keys, ","), "]}");
}

inline void WriteFile(const std::string& file, std::string_view text) {
  std::ofstream(file) << text;
}

// What a token says; what is empty is left out.
struct TokenClaims {
  std::string issuer = "https://identity.cm.example";
  std::string audience = "\"sankofa-cm\"";  // JSON: a text or a list
  std::string subject = "s.ngono";
  std::string organisation = "minrex";
  std::string roles = "[\"case_officer\"]";  // JSON
  absl::Time expires;
  absl::Time not_before = absl::InfinitePast();

  [[nodiscard]] std::string Json() const {
    std::vector<std::string> members;
    const auto text = [&](const char* name, const std::string& value) {
      if (!value.empty()) members.push_back(absl::StrCat("\"", name, "\": \"", value, "\""));
    };
    text("iss", issuer);
    text("sub", subject);
    text("org", organisation);
    if (!audience.empty()) members.push_back(absl::StrCat("\"aud\": ", audience));
    if (!roles.empty()) members.push_back(absl::StrCat("\"roles\": ", roles));
    if (expires != absl::InfinitePast()) {
      members.push_back(absl::StrCat("\"exp\": ", absl::ToUnixSeconds(expires)));
    }
    if (not_before != absl::InfinitePast()) {
      members.push_back(absl::StrCat("\"nbf\": ", absl::ToUnixSeconds(not_before)));
    }
    return absl::StrCat("{", absl::StrJoin(members, ", "), "}");
  }
};

inline std::string HeaderOf(std::string_view algorithm, std::string_view kid) {
  return absl::StrCat("{\"alg\": \"", status::Absl(algorithm), "\", \"kid\": \"", status::Absl(kid),
                      "\"}");
}

// A token whose signature is whatever the forger likes.
inline std::string Forge(std::string_view header, std::string_view claims,
                         std::string_view signature) {
  return absl::StrCat(absl::WebSafeBase64Escape(status::Absl(header)), ".",
                      absl::WebSafeBase64Escape(status::Absl(claims)), ".",
                      absl::WebSafeBase64Escape(status::Absl(signature)));
}

}  // namespace sankofa::rpc
