// The learned rows of a patch: n input embeddings of width d, and the safetensors file they live
// in.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace llmpatch {

// A prefix: row-major [n, d] float32, in the scale that the model's architecture expects of
// `inputs_embeds`.
struct Rows {
  std::size_t n = 0;
  std::size_t d = 0;
  std::vector<float> values;  // n * d

  bool operator==(const Rows&) const = default;
};

// Largest prefix llmpatch reads or writes.
inline constexpr std::size_t kMaxRows = 4096;
inline constexpr std::size_t kMaxWidth = 65536;

// The bytes of `adapter_model.safetensors`: one F32 tensor `prompt_embeddings` [n, d] with metadata
// {"format":"pt"}, exactly as PEFT writes it. The same rows give the same bytes.
std::string rows_to_safetensors(const Rows& rows);

// Parses such a file. Hostile until checked: lengths, offsets, shape, type and limits are verified
// before anything is allocated; kCorrupt names what is wrong (also NaN in a row, or a norm above
// 10000), kUnsupported another dtype than F32/F16/BF16. `where` names the file in messages.
Result<Rows> rows_from_safetensors(std::string_view bytes, std::string_view where);

// How large the rows are. Euclidean norms over d; `rms` over all n * d values.
struct RowStatistics {
  double norm_min = 0;
  double norm_median = 0;  // mean of the middle two when n is even
  double norm_max = 0;
  double rms = 0;

  bool operator==(const RowStatistics&) const = default;
};

// All zero for a prefix without rows.
RowStatistics row_statistics(const Rows& rows);

}  // namespace llmpatch
