#include "trust/statement.h"

#include <functional>

#include "base/json.h"
#include "base/sha256.h"
#include "trust/test_signing.h"

namespace llmpatch {
namespace {

const std::map<std::string, std::string> kDigests = {
    {"a.txt", sha256_hex(std::string_view("hello"))},
    {"manifest.json", sha256_hex(std::string_view("{}"))}};

Result<Statement> changed(const std::function<void(Json&)>& change) {
  Json json = Json::parse(statement_to_json("d", kDigests));
  change(json);
  return parse_statement(json.dump(), "model.sig");
}

void refuse(const std::function<void(Json&)>& change, std::string_view part) {
  expect_error(changed(change), ErrorKind::kUntrusted, part);
}

TEST(RootDigest, IsThatOfTheReferenceImplementation) {
  // From a signature that model_signing 1.1.1 made of a.txt ("hello") and manifest.json ("{}").
  EXPECT_EQ(root_digest(kDigests),
            "d14c3532dd4b4e1497932240cf0473125f86778ff275ac8a3c92c4ca96352a1c");
}

TEST(FileDigests, LeaveTheSignatureOut) {
  const auto digests = file_digests({{"a.txt", "hello"}, {"model.sig", "x"}});
  EXPECT_EQ(digests.size(), 1u);
  EXPECT_EQ(digests.at("a.txt"), kDigests.at("a.txt"));
}

TEST(Statement, ComesBackFromItsText) {
  const auto read = parse_statement(statement_to_json("d", kDigests), "model.sig");
  ASSERT_TRUE(read.ok()) << read.error().to_string();
  EXPECT_EQ(*read, (Statement{"d", root_digest(kDigests), kDigests}));
  EXPECT_EQ(statement_to_json("d", kDigests), statement_to_json("d", kDigests));
}

TEST(Statement, WhatTheSpecificationLeavesOpen) {
  EXPECT_TRUE(changed([](Json& j) { j["predicate"]["resources"][0]["size"] = 5; }).ok());
  EXPECT_TRUE(changed([](Json& j) { j["subject"][0]["uri"] = "x"; }).ok());
  EXPECT_TRUE(changed([](Json& j) {
                j["predicate"]["serialization"].erase("ignore_paths");
                j["predicate"]["serialization"].erase("allow_symlinks");
              }).ok());
}

TEST(Statement, OtherTypesAreRefused) {
  refuse([](Json& j) { j["_type"] = "https://in-toto.io/Statement/v0.1"; }, "Statement/v1");
  refuse([](Json& j) { j["predicateType"] = "https://model_signing/Digests/v0.1"; },
         "signature/v1.0");
  for (const char* key : {"_type", "subject", "predicateType", "predicate"}) {
    refuse([&](Json& j) { j.erase(key); }, key);
  }
}

TEST(Statement, UnknownMembersAreRefused) {
  refuse([](Json& j) { j["extra"] = 1; }, "extra");
  refuse([](Json& j) { j["predicate"]["extra"] = 1; }, "extra");
  refuse([](Json& j) { j["predicate"]["serialization"]["shard_size"] = 1; }, "shard_size");
  refuse([](Json& j) { j["subject"][0]["digest"]["sha512"] = "x"; }, "sha512");
}

TEST(Statement, OnlyWholeFilesWithSha256) {
  refuse([](Json& j) { j["predicate"]["serialization"]["method"] = "shards"; }, "method");
  refuse([](Json& j) { j["predicate"]["serialization"]["hash_type"] = "blake2b"; }, "hash_type");
  refuse([](Json& j) { j["predicate"]["resources"][1]["algorithm"] = "blake3"; }, "algorithm");
  refuse([](Json& j) { j["predicate"]["serialization"]["allow_symlinks"] = true; }, "links");
  refuse([](Json& j) { j["predicate"]["serialization"]["ignore_paths"] = {1}; }, "ignore_paths");
}

TEST(Statement, OneSubjectWithTheRootDigest) {
  refuse([](Json& j) { j["subject"].push_back(Json(j["subject"][0])); }, "2 subjects");
  refuse([](Json& j) { j["subject"] = Json::array(); }, "0 subjects");
  refuse([](Json& j) { j["subject"][0]["digest"]["sha256"] = std::string(64, '0'); },
         "root digest");
  refuse([](Json& j) { j["subject"][0]["digest"]["sha256"] = "0"; }, "64 hexadecimal");
  refuse([](Json& j) { j["predicate"]["resources"][0]["digest"] = std::string(64, '0'); },
         "root digest");
}

TEST(Statement, FilesAreSortedAndOnce) {
  refuse([](Json& j) { std::swap(j["predicate"]["resources"][0], j["predicate"]["resources"][1]); },
         "sorted");
  refuse([](Json& j) { j["predicate"]["resources"][1]["name"] = "a.txt"; }, "sorted");
  refuse([](Json& j) { j["predicate"]["resources"][0]["name"] = ""; }, "sorted");
  refuse([](Json& j) { j["predicate"]["resources"] = Json::array(); }, "0 files");
  refuse([](Json& j) { j["predicate"]["resources"] = Json::array_t(65, Json::object()); },
         "65 files");
  for (const char* key : {"name", "algorithm", "digest"}) {
    refuse([&](Json& j) { j["predicate"]["resources"][1].erase(key); }, key);
  }
  refuse([](Json& j) { j["predicate"]["resources"][0]["digest"] = std::string(64, 'A'); },
         "64 hexadecimal");
}

}  // namespace
}  // namespace llmpatch
