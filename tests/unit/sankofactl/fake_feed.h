#pragma once

#include <algorithm>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "sankofa/exchange/v1/exchange_reason.pb.h"
#include "sankofa/exchange/v1/exchange_service.pb.h"
#include "services/platform/crypto/box.h"
#include "services/platform/crypto/hash.h"
#include "services/platform/crypto/sign.h"
#include "services/platform/kafka/memory_broker.h"
#include "services/platform/status/refuse.h"
#include "services/platform/time/time.h"
#include "services/sankofactl/feed/conformance.h"
#include "services/sankofactl/feed/verifier.h"

// Node tg as partner fr meets it: a feed with its chains, and the methods that are open to partners. Tests break it.
namespace sankofa::ctl::testing {

class FakeFeed {
 public:
  FakeFeed() {
    for (int i = 0; i < 3; ++i) {
      for (const char* id : {"c1", "c2", "c3"}) Append(absl::StrCat("Case/", id), i == 0);
    }
    Append("Statistics/cm-2017", false);
  }

  // The next message of a subject, with a box where it discloses.
  void Append(const std::string& subject, bool discloses) {
    exchange::v1::FeedEvent event;
    event.set_sender("tg");
    event.set_receiver("fr");
    event.set_subject(subject);
    SubjectChain& chain = chains[subject];
    event.set_sequence(chain.sequence() + 1);
    if (!chain.hashes.empty()) event.set_previous_hash(chain.hashes.back());
    event.set_type("sankofa.registration.v1.CaseArrived");
    *event.mutable_event_time() = time::ToTimestamp(absl::FromUnixSeconds(1'500'000'000));
    *event.mutable_issued_time() = event.event_time();
    exchange::v1::SignedFeedEvent message;
    if (discloses) {
      exchange::v1::SealedContent content;
      content.set_subject(subject);
      content.set_sequence(event.sequence());
      content.add_disclosures()->set_partner("fr");
      message.set_sealed(*crypto::SealFor(box_key->public_key(), content.SerializeAsString()));
      event.set_sealed_hash(crypto::Hash(message.sealed()));
      event.set_sealing_key_id(crypto::KeyIdOf(box_key->public_key()));
    }
    Sign(event, message);
    chain.hashes.push_back(crypto::Hash(message.event()));
    messages.push_back(message);
  }
  void Sign(const exchange::v1::FeedEvent& event, exchange::v1::SignedFeedEvent& message) const {
    message.set_event(event.SerializeAsString());
    message.set_key_id(crypto::KeyIdOf(signer->public_key()));
    message.set_signature(signer->Sign("sankofa.feed.v1", message.event()));
  }

  // What a partner's call gets.
  absl::Status Call(const std::string& path, const google::protobuf::Message& request,
                    google::protobuf::Message& response) {
    const std::string method = path.substr(path.rfind('/') + 1);
    if (path.find("ExchangeService/") == std::string::npos) return Refused();
    if (method == "GetOwnIdentity") {
      auto& identity = static_cast<exchange::v1::OwnIdentity&>(response);
      identity.set_node("tg");
      identity.set_country("TG");
      identity.mutable_key()->set_verification_key(signer->public_key());
      identity.mutable_key()->set_key_id(crypto::KeyIdOf(signer->public_key()));
      identity.set_format("sankofa.feed.v1");
      return absl::OkStatus();
    }
    if (method == "Replay") {
      return Replay(static_cast<const exchange::v1::ReplayRequest&>(request),
                    static_cast<exchange::v1::ReplayResponse&>(response));
    }
    if (method == "GetDigest") {
      Digest(static_cast<const exchange::v1::GetDigestRequest&>(request).prefix(),
             static_cast<exchange::v1::Digest&>(response));
      return absl::OkStatus();
    }
    return method == open_method ? absl::OkStatus() : Refused();
  }
  absl::Status Read(const std::string& path, const google::protobuf::Message& request,
                    google::protobuf::Message& response,
                    const std::function<bool(const google::protobuf::Message&)>& take) {
    if (path.find("ExchangeService/Subscribe") == std::string::npos) return Refused();
    std::size_t at = 0;
    const auto& cursor = static_cast<const exchange::v1::SubscribeRequest&>(request).cursor();
    if (!cursor.empty() && !absl::SimpleAtoi(cursor, &at)) return UnknownCursor();
    for (at += streams_skip; at < messages.size(); ++at) {
      Fill(at, static_cast<exchange::v1::FeedMessage&>(response));
      if (!take(response)) return absl::OkStatus();
    }
    return status::Unavailable("nothing more in time");
  }

  // All that is on the feed, onto its topic.
  void PublishAll() {
    for (const auto& message : messages) Publish(message);
  }
  void Publish(const exchange::v1::SignedFeedEvent& message) {
    exchange::v1::FeedEvent event;
    event.ParseFromString(message.event());
    kafka::Record record{.topic = "feed.fr",
                         .key = event.subject().substr(event.subject().find('/') + 1),
                         .value = message.SerializeAsString(),
                         .headers = {{"ce_specversion", "1.0"},
                                     {"ce_id", "1"},
                                     {"ce_source", "tg/exchange"},
                                     {"ce_type", event.type()},
                                     {"ce_subject", event.subject()},
                                     {"ce_time", "2017-07-14T02:40:00Z"},
                                     {"ce_sequence", absl::StrCat(event.sequence())}}};
    if (change_record) change_record(record);
    auto producer = broker.MakeProducer({.on_delivery = nullptr});
    (void)producer->Produce(record, 1);
    (void)producer->Flush(absl::Seconds(1));
  }

  // As the certificate partner-fr: other topics are closed.
  class PartnerAdmin final : public kafka::Admin {
   public:
    PartnerAdmin(std::unique_ptr<kafka::Admin> admin, const FakeFeed& feed)
        : admin_(std::move(admin)), feed_(feed) {}
    absl::Status EnsureTopics(const std::vector<kafka::TopicSpec>& topics,
                              absl::Duration timeout) override {
      return admin_->EnsureTopics(topics, timeout);
    }
    absl::Status DeleteTopic(const std::string& topic, absl::Duration timeout) override {
      return admin_->DeleteTopic(topic, timeout);
    }
    absl::StatusOr<std::map<kafka::TopicPartition, kafka::Watermarks>> TopicWatermarks(
        const std::string& topic, absl::Duration timeout) override {
      if (topic != "feed.fr" && topic != feed_.open_topic) {
        return absl::PermissionDeniedError("not authorised");
      }
      return admin_->TopicWatermarks(topic, timeout);
    }
    absl::StatusOr<kafka::Offsets> GroupOffsets(const std::string& group, const std::string& topic,
                                                absl::Duration timeout) override {
      return admin_->GroupOffsets(group, topic, timeout);
    }
    absl::Status EnsureAcls(const std::vector<kafka::Acl>& acls, absl::Duration timeout) override {
      return admin_->EnsureAcls(acls, timeout);
    }
    absl::Status RemoveAcls(const std::vector<kafka::Acl>& acls, absl::Duration timeout) override {
      return admin_->RemoveAcls(acls, timeout);
    }
    absl::StatusOr<std::vector<kafka::Acl>> DescribeAcls(const std::string& principal,
                                                         absl::Duration timeout) override {
      return admin_->DescribeAcls(principal, timeout);
    }

   private:
    std::unique_ptr<kafka::Admin> admin_;
    const FakeFeed& feed_;
  };

  Doors AllDoors() {
    Doors doors = GrpcDoors();
    (void)broker.MakeAdmin()->EnsureTopics(
        {{.name = "feed.fr", .partitions = 3}, {.name = "sankofa.funding"}}, absl::Seconds(1));
    doors.admin = [this] { return std::make_unique<PartnerAdmin>(broker.MakeAdmin(), *this); };
    doors.consumer = [this](kafka::ConsumerOptions options) {
      groups.push_back(options.group);
      return broker.MakeConsumer(std::move(options));
    };
    return doors;
  }
  Doors GrpcDoors() {
    return {.call = [this](const auto& path, const auto& request,
                           auto& response) { return Call(path, request, response); },
            .read = [this](const auto& path, const auto& request, auto& response, auto /*patience*/,
                           const auto& take) { return Read(path, request, response, take); },
            .admin = nullptr,
            .consumer = nullptr};
  }

  std::shared_ptr<crypto::Signer> signer = *crypto::Signer::FromSeed(std::string(32, 's'));
  std::shared_ptr<crypto::SealingKey> box_key =
      *crypto::SealingKey::FromSecret(std::string(32, 'b'));
  std::map<std::string, SubjectChain> chains;
  std::vector<exchange::v1::SignedFeedEvent> messages;
  kafka::MemoryBroker broker;
  std::vector<std::string> groups;

  // What may be broken.
  bool withholds = false;        // boxes
  std::size_t streams_skip = 0;  // messages that a stream leaves out
  bool wrong_digest = false;
  bool takes_any_cursor = false;
  std::string open_method;  // that should be closed
  std::string open_topic;
  std::function<void(kafka::Record&)> change_record;
  std::function<void()> before_digest;

 private:
  static absl::Status Refused() { return absl::PermissionDeniedError("not allowed"); }
  static absl::Status UnknownCursor() {
    return status::Refuse(exchange::v1::REASON_CURSOR_UNKNOWN);
  }
  void Fill(std::size_t at, exchange::v1::FeedMessage& message) const {
    *message.mutable_message() = messages[at];
    if (withholds) message.mutable_message()->clear_sealed();
    message.set_cursor(absl::StrCat(at + 1));
  }
  absl::Status Replay(const exchange::v1::ReplayRequest& request,
                      exchange::v1::ReplayResponse& page) const {
    std::size_t at = 0;
    if (!request.cursor().empty() && !absl::SimpleAtoi(request.cursor(), &at) &&
        !takes_any_cursor) {
      return UnknownCursor();
    }
    for (; at < messages.size(); ++at) {
      exchange::v1::FeedEvent event;
      event.ParseFromString(messages[at].event());
      if (!request.subject().empty() &&
          (event.subject() != request.subject() || event.sequence() < request.from_sequence())) {
        continue;
      }
      if (page.messages_size() == request.page_size()) return absl::OkStatus();
      Fill(at, *page.add_messages());
    }
    page.set_end(true);
    return absl::OkStatus();
  }
  void Digest(const std::string& prefix, exchange::v1::Digest& digest) {
    if (before_digest) std::exchange(before_digest, nullptr)();
    const DigestTree tree(chains);
    digest.set_prefix(prefix);
    digest.set_hash(wrong_digest ? std::string(32, 'x') : tree.HashAt(prefix));
    digest.set_subjects(tree.SubjectsBelow(prefix));
    if (prefix.size() < DigestTree::kDepth) {
      for (const char digit : std::string(kHexDigits))
        digest.add_children(tree.HashAt(prefix + digit));
      return;
    }
    for (const auto& [subject, chain] : chains) {
      if (DigestTree::PlaceOf(subject) != prefix) continue;
      exchange::v1::DigestLeaf& leaf = *digest.add_leaves();
      leaf.set_subject(subject);
      leaf.set_sequence(chain.sequence());
      leaf.set_last_hash(chain.hashes.back());
    }
  }
};

}  // namespace sankofa::ctl::testing
