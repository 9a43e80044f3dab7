#include "services/exchange/feed/feed.h"

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "google/protobuf/io/coded_stream.h"
#include "google/protobuf/io/zero_copy_stream_impl_lite.h"
#include "sankofa/common/v1/common_reason.pb.h"
#include "sankofa/exchange/v1/exchange_reason.pb.h"
#include "services/exchange/directory.h"
#include "services/platform/crypto/hash.h"
#include "services/platform/status/check.h"
#include "services/platform/status/refuse.h"
#include "services/platform/time/time.h"

namespace sankofa::exchange {
namespace {

using status::Refuse;

// What Kafka takes, without the frame around it.
constexpr std::size_t kMessageBytesMax = 900 << 10;

std::string IdIn(const std::string& subject) {
  const std::size_t slash = subject.find('/');
  return slash == std::string::npos ? std::string() : subject.substr(slash + 1);
}

bool Sent(const v1::Feed& feed, const v1::AppendToFeedRequest& request) {
  if (request.source().empty()) return false;
  const auto sent = feed.sent().find(SourceKeyOf(request.source(), request.source_stream()));
  return sent != feed.sent().end() && request.source_sequence() <= sent->second;
}

// Whether what the message was gathered from still holds.
bool StillHolds(const v1::Feed& feed, const v1::AppendToFeedRequest& request,
                const engine::Context& context) {
  const auto& partner = context.Related<v1::Partner>(request.receiver());
  if (partner.state() != v1::PARTNER_STATE_ACTIVE) return false;
  if (!request.agreement_id().empty()) {
    const auto& agreement = context.Related<v1::SharingAgreement>(request.agreement_id());
    if (agreement.partner_id() != request.receiver() ||
        !InForce(agreement, time::DayOf(context.now))) {
      return false;
    }
  }
  return request.sealed().empty() || request.sealed_sequence() == feed.sequence() + 1;
}

int VersionIn(const std::string& agreement_id) {
  int version = 0;
  const std::size_t colon = agreement_id.find(':');
  if (colon != std::string::npos) (void)absl::SimpleAtoi(agreement_id.substr(colon + 1), &version);
  return version;
}

v1::FeedEvent EventFor(const v1::Feed& feed, const v1::AppendToFeedRequest& request,
                       const engine::Context& context) {
  v1::FeedEvent event;
  event.set_sender(context.node);
  event.set_receiver(request.receiver());
  event.set_subject(request.subject());
  event.set_sequence(feed.sequence() + 1);
  event.set_previous_hash(feed.last_hash());
  event.set_type(request.type());
  event.set_payload(request.payload());
  *event.mutable_event_time() = request.event_time();
  *event.mutable_issued_time() = time::ToTimestamp(context.now);
  event.set_source(request.source());
  event.set_source_stream(request.source_stream());
  event.set_source_sequence(request.source_sequence());
  event.set_agreement_id(request.agreement_id().substr(0, request.agreement_id().find(':')));
  event.set_agreement_version(VersionIn(request.agreement_id()));
  *event.mutable_purposes() = request.purposes();
  if (!request.sealed().empty()) {
    event.set_sealed_hash(crypto::Hash(request.sealed()));
    event.set_sealing_key_id(request.sealing_key_id());
  }
  return event;
}

}  // namespace

std::string FeedIdOf(const std::string& receiver, const std::string& subject) {
  return absl::StrCat(receiver, ":", subject);
}

std::string CaseSubject(const std::string& case_id) { return absl::StrCat("Case/", case_id); }

std::string CaseIn(const std::string& subject) {
  return subject.starts_with("Case/") ? IdIn(subject) : std::string();
}

std::string SourceKeyOf(const std::string& source, const std::string& stream) {
  return absl::StrCat(source, "/", stream);
}

engine::Decision FeedDecider::Decide(const State& feed, const v1::AppendToFeedRequest& request,
                                     const engine::Context& context) {
  if (Sent(feed, request)) return engine::Events();
  if (!StillHolds(feed, request, context)) return Refuse(v1::REASON_LOOK_AGAIN);
  if (!context.sign) return Refuse(v1::REASON_NO_SIGNING_KEY);
  v1::FeedAppended appended;
  appended.set_event(EventFor(feed, request, context).SerializeAsString());
  if (appended.event().size() + request.sealed().size() > kMessageBytesMax) {
    return Refuse(common::v1::REASON_MESSAGE_TOO_LARGE);
  }
  const engine::Signature signature = context.sign(kFeedSignature, appended.event());
  if (signature.bytes.empty()) return Refuse(v1::REASON_NO_SIGNING_KEY);
  appended.set_key_id(crypto::KeyIdOf(signature.public_key));
  appended.set_signature(signature.bytes);
  appended.set_feed_id(request.feed_id());
  appended.set_subject_id(IdIn(request.subject()));
  appended.set_receiver(request.receiver());
  appended.set_subject(request.subject());
  appended.set_sequence(feed.sequence() + 1);
  appended.set_sealed(request.sealed());
  appended.set_type(request.type());
  if (!request.source().empty()) {
    appended.set_source(SourceKeyOf(request.source(), request.source_stream()));
    appended.set_source_sequence(request.source_sequence());
  }
  appended.set_disclosed(request.disclosed());
  appended.set_stops(request.stops());
  return engine::Emit(std::move(appended));
}

void FeedDecider::Apply(State& feed, const v1::FeedAppended& event) {
  feed.set_id(event.feed_id());
  feed.set_subject_id(event.subject_id());
  feed.set_receiver(event.receiver());
  feed.set_subject(event.subject());
  feed.set_sequence(event.sequence());
  feed.set_last_hash(crypto::Hash(event.event()));
  if (!event.source().empty()) (*feed.mutable_sent())[event.source()] = event.source_sequence();
  if (!event.disclosed().empty()) feed.set_disclosed(event.disclosed());
  if (event.stops()) {
    feed.set_stopped(true);
    feed.clear_disclosed();  // should the person consent again, all is disclosed anew
  } else if (!event.disclosed().empty()) {
    feed.set_stopped(false);
  }
}

void BindFeed(engine::Registry& registry) {
  registry.Command<FeedDecider, v1::AppendToFeedRequest>(
      {.target = engine::Target::kEither,
       .id = [](const v1::AppendToFeedRequest& request) { return request.feed_id(); },
       .names =
           [](const v1::AppendToFeedRequest& request, const v1::Feed& /*feed*/,
              engine::Names& names) {
             names.Add<v1::Partner>(request.receiver());
             names.Add<v1::SharingAgreement>(request.agreement_id());
           }});
}

}  // namespace sankofa::exchange
