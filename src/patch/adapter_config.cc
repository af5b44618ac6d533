#include "patch/adapter_config.h"

#include <array>
#include <set>

#include "base/json.h"
#include "base/quote.h"

namespace llmpatch {
namespace {

// Every key that PEFT writes for prompt tuning; ours are a part of them.
const std::set<std::string>& peft_keys() {
  static const std::set<std::string> keys = {"auto_mapping",
                                             "base_model_name_or_path",
                                             "inference_mode",
                                             "modules_to_save",
                                             "num_attention_heads",
                                             "num_layers",
                                             "num_transformer_submodules",
                                             "num_virtual_tokens",
                                             "peft_type",
                                             "peft_version",
                                             "prompt_tuning_init",
                                             "prompt_tuning_init_text",
                                             "revision",
                                             "task_type",
                                             "token_dim",
                                             "tokenizer_kwargs",
                                             "tokenizer_name_or_path"};
  return keys;
}

// What PEFT would import a module by, load somebody's code or other weights by, or replace layers
// by.
constexpr std::array<const char*, 4> kNullKeys{"auto_mapping", "modules_to_save", "revision",
                                               "tokenizer_kwargs"};

Error corrupt(std::string_view where, const std::string& message) {
  return make_error(ErrorKind::kCorrupt, "adapter", std::string(where) + ": " + message);
}

// `key` must hold `expected`: other values are other kinds of adapter, which exist but not here.
Status expect_text(const Json& json, const char* key, const std::string& expected,
                   std::string_view where) {
  LLMPATCH_ASSIGN(const std::string found, json_string(json, key, where));
  if (found == expected) return {};
  return make_error(ErrorKind::kUnsupported, "adapter",
                    std::string(where) + ": " + key + ": found " + quote(found) + ", expected " +
                        quote(expected));
}

Status expect_size(const Json& json, const char* key, std::size_t expected,
                   std::string_view where) {
  LLMPATCH_ASSIGN(const std::int64_t found, json_integer(json, key, where));
  if (found >= 0 && static_cast<std::uint64_t>(found) == expected) return {};
  return make_error(ErrorKind::kMismatch, "adapter",
                    std::string(where) + ": " + key + ": found " + std::to_string(found) +
                        ", expected " + std::to_string(expected) + " as in the rows");
}

// A string member that may be null or absent; both give an empty string.
Result<std::string> optional_text(const Json& json, const char* key, std::string_view where) {
  if (!json.contains(key) || json[key].is_null()) return std::string();
  return json_string(json, key, where);
}

// Keys that have one value in a patch, or none: anything else PEFT would act on.
Status check_fixed(const Json& json, std::string_view where) {
  for (const auto& [key, value] : json.items()) {
    if (!peft_keys().contains(key)) {
      return corrupt(where, "found " + quote(key) + ", which is not a key of PEFT's prompt tuning");
    }
  }
  for (const char* key : kNullKeys) {
    if (json.contains(key) && !json[key].is_null()) {
      return corrupt(
          where, std::string(key) + ": found " + quote(json_line(json[key])) + ", expected null");
    }
  }
  const auto inference = json.find("inference_mode");
  if (inference == json.end() || *inference != true) {
    return corrupt(where, "inference_mode: expected true");
  }
  return {};
}

// What the rows started from, which PEFT reads with a tokenizer of this name: the model's or none.
Status check_start(const Json& json, const AdapterConfig& config, std::string_view where) {
  LLMPATCH_ASSIGN(const std::string start, json_string(json, "prompt_tuning_init", where));
  LLMPATCH_ASSIGN(const std::string tokenizer,
                  optional_text(json, "tokenizer_name_or_path", where));
  if (start != "TEXT" && start != "RANDOM") {
    return corrupt(where,
                   "prompt_tuning_init: found " + quote(start) + ", expected TEXT or RANDOM");
  }
  const bool from_text = start == "TEXT";
  if (from_text == config.init_text.empty()) {
    return corrupt(where,
                   "prompt_tuning_init_text: expected a text with prompt_tuning_init TEXT, "
                   "null with RANDOM");
  }
  const std::string expected = from_text ? config.base_model : std::string();
  if (tokenizer != expected || (from_text && expected.empty())) {
    return corrupt(where, "tokenizer_name_or_path: found " + quote(tokenizer) + ", expected " +
                              (from_text ? "base_model_name_or_path" : "null"));
  }
  return {};
}

}  // namespace

std::string adapter_config_to_json(const AdapterConfig& config, std::size_t n, std::size_t d) {
  const auto text_or_null = [](const std::string& text) {
    return text.empty() ? Json() : Json(text);
  };
  const bool from_text = !config.init_text.empty() && !config.base_model.empty();
  Json json;
  json["auto_mapping"] = nullptr;
  json["base_model_name_or_path"] = text_or_null(config.base_model);
  json["inference_mode"] = true;
  json["num_attention_heads"] = config.attention_heads;
  json["num_layers"] = config.layers;
  json["num_transformer_submodules"] = 1;
  json["num_virtual_tokens"] = n;
  json["peft_type"] = "PROMPT_TUNING";
  json["prompt_tuning_init"] = from_text ? "TEXT" : "RANDOM";
  json["prompt_tuning_init_text"] = from_text ? Json(config.init_text) : Json();
  json["revision"] = nullptr;
  json["task_type"] = "CAUSAL_LM";
  json["token_dim"] = d;
  json["tokenizer_kwargs"] = nullptr;
  json["tokenizer_name_or_path"] = from_text ? Json(config.base_model) : Json();
  return json_pretty(json);
}

Result<AdapterConfig> parse_adapter_config(std::string_view text, const Rows& rows,
                                           std::string_view where) {
  LLMPATCH_ASSIGN(const Json json, parse_json(text, where));
  LLMPATCH_TRY(expect_text(json, "peft_type", "PROMPT_TUNING", where));
  LLMPATCH_TRY(expect_text(json, "task_type", "CAUSAL_LM", where));
  LLMPATCH_TRY(check_fixed(json, where));
  LLMPATCH_TRY(expect_size(json, "num_transformer_submodules", 1, where));
  LLMPATCH_TRY(expect_size(json, "num_virtual_tokens", rows.n, where));
  LLMPATCH_TRY(expect_size(json, "token_dim", rows.d, where));
  AdapterConfig config;
  LLMPATCH_ASSIGN(config.base_model, optional_text(json, "base_model_name_or_path", where));
  LLMPATCH_ASSIGN(config.attention_heads, json_integer(json, "num_attention_heads", where));
  LLMPATCH_ASSIGN(config.layers, json_integer(json, "num_layers", where));
  LLMPATCH_ASSIGN(config.init_text, optional_text(json, "prompt_tuning_init_text", where));
  LLMPATCH_TRY(check_start(json, config, where));
  return config;
}

}  // namespace llmpatch
