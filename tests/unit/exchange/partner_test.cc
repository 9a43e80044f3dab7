#include "services/exchange/partner/partner.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include <functional>
#include <set>
#include <string>
#include <vector>

#include "services/exchange/partner/keys.h"
#include "services/platform/crypto/hash.h"
#include "services/platform/time/time.h"
#include "tests/unit/exchange/fixture.h"

namespace sankofa::exchange {
namespace {

using test::At;
using test::Reason;

template <class Request>
absl::Status Try(v1::Partner& partner, const Request& request, const engine::Context& context) {
  return test::Run<PartnerDecider>(partner, request, context);
}

v1::AddPartnerKeyRequest AddKey(char seed, absl::Time until) {
  v1::AddPartnerKeyRequest request;
  request.set_partner_id("fr");
  request.set_verification_key(Signer(seed).public_key());
  request.set_sealing_key(Sealer(seed).public_key());
  *request.mutable_earlier_until_time() = time::ToTimestamp(until);
  return request;
}

v1::RevokePartnerKeyRequest Revoke(const std::string& key_id) {
  v1::RevokePartnerKeyRequest request;
  request.set_partner_id("fr");
  request.set_key_id(key_id);
  return request;
}

v1::SuspendPartnerRequest Suspend() {
  v1::SuspendPartnerRequest request;
  request.set_partner_id("fr");
  request.set_reason("its key was stolen");
  return request;
}

v1::UpdatePartnerRequest Update() {
  v1::UpdatePartnerRequest request;
  request.set_partner_id("fr");
  request.set_name("Office");
  request.set_brokers("kafka.fr.example:9093,kafka2.fr.example:9093");
  request.set_topic("feed.tg");
  request.set_exchange_address("exchange.fr.example:7443");
  return request;
}

v1::Partner InState(v1::PartnerState state) {
  v1::Partner partner;
  if (state == v1::PARTNER_STATE_UNSPECIFIED) return partner;
  EXPECT_TRUE(Try(partner, RegisterNode("fr", 'f'), Now()).ok());
  if (state == v1::PARTNER_STATE_SUSPENDED) {
    EXPECT_TRUE(Try(partner, Suspend(), Now()).ok());
  }
  return partner;
}

std::string Tried(v1::PartnerState state, const std::function<absl::Status(v1::Partner&)>& run) {
  v1::Partner partner = InState(state);
  return Reason(run(partner));
}

// ---- Every state, every command -------------------------------------------------------------------------------------

struct Row {
  const char* command;
  std::function<absl::Status(v1::Partner&)> run;
  const char* unknown;
  const char* active;
  const char* suspended;
};

TEST(Partner, EveryCommandInEveryState) {
  const std::vector<Row> rows = {
      {"register",
       [](v1::Partner& partner) { return Try(partner, RegisterNode("fr", 'f'), Now()); }, "OK",
       "PARTNER_EXISTS", "PARTNER_EXISTS"},
      {"update", [](v1::Partner& partner) { return Try(partner, Update(), Now()); },
       "PARTNER_NOT_FOUND", "OK", "OK"},
      {"add key",
       [](v1::Partner& partner) {
         return Try(partner, AddKey('g', Now().now + absl::Hours(1)), Now());
       },
       "PARTNER_NOT_FOUND", "OK", "OK"},
      {"revoke key", [](v1::Partner& partner) { return Try(partner, Revoke(KeyId('f')), Now()); },
       "PARTNER_NOT_FOUND", "OK", "OK"},
      {"suspend", [](v1::Partner& partner) { return Try(partner, Suspend(), Now()); },
       "PARTNER_NOT_FOUND", "OK", "PARTNER_SUSPENDED"},
      {"resume",
       [](v1::Partner& partner) { return Try(partner, v1::ResumePartnerRequest(), Now()); },
       "PARTNER_NOT_FOUND", "PARTNER_NOT_SUSPENDED", "OK"},
  };
  for (const Row& row : rows) {
    EXPECT_EQ(Tried(v1::PARTNER_STATE_UNSPECIFIED, row.run), row.unknown) << row.command;
    EXPECT_EQ(Tried(v1::PARTNER_STATE_ACTIVE, row.run), row.active) << row.command;
    EXPECT_EQ(Tried(v1::PARTNER_STATE_SUSPENDED, row.run), row.suspended) << row.command;
  }
}

// ---- Registering ----------------------------------------------------------------------------------------------------

std::string Registered(const v1::RegisterPartnerRequest& request, v1::Partner* out = nullptr) {
  v1::Partner partner;
  const std::string reason = Reason(Try(partner, request, Now()));
  if (out != nullptr) *out = partner;
  return reason;
}

TEST(Partner, IsKnownByWhatWasRegistered) {
  v1::Partner partner;
  ASSERT_EQ(Registered(RegisterNode("fr", 'f'), &partner), "OK");
  EXPECT_EQ(partner.certificate_identity(), "partner-fr");
  EXPECT_EQ(partner.state(), v1::PARTNER_STATE_ACTIVE);
  ASSERT_EQ(partner.keys_size(), 1);
  EXPECT_EQ(partner.keys(0).key_id(), crypto::KeyIdOf(Signer('f').public_key()));
  EXPECT_EQ(time::FromTimestamp(partner.registered_time()), Now().now);
}

TEST(Partner, ANodeNeedsItsAddressesAndItsKey) {
  for (const auto& clear : std::vector<std::function<void(v1::RegisterPartnerRequest&)>>{
           [](auto& request) { request.clear_brokers(); },
           [](auto& request) { request.clear_topic(); },
           [](auto& request) { request.clear_exchange_address(); },
           [](auto& request) { request.clear_verification_key(); }}) {
    v1::RegisterPartnerRequest request = RegisterNode("fr", 'f');
    clear(request);
    EXPECT_EQ(Registered(request), "PARTNER_ADDRESS_MISSING");
    request.set_kind(v1::PARTNER_KIND_SUBSCRIBER);
    EXPECT_EQ(Registered(request), "OK");
  }
}

TEST(Partner, WhoGetsStatisticsNeedsNoKey) {
  v1::RegisterPartnerRequest request;
  request.set_partner_id("eu");
  request.set_name("Statistics");
  request.set_country("BE");
  request.set_kind(v1::PARTNER_KIND_STATISTICS);
  v1::Partner partner;
  EXPECT_EQ(Registered(request, &partner), "OK");
  EXPECT_EQ(partner.keys_size(), 0);
}

TEST(Partner, IsNotThisNode) {
  v1::RegisterPartnerRequest request = RegisterNode("tg", 'f');
  EXPECT_EQ(Registered(request), "PARTNER_IS_US");
}

TEST(Partner, KeysThatAreNoneAreRefused) {
  const std::vector<std::string> verification = {
      "00",
      std::string(64, 'z'),
      std::string(63, 'a'),
      std::string(64, ' '),
      "0x" + std::string(62, '1'),
      std::string(64, 'f'),          // no number of the field
      "01" + std::string(62, '0'),   // the neutral element: any signature would verify
      std::string(64, '0'),          // a point of order 4
      "02" + std::string(62, '0')};  // on no point of the curve
  for (const std::string& key : verification) {
    v1::RegisterPartnerRequest request = RegisterNode("fr", 'f');
    request.set_verification_key(key);
    EXPECT_EQ(Registered(request), "KEY_MALFORMED") << key;
  }
  const std::vector<std::string> sealing = {
      "00", std::string(64, 'z'), std::string(65, 'a'),
      std::string(64, '0'),  // everybody could open what is sealed for it
      "01" + std::string(62, '0')};
  for (const std::string& key : sealing) {
    v1::RegisterPartnerRequest request = RegisterNode("fr", 'f');
    request.set_sealing_key(key);
    EXPECT_EQ(Registered(request), "KEY_MALFORMED") << key;
  }
}

TEST(Partner, AddressesHoldNothingElse) {
  for (const char* brokers : {"kafka", "kafka:0", "kafka:65536", ":9092", "a:1,", "a:1,,b:2",
                              "a:1;b:2", "a b:1", "a:1\nsasl.username=x", "ssl://a:1"}) {
    v1::RegisterPartnerRequest request = RegisterNode("fr", 'f');
    request.set_brokers(brokers);
    EXPECT_EQ(Registered(request), "INVALID_FIELD") << brokers;
  }
  for (const char* topic :
       {"feed.", "tg", "feed.TG", "feed.tg,feed.cm", "^feed.*", "sankofa.exchange"}) {
    v1::RegisterPartnerRequest request = RegisterNode("fr", 'f');
    request.set_topic(topic);
    EXPECT_EQ(Registered(request), "INVALID_FIELD") << topic;
  }
  for (const char* address : {"a", "a:1,b:2", "unix:/tmp/x", "dns:///a:1", "[::1]:70000"}) {
    v1::RegisterPartnerRequest request = RegisterNode("fr", 'f');
    request.set_exchange_address(address);
    EXPECT_EQ(Registered(request), "INVALID_FIELD") << address;
  }
  v1::RegisterPartnerRequest request = RegisterNode("fr", 'f');
  request.set_exchange_address("[2001:db8::1]:7443");
  EXPECT_EQ(Registered(request), "OK");
}

// ---- Keys -----------------------------------------------------------------------------------------------------------

TEST(Partner, KeysOverlapForNinetyDaysAtMost) {
  v1::Partner partner = InState(v1::PARTNER_STATE_ACTIVE);
  const absl::Time now = Now().now;
  EXPECT_EQ(Reason(Try(partner, AddKey('g', now + kOverlapMax + absl::Seconds(1)), Now())),
            "OVERLAP_TOO_LONG");
  EXPECT_EQ(Reason(Try(partner, AddKey('g', now - absl::Seconds(1)), Now())), "INVALID_FIELD");
  ASSERT_TRUE(Try(partner, AddKey('g', now + kOverlapMax), Now()).ok());

  const absl::Time end = now + kOverlapMax;
  EXPECT_NE(FindKey(partner, KeyId('f'), end), nullptr);
  EXPECT_EQ(FindKey(partner, KeyId('f'), end + absl::Nanoseconds(1)), nullptr);
  EXPECT_NE(FindKey(partner, KeyId('g'), now - absl::Hours(1)), nullptr);
  EXPECT_EQ(SealingKeyOf(partner, now)->key_id(), KeyId('g'));
}

TEST(Partner, AKeyThatEndsEarlierIsNotPutOff) {
  v1::Partner partner = InState(v1::PARTNER_STATE_ACTIVE);
  const absl::Time now = Now().now;
  ASSERT_TRUE(Try(partner, AddKey('g', now + absl::Hours(1)), Now()).ok());
  ASSERT_TRUE(Try(partner, AddKey('h', now + absl::Hours(9)), Now()).ok());
  EXPECT_EQ(FindKey(partner, KeyId('f'), now + absl::Hours(2)), nullptr);
  EXPECT_NE(FindKey(partner, KeyId('g'), now + absl::Hours(2)), nullptr);
}

TEST(Partner, AKeyIsAddedOnce) {
  v1::Partner partner = InState(v1::PARTNER_STATE_ACTIVE);
  v1::AddPartnerKeyRequest request = AddKey('f', Now().now);
  EXPECT_EQ(Reason(Try(partner, request, Now())), "KEY_KNOWN");
  request.set_verification_key(absl::AsciiStrToUpper(request.verification_key()));
  EXPECT_EQ(Reason(Try(partner, request, Now())), "KEY_KNOWN");
  request.clear_verification_key();
  EXPECT_EQ(Reason(Try(partner, request, Now())), "PARTNER_ADDRESS_MISSING");
}

TEST(Partner, ARevokedKeyVerifiesNothingAndNeverComesBack) {
  v1::Partner partner = InState(v1::PARTNER_STATE_ACTIVE);
  ASSERT_TRUE(Try(partner, Revoke(KeyId('f')), Now()).ok());
  EXPECT_EQ(FindKey(partner, KeyId('f'), Now().now - absl::Hours(1000)), nullptr);
  EXPECT_EQ(SealingKeyOf(partner, Now().now), nullptr);
  EXPECT_EQ(Reason(Try(partner, AddKey('f', Now().now), Now())), "KEY_KNOWN");
  v1::AddPartnerKeyRequest request = AddKey('g', Now().now);
  request.set_sealing_key(Sealer('f').public_key());
  EXPECT_EQ(Reason(Try(partner, request, Now())), "KEY_KNOWN");
  const v1::Partner before = partner;
  EXPECT_TRUE(Try(partner, Revoke(KeyId('f')), Now()).ok());
  EXPECT_EQ(partner.SerializeAsString(), before.SerializeAsString());
  EXPECT_EQ(Reason(Try(partner, Revoke(KeyId('g')), Now())), "KEY_NOT_FOUND");
}

TEST(Partner, TheSealingKeyStaysWhereNoneIsGiven) {
  v1::Partner partner = InState(v1::PARTNER_STATE_ACTIVE);
  v1::AddPartnerKeyRequest request = AddKey('g', Now().now);
  request.clear_sealing_key();
  ASSERT_TRUE(Try(partner, request, Now()).ok());
  EXPECT_EQ(SealingKeyOf(partner, Now().now + absl::Hours(1))->sealing_key(),
            Sealer('f').public_key());
}

TEST(Partner, KeysHaveALimit) {
  v1::Partner partner = InState(v1::PARTNER_STATE_ACTIVE);
  for (int i = 1; i < kKeysMax; ++i) {
    ASSERT_TRUE(Try(partner, AddKey(static_cast<char>(128 + i), Now().now), Now()).ok());
  }
  EXPECT_EQ(Reason(Try(partner, AddKey('z', Now().now), Now())), "INVALID_FIELD");
}

TEST(Partner, SuspensionSaysWhyUntilItEnds) {
  v1::Partner partner = InState(v1::PARTNER_STATE_SUSPENDED);
  EXPECT_EQ(partner.suspension_reason(), "its key was stolen");
  ASSERT_TRUE(Try(partner, v1::ResumePartnerRequest(), Now()).ok());
  EXPECT_EQ(partner.suspension_reason(), "");
  EXPECT_EQ(partner.state(), v1::PARTNER_STATE_ACTIVE);
}

// ---- Whatever is done -----------------------------------------------------------------------------------------------

// After any sequence of commands: at most one key without an end, no key twice, a revoked key good for nothing, and a
// rotated one good for what was issued before its end, ninety days from its rotation at the latest.
RC_GTEST_PROP(PartnerProperty, KeysStayInOrder, ()) {
  v1::Partner partner;
  engine::Context context = Now();
  const auto steps = *rc::gen::container<std::vector<int>>(rc::gen::inRange(0, 40));
  RC_ASSERT(Try(partner, RegisterNode("fr", 'a'), context).ok());
  for (const int step : steps) {
    context.now += absl::Hours(*rc::gen::inRange(0, 24 * 60));
    const char seed = static_cast<char>('a' + step % 8);
    if (step < 20) {
      const absl::Time until = context.now + absl::Hours(*rc::gen::inRange(-10, 24 * 100));
      (void)Try(partner, AddKey(seed, until), context);
    } else if (step < 30) {
      (void)Try(partner, Revoke(KeyId(seed)), context);
    } else if (step < 35) {
      (void)Try(partner, Suspend(), context);
    } else {
      (void)Try(partner, v1::ResumePartnerRequest(), context);
    }
    std::set<std::string> ids;
    int without_end = 0;
    for (const v1::PartnerKey& key : partner.keys()) {
      RC_ASSERT(ids.insert(key.key_id()).second);
      if (!key.has_until_time()) ++without_end;
      if (key.revoked()) RC_ASSERT(FindKey(partner, key.key_id(), absl::InfinitePast()) == nullptr);
      if (key.has_until_time() && !key.revoked()) {
        const absl::Time until = time::FromTimestamp(key.until_time());
        RC_ASSERT(until <= context.now + kOverlapMax);
        RC_ASSERT(FindKey(partner, key.key_id(), until) != nullptr);
        RC_ASSERT(FindKey(partner, key.key_id(), until + absl::Nanoseconds(1)) == nullptr);
      }
    }
    RC_ASSERT(without_end <= 1);
    const v1::PartnerKey* sealing = SealingKeyOf(partner, context.now);
    if (sealing != nullptr) RC_ASSERT(!sealing->revoked());
  }
}

}  // namespace
}  // namespace sankofa::exchange
