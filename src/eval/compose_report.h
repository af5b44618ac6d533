// The output of a composition study: compose.json for machines, a table for the terminal, and
// compose.md for people. None holds a prompt or an answer. Pure functions but write_compose().
#pragma once

#include <filesystem>
#include <string>

#include "base/file.h"
#include "base/json.h"
#include "eval/compose.h"
#include "patch/tested_stack.h"

namespace llmpatch {

// compose.json (docs/composition.md): schema, tool, command, model, patches with their domains,
// limits, modes with verdicts, the recommendation, and every metric of every mode.
OrderedJson compose_json(const ComposeResult& result);

// Metric by metric a line a mode, then the recommendation with its figures; ends with a newline.
std::string compose_text(const ComposeResult& result);
// The same as Markdown.
std::string compose_markdown(const ComposeResult& result);

// Writes compose.md and compose.json into the directory `out`, which is created when missing; the
// latter comes last: a directory that has one is complete. kExists with Overwrite::kNo; kIo.
Status write_compose(const ComposeResult& result, const std::filesystem::path& out,
                     Overwrite overwrite);

// What the manifest of patch `place` is to say: every mode of two patches or more that it is part
// of and in which its improvement was measured.
std::vector<TestedStack> tested_stacks(const ComposeResult& result, std::size_t place);

}  // namespace llmpatch
