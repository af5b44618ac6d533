// What the program knows of LibTorch. learn_support.cc is built with learning, no_learn.cc without.
#pragma once

#include <optional>
#include <string>

namespace llmpatch {

// "1.13.1"; nothing when learning is not built in.
std::optional<std::string> torch_version();

// Billions of float operations per second of LibTorch's own matrix product on this machine now;
// nothing when learning is not built in. Takes well under a second.
std::optional<double> measure_matrix_product();

}  // namespace llmpatch
