#include "services/exchange/digest/compare.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "sankofa/exchange/v1/exchange_reason.pb.h"
#include "sankofa/exchange/v1/feed.pb.h"
#include "sankofa/exchange/v1/received.pb.h"
#include "services/platform/status/refuse.h"
#include "services/platform/telemetry/metrics.h"
#include "services/platform/time/time.h"

namespace sankofa::exchange {
namespace {

constexpr std::size_t kDifferencesMax = 1000;
// ';' follows ':', so the two ends take in exactly the ids that begin with the partner's code and a colon.
constexpr char kStatesSql[] =
    "select state from aggregate where type = $1::text and id > $2::text || ':' "
    "and id < $2::text || ';'";

template <class State>
absl::StatusOr<DigestTree> TreeOf(const FeedReader& reader, const std::string& partner) {
  const auto rows = reader.sql(kStatesSql, {State::descriptor()->name(), partner});
  if (!rows.ok()) return rows.status();
  std::vector<v1::DigestLeaf> leaves;
  leaves.reserve(rows->rows());
  State state;
  for (int row = 0; row < rows->rows(); ++row) {
    if (!state.ParseFromString(rows->bytes(row, 0))) {
      return status::Internal("a stored feed can't be read");
    }
    if (state.sequence() == 0) continue;
    v1::DigestLeaf& leaf = leaves.emplace_back();
    leaf.set_subject(state.subject());
    leaf.set_sequence(state.sequence());
    leaf.set_last_hash(state.last_hash());
  }
  return DigestTree(std::move(leaves));
}

}  // namespace

absl::StatusOr<DigestTree> SentTo(const FeedReader& reader, const std::string& partner) {
  return TreeOf<v1::Feed>(reader, partner);
}

absl::StatusOr<DigestTree> ReceivedFrom(const FeedReader& reader, const std::string& partner) {
  return TreeOf<v1::ReceivedFeed>(reader, partner);
}

absl::StatusOr<v1::DigestComparison> CompareWith(const FeedReader& reader, const std::string& node,
                                                 const std::string& partner, const AskDigest& ask,
                                                 absl::Time now) {
  v1::DigestComparison comparison;
  comparison.set_partner_id(partner);
  *comparison.mutable_compared_time() = time::ToTimestamp(now);
  for (const bool we_sent : {true, false}) {
    const auto ours = we_sent ? SentTo(reader, partner) : ReceivedFrom(reader, partner);
    if (!ours.ok()) return ours.status();
    const DigestAt theirs = [&](const std::string& prefix) {
      v1::GetDigestRequest request;
      request.set_prefix(prefix);
      request.set_received(we_sent);  // what came from the caller, where that is us
      return ask(request);
    };
    const auto differences = DifferencesBetween(*ours, theirs, we_sent ? node : partner, we_sent,
                                                kDifferencesMax - comparison.differences_size());
    if (!differences.ok()) return differences.status();
    for (const auto& difference : *differences) *comparison.add_differences() = difference;
    comparison.set_subjects(comparison.subjects() + ours->subjects());
  }
  comparison.set_equal(comparison.differences().empty());
  return comparison;
}

void DifferenceLog::Tell(const v1::DigestComparison& comparison) {
  telemetry::GetGauge("sankofa_feed_digest_differences",
                      "Subjects that differed when the digests were last compared.",
                      {{"partner", comparison.partner_id()}})
      .Set(comparison.differences_size());
  std::set<std::string>& told = told_[comparison.partner_id()];
  std::set<std::string> differ;
  for (const v1::DigestDifference& difference : comparison.differences()) {
    const std::string name = absl::StrCat(difference.sender(), ":", difference.subject());
    differ.insert(name);
    if (told.contains(name)) continue;
    telemetry::Warn(
        "a case is not the same at the partner; what is missing is asked for with its next message",
        {{"partner", comparison.partner_id()},
         {"subject", difference.subject()},
         {"sender", difference.sender()},
         {"sent", difference.sent_sequence()},
         {"received", difference.received_sequence()},
         {"content", difference.content()}});
  }
  if (differ.empty() && !told.empty()) {
    telemetry::Info("digests are equal again", {{"partner", comparison.partner_id()}});
  }
  told = std::move(differ);
}

absl::Time NextAt(int hour, absl::Time now) {
  const absl::CivilDay day(absl::ToCivilDay(now, absl::UTCTimeZone()));
  const absl::Time today = absl::FromCivil(absl::CivilHour(day) + hour, absl::UTCTimeZone());
  return today > now ? today
                     : absl::FromCivil(absl::CivilHour(day + 1) + hour, absl::UTCTimeZone());
}

}  // namespace sankofa::exchange
