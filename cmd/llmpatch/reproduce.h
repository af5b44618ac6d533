// eval --reproduce: what a patch's card says was run.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "base/json.h"
#include "eval/evaluate.h"

namespace llmpatch {

// The card of a patch directory or .llmpatch file. kNotFound when it carries none; errors of
// load_patch.
Result<Json> card_of(const std::filesystem::path& patch);

// Fills in what `card` records of its run: suites, limits, decoding, system prompt, seed. A suite
// is taken from options.suites where one of that name stands there, else from the built-in ones
// under options.data: a card names no file. Extra judges are taken from the built-in ones, or must
// stand in options.judges. What costs time and has no interval (timing, examples) is left out.
// Errors of recorded_run(); kInvalidArgument for a suite or judge that cannot be had that way.
Status apply_card(const Json& card, EvalOptions& options);

// Whether `options` (with patches, further systems, and the files of `model` and the teacher) is
// what `card` was measured on: kMismatch, before an hour is spent on it.
Status check_card_matches(const Json& card, const std::filesystem::path& model,
                          const EvalOptions& options);

// `card` without the further systems that `options` do not have (a card names no file): what is
// left can be reproduced. Says which are left out.
Result<Json> without_missing_systems(const Json& card, const EvalOptions& options);

// kUnmet, naming the metrics, when figures of `again` left the intervals of `card`.
Status check_reproduced(const Json& card, const Json& again);

}  // namespace llmpatch
