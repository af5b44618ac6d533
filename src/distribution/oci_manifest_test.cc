#include "distribution/oci_manifest.h"

#include <gtest/gtest.h>

#include "base/json.h"
#include "base/sha256.h"
#include "distribution/oci_reference.h"
#include "patch/test_patch.h"

namespace llmpatch {
namespace {

Manifest manifest() {
  Manifest made;
  made.name = "tester";
  made.version = "1.2.3";
  made.sequence = 4;
  made.risk = "test";
  made.license = "Apache-2.0";
  return made;
}

const PatchFiles kFiles{{kManifestFile, "{}"}, {kRowsFile, "rows"}, {kSignatureFile, "signature"}};

TEST(OciManifest, SaysWhatThePatchIs) {
  const Json json = Json::parse(make_oci_manifest(kFiles, manifest()));
  EXPECT_EQ(json["artifactType"], kPatchArtifactType);
  // The image-spec's empty config, with the digest that it states.
  EXPECT_EQ(json["config"]["digest"],
            "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a");
  EXPECT_EQ(json["config"]["size"], 2);
  EXPECT_EQ(json["annotations"]["org.opencontainers.image.version"], "1.2.3");
  EXPECT_EQ(json["annotations"]["org.llmpatch.sequence"], "4");
  ASSERT_EQ(json["layers"].size(), 3U);
}

TEST(OciManifest, IsReadAsItWasMade) {
  const auto layers = parse_oci_manifest(make_oci_manifest(kFiles, manifest()), "test");
  ASSERT_TRUE(layers.ok()) << layers.error().to_string();
  ASSERT_EQ(layers->size(), kFiles.size());
  for (const OciLayer& layer : *layers) {
    const std::string& bytes = kFiles.at(layer.file);
    EXPECT_EQ(layer.digest, "sha256:" + sha256_hex(bytes));
    EXPECT_EQ(layer.size, bytes.size());
  }
}

TEST(OciManifest, OfTheSameFilesIsTheSame) {
  EXPECT_EQ(make_oci_manifest(kFiles, manifest()), make_oci_manifest(kFiles, manifest()));
  PatchFiles other = kFiles;
  other[kRowsFile] = "rowt";
  EXPECT_NE(make_oci_manifest(kFiles, manifest()), make_oci_manifest(other, manifest()));
}

TEST(OciManifest, RefersToItsSubject) {
  const std::string subject = "sha256:" + std::string(64, 'b');
  const std::string signature = make_signature_manifest("bundle", subject, 77);
  const Json json = Json::parse(signature);
  EXPECT_EQ(json["subject"]["digest"], subject);
  EXPECT_EQ(json["subject"]["size"], 77);
  EXPECT_EQ(json["artifactType"], kBundleType);

  const auto index = add_referrer("", signature, "test");
  ASSERT_TRUE(index.ok());
  const auto again = add_referrer(*index, signature, "test");
  EXPECT_EQ(*again, *index);  // it is in already
  const auto second = add_referrer(*index, make_signature_manifest("other", subject, 77), "test");
  EXPECT_EQ(Json::parse(*second)["manifests"].size(), 2U);
  for (const char* text : {"{", "[]", R"({"mediaType":"x","manifests":[]})"}) {
    EXPECT_EQ(add_referrer(text, signature, "test").error().kind, ErrorKind::kCorrupt) << text;
  }
}

TEST(OciFileManifest, HoldsOneFile) {
  const std::string bytes = "bytes of a file";
  const std::string manifest =
      make_file_manifest("a.json", bytes, kChannelArtifactType, "application/json");
  EXPECT_EQ(manifest,
            make_file_manifest("a.json", bytes, kChannelArtifactType, "application/json"));
  const auto layer = parse_file_manifest(manifest, "a.json", kChannelArtifactType, "test");
  ASSERT_TRUE(layer.ok()) << layer.error().to_string();
  EXPECT_EQ(layer->file, "a.json");
  EXPECT_EQ(layer->digest, oci_digest(bytes));
  EXPECT_EQ(layer->size, bytes.size());
  expect_error(parse_file_manifest(manifest, "a.json", kPatchArtifactType, "test"),
               ErrorKind::kMismatch, "vnd.llmpatch.channel.v1");
  Json two = Json::parse(manifest);
  two["layers"].push_back(two["layers"][0]);
  expect_error(parse_file_manifest(two.dump(), "a.json", kChannelArtifactType, "test"),
               ErrorKind::kCorrupt, "layers: found 2, expected one");
}

}  // namespace
}  // namespace llmpatch
