// What the processor can do for learning.
#pragma once

namespace llmpatch {

// Products of bf16 pairs summed in f32, in vectors and in tiles. False on other than x86-64.
bool has_avx512_bf16();
bool has_amx_bf16();

// Whether Intel made it; some instructions are fast with one maker and slow with another.
bool is_intel();

// True when the processor multiplies bf16 in hardware: there bf16 products are several times faster
// than f32's; elsewhere they are emulated and slower.
bool computes_in_bf16();

}  // namespace llmpatch
