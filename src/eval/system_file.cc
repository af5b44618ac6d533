#include "eval/system_file.h"

#include <algorithm>
#include <array>

#include "base/file.h"
#include "base/json.h"
#include "base/quote.h"

namespace llmpatch {
namespace {

constexpr std::uint64_t kMaxFile = 1 << 20;
constexpr std::array<std::string_view, 7> kMembers{"label",   "model", "system",        "patches",
                                                   "compose", "lora",  "control_vector"};

class EntryReader {
 public:
  EntryReader(const Json& json, std::string where, std::filesystem::path folder)
      : json_(json), where_(std::move(where)), folder_(std::move(folder)) {}

  Result<SystemEntry> read() {
    LLMPATCH_TRY(check_members(json_, kMembers, where_));
    SystemEntry entry;
    LLMPATCH_ASSIGN(entry.spec.label, json_string(json_, "label", where_));
    where_ += " (" + quote(entry.spec.label) + ")";
    if (json_.contains("model")) {
      LLMPATCH_ASSIGN(const std::string model, json_string(json_, "model", where_));
      entry.spec.model = folder_ / model;
    }
    if (json_.contains("system")) {
      LLMPATCH_ASSIGN(entry.spec.prompt, json_string(json_, "system", where_));
    }
    if (json_.contains("compose")) {
      LLMPATCH_ASSIGN(const std::string compose, json_string(json_, "compose", where_));
      LLMPATCH_ASSIGN(entry.spec.compose, parse_compose(compose));
    }
    if (json_.contains("patches")) LLMPATCH_TRY(read_patches(entry.patches));
    if (json_.contains("lora")) LLMPATCH_TRY(read_lora(entry.spec.adapters.lora));
    if (json_.contains("control_vector")) {
      LLMPATCH_ASSIGN(entry.spec.adapters.control_vector, read_control_vector());
    }
    return entry;
  }

 private:
  template <class Names>
  Status check_members(const Json& json, const Names& names, const std::string& where) const {
    if (!json.is_object()) {
      return wrong(where + ": found " + json.type_name() + ", expected an object");
    }
    for (const auto& [key, unused] : json.items()) {
      if (std::ranges::find(names, key) == std::ranges::end(names)) {
        return wrong(where + ": found unknown member " + quote(key));
      }
    }
    return {};
  }

  static Error wrong(const std::string& message) {
    return make_error(ErrorKind::kCorrupt, "eval", message);
  }

  Status read_patches(std::vector<std::string>& patches) const {
    LLMPATCH_ASSIGN(const Json list, json_array(json_, "patches", where_));
    for (const Json& patch : list) {
      if (!patch.is_string() || patch.get<std::string>().empty()) {
        return wrong(where_ + ": patches: found " + quote(json_line(patch)) + ", expected text");
      }
      const std::string name = patch.get<std::string>();
      std::error_code code;
      const bool is_path =
          name.find('/') != std::string::npos || std::filesystem::exists(folder_ / name, code);
      // A path of several parts, which is no name of the store.
      patches.push_back(is_path ? (std::filesystem::path(".") / folder_ / name).string() : name);
    }
    return {};
  }

  // A file by its name alone, or as an object with `file`, `scale` and `more`.
  template <std::size_t N>
  Result<Json> file_of(const Json& json, const std::string& member,
                       const std::array<std::string_view, N>& names) const {
    const std::string where = where_ + ": " + member;
    if (json.is_string()) return Json{{"file", json}, {"scale", 1}};
    LLMPATCH_TRY(check_members(json, names, where));
    LLMPATCH_ASSIGN(const std::string file, json_string(json, "file", where));
    Json read = json;
    if (!json.contains("scale")) read["scale"] = 1;
    LLMPATCH_TRY(json_number(read, "scale", where));
    return read;
  }

  Status read_lora(std::vector<LoraAdapter>& adapters) const {
    LLMPATCH_ASSIGN(const Json list, json_array(json_, "lora", where_));
    constexpr std::array<std::string_view, 2> kNames{"file", "scale"};
    for (const Json& one : list) {
      LLMPATCH_ASSIGN(const Json read, file_of(one, "lora", kNames));
      adapters.push_back({folder_ / read["file"].get<std::string>(), read["scale"].get<float>()});
    }
    return {};
  }

  Result<ControlVector> read_control_vector() const {
    constexpr std::array<std::string_view, 3> kNames{"file", "scale", "layers"};
    LLMPATCH_ASSIGN(const Json read, file_of(json_["control_vector"], "control_vector", kNames));
    ControlVector vector;
    vector.path = folder_ / read["file"].get<std::string>();
    vector.scale = read["scale"].get<float>();
    if (!read.contains("layers")) return vector;
    const Json& layers = read["layers"];
    const auto is_layer = [](const Json& layer) {
      return layer.is_number_unsigned() && layer.get<std::uint64_t>() >= 1 &&
             layer.get<std::uint64_t>() < 100000;
    };
    if (!layers.is_array() || layers.size() != 2 || !is_layer(layers[0]) || !is_layer(layers[1])) {
      return wrong(where_ + ": control_vector: layers: found " + quote(json_line(layers)) +
                   ", expected [FIRST, LAST] from 1 on");
    }
    vector.first_layer = layers[0].get<int>();
    vector.last_layer = layers[1].get<int>();
    return vector;
  }

  const Json& json_;
  std::string where_;
  std::filesystem::path folder_;
};

}  // namespace

Result<std::vector<SystemEntry>> parse_systems(std::string_view text,
                                               const std::filesystem::path& path) {
  LLMPATCH_ASSIGN(const Json json, parse_json(text, path.string()));
  if (!json.is_array()) {
    return make_error(ErrorKind::kCorrupt, "eval",
                      path.string() + ": found " + json.type_name() + ", expected an array");
  }
  std::vector<SystemEntry> entries;
  for (std::size_t i = 0; i < json.size(); ++i) {
    const std::string where = path.string() + ": system " + std::to_string(i + 1);
    LLMPATCH_ASSIGN(SystemEntry entry, EntryReader(json[i], where, path.parent_path()).read());
    entries.push_back(std::move(entry));
  }
  return entries;
}

Result<std::vector<SystemEntry>> read_system_file(const std::filesystem::path& path) {
  LLMPATCH_ASSIGN(const std::string text, read_file(path, kMaxFile, "systems"));
  return parse_systems(text, path);
}

}  // namespace llmpatch
