#include "learn/arithmetic.h"

#include "learn/int8_matrix.h"
#include "learn/processor.h"

namespace llmpatch {

Arithmetic fastest_arithmetic() {
  if (!has_avx512_bf16() && !has_amx_bf16()) return Arithmetic::kF32;
  return has_fast_int8() ? Arithmetic::kInt8 : Arithmetic::kBf16;
}

}  // namespace llmpatch
