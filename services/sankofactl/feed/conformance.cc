#include "services/sankofactl/feed/conformance.h"

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "sankofa/common/v1/options.pb.h"
#include "sankofa/exchange/v1/exchange_service.pb.h"
#include "services/platform/crypto/hash.h"
#include "services/platform/status/refuse.h"
#include "services/platform/status/text.h"
#include "services/sankofactl/catalogue.h"
#include "services/sankofactl/feed/verifier.h"

namespace sankofa::ctl {
namespace {

namespace exch = exchange::v1;
using Outcome = ConformanceCheck::Outcome;

constexpr char kFormat[] = "sankofa.feed.v1";
constexpr int kStreamed = 500;    // messages of a stream that are compared
constexpr int kDigestRounds = 5;  // new messages may come between reading and comparing
constexpr absl::Duration kPoll = absl::Milliseconds(200);
constexpr absl::Duration kAdminPatience = absl::Seconds(10);

std::string PathOfExchange(const char* method) {
  return absl::StrCat("sankofa.exchange.v1.ExchangeService/", method);
}

// A message that was replayed. Its box may be withheld another time.
struct Seen {
  std::string subject;
  std::int64_t sequence = 0;
  std::string signed_part;  // hash over event, key and signature
  std::string box;          // hash; empty where none came
  std::string cursor;
};

Seen SeenOf(const exch::SignedFeedEvent& message, std::string cursor) {
  exch::FeedEvent event;
  (void)event.ParseFromString(message.event());  // what can't be read has no subject
  const std::string zero(1, '\0');
  return {.subject = event.subject(),
          .sequence = event.sequence(),
          .signed_part = crypto::Hash(
              absl::StrCat(message.event(), zero, message.key_id(), zero, message.signature())),
          .box = message.sealed().empty() ? std::string() : crypto::Hash(message.sealed()),
          .cursor = std::move(cursor)};
}

bool Same(const Seen& one, const Seen& other) {
  const bool box = one.box == other.box || one.box.empty() || other.box.empty();
  return one.signed_part == other.signed_part && box;
}

std::string NameOf(const Seen& seen) { return absl::StrCat(seen.subject, " #", seen.sequence); }

absl::Status Wrong(const std::string& what) { return absl::FailedPreconditionError(what); }

// A refusal's reason, or what the call says.
std::string Told(const absl::Status& status) {
  const std::string reason = status::ReasonOf(status);
  const std::string text(status.message());
  if (reason.empty()) return text;
  return text.empty() ? reason : absl::StrCat(reason, ": ", text);
}

std::string HeaderOf(const kafka::Message& message, std::string_view name) {
  for (const kafka::Header& header : message.headers) {
    if (header.name == name) return header.value;
  }
  return {};
}

class Conformance {
 public:
  Conformance(const Doors& doors, const ConformanceOptions& options,
              const std::function<void(const ConformanceCheck&)>& tell)
      : doors_(doors), options_(options), tell_(tell) {}

  std::vector<ConformanceCheck> Run() {
    const bool known = Check("identity", [this] { return Identity(); });
    const bool replayed = known && Check("replay", [this] { return Replay(); });
    if (replayed) {
      Boxes();
      Check("replay of one subject", [this] { return ReplaySubject(); });
      Check("unknown cursor", [this] { return UnknownCursor(); });
      Check("subscribe", [this] { return Subscribe(0); });
      Check("subscribe from a cursor", [this] { return Subscribe(messages_.size() / 2); });
      Check("digest", [this] { return CompareDigest(); });
    }
    Check("methods not for partners", [this] { return MethodsRefused(); });
    if (doors_.admin == nullptr || doors_.consumer == nullptr) {
      Tell({"topic", Outcome::kNotChecked, "say where Kafka is: --brokers host:port"});
      return std::move(checks_);
    }
    if (replayed) Check("topic", [this] { return ReadTopic(); });
    Check("other topics", [this] { return OtherTopics(); });
    return std::move(checks_);
  }

