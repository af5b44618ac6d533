#include "gguf/digests.h"

#include <ggml.h>

#include <algorithm>
#include <array>
#include <bit>

#include "base/sha256.h"

namespace llmpatch {
namespace {

// What turns text into token ids. Not the chat template, nor the special ids that only stop or pad.
constexpr std::array<const char*, 9> kTokenizerKeys = {
    "tokenizer.ggml.model",
    "tokenizer.ggml.pre",
    "tokenizer.ggml.tokens",
    "tokenizer.ggml.token_type",
    "tokenizer.ggml.scores",
    "tokenizer.ggml.merges",
    "tokenizer.ggml.bos_token_id",
    "tokenizer.ggml.add_bos_token",
    "tokenizer.ggml.add_space_prefix",
};

// A hash over fields, each written so that no two different sequences give the same bytes.
class FieldHash {
 public:
  void number(std::uint64_t value) {
    std::array<char, 8> bytes;
    for (char& byte : bytes) {  // little-endian
      byte = static_cast<char>(value & 0xff);
      value >>= 8;
    }
    hash_.update(std::string_view(bytes.data(), bytes.size()));
  }
  void text(std::string_view value) {
    number(value.size());
    hash_.update(value);
  }
  void tag(char value) { hash_.update(std::string_view(&value, 1)); }
  void bytes(std::span<const std::byte> value) {
    number(value.size());
    hash_.update(value);
  }
  std::string finish() { return hash_.finish(); }

 private:
  Sha256 hash_;
};

// Writes a metadata value; integers alike whatever their width and sign.
struct ValueWriter {
  FieldHash& hash;

  void operator()(std::int64_t value) { one('i', static_cast<std::uint64_t>(value)); }
  void operator()(std::uint64_t value) { one('i', value); }
  void operator()(double value) { one('f', std::bit_cast<std::uint64_t>(value)); }
  void operator()(bool value) { one('b', value ? 1 : 0); }
  void operator()(const std::string& value) {
    hash.tag('s');
    hash.text(value);
  }
  void operator()(const std::vector<std::int64_t>& values) { many('I', values); }
  void operator()(const std::vector<std::uint64_t>& values) { many('I', values); }
  void operator()(const std::vector<double>& values) { many('F', values); }
  void operator()(const std::vector<bool>& values) { many('B', values); }
  void operator()(const std::vector<std::string>& values) { many('S', values); }

 private:
  void one(char tag, std::uint64_t bits) {
    hash.tag(tag);
    hash.number(bits);
  }
  template <class T>
  void many(char tag, const std::vector<T>& values) {
    hash.tag(tag);
    hash.number(values.size());
    for (const auto& value : values) element(value);
  }
  void element(const std::string& value) { hash.text(value); }
  void element(double value) { hash.number(std::bit_cast<std::uint64_t>(value)); }
  void element(std::int64_t value) { hash.number(static_cast<std::uint64_t>(value)); }
  void element(std::uint64_t value) { hash.number(value); }
  void element(bool value) { hash.number(value ? 1 : 0); }
};

std::vector<const GgufTensor*> sorted_by_name(const GgufFile& file) {
  std::vector<const GgufTensor*> tensors;
  for (const GgufTensor& tensor : file.tensors()) tensors.push_back(&tensor);
  std::sort(tensors.begin(), tensors.end(),
            [](const GgufTensor* a, const GgufTensor* b) { return a->name < b->name; });
  return tensors;
}

}  // namespace

std::string tokenizer_digest(const GgufFile& file) {
  FieldHash hash;
  for (const char* key : kTokenizerKeys) {
    const auto found = file.metadata().find(key);
    if (found == file.metadata().end()) continue;
    hash.text(key);
    std::visit(ValueWriter{hash}, found->second);
  }
  return hash.finish();
}

std::string shapes_digest(const GgufFile& file) {
  FieldHash hash;
  for (const GgufTensor* tensor : sorted_by_name(file)) {
    hash.text(tensor->name);
    for (const std::uint64_t extent : tensor->ne) hash.number(extent);
  }
  return hash.finish();
}

std::string vectors_digest(const GgufFile& file) {
  FieldHash hash;
  for (const GgufTensor* tensor : sorted_by_name(file)) {
    if (tensor->rows() != 1 || tensor->type != GGML_TYPE_F32) continue;
    hash.text(tensor->name);
    hash.bytes(tensor->data);
  }
  return hash.finish();
}

}  // namespace llmpatch
