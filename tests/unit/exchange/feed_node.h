#pragma once

#include <gtest/gtest.h>

#include <limits>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "sankofa/exchange/v1/exchange_events.pb.h"
#include "sankofa/exchange/v1/feed.pb.h"
#include "services/exchange/commands.h"
#include "services/exchange/feed/build/builder.h"
#include "services/exchange/feed/feed.h"
#include "services/exchange/feed/route.h"
#include "services/platform/engine/memory_store.h"
#include "tests/unit/exchange/fake_directory.h"
#include "tests/unit/exchange/fixture.h"

// The sending side of the node "tg" in memory: builder, engine and store are the real ones; the other services, their
// journals and their consents are the test's.
namespace sankofa::exchange {

namespace reg = registration::v1;

// What the other services would say.
class FakeServices final : public FeedSources {
 public:
  // By case, partner and purpose.
  std::map<std::tuple<std::string, std::string, Purpose>, reg::Disclosure> consents;
  std::map<std::string, std::vector<engine::IncomingEvent>> journal;  // by service
  std::map<std::string, v1::SharedCase> cases;                        // submitted ones
  absl::Status status;
  int asked = 0;
  int replayed = 0;

  absl::StatusOr<std::optional<reg::Disclosure>> Disclose(const std::string& case_id,
                                                          const std::string& partner,
                                                          Purpose purpose,
                                                          absl::Time /*at*/) override {
    ++asked;
    if (!status.ok()) return status;
    const auto found = consents.find({case_id, partner, purpose});
    if (found == consents.end()) return std::optional<reg::Disclosure>();
    return std::optional(found->second);
  }
  absl::StatusOr<std::vector<engine::IncomingEvent>> Replay(const std::string& service,
                                                            const std::string& case_id) override {
    ++replayed;
    if (!status.ok()) return status;
    std::vector<engine::IncomingEvent> events;
    for (const auto& event : journal[service]) {
      if (event.meta.partition_key == case_id) events.push_back(event);
    }
    return events;
  }
  absl::StatusOr<std::vector<std::string>> SubmittedCases(const std::string& person_id) override {
    std::vector<std::string> found;
    for (const auto& [id, of] : cases) {
      if (of.person_id() == person_id) found.push_back(id);
    }
    return found;
  }
  absl::StatusOr<std::vector<std::string>> SubmittedAfter(const std::string& after,
                                                          int limit) override {
    std::vector<std::string> found;
    for (auto at = cases.upper_bound(after);
         at != cases.end() && static_cast<int>(found.size()) < limit; ++at) {
      found.push_back(at->first);
    }
    return found;
  }
  std::string Blind(std::string_view label, std::string_view text) override {
    return test::FakeBlind(label, text);
  }
};

// A message as a partner sees it, verified and opened.
struct Received {
  v1::FeedEvent event;
  bool boxed = false;
  v1::SealedContent content;
};

class FeedNode {
 public:
  explicit FeedNode(absl::Time now = absl::FromCivil(absl::CivilHour(2026, 6, 1, 9),
                                                     absl::UTCTimeZone()))
      : clock(now) {
    BindCommands(registry_);
    session_ = *store.Open(absl::InfiniteFuture());
  }

  // A partner that runs a node, with the keys named by `seed`.
  v1::Partner& AddPartner(const std::string& code, char seed,
                          v1::PartnerKind kind = v1::PARTNER_KIND_NODE) {
    v1::Partner& partner = partners_[code];
    partner.set_id(code);
    partner.set_kind(kind);
    partner.set_state(v1::PARTNER_STATE_ACTIVE);
    partner.set_certificate_identity(absl::StrCat("partner-", code));
    auto& key = *partner.add_keys();
    key.set_key_id(KeyId(seed));
    key.set_verification_key(Signer(seed).public_key());
    key.set_sealing_key(Sealer(seed).public_key());
    seeds_[code] = seed;
    Keep(code);
    return partner;
  }
  v1::Partner& partner(const std::string& code) { return partners_.at(code); }

