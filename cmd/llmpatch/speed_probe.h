// How fast a model answers on this machine now, for the estimate in a plan.
#pragma once

#include <cstdint>
#include <string>

#include "base/result.h"
#include "runtime/engine.h"
#include "runtime/model.h"

namespace llmpatch {

// Tokens a second of a batch of short answers, as a long job would run them; takes the time of a
// hundred tokens or so. Errors of the Engine.
Result<double> measure_speed(const Model& model, EngineOptions options);

// "about 2:30 at 180 tokens a second".
std::string estimate_text(std::uint64_t tokens, double tokens_per_second);

// The lines of a plan that say how long `tokens` take at most, as measure_speed tells, and what
// memory there is with the model loaded.
Status say_cost(const Model& model, const EngineOptions& options, std::uint64_t tokens);

}  // namespace llmpatch
