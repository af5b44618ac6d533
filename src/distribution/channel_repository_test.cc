// Uploads and downloads against registries are in tests/e2e/channel_registry_test.py and
// tests/peer.
#include "distribution/channel_repository.h"

#include "distribution/channel_source.h"
#include "distribution/test_channel.h"

namespace llmpatch {
namespace {

TEST(ChannelRepository, HasATagAFile) {
  const std::string digest(64, 'a');
  for (const auto& [file, tag] : std::vector<std::pair<std::string, std::string>>{
           {"timestamp.json", "timestamp.json"},
           {"12.root.json", "12.root.json"},
           {"targets/" + digest + ".refuse-1.0.0+build.llmpatch", digest}}) {
    EXPECT_EQ(channel_tag(file), tag);
    EXPECT_TRUE(is_oci_tag(channel_tag(file))) << file;
  }
}

TEST(ChannelRepository, IsNamedWithoutTagOrDigest) {
  const auto parsed = parse_channel_repository("oci://localhost:5000/team/channel");
  ASSERT_TRUE(parsed.ok());
  EXPECT_EQ(parsed->host, "localhost:5000");
  EXPECT_EQ(parsed->repository, "team/channel");
  const std::string digest = "@sha256:" + std::string(64, 'a');
  for (const std::string& more : {std::string(":latest"), digest, ":latest" + digest}) {
    expect_error(parse_channel_repository("localhost:5000/channel" + more),
                 ErrorKind::kInvalidArgument, "found a tag or digest");
  }
}

TEST(ChannelSource, KnowsWhatKindOfPlaceItIsGiven) {
  const auto place = [](const std::string& text) {
    const auto source = ChannelSource::open(text, {});
    return source.ok() ? (*source)->place() : source.error().to_string();
  };
  EXPECT_EQ(place("https://example.com/site//"), "https://example.com/site");
  EXPECT_EQ(place("oci://example.com/team/channel"), "oci://example.com/team/channel");
  EXPECT_EQ(place("some/folder"), "some/folder");
  for (const char* bad : {"https://example.com/site?x=1", "https://", "ftp://example.com/site",
                          "oci://channel", "oci://example.com/channel:1", "oci://example.com/"}) {
    EXPECT_FALSE(ChannelSource::open(bad, {}).ok()) << bad;
  }
}

class ChannelFilesTest : public ChannelTest {};

TEST_F(ChannelFilesTest, NamesWhatLeadsToOthersAfterThem) {
  expect_error(maker().published_files(), ErrorKind::kNotFound, "found no timestamp.json");
  add("refuse", "1.0.0", 1);
  add("refuse", "1.1.0", 2);
  publish();
  revoke("refuse", "1.1.0");
  publish();
  ASSERT_TRUE(maker().rotate({}, {root_key_}, {}).ok());
  const auto files = maker().published_files();
  ASSERT_TRUE(files.ok()) << files.error().to_string();
  // What is revoked is fetched by nobody.
  const std::string patch =
      std::filesystem::relative(target_file("1.0.0.llmpatch"), channel()).string();
  EXPECT_EQ(*files, (std::vector<std::string>{patch, "2.targets.json", "2.snapshot.json",
                                              "1.root.json", "2.root.json", "timestamp.json"}));
}

}  // namespace
}  // namespace llmpatch
