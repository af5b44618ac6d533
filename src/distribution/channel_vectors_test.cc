// Every vector of testdata/vectors/tuf/ through a store that follows it.
#include <map>

#include "base/file.h"
#include "distribution/test_channel.h"

namespace llmpatch {
namespace {

namespace fs = std::filesystem;

const fs::path kFolder = fs::path(LLMPATCH_SOURCE_DIR) / "testdata/vectors/tuf";

std::string read_text(const std::string& name) {
  return read_file(kFolder / name, 1 << 20, "vector").value();
}

// Makes the channel's folder what `served` says.
void serve(const Json& served, const fs::path& folder) {
  fs::remove_all(folder);
  fs::create_directories(folder / "targets");
  for (const auto& [name, content] : served.items()) {
    if (content.is_string()) {
      write_raw(folder / name, content.get<std::string>());
    } else if (content.is_object()) {
      std::string bytes = read_text(content["archive"]);
      bytes.resize(content["length"].get<std::size_t>());
      write_raw(folder / name, bytes);
    }
  }
}

class ChannelVectors : public StoreTest {
 protected:
  // What an update fails with; the message "taken" where it does not.
  static Error refusal(Store& store, const UpdateOptions& options) {
    const std::vector<Subscription> all = store.subscriptions().value();
    const auto report = update_channel(store, all.at(0), options);
    if (!report.ok()) return report.error();
    return report->errors.empty() ? make_error(ErrorKind::kInternal, "test", "taken")
                                  : report->errors[0];
  }
};

TEST_F(ChannelVectors, EachIsJudgedAsItSays) {
  const std::map<std::string, ErrorKind> kinds{{"valid", ErrorKind::kInternal},
                                               {"untrusted", ErrorKind::kUntrusted},
                                               {"limit", ErrorKind::kLimit},
                                               {"not found", ErrorKind::kNotFound}};
  UpdateOptions options;
  options.install.trust.keys = {PublicKey::read(kFolder / "vendor.pub").value()};
  options.install.activate = true;
  for (const Json& vector : Json::parse(read_text("vectors.json"))) {
    const std::string name = vector["name"];
    SCOPED_TRACE(name);
    const Json content = Json::parse(read_text(name + ".json"));
    fs::remove_all(folder());
    Store store = open();
    const fs::path channel = directory_ / name;
    Subscription subscription;
    subscription.url = channel.string();
    subscription.believed.root = content["root"];
    ASSERT_TRUE(store.subscribe(subscription, Overwrite::kNo).ok());
    if (!content["before"].empty()) {
      serve(content["before"], channel);
      ASSERT_EQ(refusal(store, options).message, "taken");
    }
    serve(content["now"], channel);
    const Error found = refusal(store, options);
    EXPECT_EQ(found.kind, kinds.at(vector["expect"])) << found.to_string();
    EXPECT_NE(found.message.find(vector.value("says", "taken")), std::string::npos)
        << found.to_string();
    const auto active = store.read({"refuse", "", ""});
    EXPECT_EQ(active.ok() ? active->entry.version : "", vector["active"].get<std::string>());
  }
}

}  // namespace
}  // namespace llmpatch
