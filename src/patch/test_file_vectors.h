// The vectors of testdata/vectors/files/ for the tests of the rooms that read such files.
#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "base/file.h"
#include "base/json.h"
#include "base/result.h"

namespace llmpatch {

inline const std::filesystem::path kFileVectors =
    std::filesystem::path(LLMPATCH_SOURCE_DIR) / "testdata/vectors/files";

// An entry of an index; what its members are is in testdata/vectors/README.md.
struct FileVector {
  std::string name;
  std::filesystem::path file;
  std::string as, expect, says, by;

  std::string bytes() const { return read_file(file, 1 << 20, "vector").value(); }
};

// Those of one folder.
inline std::vector<FileVector> read_file_vectors(const std::string& folder) {
  const std::filesystem::path path = kFileVectors / folder;
  std::vector<FileVector> vectors;
  for (const Json& json : Json::parse(read_file(path / "vectors.json", 1 << 20, "index").value())) {
    vectors.push_back({json["name"], path / json["file"].get<std::string>(), json["as"],
                       json["expect"], json.value("says", ""), json.value("by", "")});
  }
  return vectors;
}

// `result` is what the index says, and an error of one line that says why.
template <class T>
void expect_judged(const FileVector& vector, const Result<T>& result) {
  static const std::map<std::string, ErrorKind> kinds{{"invalid", ErrorKind::kInvalidArgument},
                                                      {"corrupt", ErrorKind::kCorrupt},
                                                      {"mismatch", ErrorKind::kMismatch},
                                                      {"unsupported", ErrorKind::kUnsupported},
                                                      {"limit", ErrorKind::kLimit}};
  SCOPED_TRACE(vector.name);
  if (vector.expect == "valid") {
    EXPECT_TRUE(result.ok()) << result.error().to_string();
    return;
  }
  ASSERT_FALSE(result.ok()) << "expected " << vector.expect;
  const Error& error = result.error();
  EXPECT_EQ(error.kind, kinds.at(vector.expect)) << error.to_string();
  EXPECT_NE(error.message.find(vector.says), std::string::npos) << error.to_string();
  EXPECT_EQ(error.message.find('\n'), std::string::npos) << error.to_string();
}

}  // namespace llmpatch
