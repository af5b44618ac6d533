// Reads GGUF model files: metadata and tensor table, checked before any byte is believed.
// A reader of our own, because ggml's getters abort the process on a key of another type.
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/file.h"
#include "base/result.h"

namespace llmpatch {

// Limits of this reader: a file beyond them is kLimit, never an allocation.
inline constexpr std::uint64_t kMaxGgufKeys = 1 << 16;
inline constexpr std::uint64_t kMaxGgufTensors = 1 << 17;
inline constexpr std::uint64_t kMaxGgufString = 1 << 24;
inline constexpr std::uint64_t kMaxGgufArray = 1 << 24;

// A metadata value; integers of every width become int64/uint64, f32 and f64 become double. Arrays
// hold one of these element types; arrays of arrays are refused.
using GgufValue = std::variant<std::int64_t, std::uint64_t, double, bool, std::string,
                               std::vector<std::int64_t>, std::vector<std::uint64_t>,
                               std::vector<double>, std::vector<bool>, std::vector<std::string>>;

struct GgufTensor {
  std::string name;
  int type = 0;                       // ggml_type
  std::array<std::uint64_t, 4> ne{};  // ne[0] contiguous: columns; unused dimensions are 1
  std::span<const std::byte> data;    // inside the mapping; exactly rows * row bytes

  std::uint64_t columns() const { return ne[0]; }
  std::uint64_t rows() const { return ne[1] * ne[2] * ne[3]; }
  std::uint64_t elements() const { return columns() * rows(); }
};

// An open, fully checked file. Move-only; spans live as long as it does. Immutable: thread-safe.
class GgufFile {
 public:
  // kNotFound; kCorrupt (bad magic, truncated, overlapping or out-of-bounds tensors, duplicate keys
  // or names, sizes that overflow); kUnsupported (version other than 3 (2 is read too), a tensor
  // type this ggml does not know, a split file); kLimit. `what` names the purpose ("base model").
  static Result<GgufFile> open(const std::filesystem::path& path,
                               std::string_view what = "base model");

  const std::filesystem::path& path() const { return path_; }
  std::span<const std::byte> bytes() const { return file_.bytes(); }
  const std::map<std::string, GgufValue>& metadata() const { return metadata_; }
  const std::vector<GgufTensor>& tensors() const { return tensors_; }  // in file order
  const GgufTensor* find(std::string_view name) const;                 // null when absent

  // `general.architecture`: 1 to 64 of [A-Za-z0-9._-]. kCorrupt when missing or anything else.
  Result<std::string> architecture() const;
  // Typed metadata. kNotFound when the key is missing, kCorrupt when it has another type. Integers
  // accept any non-negative integer type; numbers accept integers too.
  Result<std::uint64_t> integer(const std::string& key) const;
  Result<double> number(const std::string& key) const;
  Result<std::string> string(const std::string& key) const;
  // Nullopt when the key is missing.
  Result<std::optional<std::uint64_t>> optional_integer(const std::string& key) const;
  Result<std::optional<double>> optional_number(const std::string& key) const;

 private:
  explicit GgufFile(MappedFile file) : file_(std::move(file)) {}
  std::filesystem::path path_;
  MappedFile file_;
  std::map<std::string, GgufValue> metadata_;
  std::vector<GgufTensor> tensors_;
  std::map<std::string, std::size_t, std::less<>> index_;
};

}  // namespace llmpatch
