#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include "sankofa/exchange/v1/exchange_events.pb.h"
#include "sankofa/exchange/v1/feed.pb.h"
#include "services/platform/engine/store.h"
#include "tests/simulation/world/service.h"

// What has to hold whatever happens, looked at after every commit and once more at the end, when nothing goes wrong any
// more and nobody has anything left to do. Names are those of design.md, section 4.
//
//   every commit   G2  a request id takes effect once
//                  G3  a mark moves forward, and never beyond what its source has
//                  G4  no name in clear
//                  G5  no message of a case without a consent that holds now, no field beyond its scopes
//                  G7  what is taken from a partner is what it sent, in its order
//                  G8  a budget line adds up; nothing is paid twice; who asks does not approve
//                  G10 every stream is a chain
//   at the end     G1  every event is in its topic, and every script has come to its end
//                  G3  every event has been read by every service that listens, and its commands have taken effect
//                  G7  both nodes' digests are equal
namespace sankofa::simulation {

class Checker {
 public:
  // Watches all databases of the world from now on.
  explicit Checker(World& world);

  // The first violation: "G3: …"; empty where there is none.
  [[nodiscard]] const std::string& violation() const { return violation_; }
  void Violated(std::string what);

  void CheckEnd();

  // A hash over all that was committed so far, in order: equal where two runs were.
  [[nodiscard]] const std::string& trace() const { return trace_; }
  [[nodiscard]] std::int64_t events() const { return events_; }
  [[nodiscard]] std::int64_t messages() const { return static_cast<std::int64_t>(sent_.size()); }

 private:
  struct Chain {
    std::int64_t sequence = 0;
    std::string hash;
  };
  // What is known of one service.
  struct Known {
    std::map<engine::StreamKey, Chain> chains;
    std::set<std::string> answered;
    std::map<std::string, std::int64_t> request_commits;
    std::map<engine::InboxStream, std::int64_t> marks;
    std::int64_t commits = 0;
    std::set<std::string> paid;
  };
  // Sender, receiver, subject, sequence.
  using Place = std::tuple<std::string, std::string, std::string, std::int64_t>;

  void Committed(Service& service, const engine::WriteSet& writes);
  void CheckRow(Service& service, Known& known, const engine::JournalRow& row);
  void CheckSent(Service& service, const exchange::v1::FeedAppended& appended);
  void CheckReceived(Service& service, const exchange::v1::UpdateReceived& received);
  void CheckMoney(Known& known, const engine::JournalRow& row);
  void CheckLines(const engine::WriteSet& writes);
  void CheckRead(Node& node, Service& reader, Service& source);
  void CheckTopics(Node& node, Service& service);

  World& world_;
  std::string violation_;
  std::string trace_;
  std::int64_t events_ = 0;
  std::map<const Service*, Known> known_;
  std::map<Place, std::string> sent_;  // hashes
  std::map<std::tuple<std::string, std::string, std::string>, std::int64_t> received_;
  std::map<std::string, std::string> requested_by_;  // by grant and instalment
};

}  // namespace sankofa::simulation
