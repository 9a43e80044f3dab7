#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <sys/stat.h>

#include "absl/strings/escaping.h"
#include "services/sankofactl/output/failure.h"
#include "services/sankofactl/output/json.h"
#include "tests/unit/sankofactl/fake_feed.h"
#include "tests/unit/sankofactl/fixture.h"

namespace sankofa::ctl {
namespace {

using testing::At;
using ::testing::ElementsAre;
using testing::FakeFeed;
using testing::FakeNode;
using testing::Folder;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::Ran;
using testing::RunWith;
using testing::SeenCall;
using Outcome = ConformanceCheck::Outcome;

// ---- The verifier -----------------------------------------------------------------------------------------------------

FeedVerifier VerifierFor(const FakeFeed& feed) {
  return FeedVerifier({.sender = "tg",
                       .receiver = "fr",
                       .keys = {feed.signer->public_key()},
                       .sealing_key = feed.box_key.get()});
}

TEST(FeedVerifier, TakesAFeedAndOpensItsBoxes) {
  const FakeFeed feed;
  FeedVerifier verifier = VerifierFor(feed);
  for (const auto& message : feed.messages) {
    const absl::Status taken = verifier.Take(message);
    ASSERT_TRUE(taken.ok()) << taken;
  }
  EXPECT_EQ(verifier.counts().messages, 10);
  EXPECT_EQ(verifier.counts().opened, 3);
  EXPECT_EQ(verifier.counts().disclosed, 3);
  EXPECT_EQ(verifier.subjects().size(), 4U);
  EXPECT_EQ(verifier.subjects().at("Case/c1").hashes, feed.chains.at("Case/c1").hashes);
}

TEST(FeedVerifier, RefusesWhatIsAlteredForgedMisaddressedOrOutOfItsPlace) {
  FakeFeed feed;
  const auto told = [&feed](const std::function<void(exchange::v1::FeedEvent&,
                                                     exchange::v1::SignedFeedEvent&)>& change) {
    FeedVerifier verifier = VerifierFor(feed);
    exchange::v1::SignedFeedEvent message = feed.messages.front();
    exchange::v1::FeedEvent event;
    event.ParseFromString(message.event());
    change(event, message);
    return std::string(verifier.Take(message).message());
  };
  using Event = exchange::v1::FeedEvent;
  using Message = exchange::v1::SignedFeedEvent;
  EXPECT_EQ(told([](Event&, Message&) {}), "");
  EXPECT_THAT(told([](Event& e, Message& m) {
                e.set_subject("Case/other");
                m.set_event(e.SerializeAsString());
              }),
              HasSubstr("signature"));
  EXPECT_THAT(told([](Event&, Message& m) { m.set_key_id("0000000000000000"); }),
              HasSubstr("not known"));
  EXPECT_THAT(told([&](Event& e, Message& m) {
                e.set_receiver("de");
                feed.Sign(e, m);
              }),
              HasSubstr("for 'de'"));
  EXPECT_THAT(told([&](Event& e, Message& m) {
                e.set_sequence(2);
                feed.Sign(e, m);
              }),
              HasSubstr("number 2 after 0"));
  EXPECT_THAT(told([&](Event& e, Message& m) {
                e.set_previous_hash(std::string(32, 'x'));
                feed.Sign(e, m);
              }),
              HasSubstr("does not follow"));
  EXPECT_THAT(told([](Event&, Message& m) { m.mutable_sealed()->back() ^= 1; }),
              HasSubstr("not the one that was signed for"));
  EXPECT_THAT(
      told([&](Event& e, Message& m) {  // a box of another message
        exchange::v1::SealedContent content;
        content.set_subject("Case/c2");
        content.set_sequence(1);
        m.set_sealed(*crypto::SealFor(feed.box_key->public_key(), content.SerializeAsString()));
        e.set_sealed_hash(crypto::Hash(m.sealed()));
        feed.Sign(e, m);
      }),
      HasSubstr("belongs to another message"));
  EXPECT_THAT(told([&](Event& e, Message& m) {
                m.set_sealed("no box");
                e.set_sealed_hash(crypto::Hash(m.sealed()));
                feed.Sign(e, m);
              }),
              HasSubstr("does not open"));
}

TEST(FeedVerifier, AWithheldBoxIsNoError) {
  FakeFeed feed;
  FeedVerifier verifier = VerifierFor(feed);
  feed.messages.front().clear_sealed();
  EXPECT_TRUE(verifier.Take(feed.messages.front()).ok());
  EXPECT_EQ(verifier.counts().withheld, 1);
}

// The vector that partners have.
TEST(FeedVerifier, TakesTheContractsVector) {
  std::ifstream file("tests/data/feed-vector.json");
  std::stringstream text;
  text << file.rdbuf();
  const auto vector = Json::Parse(text.str());
  ASSERT_TRUE(vector.ok()) << vector.status();
  const auto text_at = [](const json_t* object, const char* name) {
    return std::string(json_string_value(json_object_get(object, name)));
  };
  const json_t* receiver = json_object_get(vector->get(), "receiver");
  const auto key =
      crypto::SealingKey::FromSecret(absl::HexStringToBytes(text_at(receiver, "sealing_secret")));
  ASSERT_TRUE(key.ok());
  FeedVerifier verifier(
      {.sender = "tg",
       .receiver = "fr",
       .keys = {text_at(json_object_get(vector->get(), "sender"), "verification_key")},
       .sealing_key = key->get()});
  const json_t* messages = json_object_get(vector->get(), "messages");
  for (size_t i = 0; i < json_array_size(messages); ++i) {
    exchange::v1::SignedFeedEvent message;
    ASSERT_TRUE(message.ParseFromString(
        absl::HexStringToBytes(text_at(json_array_get(messages, i), "value"))));
    const absl::Status taken = verifier.Take(message);
    EXPECT_TRUE(taken.ok()) << taken;
  }
  EXPECT_EQ(verifier.counts().messages, 2);
  EXPECT_EQ(verifier.counts().opened, 1);
}

// Any one bit, anywhere.
RC_GTEST_PROP(FeedVerifierProperty, OneBitIsEnough, ()) {
  static const FakeFeed feed;
  exchange::v1::SignedFeedEvent message = feed.messages.front();
  std::string* const part = *rc::gen::element(message.mutable_event(), message.mutable_signature(),
                                              message.mutable_sealed());
  const size_t at = *rc::gen::inRange<size_t>(0, part->size());
  (*part)[at] = static_cast<char>((*part)[at] ^ (1 << *rc::gen::inRange(0, 8)));
  RC_ASSERT(!VerifierFor(feed).Take(message).ok());
}

TEST(DigestTree, IsMadeAsTheContractSays) {
  EXPECT_EQ(DigestTree({}).HashAt(""), std::string(32, '\0'));
  const std::string hash(32, 'h');
  const DigestTree tree({{"Case/c1", {.hashes = {"first", hash}}}});
  const std::string place = crypto::HashHex("Case/c1").substr(0, 4);
  const std::string leaf = crypto::Hash(std::string("Case/c1\0", 8) + std::string("2\0", 2) + hash);
  std::string expected = crypto::Hash(leaf);
  EXPECT_EQ(tree.HashAt(place), expected);
  for (int digits = 3; digits >= 0; --digits) {
    std::string children(16 * 32, '\0');
    const auto digit =
        static_cast<size_t>(std::string(kHexDigits).find(place[static_cast<size_t>(digits)]));
    children.replace(32 * digit, 32, expected);
    expected = crypto::Hash(children);
    EXPECT_EQ(tree.HashAt(place.substr(0, static_cast<size_t>(digits))), expected);
  }
  EXPECT_EQ(tree.SubjectsBelow(""), 1);
  EXPECT_EQ(tree.SubjectsBelow(place), 1);
}

// ---- Conformance ------------------------------------------------------------------------------------------------------

class ConformanceTest : public ::testing::Test {
 protected:
  std::vector<ConformanceCheck> Check(const Doors& doors) {
    ConformanceOptions options{.partner = "fr",
                               .node_keys = node_keys,
                               .sealing_key = feed.box_key.get(),
                               .patience = absl::Milliseconds(300),
                               .page_size = 3};
    return CheckConformance(doors, options, [](const auto& /*check*/) {});
  }
  // Names of the checks that fail.
  std::vector<std::string> Failing(const Doors& doors) {
    std::vector<std::string> failing;
    for (const ConformanceCheck& check : Check(doors)) {
      if (check.outcome != Outcome::kFails) continue;
      failing.push_back(check.name);
      detail = check.detail;
    }
    return failing;
  }

