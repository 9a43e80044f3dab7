#include "services/monitoring/view/view.h"

#include <algorithm>
#include <map>
#include <set>
#include <tuple>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "sankofa/common/v1/options.pb.h"
#include "sankofa/exchange/v1/exchange_events.pb.h"
#include "sankofa/exchange/v1/feed.pb.h"
#include "sankofa/exchange/v1/feed_messages.pb.h"
#include "sankofa/registration/v1/registration_events.pb.h"
#include "services/monitoring/view/folds.h"
#include "services/platform/status/refuse.h"
#include "services/platform/time/time.h"

namespace sankofa::monitoring {
namespace {

namespace exch = exchange::v1;

const Folds& AllFolds() {
  static const Folds folds = [] {
    Folds made;
    AddRegistrationFolds(made);
    AddValidationFolds(made);
    AddFundingFolds(made);
    AddMonitoringFolds(made);
    return made;
  }();
  return folds;
}

// The partner whose feed about this very case the stream is; empty where it is none. What partners send about
// agreements and statistics is in streams of the same type.
std::string PartnerOf(const engine::EventMeta& event) {
  if (event.source != "exchange" || event.stream.type != "ReceivedFeed") return {};
  const std::string& id = event.stream.id;
  const std::size_t colon = id.find(':');
  if (colon == std::string::npos) return {};
  const bool of_case = id.substr(colon + 1) == absl::StrCat("Case/", event.partition_key);
  return of_case ? id.substr(0, colon) : std::string();
}

// The streams that make up a view. Other streams of the case (a service's own notes of what another one said) hold
// nothing new.
bool Follows(const engine::EventMeta& event) {
  static const std::set<std::pair<std::string, std::string>> streams = {
      {"registration", "Case"},      {"registration", "Referral"}, {"registration", "HandOver"},
      {"validation", "LifeProject"}, {"funding", "Grant"},         {"monitoring", "FollowUp"},
      {"monitoring", "Survey"},      {"monitoring", "Alert"},
  };
  return streams.contains({event.source, event.stream.type}) || !PartnerOf(event).empty();
}

std::string StreamName(const engine::EventMeta& event) {
  return absl::StrCat(event.source, "/", event.stream.type, "/", event.stream.id);
}

std::int64_t MarkOf(const v1::CaseView& view, const std::string& stream) {
  const auto found =
      std::lower_bound(view.marks().begin(), view.marks().end(), stream,
                       [](const auto& mark, const auto& name) { return mark.stream() < name; });
  return found == view.marks().end() || found->stream() != stream ? 0 : found->sequence();
}

void Advance(v1::CaseView& view, const std::string& stream, std::int64_t sequence) {
  v1::StreamMark& mark =
      Slot(*view.mutable_marks(), stream, [](const v1::StreamMark& one) { return one.stream(); });
  mark.set_stream(stream);
  mark.set_sequence(sequence);
  view.set_token(view.token() + 1);
}

// One event, of this node or of a partner, and where it stands there.
struct Fact {
  absl::Time time;
  std::string event_type;
  const std::string& payload;
  std::string stream;
  std::int64_t sequence = 0;
};

// Sorted by time, stream and sequence, whatever order the events come in. The newest are kept: a set's largest elements
// do not depend on the order in which it grew either.
void AddToTimeline(v1::CaseView& view, const Fact& fact, const Folds::Entry& entry,
                   const Folds::Said& said) {
  v1::TimelineEntry line;
  *line.mutable_time() = time::ToTimestamp(fact.time);
  line.set_event_type(fact.event_type);
  line.set_text_en(absl::StrReplaceAll(entry.text_en, {{"{}", said.detail}}));
  line.set_text_fr(absl::StrReplaceAll(entry.text_fr, {{"{}", said.detail}}));
  line.set_stream(fact.stream);
  line.set_sequence(fact.sequence);
  line.set_source_node(said.source_node);
  const auto key = [](const v1::TimelineEntry& one) {
    return std::tuple(one.time().seconds(), one.time().nanos(), one.stream(), one.sequence());
  };
  auto& timeline = *view.mutable_timeline();
  Slot(timeline, key(line), key) = std::move(line);
  if (timeline.size() > kTimelineMax) timeline.DeleteSubrange(0, 1);
}

// A type that this version does not know, or bytes that it can't read, say nothing and hold nothing up.
void FoldFact(v1::CaseView& view, const Fact& fact) {
  const Folds::Entry* entry = AllFolds().Find(fact.event_type);
  Folds::Said said;
  if (entry != nullptr && entry->fold(view, fact.payload, said)) {
    AddToTimeline(view, fact, *entry, said);
  }
}

template <class Event>
bool Is(const std::string& event_type) {
  return event_type == Event::descriptor()->full_name();
}

void EraseSection(v1::PartnerView& section) {
  section.clear_facts();
  section.clear_truncated();
  section.set_erased(true);
}

// What a partner told goes into its own section and nowhere else: the folds get that section's facts and never see the
// rest of the view. Everything in a section comes from one stream, the partner's feed, so its order is the feed's.
void FoldPartner(v1::CaseView& view, const std::string& node, const engine::IncomingEvent& event) {
  v1::PartnerView& section = Slot(*view.mutable_partner_views(), node,
                                  [](const v1::PartnerView& one) { return one.node(); });
  section.set_node(node);
  if (Is<exch::ReceivedErased>(event.event_type)) return EraseSection(section);
  exch::UpdateReceived update;
  exch::FeedEvent told;
  if (!Is<exch::UpdateReceived>(event.event_type) || !update.ParseFromString(event.payload) ||
      !told.ParseFromString(update.event())) {
    return;
  }
  // The exchange has verified this; a second look costs nothing.
  if (told.sender() != node || told.subject() != absl::StrCat("Case/", event.meta.partition_key)) {
    return;
  }
  section.set_sequence(told.sequence());
  *section.mutable_event_time() = told.event_time();
  if (Is<exch::ErasureRequested>(told.type()) || Is<registration::v1::CaseErased>(told.type())) {
    return EraseSection(section);
  }
  if (section.erased() || section.truncated()) return;
  v1::CaseView facts = section.facts();
  facts.set_case_id(event.meta.partition_key);
  facts.set_token(facts.token() + 1);
  FoldFact(facts, {.time = time::FromTimestamp(told.event_time()),
                   .event_type = told.type(),
                   .payload = told.payload(),
                   .stream = told.source_stream(),
                   .sequence = told.source_sequence()});
  if (facts.ByteSizeLong() > kPartnerBytesMax) {
    section.set_truncated(true);
    return;
  }
  section.mutable_facts()->Swap(&facts);
}

// What an erased case leaves: that it was, and how far its streams are.
void Erase(v1::CaseView& view) {
  v1::CaseView rest;
  rest.set_case_id(view.case_id());
  rest.set_token(view.token());
  rest.set_erased(true);
  rest.mutable_marks()->Swap(view.mutable_marks());
  view.Swap(&rest);
}

}  // namespace

std::string OriginOf(const google::protobuf::Message& event) {
  const auto* type = event.GetDescriptor();
  for (int i = 0; i < type->field_count(); ++i) {
    if (!type->field(i)->options().GetExtension(common::v1::origin_node)) continue;
    return event.GetReflection()->GetString(event, type->field(i));
  }
  return {};
}

FoldResult Fold(v1::CaseView& view, const engine::IncomingEvent& event) {
  if (!Follows(event.meta)) return FoldResult::kIgnored;
  const std::string stream = StreamName(event.meta);
  const std::int64_t mark = MarkOf(view, stream);
  if (event.meta.sequence <= mark) return FoldResult::kRepeated;
  if (event.meta.sequence > mark + 1) return FoldResult::kGap;
  if (mark == 0 && view.marks_size() >= kStreamsMax) return FoldResult::kIgnored;
  view.set_case_id(event.meta.partition_key);
  Advance(view, stream, event.meta.sequence);
  if (Is<registration::v1::CaseErased>(event.event_type)) Erase(view);
  if (view.erased()) return FoldResult::kApplied;
  if (const std::string partner = PartnerOf(event.meta); !partner.empty()) {
    FoldPartner(view, partner, event);
  } else {
    FoldFact(view, {.time = event.meta.time,
                    .event_type = event.event_type,
                    .payload = event.payload,
                    .stream = absl::StrCat(event.meta.stream.type, "/", event.meta.stream.id),
                    .sequence = event.meta.sequence});
  }
  return FoldResult::kApplied;
}

absl::StatusOr<v1::CaseView> FoldAll(const std::string& case_id,
                                     const std::vector<engine::IncomingEvent>& events) {
  v1::CaseView view;
  for (const engine::IncomingEvent& event : events) {
    if (Fold(view, event) != FoldResult::kGap) continue;
    return status::Internal(absl::StrCat("a journal has a gap before ", StreamName(event.meta), " ",
                                         event.meta.sequence));
  }
  view.set_case_id(case_id);
  return view;
}

bool Holds(const v1::CaseView& view, const engine::EventMeta& event) {
  if (!Follows(event)) return true;
  const std::int64_t mark = MarkOf(view, StreamName(event));
  return mark >= event.sequence || (mark == 0 && view.marks_size() >= kStreamsMax);
}

Comparison Compare(const v1::CaseView& live, const v1::CaseView& rebuilt) {
  if (live.SerializeAsString() == rebuilt.SerializeAsString()) return Comparison::kSame;
  bool behind = false;
  bool ahead = false;
  for (const v1::StreamMark& mark : rebuilt.marks()) {
    behind = behind || MarkOf(live, mark.stream()) < mark.sequence();
  }
  for (const v1::StreamMark& mark : live.marks()) {
    ahead = ahead || MarkOf(rebuilt, mark.stream()) < mark.sequence();
  }
  if (behind) return Comparison::kBehind;
  return ahead ? Comparison::kAhead : Comparison::kDiffering;
}

}  // namespace sankofa::monitoring
