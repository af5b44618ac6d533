// diff.html: what a patch changes, as a page: release notes of two versions, and every answer that
// changed.
#pragma once

#include <span>
#include <string>

#include "eval/diff.h"

namespace llmpatch {

// One self-contained page without script: counts judge by judge, release notes to copy, and behind
// a click the changed prompts with both answers, the first token that differs marked, the
// divergence there, and the verdicts; filters show what one judge calls fixed or broken. Prompts,
// answers and names are hostile: everything is escaped. The same diff gives the same bytes.
std::string diff_html(const Diff& diff, std::span<const SuitePrompt> prompts,
                      const DiffSubject& subject);

// Release notes in Markdown: what is compared, and what each judge finds fixed and broken. Holds no
// prompt and no answer.
std::string diff_release_notes(const Diff& diff, const DiffSubject& subject);

// An answer as HTML: what both have in common, the first token of its own marked, and the rest.
// `agreed` and the token's end are moved to the borders of characters.
std::string marked_answer_html(const std::string& text, std::size_t agreed,
                               const std::string& token);

}  // namespace llmpatch
