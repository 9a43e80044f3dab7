#include <gtest/gtest.h>

#include <fstream>
#include <string>

#include "absl/strings/str_cat.h"
#include "services/platform/rpc/identity/certificate.h"

namespace sankofa::rpc {
namespace {

// Two of the same authority: one ends on 1 March 2031, one on 1 June 2030 (made with openssl, keys thrown away).
constexpr char kLater[] = R"pem(-----BEGIN CERTIFICATE-----
MIIBEzCBuQIUOM4NZouDte/zJibqZA9ldoxNvjgwCgYIKoZIzj0EAwIwDDEKMAgG
A1UEAwwBYTAeFw0yNjExMDEwMDAwMDBaFw0zMTAzMDEwMDAwMDBaMAwxCjAIBgNV
BAMMAXQwWTATBgcqhkjOPQIBBggqhkjOPQMBBwNCAATEq2MYj1gg+6PhowWBxYQf
5BURuoeHhimjv0qImPvyC3hu8p8vhfPovaUcZkVI12nvg/qYx5y+p3/Leaguj12f
MAoGCCqGSM49BAMCA0kAMEYCIQDmqzX9522cnrIDG+/8jGd+kFUn/Tp1jnHimtfq
7jJ4TwIhAODs7bIYShLOUFqa7jgH9t+4Liq6p7otG5QsfbzAs+Y3
-----END CERTIFICATE-----
)pem";
constexpr char kEarlier[] = R"pem(-----BEGIN CERTIFICATE-----
MIIBEzCBuQIUPWd9wdmzJGW4+BUInCwu3a7kHtEwCgYIKoZIzj0EAwIwDDEKMAgG
A1UEAwwBYTAeFw0yNjExMDEwMDAwMDBaFw0zMDA2MDEwMDAwMDBaMAwxCjAIBgNV
BAMMAXQwWTATBgcqhkjOPQIBBggqhkjOPQMBBwNCAASdld+U78N3M3l2B4JJMziy
mN9D+lXUxe1sGBy/WAkUFNffwyaPZ6lAt5QXgXiJpy/gyOoyc69XTT0Nltwimmm6
MAoGCCqGSM49BAMCA0kAMEYCIQCV566W/B66aVTGfcRSk2Ea4DobiIHhybwrgWod
t77tMQIhAMuP0zxvgT+Wx4fUViRmiBCTMa00WhWPYPzFK0g0kp6F
-----END CERTIFICATE-----
)pem";

std::string Written(const std::string& name, const std::string& text) {
  const std::string file = ::testing::TempDir() + name;
  std::ofstream(file) << text;
  return file;
}

TEST(CertificateTest, TheFirstThatEndsCounts) {
  const absl::Time earlier = absl::FromCivil(absl::CivilDay(2030, 6, 1), absl::UTCTimeZone());
  const absl::Time later = absl::FromCivil(absl::CivilDay(2031, 3, 1), absl::UTCTimeZone());
  EXPECT_EQ(*CertificateEnd(Written("later.pem", kLater)), later);
  EXPECT_EQ(*CertificateEnd(Written("both.pem", absl::StrCat(kLater, kEarlier))), earlier);
  EXPECT_EQ(
      *CertificateEnd(Written("around.pem", absl::StrCat("Subject: t\n", kEarlier, "\nend\n"))),
      earlier);
}

TEST(CertificateTest, WhatCannotBeReadIsAnError) {
  EXPECT_TRUE(absl::IsNotFound(CertificateEnd(::testing::TempDir() + "nowhere.pem").status()));
  EXPECT_FALSE(CertificateEnd(Written("empty.pem", "")).ok());
  EXPECT_TRUE(
      absl::IsInvalidArgument(CertificateEnd(Written("text.pem", "no certificate")).status()));
  // One that is cut off after a whole one is not passed over.
  const std::string cut = absl::StrCat(kLater, std::string(kEarlier).substr(0, 200));
  EXPECT_TRUE(absl::IsInvalidArgument(CertificateEnd(Written("cut.pem", cut)).status()));
}

}  // namespace
}  // namespace sankofa::rpc
