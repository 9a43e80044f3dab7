#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "sankofa/exchange/v1/backlog.pb.h"
#include "sankofa/exchange/v1/exchange_internal.pb.h"
#include "sankofa/exchange/v1/feed.pb.h"
#include "sankofa/exchange/v1/shared_case.pb.h"
#include "services/exchange/directory.h"
#include "services/exchange/feed/build/sources.h"
#include "services/platform/engine/call_source.h"
#include "services/platform/engine/store.h"
#include "services/platform/status/refuse.h"
#include "services/platform/time/time.h"

// What is known and supposed while a batch of events becomes messages on feeds: cases and feeds as they will be once the
// commands so far have taken effect, and what registration answered about consent. Used by one thread, for one batch.
namespace sankofa::exchange {

struct BuildOptions {
  std::string node;
  // The services whose events of a case are shared, in the order in which they are read again.
  std::vector<std::string> services = {"registration", "validation", "funding", "monitoring"};
  // On scenario time the events say what time it is; otherwise the clock does.
  bool scenario_time = false;
};

// What may be disclosed to a partner now, all purposes together.
struct Consents {
  std::vector<Purpose> purposes;  // for which a consent holds
  // What the agreements let through; only those that hold something.
  std::vector<registration::v1::Disclosure> disclosures;
  std::string hash;
};

// The event at hand, and what it leads to.
struct Work {
  const engine::IncomingEvent& event;
  absl::Time now;
  std::vector<engine::CommandCall> calls;
};

class Round {
 public:
  // All outlive the round. `caught_up`: feeds that were brought up to date since their partner was last suspended.
  struct Tools {
    const BuildOptions& options;
    engine::Store& store;
    FeedSources& sources;
    const time::Clock& clock;
    std::map<std::string, absl::Time>& caught_up;
  };

  Round(Tools tools, std::shared_ptr<const Snapshot> snapshot)
      : tools_(tools), snapshot_(std::move(snapshot)) {}

  [[nodiscard]] const std::string& node() const { return tools_.options.node; }
  [[nodiscard]] const BuildOptions& options() const { return tools_.options; }
  [[nodiscard]] FeedSources& sources() { return tools_.sources; }
  [[nodiscard]] const Snapshot& snapshot() const { return *snapshot_; }
  // When an event is decided on.
  [[nodiscard]] absl::Time TimeOf(const engine::IncomingEvent& event) const;

  // ---- What is stored, and supposed ----

  [[nodiscard]] absl::StatusOr<v1::SharedCase*> CaseOf(const std::string& case_id);
  [[nodiscard]] absl::StatusOr<v1::Feed*> FeedOf(const std::string& partner,
                                                 const std::string& subject);
  [[nodiscard]] absl::StatusOr<v1::Backlog*> BacklogOf(const std::string& partner);
  // The state of an aggregate, read without a lock; the default instance where there is none.
  template <class State>
  [[nodiscard]] absl::StatusOr<State> Peek(const std::string& id);

  // ---- Who may get what ----

  // Those in force that are about the case, in the order of their ids.
  [[nodiscard]] std::vector<const v1::SharingAgreement*> AgreementsFor(const v1::SharedCase& of,
                                                                       const v1::Partner& partner,
                                                                       absl::Time now) const;
  // Asked of registration, now.
  [[nodiscard]] absl::StatusOr<Consents> ConsentsFor(
      const v1::SharedCase& of, const v1::Partner& partner,
      const std::vector<const v1::SharingAgreement*>& agreements, absl::Time now);
  // Whether the feed may lack what happened while the partner was suspended.
  [[nodiscard]] bool Behind(const v1::Partner& partner, const v1::Feed& feed) const;
  void SetCaughtUp(const v1::Partner& partner, const std::string& feed_id);

  // ---- What follows ----

  // Puts a message on a feed.
  void Append(v1::AppendToFeedRequest request, const std::string& label, Work& work);
  // Attaches what may be disclosed where it is not what was disclosed last.
  [[nodiscard]] absl::Status Disclose(const v1::Partner& partner, const Consents& consents,
                                      const v1::Feed& feed, v1::AppendToFeedRequest& request,
                                      absl::Time now);
  // Any other command of exchange's own, at the time of the event at hand.
  void Command(std::shared_ptr<google::protobuf::Message> request, const std::string& label,
               Work& work) const;
  // Keeps what an event says of a case.
  [[nodiscard]] absl::Status Note(const v1::SharedCase& news, Work& work);

 private:
  struct Answer {
    std::optional<registration::v1::Disclosure> disclosure;
    absl::Time asked;
    absl::Time at;
  };

  template <class State>
  [[nodiscard]] absl::StatusOr<State*> Find(const std::string& id,
                                            std::map<std::string, State>& known);
  [[nodiscard]] absl::StatusOr<std::string> PeekBytes(const engine::StreamKey& key);
  [[nodiscard]] absl::StatusOr<std::optional<registration::v1::Disclosure>> Ask(
      const std::string& case_id, const std::string& partner, Purpose purpose, absl::Time at);

  const Tools tools_;
  const std::shared_ptr<const Snapshot> snapshot_;
  std::unique_ptr<engine::StoreSession> session_;
  std::map<std::string, v1::SharedCase> cases_;
  std::map<std::string, v1::Feed> feeds_;
  std::map<std::string, v1::Backlog> backlogs_;
  std::map<std::string, Answer> answers_;
};

template <class State>
absl::StatusOr<State> Round::Peek(const std::string& id) {
  const engine::StreamKey key = engine::KeyOf<State>(id);
  const auto bytes = PeekBytes(key);
  if (!bytes.ok()) return bytes.status();
  State state;
  if (!state.ParseFromString(*bytes)) {
    return status::Internal(absl::StrCat("a stored state of ", key.type, " can't be parsed"));
  }
  return state;
}

// ---- Events ---------------------------------------------------------------------------------------------------------

[[nodiscard]] absl::StatusOr<std::unique_ptr<google::protobuf::Message>> ParseEvent(
    const engine::IncomingEvent& event);

template <class Event>
const Event* As(const google::protobuf::Message& event) {
  return dynamic_cast<const Event*>(&event);
}

// "LifeProject/<id>"
[[nodiscard]] std::string StreamOf(const engine::IncomingEvent& event);

// Whether the event, or a later one of its stream, is on the feed.
[[nodiscard]] bool Sent(const v1::Feed& feed, const engine::IncomingEvent& event);

// Whether a case's facts go out on the feed: from the first message on, until it is stopped.
[[nodiscard]] bool Running(const v1::Feed& feed);

}  // namespace sankofa::exchange
