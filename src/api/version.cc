#include "llmpatch/version.h"

namespace llmpatch {

const char* version() { return LLMPATCH_VERSION; }

const char* built_with_llama_cpp() { return LLMPATCH_LLAMA_VERSION; }

}  // namespace llmpatch
