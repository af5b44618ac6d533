// adapter_config.json: what makes a patch directory a PEFT prompt-tuning adapter. PEFT's own keys
// and no others, since older PEFT refuses keys it does not know.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"
#include "patch/rows.h"

namespace llmpatch {

struct AdapterConfig {
  std::string base_model;            // Hugging Face id or path; empty writes null
  std::int64_t attention_heads = 0;  // of the base model; informational in PEFT
  std::int64_t layers = 0;           // of the base model; informational in PEFT
  // The text the rows started from. Written as prompt_tuning_init TEXT, for which PEFT also wants a
  // tokenizer: only when base_model is set too; RANDOM otherwise. (PEFT initialises nothing from it
  // when it loads an adapter.)
  std::string init_text;

  bool operator==(const AdapterConfig&) const = default;
};

// The bytes of adapter_config.json for rows of [n, d].
std::string adapter_config_to_json(const AdapterConfig& config, std::size_t n, std::size_t d);

// Parses such a file and checks that it describes `rows`. kCorrupt: bad JSON, unknown keys, wrong
// types, a way for PEFT to load code or other weights; kUnsupported: another kind of adapter than
// causal-LM prompt tuning; kMismatch: n or d is not that of `rows`. `where` is for messages.
Result<AdapterConfig> parse_adapter_config(std::string_view text, const Rows& rows,
                                           std::string_view where);

}  // namespace llmpatch
