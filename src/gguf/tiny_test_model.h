// A small model file for the tests of the base identity.
#pragma once

#include <ggml.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>
#include <string>
#include <vector>

#include "gguf/gguf_test_file.h"

namespace llmpatch {

// What a test may change about the model below.
struct TinyTestModel {
  ggml_type type = GGML_TYPE_F32;  // of the matrices
  double change = 0;               // Gaussian change of the attn_q matrices, as a share of them
  float norm = 1;                  // every weight of the norms
  std::string architecture = "llama";
  std::string token = "two";  // the second of three
  std::string chat_template = "{{ messages }}";
  bool reversed = false;       // tensors in the other order
  bool wide_integers = false;  // token types as int64 instead of int32

  // Four layers of one norm, one attention and one feed-forward matrix, 512 wide, and an embedding.
  // The weights are always the same, but for `change`, and are quantised to `type`.
  GgufTestFile file() const {
    GgufTestFile file;
    file.text("general.architecture", architecture);
    file.text("general.name", "Tiny");
    file.text("tokenizer.ggml.model", "gpt2");
    file.strings("tokenizer.ggml.tokens", {"one", token, "three"});
    if (wide_integers) {
      file.array("tokenizer.ggml.token_type", 11, 1, little_endian<std::int64_t>(3));
    } else {
      file.array("tokenizer.ggml.token_type", 5, 1, little_endian<std::int32_t>(3));
    }
    file.text("tokenizer.chat_template", chat_template);
    file.u32("general.file_type", static_cast<std::uint32_t>(type));

    struct Planned {
      std::string name;
      std::vector<std::uint64_t> ne;
      int type;
      std::string bytes;
    };
    std::mt19937 random(11), noise(12);
    std::vector<Planned> tensors;
    const auto matrix = [&](const std::string& name, std::uint64_t rows, double share) {
      std::normal_distribution<float> normal(0, 0.05F);
      std::vector<float> weights(512 * rows);
      for (float& weight : weights) weight = normal(random);
      for (float& weight : weights) weight += static_cast<float>(share) * normal(noise);
      std::string bytes(ggml_row_size(type, 512) * rows, '\0');
      ggml_quantize_chunk(type, weights.data(), bytes.data(), 0, static_cast<std::int64_t>(rows),
                          512, nullptr);
      tensors.push_back({name, {512, rows}, type, bytes});
    };
    matrix("token_embd.weight", 8, 0);
    for (int layer = 0; layer < 4; ++layer) {
      const std::string block = "blk." + std::to_string(layer) + ".";
      const std::vector<float> norms(512, norm);
      tensors.push_back({block + "attn_norm.weight",
                         {512},
                         GGML_TYPE_F32,
                         {reinterpret_cast<const char*>(norms.data()), 2048}});
      matrix(block + "attn_q.weight", 16, change);
      matrix(block + "ffn_up.weight", 16, 0);
    }
    if (reversed) std::reverse(tensors.begin(), tensors.end());
    for (const Planned& tensor : tensors) {
      file.tensor(tensor.name, tensor.ne, tensor.type, tensor.bytes);
    }
    return file;
  }

  GgufFile open() const {
    auto opened = open_gguf(file().bytes());
    EXPECT_TRUE(opened.ok()) << opened.error().to_string();
    return std::move(opened).value();
  }
};

}  // namespace llmpatch
