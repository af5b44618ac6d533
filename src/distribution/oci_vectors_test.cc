// Every vector of testdata/vectors/oci/ through the reader of manifests. What is wrong with layers
// and signatures shows where they are pulled (tests/e2e/registry_vectors_test.py).
#include <map>

#include "base/file.h"
#include "base/json.h"
#include "distribution/oci_manifest.h"
#include "patch/test_patch.h"

namespace llmpatch {
namespace {

namespace fs = std::filesystem;

Json read_json(const std::string& name) {
  const fs::path folder = fs::path(LLMPATCH_SOURCE_DIR) / "testdata/vectors/oci";
  return Json::parse(read_file(folder / name, 1 << 20, "vector").value());
}

TEST(OciVectors, EachManifestIsJudgedAsItSays) {
  const std::map<std::string, ErrorKind> kinds{{"corrupt", ErrorKind::kCorrupt},
                                               {"mismatch", ErrorKind::kMismatch},
                                               {"limit", ErrorKind::kLimit}};
  std::size_t refused = 0, taken = 0;
  for (const Json& vector : read_json("vectors.json")) {
    const std::string name = vector["name"];
    SCOPED_TRACE(name);
    const std::string manifest = read_json(name + ".json")["manifest"];
    const auto layers = parse_oci_manifest(manifest, "vector");
    if (vector.value("refused", "") == "manifest") {
      expect_error(layers, kinds.at(vector["expect"]), vector["says"].get<std::string>());
      ++refused;
    } else {
      ASSERT_TRUE(layers.ok()) << layers.error().to_string();
      EXPECT_GE(layers->size(), 4u);
      ++taken;
    }
  }
  EXPECT_GE(refused, 25u);
  EXPECT_GE(taken, 10u);
}

}  // namespace
}  // namespace llmpatch
