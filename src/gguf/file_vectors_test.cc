// Every model file of testdata/vectors/files/, as far as this room reads it.
#include <gtest/gtest.h>

#include "gguf/gguf_file.h"
#include "patch/test_file_vectors.h"

namespace llmpatch {
namespace {

Result<std::string> architecture_of(const std::filesystem::path& path) {
  LLMPATCH_ASSIGN(const GgufFile file, GgufFile::open(path));
  return file.architecture();
}

TEST(ModelVectors, AreJudgedAsTheyAre) {
  std::size_t refused = 0;
  for (FileVector vector : read_file_vectors("models")) {
    if (vector.as != "model") continue;
    // Right as a GGUF file: what is wrong is said by who would run it.
    if (vector.by == "model") vector.expect = "valid";
    if (vector.expect != "valid") ++refused;
    expect_judged(vector, architecture_of(vector.file));
  }
  EXPECT_GE(refused, 100U);
}

}  // namespace
}  // namespace llmpatch
