#include "services/exchange/replay/outgoing_feed.h"

#include <algorithm>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "sankofa/exchange/v1/exchange_reason.pb.h"
#include "sankofa/exchange/v1/feed.pb.h"
#include "sankofa/registration/v1/registration_service.pb.h"
#include "services/exchange/ingest/coverage.h"
#include "services/exchange/ingest/verify.h"
#include "services/platform/crypto/hash.h"
#include "services/platform/rpc/identity/access.h"
#include "services/platform/status/refuse.h"
#include "services/platform/time/time.h"

namespace sankofa::exchange {
namespace {

using postgres::Param;

// A page ends behind the message with which it gets larger than this.
constexpr std::size_t kPageBytes = 4 << 20;
constexpr char kGetDisclosure[] = "sankofa.registration.v1.RegistrationService/GetDisclosure";

constexpr char kSubjectSql[] =
    "select payload, xid, position from journal "
    "where type = 'Feed' and id = $1::text and sequence >= $2::bigint "
    "order by sequence limit $3::int";
// Behind the horizon: no transaction that still runs can put a row before those that are given.
constexpr char kAfterSql[] =
    "select payload, xid, position from journal "
    "where type = 'Feed' and split_part(id, ':', 1) = $1::text "
    "and (xid, position) > ($2::xid8, $3::bigint) "
    "and xid < pg_snapshot_xmin(pg_current_snapshot()) "
    "order by xid, position limit $4::int";
constexpr char kFeedSql[] = "select state from aggregate where type = 'Feed' and id = $1::text";

}  // namespace

std::optional<FeedCursor> FeedCursor::Parse(const std::string& text) {
  if (text.empty()) return FeedCursor();
  const std::vector<std::string> parts = absl::StrSplit(text, '.');
  FeedCursor cursor;
  if (parts.size() != 2 || !absl::SimpleAtoi(parts[0], &cursor.xid) ||
      !absl::SimpleAtoi(parts[1], &cursor.position) || cursor.position < 0 ||
      cursor.ToString() != text) {
    return std::nullopt;
  }
  return cursor;
}

std::string FeedCursor::ToString() const { return absl::StrCat(xid, ".", position); }

absl::StatusOr<const v1::Partner*> CallingPartner(const Snapshot& snapshot,
                                                  const engine::Actor& actor) {
  const auto code = rpc::PartnerOf(actor.system);
  const v1::Partner* partner = code ? snapshot.Find(*code) : nullptr;
  if (partner == nullptr || partner->certificate_identity() != actor.system) {
    return status::Refuse(v1::REASON_NOT_THE_PARTNER);
  }
  if (partner->state() != v1::PARTNER_STATE_ACTIVE) {
    return status::Refuse(v1::REASON_PARTNER_SUSPENDED);
  }
  return partner;
}

// Whether a box may be given now. Remembers, for one page, what registration said of a case.
class OutgoingFeed::Gate {
 public:
  Gate(const FeedReader& reader, const For& whom) : reader_(reader), whom_(whom) {}

  absl::StatusOr<bool> LetsPass(const v1::FeedAppended& appended, const v1::FeedEvent& event) {
    now_ = whom_.now.value_or(time::FromTimestamp(event.issued_time()));
    // Nobody can open a box for a key that the receiver has given up.
    if (!HasSealingKey(event.sealing_key_id()) || !Agreed(event)) return false;
    // Only the newest box: it replaces what earlier ones said.
    const auto newest = IsNewest(appended);
    if (!newest.ok() || !*newest) return newest;
    if (event.purposes().empty()) return false;
    for (const int purpose : event.purposes()) {
      const auto consented = Consented(event, purpose);
      if (!consented.ok() || !*consented) return consented;
    }
    return true;
  }

 private:
  [[nodiscard]] bool HasSealingKey(const std::string& key_id) const {
    return std::any_of(
        whom_.partner.keys().begin(), whom_.partner.keys().end(), [&](const v1::PartnerKey& key) {
          return !key.revoked() && crypto::KeyIdOf(key.sealing_key()) == key_id &&
                 (!key.has_until_time() || now_ <= time::FromTimestamp(key.until_time()));
        });
  }

  [[nodiscard]] bool Agreed(const v1::FeedEvent& event) const {
    const auto in_force = whom_.snapshot.InForce(whom_.partner.id(), time::DayOf(now_));
    const std::string needed = AgreementNeeded(event);
    // Where the message itself needs none (DisclosureChanged), its box still does.
    return std::any_of(in_force.begin(), in_force.end(), [&](const auto* agreement) {
      return needed.empty() || agreement->id() == needed;
    });
  }

