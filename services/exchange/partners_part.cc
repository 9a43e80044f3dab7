#include "services/exchange/partners_part.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "sankofa/common/v1/access_log.pb.h"
#include "sankofa/exchange/v1/exchange_reason.pb.h"
#include "sankofa/exchange/v1/received.pb.h"
#include "services/exchange/feed/feed.h"
#include "services/exchange/ingest/received_feed.h"
#include "services/platform/engine/access_log.h"
#include "services/platform/service/runtime.h"
#include "services/platform/status/refuse.h"
#include "services/platform/status/text.h"

namespace sankofa::exchange {
namespace {

constexpr absl::Duration kPatience = absl::Seconds(5);
constexpr absl::Duration kNightlyPatience = absl::Minutes(2);
constexpr absl::Duration kDigestPatience = absl::Seconds(30);  // of one call; nodes allow a minute
// What is on its way when the night's comparison begins has come by then.
constexpr absl::Duration kSettle = absl::Seconds(30);
constexpr int kReplayDefault = 100;
constexpr char kSubscribe[] = "sankofa.exchange.v1.ExchangeService/Subscribe";

// For what runs by itself; the database and registration as this service's own.
FeedReader ReaderOf(service::Runtime& runtime) {
  return {.sql = [&runtime](const std::string& sql, const std::vector<postgres::Param>& params)
              -> absl::StatusOr<postgres::Result> {
            auto connection = runtime.pool().Acquire(absl::Now() + kPatience);
            if (!connection.ok()) return connection.status();
            return (*connection)->Execute(sql, params);
          },
          .call =
              [&runtime](const std::string& method, const google::protobuf::Message& request,
                         google::protobuf::Message& response, absl::Time now) {
                rpc::CallOptions options;
                options.deadline = absl::Now() + kPatience;
                if (runtime.config().clock.accept_scenario_time) options.scenario_time = now;
                return runtime.clients().Call(method, request, response, options);
              }};
}

FeedReader ReaderOf(rpc::QueryCall& call) {
  return {
      .sql = [&call](const std::string& sql,
                     const std::vector<postgres::Param>& params) { return call.Sql(sql, params); },
      .call = [&call](const std::string& method, const google::protobuf::Message& request,
                      google::protobuf::Message& response,
                      absl::Time /*now*/) { return call.Call(method, request, response); }};
}

absl::Status RecordReads(service::Runtime& runtime, const engine::Actor& actor,
                         const std::set<std::string>& cases) {
  auto request = std::make_shared<common::v1::RecordReadRequest>();
  for (const std::string& id : cases) request->add_partition_keys(id);
  request->set_method(kSubscribe);
  engine::CommandCall call;
  call.request = std::move(request);
  call.actor = actor;
  call.now = absl::Now();
  call.deadline = absl::Now() + kPatience;
  return runtime.executor().Run(std::move(call)).status();
}

Subscriptions::Options SubscriptionsOf(service::Runtime& runtime) {
  Subscriptions::Options options;
  options.record = [&runtime](const engine::Actor& actor, const std::set<std::string>& cases) {
    return RecordReads(runtime, actor, cases);
  };
  if (runtime.config().clock.accept_scenario_time) {
    options.now = []() -> std::optional<absl::Time> { return std::nullopt; };
  }
  return options;
}

}  // namespace

PartnersPart::PartnersPart(service::Runtime& runtime)
    : runtime_(runtime),
      directory_(runtime.pool(), runtime.config().node.id),
      clients_(runtime.config().exchange.partner_folder),
      outgoing_(runtime.signer(), runtime.config().node.id),
      reader_(ReaderOf(runtime)) {
  const config::Config& config = runtime.config();
  subscriptions_ =
      std::make_unique<Subscriptions>(SubscriptionsOf(runtime), outgoing_, directory_, reader_);
  IngestOptions options;
  options.node = config.node.id;
  options.partner_folder = config.exchange.partner_folder;
  options.scenario_time = config.clock.accept_scenario_time;
  options.sealing_key = runtime.sealing_key();
  ingest_ = std::make_unique<Ingest>(std::move(options), runtime.engine(), runtime.store(),
                                     directory_, clients_);
  if (!config.exchange.partner_folder.empty()) nightly_ = std::thread([this] { EachNight(); });
}

PartnersPart::~PartnersPart() { Stop(); }

void PartnersPart::Stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  if (nightly_.joinable()) nightly_.join();
  subscriptions_->Stop();
  ingest_->Stop();
}

