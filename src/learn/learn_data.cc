#include "learn/learn_data.h"

#include <algorithm>
#include <iterator>
#include <set>

#include "runtime/prompt_overlap.h"

namespace llmpatch {
namespace {

namespace fs = std::filesystem;

Result<std::vector<Prompt>> read_all(const std::vector<fs::path>& files, const char* what) {
  std::vector<Prompt> all;
  for (const auto& file : files) {
    LLMPATCH_ASSIGN(auto prompts, read_prompts(file, what));
    std::move(prompts.begin(), prompts.end(), std::back_inserter(all));
  }
  return all;
}

Result<std::vector<PromptFormat>> formats_of(const std::vector<Prompt>& prompts,
                                             PromptFormat fallback) {
  std::vector<PromptFormat> formats;
  for (const Prompt& prompt : prompts) {
    LLMPATCH_ASSIGN(const PromptFormat format,
                    format_of(prompt, fallback, "prompt line " + std::to_string(prompt.line)));
    formats.push_back(format);
  }
  return formats;
}

// Moves a tenth of `learned` (at least one, at most `limit`) to `held`: those with the smallest
// digests, so that the split does not depend on the order of the file.
void hold_out(std::vector<Prompt>& learned, std::vector<Prompt>& held, std::int64_t limit) {
  std::set<std::string> digests;
  for (const Prompt& prompt : learned) digests.insert(prompt.digest());
  if (digests.size() < 2) return;
  const auto count = static_cast<std::ptrdiff_t>(
      std::clamp<std::size_t>(digests.size() / 10, 1, static_cast<std::size_t>(limit)));
  // Of a prompt that is given several times none is learned from, and one validated on.
  const std::set<std::string> chosen(digests.begin(), std::next(digests.begin(), count));
  std::set<std::string> missing = chosen;
  std::vector<Prompt> rest;
  for (Prompt& prompt : learned) {
    const std::string digest = prompt.digest();
    if (!chosen.contains(digest)) {
      rest.push_back(std::move(prompt));
    } else if (missing.erase(digest) > 0) {
      held.push_back(std::move(prompt));
    }
  }
  learned = std::move(rest);
}

// Keeps the `limit` prompts with the smallest digests.
void limit_to(std::vector<Prompt>& prompts, std::int64_t limit) {
  if (prompts.size() <= static_cast<std::size_t>(limit)) return;
  std::sort(prompts.begin(), prompts.end(),
            [](const Prompt& a, const Prompt& b) { return a.digest() < b.digest(); });
  prompts.resize(static_cast<std::size_t>(limit));
}

}  // namespace

Result<LearnData> read_learn_data(const LearnOptions& options, const Model& model) {
  LearnData data;
  const PromptFormat fallback = options.format.value_or(default_prompt_format(model));
  LLMPATCH_ASSIGN(data.prompts, read_all(options.pairs.empty() ? options.prompts : options.pairs,
                                         "learning prompts"));
  LLMPATCH_ASSIGN(data.retain, read_all(options.retain, "retain prompts"));
  LLMPATCH_ASSIGN(data.validate, read_all(options.validate, "validation prompts"));
  LLMPATCH_ASSIGN(data.validate_retain,
                  read_all(options.validate_retain, "benign validation prompts"));
  if (data.prompts.empty()) {
    return make_error(ErrorKind::kInvalidArgument, "learn", "learning prompts: found none");
  }
  for (const auto& file : options.tests) {
    LLMPATCH_ASSIGN(const auto tested, read_prompts(file, "test prompts"));
    const std::string name = file.string();
    const auto check = [&](const std::vector<fs::path>& files, const char* what) -> Status {
      for (const auto& learned_file : files) {
        LLMPATCH_ASSIGN(const auto learned, read_prompts(learned_file, what));
        LLMPATCH_TRY(check_no_overlap({learned_file.string(), learned}, {name, tested}));
      }
      return {};
    };
    LLMPATCH_TRY(check(options.prompts, "learning prompts"));
    LLMPATCH_TRY(check(options.pairs, "preference pairs"));
    LLMPATCH_TRY(check(options.retain, "retain prompts"));
    LLMPATCH_TRY(check(options.validate, "validation prompts"));
    LLMPATCH_TRY(check(options.validate_retain, "benign validation prompts"));
  }
  if (data.validate.empty()) hold_out(data.prompts, data.validate, options.validate_prompts);
  if (data.validate_retain.empty())
    hold_out(data.retain, data.validate_retain, options.validate_benign);
  if (options.learn_prompts > 0) limit_to(data.prompts, options.learn_prompts);
  if (options.retain_prompts > 0) limit_to(data.retain, options.retain_prompts);
  limit_to(data.validate, options.validate_prompts);
  limit_to(data.validate_retain, options.validate_benign);
  LLMPATCH_ASSIGN(data.prompt_formats, formats_of(data.prompts, fallback));
  LLMPATCH_ASSIGN(data.retain_formats, formats_of(data.retain, fallback));
  LLMPATCH_ASSIGN(data.validate_formats, formats_of(data.validate, fallback));
  LLMPATCH_ASSIGN(data.validate_retain_formats, formats_of(data.validate_retain, fallback));
  return data;
}

}  // namespace llmpatch
