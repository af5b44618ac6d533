#include "gguf/vocabulary.h"

#include <algorithm>
#include <variant>

namespace llmpatch {
namespace {

const GgufValue* value_of(const GgufFile& file, const char* key) {
  const auto found = file.metadata().find(key);
  return found == file.metadata().end() ? nullptr : &found->second;
}

bool equal_at(const GgufFile& one, const GgufFile& other, const char* key) {
  const GgufValue* first = value_of(one, key);
  const GgufValue* second = value_of(other, key);
  return first == nullptr || second == nullptr ? first == second : *first == *second;
}

// Whether the shorter of two lists is the beginning of the longer one.
template <class T>
bool begin_alike(const GgufFile& one, const GgufFile& other, const char* key) {
  const GgufValue* first = value_of(one, key);
  const GgufValue* second = value_of(other, key);
  if (first == nullptr || second == nullptr) return first == second;
  const auto* a = std::get_if<std::vector<T>>(first);
  const auto* b = std::get_if<std::vector<T>>(second);
  if (a == nullptr || b == nullptr) return *first == *second;
  const auto count = static_cast<std::ptrdiff_t>(std::min(a->size(), b->size()));
  return std::equal(a->begin(), a->begin() + count, b->begin());
}

}  // namespace

bool same_vocabulary(const GgufFile& one, const GgufFile& other) {
  return equal_at(one, other, "tokenizer.ggml.model") &&
         equal_at(one, other, "tokenizer.ggml.pre") &&
         equal_at(one, other, "tokenizer.ggml.merges") &&
         equal_at(one, other, "tokenizer.ggml.add_space_prefix") &&
         begin_alike<std::string>(one, other, "tokenizer.ggml.tokens") &&
         begin_alike<double>(one, other, "tokenizer.ggml.scores");
}

}  // namespace llmpatch
