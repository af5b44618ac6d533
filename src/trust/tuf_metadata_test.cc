#include "trust/tuf_metadata.h"

#include "base/hex.h"
#include "trust/test_tuf.h"

namespace llmpatch {
namespace {

// The envelope of a file whose "signed" was changed; its signatures do not hold any more.
Result<TufEnvelope> changed(const std::string& text, TufRole role,
                            const std::function<void(Json&)>& change) {
  Json json = Json::parse(text);
  change(json["signed"]);
  return parse_tuf_envelope(json.dump(), role, "file");
}

Result<TufRoot> changed_root(const std::function<void(Json&)>& change) {
  static const TestTuf repository;
  LLMPATCH_ASSIGN(const TufEnvelope envelope,
                  changed(repository.files.root, TufRole::kRoot, change));
  return parse_tuf_root(envelope, "file");
}

TEST(TufMetadata, ReadsWhatItWrites) {
  const TestTuf repository;
  const auto envelope = parse_tuf_envelope(repository.files.root, TufRole::kRoot, "file");
  ASSERT_TRUE(envelope.ok());
  const TufRoot root = parse_tuf_root(*envelope, "file").value();
  EXPECT_EQ(tuf_body(root), envelope->body);
  EXPECT_EQ(root.keys.size(), 4u);
  EXPECT_EQ(root.roles, repository.root().roles);
}

TEST(TufMetadata, KeepsWhatItDoesNotKnowUnderTheSignature) {
  const TestTuf repository;
  Json body = Json::parse(repository.files.timestamp)["signed"];
  body["x-note"] = {{"a", 1}};
  const std::string text = repository.sign(body, TufRole::kTimestamp);
  const TufEnvelope envelope = parse_tuf_envelope(text, TufRole::kTimestamp, "file").value();
  EXPECT_TRUE(verify_tuf(envelope, repository.root(), TufRole::kTimestamp, "file").ok());
  EXPECT_TRUE(parse_tuf_timestamp(envelope, "file").ok());
}

TEST(TufMetadata, RefusesEnvelopesOfAnotherForm) {
  const TestTuf repository;
  const std::string& good = repository.files.timestamp;
  const auto refuse = [&](const std::function<void(Json&)>& change, const char* part) {
    Json json = Json::parse(good);
    change(json);
    expect_error(parse_tuf_envelope(json.dump(), TufRole::kTimestamp, "file"),
                 ErrorKind::kUntrusted, part);
  };
  refuse([](Json& json) { json.erase("signed"); }, "found no member signed");
  refuse([](Json& json) { json.erase("signatures"); }, "found no member signatures");
  refuse([](Json& json) { json["signed"] = "x"; }, "found string, expected an object");
  refuse([](Json& json) { json["signed"]["_type"] = "snapshot"; }, "expected timestamp");
  refuse([](Json& json) { json["signed"]["spec_version"] = "2.0.0"; }, "found \"2.0.0\"");
  refuse([](Json& json) { json["signed"]["version"] = 0; }, "expected an integer of 1 or more");
  refuse([](Json& json) { json["signed"]["version"] = -1; }, "expected an integer of 1 or more");
  refuse([](Json& json) { json["signed"]["version"] = "1"; }, "expected an integer of 1 or more");
  refuse([](Json& json) { json["signed"]["version"] = UINT64_MAX; }, "expected an integer");
  refuse([](Json& json) { json["signed"]["version"] = 1.5; }, "expected an integer");
  refuse([](Json& json) { json["signed"]["expires"] = "2027-02-30T00:00:00Z"; }, "expires");
  refuse([](Json& json) { json["signed"]["expires"] = "9"; }, "expires");
  refuse([](Json& json) { json["signed"]["x"] = 1.5; }, "not an integer of 64 bits");
  refuse([](Json& json) { json["signatures"][0]["sig"] = "0G"; }, "hexadecimal");
  refuse([](Json& json) { json["signatures"][0]["sig"] = std::string(2050, '0'); }, "hexadecimal");
  refuse([](Json& json) { json["signatures"][0].erase("keyid"); }, "found no member keyid");
  refuse([](Json& json) { json["signatures"] = Json(65, json["signatures"][0]); }, "at most 64");
  expect_error(parse_tuf_envelope("{", TufRole::kRoot, "file"), ErrorKind::kUntrusted, "file");
  expect_error(parse_tuf_envelope(R"({"signed":{},"signed":{}})", TufRole::kRoot, "file"),
               ErrorKind::kUntrusted, "duplicate key");
  expect_error(parse_tuf_envelope(std::string(16'385, ' '), TufRole::kTimestamp, "file"),
               ErrorKind::kLimit, "found 16385 bytes, expected at most 16384");
}

TEST(TufMetadata, RefusesRootsOfAnotherForm) {
  EXPECT_TRUE(changed_root([](Json&) {}).ok());
  const auto refuse = [](const std::function<void(Json&)>& change, const char* part) {
    expect_error(changed_root(change), ErrorKind::kUntrusted, part);
  };
  refuse([](Json& body) { body["consistent_snapshot"] = false; }, "consistent_snapshot");
  refuse([](Json& body) { body.erase("keys"); }, "found no member keys");
  refuse([](Json& body) { body["roles"].erase("snapshot"); }, "found no member snapshot");
  refuse([](Json& body) { body["roles"]["root"]["threshold"] = 0; }, "threshold");
  refuse([](Json& body) { body["roles"]["root"]["threshold"] = 2; }, "found 1 keys");
  refuse([](Json& body) { body["roles"]["root"]["threshold"] = 65; }, "threshold of 65");
  refuse([](Json& body) { body["roles"]["root"]["keyids"] = {"abc"}; }, "which no key has");
  refuse([](Json& body) { body["roles"]["root"]["keyids"] = Json::array(); }, "found 0 keys");
  refuse(
      [](Json& body) {  // a key under a name of its own would let one key count twice
        const Json key = body["keys"].begin().value();
        body["keys"][std::string(64, 'a')] = key;
      },
      "found the id \"aaaa");
  refuse([](Json& body) { body["keys"].begin().value()["keyval"]["public"] = "no PEM"; }, "key");
}

// The same key may have two objects, and so two ids: it has one vote.
TEST(TufMetadata, TheSameKeyCountsOnce) {
  TestTuf repository;
  const PrivateKey key = repository.keys.at(TufRole::kTargets)[0];
  Json twin = TufKey::of(key.public_key()).value().json();
  const std::string id = TufKey::parse(twin, "key")->id();
  twin["keyval"]["public"] = twin["keyval"]["public"].get<std::string>() + "\n";
  const TufKey other = TufKey::parse(twin, "key").value();
  ASSERT_NE(other.id(), id);

  TufRoot root = repository.root();
  root.keys.emplace(other.id(), other);
  TufRoleKeys& role = root.roles[TufRole::kTargets];
  role.keyids.push_back(other.id());
  TufEnvelope envelope =
      parse_tuf_envelope(repository.files.targets, TufRole::kTargets, "file").value();
  envelope.signatures.push_back({other.id(), envelope.signatures[0].bytes});
  envelope.signatures.push_back(envelope.signatures[0]);
  EXPECT_TRUE(verify_tuf(envelope, root, TufRole::kTargets, "file").ok());
  role.threshold = 2;
  expect_error(verify_tuf(envelope, root, TufRole::kTargets, "file"), ErrorKind::kUntrusted,
               "by 1 keys of the role targets, expected 2");
  // Neither is a root taken that has no more keys than that.
  const Json body = tuf_body(root);
  TufEnvelope whole;
  whole.body = body;
  expect_error(parse_tuf_root(whole, "file"), ErrorKind::kUntrusted, "found 1 keys");
}

TEST(TufMetadata, AThresholdOfTwoTakesTwoKeys) {
  TestTuf repository;
  repository.keys.at(TufRole::kTargets).push_back(PrivateKey::generate().value());
  repository.thresholds[TufRole::kTargets] = 2;
  repository.publish();
  const TufRoot root = repository.root();
  TufEnvelope envelope =
      parse_tuf_envelope(repository.files.targets, TufRole::kTargets, "file").value();
  EXPECT_TRUE(verify_tuf(envelope, root, TufRole::kTargets, "file").ok());
  envelope.signatures.pop_back();
  expect_error(verify_tuf(envelope, root, TufRole::kTargets, "file"), ErrorKind::kUntrusted,
               "by 1 keys of the role targets, expected 2");
}

TEST(TufMetadata, RefusesFileListsAndTargetsOfAnotherForm) {
  const TestTuf repository;
  const auto refuse_snapshot = [&](const std::function<void(Json&)>& change, const char* part) {
    const auto envelope = changed(repository.files.snapshot, TufRole::kSnapshot, change);
    ASSERT_TRUE(envelope.ok());
    expect_error(parse_tuf_snapshot(*envelope, "file"), ErrorKind::kUntrusted, part);
  };
  refuse_snapshot([](Json& body) { body.erase("meta"); }, "found no member meta");
  refuse_snapshot([](Json& body) { body["meta"] = Json::object(); }, "found no targets.json");
  refuse_snapshot([](Json& body) { body["meta"]["targets.json"]["version"] = 0; }, "version");
  refuse_snapshot([](Json& body) { body["meta"]["targets.json"]["length"] = -1; }, "length");
  refuse_snapshot(
      [](Json& body) {
        body["meta"]["targets.json"]["hashes"] = {{"md5", "0"}};
      },
      "found no member sha256");

  const auto refuse_targets = [&](const std::function<void(Json&)>& change, const char* part) {
    const auto envelope = changed(repository.files.targets, TufRole::kTargets, [&](Json& body) {
      change(body["targets"]["refuse-1.0.0.llmpatch"]);
    });
    ASSERT_TRUE(envelope.ok());
    expect_error(parse_tuf_targets(*envelope, "file"), ErrorKind::kUntrusted, part);
  };
  refuse_targets([](Json& target) { target.erase("length"); }, "found no member length");
  refuse_targets([](Json& target) { target["length"] = -1; }, "length");
  refuse_targets([](Json& target) { target.erase("hashes"); }, "found no member hashes");
  refuse_targets([](Json& target) { target["hashes"]["sha256"] = "ABC"; }, "64 digits");
  refuse_targets([](Json& target) { target["custom"] = 1; }, "custom");
}

TEST(TufFileName, HasANumberButForTheTimestamp) {
  EXPECT_EQ(tuf_file_name(TufRole::kRoot, 12), "12.root.json");
  EXPECT_EQ(tuf_file_name(TufRole::kTargets, 3), "3.targets.json");
  EXPECT_EQ(tuf_file_name(TufRole::kTimestamp, 3), "timestamp.json");
}

}  // namespace
}  // namespace llmpatch