  absl::StatusOr<bool> IsNewest(const v1::FeedAppended& appended) {
    const auto known = feeds_.find(appended.feed_id());
    if (known == feeds_.end()) {
      const auto rows = reader_.sql(kFeedSql, {appended.feed_id()});
      if (!rows.ok()) return rows.status();
      v1::Feed feed;
      if (rows->rows() == 1 && !feed.ParseFromString(rows->bytes(0, 0))) {
        return status::Internal("a stored feed can't be read");
      }
      feeds_[appended.feed_id()] = feed.stopped() ? std::string() : feed.disclosed();
    }
    const std::string& disclosed = feeds_[appended.feed_id()];
    return !disclosed.empty() && disclosed == appended.disclosed();
  }

  absl::StatusOr<bool> Consented(const v1::FeedEvent& event, int purpose) {
    const std::pair key(event.subject(), purpose);
    if (const auto known = consents_.find(key); known != consents_.end()) return known->second;
    registration::v1::GetDisclosureRequest request;
    request.set_case_id(SubjectIdOf(event.subject()));
    request.set_partner(whom_.partner.id());
    request.set_purpose(static_cast<registration::v1::ConsentPurpose>(purpose));
    registration::v1::Disclosure disclosure;
    const absl::Status asked = reader_.call(kGetDisclosure, request, disclosure, now_);
    // Not to know is not to refuse: the caller tries again.
    if (status::IsTransient(asked) || absl::IsDeadlineExceeded(asked)) return asked;
    return consents_[key] = asked.ok();
  }

  const FeedReader& reader_;
  const For& whom_;
  absl::Time now_;                            // for the message at hand
  std::map<std::string, std::string> feeds_;  // what was disclosed last
  std::map<std::pair<std::string, int>, bool> consents_;
};

absl::StatusOr<OutgoingFeed::Page> OutgoingFeed::Give(const FeedReader& reader, const For& whom,
                                                      const postgres::Result& rows,
                                                      int limit) const {
  Page page;
  Gate gate(reader, whom);
  const std::string own_key = crypto::KeyIdOf(signer_.public_key());
  std::size_t bytes = 0;
  int row = 0;
  for (; row < rows.rows() && bytes < kPageBytes; ++row) {
    v1::FeedAppended appended;
    v1::FeedEvent event;
    if (!appended.ParseFromString(rows.bytes(row, 0)) || !event.ParseFromString(appended.event())) {
      return status::Internal("a message in the journal can't be read");
    }
    v1::FeedMessage& given = page.messages.emplace_back();
    v1::SignedFeedEvent& message = *given.mutable_message();
    message.set_event(appended.event());
    message.set_key_id(appended.key_id());
    message.set_signature(appended.signature());
    if (appended.key_id() != own_key) {
      const auto made = signer_.SignNamed(kFeedLabel, appended.event());
      message.set_key_id(crypto::KeyIdOf(made.public_key));
      message.set_signature(made.signature);
    }
    if (!appended.sealed().empty()) {
      const auto passes = gate.LetsPass(appended, event);
      if (!passes.ok()) return passes.status();
      if (*passes) message.set_sealed(appended.sealed());
    }
    page.next = {.xid = static_cast<std::uint64_t>(rows.integer(row, 1)),
                 .position = rows.integer(row, 2)};
    given.set_cursor(page.next.ToString());
    if (absl::StartsWith(event.subject(), "Case/")) page.cases.insert(appended.subject_id());
    bytes += given.ByteSizeLong();
  }
  page.end = row == rows.rows() && rows.rows() < limit;
  return page;
}

absl::StatusOr<OutgoingFeed::Page> OutgoingFeed::OfSubject(const FeedReader& reader,
                                                           const For& whom,
                                                           const std::string& subject,
                                                           std::int64_t from_sequence,
                                                           int limit) const {
  const std::string feed = absl::StrCat(whom.partner.id(), ":", subject);
  const auto rows = reader.sql(
      kSubjectSql,
      {feed, absl::StrCat(std::max<std::int64_t>(from_sequence, 1)), absl::StrCat(limit)});
  if (!rows.ok()) return rows.status();
  if (rows->rows() == 0) {
    const auto there = reader.sql(kFeedSql, {feed});
    if (!there.ok()) return there.status();
    if (there->rows() == 0) return status::Refuse(v1::REASON_SUBJECT_NOT_FOUND);
  }
  return Give(reader, whom, *rows, limit);
}

absl::StatusOr<OutgoingFeed::Page> OutgoingFeed::After(const FeedReader& reader, const For& whom,
                                                       FeedCursor cursor, int limit) const {
  const auto rows = reader.sql(kAfterSql, {whom.partner.id(), absl::StrCat(cursor.xid),
                                           absl::StrCat(cursor.position), absl::StrCat(limit)});
  if (!rows.ok()) return rows.status();
  auto page = Give(reader, whom, *rows, limit);
  if (page.ok() && page->messages.empty()) page->next = cursor;
  return page;
}

}  // namespace sankofa::exchange
