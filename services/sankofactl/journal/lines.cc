#include "services/sankofactl/journal/lines.h"

#include <memory>
#include <optional>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "services/platform/status/text.h"
#include "services/sankofactl/output/json.h"

namespace sankofa::ctl {
namespace {

using Kind = ChainBreak::Kind;

constexpr int kFormat = 1;
constexpr char kTimeForm[] = "%E4Y-%m-%d%ET%H:%M:%E9SZ";

std::string TimeText(absl::Time time) {
  return absl::FormatTime(kTimeForm, time, absl::UTCTimeZone());
}

// ---- writing --------------------------------------------------------------------------------------------------------

std::string Line(const char* kind, const Json& content) {
  return Json::Object().Set(kind, content).Line();
}

std::string Format(const JournalStart& start) {
  return Line("journal", Json::Object()
                             .Set("format", std::int64_t{kFormat})
                             .Set("node", start.node)
                             .Set("service", start.service)
                             .Set("exported_time", TimeText(start.exported_time))
                             .Set("months_dropped", start.months_dropped));
}

std::string Format(const StreamHead& head) {
  return Line("head", Json::Object()
                          .Set("type", head.stream.type)
                          .Set("id", head.stream.id)
                          .Set("version", head.version)
                          .Set("last_hash", absl::BytesToHexString(head.last_hash)));
}

std::string Format(const engine::JournalRow& row) {
  return Line("row", Json::Object()
                         .Set("type", row.stream.type)
                         .Set("id", row.stream.id)
                         .Set("sequence", row.sequence)
                         .Set("partition_key", row.partition_key)
                         .Set("event_type", row.event_type)
                         .Set("payload", absl::Base64Escape(row.payload))
                         .Set("previous_hash", absl::BytesToHexString(row.previous_hash))
                         .Set("hash", absl::BytesToHexString(row.hash))
                         .Set("event_time", TimeText(row.event_time))
                         .Set("actor", row.actor)
                         .Set("organisation", row.organisation)
                         .Set("system", row.system)
                         .Set("request_id", row.request_id)
                         .Set("traceparent", row.traceparent)
                         .Set("publish", row.publish));
}

std::string Format(const JournalEnd& end) {
  return Line(
      "end",
      Json::Object().Set("service", end.service).Set("streams", end.streams).Set("rows", end.rows));
}

// ---- reading --------------------------------------------------------------------------------------------------------

// Reads members of one object and remembers the first that is not as it should be.
class Reader {
 public:
  explicit Reader(json_t* object) : object_(object) {}

  std::string Text(const char* name) {
    json_t* value = Member(name);
    if (!Json::Is(value, JSON_STRING)) return Wrong(name);
    return {json_string_value(value), json_string_length(value)};
  }
  std::int64_t Number(const char* name) {
    json_t* value = Member(name);
    if (!Json::Is(value, JSON_INTEGER)) Wrong(name);
    return json_integer_value(value);
  }
  bool Bool(const char* name) {
    json_t* value = Member(name);
    const bool yes = Json::Is(value, JSON_TRUE);
    if (!yes && !Json::Is(value, JSON_FALSE)) Wrong(name);
    return yes;
  }
  std::string Hex(const char* name) {
    const std::string hex = Text(name);
    std::string bytes = absl::HexStringToBytes(hex.size() % 2 == 0 ? hex : "");
    return absl::BytesToHexString(bytes) == hex ? bytes : Wrong(name);
  }
  std::string Base64(const char* name) {
    const std::string base64 = Text(name);
    std::string bytes;
    const bool read = absl::Base64Unescape(base64, &bytes) && absl::Base64Escape(bytes) == base64;
    return read ? bytes : Wrong(name);
  }
  absl::Time Time(const char* name) {
    const std::string text = Text(name);
    absl::Time time;
    std::string error;
    if (!absl::ParseTime(kTimeForm, text, &time, &error) || TimeText(time) != text) Wrong(name);
    return time;
  }
  // Of all that was read. Members that were not asked for are wrong too.
  [[nodiscard]] absl::Status status() {
    if (wrong_.empty() && json_object_size(object_) != members_) wrong_ = "another member";
    if (wrong_.empty()) return absl::OkStatus();
    return absl::InvalidArgumentError(absl::StrCat(wrong_, " is not as it should be"));
  }

 private:
  json_t* Member(const char* name) {
    ++members_;
    return json_object_get(object_, name);
  }
  std::string Wrong(const char* name) {
    if (wrong_.empty()) wrong_ = name;
    return {};
  }

