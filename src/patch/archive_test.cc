#include "patch/archive.h"

#include <gtest/gtest.h>

#include <cstdio>

#include "patch/patch.h"
#include "patch/test_patch.h"

namespace llmpatch {
namespace {

namespace fs = std::filesystem;

// One entry of a tar written by hand, with every field of the header open to lies.
struct RawEntry {
  std::string name;
  std::string data;
  char type = '0';
  std::string link = {};
  std::string size = {};  // the octal field; empty: that of `data`
  bool good_checksum = true;

  std::string bytes() const {
    std::string header(512, '\0');
    const auto put = [&](std::size_t at, const std::string& text) {
      header.replace(at, text.size(), text);
    };
    const auto octal = [](std::size_t value, int digits) {
      char text[32];
      std::snprintf(text, sizeof text, "%0*zo", digits, value);
      return std::string(text);
    };
    put(0, name);
    put(100, "0000644");
    put(108, "0000000");
    put(116, "0000000");
    put(124, size.empty() ? octal(data.size(), 11) : size);
    put(136, "00000000000");
    put(148, "        ");
    header[156] = type;
    put(157, link);
    put(257, std::string("ustar\00000", 8));
    std::size_t sum = 0;
    for (const char c : header) sum += static_cast<unsigned char>(c);
    put(148, octal(sum + (good_checksum ? 0 : 1), 6) + std::string("\0 ", 2));
    return header + data + std::string((512 - data.size() % 512) % 512, '\0');
  }
};

std::string tar(const std::vector<RawEntry>& entries) {
  std::string bytes;
  for (const RawEntry& entry : entries) bytes += entry.bytes();
  return bytes + std::string(1024, '\0');
}

void refuse(const std::string& bytes, ErrorKind kind, std::string_view part) {
  SCOPED_TRACE(part);
  expect_error(unpack_files(bytes, "x.llmpatch"), kind, part);
}
void corrupt(const std::string& bytes, std::string_view part) {
  refuse(bytes, ErrorKind::kCorrupt, part);
}

PatchFiles small_files() {
  Patch patch = small_patch();
  patch.card = small_card();
  return *patch_to_files(patch);
}

TEST(Archive, GivesTheSameBytesTwiceAndTheSameFilesBack) {
  const PatchFiles files = small_files();
  const std::string packed = *pack_files(files);
  EXPECT_EQ(packed, *pack_files(files));
  const auto unpacked = unpack_files(packed, "x");
  ASSERT_TRUE(unpacked.ok()) << unpacked.error().to_string();
  EXPECT_EQ(*unpacked, files);
}

// Against a ustar written without libarchive: sorted, mode 644, no owner, no time. How numbers are
// padded within their fields is left to libarchive.
TEST(Archive, HasTheDocumentedBytes) {
  const std::string packed = *pack_files({{kReadmeFile, "# hello\n"}, {kManifestFile, "{}"}});
  const std::string expected = tar({{"README.md", "# hello\n"}, {"manifest.json", "{}"}});
  ASSERT_EQ(packed.size(), expected.size());
  for (const std::size_t entry : {std::size_t{0}, std::size_t{1024}}) {
    const auto number = [&](const std::string& bytes, std::size_t at, std::size_t size) {
      return std::stoul(bytes.substr(entry + at, size), nullptr, 8);
    };
    const auto text = [&](const std::string& bytes, std::size_t at, std::size_t size) {
      return bytes.substr(entry + at, size);
    };
    for (const auto& [at, size] :  // mode, owner, group, size, time
         {std::pair{100, 8}, {108, 8}, {116, 8}, {124, 12}, {136, 12}}) {
      EXPECT_EQ(number(packed, at, size), number(expected, at, size)) << at;
    }
    for (const auto& [at, size] :  // name; type, link and magic; owner's names; data
         {std::pair{0, 100}, {156, 109}, {265, 64}, {345, 155}, {512, 512}}) {
      EXPECT_EQ(text(packed, at, size), text(expected, at, size)) << at;
    }
  }
}

TEST(Archive, LoadsWithoutTouchingTheDisk) {
  TestDirectory directory;
  ASSERT_TRUE(write_patch(small_patch(), directory / "p", Overwrite::kNo).ok());
  const Status packed = pack_patch(directory / "p", directory / "p.llmpatch", Overwrite::kNo);
  ASSERT_TRUE(packed.ok()) << packed.error().to_string();
  const auto loaded = load_patch(directory / "p.llmpatch");
  ASSERT_TRUE(loaded.ok()) << loaded.error().to_string();
  EXPECT_EQ(loaded->rows, small_patch().rows);
  EXPECT_EQ(loaded->source, directory / "p.llmpatch");
  EXPECT_EQ(directory.entries(), 2u);
}

TEST(Archive, UnpacksToTheDirectoryItWasPackedFrom) {
  TestDirectory directory;
  ASSERT_TRUE(write_patch(small_patch(), directory / "p", Overwrite::kNo).ok());
  write_raw(directory / "p/model.sig", "{\"a\":1}");
  ASSERT_TRUE(pack_patch(directory / "p", directory / "1.llmpatch", Overwrite::kNo).ok());
  ASSERT_TRUE(pack_patch(directory / "p", directory / "2.llmpatch", Overwrite::kNo).ok());
  EXPECT_EQ(*read_file(directory / "1.llmpatch", 1 << 20, "x"),
            *read_file(directory / "2.llmpatch", 1 << 20, "x"));
  const Status status = unpack_patch(directory / "1.llmpatch", directory / "q", Overwrite::kNo);
  ASSERT_TRUE(status.ok()) << status.error().to_string();
  EXPECT_EQ(*read_patch_directory(directory / "q"), *read_patch_directory(directory / "p"));
  expect_error(unpack_patch(directory / "1.llmpatch", directory / "q", Overwrite::kNo),
               ErrorKind::kExists, "q");
  expect_error(pack_patch(directory / "p", directory / "1.llmpatch", Overwrite::kNo),
               ErrorKind::kExists, "1.llmpatch");
}

TEST(Archive, NeitherPacksNorUnpacksADamagedPatch) {
  TestDirectory directory;
  ASSERT_TRUE(write_patch(small_patch(), directory / "p", Overwrite::kNo).ok());
  PatchFiles files = *read_patch_directory(directory / "p");
  files[kReadmeFile] += "changed";
  write_raw(directory / "p/README.md", files[kReadmeFile]);
  write_raw(directory / "p.llmpatch", *pack_files(files));
  expect_error(pack_patch(directory / "p", directory / "new", Overwrite::kNo), ErrorKind::kCorrupt,
               "README.md");
  expect_error(unpack_patch(directory / "p.llmpatch", directory / "new", Overwrite::kNo),
               ErrorKind::kCorrupt, "README.md");
  EXPECT_EQ(directory.entries(), 2u);
}

TEST(Archive, AcceptsAnyOrder) {
  const auto files = unpack_files(tar({{"manifest.json", "{}"}, {"README.md", "a"}}), "x");
  ASSERT_TRUE(files.ok()) << files.error().to_string();
  EXPECT_EQ(files->at("README.md"), "a");
}

TEST(Archive, RefusesToLeaveItsDirectory) {
  for (const char* name : {"../manifest.json", "/etc/passwd", "./manifest.json", "a/manifest.json",
                           "manifest.json/", "..", "", "evil\nname"}) {
    corrupt(tar({{name, "x"}}), "");
  }
}

TEST(Archive, RefusesLinksDevicesAndFolders) {
  corrupt(tar({{"manifest.json", "", '2', "/etc/passwd"}}), "link");
  corrupt(tar({{"manifest.json", "", '1', "README.md"}}), "link");
  corrupt(tar({{"manifest.json", "", '3'}}), "device");
  corrupt(tar({{"manifest.json", "", '4'}}), "device");
  corrupt(tar({{"manifest.json", "", '5'}}), "folder");
  corrupt(tar({{"manifest.json", "", '6'}}), "device");
}

TEST(Archive, RefusesExtensionsOfTar) {
  const RawEntry readme{"README.md", "x"};
  const RawEntry manifest{"manifest.json", "{}"};
  const std::vector<RawEntry> extensions = {{"PaxHeader", "22 path=manifest.json\n", 'x'},
                                            {"PaxHeader", "19 mtime=1000000000\n", 'g'},
                                            {"././@LongLink", "manifest.json", 'L'}};
  for (const RawEntry& extension : extensions) {
    corrupt(tar({extension, readme}), "");
    corrupt(tar({manifest, extension, readme}), "");
    corrupt(tar({extension, readme, {"eval.json", "{}"}}), "");
  }
  corrupt(tar({{"README.md", "x", 'S'}}), "README.md");
  corrupt(tar({{"README.md", "x", '7'}}), "README.md");
}

TEST(Archive, RefusesDuplicatesAndForeignFiles) {
  corrupt(tar({{"README.md", "a"}, {"README.md", "b"}}), "twice");
  corrupt(tar({{"README.md", "a"}, {"pickle.bin", "b"}}), "pickle.bin");
}

TEST(Archive, RefusesLyingSizes) {
  refuse(tar({{"README.md", "a", '0', "", "00100000001"}}), ErrorKind::kLimit, "README.md");
  refuse(tar({{"adapter_model.safetensors", "", '0', "", "77777777777"}}), ErrorKind::kLimit,
         "adapter_model.safetensors");
  corrupt(tar({{"README.md", "a", '0', "", "00000010000"}}), "");
  // base-256: -1, and more than 2^62
  corrupt(tar({{"README.md", "a", '0', "", std::string(12, '\xff')}}), "");
  refuse(tar({{"README.md", "a", '0', "",
               "\x80" + std::string(3, '\0') + "\x7f" + std::string(7, '\0')}}),
         ErrorKind::kLimit, "README.md");
}

TEST(Archive, RefusesEveryTruncationAndWhatIsNoTar) {
  const std::string packed = *pack_files(small_files());
  for (std::size_t size = 0; size < packed.size(); size += 64) {
    EXPECT_FALSE(unpack_files(packed.substr(0, size), "x").ok()) << size;
  }
  const std::string two = tar({{"README.md", std::string(700, 'a')}});
  corrupt(two.substr(0, 512 + 600), "README.md: found 600 bytes, expected 700: it is truncated");
  corrupt(two.substr(0, 512), "README.md: found 0 bytes, expected 700");
  corrupt(two.substr(0, 512 + 1024), "no end of the tar");
  corrupt("", "");
  corrupt("PK\x03\x04", "");
  corrupt(std::string(10240, '\0'), "");
  corrupt(std::string(4096, 'a'), "");
  corrupt(tar({{"README.md", "a", '0', "", "", false}}), "");
}

TEST(Archive, RefusesWhatFollowsTheEnd) {
  const std::string good = tar({{"README.md", "a"}});
  EXPECT_TRUE(unpack_files(good + std::string(8192, '\0'), "x").ok());
  corrupt(good + "PK", "behind");
  corrupt(good + good, "behind");
  corrupt(RawEntry{"README.md", "a"}.bytes() + std::string(512, '\0') + good, "behind");
}

TEST(ReadPatchArchive, RefusesAnOversizedFile) {
  TestDirectory directory;
  write_raw(directory / "big.llmpatch", "");
  fs::resize_file(directory / "big.llmpatch", std::uintmax_t{1} << 40);
  expect_error(load_patch(directory / "big.llmpatch"), ErrorKind::kLimit, "big.llmpatch");
}

TEST(PackFiles, RefusesForeignNames) {
  expect_error(pack_files({{"../up", ""}}), ErrorKind::kCorrupt, "../up");
}

}  // namespace
}  // namespace llmpatch
