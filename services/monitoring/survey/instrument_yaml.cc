#include "services/monitoring/survey/instrument_yaml.h"

#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <exception>
#include <optional>
#include <set>
#include <sstream>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "sankofa/monitoring/v1/monitoring_reason.pb.h"
#include "services/platform/status/refuse.h"

namespace sankofa::monitoring {
namespace {

constexpr int kDepthMax = 8;
constexpr int kNodesMax = 8'000;

struct Node {
  enum class Kind { kNull, kScalar, kList, kMap };
  Kind kind = Kind::kNull;
  std::string text;
  std::vector<Node> items;
  std::vector<std::string> keys;  // of a map: of the item in the same place
};

// What is wrong, and where. Thrown inside this file only: out of yaml-cpp's parser, and from deep inside a document.
class Wrong final : public std::exception {
 public:
  Wrong(std::string path, std::string problem)
      : path_(std::move(path)), problem_(std::move(problem)) {}
  [[nodiscard]] const std::string& path() const { return path_; }
  [[nodiscard]] const std::string& problem() const { return problem_; }
  [[nodiscard]] const char* what() const noexcept override { return problem_.c_str(); }

 private:
  std::string path_;
  std::string problem_;
};

// Builds the tree from the parser's events. A tree of one's own, for yaml-cpp's nodes hide aliases and double keys.
class Builder final : public YAML::EventHandler {
 public:
  [[nodiscard]] Node Take() { return std::move(root_); }

  void OnDocumentStart(const YAML::Mark& /*mark*/) override {}
  void OnDocumentEnd() override {}
  void OnAnchor(const YAML::Mark& mark, const std::string& /*name*/) override {
    throw Wrong{Line(mark), "anchors are not allowed"};
  }
  void OnAlias(const YAML::Mark& mark, YAML::anchor_t /*anchor*/) override {
    throw Wrong{Line(mark), "aliases are not allowed"};
  }
  void OnNull(const YAML::Mark& mark, YAML::anchor_t /*anchor*/) override { Open(mark, Node{}); }
  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t /*anchor*/,
                const std::string& value) override {
    CheckTag(mark, tag);
    if (WantsKey()) {
      Node& map = *open_.back();
      if (std::find(map.keys.begin(), map.keys.end(), value) != map.keys.end()) {
        throw Wrong{Line(mark), "the key stands twice"};
      }
      map.keys.push_back(value);
      return;
    }
    Open(mark, Node{.kind = Node::Kind::kScalar, .text = value, .items = {}, .keys = {}});
  }
  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t /*anchor*/,
                       YAML::EmitterStyle::value /*style*/) override {
    CheckTag(mark, tag);
    Enter(mark, Node::Kind::kList);
  }
  void OnSequenceEnd() override { Leave(); }
  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t /*anchor*/,
                  YAML::EmitterStyle::value /*style*/) override {
    CheckTag(mark, tag);
    Enter(mark, Node::Kind::kMap);
  }
  void OnMapEnd() override { Leave(); }

 private:
  static std::string Line(const YAML::Mark& mark) { return absl::StrCat(":", mark.line + 1); }
  static void CheckTag(const YAML::Mark& mark, const std::string& tag) {
    if (!tag.empty() && tag != "?" && tag != "!") throw Wrong{Line(mark), "tags are not allowed"};
  }
  [[nodiscard]] bool WantsKey() const {
    return !open_.empty() && open_.back()->kind == Node::Kind::kMap &&
           open_.back()->keys.size() == open_.back()->items.size();
  }

  // Puts `node` where the document is: as the root, a list's next item, or the value of the key before it. The address
  // of what is open does not change: only its own last child is ever added to.
  Node& Open(const YAML::Mark& mark, Node node) {
    if (++nodes_ > kNodesMax) throw Wrong{Line(mark), "the document is too large"};
    if (open_.empty()) return root_ = std::move(node);
    if (WantsKey()) throw Wrong{Line(mark), "a key must be a word"};
    return open_.back()->items.emplace_back(std::move(node));
  }
  void Enter(const YAML::Mark& mark, Node::Kind kind) {
    if (open_.size() >= kDepthMax) throw Wrong{Line(mark), "the document is nested too deeply"};
    Node& node = Open(mark, Node{.kind = kind, .text = {}, .items = {}, .keys = {}});
    open_.push_back(&node);
  }
  void Leave() { open_.pop_back(); }

  Node root_;
  std::vector<Node*> open_;
  int nodes_ = 0;
};

// A place in the document. Every value is asked for with what it must be.
class Place {
 public:
  Place(const Node& node, std::string path) : node_(node), path_(std::move(path)) {}

  [[noreturn]] void Fail(std::string what) const { throw Wrong{path_, std::move(what)}; }

