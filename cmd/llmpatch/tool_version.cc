#include "tool_version.h"

#include <openssl/crypto.h>

#include <fstream>

#include "learn_support.h"
#include "runtime/versions.h"

namespace llmpatch {
namespace {

constexpr const char* kName = "llmpatch " LLMPATCH_VERSION;

// `word` as the shell reads it back.
std::string shell_word(const std::string& word) {
  const char* const safe =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-+=.,/:@%";
  if (!word.empty() && word.find_first_not_of(safe) == std::string::npos) return word;
  std::string quoted = "'";
  for (const char c : word) quoted += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return quoted + "'";
}

}  // namespace

std::string tool_version() {
  std::string text = std::string(kName) + " (llama.cpp " + llama_cpp_version() + ", ggml " +
                     ggml_library_version();
  if (const auto torch = torch_version()) text += ", LibTorch " + *torch;
  return text + ")";
}

std::string version_text() {
  return std::string(kName) + "\nllama.cpp " + llama_cpp_version() + "\nggml " +
         ggml_library_version() + "\nLibTorch " + torch_version().value_or("not built in") + "\n" +
         OpenSSL_version(OPENSSL_VERSION);
}

std::string command_line() {
  std::ifstream file("/proc/self/cmdline", std::ios::binary);
  std::string line = "llmpatch", word;
  std::getline(file, word, '\0');  // the path of the program
  while (std::getline(file, word, '\0')) line.append(" ").append(shell_word(word));
  return line;
}

}  // namespace llmpatch
