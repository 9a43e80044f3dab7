#include <gmock/gmock.h>

#include "services/platform/engine/engine.h"
#include "services/platform/engine/memory_store.h"
#include "services/registration/border/incoming.h"
#include "tests/unit/registration/border.h"

// A partner's case as the platform runs it, over a store in memory: what is kept of it, and what is left after erasure.
namespace sankofa::registration {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

class BorderEngineTest : public ::testing::Test {
 protected:
  BorderEngineTest() {
    BindCommands(registry_, [this](std::string_view label, std::string_view text) {
      return vault_->Blind(label, text);
    });
    session_ = *store_.Open(absl::InfiniteFuture());
  }

  template <class Request>
  absl::Status Send(Request request, std::shared_ptr<const google::protobuf::Message> facts = {}) {
    request.set_request_id(test::NextRequestId());
    engine::CommandCall call;
    call.request = std::make_shared<Request>(std::move(request));
    call.actor.system = "exchange";
    call.now = Morning();
    call.facts = std::move(facts);
    return engine_.Execute(*session_, std::vector{call}).front().status();
  }

  v1::ReceiveCaseRequest Told() {
    v1::ReceiveCaseRequest request;
    request.set_case_id(case_id_);
    request.set_sender("fr");
    request.add_purposes(v1::CONSENT_PURPOSE_REINTEGRATION);
    request.mutable_registered()->set_case_id(case_id_);
    request.mutable_registered()->set_origin_country("TG");
    return request;
  }

  static std::shared_ptr<ex::ReceivedDisclosure> Disclosed(const std::string& family) {
    auto facts = std::make_shared<ex::ReceivedDisclosure>();
    auto& person = *facts->add_disclosures()->mutable_person();
    *person.mutable_details() = Adult("Zéphyrine", family);
    AddDocument(*person.mutable_details(), "PASS-998877");
    person.add_vulnerabilities(v1::VULNERABILITY_DISABILITY);
    // The same fields for another purpose, and more of them.
    auto& more = *facts->add_disclosures();
    more.set_purpose(v1::CONSENT_PURPOSE_FOLLOW_UP);
    *more.mutable_person()->mutable_details() = person.details();
    more.mutable_person()->mutable_details()->set_birth_place("Kpalimé");
    return facts;
  }

  template <class State>
  State Read(const std::string& id) {
    auto read = engine_.Read(*session_, engine::KeyOf<State>(id), /*personal=*/true);
    EXPECT_TRUE(read.ok()) << read.status();
    return read.ok() ? static_cast<State&>(**read) : State();
  }

  std::string EverythingStored() {
    std::string all;
    for (const auto& row : store_.journal()) all += row.payload + row.partition_key + row.stream.id;
    for (const auto& [_, stream] : store_.streams()) all += stream.state;
    for (const auto& [_, answer] : store_.answers()) all += answer.bytes;
    return all;
  }

