#include "runtime/versions.h"

#include <ggml.h>
#include <llama.h>

namespace llmpatch {

std::string llama_cpp_version() { return llama_version(); }

std::string ggml_library_version() { return ggml_version(); }

}  // namespace llmpatch