void PartnersPart::Fill(const v1::Partner& partner, absl::Time /*deadline*/,
                        v1::PartnerHealth& health) {
  const Ingest::Health reading = ingest_->HealthOf(partner.id());
  health.set_receive_lag(reading.lag);
  if (reading.status.ok()) return;
  health.set_trouble(absl::StrCat(health.trouble(), health.trouble().empty() ? "" : "; ",
                                  reading.status.message()));
  *health.mutable_trouble_time() = time::ToTimestamp(reading.tried);
}

// ---- Digests --------------------------------------------------------------------------------------------------------

absl::StatusOr<v1::DigestComparison> PartnersPart::Compare(const std::string& code, absl::Time now,
                                                           absl::Time deadline) {
  const auto snapshot = directory_.Current();
  if (!snapshot.ok()) return snapshot.status();
  const v1::Partner* partner = (*snapshot)->Find(code);
  if (partner == nullptr) return status::Refuse(v1::REASON_PARTNER_NOT_FOUND);
  if (partner->state() != v1::PARTNER_STATE_ACTIVE) {
    return status::Refuse(v1::REASON_PARTNER_SUSPENDED);
  }
  if (partner->kind() != v1::PARTNER_KIND_NODE) return status::Refuse(v1::REASON_NOT_A_NODE);
  const AskDigest ask = [&](const v1::GetDigestRequest& request) -> absl::StatusOr<v1::Digest> {
    rpc::CallOptions options;
    options.deadline = std::min(deadline, absl::Now() + kDigestPatience);
    v1::Digest digest;
    const absl::Status called = clients_.Call(*partner, "GetDigest", request, digest, options);
    if (called.ok()) return digest;
    return status::Refuse(
        v1::REASON_PARTNER_UNREACHABLE,
        {.fields = {}, .metadata = {{"why", std::string(status::Std(called.message()))}}});
  };
  return CompareWith(reader_, (*snapshot)->node, code, ask, now);
}

void PartnersPart::CompareAll() {
  const auto snapshot = directory_.Current();
  if (!snapshot.ok()) return;
  for (const auto& [code, partner] : (*snapshot)->partners) {
    if (partner.kind() != v1::PARTNER_KIND_NODE || partner.state() != v1::PARTNER_STATE_ACTIVE) {
      continue;
    }
    auto compared = Compare(code, absl::Now(), absl::Now() + kNightlyPatience);
    for (int again = 0; again < 2 && compared.ok() && !compared->equal(); ++again) {
      for (const v1::DigestDifference& difference : compared->differences()) {
        // What the partner sent and is not here is asked for now.
        if (difference.sender() == code &&
            difference.received_sequence() < difference.sent_sequence()) {
          ingest_->Ask(code, difference.subject(), difference.received_sequence() + 1);
        }
      }
      std::unique_lock lock(mutex_);
      wake_.wait_for(lock, absl::ToChronoNanoseconds(kSettle), [this] { return stopping_; });
      if (stopping_) return;
      lock.unlock();
      compared = Compare(code, absl::Now(), absl::Now() + kNightlyPatience);
    }
    if (compared.ok()) {
      differences_.Tell(*compared);
    } else {
      telemetry::Warn("digests could not be compared; the next night tries again",
                      {{"partner", code}, {"status", compared.status()}});
    }
  }
}

void PartnersPart::EachNight() {
  const telemetry::ServiceScope scope("exchange");
  const int hour = runtime_.config().exchange.digest_hour;
  absl::Time next = NextAt(hour, absl::Now());
  while (true) {
    {
      std::unique_lock lock(mutex_);
      wake_.wait_for(lock, std::chrono::seconds(1), [this] { return stopping_; });
      if (stopping_) return;
    }
    if (absl::Now() < next) continue;
    CompareAll();
    next = NextAt(hour, absl::Now());
  }
}

// ---- What partners and services ask ---------------------------------------------------------------------------------

