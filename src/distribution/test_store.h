// What the tests of this room share: patches signed by a key of their own, and a store with a clock
// that stands still.
#pragma once

#include <gtest/gtest.h>

#include <ctime>
#include <filesystem>
#include <functional>
#include <string>

#include "distribution/folder.h"
#include "distribution/store.h"
#include "patch/test_patch.h"
#include "trust/sign.h"

namespace llmpatch {

// The moment at which the tests' stores are: 2027-01-01T00:00:00Z.
inline constexpr std::time_t kTestTime = 1798761600;

class StoreTest : public testing::Test {
 protected:
  std::filesystem::path folder() const { return directory_ / "store"; }

  Store open() {
    StoreOptions options;
    options.create = true;
    options.who = "tester@here";
    options.clock = [this] { return now_; };
    return Store::open(folder(), options).value();
  }

  // Writes a patch directory and returns it. `change` may alter its manifest.
  std::filesystem::path patch(const std::string& name, const std::string& version,
                              std::int64_t sequence,
                              const std::function<void(Manifest&)>& change = {}) {
    Patch made = small_patch();
    made.manifest.name = name;
    made.manifest.version = version;
    made.manifest.sequence = sequence;
    made.manifest.compose = {};
    if (change) change(made.manifest);
    const auto path = directory_ / ("patch-" + std::to_string(++patches_));
    EXPECT_TRUE(write_patch(made, path, Overwrite::kNo).ok());
    return path;
  }
  std::filesystem::path signed_patch(const std::string& name, const std::string& version,
                                     std::int64_t sequence,
                                     const std::function<void(Manifest&)>& change = {}) {
    const auto path = patch(name, version, sequence, change);
    sign(path, key_);
    return path;
  }
  static void sign(const std::filesystem::path& path, const PrivateKey& key) {
    const auto made = sign_patch(path, {key, {}}, Overwrite::kYes);
    EXPECT_TRUE(made.ok()) << made.error().to_string();
  }

  Trust trust() const {
    Trust trust;
    trust.keys = {key_.public_key()};
    return trust;
  }
  InstallOptions by_key() const {
    InstallOptions options;
    options.trust = trust();
    return options;
  }

  // Installs a signed patch and makes it active.
  void put(Store& store, const std::string& name, const std::string& version, std::int64_t sequence,
           const std::function<void(Manifest&)>& change = {}) {
    InstallOptions options = by_key();
    options.activate = true;
    const auto done = store.install(signed_patch(name, version, sequence, change), options);
    ASSERT_TRUE(done.ok()) << done.error().to_string();
  }

  // "name version" of every patch, active ones with a star, separated by spaces.
  static std::string listing(Store& store) {
    std::string text;
    const std::vector<InstalledPatch> patches = store.list().value();
    for (const InstalledPatch& patch : patches) {
      text += (text.empty() ? "" : ", ") + patch.name + " " + patch.version;
      if (patch.active) text += "*";
    }
    return text;
  }

  TestDirectory directory_;
  PrivateKey key_ = PrivateKey::generate().value();
  std::time_t now_ = kTestTime;

 private:
  int patches_ = 0;
};

inline Reference stored(const std::string& text) { return parse_reference(text).value(); }

}  // namespace llmpatch
