// One place that starts libllama's backend and catches what it would print.
#pragma once

#include <string>

namespace llmpatch {

// Starts the backend and silences its log, once per process. Thread-safe and cheap to call again.
void start_llama_backend();

// The error lines libllama logged on this thread since the last call, joined by "; ", or
// `otherwise` when it said nothing. For the messages of our own errors: libllama reports failures
// by log alone.
std::string take_llama_errors(const std::string& otherwise);

}  // namespace llmpatch
