// Matrix products in bf16 for processors that have AVX512-BF16 and no AMX. oneDNN rearranges both
// matrices for every product; here only the frozen one is, a panel at a time while it is used.
#pragma once

#include <cstdint>
#include <optional>

#include "learn/run_tasks.h"
#include "learn/scalar.h"

namespace llmpatch {

// What one instruction multiplies: two neighbouring bf16 values with two others, or one with one,
// both widened to f32. Products of bf16 values are exact in f32, so the two differ only in the
// order of their sums.
enum class Bf16Unit { kPair, kFloat };

// The faster one on this processor. None where another way is to be taken: the processor, or what
// this was compiled for, lacks AVX512-BF16, or it has AMX (oneDNN is faster there).
std::optional<Bf16Unit> fastest_bf16_unit();

// C [rows, columns] = A [rows, depth] B, sums in f32; all row-major and dense. B is [columns,
// depth] when `transposed` (C = A B^T), else [depth, columns]. T is float or Bf16. `threads` only
// decides how small the tasks are.
//
// False, with nothing computed, without a `unit` or where `depth` is odd.
template <class T>
[[nodiscard]] bool bf16_product(std::int64_t rows, std::int64_t columns, std::int64_t depth,
                                const Bf16* a, const Bf16* b, bool transposed, T* c,
                                std::int64_t threads, const RunTasks& run,
                                std::optional<Bf16Unit> unit = fastest_bf16_unit());

}  // namespace llmpatch
