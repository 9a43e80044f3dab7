#pragma once

#include "sankofa/validation/v1/case_file.pb.h"
#include "sankofa/validation/v1/validation_events.pb.h"
#include "sankofa/validation/v1/validation_internal.pb.h"
#include "services/platform/engine/decider.h"

// What validation must know of a case, told by registration's events, and which projects the case has. Reactions never
// fail here: what comes late or twice changes nothing.
namespace sankofa::validation {

// More projects than this are not drafted for one case: an erasure touches them all at once.
inline constexpr int kProjectsPerCaseMax = 40;

// True where projects may be drafted, go on, and be approved.
[[nodiscard]] bool IsReady(const v1::CaseFile& file);
// True where a project of `kind` is neither refused nor withdrawn.
[[nodiscard]] bool HasLiveProject(const v1::CaseFile& file, v1::ProjectKind kind);

struct CaseFileDecider {
  using State = v1::CaseFile;
  using EventTypes =
      engine::EventTypes<v1::CaseFileOpened, v1::CaseFileMoved, v1::CaseProjectOpened,
                         v1::CaseProjectEnded, v1::CaseFileErased>;

  static engine::Decision Decide(const State& file, const v1::OpenCaseFileRequest& request,
                                 const engine::Context& context);
  static engine::Decision Decide(const State& file, const v1::MoveCaseFileRequest& request,
                                 const engine::Context& context);
  // Touches all projects of the case.
  static engine::Decision Decide(const State& file, const v1::EraseCaseFileRequest& request,
                                 const engine::Context& context);

  static void Apply(State& file, const v1::CaseFileOpened& event);
  static void Apply(State& file, const v1::CaseFileMoved& event);
  static void Apply(State& file, const v1::CaseProjectOpened& event);
  static void Apply(State& file, const v1::CaseProjectEnded& event);
  static void Apply(State& file, const v1::CaseFileErased& event);
};

}  // namespace sankofa::validation
