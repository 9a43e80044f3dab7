#include "services/exchange/feed/sending.h"

#include <condition_variable>
#include <mutex>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "sankofa/common/v1/node_service.pb.h"
#include "sankofa/registration/v1/registration_reason.pb.h"
#include "services/exchange/directory.h"
#include "services/exchange/feed/access.h"
#include "services/exchange/feed/build/builder.h"
#include "services/exchange/feed/route.h"
#include "services/exchange/health.h"
#include "services/platform/service/runtime.h"
#include "services/platform/status/refuse.h"
#include "services/platform/telemetry/log.h"

namespace sankofa::exchange {
namespace {

namespace reg = registration::v1;

constexpr absl::Duration kCallTime = absl::Seconds(5);
constexpr absl::Duration kLookInterval = absl::Seconds(2);
constexpr absl::Duration kRightsInterval = absl::Minutes(2);  // also where no partner has changed
constexpr absl::Duration kRetryInterval = absl::Seconds(10);
constexpr int kReplayPage = 500;

class NodeSources final : public FeedSources {
 public:
  explicit NodeSources(service::Runtime& runtime) : runtime_(runtime) {}

  absl::StatusOr<std::optional<reg::Disclosure>> Disclose(const std::string& case_id,
                                                          const std::string& partner,
                                                          Purpose purpose, absl::Time at) override {
    reg::GetDisclosureRequest request;
    request.set_case_id(case_id);
    request.set_partner(partner);
    request.set_purpose(purpose);
    reg::Disclosure disclosure;
    rpc::CallOptions options;
    options.deadline = absl::Now() + kCallTime;
    if (runtime_.config().clock.accept_scenario_time) options.scenario_time = at;
    const absl::Status called = runtime_.clients().Call(
        "sankofa.registration.v1.RegistrationService/GetDisclosure", request, disclosure, options);
    if (called.ok()) {
      unanswered_.Over("registration answers about consent again");
      return std::optional(std::move(disclosure));
    }
    if (SaysNo(called)) return std::optional<reg::Disclosure>();
    return Waiting("registration does not say what may be disclosed: feeds wait", called);
  }

  absl::StatusOr<std::vector<engine::IncomingEvent>> Replay(const std::string& service,
                                                            const std::string& case_id) override {
    std::vector<engine::IncomingEvent> events;
    const rpc::Client* client = runtime_.clients().Find(service);
    if (client == nullptr) return status::Unavailable(absl::StrCat(service, " has no address"));
    common::v1::ReplayCaseRequest request;
    request.set_service(service);
    request.set_partition_key(case_id);
    request.set_page_size(kReplayPage);
    common::v1::ReplayResponse response;
    do {
      response.Clear();
      rpc::CallOptions options;
      options.deadline = absl::Now() + kCallTime;
      const absl::Status called =
          client->Call("sankofa.common.v1.NodeService/ReplayCase", request, response, options);
      if (!called.ok()) return Waiting("a case's past can't be read: feeds wait", called);
      for (const auto& event : response.events()) {
        events.push_back({.meta = {.source = service,
                                   .stream = {event.aggregate(), event.aggregate_id()},
                                   .sequence = event.sequence(),
                                   .partition_key = event.partition_key(),
                                   .time = time::FromTimestamp(event.event_time()),
                                   .traceparent = event.traceparent()},
                          .event_type = event.type(),
                          .payload = event.payload()});
      }
      request.set_after(response.cursor());
    } while (!response.end());
    return events;
  }

  absl::StatusOr<std::vector<std::string>> SubmittedCases(const std::string& person_id) override {
    return Ids(
        "select owner_id from shared_case where submitted and person_id = $1 "
        "order by owner_id",
        {person_id});
  }

  absl::StatusOr<std::vector<std::string>> SubmittedAfter(const std::string& after,
                                                          int limit) override {
    return Ids(
        "select owner_id from shared_case where submitted and owner_id > $1 "
        "order by owner_id limit $2::int",
        {after, absl::StrCat(limit)});
  }

  std::string Blind(std::string_view label, std::string_view text) override {
    return runtime_.vault().Blind(label, text);
  }

 private:
  absl::StatusOr<std::vector<std::string>> Ids(const std::string& sql,
                                               const std::vector<postgres::Param>& params) {
    auto connection = runtime_.pool().Acquire(absl::Now() + kCallTime);
    if (!connection.ok()) return connection.status();
    const auto rows = (*connection)->Execute(sql, params);
    if (!rows.ok()) return rows.status();
    std::vector<std::string> ids;
    for (int row = 0; row < rows->rows(); ++row) ids.emplace_back(rows->text(row, 0));
    return ids;
  }

  // Whatever the reason, nothing is decided without an answer.
  absl::Status Waiting(std::string_view message, const absl::Status& why) {
    unanswered_.Met(absl::IsUnavailable(why) ? telemetry::Level::kWarn : telemetry::Level::kError,
                    message, {{"status", why}});
    return status::Unavailable(std::string(why.message()));
  }

