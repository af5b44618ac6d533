#include "patch/adapter_config.h"

#include <gtest/gtest.h>

#include "base/json.h"
#include "patch/test_patch.h"

namespace llmpatch {
namespace {

const AdapterConfig kConfig{"example/tiny-model", 9, 30, ""};

// Rows of the shape the configuration speaks of; no values are looked at.
Rows shape(std::size_t n, std::size_t d) { return {n, d, {}}; }

void refuse(const char* key, const Json& value, ErrorKind kind) {
  SCOPED_TRACE(key);
  auto json = Json::parse(adapter_config_to_json(kConfig, 50, 576));
  json[key] = value;
  expect_error(parse_adapter_config(json.dump(), shape(50, 576), "adapter_config.json"), kind, key);
}

TEST(AdapterConfig, HoldsWhatPeftReads) {
  const auto json = Json::parse(adapter_config_to_json(kConfig, 50, 576));
  const Json expected = {{"auto_mapping", nullptr},
                         {"base_model_name_or_path", "example/tiny-model"},
                         {"inference_mode", true},
                         {"num_attention_heads", 9},
                         {"num_layers", 30},
                         {"num_transformer_submodules", 1},
                         {"num_virtual_tokens", 50},
                         {"peft_type", "PROMPT_TUNING"},
                         {"prompt_tuning_init", "RANDOM"},
                         {"prompt_tuning_init_text", nullptr},
                         {"revision", nullptr},
                         {"task_type", "CAUSAL_LM"},
                         {"token_dim", 576},
                         {"tokenizer_kwargs", nullptr},
                         {"tokenizer_name_or_path", nullptr}};
  EXPECT_EQ(json, expected);
}

// PEFT refuses TEXT without a tokenizer, and the only name we have for one is the model's.
TEST(AdapterConfig, SaysTextOnlyWithATokenizer) {
  AdapterConfig config = kConfig;
  config.init_text = "You decline harm.";
  auto json = Json::parse(adapter_config_to_json(config, 1, 1));
  EXPECT_EQ(json["prompt_tuning_init"], "TEXT");
  EXPECT_EQ(json["prompt_tuning_init_text"], "You decline harm.");
  EXPECT_EQ(json["tokenizer_name_or_path"], "example/tiny-model");
  config.base_model.clear();
  json = Json::parse(adapter_config_to_json(config, 1, 1));
  EXPECT_EQ(json["prompt_tuning_init"], "RANDOM");
  EXPECT_TRUE(json["prompt_tuning_init_text"].is_null());
  EXPECT_TRUE(json["base_model_name_or_path"].is_null());
}

TEST(AdapterConfig, RoundTrips) {
  AdapterConfig config = kConfig;
  config.init_text = "Decline.";
  const auto read =
      parse_adapter_config(adapter_config_to_json(config, 50, 576), shape(50, 576), "x");
  ASSERT_TRUE(read.ok()) << read.error().to_string();
  EXPECT_EQ(*read, config);
}

TEST(AdapterConfig, RefusesOtherAdaptersAndOtherRows) {
  refuse("peft_type", "LORA", ErrorKind::kUnsupported);
  refuse("peft_type", "PREFIX_TUNING", ErrorKind::kUnsupported);
  refuse("peft_type", nullptr, ErrorKind::kCorrupt);
  refuse("task_type", "SEQ_2_SEQ_LM", ErrorKind::kUnsupported);
  refuse("lora_alpha", 16, ErrorKind::kCorrupt);
  refuse("num_virtual_tokens", 49, ErrorKind::kMismatch);
  refuse("num_virtual_tokens", -1, ErrorKind::kMismatch);
  refuse("num_virtual_tokens", "50", ErrorKind::kCorrupt);
  refuse("token_dim", 577, ErrorKind::kMismatch);
  refuse("num_transformer_submodules", 2, ErrorKind::kMismatch);
  refuse("base_model_name_or_path", 1, ErrorKind::kCorrupt);
  expect_error(parse_adapter_config("[]", shape(1, 1), "x"), ErrorKind::kCorrupt, "object");
  expect_error(parse_adapter_config("", shape(1, 1), "x"), ErrorKind::kCorrupt, "x");
}

// PEFT imports the module of auto_mapping, gives tokenizer_kwargs (trust_remote_code, for one) to
// the tokenizer it loads, and trains where inference_mode is not set.
TEST(AdapterConfig, RefusesWhatWouldLoadCodeOrOtherWeights) {
  refuse("auto_mapping", {{"parent_library", "os"}, {"base_model_class", "Model"}},
         ErrorKind::kCorrupt);
  refuse("tokenizer_kwargs", {{"trust_remote_code", true}}, ErrorKind::kCorrupt);
  refuse("revision", "refs/pr/1", ErrorKind::kCorrupt);
  refuse("modules_to_save", {"lm_head"}, ErrorKind::kCorrupt);
  refuse("inference_mode", false, ErrorKind::kCorrupt);
  refuse("inference_mode", "true", ErrorKind::kCorrupt);
  refuse("prompt_tuning_init", "SAMPLE_VOCAB", ErrorKind::kCorrupt);
  refuse("tokenizer_name_or_path", "somebody/else", ErrorKind::kCorrupt);
  refuse("tokenizer_name_or_path", "example/tiny-model", ErrorKind::kCorrupt);  // without a text
  refuse("prompt_tuning_init_text", "Decline.", ErrorKind::kCorrupt);           // without TEXT

  AdapterConfig config = kConfig;
  config.init_text = "Decline.";
  auto json = Json::parse(adapter_config_to_json(config, 50, 576));
  json["tokenizer_name_or_path"] = "somebody/else";
  expect_error(parse_adapter_config(json.dump(), shape(50, 576), "x"), ErrorKind::kCorrupt,
               "tokenizer_name_or_path");
}

TEST(AdapterConfig, MayLackWhatIsNull) {
  auto json = Json::parse(adapter_config_to_json(kConfig, 50, 576));
  for (const char* key : {"auto_mapping", "prompt_tuning_init_text", "revision", "tokenizer_kwargs",
                          "tokenizer_name_or_path"}) {
    json.erase(key);
  }
  json["modules_to_save"] = nullptr;
  json["peft_version"] = "0.17.1";
  const auto read = parse_adapter_config(json.dump(), shape(50, 576), "x");
  ASSERT_TRUE(read.ok()) << read.error().to_string();
  EXPECT_EQ(*read, kConfig);
}

}  // namespace
}  // namespace llmpatch
