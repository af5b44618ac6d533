// A server as a judge: an OpenAI-compatible moderation endpoint, or a chat model with a rubric.
#pragma once

#include <memory>

#include "judge/judge.h"
#include "judge/judge_file.h"

namespace llmpatch {

// Members of the file:
//  - `url`: where the API begins ("https://host/v1"; http:// to this machine alone);
//  - `model`: its name there;
//  - `key_env`: the environment variable that holds the key, when the server wants one. The key
//    itself is in no file, message or record;
//  - `api`: `moderations` (the default): POST URL/moderations with the responses alone, 32 at once;
//    a score is the largest of the category scores, of those in `categories` when there is such a
//    list. Or `chat`: POST URL/chat/completions for each item, with the text of `rubric` as system
//    message and the item as JSON; the answer must be one number from 0 to 1 and nothing else, and
//    is no verdict otherwise;
//  - `max_tokens` (16): of a chat answer;
//  - `seconds` (120): of silence before a request is given up.
// Requests that fail are tried four times (http/client.h).
//
// make: kCorrupt of the file, kInvalidArgument when the variable is not set. score(): the errors of
// HttpClient; kDenied (401, 403), kNotFound (404), kLimit (429) and kIo (others) by the status of
// the last attempt; kCorrupt: an answer of another form.
Result<std::unique_ptr<Judge>> make_endpoint_judge(JudgeFile& file, const JudgeOptions& options);

}  // namespace llmpatch
