#include "runtime/model_check.h"

#include <string>
#include <unordered_set>
#include <vector>

namespace llmpatch {
namespace {

// libllama's own limits, and generous ones where it has none.
constexpr std::uint64_t kMaxLayers = 512;
constexpr std::uint64_t kMaxExperts = 512;
constexpr std::uint64_t kMaxWidth = 1 << 20;
constexpr std::uint64_t kMaxContext = std::uint64_t{1} << 30;
constexpr std::size_t kMinTokens = 16;  // libllama's default special ids lie below

Error wrong(ErrorKind kind, const GgufFile& file, const std::string& message) {
  return make_error(kind, "runtime", file.path().string() + ": " + message);
}

Status check_range(const GgufFile& file, const std::string& key, std::uint64_t least,
                   std::uint64_t most) {
  LLMPATCH_ASSIGN(const std::uint64_t value, file.integer(key));
  if (value >= least && value <= most) return {};
  return wrong(ErrorKind::kCorrupt, file,
               key + ": found " + std::to_string(value) + ", expected " + std::to_string(least) +
                   " to " + std::to_string(most));
}

// Some sizes are one number for all layers or one per layer.
Status check_per_layer(const GgufFile& file, const std::string& key, std::uint64_t least,
                       std::uint64_t most) {
  const auto found = file.metadata().find(key);
  if (found == file.metadata().end()) return {};
  const auto check = [&](const auto& values) -> Status {
    for (const auto value : values) {
      if (value < 0 || static_cast<std::uint64_t>(value) > most) {
        return wrong(ErrorKind::kCorrupt, file, key + ": found a value out of range");
      }
    }
    return {};
  };
  if (const auto* values = std::get_if<std::vector<std::int64_t>>(&found->second)) {
    return check(*values);
  }
  if (const auto* values = std::get_if<std::vector<std::uint64_t>>(&found->second)) {
    return check(*values);
  }
  return check_range(file, key, least, most);
}

Status check_experts(const GgufFile& file, const std::string& architecture) {
  const auto number = [&](const char* key) { return file.optional_integer(architecture + key); };
  LLMPATCH_ASSIGN(const auto experts, number(".expert_count"));
  LLMPATCH_ASSIGN(const auto groups, number(".expert_group_count"));
  LLMPATCH_ASSIGN(const auto used_groups, number(".expert_group_used_count"));
  const auto used_key = architecture + ".expert_used_count";
  const std::uint64_t n = experts.value_or(0), g = groups.value_or(0);
  bool good = n <= kMaxExperts && (n == 0 ? g == 0 : g < n);
  if (g > 1) good = good && n % g == 0 && used_groups.value_or(0) > 0 && *used_groups < g;
  if (!good) return wrong(ErrorKind::kCorrupt, file, "expert counts: found ones that cannot be");
  if (!file.metadata().contains(used_key)) {
    return n == 0 ? Status() : wrong(ErrorKind::kCorrupt, file, used_key + ": found none");
  }
  return check_per_layer(file, used_key, n > 0 ? 1 : 0, n);
}

Status check_vocabulary(const GgufFile& file) {
  const std::string key = "tokenizer.ggml.tokens";
  LLMPATCH_ASSIGN(const std::string kind, file.string("tokenizer.ggml.model"));
  if (kind == "none" || kind == "no_vocab" || kind == "test") {
    return wrong(ErrorKind::kUnsupported, file, "tokenizer: found none");
  }
  const auto found = file.metadata().find(key);
  const auto* tokens = found == file.metadata().end()
                           ? nullptr
                           : std::get_if<std::vector<std::string>>(&found->second);
  if (tokens == nullptr || tokens->size() < kMinTokens) {
    return wrong(ErrorKind::kCorrupt, file,
                 key + ": found " + std::to_string(tokens == nullptr ? 0 : tokens->size()) +
                     " tokens, expected at least " + std::to_string(kMinTokens));
  }
  std::unordered_set<std::string> seen;
  for (std::size_t i = 0; i < tokens->size(); ++i) {
    // libllama's name for a token without text.
    std::string text = (*tokens)[i];
    if (text.empty()) text = std::string("[EMPTY_").append(std::to_string(i)).append("]");
    if (text.find('\0') != std::string::npos) text.resize(text.find('\0'));  // a C string to it
    if (!seen.insert(std::move(text)).second) {
      return wrong(ErrorKind::kCorrupt, file,
                   key + ": found token " + std::to_string(i) + " twice, expected each once");
    }
  }
  return {};
}

Status check_metadata(const GgufFile& file) {
  LLMPATCH_ASSIGN(const std::string architecture, file.architecture());
  const auto key = [&](const char* name) { return architecture + "." + name; };
  LLMPATCH_TRY(check_range(file, key("block_count"), 1, kMaxLayers));
  LLMPATCH_TRY(check_range(file, key("embedding_length"), 1, kMaxWidth));
  LLMPATCH_TRY(check_range(file, key("context_length"), 1, kMaxContext));
  LLMPATCH_TRY(check_per_layer(file, key("attention.head_count"), 1, kMaxWidth));
  LLMPATCH_TRY(check_per_layer(file, key("attention.head_count_kv"), 1, kMaxWidth));
  LLMPATCH_TRY(check_per_layer(file, key("feed_forward_length"), 0, kMaxWidth));
  LLMPATCH_TRY(check_experts(file, architecture));
  if (file.metadata().contains(key("rope.scaling.type"))) {
    LLMPATCH_ASSIGN(const std::string scaling, file.string(key("rope.scaling.type")));
    if (scaling != "none" && scaling != "linear" && scaling != "yarn" && scaling != "longrope") {
      return wrong(ErrorKind::kUnsupported, file, "rope scaling: found '" + scaling + "'");
    }
  }
  return check_vocabulary(file);
}

}  // namespace

Status check_model_file(const GgufFile& file) {
  Status status = check_metadata(file);
  if (status.ok() || status.error().kind != ErrorKind::kNotFound) return status;
  // A key that is not there: the file is not what a model file must be.
  Error error = std::move(status).error();
  error.kind = ErrorKind::kCorrupt;
  return error;
}

}  // namespace llmpatch
