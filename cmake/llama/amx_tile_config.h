// Included before ggml's AMX kernels. GCC before 13.3 declares that _tile_loadconfig reads 8 of the
// 64 bytes it loads, so the optimiser drops the stores to the others and the processor faults.
#pragma once
#if defined(__AMX_TILE__) && defined(__GNUC__) && !defined(__clang__)
#include <immintrin.h>
#define _tile_loadconfig(config) \
  __asm__ volatile("ldtilecfg\t%X0" ::"m"(*(const char(*)[64])(config)))
#endif
