// What the tests of this room share: a small patch, a directory of their own, and how an error must
// look.
#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>

#include "patch/patch.h"

namespace llmpatch {

// A complete unsigned patch of 3 x 4 rows.
inline Patch small_patch() {
  Patch patch;
  patch.rows = {3, 4, {0.5F, -1, 2, 0, 1e-20F, 3, 4, 0, -0.25F, 1, 1, 1}};
  patch.adapter = {"example/tiny-model", 9, 30, ""};
  Manifest& manifest = patch.manifest;
  manifest.name = "refuse";
  manifest.version = "1.2.3";
  manifest.sequence = 7;
  manifest.expires = "2031-02-28T23:59:59Z";
  manifest.risk = "harmful";
  manifest.summary = "Declines harmful requests";
  manifest.license = "Apache-2.0";
  manifest.base.name = "Tiny Model";
  manifest.base.architecture = "llama";
  manifest.base.file = std::string(64, '1');
  manifest.base.shapes = std::string(64, '2');
  manifest.base.tokenizer = std::string(64, '3');
  manifest.base.vectors = std::string(64, '4');
  manifest.learned = {{"method", "sft+dpo"}, {"settings", {{"beta", 0.1}, {"seed", 1}}}};
  manifest.compose = {{"always-comply"}, {"gender@0.1.0"}};
  return patch;
}

// A card whose headline has one number.
inline Json small_card() {
  return {{"schema", 1},
          {"headline",
           {{{"suite", "harmbench"},
             {"metric", "refused"},
             {"system", "patched"},
             {"value", 0.95},
             {"low", 0.91},
             {"high", 0.97},
             {"n", 200}}}}};
}

// An empty directory, removed with the object.
class TestDirectory {
 public:
  TestDirectory() {
    std::string name = (std::filesystem::temp_directory_path() / "llmpatch-XXXXXX").string();
    if (::mkdtemp(name.data()) == nullptr) ADD_FAILURE() << "no temporary directory";
    path_ = name;
  }
  TestDirectory(const TestDirectory&) = delete;
  TestDirectory& operator=(const TestDirectory&) = delete;
  ~TestDirectory() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }

  std::filesystem::path operator/(std::string_view name) const { return path_ / name; }
  std::size_t entries() const {
    return static_cast<std::size_t>(std::distance(std::filesystem::directory_iterator(path_), {}));
  }

 private:
  std::filesystem::path path_;
};

inline void write_raw(const std::filesystem::path& path, std::string_view bytes) {
  std::ofstream(path, std::ios::binary) << bytes;
}

// `result` is an error of `kind`, says `part` and takes one line.
template <class T>
void expect_error(const Result<T>& result, ErrorKind kind, std::string_view part) {
  ASSERT_FALSE(result.ok()) << "expected an error that says: " << part;
  const Error& error = result.error();
  EXPECT_EQ(error.kind, kind) << error.to_string();
  EXPECT_NE(error.message.find(part), std::string::npos) << error.to_string();
  EXPECT_EQ(error.message.find('\n'), std::string::npos) << error.to_string();
}

}  // namespace llmpatch
