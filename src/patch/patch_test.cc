#include "patch/patch.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include "base/sha256.h"
#include "patch/archive.h"
#include "patch/test_patch.h"

namespace llmpatch {
namespace {

namespace fs = std::filesystem;

PatchFiles files_of(const fs::path& directory) {
  auto files = read_patch_directory(directory);
  EXPECT_TRUE(files.ok()) << files.error().to_string();
  return files.ok() ? *files : PatchFiles{};
}

// A patch directory that a test may spoil.
class SpoiledPatch : public testing::Test {
 protected:
  void SetUp() override {
    Patch patch = small_patch();
    patch.card = small_card();
    const Status written = write_patch(patch, path_, Overwrite::kNo);
    ASSERT_TRUE(written.ok()) << written.error().to_string();
    ASSERT_TRUE(load_patch(path_).ok());
  }
  void refuse(ErrorKind kind, std::string_view part) {
    expect_error(load_patch(path_), kind, part);
  }

  // Puts `bytes` in place of a file and its digest into the manifest: a consistent lie.
  void replace_listed(const char* name, const std::string& bytes) {
    write_raw(path_ / name, bytes);
    auto manifest = Json::parse(files_of(path_)[kManifestFile]);
    manifest["files"][name] = sha256_hex(bytes);
    write_raw(path_ / kManifestFile, manifest.dump());
  }