  // This place is a map with these keys and no others.
  void OnlyKeys(const std::set<std::string>& known) const {
    if (node_.kind != Node::Kind::kMap) Fail("must be a map");
    for (const std::string& key : node_.keys) {
      if (!known.contains(key)) {
        throw Wrong{path_, absl::StrCat("the key \"", key.substr(0, 40), "\" is not known")};
      }
    }
  }
  [[nodiscard]] std::optional<Place> Find(const std::string& name) const {
    const auto key = std::find(node_.keys.begin(), node_.keys.end(), name);
    if (key == node_.keys.end()) return std::nullopt;
    const auto place = static_cast<size_t>(key - node_.keys.begin());
    return Place(node_.items[place], absl::StrCat(path_, ".", name));
  }
  [[nodiscard]] Place At(const std::string& name) const {
    const auto found = Find(name);
    if (!found) throw Wrong{absl::StrCat(path_, ".", name), "is missing"};
    return *found;
  }
  [[nodiscard]] std::vector<Place> Items(size_t least, size_t most) const {
    if (node_.kind != Node::Kind::kList) Fail("must be a list");
    if (node_.items.size() < least || node_.items.size() > most) {
      Fail(absl::StrCat("must have ", least, " to ", most, " entries"));
    }
    std::vector<Place> places;
    for (size_t i = 0; i < node_.items.size(); ++i) {
      places.emplace_back(node_.items[i], absl::StrCat(path_, "[", i, "]"));
    }
    return places;
  }

  [[nodiscard]] const std::string& Scalar() const {
    if (node_.kind != Node::Kind::kScalar) Fail("must be a single value");
    return node_.text;
  }
  [[nodiscard]] int Integer(int least, int most) const {
    const std::string& text = Scalar();
    const bool digits = !text.empty() && text.size() <= 6 &&
                        std::all_of(text.begin(), text.end(), absl::ascii_isdigit);
    int value = 0;
    if (!digits || !absl::SimpleAtoi(text, &value) || value < least || value > most) {
      Fail(absl::StrCat("must be a whole number from ", least, " to ", most));
    }
    return value;
  }
  // "0.125" → 125.
  [[nodiscard]] int Thousandths() const {
    const std::string& text = Scalar();
    const bool one_digit = !text.empty() && (text[0] == '0' || text[0] == '1');
    const bool point = text.size() > 1;
    const bool form =
        one_digit && (!point || (text[1] == '.' && text.size() >= 3 && text.size() <= 5 &&
                                 std::all_of(text.begin() + 2, text.end(), absl::ascii_isdigit)));
    if (!form) Fail("must be a decimal from 0 to 1 with at most three places");
    int value = text[0] - '0';
    for (size_t i = 2; i < 5; ++i) value = 10 * value + (i < text.size() ? text[i] - '0' : 0);
    if (value > 1000) Fail("must be a decimal from 0 to 1 with at most three places");
    return value;
  }
  [[nodiscard]] bool Truth() const {
    if (Scalar() != "true" && Scalar() != "false") Fail("must be true or false");
    return Scalar() == "true";
  }
  [[nodiscard]] std::string Code() const {
    const std::string& text = Scalar();
    const bool form = !text.empty() && text.size() <= 64 &&
                      std::all_of(text.begin(), text.end(), [](unsigned char c) {
                        return absl::ascii_islower(c) || absl::ascii_isdigit(c) || c == '-';
                      });
    if (!form) Fail("must be 1 to 64 lower-case letters, digits or hyphens");
    return text;
  }
  [[nodiscard]] v1::LocalizedText Text() const {
    OnlyKeys({"en", "fr"});
    v1::LocalizedText text;
    text.set_en(At("en").Words());
    text.set_fr(At("fr").Words());
    return text;
  }

 private:
  [[nodiscard]] std::string Words() const {
    const std::string& text = Scalar();
    if (text.empty() || text.size() > kTextBytesMax) {
      Fail(absl::StrCat("must be a text of at most ", kTextBytesMax, " bytes"));
    }
    if (std::any_of(text.begin(), text.end(), absl::ascii_iscntrl)) {
      Fail("must not hold control characters");
    }
    return text;
  }

  const Node& node_;
  std::string path_;
};

v1::Dimension DimensionOf(const Place& place) {
  const std::string& name = place.Scalar();
  if (name == "economic") return v1::DIMENSION_ECONOMIC;
  if (name == "social") return v1::DIMENSION_SOCIAL;
  if (name == "psychosocial") return v1::DIMENSION_PSYCHOSOCIAL;
  place.Fail("must be economic, social or psychosocial");
}

