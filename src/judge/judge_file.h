// A judge file: the JSON that describes a judge which needs more than a name (docs/judges.md).
// Internal to judge/.
#pragma once

#include <cstdint>
#include <filesystem>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "base/result.h"

namespace llmpatch {

// The members of one judge file, read one by one: finish() then refuses those that nobody asked
// for. Not thread-safe.
class JudgeFile {
 public:
  // kNotFound; kLimit beyond 64 KiB; kCorrupt: no JSON object, or members `judge` or `name` that
  // are missing or no names (1 to 64 of a-z, 0-9, '.', '-', '_'; `name` defaults to `judge`).
  static Result<JudgeFile> read(const std::filesystem::path& path);

  const std::string& judge() const { return judge_; }
  const std::string& name() const { return name_; }
  const std::filesystem::path& path() const { return path_; }
  // Name and the SHA-256 of the members in canonical order.
  std::string identity() const;

  // Each names the file and the member in kCorrupt. Text is never empty and at most 16 KiB.
  Result<std::string> text(const char* key);
  Result<std::optional<std::string>> optional_text(const char* key);
  Result<std::int64_t> integer(const char* key, std::int64_t fallback, std::int64_t least,
                               std::int64_t most);
  // At least one text, or none when the member is missing and `required` is not.
  Result<std::vector<std::string>> texts(const char* key, bool required);
  // One of `names`; the first when the member is missing.
  Result<std::string> one_of(const char* key, std::initializer_list<std::string_view> names);
  // A path, relative to the file's own folder.
  Result<std::filesystem::path> file(const char* key);
  // kCorrupt when there is a member that was not read.
  Status finish() const;

  Error corrupt(const std::string& message) const;

 private:
  JudgeFile(std::filesystem::path path, Json members)
      : path_(std::move(path)), members_(std::move(members)) {}
  const Json* find(const char* key);

  std::filesystem::path path_;
  Json members_;
  std::vector<std::string> read_;
  std::string judge_, name_;
};

}  // namespace llmpatch
