// What every measurement of one evaluation shares. Internal to eval/.
#pragma once

#include <span>
#include <string>
#include <utility>

#include "base/cancel.h"
#include "base/progress.h"
#include "eval/evaluate.h"
#include "eval/running_systems.h"
#include "runtime/engine.h"

namespace llmpatch {

class JudgeSet;

// Adds the progress of phases up to one total.
class WorkProgress {
 public:
  WorkProgress(const ProgressFn& report, std::uint64_t total) : report_(report), total_(total) {}

  // Progress of the phase `note`, whose counts are added to what end_phase() has closed. Valid as
  // long as this object.
  ProgressFn phase(std::string note) const {
    if (!report_) return {};
    return [this, note = std::move(note)](std::uint64_t done, std::uint64_t, const std::string&) {
      report_(closed_ + done, total_, note);
    };
  }
  void end_phase(std::uint64_t work) { closed_ += work; }

 private:
  const ProgressFn& report_;
  std::uint64_t total_ = 0;
  std::uint64_t closed_ = 0;
};

struct EvalRun {
  const Model& model;  // under evaluation
  Engine& engine;      // its, without adapters
  const EvalOptions& options;
  const RunningSystems& systems;
  Stack patched;  // the patches under evaluation; empty: none
  const CancelFlag* cancel = nullptr;
  WorkProgress& progress;
  const JudgeSet& judges;

  const Stack& stack_of(const System& system) const { return systems.of(system).stack; }
  // The system message that `system` puts before a prompt; empty: none.
  std::string_view system_text(const System& system) const { return systems.of(system).prompt; }
  const Model& model_of(const System& system) const { return *systems.of(system).model; }
  Engine& engine_of(const System& system) const { return *systems.of(system).engine; }
};

}  // namespace llmpatch
