#include "runtime/control_vector.h"

#include <ggml.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <optional>
#include <string_view>
#include <utility>

#include "base/quote.h"
#include "gguf/dequantize.h"
#include "gguf/gguf_file.h"

namespace llmpatch {
namespace {

constexpr std::string_view kDirection = "direction.";

// What Hugging Face calls models that GGUF knows by another architecture: repeng writes its names.
constexpr std::array<std::pair<std::string_view, std::string_view>, 4> kOtherNames{
    {{"mistral", "llama"},
     {"mixtral", "llama"},
     {"gemma3_text", "gemma3"},
     {"cohere", "command-r"}}};

Error wrong(ErrorKind kind, const std::filesystem::path& path, const std::string& message,
            std::string hint = "") {
  return make_error(kind, "runtime", "control vector " + path.string() + ": " + message,
                    std::move(hint));
}

// N of "direction.N", written as numbers are; nullopt for any other name.
std::optional<std::size_t> layer_of(std::string_view name) {
  if (!name.starts_with(kDirection)) return std::nullopt;
  name.remove_prefix(kDirection.size());
  std::size_t layer = 0;
  const auto [end, code] = std::from_chars(name.data(), name.data() + name.size(), layer);
  if (code != std::errc() || end != name.data() + name.size() || name.front() == '0') {
    return std::nullopt;
  }
  return layer;
}

Status check_kind(const GgufFile& file, const SteeredModel& model) {
  LLMPATCH_ASSIGN(const std::string architecture, file.architecture());
  if (architecture != "controlvector") {
    return wrong(
        ErrorKind::kInvalidArgument, file.path(),
        "found architecture " + quote(architecture) + ", expected \"controlvector\"",
        "llmpatch learn --method steering and llama.cpp's llama-cvector-generator make one");
  }
  const std::string key = "controlvector.model_hint";
  if (!file.metadata().contains(key)) return {};
  LLMPATCH_ASSIGN(const std::string hint, file.string(key));
  const auto renamed = std::ranges::find(kOtherNames, std::string_view(hint),
                                         [](const auto& names) { return names.first; });
  const std::string_view meant = renamed == kOtherNames.end() ? hint : renamed->second;
  if (meant.empty() || meant == model.architecture) return {};
  return wrong(
      ErrorKind::kMismatch, file.path(),
      "found one for architecture " + quote(hint) + ", expected " + quote(model.architecture));
}

Status read_direction(const GgufFile& file, const GgufTensor& tensor, const SteeredModel& model,
                      std::vector<float>& values) {
  const auto layer = layer_of(tensor.name);
  if (!layer) {
    return wrong(ErrorKind::kCorrupt, file.path(),
                 "tensor " + quote(tensor.name) +
                     ": found another name, expected direction.1 and "
                     "so on");
  }
  if (*layer >= model.layers) {
    return wrong(ErrorKind::kMismatch, file.path(),
                 "tensor " + quote(tensor.name) + ": found it in a model of " +
                     std::to_string(model.layers) + " blocks, expected at most direction." +
                     std::to_string(model.layers - 1));
  }
  if (tensor.type != GGML_TYPE_F32 || tensor.rows() != 1) {
    return wrong(ErrorKind::kCorrupt, file.path(),
                 "tensor " + quote(tensor.name) +
                     ": found another type or shape, expected one "
                     "row of F32");
  }
  if (tensor.columns() != model.width) {
    return wrong(ErrorKind::kMismatch, file.path(),
                 "tensor " + quote(tensor.name) + ": found width " +
                     std::to_string(tensor.columns()) + ", expected " +
                     std::to_string(model.width) + " as the model's");
  }
  const std::span<float> row(values.data() + (*layer - 1) * model.width, model.width);
  LLMPATCH_TRY(dequantize_rows(tensor, 0, 1, row));
  if (std::ranges::all_of(row, [](float value) { return std::isfinite(value); })) return {};
  return wrong(ErrorKind::kCorrupt, file.path(),
               "tensor " + quote(tensor.name) + ": found a value that is not finite");
}

}  // namespace

Result<Directions> read_control_vector(const ControlVector& wanted, const SteeredModel& model) {
  LLMPATCH_ASSIGN(const GgufFile file, GgufFile::open(wanted.path, "control vector"));
  LLMPATCH_TRY(check_kind(file, model));
  const int last = static_cast<int>(model.layers) - 1;
  Directions directions;
  directions.first_layer = wanted.first_layer == 0 ? 1 : wanted.first_layer;
  directions.last_layer = wanted.last_layer == 0 ? last : wanted.last_layer;
  if (directions.first_layer < 1 || directions.last_layer > last ||
      directions.first_layer > directions.last_layer) {
    return wrong(ErrorKind::kInvalidArgument, wanted.path,
                 "layers: found " + std::to_string(directions.first_layer) + " to " +
                     std::to_string(directions.last_layer) + ", expected a range within 1 to " +
                     std::to_string(last));
  }
  if (file.tensors().empty()) {
    return wrong(ErrorKind::kCorrupt, wanted.path, "found no direction, expected at least one");
  }
  directions.values.resize((model.layers - 1) * model.width);
  for (const GgufTensor& tensor : file.tensors()) {
    LLMPATCH_TRY(read_direction(file, tensor, model, directions.values));
  }
  for (float& value : directions.values) value *= wanted.scale;
  const bool finite =
      std::ranges::all_of(directions.values, [](float value) { return std::isfinite(value); });
  if (!std::isfinite(wanted.scale) || !finite) {
    return wrong(ErrorKind::kInvalidArgument, wanted.path,
                 "scale: found " + std::to_string(wanted.scale) +
                     ", expected one that leaves the directions finite");
  }
  return directions;
}

}  // namespace llmpatch
