// What the processor can do for learning.
#pragma once

namespace llmpatch {

// Products of bf16 pairs summed in f32, in vectors and in tiles. False on other than x86-64.
bool has_avx512_bf16();
bool has_amx_bf16();

// Products of 8-bit integers, four to a lane, in vectors of 16 lanes. False on other than x86-64.
bool has_avx512_vnni();

// Whether Intel made it; some instructions are fast with one maker and slow with another.
bool is_intel();

}  // namespace llmpatch
