#include "speed_probe.h"

#include <string>
#include <vector>

#include "base/memory.h"
#include "terminal.h"

namespace llmpatch {

Result<double> measure_speed(const Model& model, EngineOptions options) {
  constexpr int kRequests = 16;
  constexpr int kTokens = 8;
  options.context = 64;
  options.max_concurrent = kRequests;
  LLMPATCH_ASSIGN(const auto engine, Engine::create(model, options));
  std::vector<GenerateRequest> requests;
  for (int i = 0; i < kRequests; ++i) {
    GenerateRequest request;
    LLMPATCH_ASSIGN(request.prompt, model.tokenize("Number " + std::to_string(i) + " is", false));
    request.max_tokens = kTokens;
    requests.push_back(std::move(request));
  }
  LLMPATCH_TRY(engine->generate(requests));
  const EngineStats& stats = engine->stats();
  return static_cast<double>(stats.prompt_tokens + stats.generated_tokens) / stats.seconds;
}

std::string estimate_text(std::uint64_t tokens, double tokens_per_second) {
  return "about " + duration_text(static_cast<double>(tokens) / tokens_per_second) + " at " +
         std::to_string(static_cast<int>(tokens_per_second)) + " tokens a second";
}

Status say_cost(const Model& model, const EngineOptions& options, std::uint64_t tokens) {
  LLMPATCH_ASSIGN(const double speed, measure_speed(model, options));
  say("time: " + estimate_text(tokens, speed) + "; cached answers cost none");
  say("memory: " + bytes_text(static_cast<double>(resident_bytes())) + " with the model, " +
      bytes_text(static_cast<double>(usable_memory().available)) + " still free");
  return {};
}

}  // namespace llmpatch