void ReadWindows(const Place& place, v1::InstrumentDefinition& definition) {
  place.OnlyKeys({"months", "days_before", "days_after"});
  int before = 0;
  for (const Place& item : place.At("months").Items(1, kWindowsMax)) {
    const int months = item.Integer(1, 120);
    if (months <= before) item.Fail("must be more than the one before it");
    definition.add_windows_months(months);
    before = months;
  }
  definition.set_days_before(place.At("days_before").Integer(0, kWindowDaysMax));
  definition.set_days_after(place.At("days_after").Integer(0, kWindowDaysMax));
}

void ReadDimensions(const Place& place, v1::InstrumentDefinition& definition) {
  place.OnlyKeys({"economic", "social", "psychosocial"});
  const std::pair<const char*, v1::Dimension> all[] = {
      {"economic", v1::DIMENSION_ECONOMIC},
      {"social", v1::DIMENSION_SOCIAL},
      {"psychosocial", v1::DIMENSION_PSYCHOSOCIAL}};
  for (const auto& [name, dimension] : all) {
    const Place one = place.At(name);
    one.OnlyKeys({"weight", "alert_below"});
    v1::DimensionDefinition& read = *definition.add_dimensions();
    read.set_dimension(dimension);
    read.set_weight(one.At("weight").Integer(1, kWeightMax));
    if (const auto below = one.Find("alert_below")) read.set_alert_below(below->Thousandths());
  }
}

void ReadQuestion(const Place& place, v1::Question& question) {
  place.OnlyKeys({"id", "dimension", "weight", "optional", "text", "answers"});
  question.set_id(place.At("id").Code());
  question.set_dimension(DimensionOf(place.At("dimension")));
  question.set_weight(place.At("weight").Integer(1, kWeightMax));
  if (const auto optional = place.Find("optional")) question.set_optional(optional->Truth());
  *question.mutable_text() = place.At("text").Text();
  std::set<std::string> ids;
  for (const Place& item : place.At("answers").Items(2, kAnswersMax)) {
    item.OnlyKeys({"id", "score", "text"});
    v1::AnswerOption& answer = *question.add_answers();
    answer.set_id(item.At("id").Code());
    if (!ids.insert(answer.id()).second) item.At("id").Fail("is used by another answer");
    answer.set_score(item.At("score").Thousandths());
    *answer.mutable_text() = item.At("text").Text();
  }
}

v1::InstrumentDefinition Read(const Place& place) {
  place.OnlyKeys({"code", "version", "title", "windows", "dimensions", "composite", "questions"});
  v1::InstrumentDefinition definition;
  definition.set_code(place.At("code").Code());
  definition.set_version(place.At("version").Integer(1, 999));
  *definition.mutable_title() = place.At("title").Text();
  ReadWindows(place.At("windows"), definition);
  ReadDimensions(place.At("dimensions"), definition);
  if (const auto composite = place.Find("composite")) {
    composite->OnlyKeys({"alert_below"});
    definition.set_composite_alert_below(composite->At("alert_below").Thousandths());
  }
  std::set<std::string> ids;
  std::set<v1::Dimension> asked;
  for (const Place& item : place.At("questions").Items(1, kQuestionsMax)) {
    v1::Question& question = *definition.add_questions();
    ReadQuestion(item, question);
    if (!ids.insert(question.id()).second) item.At("id").Fail("is used by another question");
    asked.insert(question.dimension());
  }
  if (asked.size() != 3) place.At("questions").Fail("must ask about all three dimensions");
  return definition;
}

v1::InstrumentDefinition Parse(const std::string& yaml) {
  if (yaml.size() > kYamlBytesMax) {
    throw Wrong{"", absl::StrCat("must be at most ", kYamlBytesMax, " bytes")};
  }
  std::istringstream stream(yaml);
  YAML::Parser parser(stream);
  Builder builder;
  if (!parser.HandleNextDocument(builder)) throw Wrong{"", "must be a document"};
  const Node root = builder.Take();
  Builder second;
  if (parser.HandleNextDocument(second)) throw Wrong{"", "must be one document only"};
  return Read(Place(root, ""));
}

}  // namespace

absl::StatusOr<v1::InstrumentDefinition> ParseInstrument(const std::string& yaml) {
  const auto refuse = [](const std::string& path, const std::string& what) {
    return status::RefuseField(v1::REASON_INSTRUMENT_INVALID, absl::StrCat("yaml", path), what);
  };
  try {
    return Parse(yaml);
  } catch (const Wrong& wrong) {
    return refuse(wrong.path(), wrong.problem());
  } catch (const YAML::Exception& exception) {
    return refuse(absl::StrCat(":", exception.mark.line + 1), exception.msg);
  }
}

}  // namespace sankofa::monitoring
