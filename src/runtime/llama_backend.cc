#include "runtime/llama_backend.h"

#include <llama.h>

#include <mutex>
#include <string_view>

namespace llmpatch {
namespace {

// A broken model can log without end; an error message needs only the first lines.
constexpr std::size_t kMaxKept = 1000;

std::string& kept_errors() {
  thread_local std::string errors;
  return errors;
}

void keep_errors(ggml_log_level level, const char* text, void*) {
  if (level != GGML_LOG_LEVEL_ERROR || text == nullptr) return;
  std::string_view line = text;
  while (!line.empty() && line.back() == '\n') line.remove_suffix(1);
  std::string& errors = kept_errors();
  if (line.empty() || errors.size() > kMaxKept) return;
  if (!errors.empty()) errors += "; ";
  errors += line;
}

}  // namespace

void start_llama_backend() {
  static std::once_flag once;
  std::call_once(once, [] {
    llama_log_set(keep_errors, nullptr);
    ggml_backend_load_all();
    llama_backend_init();
  });
}

std::string take_llama_errors(const std::string& otherwise) {
  std::string errors;
  errors.swap(kept_errors());
  return errors.empty() ? otherwise : errors;
}

}  // namespace llmpatch
