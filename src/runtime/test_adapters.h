// Adapter files for tests, right or wrong on purpose.
#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>

#include "gguf/gguf_test_file.h"

namespace llmpatch {

// A file that goes when it does.
class TemporaryFile {
 public:
  explicit TemporaryFile(const std::string& bytes) {
    static int number = 0;
    path_ = ::testing::TempDir() + "llmpatch-adapter-" + std::to_string(::getpid()) + "-" +
            std::to_string(number++) + ".gguf";
    std::ofstream(path_, std::ios::binary)
        .write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  }
  TemporaryFile(const TemporaryFile&) = delete;
  TemporaryFile& operator=(const TemporaryFile&) = delete;
  ~TemporaryFile() { std::filesystem::remove(path_); }

  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

// `n` numbers that are never the same twice in a row, of magnitude up to `spread`.
inline std::vector<float> some_numbers(std::size_t n, std::uint32_t seed, float spread) {
  std::vector<float> values(n);
  for (float& value : values) {
    seed = seed * 1664525U + 1013904223U;
    value = spread * (static_cast<float>(seed >> 8U) / 8388608.0F - 1.0F);
  }
  return values;
}

// The metadata of a LoRA adapter.
inline GgufTestFile lora_header(std::string_view architecture = "llama") {
  GgufTestFile file;
  file.text("general.type", "adapter");
  file.text("general.architecture", architecture);
  file.text("adapter.type", "lora");
  return file;
}

// That of a control vector.
inline GgufTestFile control_vector_header(std::string_view hint = "llama") {
  GgufTestFile file;
  file.text("general.architecture", "controlvector");
  file.text("controlvector.model_hint", hint);
  file.i32("controlvector.layer_count", 2);
  return file;
}

}  // namespace llmpatch
