// Included before ggml's AMX kernels (ggml-cpu/amx/mmq.cpp), to load their tile configuration on
// every use. ggml's own ggml_tile_config_init() fails in two ways:
//  - it loads the configuration once a thread, while oneDNN, which LibTorch brings into the same
//    threads, releases the tiles after its own products: ggml's next product then faults;
//  - GCC before 13.3 declares that _tile_loadconfig reads 8 of the 64 bytes it loads, so that the
//    optimiser drops the stores to the others.
// The macro turns ggml's definition, which says (void), into a function nobody calls, and its call,
// which says (), into a call of the function below.
#pragma once
#if defined(__AMX_TILE__) && defined(__GNUC__)
#include <cstdint>

struct alignas(64) LlmpatchTileConfig {
  std::uint8_t palette = 1, start_row = 0, reserved[14] = {};
  std::uint16_t column_bytes[16] = {64, 64, 32, 32, 64, 64, 64, 64};
  std::uint8_t rows[16] = {8, 8, 16, 16, 16, 16, 16, 16};
};
static_assert(sizeof(LlmpatchTileConfig) == 64);

static inline void llmpatch_tile_config_() {
  static constexpr LlmpatchTileConfig config;
  __asm__ volatile("ldtilecfg\t%X0" ::"m"(config));
}

#define ggml_tile_config_init(...) llmpatch_tile_config_##__VA_ARGS__()
#endif
