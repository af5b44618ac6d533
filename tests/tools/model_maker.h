// Makes model files for tests: copies of a model in other types, with changed weights, and tiny
// random models.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

#include "base/result.h"

namespace llmpatch {

// A random low-rank change of the attention matrices (q, k, v, output) of every layer.
struct RandomUpdate {
  int rank = 16;
  double share = 0.02;  // Frobenius norm of the change as a share of each matrix's norm
  std::uint64_t seed = 1;
};

struct TinyModel {
  std::uint64_t seed = 1;
  bool tied = true;  // the output matrix is the embedding
  int layers = 2;
  bool other_words = false;  // another vocabulary, which cuts text into other and more tokens
};

// Each writes `out` whole, replacing what was there; same arguments, same bytes.

// Every tensor as float32, metadata unchanged.
Status dequantize_model(const std::filesystem::path& in, const std::filesystem::path& out);

// The quantisation called `type` ("q8_0", "q4_k_m", "f16" ...: llama.cpp's names), by llama.cpp's
// own quantiser, from whatever `in` holds. kInvalidArgument names the known types. Silent.
Status requantize_model(const std::filesystem::path& in, const std::filesystem::path& out,
                        const std::string& type);

// `in` with `update` merged in. Matrices are written in the ggml type called `type` ("f32", "f16",
// "q8_0", "q4_1"), or with "own" each in the type it has; with a block type the embedding and
// output matrices keep theirs.
Status merge_model(const std::filesystem::path& in, const std::filesystem::path& out,
                   const std::string& type, const RandomUpdate& update);

// A llama model of width 64 with random F32 weights, 4 heads, 2 key-value heads, and a byte-level
// tokenizer with a ChatML template. llama.cpp loads and runs it; its text means nothing.
Status tiny_model(const std::filesystem::path& out, const TinyModel& model);

}  // namespace llmpatch
