#pragma once

#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>

#include "services/exchange/digest/compare.h"
#include "services/exchange/directory.h"
#include "services/exchange/health.h"
#include "services/exchange/ingest/ingest.h"
#include "services/exchange/partner_clients.h"
#include "services/exchange/replay/outgoing_feed.h"
#include "services/exchange/replay/subscriptions.h"
#include "services/platform/rpc/queries.h"
#include "services/platform/service/definition.h"

namespace sankofa::service {
class Runtime;
}  // namespace sankofa::service

namespace sankofa::exchange {

// What of exchange runs by itself towards partners: their feeds are read, their subscriptions served, and each night the
// digests are compared; what is missing then is asked for.
class PartnersPart final : public service::Part, public HealthSource {
 public:
  explicit PartnersPart(service::Runtime& runtime);
  ~PartnersPart() override;

  // service::Part
  void Stop() override;
  // HealthSource: how reading the partner's feed goes.
  void Fill(const v1::Partner& partner, absl::Time deadline, v1::PartnerHealth& health) override;

  // Compares with a partner now. NOT_FOUND, PARTNER_SUSPENDED, NOT_A_NODE or PARTNER_UNREACHABLE.
  [[nodiscard]] absl::StatusOr<v1::DigestComparison> Compare(const std::string& code,
                                                             absl::Time now, absl::Time deadline);

  [[nodiscard]] Directory& directory() { return directory_; }
  [[nodiscard]] const OutgoingFeed& outgoing() const { return outgoing_; }
  [[nodiscard]] Subscriptions& subscriptions() { return *subscriptions_; }

 private:
  void EachNight();
  void CompareAll();

  service::Runtime& runtime_;
  PostgresDirectory directory_;
  PartnerClients clients_;
  OutgoingFeed outgoing_;
  FeedReader reader_;
  std::unique_ptr<Subscriptions> subscriptions_;
  std::unique_ptr<Ingest> ingest_;

  DifferenceLog differences_;  // of the thread
  std::mutex mutex_;
  std::condition_variable wake_;
  bool stopping_ = false;
  std::thread nightly_;
};

// What the answers to a partner that reads or compares its feed are made from.
struct FeedAnswers {
  std::function<Directory&()> directory;
  std::function<const OutgoingFeed&()> outgoing;
};
// Replay, GetDigest and GetReceivedDisclosure: what needs no more than that.
void BindFeedAnswers(rpc::Queries& queries, const FeedAnswers& answers);

// Replay, Subscribe, GetDigest, CompareDigests and GetReceivedDisclosure. The part is made when the service starts, later
// than this.
void BindPartnerQueries(rpc::Queries& queries, std::function<PartnersPart&()> part);

}  // namespace sankofa::exchange
