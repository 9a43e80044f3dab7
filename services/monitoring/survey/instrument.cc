#include "services/monitoring/survey/instrument.h"

#include <sodium.h>

#include <array>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "sankofa/monitoring/v1/monitoring_reason.pb.h"
#include "services/monitoring/survey/instrument_yaml.h"
#include "services/platform/time/time.h"

namespace sankofa::monitoring {
namespace {

using status::Refuse;
using status::RefuseField;

std::string Sha256(const std::string& text) {
  std::array<unsigned char, crypto_hash_sha256_BYTES> hash{};
  crypto_hash_sha256(hash.data(), reinterpret_cast<const unsigned char*>(text.data()), text.size());
  return absl::BytesToHexString({reinterpret_cast<const char*>(hash.data()), hash.size()});
}

}  // namespace

engine::Decision InstrumentDecider::Decide(const State& state,
                                           const v1::PublishInstrumentRequest& request,
                                           const engine::Context& context) {
  if (state.versions_size() >= kInstrumentVersionsMax) {
    return Refuse(v1::REASON_INSTRUMENT_VERSIONS_EXHAUSTED);
  }
  auto definition = ParseInstrument(request.yaml());
  if (!definition.ok()) return definition.status();
  if (definition->code() != request.code()) {
    return RefuseField(v1::REASON_INSTRUMENT_INVALID, "yaml.code", "must be the request's code");
  }
  if (definition->version() != state.versions_size() + 1) {
    return RefuseField(v1::REASON_INSTRUMENT_VERSION_NOT_NEXT, "yaml.version",
                       absl::StrCat("must be ", state.versions_size() + 1));
  }
  v1::InstrumentPublished event;
  *event.mutable_definition() = *std::move(definition);
  event.set_sha256(Sha256(request.yaml()));
  *event.mutable_publish_time() = time::ToTimestamp(context.now);
  return engine::Emit(std::move(event));
}

void InstrumentDecider::Apply(State& state, const v1::InstrumentPublished& event) {
  state.set_id(event.definition().code());
  v1::InstrumentVersion& version = *state.add_versions();
  *version.mutable_definition() = event.definition();
  version.set_sha256(event.sha256());
  *version.mutable_publish_time() = event.publish_time();
}

const engine::Table& InstrumentDecider::ProjectTable() {
  static const engine::Table table{.name = "instrument",
                                   .columns = {"instrument_version", "title_en", "title_fr"},
                                   .types = {"integer", "text", "text"}};
  return table;
}

std::vector<engine::Row> InstrumentDecider::Project(const State& state) {
  const v1::InstrumentDefinition& newest = state.versions(state.versions_size() - 1).definition();
  return {{{absl::StrCat(newest.version()), newest.title().en(), newest.title().fr()}}};
}

void BindInstrument(engine::Registry& registry) {
  registry.Command<InstrumentDecider, v1::PublishInstrumentRequest>(
      {.target = engine::Target::kEither,
       .id = [](const auto& request) { return request.code(); }});
}

}  // namespace sankofa::monitoring