  TestDirectory directory_;
  const fs::path path_ = directory_ / "refuse";
};

TEST(WritePatch, GivesTheSameBytesTwice) {
  TestDirectory directory;
  Patch patch = small_patch();
  patch.card = small_card();
  ASSERT_TRUE(write_patch(patch, directory / "a", Overwrite::kNo).ok());
  ASSERT_TRUE(write_patch(patch, directory / "b", Overwrite::kNo).ok());
  EXPECT_EQ(files_of(directory / "a"), files_of(directory / "b"));
  EXPECT_EQ(files_of(directory / "a").size(), 5u);
  EXPECT_EQ(directory.entries(), 2u);
}

TEST(WritePatch, LoadsAsItWasAndWritesAsItWas) {
  TestDirectory directory;
  const Patch patch = small_patch();
  ASSERT_TRUE(write_patch(patch, directory / "a", Overwrite::kNo).ok());
  const auto loaded = load_patch(directory / "a");
  ASSERT_TRUE(loaded.ok()) << loaded.error().to_string();
  EXPECT_EQ(loaded->rows, patch.rows);
  EXPECT_EQ(loaded->adapter, patch.adapter);
  EXPECT_FALSE(loaded->card.has_value());
  EXPECT_FALSE(loaded->is_signed);
  EXPECT_EQ(loaded->source, directory / "a");
  Manifest expected = patch.manifest;
  expected.files = loaded->manifest.files;
  EXPECT_EQ(loaded->manifest, expected);
  EXPECT_EQ(loaded->manifest.files.at(kRowsFile), sha256_hex(rows_to_safetensors(patch.rows)));

  ASSERT_TRUE(write_patch(*loaded, directory / "b", Overwrite::kNo).ok());
  EXPECT_EQ(files_of(directory / "a"), files_of(directory / "b"));
}

TEST(WritePatch, ReplacesAPatchButNothingElse) {
  TestDirectory directory;
  Patch patch = small_patch();
  ASSERT_TRUE(write_patch(patch, directory / "p", Overwrite::kNo).ok());
  patch.manifest.version = "1.2.4";
  expect_error(write_patch(patch, directory / "p", Overwrite::kNo), ErrorKind::kExists, "p");
  EXPECT_EQ(load_patch(directory / "p")->manifest.version, "1.2.3");
  ASSERT_TRUE(write_patch(patch, directory / "p", Overwrite::kYes).ok());
  EXPECT_EQ(load_patch(directory / "p")->manifest.version, "1.2.4");

  fs::create_directories(directory / "home/README.md");  // a folder by the name of one of our files
  write_raw(directory / "file", "text");
  fs::create_directories(directory / "work");
  write_raw(directory / "work/thesis.tex", "years");
  fs::create_symlink("p", directory / "link");
  for (const char* name : {"home", "file", "work", "link"}) {
    expect_error(write_patch(patch, directory / name, Overwrite::kYes), ErrorKind::kDenied, name);
  }
  expect_error(write_patch(patch, directory / "link/", Overwrite::kYes), ErrorKind::kDenied,
               "link");
  expect_error(check_patch_output(directory / "p/", Overwrite::kNo), ErrorKind::kExists, "p");
  EXPECT_TRUE(fs::exists(directory / "work/thesis.tex"));
  EXPECT_EQ(directory.entries(), 5u);  // nothing half-written beside them
  fs::create_directories(directory / "empty");
  EXPECT_TRUE(write_patch(patch, directory / "empty", Overwrite::kYes).ok());
}

TEST(WritePatch, RefusesWhatWouldNotLoad) {
  TestDirectory directory;
  const auto refuse = [&](const Patch& patch, std::string_view part) {
    expect_error(write_patch(patch, directory / "p", Overwrite::kNo), ErrorKind::kInvalidArgument,
                 part);
  };
  Patch patch = small_patch();
  patch.rows.values.pop_back();
  refuse(patch, "11 values");
  patch = small_patch();
  patch.rows.values[5] = std::numeric_limits<float>::quiet_NaN();
  refuse(patch, "norm of nan");
  patch = small_patch();
  patch.rows.values[5] = 10001;
  refuse(patch, "norm of 10001, expected");
  patch = small_patch();
  patch.rows = {};
  refuse(patch, "[0, 0]");
  patch = small_patch();
  patch.manifest.version = "1";
  refuse(patch, "version");
  patch = small_patch();
  patch.manifest.base.file = "unknown";
  refuse(patch, "file");
  patch = small_patch();
  patch.manifest.required = {"unknown feature"};
  refuse(patch, "unknown feature");
  EXPECT_EQ(directory.entries(), 0u);
}

TEST(LoadPatch, NamesWhatIsNotThere) {
  TestDirectory directory;
  expect_error(load_patch(directory / "nothing"), ErrorKind::kNotFound, "nothing");
  expect_error(load_patch("/dev/null"), ErrorKind::kInvalidArgument, "/dev/null");
  fs::create_directories(directory / "empty");
  expect_error(load_patch(directory / "empty"), ErrorKind::kCorrupt, "manifest.json");
}

TEST_F(SpoiledPatch, AMissingFile) {
  for (const char* name : {kCardFile, kReadmeFile, kAdapterConfigFile, kRowsFile, kManifestFile}) {
    fs::remove(path_ / name);
    refuse(ErrorKind::kCorrupt, "found no");
  }
}

TEST_F(SpoiledPatch, AnUnlistedFile) {
  auto manifest = Json::parse(files_of(path_)[kManifestFile]);
  manifest["files"].erase(kCardFile);
  write_raw(path_ / kManifestFile, manifest.dump());
  refuse(ErrorKind::kCorrupt, "does not list");
}

TEST_F(SpoiledPatch, ANeededFileThatIsNotListed) {
  auto manifest = Json::parse(files_of(path_)[kManifestFile]);
  manifest["files"].erase(kRowsFile);
  write_raw(path_ / kManifestFile, manifest.dump());
  fs::remove(path_ / kRowsFile);
  refuse(ErrorKind::kCorrupt, kRowsFile);
}

TEST_F(SpoiledPatch, AForeignFile) {
  write_raw(path_ / "pytorch_model.bin", "pickle");
  refuse(ErrorKind::kCorrupt, "pytorch_model.bin");
}

TEST_F(SpoiledPatch, AForeignFileWithAnEvilName) {
  write_raw(path_ / "two\nlines", "");
  refuse(ErrorKind::kCorrupt, "two\\nlines");
}

TEST_F(SpoiledPatch, AnyChangedByteOfAListedFile) {
  for (const char* name : {kCardFile, kReadmeFile, kAdapterConfigFile, kRowsFile}) {
    const std::string good = files_of(path_)[name];
    for (const std::size_t at : {std::size_t{0}, good.size() / 2, good.size() - 1}) {
      std::string bad = good;
      bad[at] = static_cast<char>(bad[at] ^ 1);
      write_raw(path_ / name, bad);
      refuse(ErrorKind::kCorrupt, std::string(name) + ": found sha256");
    }
    write_raw(path_ / name, good + " ");
    refuse(ErrorKind::kCorrupt, std::string(name) + ": found sha256");
    write_raw(path_ / name, good);
  }
}

TEST_F(SpoiledPatch, ALinkAFolderAPipe) {
  fs::rename(path_ / kReadmeFile, directory_ / "elsewhere");
  fs::create_symlink(directory_ / "elsewhere", path_ / kReadmeFile);
  refuse(ErrorKind::kCorrupt, "README.md: found a link");
  fs::remove(path_ / kReadmeFile);
  fs::create_directory(path_ / kReadmeFile);
  refuse(ErrorKind::kCorrupt, "README.md: found a link");
  fs::remove(path_ / kReadmeFile);
  ASSERT_EQ(::mkfifo((path_ / kReadmeFile).c_str(), 0600), 0);
  refuse(ErrorKind::kCorrupt, "README.md: found a link");
}

TEST_F(SpoiledPatch, AFileBeyondItsLimit) {
  fs::resize_file(path_ / kManifestFile, (1 << 20) + 1);
  refuse(ErrorKind::kLimit, "manifest.json");
}

TEST_F(SpoiledPatch, AHugeSparseTensorFile) {
  fs::resize_file(path_ / kRowsFile, std::uintmax_t{1} << 40);
  refuse(ErrorKind::kLimit, kRowsFile);
}

TEST_F(SpoiledPatch, RowsThatAreNotTheConfigurations) {
  replace_listed(kRowsFile, rows_to_safetensors({2, 4, std::vector<float>(8)}));
  refuse(ErrorKind::kMismatch, "num_virtual_tokens");
}

TEST_F(SpoiledPatch, AListedFileThatIsNotWhatItSays) {
  replace_listed(kCardFile, "[1]");
  refuse(ErrorKind::kCorrupt, "eval.json");
  replace_listed(kCardFile, "{\"a\":1,\"a\":1}");
  refuse(ErrorKind::kCorrupt, "duplicate");
  replace_listed(kAdapterConfigFile, "{}");
  refuse(ErrorKind::kCorrupt, "peft_type");
}

TEST_F(SpoiledPatch, ASignatureIsSeenAndNeverListed) {
  write_raw(path_ / kSignatureFile, "{}");
  const auto loaded = load_patch(path_);
  ASSERT_TRUE(loaded.ok()) << loaded.error().to_string();
  EXPECT_TRUE(loaded->is_signed);
  EXPECT_FALSE(loaded->manifest.files.contains(kSignatureFile));
}

TEST(PutCard, AddsTheCardAndRenewsTheRest) {
  TestDirectory directory;
  ASSERT_TRUE(write_patch(small_patch(), directory / "p", Overwrite::kNo).ok());
  const PatchFiles before = files_of(directory / "p");
  const Status status = put_card(directory / "p", small_card());
  ASSERT_TRUE(status.ok()) << status.error().to_string();
  const PatchFiles after = files_of(directory / "p");
  const auto loaded = load_patch(directory / "p");
  ASSERT_TRUE(loaded.ok()) << loaded.error().to_string();
  EXPECT_EQ(loaded->card, small_card());
  EXPECT_NE(after.at(kReadmeFile), before.at(kReadmeFile));
  EXPECT_NE(after.at(kReadmeFile).find("0.95"), std::string::npos);
  EXPECT_EQ(after.at(kRowsFile), before.at(kRowsFile));

  // the same as if it had been written with the card
  Patch patch = small_patch();
  patch.card = small_card();
  EXPECT_EQ(after, *patch_to_files(patch));
  EXPECT_EQ(directory.entries(), 1u);
}

TEST(PutCard, GoesThroughALink) {
  TestDirectory directory;
  ASSERT_TRUE(write_patch(small_patch(), directory / "p", Overwrite::kNo).ok());
  fs::create_symlink("p", directory / "latest");
  ASSERT_TRUE(put_card(directory / "latest", small_card()).ok());
  EXPECT_TRUE(fs::is_symlink(directory / "latest"));
  EXPECT_TRUE(load_patch(directory / "p")->card.has_value());
}

TEST(PutCard, RefusesSignedPatchesArchivesAndOtherThings) {
  TestDirectory directory;
  ASSERT_TRUE(write_patch(small_patch(), directory / "p", Overwrite::kNo).ok());
  ASSERT_TRUE(pack_patch(directory / "p", directory / "p.llmpatch", Overwrite::kNo).ok());
  expect_error(put_card(directory / "p.llmpatch", small_card()), ErrorKind::kInvalidArgument,
               "directory");
  expect_error(put_card(directory / "p", Json::array()), ErrorKind::kInvalidArgument, "card");
  expect_error(put_card(directory / "q", small_card()), ErrorKind::kNotFound, "q");
  write_raw(directory / "p/model.sig", "{}");
  const PatchFiles before = files_of(directory / "p");
  expect_error(put_card(directory / "p", small_card()), ErrorKind::kDenied, "signed");
  EXPECT_EQ(files_of(directory / "p"), before);
}

TEST(PutTested, ReplacesAnEarlierMeasurementOfTheSame) {
  TestDirectory directory;
  ASSERT_TRUE(write_patch(small_patch(), directory / "p", Overwrite::kNo).ok());
  TestedStack stack{{"refuse@1.2.3", "gender@0.1.0"},
                    "parallel",
                    "harmbench",
                    "refused",
                    0.5,
                    0.4,
                    0.6,
                    100,
                    std::nullopt};
  TestedStack order = stack;
  order.compose = "sequential";
  ASSERT_TRUE(put_tested(directory / "p", {stack, order}).ok());
  stack.kept = 0.55;
  ASSERT_TRUE(put_tested(directory / "p", {stack}).ok());
  const auto loaded = load_patch(directory / "p");
  ASSERT_TRUE(loaded.ok()) << loaded.error().to_string();
  EXPECT_EQ(loaded->manifest.compose.tested_stacks, (std::vector<TestedStack>{stack, order}));
  EXPECT_EQ(loaded->manifest.compose.tested, small_patch().manifest.compose.tested);
  EXPECT_EQ(loaded->rows, small_patch().rows);

  const PatchFiles before = files_of(directory / "p");
  stack.prompts = 0;
  expect_error(put_tested(directory / "p", {stack}), ErrorKind::kInvalidArgument, "kept.n");
  EXPECT_EQ(files_of(directory / "p"), before);
}

TEST(PutTested, RefusesASignedPatch) {
  TestDirectory directory;
  ASSERT_TRUE(write_patch(small_patch(), directory / "p", Overwrite::kNo).ok());
  EXPECT_TRUE(check_changeable(directory / "p", "card").ok());
  write_raw(directory / "p/model.sig", "{}");
  const PatchFiles before = files_of(directory / "p");
  expect_error(check_changeable(directory / "p", "card"), ErrorKind::kDenied, "card");
  const Status status = put_tested(directory / "p", {});
  expect_error(status, ErrorKind::kDenied, "signed");
  EXPECT_NE(status.error().hint.find("new version"), std::string::npos);
  EXPECT_EQ(files_of(directory / "p"), before);
}

}  // namespace
}  // namespace llmpatch
