#include "judge/judge_file.h"

#include <algorithm>

#include "base/file.h"
#include "base/quote.h"
#include "base/sha256.h"

namespace llmpatch {
namespace {

constexpr std::uint64_t kMaxFile = std::uint64_t{64} << 10;
constexpr std::size_t kMaxText = std::size_t{16} << 10, kMaxName = 64;

bool is_name(const std::string& text) {
  return !text.empty() && text.size() <= kMaxName &&
         std::all_of(text.begin(), text.end(), [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '-' ||
                  c == '_';
         });
}

}  // namespace

Error JudgeFile::corrupt(const std::string& message) const {
  return make_error(ErrorKind::kCorrupt, "judge", path_.string() + ": " + message);
}

Result<JudgeFile> JudgeFile::read(const std::filesystem::path& path) {
  LLMPATCH_ASSIGN(const std::string text, read_file(path, kMaxFile, "judge"));
  LLMPATCH_ASSIGN(Json members, parse_json(text, path.string()));
  JudgeFile file(path, std::move(members));
  if (!file.members_.is_object()) {
    return file.corrupt(std::string("found ") + file.members_.type_name() + ", expected an object");
  }
  LLMPATCH_ASSIGN(file.judge_, file.text("judge"));
  LLMPATCH_ASSIGN(const auto name, file.optional_text("name"));
  file.name_ = name.value_or(file.judge_);
  for (const std::string& given : {file.judge_, file.name_}) {
    if (!is_name(given)) {
      return file.corrupt("found " + quote(given) + " as a name, expected 1 to 64 of a-z, 0-9, " +
                          "'.', '-' and '_'");
    }
  }
  return file;
}

std::string JudgeFile::identity() const {
  return name_ + " sha256:" + sha256_hex(json_line(members_));
}

const Json* JudgeFile::find(const char* key) {
  read_.emplace_back(key);
  const auto found = members_.find(key);
  return found == members_.end() ? nullptr : &*found;
}

Result<std::optional<std::string>> JudgeFile::optional_text(const char* key) {
  const Json* found = find(key);
  if (found == nullptr) return std::optional<std::string>();
  if (!found->is_string()) {
    return corrupt(std::string("member '") + key + "': found " + found->type_name() +
                   ", expected a string");
  }
  std::string value = found->get<std::string>();
  if (value.empty() || value.size() > kMaxText) {
    return corrupt(std::string("member '") + key + "': found " + std::to_string(value.size()) +
                   " bytes, expected 1 to " + std::to_string(kMaxText));
  }
  return std::optional<std::string>(std::move(value));
}

Result<std::string> JudgeFile::text(const char* key) {
  LLMPATCH_ASSIGN(auto found, optional_text(key));
  if (!found) return corrupt(std::string("found no member '") + key + "'");
  return *std::move(found);
}

Result<std::int64_t> JudgeFile::integer(const char* key, std::int64_t fallback, std::int64_t least,
                                        std::int64_t most) {
  if (find(key) == nullptr) return fallback;
  LLMPATCH_ASSIGN(const std::int64_t value, json_integer(members_, key, path_.string()));
  if (value < least || value > most) {
    return corrupt(std::string("member '") + key + "': found " + std::to_string(value) +
                   ", expected " + std::to_string(least) + " to " + std::to_string(most));
  }
  return value;
}

Result<std::vector<std::string>> JudgeFile::texts(const char* key, bool required) {
  const Json* found = find(key);
  if (found == nullptr && !required) return std::vector<std::string>();
  LLMPATCH_ASSIGN(const Json list, json_array(members_, key, path_.string()));
  std::vector<std::string> values;
  for (const Json& value : list) {
    if (!value.is_string() || value.get_ref<const std::string&>().empty()) {
      return corrupt(std::string("member '") + key + "': expected a list of texts");
    }
    values.push_back(value.get<std::string>());
    if (values.back().size() > kMaxText || values.back().find('\0') != std::string::npos) {
      return corrupt(std::string("member '") + key + "': found a text that is too long, or a NUL");
    }
  }
  if (values.empty()) {
    return corrupt(std::string("member '") + key + "': found no text, expected at least one");
  }
  return values;
}

Result<std::string> JudgeFile::one_of(const char* key,
                                      std::initializer_list<std::string_view> names) {
  LLMPATCH_ASSIGN(const auto found, optional_text(key));
  if (!found) return std::string(*names.begin());
  if (std::find(names.begin(), names.end(), *found) != names.end()) return *found;
  std::string known;
  for (const auto name : names) known += (known.empty() ? "" : ", ") + std::string(name);
  return corrupt(std::string("member '") + key + "': found " + quote(*found) +
                 ", expected one of: " + known);
}

Result<std::filesystem::path> JudgeFile::file(const char* key) {
  LLMPATCH_ASSIGN(const std::string name, text(key));
  return path_.parent_path() / name;
}

Status JudgeFile::finish() const {
  for (const auto& [key, value] : members_.items()) {
    if (std::find(read_.begin(), read_.end(), key) != read_.end()) continue;
    std::string known;
    for (const auto& name : read_) known += (known.empty() ? "" : ", ") + name;
    return corrupt("found member " + quote(key) + ", expected " + known);
  }
  return {};
}

}  // namespace llmpatch