  json_t* object_;
  std::size_t members_ = 0;
  std::string wrong_;
};

JournalLine ReadStart(Reader& reader) {
  (void)reader.Number("format");
  JournalStart start;
  start.node = reader.Text("node");
  start.service = reader.Text("service");
  start.exported_time = reader.Time("exported_time");
  start.months_dropped = reader.Bool("months_dropped");
  return start;
}

JournalLine ReadHead(Reader& reader) {
  StreamHead head;
  head.stream = {reader.Text("type"), reader.Text("id")};
  head.version = reader.Number("version");
  head.last_hash = reader.Hex("last_hash");
  return head;
}

JournalLine ReadRow(Reader& reader) {
  engine::JournalRow row;
  row.stream = {reader.Text("type"), reader.Text("id")};
  row.sequence = reader.Number("sequence");
  row.partition_key = reader.Text("partition_key");
  row.event_type = reader.Text("event_type");
  row.payload = reader.Base64("payload");
  row.previous_hash = reader.Hex("previous_hash");
  row.hash = reader.Hex("hash");
  row.event_time = reader.Time("event_time");
  row.actor = reader.Text("actor");
  row.organisation = reader.Text("organisation");
  row.system = reader.Text("system");
  row.request_id = reader.Text("request_id");
  row.traceparent = reader.Text("traceparent");
  row.publish = reader.Bool("publish");
  return row;
}

JournalLine ReadEnd(Reader& reader) {
  JournalEnd end;
  end.service = reader.Text("service");
  end.streams = reader.Number("streams");
  end.rows = reader.Number("rows");
  return end;
}

// ---- verifying ------------------------------------------------------------------------------------------------------

// One export, line by line.
class LinesVerifier {
 public:
  explicit LinesVerifier(const std::function<void(const ChainBreak&)>& found) : found_(found) {}

  void Take(std::int64_t number, const std::string& text) {
    const auto line = ParseLine(text);
    if (!line.ok()) {
      Unreadable(absl::StrCat("line ", number, ": ", line.status().message()));
      return;
    }
    if (const auto* start = std::get_if<JournalStart>(&*line)) {
      Start(*start);
    } else if (verifier_ == nullptr) {
      Unreadable(absl::StrCat("line ", number, " stands outside of a service's journal"));
    } else if (const auto* head = std::get_if<StreamHead>(&*line)) {
      verifier_->Head(*head);
    } else if (const auto* row = std::get_if<engine::JournalRow>(&*line)) {
      verifier_->Row(*row);
    } else {
      End(std::get<JournalEnd>(*line));
    }
  }

  std::vector<ServiceTotals> Finish() {
    Close();
    if (services_.empty()) Unreadable("the file holds no journal");
    if (unreadable_ > 0)
      services_.push_back({.service = "(file)", .totals = {.breaks = unreadable_}});
    return std::move(services_);
  }

 private:
  void Start(const JournalStart& start) {
    Close();
    service_ = start.service;
    verifier_ = std::make_unique<ChainVerifier>(
        ChainVerifier::Options{.service = start.service, .months_dropped = start.months_dropped},
        found_);
  }

  void End(const JournalEnd& end) {
    verifier_->End();
    const ChainVerifier::Totals totals = verifier_->totals();
    if (end.service != service_ || end.streams != totals.streams || end.rows != totals.rows) {
      Unreadable(absl::StrCat("the end says ", end.streams, " streams and ", end.rows, " rows of ",
                              end.service, ", but there are ", totals.streams, " and ", totals.rows,
                              " of ", service_));
    }
    services_.push_back({.service = service_, .totals = totals});
    verifier_.reset();
  }

  // A service's journal that ends without its end.
  void Close() {
    if (verifier_ == nullptr) return;
    verifier_->End();
    Unreadable(absl::StrCat("the journal of ", service_, " has no end: the file was cut"));
    services_.push_back({.service = service_, .totals = verifier_->totals()});
    verifier_.reset();
  }

  void Unreadable(std::string what) {
    ++unreadable_;
    found_({.kind = Kind::kUnreadable, .service = service_, .what = std::move(what)});
  }

  const std::function<void(const ChainBreak&)>& found_;
  std::string service_;
  std::unique_ptr<ChainVerifier> verifier_;
  std::vector<ServiceTotals> services_;
  std::int64_t unreadable_ = 0;
};

}  // namespace

std::string FormatLine(const JournalLine& line) {
  return std::visit([](const auto& content) { return Format(content); }, line);
}

absl::StatusOr<JournalLine> ParseLine(std::string_view line) {
  const auto json = Json::Parse(line);
  if (!json.ok()) return json.status();
  void* only = json_object_iter(json->get());
  if (only == nullptr || json_object_size(json->get()) != 1) {
    return absl::InvalidArgumentError("not one of journal, head, row and end");
  }
  const std::string_view kind = json_object_iter_key(only);
  Reader reader(json_object_iter_value(only));
  JournalLine read;
  if (kind == "journal") {
    read = ReadStart(reader);
  } else if (kind == "head") {
    read = ReadHead(reader);
  } else if (kind == "row") {
    read = ReadRow(reader);
  } else if (kind == "end") {
    read = ReadEnd(reader);
  } else {
    return absl::InvalidArgumentError("not one of journal, head, row and end");
  }
  if (auto status = reader.status(); !status.ok()) return status;
  return read;
}

std::vector<ServiceTotals> VerifyLines(std::istream& in,
                                       const std::function<void(const ChainBreak&)>& found) {
  LinesVerifier verifier(found);
  std::string line;
  for (std::int64_t number = 1; std::getline(in, line); ++number) verifier.Take(number, line);
  return verifier.Finish();
}

}  // namespace sankofa::ctl
