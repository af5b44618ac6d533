// The base identity on a real model: its quantisations by llama.cpp are the same family, the model
// with a light low-rank change is not, whatever type it is written in.
#include "patch/base_identity.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>

#include "gguf/identity.h"
#include "model_maker.h"

namespace llmpatch {
namespace {

namespace fs = std::filesystem;

const fs::path kModels = LLMPATCH_SOURCE_DIR "/models";
const fs::path kBase = kModels / "smollm2-135m-instruct-q4_1.gguf";

class RealModel : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!fs::exists(kBase)) GTEST_SKIP() << "no " << kBase;
    path_ = fs::temp_directory_path() / ("llmpatch-identity-" + std::to_string(::getpid()));
  }
  void TearDown() override {
    for (const char* suffix : {".gguf", ".merged.gguf"}) fs::remove(path_.string() + suffix);
  }

  // Where a test writes its candidate, and a model on the way to it.
  fs::path candidate() const { return path_.string() + ".gguf"; }
  fs::path merged() const { return path_.string() + ".merged.gguf"; }

  // What the base's identity says of `file`; it goes through JSON as in a manifest.
  static IdentityMatch match(const fs::path& file) {
    static const BaseIdentity recorded = record();
    const auto opened = GgufFile::open(file);
    EXPECT_TRUE(opened.ok()) << opened.error().to_string();
    if (!opened.ok()) return {};
    const auto match = match_identity(recorded, *opened);
    EXPECT_TRUE(match.ok()) << match.error().to_string();
    return match.ok() ? *match : IdentityMatch{};
  }

 private:
  static BaseIdentity record() {
    const auto file = GgufFile::open(kBase);
    EXPECT_TRUE(file.ok()) << file.error().to_string();
    const Json json = base_identity_to_json(*compute_identity(*file));
    return *base_identity_from_json(json, "test");
  }

  fs::path path_;
};

TEST_F(RealModel, ItselfIsExact) { EXPECT_EQ(match(kBase).verdict, IdentityVerdict::kExact); }

TEST_F(RealModel, AnotherModelIsDifferent) {
  const fs::path gemma = kModels / "gemma3-270m-q4_k_m.gguf";
  if (!fs::exists(gemma)) GTEST_SKIP() << "no " << gemma;
  EXPECT_EQ(match(gemma).verdict, IdentityVerdict::kDifferent);
}

TEST_F(RealModel, ItsQuantisationsAreTheSameFamily) {
  for (const char* type : {"q8_0", "q4_k_m", "q3_k_m", "f16"}) {
    const Status made = requantize_model(kBase, candidate(), type);
    ASSERT_TRUE(made.ok()) << made.error().to_string();
    const IdentityMatch found = match(candidate());
    EXPECT_EQ(found.verdict, IdentityVerdict::kSameFamily) << type << ": " << found.reason;
  }
}

TEST_F(RealModel, ItsDequantisationIsTheSameFamily) {
  ASSERT_TRUE(dequantize_model(kBase, candidate()).ok());
  const IdentityMatch found = match(candidate());
  EXPECT_EQ(found.verdict, IdentityVerdict::kSameFamily) << found.reason;
}

TEST_F(RealModel, ALightChangeIsNotTheSameFamily) {
  for (const double share : {0.02, 0.01, 0.005}) {
    for (const char* type : {"f16", "q8_0", "own"}) {
      const Status made = merge_model(kBase, candidate(), type, {.rank = 16, .share = share});
      ASSERT_TRUE(made.ok()) << made.error().to_string();
      const IdentityMatch found = match(candidate());
      EXPECT_NE(found.verdict, IdentityVerdict::kSameFamily) << share << " as " << type;
    }
  }
}

TEST_F(RealModel, ALightChangeShowsInCoarseTypes) {
  ASSERT_TRUE(merge_model(kBase, merged(), "f16", {.rank = 16, .share = 0.02}).ok());
  for (const char* type : {"q4_k_m", "q3_k_m"}) {
    ASSERT_TRUE(requantize_model(merged(), candidate(), type).ok());
    EXPECT_NE(match(candidate()).verdict, IdentityVerdict::kSameFamily) << type;
  }
}

// The control: written by the same code, but without a change worth the name. (In its own types it
// is the very file again.)
TEST_F(RealModel, AMergeOfNothingIsTheSameFamily) {
  for (const char* type : {"f32", "f16", "q8_0"}) {
    ASSERT_TRUE(merge_model(kBase, candidate(), type, {.rank = 1, .share = 1e-9}).ok());
    const IdentityMatch found = match(candidate());
    EXPECT_EQ(found.verdict, IdentityVerdict::kSameFamily) << type << ": " << found.reason;
  }
}

}  // namespace
}  // namespace llmpatch
