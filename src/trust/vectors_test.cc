// Every vector of testdata/vectors/ through every way in.
#include <set>

#include "base/json.h"
#include "patch/archive.h"
#include "trust/load.h"
#include "trust/test_signing.h"
#include "trust/verify.h"

namespace llmpatch {
namespace {

namespace fs = std::filesystem;

const fs::path kFolder = fs::path(LLMPATCH_SOURCE_DIR) / "testdata/vectors";

struct Vector {
  fs::path file;
  std::string expect;
  std::vector<std::string> keys, roots;
};

std::vector<Vector> read_vectors() {
  const std::string text = read_file(kFolder / "vectors.json", 1 << 20, "vectors").value();
  std::vector<Vector> vectors;
  for (const Json& json : Json::parse(text)) {
    vectors.push_back(
        {kFolder / json["file"].get<std::string>(), json["expect"], json["keys"], json["roots"]});
  }
  return vectors;
}

Result<Trust> trust_of(const Vector& vector) {
  Trust trust;
  for (const std::string& name : vector.keys) {
    LLMPATCH_ASSIGN(PublicKey key, PublicKey::read(kFolder / name));
    trust.keys.push_back(std::move(key));
  }
  for (const std::string& name : vector.roots) {
    LLMPATCH_ASSIGN(const std::vector<Certificate> roots,
                    read_certificates(kFolder / name, ErrorKind::kUnverifiable));
    trust.roots.insert(trust.roots.end(), roots.begin(), roots.end());
  }
  return trust;
}

template <class T>
std::string outcome(const Result<T>& result) {
  if (result.ok()) return "valid";
  switch (result.error().kind) {
    case ErrorKind::kUntrusted:
      return "untrusted";
    case ErrorKind::kUnverifiable:
      return "unverifiable";
    case ErrorKind::kCorrupt:
      return "corrupt";
    default:
      return result.error().to_string();
  }
}

// What `llmpatch verify` does.
Result<Patch> verify_and_parse(const fs::path& path, const Vector& vector) {
  LLMPATCH_ASSIGN(const Trust trust, trust_of(vector));
  LLMPATCH_ASSIGN(const VerifiedFiles verified, verify_patch(path, trust));
  return patch_from_files(verified.files, path);
}

// What a command that runs a patch does.
Result<TrustedPatch> load(const fs::path& path, const Vector& vector, AllowUnsigned allow) {
  LLMPATCH_ASSIGN(const Trust trust, trust_of(vector));
  return load_trusted_patch(path, trust, allow);
}

TEST(Vectors, EveryFileIsListedOnce) {
  std::set<fs::path> listed, there;
  for (const Vector& vector : read_vectors()) {
    EXPECT_TRUE(listed.insert(vector.file).second) << vector.file;
  }
  for (const auto& entry : fs::directory_iterator(kFolder)) {
    if (entry.path().extension() == ".llmpatch") there.insert(entry.path());
  }
  EXPECT_EQ(listed, there);
  EXPECT_GE(listed.size(), 40u);
}

TEST(Vectors, EachIsJudgedAsItSays) {
  for (const Vector& vector : read_vectors()) {
    EXPECT_EQ(outcome(verify_and_parse(vector.file, vector)), vector.expect) << vector.file;
    EXPECT_EQ(outcome(load(vector.file, vector, AllowUnsigned::kNo)), vector.expect) << vector.file;
  }
}

TEST(Vectors, ADirectoryIsJudgedLikeItsArchive) {
  TestDirectory directory;
  std::size_t compared = 0;
  for (const Vector& vector : read_vectors()) {
    const auto files = read_patch_archive(vector.file);
    if (!files.ok()) continue;  // has a file that no patch may have
    const fs::path path = directory / vector.file.stem().string();
    ASSERT_TRUE(write_patch_directory(*files, path, Overwrite::kNo).ok());
    EXPECT_EQ(outcome(verify_and_parse(path, vector)), vector.expect) << path;
    ++compared;
  }
  EXPECT_GE(compared, 40u);
}

TEST(Vectors, PermissionForUnsignedPatchesHelpsOnlyThose) {
  for (const Vector& vector : read_vectors()) {
    const bool helps = vector.file.stem() == "unsigned" || vector.file.stem() == "no-key";
    EXPECT_EQ(outcome(load(vector.file, vector, AllowUnsigned::kYes)),
              helps ? "valid" : vector.expect)
        << vector.file;
  }
}

}  // namespace
}  // namespace llmpatch
