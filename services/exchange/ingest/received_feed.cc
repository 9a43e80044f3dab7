#include "services/exchange/ingest/received_feed.h"

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "sankofa/exchange/v1/exchange_reason.pb.h"
#include "sankofa/exchange/v1/partner.pb.h"
#include "services/exchange/ingest/verify.h"
#include "services/platform/crypto/hash.h"
#include "services/platform/postgres/result.h"
#include "services/platform/time/time.h"

namespace sankofa::exchange {
namespace {

std::string KeySubjectOf(const v1::ReceivedFeed& feed, const std::string& id) {
  return feed.erasures() == 0 ? id : absl::StrCat(id, "#", feed.erasures());
}

// A message whose place is taken: the same one again, or another.
absl::Status TakenPlace(const v1::ReceivedFeed& feed, const v1::FeedEvent& event,
                        const std::string& hash, const engine::Context& context) {
  std::string before;
  if (event.sequence() == feed.sequence()) {
    before = feed.last_hash();
  } else if (const auto* applied = context.Facts<v1::AppliedMessage>();
             applied != nullptr && applied->sequence() == event.sequence()) {
    before = applied->hash();
  } else {
    return status::Refuse(v1::REASON_LOOK_AGAIN);
  }
  return status::Refuse(hash == before ? v1::REASON_MESSAGE_REPEATED : v1::REASON_MESSAGE_REPLAYED);
}

std::string TimeText(const google::protobuf::Timestamp& time) {
  return postgres::TimeText(time::FromTimestamp(time));
}

}  // namespace

std::string ReceivedFeedId(const std::string& sender, const std::string& subject) {
  return absl::StrCat(sender, ":", subject);
}

engine::Decision ReceivedFeedDecider::Decide(const State& feed,
                                             const v1::ReceiveUpdateRequest& request,
                                             const engine::Context& context) {
  const v1::FeedEvent& event = request.event();
  const auto& partner = context.Related<v1::Partner>(event.sender());
  if (partner.id().empty()) return status::Refuse(v1::REASON_PARTNER_NOT_FOUND);
  if (partner.state() != v1::PARTNER_STATE_ACTIVE) {
    return status::Refuse(v1::REASON_PARTNER_SUSPENDED);
  }
  const std::string hash = crypto::Hash(request.message().event());
  if (event.sequence() <= feed.sequence()) return TakenPlace(feed, event, hash, context);
  if (event.sequence() > feed.sequence() + 1) return status::Refuse(v1::REASON_MESSAGES_MISSING);
  if (event.previous_hash() != feed.last_hash()) return status::Refuse(v1::REASON_CHAIN_BROKEN);

  v1::UpdateReceived received;
  received.set_feed_id(request.feed_id());
  received.set_subject_id(SubjectIdOf(event.subject()));
  received.set_sender(event.sender());
  received.set_subject(event.subject());
  received.set_sequence(event.sequence());
  received.set_type(event.type());
  received.set_event(request.message().event());
  received.set_key_id(request.message().key_id());
  received.set_signature(request.message().signature());
  *received.mutable_disclosures() = request.disclosures();
  received.set_discloses(!request.disclosures().empty());
  received.set_key_subject(KeySubjectOf(feed, request.feed_id()));
  *received.mutable_received_time() = time::ToTimestamp(context.now);
  return engine::Emit(std::move(received));
}

engine::Decision ReceivedFeedDecider::Decide(const State& feed,
                                             const v1::EraseReceivedRequest& request,
                                             const engine::Context& context) {
  if (feed.erased()) return engine::Events();
  v1::ReceivedErased erased;
  erased.set_feed_id(request.feed_id());
  erased.set_subject_id(feed.subject_id());
  erased.set_key_subject(feed.key_subject());
  *erased.mutable_erased_time() = time::ToTimestamp(context.now);
  return engine::Emit(std::move(erased));
}

void ReceivedFeedDecider::Apply(State& feed, const v1::UpdateReceived& event) {
  feed.set_id(event.feed_id());
  feed.set_subject_id(event.subject_id());
  feed.set_sender(event.sender());
  feed.set_subject(event.subject());
  feed.set_sequence(event.sequence());
  feed.set_last_hash(crypto::Hash(event.event()));
  feed.set_key_subject(event.key_subject());
  // A box replaces what earlier ones said; a message without one changes nothing in them.
  if (event.discloses()) {
    *feed.mutable_disclosures() = event.disclosures();
    feed.set_erased(false);
  }
  *feed.mutable_received_time() = event.received_time();
}

void ReceivedFeedDecider::Apply(State& feed, const v1::ReceivedErased& /*event*/) {
  feed.clear_disclosures();
  feed.set_erased(true);
  feed.set_erasures(feed.erasures() + 1);
  feed.set_key_subject(KeySubjectOf(feed, feed.id()));
}

const engine::Table& ReceivedFeedDecider::EventTable() {
  static const engine::Table table{
      .name = "received_update",
      .columns = {"sender", "subject_id", "sequence", "type", "hash", "event_time",
                  "received_time"},
      .types = {"text", "text", "bigint", "text", "bytea", "timestamptz", "timestamptz"},
      .mode = engine::Table::Mode::kAppend};
  return table;
}

std::vector<engine::Row> ReceivedFeedDecider::ProjectEvent(const State& feed,
                                                           const google::protobuf::Message& event) {
  const auto* received = dynamic_cast<const v1::UpdateReceived*>(&event);
  if (received == nullptr) return {};
  v1::FeedEvent sent;
  if (!sent.ParseFromString(received->event())) return {};
  return {{{feed.sender(), feed.subject_id(), absl::StrCat(received->sequence()), received->type(),
            absl::StrCat("\\x", absl::BytesToHexString(feed.last_hash())),
            TimeText(sent.event_time()), TimeText(received->received_time())}}};
}

}  // namespace sankofa::exchange
