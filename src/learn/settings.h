// What a run was asked to do, stage by stage: the settings that bind a stage's file, and the record
// that goes into the patch's manifest.
#pragma once

#include <string>
#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "learn/finished_run.h"
#include "learn/learn.h"
#include "learn/learn_data.h"
#include "learn/run_directory.h"
#include "runtime/engine.h"

namespace llmpatch {

// Whether the benign prompts that the base model refuses are learned from; and whether by other
// answers of its own, which are sampled then. Unlikelihood needs none: it keeps from the refusal.
bool makes_corrections(const LearnOptions& options);
bool answers_corrections(const LearnOptions& options);

// Whether any stage retains longer answers.
bool keeps_whole_answers(const LearnOptions& options);

// Whether the pairs are made here; given ones, and those of joint runs, are ready.
bool makes_pairs(const LearnOptions& options);

// "teacher", "base" or "sft".
const char* name_of(Reference reference);

// Whether there is a teacher; whether it answers the prompts; and how many answers every model
// gives to each.
bool has_teacher(const LearnOptions& options);
bool asks_teacher(const LearnOptions& options);
int samples_of(const LearnOptions& options);

// How several answers to one prompt are drawn: T = 1, top-p .9, as the paper's.
Sampling nucleus_sampling(const LearnOptions& options);

// Whether anything stands beside the prefix at some steps.
bool has_companions(const LearnOptions& options);

// How every engine of a run is set up.
EngineOptions engine_options(const LearnOptions& options);

// The stages of this run in order, with everything each depends on. `model_digest` and
// `teacher_digest` are of the model files (empty for an endpoint), `judge` is Judge::identity().
// With DPO options.reference must be set.
std::vector<StageRecord> plan_stages(const LearnOptions& options, const LearnData& data,
                                     const std::string& model_digest,
                                     const std::string& teacher_digest, const std::string& dtype,
                                     const std::string& judge);

// What a single run leaves for joint ones. `judge` is Judge::identity().
FinishedRun run_record(const LearnOptions& options, const LearnData& data, const BaseIdentity& base,
                       const std::string& judge);

// The manifest's `learned`: method, teacher, data with digests, hyper-parameters.
Json learned_record(const LearnOptions& options, const LearnData& data,
                    const std::string& teacher_digest, const std::string& dtype,
                    const std::string& judge);

}  // namespace llmpatch
