#include "serve/keys.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>

#include "base/file.h"
#include "base/json.h"
#include "base/sha256.h"

namespace llmpatch {
namespace {

namespace fs = std::filesystem;

class KeysTest : public testing::Test {
 protected:
  KeysTest() : folder_(fs::path(testing::TempDir()) / ("keys-" + std::to_string(::getpid()))) {
    fs::create_directories(folder_);
  }
  ~KeysTest() override { fs::remove_all(folder_); }

  fs::path write(const char* name, const std::string& text, unsigned mode = 0600) {
    const fs::path path = folder_ / name;
    fs::remove(path);
    EXPECT_TRUE(write_new_file(path, text, mode).ok());
    return path;
  }
  Result<Keys> read_api(const std::string& text) { return Keys::read(write("keys", text), ""); }
  Result<Keys> read_admin(const std::string& text, unsigned mode = 0600) {
    return Keys::read("", write("admin", text, mode));
  }

  const fs::path folder_;
};

std::string entry(const std::string& name, const std::string& key, const std::string& more = "") {
  return R"({"name": ")" + name + R"(", "sha256": ")" + sha256_hex(key) + "\"" + more + "}";
}

TEST_F(KeysTest, FindsAKeyByItsText) {
  const auto keys =
      read_api(R"({"keys": [)" + entry("alice", "secret-a") + ", " +
               entry("bob", "secret-b", R"(, "patches": ["tone-*"], "unpatched": true)") + "]}");
  ASSERT_TRUE(keys.ok()) << keys.error().to_string();
  EXPECT_TRUE(keys->has_api_keys());
  EXPECT_EQ(keys->find("nobody's"), nullptr);
  EXPECT_EQ(keys->find(""), nullptr);
  const ApiKey* alice = keys->find("secret-a");
  ASSERT_NE(alice, nullptr);
  EXPECT_EQ(alice->name, "alice");
  EXPECT_TRUE(alice->may_run("anything"));
  EXPECT_FALSE(alice->unpatched);
  const ApiKey* bob = keys->find("secret-b");
  ASSERT_NE(bob, nullptr);
  EXPECT_TRUE(bob->may_run("tone-polite"));
  EXPECT_FALSE(bob->may_run("refuse"));
  EXPECT_EQ(bob->unpatched, true);
}

TEST_F(KeysTest, WithoutFilesThereAreNone) {
  const auto keys = Keys::read("", "");
  ASSERT_TRUE(keys.ok());
  EXPECT_FALSE(keys->has_api_keys());
  EXPECT_FALSE(keys->has_admin_key());
  EXPECT_FALSE(keys->is_admin(""));
}

TEST_F(KeysTest, RefusesFilesOfAnotherForm) {
  const std::string alice = entry("alice", "secret-a");
  for (const std::string& text :
       {std::string("nothing"), std::string("{}"), std::string(R"({"keys": []})"),
        std::string(R"({"keys": {}})"), R"({"keys": [)" + alice + R"(], "more": 1})",
        std::string(R"({"keys": [{"name": "a"}]})"),
        std::string(R"({"keys": [{"name": "a", "sha256": "00"}]})"),
        R"({"keys": [)" + entry("a b", "k") + "]}", R"({"keys": [)" + entry("", "k") + "]}",
        R"({"keys": [)" + entry("admin", "k") + "]}",
        R"({"keys": [)" + entry("a", "k", R"(, "patches": "all")") + "]}",
        R"({"keys": [)" + entry("a", "k", R"(, "admin": true)") + "]}",
        R"({"keys": [)" + alice + ", " + entry("alice", "other") + "]}",
        R"({"keys": [)" + alice + ", " + entry("bob", "secret-a") + "]}"}) {
    const auto keys = read_api(text);
    ASSERT_FALSE(keys.ok()) << text;
    EXPECT_EQ(keys.error().kind, ErrorKind::kCorrupt) << text;
  }
  EXPECT_EQ(Keys::read(folder_ / "missing", "").error().kind, ErrorKind::kNotFound);
}

TEST_F(KeysTest, KnowsTheAdmin) {
  const auto keys = read_admin("0123456789abcdef\n");
  ASSERT_TRUE(keys.ok()) << keys.error().to_string();
  EXPECT_TRUE(keys->is_admin("0123456789abcdef"));
  EXPECT_FALSE(keys->is_admin("0123456789abcdef\n"));
  EXPECT_FALSE(keys->is_admin(""));
}

TEST_F(KeysTest, RefusesAnAdminKeyThatIsShortOrOpen) {
  EXPECT_EQ(read_admin("short\n").error().kind, ErrorKind::kCorrupt);
  EXPECT_EQ(read_admin("0123456789 abcdef").error().kind, ErrorKind::kCorrupt);
  EXPECT_EQ(read_admin("0123456789abcdef\n0123456789abcdef\n").error().kind, ErrorKind::kCorrupt);
  EXPECT_EQ(read_admin("0123456789abcdef\n", 0644).error().kind, ErrorKind::kDenied);
}

TEST_F(KeysTest, TakesAnAdminKeyAsSystemdHandsItOver) {
  const std::string key = "0123456789abcdef\n";
  const fs::path path = write("admin", key);
  for (const mode_t mode : {0400, 0440, 0640}) {
    ASSERT_EQ(::chmod(path.c_str(), mode), 0);
    EXPECT_TRUE(Keys::read("", path).ok()) << std::oct << mode;
  }
  for (const mode_t mode : {0444, 0460, 0450, 0620, 0604, 0602}) {
    ASSERT_EQ(::chmod(path.c_str(), mode), 0);
    EXPECT_EQ(Keys::read("", path).error().kind, ErrorKind::kDenied) << std::oct << mode;
  }
  if (::geteuid() != 0) GTEST_SKIP() << "only root may give a file away";
  ASSERT_EQ(::chmod(path.c_str(), 0440), 0);
  ASSERT_EQ(::chown(path.c_str(), 65534, 0), 0);
  EXPECT_EQ(Keys::read("", path).error().kind, ErrorKind::kDenied);
}

TEST(Bearer, IsWhatFollowsTheScheme) {
  EXPECT_EQ(bearer_of("Bearer abc"), "abc");
  EXPECT_EQ(bearer_of("bearer  abc"), "abc");
  EXPECT_EQ(bearer_of("Basic abc"), "");
  EXPECT_EQ(bearer_of("Bearer"), "");
  EXPECT_EQ(bearer_of("Bearer "), "");
  EXPECT_EQ(bearer_of(""), "");
}

}  // namespace
}  // namespace llmpatch