 private:
  void Tell(ConformanceCheck check) {
    checks_.push_back(std::move(check));
    tell_(checks_.back());
  }
  // What was seen, or an error that says what is wrong.
  template <class Function>
  bool Check(const char* name, Function check) {
    const absl::StatusOr<std::string> seen = check();
    Tell({name, seen.ok() ? Outcome::kHolds : Outcome::kFails,
          seen.ok() ? *seen : Told(seen.status())});
    return seen.ok();
  }

  absl::StatusOr<std::string> Identity();
  absl::StatusOr<std::string> Replay();
  absl::Status ReplayOn(std::string cursor);
  void Boxes();
  absl::StatusOr<std::string> ReplaySubject();
  absl::StatusOr<std::string> UnknownCursor();
  absl::StatusOr<std::string> Subscribe(std::size_t from);
  absl::StatusOr<std::string> CompareDigest();
  absl::Status ComparePath(const DigestTree& tree, const std::string& subject);
  absl::Status ComparePlace(const exch::Digest& digest);
  absl::StatusOr<std::string> MethodsRefused();
  absl::StatusOr<std::string> ReadTopic();
  absl::StatusOr<std::string> OtherTopics();

  const Doors& doors_;
  const ConformanceOptions& options_;
  const std::function<void(const ConformanceCheck&)>& tell_;
  std::vector<ConformanceCheck> checks_;
  exch::OwnIdentity node_;
  std::unique_ptr<FeedVerifier> verifier_;
  std::vector<Seen> messages_;                                          // as replayed
  std::map<std::pair<std::string, std::int64_t>, std::size_t> places_;  // by subject and sequence
};

// ---- Who it is ------------------------------------------------------------------------------------------------------

absl::StatusOr<std::string> Conformance::Identity() {
  const std::string path = PathOfExchange("GetOwnIdentity");
  if (auto called = doors_.call(path, exch::GetOwnIdentityRequest(), node_); !called.ok()) {
    return called;
  }
  const exch::PartnerKey& key = node_.key();
  if (node_.node().empty()) return Wrong("the node does not say its code");
  if (node_.format() != kFormat) {
    return Wrong(absl::StrCat("the feed's format is '", node_.format(), "', not '", kFormat, "'"));
  }
  const std::string key_id = crypto::KeyIdOf(key.verification_key());
  if (key_id.empty() || key_id != key.key_id()) {
    return Wrong(absl::StrCat("the key id ", key.key_id(), " is not that of the verification key"));
  }
  const auto& trusted = options_.node_keys;
  const bool pinned =
      std::find(trusted.begin(), trusted.end(), key.verification_key()) != trusted.end();
  if (!trusted.empty() && !pinned) {
    return Wrong(absl::StrCat("the node's key ", key_id, " is none of those given by --node-key"));
  }
  verifier_ = std::make_unique<FeedVerifier>(FeedVerifier::Options{
      .sender = node_.node(),
      .receiver = options_.partner,
      .keys = trusted.empty() ? std::vector<std::string>{key.verification_key()} : trusted,
      .sealing_key = options_.sealing_key});
  return absl::StrCat("node ", node_.node(), " (", node_.country(), "), key ", key_id,
                      pinned ? "" : ": compare it by telephone");
}

// ---- The feed -------------------------------------------------------------------------------------------------------

// All messages after the cursor.
absl::Status Conformance::ReplayOn(std::string cursor) {
  while (true) {
    exch::ReplayRequest request;
    request.set_cursor(cursor);
    request.set_page_size(options_.page_size);
    exch::ReplayResponse page;
    if (auto called = doors_.call(PathOfExchange("Replay"), request, page); !called.ok()) {
      return called;
    }
    if (page.messages_size() > options_.page_size) return Wrong("a page is larger than asked for");
    for (const exch::FeedMessage& message : page.messages()) {
      Seen seen = SeenOf(message.message(), message.cursor());
      if (auto taken = verifier_->Take(message.message()); !taken.ok()) {
        return Wrong(absl::StrCat("message ", messages_.size() + 1, " (", NameOf(seen), ") ",
                                  taken.message()));
      }
      if (seen.cursor.empty() || seen.cursor == cursor) {
        return Wrong(absl::StrCat(NameOf(seen), " has no cursor of its own"));
      }
      cursor = seen.cursor;
      places_[{seen.subject, seen.sequence}] = messages_.size();
      messages_.push_back(std::move(seen));
    }
    if (page.end()) return absl::OkStatus();
    if (page.messages().empty()) return Wrong("a page is empty and not the last");
  }
}

absl::StatusOr<std::string> Conformance::Replay() {
  if (auto replayed = ReplayOn(""); !replayed.ok()) return replayed;
  return absl::StrCat(messages_.size(), " messages about ", verifier_->subjects().size(),
                      " subjects: signatures, addresses and chains hold");
}

void Conformance::Boxes() {
  const FeedVerifier::Counts& counts = verifier_->counts();
  const std::string rest =
      absl::StrCat(counts.withheld, " withheld, ", counts.closed, " for another key");
  if (options_.sealing_key == nullptr) {
    return Tell({"boxes", Outcome::kNotChecked,
                 absl::StrCat("say which key opens them: --sealing-key FILE (", counts.closed,
                              " boxes, ", counts.withheld, " withheld)")});
  }
  Tell({"boxes", Outcome::kHolds,
        absl::StrCat(counts.opened, " opened with ", counts.disclosed, " disclosures, ", rest)});
}

absl::StatusOr<std::string> Conformance::ReplaySubject() {
  const auto& subjects = verifier_->subjects();
  const auto longest = std::max_element(
      subjects.begin(), subjects.end(),
      [](const auto& a, const auto& b) { return a.second.sequence() < b.second.sequence(); });
  if (longest == subjects.end()) return std::string("the feed is empty");
  const auto& [subject, chain] = *longest;
  std::int64_t next = chain.sequence() / 2 + 1;
  const std::int64_t first = next;
  while (next <= chain.sequence()) {
    exch::ReplayRequest request;
    request.set_subject(subject);
    request.set_from_sequence(next);
    request.set_page_size(options_.page_size);
    exch::ReplayResponse page;
    if (auto called = doors_.call(PathOfExchange("Replay"), request, page); !called.ok()) {
      return called;
    }
    if (page.messages().empty()) return Wrong(absl::StrCat(subject, " #", next, " is missing"));
    for (const exch::FeedMessage& message : page.messages()) {
      const Seen seen = SeenOf(message.message(), "");
      if (seen.subject != subject || seen.sequence != next) {
        return Wrong(absl::StrCat("asked for ", subject, " #", next, ", got ", NameOf(seen)));
      }
      const auto place = places_.find({subject, next});
      if (place != places_.end() && !Same(messages_[place->second], seen)) {
        return Wrong(absl::StrCat(NameOf(seen), " is not the same as before"));
      }
      ++next;
    }
  }
  return absl::StrCat(subject, " from #", first, " on: the same messages");
}

absl::StatusOr<std::string> Conformance::UnknownCursor() {
  exch::ReplayRequest request;
  request.set_cursor("not-a-cursor-of-this-feed");
  exch::ReplayResponse page;
  const absl::Status called = doors_.call(PathOfExchange("Replay"), request, page);
  if (called.ok()) return Wrong("a cursor that is none is taken for one");
  if (!absl::IsInvalidArgument(called)) return called;
  return absl::StrCat("refused: ", status::ReasonOf(called));
}

// A stream gives what Replay gave after the `from`-th message.
absl::StatusOr<std::string> Conformance::Subscribe(std::size_t from) {
  if (messages_.empty()) return std::string("the feed is empty");
  exch::SubscribeRequest request;
  if (from > 0) request.set_cursor(messages_[from - 1].cursor);
  const std::size_t wanted = std::min<std::size_t>(messages_.size() - from, kStreamed);
  std::size_t got = 0;
  std::string wrong;
  exch::FeedMessage message;
  const absl::Status read =
      doors_.read(PathOfExchange("Subscribe"), request, message, options_.patience,
                  [&](const google::protobuf::Message& next) {
                    const auto& streamed = static_cast<const exch::FeedMessage&>(next);
                    const Seen seen = SeenOf(streamed.message(), streamed.cursor());
                    const Seen& expected = messages_[from + got];
                    if (!Same(expected, seen) || expected.cursor != seen.cursor) {
                      wrong = absl::StrCat("after ", got, " messages came ", NameOf(seen),
                                           " where Replay had ", NameOf(expected));
                      return false;
                    }
                    return ++got < wanted;
                  });
  if (!wrong.empty()) return Wrong(wrong);
  if (got < wanted) {
    return Wrong(absl::StrCat("gave ", got, " of ", wanted,
                              " messages: ", read.ok() ? "it ended" : Told(read)));
  }
  return absl::StrCat(got, " messages after the first ", from, ": the same as replayed");
}

// ---- Digests --------------------------------------------------------------------------------------------------------

absl::StatusOr<std::string> Conformance::CompareDigest() {
  for (int round = 0; round < kDigestRounds; ++round) {
    exch::Digest root;
    const std::string path = PathOfExchange("GetDigest");
    if (auto called = doors_.call(path, exch::GetDigestRequest(), root); !called.ok()) {
      return called;
    }
    const DigestTree tree(verifier_->subjects());
    if (root.hash() == tree.HashAt("")) {
      if (root.subjects() != tree.SubjectsBelow("")) return Wrong("the number of subjects differs");
      if (messages_.empty()) return std::string("the feed is empty");
      if (auto same = ComparePath(tree, messages_.front().subject); !same.ok()) return same;
      return absl::StrCat("the same over ", root.subjects(), " subjects");
    }
    // Something may have come since.
    const std::size_t before = messages_.size();
    const std::string cursor = messages_.empty() ? "" : messages_.back().cursor;
    if (auto replayed = ReplayOn(cursor); !replayed.ok()) return replayed;
    if (messages_.size() == before) return Wrong("differs from what was replayed");
  }
  return Wrong("differs from what was replayed, which grows faster than it is compared");
}

// From the root down to where one subject lies.
absl::Status Conformance::ComparePath(const DigestTree& tree, const std::string& subject) {
  const std::string place = DigestTree::PlaceOf(subject);
  for (std::size_t digits = 0; digits <= DigestTree::kDepth; ++digits) {
    const std::string prefix = place.substr(0, digits);
    exch::GetDigestRequest request;
    request.set_prefix(prefix);
    exch::Digest digest;
    if (auto called = doors_.call(PathOfExchange("GetDigest"), request, digest); !called.ok()) {
      return called;
    }
    const std::string where = absl::StrCat("at '", prefix, "' ");
    if (digest.hash() != tree.HashAt(prefix)) return Wrong(absl::StrCat(where, "the hash differs"));
    if (digits == DigestTree::kDepth) return ComparePlace(digest);
    if (digest.children_size() != 16) {
      return Wrong(absl::StrCat(where, "there are not 16 children"));
    }
    for (int child = 0; child < 16; ++child) {
      if (digest.children(child) != tree.HashAt(prefix + kHexDigits[child])) {
        return Wrong(absl::StrCat(where, "child ", child, " differs"));
      }
    }
  }
  return absl::OkStatus();
}

absl::Status Conformance::ComparePlace(const exch::Digest& digest) {
  for (const exch::DigestLeaf& leaf : digest.leaves()) {
    const auto chain = verifier_->subjects().find(leaf.subject());
    if (chain == verifier_->subjects().end() || chain->second.sequence() != leaf.sequence() ||
        chain->second.hashes.back() != leaf.last_hash()) {
      return Wrong(absl::StrCat("the leaf of ", leaf.subject(), " differs"));
    }
  }
  return digest.leaves().empty() ? Wrong("the leaves are not listed") : absl::OkStatus();
}

// ---- What is closed -------------------------------------------------------------------------------------------------

// With empty requests: where one was let in after all, it would still be refused for its shape, or change nothing.
absl::StatusOr<std::string> Conformance::MethodsRefused() {
  int refused = 0;
  std::vector<std::string> open;
  for (const auto* method : Methods()) {
    if (method->options().GetExtension(common::v1::access).partners()) continue;
    const auto request = NewMessage(*method->input_type());
    const auto response = NewMessage(*method->output_type());
    const absl::Status called =
        method->server_streaming()
            ? doors_.read(PathOf(*method), *request, *response, kAdminPatience,
                          [](const auto& /*message*/) { return false; })
            : doors_.call(PathOf(*method), *request, *response);
    // A method that this address does not offer is closed too.
    if (absl::IsPermissionDenied(called) || absl::IsUnauthenticated(called) ||
        absl::IsUnimplemented(called)) {
      ++refused;
    } else {
      open.push_back(absl::StrCat(method->service()->name(), "/", method->name(), " (",
                                  called.ok() ? "answered" : Told(called), ")"));
    }
  }
  if (!open.empty()) return Wrong(absl::StrCat("not refused: ", absl::StrJoin(open, ", ")));
  return absl::StrCat(refused, " methods refused");
}

// ---- Kafka ----------------------------------------------------------------------------------------------------------

// What is on the feed's topic, compared with what was replayed.
class TopicReader {
 public:
  TopicReader(const std::vector<Seen>& messages,
              const std::map<std::pair<std::string, std::int64_t>, std::size_t>& places)
      : messages_(messages), places_(places) {}