  service::Runtime& runtime_;
  telemetry::RepeatedLog unanswered_;
};

class FeedCalls final : public engine::CallSource {
 public:
  explicit FeedCalls(service::Runtime& runtime)
      : directory_(runtime.pool(), runtime.config().node.id),
        sources_(runtime),
        builder_({.node = runtime.config().node.id,
                  .scenario_time = runtime.config().clock.accept_scenario_time},
                 directory_, runtime.store(), sources_) {}
  bool gathers() const override { return true; }
  std::vector<engine::Calls> CallsOf(std::span<const engine::IncomingEvent> events) override {
    const std::lock_guard lock(mutex_);  // the runner, and an operator who replays a dead letter
    return builder_.CallsOf(events);
  }

 private:
  PostgresDirectory directory_;
  NodeSources sources_;
  std::mutex mutex_;
  FeedBuilder builder_;
};

class FeedAccess final : public service::Part, public HealthSource {
 public:
  explicit FeedAccess(service::Runtime& runtime)
      : runtime_(runtime), directory_(runtime.pool(), runtime.config().node.id) {
    thread_ = std::thread([this] { Run(); });
  }

  void Stop() override {
    {
      const std::lock_guard lock(mutex_);
      stopping_ = true;
    }
    wake_.notify_all();
    if (thread_.joinable()) thread_.join();
  }
  ~FeedAccess() override { Stop(); }

  void Fill(const v1::Partner& partner, absl::Time /*deadline*/,
            v1::PartnerHealth& health) override {
    const std::lock_guard lock(mutex_);
    if (rights_ == nullptr) return;
    const absl::Status trouble = rights_->Trouble(partner.id());
    if (trouble.ok()) return;
    health.set_trouble(
        absl::StrCat("its rights in Kafka can't be set: ", std::string(trouble.message())));
    *health.mutable_trouble_time() = time::ToTimestamp(tried_);
  }

 private:
  void Run() {
    const telemetry::ServiceScope scope(runtime_.definition().name);
    std::unique_lock lock(mutex_);
    while (!stopping_) {
      lock.unlock();
      Look();
      lock.lock();
      wake_.wait_for(lock, absl::ToChronoMilliseconds(kLookInterval), [this] { return stopping_; });
    }
  }

  void Look() {
    const auto snapshot = directory_.Current();
    if (!snapshot.ok()) return;  // said where commands wait for the same database
    const absl::Time now = absl::Now();
    if (*snapshot == aligned_ && now < next_) return;
    if (*snapshot != aligned_ && !failed_.ok() && now < next_) return;
    if (!Open()) return;
    const absl::Status aligned = rights_->Align(**snapshot);
    failed_ = aligned;
    aligned_ = aligned.ok() ? *snapshot : nullptr;
    next_ = now + (aligned.ok() ? kRightsInterval : kRetryInterval);
    const std::lock_guard lock(mutex_);
    tried_ = now;
  }

  bool Open() {
    if (admin_ != nullptr) return true;
    auto admin = kafka::OpenAdmin(runtime_.kafka_client());
    if (!admin.ok()) return false;
    admin_ = *std::move(admin);
    const std::lock_guard lock(mutex_);
    rights_ = std::make_unique<FeedRights>(*admin_);
    return true;
  }

  service::Runtime& runtime_;
  PostgresDirectory directory_;
  std::unique_ptr<kafka::Admin> admin_;
  std::shared_ptr<const Snapshot> aligned_;
  absl::Status failed_;
  absl::Time next_ = absl::InfinitePast();

  std::mutex mutex_;
  std::unique_ptr<FeedRights> rights_;  // set once, under mutex_
  absl::Time tried_;                    // guarded by mutex_
  bool stopping_ = false;               // guarded by mutex_
  std::condition_variable wake_;
  std::thread thread_;
};

}  // namespace

bool SaysNo(const absl::Status& answer) {
  const std::string reason = status::ReasonOf(answer);
  return reason == "NO_VALID_CONSENT" || reason == "CASE_ERASED" || reason == "ERASED" ||
         reason == "NOT_FOUND";
}

std::unique_ptr<engine::CallSource> MakeFeedCalls(service::Runtime& runtime) {
  return std::make_unique<FeedCalls>(runtime);
}

std::vector<std::string> FeedTopics(service::Runtime& runtime) {
  std::vector<std::string> topics;
  auto connection = runtime.pool().Acquire(absl::Now() + kCallTime);
  if (!connection.ok()) return topics;
  const auto rows = (*connection)
                        ->Execute("select owner_id from partner where partner_state = $1::int",
                                  {absl::StrCat(static_cast<int>(v1::PARTNER_STATE_ACTIVE))});
  if (!rows.ok()) return topics;
  for (int row = 0; row < rows->rows(); ++row) {
    topics.push_back(FeedTopicOf(std::string(rows->text(row, 0))));
  }
  return topics;
}

std::unique_ptr<service::Part> MakeFeedAccess(service::Runtime& runtime) {
  return std::make_unique<FeedAccess>(runtime);
}

}  // namespace sankofa::exchange
