// What LibTorch is and how fast it is here. On Debian its matrix product is that of libblas.so.3,
// which is up to 100 times slower where only the reference BLAS is installed.
#pragma once

#include <string>

namespace llmpatch {

std::string torch_library_version();  // "1.13.1"

// Billions of float32 operations per second of a product of 512 x 512 matrices: the best of a few,
// within about a quarter of a second. 0 when LibTorch fails.
double torch_sgemm_gflops();

}  // namespace llmpatch