  absl::Status Take(const kafka::Message& record) {
    const std::string where =
        absl::StrCat("partition ", record.partition, " offset ", record.offset, ": ");
    exch::SignedFeedEvent message;
    exch::FeedEvent event;
    if (!record.has_value || !message.ParseFromString(record.value) ||
        !event.ParseFromString(message.event()) || event.subject().empty()) {
      return Wrong(absl::StrCat(where, "is no message of a feed"));
    }
    const Seen seen = SeenOf(message, "");
    if (auto checked = CheckEnvelope(record, event); !checked.ok()) {
      return Wrong(absl::StrCat(where, NameOf(seen), ": ", checked.message()));
    }
    const auto place = places_.find({seen.subject, seen.sequence});
    if (place != places_.end() && !Same(messages_[place->second], seen)) {
      return Wrong(absl::StrCat(where, NameOf(seen), " is not the one that was replayed"));
    }
    std::int64_t& last = last_[seen.subject];
    if (!found_.insert({seen.subject, seen.sequence}).second) {
      ++repeated_;
    } else if (seen.sequence < last) {
      return Wrong(absl::StrCat(where, NameOf(seen), " comes after #", last));
    }
    last = std::max(last, seen.sequence);
    return absl::OkStatus();
  }

  // Replayed messages that were not on the topic.
  [[nodiscard]] std::vector<const Seen*> Missing() const {
    std::vector<const Seen*> missing;
    for (const Seen& seen : messages_) {
      if (!found_.contains({seen.subject, seen.sequence})) missing.push_back(&seen);
    }
    return missing;
  }
  [[nodiscard]] std::size_t found() const { return found_.size(); }
  [[nodiscard]] int repeated() const { return repeated_; }

