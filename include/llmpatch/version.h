// Versions of the library that is running.
#pragma once

#include "llmpatch/export.h"

namespace llmpatch {

LLMPATCH_EXPORT const char* version();               // of llmpatch, "0.1.0"
LLMPATCH_EXPORT const char* built_with_llama_cpp();  // of the llama.cpp it goes with, "0.5.0-dev"

}  // namespace llmpatch
