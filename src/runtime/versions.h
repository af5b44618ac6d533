// The llama.cpp this program runs with (the library found at start, not the headers it was built
// against).
#pragma once

#include <string>

namespace llmpatch {

std::string llama_cpp_version();     // "0.5.0-dev"
std::string ggml_library_version();  // "0.25.3"

}  // namespace llmpatch
