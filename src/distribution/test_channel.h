// What the tests of channels share: a maker's folder with its keys, and a store that follows it.
#pragma once

#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "distribution/channel_maker.h"
#include "distribution/channel_update.h"
#include "distribution/test_store.h"

namespace llmpatch {

class ChannelTest : public StoreTest {
 protected:
  void SetUp() override {
    ChannelKeys keys;
    keys.root = {root_key_.public_key()};
    keys.targets = {targets_key_.public_key()};
    keys.timestamp = {timestamp_key_.public_key()};
    const auto step = maker().init(keys, {root_key_}, {});
    ASSERT_TRUE(step.ok()) << step.error().to_string();
  }

  std::filesystem::path channel() const { return directory_ / "channel"; }
  ChannelFolder maker() const { return ChannelFolder(channel(), now_); }
  std::vector<PrivateKey> publishers() const { return {targets_key_, timestamp_key_}; }

  static std::string read(const std::filesystem::path& path) {
    std::ostringstream text;
    text << std::ifstream(path, std::ios::binary).rdbuf();
    return text.str();
  }

  // Adds a signed release to the draft.
  void add(const std::string& name, const std::string& version, std::int64_t sequence,
           const std::function<void(Manifest&)>& change = {}) {
    const auto target = maker().add(signed_patch(name, version, sequence, change), trust());
    ASSERT_TRUE(target.ok()) << target.error().to_string();
  }
  void publish() {
    const auto draft = maker().draft();
    ASSERT_TRUE(draft.ok()) << draft.error().to_string();
    const auto step = maker().publish(*draft, publishers(), {});
    ASSERT_TRUE(step.ok()) << step.error().to_string();
  }
  void revoke(const std::string& name, const std::string& version) {
    const auto target = maker().revoke(name, version);
    ASSERT_TRUE(target.ok()) << target.error().to_string();
  }

  Subscription subscription(const std::vector<std::string>& names = {}) {
    Subscription each;
    each.url = channel().string();
    each.names = names;
    each.believed.root = read(channel() / "1.root.json");
    return each;
  }
  void subscribe(Store& store, Subscription each) {
    const Status done = store.subscribe(std::move(each), Overwrite::kYes);
    ASSERT_TRUE(done.ok()) << done.error().to_string();
  }

  UpdateOptions update_options() const {
    UpdateOptions options;
    options.install = by_key();
    options.install.activate = true;
    return options;
  }
  Result<UpdateReport> update(Store& store) { return update(store, update_options()); }
  Result<UpdateReport> update(Store& store, const UpdateOptions& options) {
    LLMPATCH_ASSIGN(const std::vector<Subscription> all, store.subscriptions());
    return update_channel(store, all.at(0), options);
  }
  void updated(Store& store) {
    const auto report = update(store);
    ASSERT_TRUE(report.ok()) << report.error().to_string();
    for (const Error& error : report->errors) ADD_FAILURE() << error.to_string();
  }

  // The folder of targets has one file of that name.
  std::filesystem::path target_file(const std::string& ending) {
    std::filesystem::path found;
    for (const auto& entry : std::filesystem::directory_iterator(channel() / "targets")) {
      if (entry.path().string().ends_with(ending)) found = entry.path();
    }
    EXPECT_FALSE(found.empty()) << ending;
    return found;
  }

  // Lets `key` sign every patch of the store, and nobody else any.
  void only(const PrivateKey& key) {
    std::filesystem::create_directory(folder() / kKeysFolder);
    write_raw(folder() / "keys/one.pub", key.public_key().pem());
    write_raw(folder() / kPolicyFile,
              R"({"schema": 1, "rules": [{"patches": ["*"], "keys": ["keys/one.pub"]}]})");
  }

  void expect_patch_error(const Result<UpdateReport>& report, ErrorKind kind,
                          const std::string& part) {
    ASSERT_TRUE(report.ok()) << report.error().to_string();
    ASSERT_EQ(report->errors.size(), 1u);
    expect_error(Status(report->errors[0]), kind, part);
    EXPECT_TRUE(report->installed.empty());
  }

  PrivateKey root_key_ = PrivateKey::generate().value();
  PrivateKey targets_key_ = PrivateKey::generate().value();
  PrivateKey timestamp_key_ = PrivateKey::generate().value();
};

}  // namespace llmpatch
