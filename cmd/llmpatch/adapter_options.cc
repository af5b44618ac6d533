#include "adapter_options.h"

#include <charconv>
#include <optional>
#include <string_view>
#include <utility>

#include "base/quote.h"

namespace llmpatch {
namespace {

// All of `text` as a number.
template <class Number>
std::optional<Number> number_of(std::string_view text) {
  Number number{};
  const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (code != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

// FILE:SCALE, where what follows the last colon is a number; else FILE, with scale 1.
std::pair<std::string, float> file_and_scale(const std::string& text) {
  const std::size_t colon = text.rfind(':');
  if (colon != std::string::npos) {
    if (const auto scale = number_of<float>(std::string_view(text).substr(colon + 1))) {
      return {text.substr(0, colon), *scale};
    }
  }
  return {text, 1.0F};
}

Status read_layers(const std::string& text, ControlVector& vector) {
  const std::string_view all = text;
  const std::size_t dash = all.find('-');
  const auto first = number_of<int>(all.substr(0, dash));
  const auto last = dash == std::string_view::npos ? first : number_of<int>(all.substr(dash + 1));
  if (!first || !last || *first < 1 || *last < *first) {
    return make_error(ErrorKind::kInvalidArgument, "command line",
                      "--control-vector-layers: found " + quote(text) +
                          ", expected FIRST-LAST with FIRST from 1 on");
  }
  vector.first_layer = *first;
  vector.last_layer = *last;
  return {};
}

}  // namespace

void AdapterOptions::declare(CLI::App& app) {
  app.add_option("--lora", lora,
                 "LoRA adapter (GGUF) that changes the model: FILE or FILE:SCALE; repeatable")
      ->allow_extra_args(false);
  app.add_option("--control-vector", control_vector,
                 "Control vector (GGUF) that steers the model: FILE or FILE:SCALE");
  app.add_option("--control-vector-layers", layers,
                 "Blocks it is added behind: FIRST-LAST, counted from 0 (default: 1 to the last)");
}

Result<Adapters> AdapterOptions::adapters() const {
  Adapters adapters;
  for (const std::string& text : lora) {
    auto [file, scale] = file_and_scale(text);
    adapters.lora.push_back({std::move(file), scale});
  }
  if (control_vector.empty()) {
    if (layers.empty()) return adapters;
    return make_error(ErrorKind::kInvalidArgument, "command line",
                      "--control-vector-layers: found no --control-vector, expected one");
  }
  auto [file, scale] = file_and_scale(control_vector);
  ControlVector vector;
  vector.path = std::move(file);
  vector.scale = scale;
  if (!layers.empty()) LLMPATCH_TRY(read_layers(layers, vector));
  adapters.control_vector = std::move(vector);
  return adapters;
}

}  // namespace llmpatch
