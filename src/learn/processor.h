// What the processor can do for learning.
#pragma once

namespace llmpatch {

// True when the processor multiplies bf16 in hardware (AVX512-BF16 or AMX): there bf16 products are
// several times faster than f32's; elsewhere they are emulated and slower.
bool computes_in_bf16();

}  // namespace llmpatch