namespace {

absl::StatusOr<v1::ReplayResponse> Replay(const FeedAnswers& answers, rpc::QueryCall& call,
                                          const v1::ReplayRequest& request) {
  const auto snapshot = answers.directory().Current();
  if (!snapshot.ok()) return snapshot.status();
  const auto partner = CallingPartner(**snapshot, call.actor());
  if (!partner.ok()) return partner.status();
  const auto cursor = FeedCursor::Parse(request.cursor());
  if (!cursor) return status::RefuseField(v1::REASON_CURSOR_UNKNOWN, "cursor");
  const int limit = request.page_size() == 0 ? kReplayDefault : request.page_size();
  const FeedReader reader = ReaderOf(call);
  const OutgoingFeed::For whom{.snapshot = **snapshot, .partner = **partner, .now = call.now()};
  const OutgoingFeed& outgoing = answers.outgoing();
  auto page = request.subject().empty() ? outgoing.After(reader, whom, *cursor, limit)
                                        : outgoing.OfSubject(reader, whom, request.subject(),
                                                             request.from_sequence(), limit);
  if (!page.ok()) return page.status();
  for (const std::string& id : page->cases) call.RecordRead(id);
  v1::ReplayResponse response;
  for (v1::FeedMessage& message : page->messages) *response.add_messages() = std::move(message);
  response.set_end(page->end);
  return response;
}

// That a case is shown by its subject alone is a reading too.
void RecordCase(rpc::QueryCall& call, const std::string& subject) {
  if (const std::string id = CaseIn(subject); !id.empty()) call.RecordRead(id);
}

absl::StatusOr<v1::Digest> GetDigest(const FeedAnswers& answers, rpc::QueryCall& call,
                                     const v1::GetDigestRequest& request) {
  const auto snapshot = answers.directory().Current();
  if (!snapshot.ok()) return snapshot.status();
  const auto partner = CallingPartner(**snapshot, call.actor());
  if (!partner.ok()) return partner.status();
  const FeedReader reader = ReaderOf(call);
  const auto tree = request.received() ? ReceivedFrom(reader, (*partner)->id())
                                       : SentTo(reader, (*partner)->id());
  if (!tree.ok()) return tree.status();
  auto digest = tree->At(request.prefix());
  if (!digest.ok()) return digest;
  for (const v1::DigestLeaf& leaf : digest->leaves()) RecordCase(call, leaf.subject());
  return digest;
}

absl::StatusOr<v1::DigestComparison> CompareDigests(PartnersPart& part, rpc::QueryCall& call,
                                                    const v1::CompareDigestsRequest& request) {
  auto compared = part.Compare(request.partner_id(), call.now(), call.deadline());
  if (!compared.ok()) return compared;
  for (const auto& difference : compared->differences()) RecordCase(call, difference.subject());
  return compared;
}

absl::StatusOr<v1::ReceivedDisclosure> GetReceivedDisclosure(
    rpc::QueryCall& call, const v1::GetReceivedDisclosureRequest& request) {
  auto feed = call.LoadPersonal<v1::ReceivedFeed>(
      ReceivedFeedId(request.sender(), absl::StrCat("Case/", request.case_id())),
      request.purpose());
  if (absl::IsNotFound(feed.status())) return status::Refuse(v1::REASON_SUBJECT_NOT_FOUND);
  if (!feed.ok()) return feed.status();
  if (feed->erased()) return status::Refuse(v1::REASON_RECEIVED_ERASED);
  v1::ReceivedDisclosure disclosure;
  disclosure.set_case_id(request.case_id());
  disclosure.set_sender(request.sender());
  *disclosure.mutable_disclosures() = std::move(*feed->mutable_disclosures());
  return disclosure;
}

}  // namespace

void BindFeedAnswers(rpc::Queries& queries, const FeedAnswers& answers) {
  queries.On<v1::ReplayRequest, v1::ReplayResponse>(
      [answers](rpc::QueryCall& call, const v1::ReplayRequest& request) {
        return Replay(answers, call, request);
      });
  queries.On<v1::GetDigestRequest, v1::Digest>(
      [answers](rpc::QueryCall& call, const v1::GetDigestRequest& request) {
        return GetDigest(answers, call, request);
      });
  queries.On<v1::GetReceivedDisclosureRequest, v1::ReceivedDisclosure>(GetReceivedDisclosure);
}

void BindPartnerQueries(rpc::Queries& queries, std::function<PartnersPart&()> part) {
  BindFeedAnswers(queries,
                  {.directory = [part]() -> Directory& { return part().directory(); },
                   .outgoing = [part]() -> const OutgoingFeed& { return part().outgoing(); }});
  queries.OnStream<v1::SubscribeRequest>([part](rpc::QueryCall& call,
                                                const v1::SubscribeRequest& request,
                                                std::shared_ptr<rpc::StreamSink> sink) {
    const auto snapshot = part().directory().Current();
    if (!snapshot.ok()) return snapshot.status();
    const auto partner = CallingPartner(**snapshot, call.actor());
    if (!partner.ok()) return partner.status();
    const auto cursor = FeedCursor::Parse(request.cursor());
    if (!cursor) return status::RefuseField(v1::REASON_CURSOR_UNKNOWN, "cursor");
    part().subscriptions().Add(call.actor(), *cursor, std::move(sink));
    return absl::OkStatus();
  });
  queries.On<v1::CompareDigestsRequest, v1::DigestComparison>(
      [part](rpc::QueryCall& call, const v1::CompareDigestsRequest& request) {
        return CompareDigests(part(), call, request);
      });
}

}  // namespace sankofa::exchange
