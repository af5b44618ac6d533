// The safer model that a run learns from: what is opened of it, and what it can be asked for.
#pragma once

#include <memory>
#include <string>

#include "base/result.h"
#include "learn/learn.h"
#include "learn/settings.h"
#include "runtime/model.h"

namespace llmpatch {

struct TeacherModel {
  std::string digest;            // of the file that answers, the base model's with a system prompt;
                                 // empty for an endpoint
  std::unique_ptr<Model> model;  // of another file, or null
  bool other_vocabulary =
      false;  // of that file: it cuts text into other tokens than the base model
};

// Opens the teacher that `options` name, if it is a file. `base_digest` is of the base model's. The
// errors of opening a model.
Result<TeacherModel> open_teacher(const LearnOptions& options, const Model& base,
                                  const std::string& base_digest);

// The reference of DPO: the one that was asked for; otherwise the teacher where there is one that
// gives log-probabilities of the base model's tokens, else the base model. kInvalidArgument when
// the teacher is asked for and cannot give them.
Result<Reference> reference_of(const LearnOptions& options, const TeacherModel& teacher);

// Whether a teacher of its own file can be asked `data` as it is. kInvalidArgument: chat prompts,
// and no chat template in it.
Status check_teacher_formats(const LearnOptions& options, const TeacherModel& teacher,
                             const LearnData& data);

// What of the plan is to be said about the teacher: "; ..." or nothing. `tokens` is what it may
// write at most, `reference` what reference_of() gave.
std::string teacher_plan(const LearnOptions& options, const TeacherModel& teacher,
                         std::size_t tokens, Reference reference);

}  // namespace llmpatch
