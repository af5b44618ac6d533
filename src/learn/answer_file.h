// Files of answers: JSON lines of one prompt's each.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "runtime/prompt.h"

namespace llmpatch {

// Answers to one prompt.
struct Answers {
  std::vector<std::string> texts;
  std::vector<bool> complete;  // ended by itself, not by the token limit
};

inline constexpr std::uint64_t kMaxAnswerBytes = std::uint64_t{1} << 30;  // of such a file

// {"prompt_digest", "prompt", "responses", "complete"}, and "format" where one is given, with a
// line end.
std::string answers_line(const Prompt& prompt, const Answers& answers,
                         std::optional<PromptFormat> format = std::nullopt);

// The answers of such a line. kCorrupt names `where`: members missing or of another type, lists of
// different length.
Result<Answers> parse_answers(const Json& line, const std::string& where);

// A line that belongs to another prompt or another number of samples: kCorrupt.
Error other_answers(const std::string& where);

// For every prompt the place of the first that asks the same in the same form.
std::vector<std::size_t> first_places(const std::vector<Prompt>& prompts,
                                      const std::vector<PromptFormat>& formats);

}  // namespace llmpatch
