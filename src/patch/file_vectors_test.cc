// Every vector of testdata/vectors/files/ that stands for a file of a patch, or for its archive.
#include <gtest/gtest.h>

#include "base/json.h"
#include "base/sha256.h"
#include "patch/archive.h"
#include "patch/patch.h"
#include "patch/rows.h"
#include "patch/test_file_vectors.h"
#include "patch/test_patch.h"

namespace llmpatch {
namespace {

// The patch that the vectors were made of.
PatchFiles good_files() {
  return read_patch_archive(kFileVectors / "archives/good.llmpatch").value();
}

// It with this vector in the place of one of its files, listed by the manifest as it is.
PatchFiles with(const FileVector& vector) {
  PatchFiles files = good_files();
  files[vector.as] = vector.bytes();
  if (vector.as != kManifestFile) {
    Json manifest = Json::parse(files[kManifestFile]);
    manifest["files"][vector.as] = sha256_hex(files[vector.as]);
    files[kManifestFile] = manifest.dump();
  }
  return files;
}

class PatchVectors : public ::testing::TestWithParam<std::pair<const char*, std::size_t>> {};

TEST_P(PatchVectors, AreJudgedAsTheyAre) {
  const auto [folder, least] = GetParam();
  const std::vector<FileVector> vectors = read_file_vectors(folder);
  EXPECT_GE(vectors.size(), least);
  for (const FileVector& vector : vectors) {
    Result<PatchFiles> files =
        vector.as == "patch" ? read_patch_archive(vector.file) : Result<PatchFiles>(with(vector));
    const auto patch =
        files.ok() ? patch_from_files(*files, vector.file) : Result<Patch>(files.error());
    expect_judged(vector, patch);
  }
}

INSTANTIATE_TEST_SUITE_P(Folders, PatchVectors,
                         ::testing::Values(std::pair("rows", 140U), std::pair("archives", 100U),
                                           std::pair("json", 100U)));

// By itself, too: only that a file disagrees with another one is not its own reader's to see.
TEST(RowsVectors, AreRefusedByTheirReader) {
  for (FileVector vector : read_file_vectors("rows")) {
    if (vector.expect == "mismatch") vector.expect = "valid";
    expect_judged(vector, rows_from_safetensors(vector.bytes(), kRowsFile));
  }
}

// Whatever an archive names, nothing is written but a patch that was accepted.
TEST(ArchiveVectors, UnpackWholeOrNotAtAll) {
  for (const FileVector& vector : read_file_vectors("archives")) {
    SCOPED_TRACE(vector.name);
    TestDirectory directory;
    const std::filesystem::path output = directory / "out";
    const bool unpacked = unpack_patch(vector.file, output, Overwrite::kNo).ok();
    EXPECT_EQ(unpacked, vector.expect == "valid");
    std::size_t found = 0;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(directory / "")) {
      EXPECT_TRUE(entry.path() == output || entry.path().parent_path() == output) << entry.path();
      ++found;
    }
    EXPECT_EQ(found, unpacked ? 1 + good_files().size() : 0);
  }
}

}  // namespace
}  // namespace llmpatch