  // An agreement in force, proposed by us; the caller fills in what is shared, then calls Keep.
  v1::SharingAgreement& AddAgreement(const std::string& partner, const std::string& id = "a") {
    v1::SharingAgreement& agreement = agreements_[absl::StrCat(id, ":1")];
    agreement.set_id(absl::StrCat(id, ":1"));
    agreement.set_partner_id(partner);
    agreement.set_state(v1::AGREEMENT_STATE_SIGNED);
    *agreement.mutable_signed_time() = time::ToTimestamp(absl::FromUnixSeconds(1'577'836'800));
    auto& terms = *agreement.mutable_terms();
    terms.set_agreement_id(id);
    terms.set_version(1);
    terms.set_proposer("tg");
    terms.set_counterpart(partner);
    terms.set_from_date("2020-01-01");
    terms.set_until_date("2030-12-31");
    return agreement;
  }

  // Partner and agreements as they stand now, in the directory and in the store.
  void Keep(const std::string& code) {
    directory.Clear();
    for (const auto& [_, partner] : partners_) directory.Put(partner);
    for (const auto& [_, agreement] : agreements_) {
      if (agreement.state() == v1::AGREEMENT_STATE_SIGNED) directory.Put(agreement);
    }
    Store(partners_.at(code));
    for (const auto& [_, agreement] : agreements_) {
      if (agreement.partner_id() == code) Store(agreement);
    }
  }

  // An event of a service, as it comes from its topic.
  engine::IncomingEvent Make(const std::string& source, const std::string& type,
                             const std::string& id, const std::string& partition_key,
                             const google::protobuf::Message& message) {
    std::int64_t& sequence = sequences_[source + "/" + type + "/" + id];
    engine::IncomingEvent event{.meta = {.source = source,
                                         .stream = {type, id},
                                         .sequence = ++sequence,
                                         .partition_key = partition_key,
                                         .time = clock.Now(),
                                         .traceparent = ""},
                                .event_type = message.GetDescriptor()->full_name(),
                                .payload = message.SerializeAsString()};
    services.journal[source].push_back(event);
    return event;
  }
  template <class Event>
  void Case(const Event& event) {
    Happens(Make("registration", "Case", event.case_id(), event.case_id(), event));
  }
  void Happens(const engine::IncomingEvent& event) {
    auto result = React({event});
    ASSERT_TRUE(result.ok()) << result.status();
    ASSERT_EQ(result->dead_letters, 0)
        << store.dead_letters().back().reason << ": " << store.dead_letters().back().detail;
    DeliverOwn();
  }
  absl::StatusOr<engine::ReactionResult> React(std::vector<engine::IncomingEvent> events) {
    return engine_.React(*session_, *builder_, events);
  }

  // Exchange's own events come back to it by its own topic; at most `rows` of its journal.
  void DeliverOwn(std::size_t rows = std::numeric_limits<std::size_t>::max()) {
    for (; rows > 0 && !DeliveredAll(); --rows) {
      const auto delivered = TryToDeliverOwn();
      ASSERT_TRUE(delivered.ok()) << delivered;
    }
  }
  // The next of them. Where it can't be applied, a new process will try it again.
  absl::Status TryToDeliverOwn() {
    const engine::JournalRow row = store.journal()[delivered_];
    if (row.publish && row.stream.type != "Feed") {
      auto result = React({{.meta = {.source = "exchange",
                                     .stream = row.stream,
                                     .sequence = row.sequence,
                                     .partition_key = row.partition_key,
                                     .time = row.event_time,
                                     .traceparent = ""},
                            .event_type = row.event_type,
                            .payload = row.payload}});
      if (!result.ok()) {
        Restart();
        return result.status();
      }
      EXPECT_EQ(result->dead_letters, 0) << store.dead_letters().back().reason;
    }
    ++delivered_;
    return absl::OkStatus();
  }
  [[nodiscard]] bool DeliveredAll() const { return delivered_ == store.journal().size(); }
  // A new process: what is not stored is forgotten.
  void Restart() {
    builder_ = std::make_unique<FeedBuilder>(FeedBuilder::Options{.node = "tg"}, directory, store,
                                             services, clock);
  }

  // All that is on the partner's topic, checked as the partner would: signature, address, chain, box.
  std::vector<Received> Topic(const std::string& code) {
    std::vector<Received> all;
    std::map<std::string, std::pair<std::int64_t, std::string>> chains;
    for (const engine::JournalRow& row : store.journal()) {
      const auto record = FeedRecordOf(row);
      if (!record || record->topic != FeedTopicOf(code)) continue;
      v1::SignedFeedEvent message;
      Received received;
      EXPECT_TRUE(message.ParseFromString(record->value));
      EXPECT_TRUE(received.event.ParseFromString(message.event()));
      EXPECT_TRUE(crypto::Verifies(Signer('t').public_key(), "sankofa.feed.v1", message.event(),
                                   message.signature()));
      EXPECT_EQ(message.key_id(), KeyId('t'));
      EXPECT_EQ(received.event.sender(), "tg");
      EXPECT_EQ(received.event.receiver(), code);
      auto& [sequence, hash] = chains[received.event.subject()];
      EXPECT_EQ(received.event.sequence(), ++sequence);
      EXPECT_EQ(received.event.previous_hash(), hash);
      hash = crypto::Hash(message.event());
      received.boxed = !message.sealed().empty();
      EXPECT_EQ(received.event.sealed_hash(),
                received.boxed ? crypto::Hash(message.sealed()) : std::string());
      if (received.boxed) {
        const auto opened = Sealer(seeds_.at(code)).Open(message.sealed());
        EXPECT_TRUE(opened.ok()) << opened.status();
        EXPECT_TRUE(received.content.ParseFromString(*opened));
        EXPECT_EQ(received.content.subject(), received.event.subject());
        EXPECT_EQ(received.content.sequence(), received.event.sequence());
      }
      all.push_back(std::move(received));
    }
    return all;
  }
  // The short names of the types, in order.
  std::vector<std::string> Types(const std::string& code) {
    std::vector<std::string> types;
    for (const Received& received : Topic(code)) {
      types.push_back(received.event.type().substr(received.event.type().rfind('.') + 1));
    }
    return types;
  }

  time::ManualClock clock;
  FakeServices services;
  FakeDirectory directory{"tg"};
  engine::MemoryStore store;

 private:
  template <class State>
  void Store(const State& state) {
    engine::WriteSet writes;
    const auto key = engine::KeyOf<State>(state.id());
    auto loaded = session_->Load({.streams = {key}, .request_ids = {}, .inbox = {}});
    ASSERT_TRUE(loaded.ok());
    writes.states.push_back({.stream = key,
                             .partition_key = state.id(),
                             .stored = {loaded->streams[key].version + 1, state.SerializeAsString(),
                                        std::string(32, 'h')}});
    ASSERT_TRUE(session_->Commit(writes).ok());
  }

  engine::Registry registry_;
  std::unique_ptr<crypto::Vault> vault_ = *crypto::Vault::FromBytes(std::string(32, 'k'));
  std::shared_ptr<const crypto::Signer> signer_ = *crypto::Signer::FromSeed(std::string(32, 't'));
  engine::Engine engine_{{.node = "tg", .country = "TG", .service = "exchange", .signer = signer_},
                         registry_,
                         *vault_};
  std::unique_ptr<engine::StoreSession> session_;
  std::map<std::string, v1::Partner> partners_;
  std::map<std::string, v1::SharingAgreement> agreements_;
  std::map<std::string, char> seeds_;
  std::map<std::string, std::int64_t> sequences_;
  std::size_t delivered_ = 0;
  std::unique_ptr<FeedBuilder> builder_ = std::make_unique<FeedBuilder>(
      FeedBuilder::Options{.node = "tg"}, directory, store, services, clock);
};

}  // namespace sankofa::exchange
