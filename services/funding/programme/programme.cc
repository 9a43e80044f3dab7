#include "services/funding/programme/programme.h"

#include "absl/strings/str_cat.h"
#include "sankofa/funding/v1/funding_reason.pb.h"
#include "services/funding/programme/rule_set.h"
#include "services/funding/programme/yaml_content.h"
#include "services/platform/rpc/check/shape.h"
#include "services/platform/status/refuse.h"
#include "services/platform/time/time.h"

namespace sankofa::funding {

namespace {

// What came as YAML has not gone through the check that the platform makes of every request.
template <class Content>
absl::Status ReadYamlWellFormed(const std::string& yaml, const engine::Context& context,
                                Content& content) {
  if (auto read = ReadYaml(yaml, content); !read.ok()) return read;
  return rpc::CheckShape(content, context.now);
}

}  // namespace

using engine::Context;
using engine::Decision;
using engine::Emit;
using status::Refuse;
using status::RefuseField;

Decision ProgrammeDecider::Decide(const State& /*programme*/,
                                  const v1::LoadProgrammeRequest& request, const Context& context) {
  v1::ProgrammeLoaded event;
  v1::ProgrammeContent& content = *event.mutable_content();
  if (request.has_yaml()) {
    if (auto read = ReadYamlWellFormed(request.yaml(), context, content); !read.ok()) return read;
  } else if (request.has_structured()) {
    content = request.structured();
  } else {
    return RefuseField(v1::REASON_PROGRAMME_MALFORMED, "yaml",
                       "needs a content in one of two forms");
  }
  if (auto sound = CheckContent(content); !sound.ok()) return sound;
  if (content.code() != request.programme()) {
    return RefuseField(v1::REASON_RULE_SET_INVALID, "programme", "is not the code in the content");
  }
  int version = 0;
  for (v1::RuleSet& rule_set : *content.mutable_rule_sets()) rule_set.set_version(++version);
  return Emit(std::move(event));
}

Decision ProgrammeDecider::Decide(const State& programme, const v1::PublishRuleSetRequest& request,
                                  const Context& context) {
  v1::RuleSetPublished event;
  v1::RuleSet& rule_set = *event.mutable_rule_set();
  if (request.has_yaml()) {
    if (auto read = ReadYamlWellFormed(request.yaml(), context, rule_set); !read.ok()) return read;
  } else if (request.has_structured()) {
    rule_set = request.structured();
  } else {
    return RefuseField(v1::REASON_PROGRAMME_MALFORMED, "yaml",
                       "needs a content in one of two forms");
  }
  if (auto sound = CheckRuleSet(rule_set, "rule_set"); !sound.ok()) return sound;
  const v1::RuleSet& last = *programme.rule_sets().rbegin();
  if (rule_set.effective_date() <= last.effective_date() ||
      rule_set.effective_date() < time::FormatDay(time::DayOf(context.now))) {
    return RefuseField(v1::REASON_RULE_SET_BACKDATED, "effective_date");
  }
  event.set_programme(programme.id());
  rule_set.set_version(last.version() + 1);
  return Emit(std::move(event));
}

void ProgrammeDecider::Apply(State& programme, const v1::ProgrammeLoaded& event) {
  programme.set_id(event.content().code());
  programme.set_title(event.content().title());
  programme.set_scheme(event.content().scheme());
  programme.set_funder(event.content().funder());
  *programme.mutable_rule_sets() = event.content().rule_sets();
}

void ProgrammeDecider::Apply(State& programme, const v1::RuleSetPublished& event) {
  *programme.add_rule_sets() = event.rule_set();
}

const engine::Table& ProgrammeDecider::ProjectTable() {
  static const engine::Table table = {
      .name = "programme",
      .columns = {"title", "scheme", "funder"},
      .types = {"text", "text", "text"},
  };
  return table;
}

std::vector<engine::Row> ProgrammeDecider::Project(const State& programme) {
  return {{.values = {programme.title(), programme.scheme(), programme.funder()}}};
}

}  // namespace sankofa::funding
