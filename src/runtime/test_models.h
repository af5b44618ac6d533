// Models for the tests: the two real ones of scripts/setup, and a tiny one with F32 weights, where
// rounding is the only difference between ways to compute the same thing.
#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include "gguf/gguf_test_file.h"
#include "runtime/engine.h"
#include "runtime/model.h"

namespace llmpatch {

inline std::filesystem::path model_path(const std::string& name) {
  return std::filesystem::path(LLMPATCH_SOURCE_DIR) / "models" / name;
}

inline std::unique_ptr<Model> load_model(const std::filesystem::path& path,
                                         const ModelOptions& options = {}) {
  auto model = Model::load(path, options);
  if (!model.ok()) {
    ADD_FAILURE() << model.error().to_string();
    std::exit(1);  // every test of the program would fail
  }
  return std::move(model).value();
}

inline const Model& smollm2() {
  static const auto model = load_model(model_path("smollm2-135m-instruct-q4_1.gguf"));
  return *model;
}

inline const Model& gemma3() {
  static const auto model = load_model(model_path("gemma3-270m-q4_k_m.gguf"));
  return *model;
}

// A random llama of 3 layers and width 64 as a GGUF file; its 300 tokens are three control tokens,
// the bytes and some letters.
inline GgufTestFile tiny_model_file() {
  constexpr std::uint32_t kWidth = 64, kFeedForward = 96, kHeads = 4, kKvHeads = 2, kLayers = 3;
  constexpr std::uint32_t kTokens = 300;
  std::uint32_t state = 12345;
  const auto random = [&](std::size_t n, float center, float spread) {
    std::vector<float> values(n);
    for (float& value : values) {
      state = state * 1664525u + 1013904223u;
      value = center + spread * (static_cast<float>(state >> 8) / 8388608.0f - 1.0f);
    }
    return values;
  };
  GgufTestFile file;
  file.text("general.architecture", "llama");
  file.u32("llama.block_count", kLayers);
  file.u32("llama.context_length", 1024);
  file.u32("llama.embedding_length", kWidth);
  file.u32("llama.feed_forward_length", kFeedForward);
  file.u32("llama.attention.head_count", kHeads);
  file.u32("llama.attention.head_count_kv", kKvHeads);
  file.f32("llama.attention.layer_norm_rms_epsilon", 1e-5f);
  file.u32("llama.rope.dimension_count", kWidth / kHeads);
  file.text("tokenizer.ggml.model", "llama");
  std::vector<std::string> tokens{"<unk>", "<s>", "</s>"};
  std::vector<std::int32_t> types{2, 3, 3};
  for (int byte = 0; byte < 256; ++byte) {
    const char* digits = "0123456789ABCDEF";
    tokens.push_back(std::string("<0x") + digits[byte / 16] + digits[byte % 16] + ">");
    types.push_back(6);
  }
  tokens.push_back("\xE2\x96\x81");  // SentencePiece's mark for a space
  for (char letter = 'a'; letter <= 'z'; ++letter) tokens.emplace_back(1, letter);
  while (tokens.size() < kTokens)
    tokens.push_back(std::string("word") + std::to_string(tokens.size()));
  types.resize(tokens.size(), 1);
  file.strings("tokenizer.ggml.tokens", tokens);
  std::string scores, numbers;
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    scores += little_endian(-static_cast<float>(i));
    numbers += little_endian(types[i]);
  }
  file.array("tokenizer.ggml.scores", 6, tokens.size(), scores);
  file.array("tokenizer.ggml.token_type", 5, tokens.size(), numbers);

  const auto matrix = [&](const std::string& name, std::uint64_t columns, std::uint64_t rows) {
    file.floats(name, {columns, rows}, random(columns * rows, 0, 0.25f));
  };
  const auto norm = [&](const std::string& name) {
    file.floats(name, {kWidth}, random(kWidth, 1, 0.2f));
  };
  matrix("token_embd.weight", kWidth, kTokens);
  norm("output_norm.weight");
  for (std::uint32_t layer = 0; layer < kLayers; ++layer) {
    const std::string block = "blk." + std::to_string(layer) + ".";
    norm(block + "attn_norm.weight");
    norm(block + "ffn_norm.weight");
    matrix(block + "attn_q.weight", kWidth, kWidth);
    matrix(block + "attn_k.weight", kWidth, kWidth / kHeads * kKvHeads);
    matrix(block + "attn_v.weight", kWidth, kWidth / kHeads * kKvHeads);
    matrix(block + "attn_output.weight", kWidth, kWidth);
    matrix(block + "ffn_gate.weight", kWidth, kFeedForward);
    matrix(block + "ffn_up.weight", kWidth, kFeedForward);
    matrix(block + "ffn_down.weight", kFeedForward, kWidth);
  }
  return file;
}

// Loads a model from bytes.
inline Result<std::unique_ptr<Model>> load_bytes(const std::string& bytes) {
  static int number = 0;
  const std::filesystem::path path = ::testing::TempDir() + "llmpatch-model-" +
                                     std::to_string(::getpid()) + "-" + std::to_string(number++) +
                                     ".gguf";
  std::ofstream(path, std::ios::binary)
      .write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  auto model = Model::load(path, {true});
  std::filesystem::remove(path);
  return model;
}

inline const Model& tiny_model() {
  static const auto model = [] {
    auto loaded = load_bytes(tiny_model_file().bytes());
    if (!loaded.ok()) {
      ADD_FAILURE() << loaded.error().to_string();
      std::exit(1);
    }
    return std::move(loaded).value();
  }();
  return *model;
}

// `n` tokens of the tiny model that begin at any letter.
inline Tokens letters(std::size_t n, std::size_t start = 0) {
  Tokens tokens;
  for (std::size_t i = 0; i < n; ++i) {
    tokens.push_back(static_cast<Token>(260 + (start + i * i * 7 + i) % 26));
  }
  return tokens;
}

inline std::unique_ptr<Engine> make_engine(const Model& model, const EngineOptions& options = {}) {
  auto engine = Engine::create(model, options);
  if (!engine.ok()) {
    ADD_FAILURE() << engine.error().to_string();
    std::exit(1);
  }
  return std::move(engine).value();
}

inline Tokens tokens_of(const Model& model, std::string_view text, bool special = false) {
  return model.tokenize(text, special).value();
}

}  // namespace llmpatch
