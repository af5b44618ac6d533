// Every vector of testdata/vectors/tuf/ through the client's steps: what an attacked channel gives
// out, made by other code than ours.
#include <map>

#include "base/file.h"
#include "trust/test_tuf.h"

namespace llmpatch {
namespace {

namespace fs = std::filesystem;

const fs::path kFolder = fs::path(LLMPATCH_SOURCE_DIR) / "testdata/vectors/tuf";

Json read_json(const std::string& name) {
  return Json::parse(read_file(kFolder / name, 1 << 20, "vector").value());
}

// A file of a vector as a client would get it: at most so many bytes of it.
Result<std::string> get(const Json& served, const std::string& name, std::uint64_t max_bytes) {
  if (!served.contains(name)) return make_error(ErrorKind::kNotFound, "test", "found no " + name);
  const std::string text = served[name];
  if (text.size() <= max_bytes) return text;
  return make_error(ErrorKind::kLimit, "test",
                    name + ": found " + std::to_string(text.size()) + " bytes, expected at most " +
                        std::to_string(max_bytes));
}

Result<TufFiles> update(const TufFiles& believed, const Json& served) {
  LLMPATCH_ASSIGN(TufUpdate update, TufUpdate::begin(believed, kTufNow));
  while (true) {
    const TufWanted next = update.next_root();
    const auto root = get(served, tuf_file_name(TufRole::kRoot, next.version), next.max_bytes);
    if (!root.ok()) break;
    LLMPATCH_TRY(update.add_root(*root));
  }
  LLMPATCH_TRY(update.end_roots());
  LLMPATCH_ASSIGN(const std::string timestamp,
                  get(served, "timestamp.json", tuf_max_bytes(TufRole::kTimestamp)));
  LLMPATCH_TRY(update.set_timestamp(timestamp));
  TufWanted wanted = update.wanted_snapshot();
  LLMPATCH_ASSIGN(const std::string snapshot,
                  get(served, tuf_file_name(TufRole::kSnapshot, wanted.version), wanted.max_bytes));
  LLMPATCH_TRY(update.set_snapshot(snapshot));
  wanted = update.wanted_targets();
  LLMPATCH_ASSIGN(const std::string targets,
                  get(served, tuf_file_name(TufRole::kTargets, wanted.version), wanted.max_bytes));
  LLMPATCH_TRY(update.set_targets(targets));
  return update.files();
}

TEST(TufVectors, EachIsJudgedAsItSays) {
  const std::map<std::string, ErrorKind> kinds{{"untrusted", ErrorKind::kUntrusted},
                                               {"limit", ErrorKind::kLimit},
                                               {"not found", ErrorKind::kNotFound}};
  std::size_t refused = 0, taken = 0;
  for (const Json& vector : read_json("vectors.json")) {
    SCOPED_TRACE(vector["name"].get<std::string>());
    const Json content = read_json(vector["name"].get<std::string>() + ".json");
    TufFiles believed{content["root"], "", "", ""};
    if (!content["before"].empty()) {
      const auto before = update(believed, content["before"]);
      ASSERT_TRUE(before.ok()) << before.error().to_string();
      believed = *before;
    }
    const auto now = update(believed, content["now"]);
    if (vector.value("refused", "") == "metadata") {
      expect_error(now, kinds.at(vector["expect"]), vector["says"].get<std::string>());
      ++refused;
    } else {
      EXPECT_TRUE(now.ok()) << now.error().to_string();
      ++taken;
    }
  }
  EXPECT_GE(refused, 30u);
  EXPECT_GE(taken, 10u);
}

}  // namespace
}  // namespace llmpatch
