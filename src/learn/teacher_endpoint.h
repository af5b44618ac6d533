// A teacher that a server runs: chosen answers from an OpenAI-compatible API.
#pragma once

#include <chrono>
#include <filesystem>
#include <string>
#include <vector>

#include "base/cancel.h"
#include "base/json.h"
#include "base/progress.h"
#include "base/result.h"
#include "learn/generation.h"
#include "runtime/prompt.h"

namespace llmpatch {

// Where the program finds TeacherEndpoint::key.
inline constexpr const char* kTeacherKeyVariable = "LLMPATCH_TEACHER_KEY";

struct TeacherEndpoint {
  std::string url;      // where the API begins, such as "https://host/v1"; empty: no such teacher
  std::string model;    // its name there
  std::string key;      // bearer token; empty: none. In no file and no message
  int concurrency = 4;  // requests at once
  int attempts = 6;     // of one request
  std::chrono::seconds timeout{120};          // of silence, until an attempt is given up
  std::chrono::milliseconds first_wait{500};  // before the second attempt; doubles

  bool given() const { return !url.empty(); }
};

// Limits of the above; and that the URL is one (openai_url()) with a model's name beside it.
// kInvalidArgument; kDenied: http:// to another machine.
Status check_teacher_endpoint(const TeacherEndpoint& endpoint);

// The body of a request for `count` answers to a prompt of which `known` are there: for
// /chat/completions or /completions by `format`. The seed is the settings' plus `known`, in 63
// bits. kInvalidArgument: a conversation to be continued as raw text.
Result<Json> endpoint_request(const std::string& model, const Prompt& prompt, PromptFormat format,
                              const AnswerSettings& settings, std::size_t known, std::size_t count);

// As generate_answers(), from the endpoint. Each answer is appended to `file` as it arrives (a line
// of answers_line() with its format; several lines of a prompt follow each other), and the file is
// put in order of prompts when all are there. The same call after a kill asks only for what is
// missing. A prompt given twice is asked once, and has one line.
//
// Several answers are asked for at once (`n`), one by one of a server that refuses that or gives
// fewer. What a server's filter withholds, by status or `finish_reason`, is an empty answer, which
// is not complete. Requests are tried again as HttpClient does, a Retry-After up to two minutes
// being obeyed, and answers of another form three times.
//
// Errors of OpenAiClient; kCorrupt: an answer of another form, one that holds the key, or a file
// that belongs to other prompts; kIo; kCancelled. Answers that came before stay in the file.
// Requests run on threads of their own; `progress`, which counts prompts, is called on any of them,
// one at a time.
Result<std::vector<Answers>> ask_endpoint(const TeacherEndpoint& endpoint,
                                          const std::vector<Prompt>& prompts,
                                          const std::vector<PromptFormat>& formats,
                                          const AnswerSettings& settings,
                                          const std::filesystem::path& file,
                                          const CancelFlag* cancel, const ProgressFn& progress);

}  // namespace llmpatch