  const std::string case_id_ = test::NextRequestId();
  const std::string person_id_ = PartnerPersonId("fr", case_id_);
  std::unique_ptr<crypto::Vault> vault_ = *crypto::Vault::FromBytes(std::string(32, 'k'));
  engine::Registry registry_;
  engine::MemoryStore store_;
  engine::Engine engine_{
      {.node = "tg", .country = "TG", .service = "registration"}, registry_, *vault_};
  std::unique_ptr<engine::StoreSession> session_;
};

TEST_F(BorderEngineTest, WhatIsDisclosedIsSealedUnderThisNodesOwnKeys) {
  ASSERT_EQ(Reason(Send(Told(), Disclosed("KOUAM-TEST"))), "OK");
  const auto person = Read<v1::Person>(person_id_);
  EXPECT_EQ(person.details().family_names(), "KOUAM-TEST");
  EXPECT_EQ(person.details().birth_place(), "Kpalimé") << "from the second purpose";
  EXPECT_EQ(person.details().documents_size(), 1) << "disclosed twice, held once";
  EXPECT_EQ(person.vulnerabilities_size(), 1);
  const std::string all = EverythingStored();
  for (const char* personal : {"phyrine", "KOUAM", "PASS-998877", "1985-03-12", "Kpalim"}) {
    EXPECT_THAT(all, Not(HasSubstr(personal)));
  }
  // The next registration of the same human being here meets the claims that were taken.
  v1::RegisterPersonRequest same;
  *same.mutable_details() = Adult("Another", "NAME-TEST");
  AddDocument(*same.mutable_details(), "PASS 998877");
  same.set_request_id(test::NextRequestId());
  const std::string own = engine::DerivedId(same.request_id());
  engine::CommandCall call;
  call.request = std::make_shared<v1::RegisterPersonRequest>(same);
  call.now = Morning();
  ASSERT_TRUE(engine_.Execute(*session_, std::vector{call}).front().ok());
  EXPECT_TRUE(Read<v1::Person>(own).duplicate_open());
}

TEST_F(BorderEngineTest, ANarrowerDisclosureReleasesClaims) {
  ASSERT_EQ(Reason(Send(Told(), Disclosed("KOUAM-TEST"))), "OK");
  EXPECT_EQ(Read<v1::Person>(person_id_).search_keys().claims_size(), 2);
  v1::ReceiveDisclosureRequest changed;
  changed.set_case_id(case_id_);
  changed.set_sender("fr");
  auto facts = std::make_shared<ex::ReceivedDisclosure>();
  facts->add_disclosures()->mutable_person()->mutable_details()->set_family_names("KOUAM-TEST");
  ASSERT_EQ(Reason(Send(changed, facts)), "OK");
  const auto person = Read<v1::Person>(person_id_);
  EXPECT_EQ(person.search_keys().claims_size(), 0);
  EXPECT_EQ(person.search_keys().name_tokens_size(), 2);
  EXPECT_EQ(person.vulnerabilities_size(), 1) << "one that was found stays";
}

TEST_F(BorderEngineTest, ErasedAtThePartnersRequestNothingCanBeReadAgain) {
  ASSERT_EQ(Reason(Send(Told(), Disclosed("KOUAM-TEST"))), "OK");
  v1::ErasePartnerDataRequest erase;
  erase.set_case_id(case_id_);
  erase.set_sender("fr");
  erase.set_erasure_id("erasure");
  ASSERT_EQ(Reason(Send(erase)), "OK");
  EXPECT_TRUE(store_.subject_keys().at(person_id_).wrapped.empty());
  EXPECT_TRUE(store_.subject_keys().at(case_id_).wrapped.empty());
  EXPECT_FALSE(Read<v1::Person>(person_id_).has_details());
  // Sent once more, it is not taken in again; asked once more, it is answered again.
  ASSERT_EQ(Reason(Send(Told(), Disclosed("KOUAM-TEST"))), "OK");
  ASSERT_EQ(Reason(Send(erase)), "OK");
  EXPECT_FALSE(Read<v1::Person>(person_id_).has_details());
  EXPECT_TRUE(Read<v1::Case>(case_id_).erased());
}

TEST_F(BorderEngineTest, ErasedBeforeItCameHasNoKeyEver) {
  v1::ErasePartnerDataRequest erase;
  erase.set_case_id(case_id_);
  erase.set_sender("fr");
  erase.set_erasure_id("erasure");
  ASSERT_EQ(Reason(Send(erase)), "OK");
  ASSERT_EQ(Reason(Send(Told(), Disclosed("KOUAM-TEST"))), "OK");
  EXPECT_TRUE(store_.subject_keys().at(case_id_).wrapped.empty());
  EXPECT_THAT(store_.streams().count(engine::KeyOf<v1::Person>(person_id_)), 0);
}

TEST_F(BorderEngineTest, PartnersAreNotPublished) {
  v1::NotePartnerRequest note;
  note.set_partner_id("fr");
  note.set_runs_node(true);
  ASSERT_EQ(Reason(Send(note)), "OK");
  EXPECT_FALSE(store_.journal().back().publish);
}

}  // namespace
}  // namespace sankofa::registration