 private:
  // Key and headers help to route; what they say has to be what the value says.
  static absl::Status CheckEnvelope(const kafka::Message& record, const exch::FeedEvent& event) {
    const std::string id = event.subject().substr(event.subject().find('/') + 1);
    if (record.key != id) return Wrong(absl::StrCat("the key is '", record.key, "'"));
    const std::vector<std::pair<std::string, std::string>> expected = {
        {"ce_specversion", "1.0"},
        {"ce_type", event.type()},
        {"ce_subject", event.subject()},
        {"ce_sequence", absl::StrCat(event.sequence())}};
    for (const auto& [name, value] : expected) {
      const std::string header = HeaderOf(record, name);
      if (header != value) {
        return Wrong(absl::StrCat("the header ", name, " is '", header, "', not '", value, "'"));
      }
    }
    for (const char* name : {"ce_id", "ce_source", "ce_time"}) {
      if (HeaderOf(record, name).empty()) return Wrong(absl::StrCat("there is no header ", name));
    }
    return absl::OkStatus();
  }

  const std::vector<Seen>& messages_;
  const std::map<std::pair<std::string, std::int64_t>, std::size_t>& places_;
  std::set<std::pair<std::string, std::int64_t>> found_;
  std::map<std::string, std::int64_t> last_;
  int repeated_ = 0;
};

absl::StatusOr<std::string> Conformance::ReadTopic() {
  const std::string topic = absl::StrCat("feed.", options_.partner);
  const auto admin = doors_.admin();
  if (!admin.ok()) return admin.status();
  const auto marks = (*admin)->TopicWatermarks(topic, kAdminPatience);
  if (!marks.ok()) return marks.status();
  const auto consumer =
      doors_.consumer({.group = absl::StrCat("partner-", options_.partner), .topics = {topic}});
  if (!consumer.ok()) return consumer.status();
  // Old messages may have left the topic; then those that are replayed and not there are no fault.
  const bool cut = std::any_of(marks->begin(), marks->end(),
                               [](const auto& mark) { return mark.second.first > 0; });
  TopicReader reader(messages_, places_);
  kafka::Offsets next;
  bool placed = false;
  const auto read_all = [&] {
    return std::all_of(marks->begin(), marks->end(), [&next](const auto& mark) {
      return mark.second.first >= mark.second.next || next[mark.first] >= mark.second.next;
    });
  };
  const absl::Time end = absl::Now() + options_.patience;
  while (absl::Now() < end && !(placed && read_all() && (cut || reader.Missing().empty()))) {
    const auto records = (*consumer)->PollBatch(options_.page_size, kPoll);
    if (auto health = (*consumer)->Health(); absl::IsPermissionDenied(health)) return health;
    if (!records.ok() && !absl::IsUnavailable(records.status())) return records.status();
    if (!placed && (*consumer)->assignment().size() == marks->size()) {
      placed = true;
      for (const auto& [partition, mark] : *marks) {
        if (auto sought = (*consumer)->Seek(partition, mark.first); !sought.ok()) return sought;
      }
      continue;  // what came before is read again
    }
    if (!placed || !records.ok()) continue;
    for (const kafka::Message& record : *records) {
      next[record.from()] = record.offset + 1;
      if (auto taken = reader.Take(record); !taken.ok()) return taken;
    }
  }
  if (!placed) {
    return Wrong(absl::StrCat("the group gave this check ", (*consumer)->assignment().size(),
                              " of ", marks->size(),
                              " partitions: stop your other consumers of it for a moment"));
  }
  const std::vector<const Seen*> missing = reader.Missing();
  if (!missing.empty() && !cut) {
    return Wrong(absl::StrCat(missing.size(), " replayed messages are not on it, first ",
                              NameOf(*missing.front())));
  }
  if (!read_all()) return Wrong("can't be read to its end in time");
  return absl::StrCat(
      reader.found(), " messages, the same as replayed",
      missing.empty() ? "" : absl::StrCat("; ", missing.size(), " are no longer kept"),
      reader.repeated() == 0 ? "" : absl::StrCat("; ", reader.repeated(), " repeats"));
}

absl::StatusOr<std::string> Conformance::OtherTopics() {
  const auto admin = doors_.admin();
  if (!admin.ok()) return admin.status();
  std::vector<std::string> topics = {absl::StrCat("feed.", options_.partner, "-other")};
  for (const std::string& service : ServiceNames())
    topics.push_back(absl::StrCat("sankofa.", service));
  for (const std::string& topic : topics) {
    const auto marks = (*admin)->TopicWatermarks(topic, kAdminPatience);
    if (marks.ok()) return Wrong(absl::StrCat(topic, " may be read"));
    if (!absl::IsPermissionDenied(marks.status())) return marks.status();
  }
  return absl::StrCat(topics.size(), " topics refused");
}

}  // namespace

std::vector<ConformanceCheck> CheckConformance(
    const Doors& doors, const ConformanceOptions& options,
    const std::function<void(const ConformanceCheck&)>& tell) {
  return Conformance(doors, options, tell).Run();
}

}  // namespace sankofa::ctl
