#include "patch/manifest.h"

#include <gtest/gtest.h>

#include <functional>
#include <string>

#include "patch/files.h"
#include "patch/test_patch.h"

namespace llmpatch {
namespace {

Manifest listed_manifest() {
  Manifest manifest = small_patch().manifest;
  manifest.files = {{kRowsFile, std::string(64, 'a')}, {kAdapterConfigFile, std::string(64, 'b')}};
  return manifest;
}

// The text of a good manifest after `change` was done to it.
std::string changed(const std::function<void(Json&)>& change) {
  auto json = Json::parse(manifest_to_json(listed_manifest()));
  change(json);
  return json.dump();
}

void refuse(const std::string& text, ErrorKind kind, std::string_view part) {
  SCOPED_TRACE(part);
  expect_error(parse_manifest(text, "manifest.json"), kind, part);
}
void corrupt(const std::string& text, std::string_view part) {
  refuse(text, ErrorKind::kCorrupt, part);
}
void corrupt_field(const char* field, const Json& value) {
  SCOPED_TRACE(value.dump(-1, ' ', true, Json::error_handler_t::replace));
  corrupt(changed([&](Json& json) { json[field] = value; }), field);
}

TEST(Manifest, RoundTrips) {
  const Manifest manifest = listed_manifest();
  const std::string text = manifest_to_json(manifest);
  const auto read = parse_manifest(text, "manifest.json");
  ASSERT_TRUE(read.ok()) << read.error().to_string();
  EXPECT_EQ(*read, manifest);
  EXPECT_EQ(manifest_to_json(*read), text);
}

TEST(Manifest, MayLackAnExpiryAndASummary) {
  Manifest manifest = listed_manifest();
  manifest.expires.reset();
  manifest.summary.clear();
  const auto read = parse_manifest(manifest_to_json(manifest), "manifest.json");
  ASSERT_TRUE(read.ok()) << read.error().to_string();
  EXPECT_EQ(*read, manifest);
}

TEST(Manifest, PutsTheFieldsForPeopleFirst) {
  EXPECT_TRUE(manifest_to_json(listed_manifest())
                  .starts_with("{\n  \"schema\": 1,\n  \"name\": \"refuse\",\n"
                               "  \"version\": \"1.2.3\",\n"));
}

TEST(Manifest, RefusesTextThatIsNoManifest) {
  corrupt("", "manifest.json");
  corrupt("{", "manifest.json");
  corrupt("[]", "object");
  corrupt("null", "object");
  corrupt(R"({"schema":1,"schema":1})", "duplicate");
  corrupt(changed([](Json&) {}) + "x", "syntax");
  corrupt(R"({"schema":1,"a\nb":1})", "a\\nb");
  corrupt(std::string(100000, '['), "manifest.json");
}

TEST(Manifest, RefusesEveryMissingField) {
  for (const char* field : {"schema", "name", "version", "sequence", "risk", "summary", "license",
                            "base", "learned", "requires", "compose", "files"}) {
    corrupt(changed([&](Json& json) { json.erase(field); }), field);
  }
  corrupt(changed([](Json& json) { json["compose"].erase("tested"); }), "tested");
}

TEST(Manifest, RefusesUnknownMembers) {
  corrupt(changed([](Json& json) { json["revoked"] = true; }), "revoked");
  corrupt(changed([](Json& json) { json["compose"]["order"] = 1; }), "order");
  corrupt(changed([](Json& json) { json["base"]["weights"] = 1; }), "weights");
}

TEST(Manifest, RefusesAnotherSchema) {
  refuse(changed([](Json& json) { json["schema"] = 2; }), ErrorKind::kUnsupported, "schema");
  corrupt_field("schema", "1");
}

TEST(Manifest, RequiresOtherPatches) {
  const Json required = {"gender", "toxicity@1.0.0", "refuse-more@^0.2.0"};
  const auto manifest =
      parse_manifest(changed([&](Json& json) { json["requires"] = required; }), "manifest.json");
  ASSERT_TRUE(manifest.ok()) << manifest.error().to_string();
  EXPECT_EQ(Json(manifest->required), required);
  EXPECT_EQ(Json::parse(manifest_to_json(*manifest))["requires"], required);
  for (const Json& bad :
       {Json({"gender@>=1.0.0"}), Json({""}), Json({"a", "a"}), Json("gender"), Json({1})}) {
    corrupt_field("requires", bad);
  }
}

TEST(Manifest, RefusesBadNamesVersionsAndTimes) {
  for (const Json& bad :
       {Json(""), Json("../up"), Json("A"), Json(std::string(65, 'a')), Json(1)}) {
    corrupt_field("name", bad);
    corrupt_field("risk", bad);
  }
  for (const Json& bad : {Json("1.0"), Json("v1.0.0"), Json("1.0.0\n"), Json(1.0), Json()}) {
    corrupt_field("version", bad);
  }
  for (const Json& bad : {Json(0), Json(-1), Json(1.5), Json(18446744073709551615U), Json("1")}) {
    corrupt_field("sequence", bad);
  }
  for (const Json& bad : {Json("2030-02-30T00:00:00Z"), Json("tomorrow"), Json()}) {
    corrupt_field("expires", bad);
  }
  for (const Json& bad : {Json(""), Json("MIT\n"), Json("<b>"), Json(std::string(65, 'M'))}) {
    corrupt_field("license", bad);
  }
}

TEST(Manifest, RefusesTextThatATerminalWouldObey) {
  corrupt_field("summary", "two\nlines");
  corrupt_field("summary", "\x1b[2J");
  corrupt_field("summary",
                "\xc2\x9b"
                "2J");
  corrupt_field("summary", std::string(513, 'a'));
  EXPECT_TRUE(
      parse_manifest(changed([](Json& json) { json["summary"] = "na\xc3\xafve \xe2\x80\x93"; }),
                     "manifest.json")
          .ok());
}

TEST(Manifest, RefusesBadListsOfPatches) {
  corrupt(changed([](Json& json) { json["compose"]["conflicts"] = {"A"}; }), "conflicts");
  corrupt(changed([](Json& json) { json["compose"]["conflicts"] = {"a", "a"}; }), "twice");
  corrupt(changed([](Json& json) { json["compose"]["tested"] = {"a"}; }), "name@version");
  corrupt(changed([](Json& json) { json["compose"]["tested"] = {1}; }), "tested");
  Json many = Json::array();
  for (int i = 0; i < 257; ++i) many.push_back(std::to_string(i));
  corrupt(changed([&](Json& json) { json["compose"]["conflicts"] = many; }), "at most 256");
}

TEST(Manifest, SaysInWhichStacksItWasMeasured) {
  const Json stack = {{"patches", {"refuse@1.2.3", "gender@0.1.0"}},
                      {"compose", "parallel"},
                      {"suite", "harmbench"},
                      {"metric", "refused"},
                      {"kept", {{"value", 0.82}, {"low", 0.7}, {"high", 0.95}, {"n", 200}}}};
  const auto with = [](const Json& tested) {
    return changed([&](Json& json) { json["compose"]["tested"] = tested; });
  };
  const auto manifest = parse_manifest(with({"gender@0.1.0", stack}), "manifest.json");
  ASSERT_TRUE(manifest.ok()) << manifest.error().to_string();
  EXPECT_EQ(manifest->compose.tested, (std::vector<std::string>{"gender@0.1.0"}));
  ASSERT_EQ(manifest->compose.tested_stacks.size(), 1u);
  EXPECT_EQ(manifest->compose.tested_stacks[0].kept, 0.82);
  EXPECT_EQ(Json::parse(manifest_to_json(*manifest))["compose"]["tested"],
            Json({"gender@0.1.0", stack}));
  corrupt(with({stack, stack}), "twice");
  Json other = stack;
  other["patches"][1] = "gender";
  corrupt(with(Json::array({other})), "name@version");
  Json many = Json::array({stack});
  for (int i = 0; i < 256; ++i) many.push_back("a" + std::to_string(i) + "@1.0.0");
  corrupt(with(many), "at most 256");
}

TEST(Manifest, RefusesBadFileLists) {
  const auto with = [](const std::string& name, const Json& digest) {
    return changed([&](Json& json) { json["files"][name] = digest; });
  };
  const std::string digest(64, 'a');
  for (const char* name : {"../etc/passwd", "pytorch_model.bin", "manifest.json", "model.sig", "",
                           "sub/README.md", "readme.md"}) {
    corrupt(with(name, digest), "files");
  }
  corrupt(with("README.md", digest.substr(1)), "64 hexadecimal");
  corrupt(with("README.md", std::string(64, 'A')), "64 hexadecimal");
  corrupt(with("README.md", digest + "0"), "64 hexadecimal");
  corrupt(with("README.md", 1), "sha256");
  corrupt_field("files", Json::array());
}

TEST(CheckManifest, IsAboutTheCallersArgument) {
  EXPECT_TRUE(check_manifest(small_patch().manifest).ok());
  Manifest manifest = small_patch().manifest;
  manifest.name = "Refuse";
  expect_error(check_manifest(manifest), ErrorKind::kInvalidArgument, "name");
  manifest = small_patch().manifest;
  manifest.summary = "\xff";
  expect_error(check_manifest(manifest), ErrorKind::kInvalidArgument, "summary");
}

}  // namespace
}  // namespace llmpatch
