#include "learn/teacher_model.h"

#include <algorithm>

#include "base/sha256.h"
#include "gguf/gguf_file.h"
#include "gguf/vocabulary.h"

namespace llmpatch {
namespace {

Error invalid(const std::string& message, const std::string& hint) {
  return make_error(ErrorKind::kInvalidArgument, "learn", message, hint);
}

}  // namespace

Result<TeacherModel> open_teacher(const LearnOptions& options, const Model& base,
                                  const std::string& base_digest) {
  TeacherModel teacher;
  if (options.teacher_endpoint.given()) return teacher;
  if (options.teacher_model.empty()) {
    teacher.digest = base_digest;
    return teacher;
  }
  LLMPATCH_ASSIGN(const auto file, GgufFile::open(options.teacher_model, "teacher model"));
  teacher.digest = sha256_hex(file.bytes());
  LLMPATCH_ASSIGN(teacher.model, Model::load(options.teacher_model));
  teacher.other_vocabulary = !same_vocabulary(base.file(), file);
  return teacher;
}

Result<Reference> reference_of(const LearnOptions& options, const TeacherModel& teacher) {
  const bool scores =
      has_teacher(options) && !options.teacher_endpoint.given() && !teacher.other_vocabulary;
  const Reference reference =
      options.reference.value_or(scores ? Reference::kTeacher : Reference::kBase);
  if (!options.dpo || reference != Reference::kTeacher || scores) return reference;
  return invalid(
      "reference teacher: found a teacher with another vocabulary, expected the base model's: it "
      "cuts answers into other tokens, whose log-probabilities do not compare",
      "say --reference base or sft, or leave it out");
}

Status check_teacher_formats(const LearnOptions& options, const TeacherModel& teacher,
                             const LearnData& data) {
  const bool chats = std::ranges::count(data.prompt_formats, PromptFormat::kChat) > 0;
  if (!teacher.model || !asks_teacher(options) || !chats || teacher.model->chat_template()) {
    return {};
  }
  return invalid("teacher " + options.teacher_model.string() +
                     ": found no chat template in it, expected one for chat prompts",
                 "--format raw has it continue the text of the prompts");
}

std::string teacher_plan(const LearnOptions& options, const TeacherModel& teacher,
                         std::size_t tokens, Reference reference) {
  std::string said;
  const TeacherEndpoint& endpoint = options.teacher_endpoint;
  if (endpoint.given()) {
    said = "; at most " + std::to_string(tokens) + " of the tokens by " + endpoint.model + " at " +
           endpoint.url + ", " + std::to_string(endpoint.concurrency) + " requests at once";
  } else if (teacher.other_vocabulary) {
    said = "; the teacher has another vocabulary";
    if (asks_teacher(options)) said += ": its answers are cut into the base model's tokens";
  }
  if (!said.empty() && options.dpo) {
    said += std::string("; DPO's reference is ") + name_of(reference) +
            ", as the teacher gives no log-probabilities of these tokens";
  }
  return said;
}

}  // namespace llmpatch