  FakeFeed feed;
  std::vector<std::string> node_keys;
  std::string detail;
};

TEST_F(ConformanceTest, ANodeThatKeepsTheContractPassesAll) {
  const Doors doors = feed.AllDoors();
  feed.PublishAll();
  const auto checks = Check(doors);
  std::vector<std::string> names;
  for (const ConformanceCheck& check : checks) {
    EXPECT_EQ(check.outcome, Outcome::kHolds) << check.name << ": " << check.detail;
    names.push_back(check.name);
  }
  EXPECT_THAT(names, ElementsAre("identity", "replay", "boxes", "replay of one subject",
                                 "unknown cursor", "subscribe", "subscribe from a cursor", "digest",
                                 "methods not for partners", "topic", "other topics"));
  EXPECT_THAT(feed.groups, ElementsAre("partner-fr"));
  EXPECT_THAT(feed.broker.Committed("partner-fr"), IsEmpty());  // nobody's place was moved
}

TEST_F(ConformanceTest, AnEmptyFeedIsOneToo) {
  feed.messages.clear();
  feed.chains.clear();
  EXPECT_THAT(Failing(feed.AllDoors()), IsEmpty()) << detail;
}

TEST_F(ConformanceTest, WhatIsWithheldFromAReplayMayBeOnTheTopic) {
  const Doors doors = feed.AllDoors();
  feed.PublishAll();
  feed.withholds = true;
  EXPECT_THAT(Failing(doors), IsEmpty()) << detail;
}

TEST_F(ConformanceTest, WhatIsPublishedMeanwhileIsNoFault) {
  const Doors doors = feed.AllDoors();
  feed.PublishAll();
  feed.before_digest = [this] { feed.Append("Case/c1", false); };
  EXPECT_THAT(Failing(doors),
              ElementsAre("topic"));  // the node says that it is there: it has to come
  feed.Publish(feed.messages.back());
  EXPECT_THAT(Failing(doors), IsEmpty()) << detail;
}

TEST_F(ConformanceTest, FindsTheWrongKey) {
  node_keys = {crypto::Signer::FromSeed(std::string(32, 'o')).value()->public_key()};
  EXPECT_THAT(Failing(feed.GrpcDoors()), ElementsAre("identity"));
  node_keys.push_back(feed.signer->public_key());
  EXPECT_THAT(Failing(feed.GrpcDoors()), IsEmpty());
}

TEST_F(ConformanceTest, FindsABrokenChain) {
  feed.messages.erase(feed.messages.begin() + 3);
  EXPECT_THAT(Failing(feed.GrpcDoors()), ElementsAre("replay"));
  EXPECT_THAT(detail, HasSubstr("Case/c1 #3"));
}

TEST_F(ConformanceTest, FindsABoxThatDoesNotOpen) {
  exchange::v1::SignedFeedEvent& message = feed.messages.front();
  exchange::v1::FeedEvent event;
  event.ParseFromString(message.event());
  message.set_sealed("no box");
  event.set_sealed_hash(crypto::Hash(message.sealed()));
  feed.Sign(event, message);
  EXPECT_THAT(Failing(feed.GrpcDoors()), ElementsAre("replay"));
  EXPECT_THAT(detail, HasSubstr("does not open"));
}

TEST_F(ConformanceTest, FindsAStreamThatLeavesOut) {
  feed.streams_skip = 1;
  EXPECT_THAT(Failing(feed.GrpcDoors()), ElementsAre("subscribe", "subscribe from a cursor"));
}

TEST_F(ConformanceTest, FindsADigestThatDiffers) {
  feed.wrong_digest = true;
  EXPECT_THAT(Failing(feed.GrpcDoors()), ElementsAre("digest"));
}

TEST_F(ConformanceTest, FindsAnOpenMethodAndACursorThatIsTakenForOne) {
  feed.open_method = "ListPartners";
  feed.takes_any_cursor = true;
  EXPECT_THAT(Failing(feed.GrpcDoors()), ElementsAre("unknown cursor", "methods not for partners"));
  EXPECT_THAT(detail, HasSubstr("ExchangeService/ListPartners (answered)"));
}

TEST_F(ConformanceTest, FindsAnOpenTopic) {
  const Doors doors = feed.AllDoors();
  feed.PublishAll();
  feed.open_topic = "sankofa.funding";
  EXPECT_THAT(Failing(doors), ElementsAre("other topics"));
  EXPECT_THAT(detail, HasSubstr("sankofa.funding may be read"));
}

TEST_F(ConformanceTest, FindsARecordThatIsNotWhatWasReplayed) {
  const std::vector<std::pair<std::function<void(kafka::Record&)>, std::string>> changes = {
      {[](kafka::Record& record) { record.value.clear(); }, "no message of a feed"},
      {[](kafka::Record& record) { record.key = "other"; }, "the key is 'other'"},
      {[](kafka::Record& record) { record.headers[3].value = "x"; }, "ce_type"},
      {[](kafka::Record& record) {
         exchange::v1::SignedFeedEvent message;
         message.ParseFromString(record.value);
         message.set_signature(std::string(64, 'x'));
         record.value = message.SerializeAsString();
       },
       "not the one that was replayed"}};
  for (const auto& [change, wrong] : changes) {
    FakeFeed other;
    const Doors doors = other.AllDoors();
    other.change_record = change;
    other.PublishAll();
    std::swap(feed.box_key, other.box_key);
    EXPECT_THAT(Failing(doors), ElementsAre("topic"));
    EXPECT_THAT(detail, HasSubstr(wrong));
  }
}

TEST_F(ConformanceTest, FindsWhatIsMissingOnTheTopicButNotWhatIsNoLongerKept) {
  const Doors doors = feed.AllDoors();
  for (size_t i = 0; i + 1 < feed.messages.size(); ++i) feed.Publish(feed.messages[i]);
  EXPECT_THAT(Failing(doors), ElementsAre("topic"));
  EXPECT_THAT(detail, HasSubstr("1 replayed messages are not on it, first Statistics/cm-2017 #1"));
  feed.Publish(feed.messages.back());
  kafka::Offsets before;
  for (const auto& message : feed.broker.Messages("feed.fr")) before[message.from()] = 1;
  feed.broker.Forget(before);
  EXPECT_THAT(Failing(doors), IsEmpty()) << detail;
}

TEST_F(ConformanceTest, RepeatsOnTheTopicAreAllowedAndDisorderIsNot) {
  Doors doors = feed.AllDoors();
  feed.PublishAll();
  feed.PublishAll();
  EXPECT_THAT(Failing(doors), IsEmpty()) << detail;
  FakeFeed disorder;
  doors = disorder.AllDoors();
  std::swap(disorder.messages[0], disorder.messages[3]);  // both of Case/c1
  disorder.PublishAll();
  std::swap(disorder.messages[0], disorder.messages[3]);
  EXPECT_THAT(Failing(doors), ElementsAre("topic"));
  EXPECT_THAT(detail, HasSubstr("Case/c1 #1 comes after #2"));
}

// ---- The command --------------------------------------------------------------------------------------------------------

TEST(ConformanceCommand, TellsEachCheckAndEndsWithOneWhereOneFails) {
  FakeFeed feed;
  const Folder folder;
  const std::string key = folder.Write("sealing.key", absl::Base64Escape(std::string(32, 'b')));
  ASSERT_EQ(chmod(key.c_str(), 0600), 0);
  FakeNode node;
  // Only unary calls reach the feed through this caller: the streams give nothing, and fail.
  node.stream_length = 0;
  node.end = status::Unavailable("no stream");
  node.answer = [&feed](const SeenCall& call, google::protobuf::Message& response) {
    const std::string method = call.method.substr(call.method.rfind('/') + 1);
    if (method == "Replay") {
      exchange::v1::ReplayRequest request;
      request.ParseFromString(call.request);
      return feed.Call(call.method, request, response);
    }
    exchange::v1::GetDigestRequest request;
    if (method == "GetDigest") request.ParseFromString(call.request);
    return feed.Call(call.method, request, response);
  };
  Ran ran = RunWith(node, {}, At(folder, {"conformance", "--as", "fr", "--sealing-key", key}));
  EXPECT_EQ(ran.exit_code, kFailed);
  EXPECT_THAT(ran.out, HasSubstr("holds        replay                    10 messages about 4 "));
  EXPECT_THAT(ran.out, HasSubstr("FAILS        subscribe "));
  EXPECT_THAT(ran.out, HasSubstr("not checked  topic "));
  EXPECT_THAT(ran.out, HasSubstr("does not conform: "));
  EXPECT_EQ(node.calls.front().service, "exchange");

  ran = RunWith(node, {}, At(folder, {"--json", "conformance", "--as", "fr"}));
  EXPECT_THAT(ran.out, HasSubstr(R"({"check":"boxes","outcome":"not checked",)"));
  EXPECT_THAT(ran.out, HasSubstr(R"("outcome":"fails")"));
}

TEST(ConformanceCommand, TakesTheFolderThatAnOperatorGave) {
  const Folder folder;
  folder.Write("ca.pem", "ca");
  folder.Write("client.pem", "me");
  folder.Write("client.key", "key");
  FakeNode node;
  const std::string path = folder.Path("");
  const Ran ran = RunWith(
      node, {}, {"--address", "tg.example:7443", "conformance", "--as", "fr", "--folder", path});
  EXPECT_EQ(ran.exit_code, kFailed);
  EXPECT_EQ(node.target.tls.certificate, absl::StrCat(path, "/client.pem"));
  EXPECT_EQ(node.target.tls.key, absl::StrCat(path, "/client.key"));
}

TEST(ConformanceCommand, AKeyFileThatOthersCanReadIsRefused) {
  const Folder folder;
  const std::string key = folder.Write("sealing.key", absl::Base64Escape(std::string(32, 'b')));
  ASSERT_EQ(chmod(key.c_str(), 0644), 0);
  FakeNode node;
  EXPECT_EQ(
      RunWith(node, {}, At(folder, {"conformance", "--as", "fr", "--sealing-key", key})).exit_code,
      kUsage);
  EXPECT_THAT(node.calls, IsEmpty());
}

}  // namespace
}  // namespace sankofa::ctl
