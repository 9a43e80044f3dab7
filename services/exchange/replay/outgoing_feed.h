#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "google/protobuf/message.h"
#include "sankofa/exchange/v1/exchange_events.pb.h"
#include "sankofa/exchange/v1/exchange_service.pb.h"
#include "services/exchange/directory.h"
#include "services/platform/crypto/sign.h"
#include "services/platform/engine/decider.h"
#include "services/platform/postgres/result.h"

// A partner's own feed, read again from the journal: what Replay and Subscribe give. It is the same as on the topic, but
// for two things. What was signed with a key that the node has renewed since is signed anew, for the same bytes: the
// chain is over the bytes, not over the signatures. And a box is withheld unless agreement and consent cover it now.
namespace sankofa::exchange {

// What reading takes: a statement on the service's schema, and a call to registration.
struct FeedReader {
  std::function<absl::StatusOr<postgres::Result>(const std::string& sql,
                                                 const std::vector<postgres::Param>& params)>
      sql;
  // `now`: at what time consents are asked for.
  std::function<absl::Status(const std::string& method, const google::protobuf::Message& request,
                             google::protobuf::Message& response, absl::Time now)>
      call;
};

// A place in a feed, in the order in which transactions wrote it. "<xid>.<position>" for the partner, opaque.
struct FeedCursor {
  std::uint64_t xid = 0;
  std::int64_t position = 0;
  auto operator<=>(const FeedCursor&) const = default;

  // Empty text is the beginning. Nothing for what was never given out.
  [[nodiscard]] static std::optional<FeedCursor> Parse(const std::string& text);
  [[nodiscard]] std::string ToString() const;
};

// Who calls: an active partner, by its certificate. NOT_THE_PARTNER or PARTNER_SUSPENDED otherwise.
[[nodiscard]] absl::StatusOr<const v1::Partner*> CallingPartner(const Snapshot& snapshot,
                                                                const engine::Actor& actor);

class OutgoingFeed {
 public:
  // `node`: our own id.
  OutgoingFeed(const crypto::Signer& signer, std::string node)
      : signer_(signer), node_(std::move(node)) {}

  struct Page {
    std::vector<v1::FeedMessage> messages;
    FeedCursor next;              // behind the last of them
    std::set<std::string> cases;  // that they are about, for the trail
    bool end = false;             // nothing more is there now
  };
  // What reading for one partner takes.
  struct For {
    const Snapshot& snapshot;
    const v1::Partner& partner;
    // When agreement and consent have to cover a box. Nothing: when its message was issued, for nodes on scenario time.
    std::optional<absl::Time> now;
  };

  // Messages of one subject from a sequence on. SUBJECT_NOT_FOUND where there never was one.
  [[nodiscard]] absl::StatusOr<Page> OfSubject(const FeedReader& reader, const For& whom,
                                               const std::string& subject,
                                               std::int64_t from_sequence, int limit) const;
  // Messages of all subjects behind a cursor; only those before which nothing can turn up any more.
  [[nodiscard]] absl::StatusOr<Page> After(const FeedReader& reader, const For& whom,
                                           FeedCursor cursor, int limit) const;

 private:
  class Gate;
  [[nodiscard]] absl::StatusOr<Page> Give(const FeedReader& reader, const For& whom,
                                          const postgres::Result& rows, int limit) const;

  const crypto::Signer& signer_;
  const std::string node_;
};

}  // namespace sankofa::exchange
