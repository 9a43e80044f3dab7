#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>

#include "library/library.pb.h"
#include "services/platform/crypto/vault.h"

namespace sankofa::crypto {
namespace {

namespace lib = ::sankofa::library::v1;
using ::testing::HasSubstr;
using ::testing::Not;

std::unique_ptr<Vault> TestVault(char fill = 'k') {
  return *Vault::FromBytes(std::string(32, fill));
}

lib::Loan TestLoan() {
  lib::Loan loan;
  loan.set_id("l1");
  loan.set_reader_id("ama");
  loan.set_reader_name("Zipporah");
  loan.add_remarks("allergic");
  loan.set_renewals(1);
  return loan;
}

TEST(Seal, MovesPersonalFieldsAndBringsThemBack) {
  const auto vault = TestVault();
  const DataKey key = vault->NewDataKey();
  const lib::Loan before = TestLoan();
  lib::Loan loan = before;
  ASSERT_TRUE(Seal(loan, key).ok());
  EXPECT_EQ(loan.reader_name(), "");
  EXPECT_EQ(loan.remarks_size(), 0);
  EXPECT_EQ(loan.renewals(), 1);
  EXPECT_EQ(loan.sealed().subject_id(), "ama");
  EXPECT_THAT(loan.SerializeAsString(), Not(HasSubstr("Zipporah")));
  ASSERT_TRUE(Unseal(loan, key).ok());
  EXPECT_EQ(loan.SerializeAsString(), before.SerializeAsString());
}

TEST(Seal, AnotherKeyAnotherSubjectOrAnAlteredByteDoNotOpen) {
  const auto vault = TestVault();
  const DataKey key = vault->NewDataKey();
  lib::Loan sealed = TestLoan();
  ASSERT_TRUE(Seal(sealed, key).ok());

  lib::Loan copy = sealed;
  EXPECT_FALSE(Unseal(copy, vault->NewDataKey()).ok());
  copy = sealed;
  copy.mutable_sealed()->set_subject_id("kofi");
  EXPECT_FALSE(Unseal(copy, key).ok());
  copy = sealed;
  copy.mutable_sealed()->mutable_ciphertext()->at(3) ^= 1;
  EXPECT_FALSE(Unseal(copy, key).ok());
  copy = sealed;
  copy.mutable_sealed()->set_ciphertext("short");
  EXPECT_FALSE(Unseal(copy, key).ok());
  EXPECT_EQ(copy.reader_name(), "");
}

TEST(Redact, LeavesNeitherClearNorSealed) {
  lib::Loan loan = TestLoan();
  Redact(loan);
  EXPECT_EQ(loan.reader_name(), "");
  EXPECT_EQ(loan.remarks_size(), 0);
  EXPECT_EQ(loan.id(), "l1");
  loan = TestLoan();
  ASSERT_TRUE(Seal(loan, TestVault()->NewDataKey()).ok());
  Redact(loan);
  EXPECT_FALSE(loan.has_sealed());
}

TEST(CheckSealable, NamesTypesThatCannotBeSealed) {
  EXPECT_TRUE(CheckSealable(*lib::Loan::descriptor()).ok());
  EXPECT_TRUE(CheckSealable(*lib::Book::descriptor()).ok());
  EXPECT_FALSE(CheckSealable(*lib::Unsealable::descriptor()).ok());
  EXPECT_FALSE(CheckSealable(*lib::HalfSealedList::descriptor()).ok());
}

TEST(Vault, AKeyIsBoundToItsSubjectAndToTheMasterKey) {
  const auto vault = TestVault();
  const DataKey key = vault->NewDataKey();
  const std::string wrapped = vault->Wrap("ama", key);
  EXPECT_EQ(vault->Unwrap("ama", wrapped)->bytes(), key.bytes());
  EXPECT_FALSE(vault->Unwrap("kofi", wrapped).ok());
  EXPECT_FALSE(TestVault('x')->Unwrap("ama", wrapped).ok());
  EXPECT_FALSE(vault->Unwrap("ama", wrapped.substr(1)).ok());
  EXPECT_FALSE(vault->Unwrap("ama", "").ok());
}

TEST(Vault, BlindIndexIsKeyedAndSeparatesUses) {
  const auto vault = TestVault();
  EXPECT_EQ(vault->Blind("name", "ama"), vault->Blind("name", "ama"));
  EXPECT_NE(vault->Blind("name", "ama"), vault->Blind("document", "ama"));
  EXPECT_NE(vault->Blind("name", "ama"), TestVault('x')->Blind("name", "ama"));
}

class KeyFile : public ::testing::Test {
 protected:
  std::string Write(const std::string& text, mode_t mode) {
    std::string path = ::testing::TempDir() + "master.key." + std::to_string(::getpid());
    ::unlink(path.c_str());
    std::ofstream(path) << text;
    EXPECT_EQ(::chmod(path.c_str(), mode), 0);
    return path;
  }
};

TEST_F(KeyFile, RefusedWhereOthersCanReadIt) {
  const std::string good = "a2tra2tra2tra2tra2tra2tra2tra2tra2tra2tra2s=\n";
  EXPECT_TRUE(Vault::FromFile(Write(good, 0600)).ok());
  EXPECT_FALSE(Vault::FromFile(Write(good, 0640)).ok());
  EXPECT_FALSE(Vault::FromFile(Write(good, 0604)).ok());
  EXPECT_FALSE(Vault::FromFile(Write("c2hvcnQ=", 0600)).ok());
  EXPECT_FALSE(Vault::FromFile("/nonexistent/master.key").ok());
}

}  // namespace
}  // namespace sankofa::crypto
