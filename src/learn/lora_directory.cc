#include "learn/lora_directory.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstring>
#include <map>
#include <set>
#include <span>

#include "base/file_digest.h"
#include "base/json.h"
#include "base/sha256.h"
#include "patch/files.h"

namespace llmpatch {
namespace {

namespace fs = std::filesystem;

static_assert(std::endian::native == std::endian::little, "safetensors is written by plain copies");

constexpr const char* kLearnedFile = "learned.json";
constexpr std::array<std::string_view, 4> kFiles = {kAdapterConfigFile, kRowsFile, kLoraFile,
                                                    kLearnedFile};
constexpr std::uint64_t kMaxLearned = 1 << 20;

// Rows [outputs, rank] of `matrix`'s B in Hugging Face's order.
std::vector<float> in_module_order(const LoraMatrix& matrix, std::uint64_t heads) {
  if (heads == 0) return matrix.b;
  std::vector<float> rows(matrix.b.size());
  const std::uint64_t half = matrix.outputs / heads / 2;
  for (std::uint64_t head = 0; head < heads; ++head) {
    for (std::uint64_t i = 0; i < 2 * half; ++i) {
      const std::uint64_t from = head * 2 * half + i;
      const std::uint64_t to = head * 2 * half + i % 2 * half + i / 2;
      std::copy_n(matrix.b.data() + from * matrix.rank, matrix.rank,
                  rows.data() + to * matrix.rank);
    }
  }
  return rows;
}

std::uint64_t permuted_heads(const TargetMatrix& matrix, const PeftModel& model) {
  const std::string_view name = matrix.target->name;
  return name == "q" ? model.heads : name == "k" ? model.kv_heads : 0;
}

// A tensor of a safetensors file.
struct Stored {
  std::uint64_t rows, columns;
  std::vector<float> values;
};

std::string to_safetensors(const std::map<std::string, Stored>& tensors) {
  Json header{{"__metadata__", {{"format", "pt"}}}};
  std::uint64_t offset = 0;
  for (const auto& [name, tensor] : tensors) {
    const std::uint64_t end = offset + tensor.values.size() * sizeof(float);
    header[name] = {{"dtype", "F32"},
                    {"shape", {tensor.rows, tensor.columns}},
                    {"data_offsets", {offset, end}}};
    offset = end;
  }
  std::string text = json_line(header);
  text.resize((text.size() + 7) / 8 * 8, ' ');
  const std::uint64_t length = text.size();
  std::string bytes(reinterpret_cast<const char*>(&length), sizeof length);
  bytes.reserve(bytes.size() + text.size() + offset);
  bytes += text;
  for (const auto& [name, tensor] : tensors) {
    bytes.append(reinterpret_cast<const char*>(tensor.values.data()),
                 tensor.values.size() * sizeof(float));
  }
  return bytes;
}

Error corrupt(const fs::path& path, const std::string& message) {
  return make_error(ErrorKind::kCorrupt, "learn", path.string() + ": " + message);
}

}  // namespace

Result<PeftModel> peft_model(const GgufFile& model, const std::string& base_model) {
  PeftModel found;
  found.base_model = base_model;
  LLMPATCH_ASSIGN(const std::string architecture, model.architecture());
  if (architecture != "llama") return found;
  LLMPATCH_ASSIGN(found.heads, model.integer("llama.attention.head_count"));
  LLMPATCH_ASSIGN(const auto kv_heads, model.optional_integer("llama.attention.head_count_kv"));
  found.kv_heads = kv_heads.value_or(found.heads);
  return found;
}

std::string peft_config_json(const Lora& lora, const std::vector<TargetMatrix>& matrices,
                             const PeftModel& model) {
  std::set<std::string> modules;
  for (const TargetMatrix& matrix : matrices) {
    const std::string module = matrix.target->module;
    modules.insert(module.substr(module.find('.') + 1));
  }
  // PEFT's type for alpha is an integer.
  const auto whole = static_cast<std::int64_t>(lora.alpha);
  const bool is_whole = static_cast<float>(whole) == lora.alpha;
  return json_pretty(
      Json{{"auto_mapping", nullptr},
           {"base_model_name_or_path", model.base_model.empty() ? Json() : Json(model.base_model)},
           {"bias", "none"},
           {"fan_in_fan_out", false},
           {"inference_mode", true},
           {"init_lora_weights", true},
           {"layers_pattern", nullptr},
           {"layers_to_transform", nullptr},
           {"lora_alpha", is_whole ? Json(whole) : Json(lora.alpha)},
           {"lora_dropout", 0.0},
           {"modules_to_save", nullptr},
           {"peft_type", "LORA"},
           {"r", lora.matrices.empty() ? 0 : lora.matrices.front().rank},
           {"revision", nullptr},
           {"target_modules", modules},
           {"task_type", "CAUSAL_LM"}});
}

std::string peft_safetensors(const Lora& lora, const std::vector<TargetMatrix>& matrices,
                             const PeftModel& model) {
  std::map<std::string, Stored> tensors;
  for (std::size_t i = 0; i < matrices.size(); ++i) {
    const LoraMatrix& factors = lora.matrices[i];
    const std::string module = "base_model.model.model.layers." +
                               std::to_string(matrices[i].layer) + "." + matrices[i].target->module;
    tensors[module + ".lora_A.weight"] = {factors.rank, factors.inputs, factors.a};
    tensors[module + ".lora_B.weight"] = {
        factors.outputs, factors.rank,
        in_module_order(factors, permuted_heads(matrices[i], model))};
  }
  return to_safetensors(tensors);
}

Status check_lora_output(const fs::path& directory, Overwrite overwrite) {
  fs::path target = directory.lexically_normal();
  if (!target.has_filename()) target = target.parent_path();  // "dir/" names "dir"
  std::error_code code;
  const fs::file_status status = fs::symlink_status(target, code);
  if (!fs::exists(status)) return {};
  if (overwrite == Overwrite::kNo) {
    return make_error(ErrorKind::kExists, "learn",
                      "write " + target.string() + ": it exists already",
                      "choose another name or say --force");
  }
  bool ours = fs::is_directory(status);
  fs::directory_iterator entries;
  if (ours) entries = fs::directory_iterator(target, code);
  for (; !code && entries != fs::directory_iterator(); entries.increment(code)) {
    const std::string name = entries->path().filename().string();
    ours = ours && std::find(kFiles.begin(), kFiles.end(), name) != kFiles.end() &&
           !entries->is_directory();
  }
  if (ours && !code) return {};
  return make_error(ErrorKind::kDenied, "learn",
                    "replace " + target.string() + ": found something that is not a LoRA adapter",
                    "choose another name, or remove it yourself");
}

Status write_lora_directory(const Lora& lora, const std::vector<TargetMatrix>& matrices,
                            const PeftModel& model, Manifest manifest, const fs::path& directory,
                            Overwrite overwrite) {
  LLMPATCH_TRY(check_manifest(manifest));
  LLMPATCH_TRY(check_lora_output(directory, overwrite));
  LLMPATCH_ASSIGN(StagedDirectory staged, StagedDirectory::create(directory, overwrite));
  manifest.files.clear();
  const auto write = [&](const char* name, const std::string& bytes) {
    manifest.files[name] = sha256_hex(bytes);
    return write_file_atomic(staged.path() / name, bytes, Overwrite::kNo);
  };
  LLMPATCH_TRY(write(kAdapterConfigFile, peft_config_json(lora, matrices, model)));
  LLMPATCH_TRY(write(kRowsFile, peft_safetensors(lora, matrices, model)));
  LLMPATCH_TRY(write(kLoraFile, lora_to_gguf(lora)));
  LLMPATCH_TRY(
      write_file_atomic(staged.path() / kLearnedFile, manifest_to_json(manifest), Overwrite::kNo));
  return staged.commit();
}

Result<Manifest> read_lora_manifest(const fs::path& directory) {
  const fs::path path = directory / kLearnedFile;
  LLMPATCH_ASSIGN(const std::string text, read_file(path, kMaxLearned, "record of a LoRA adapter"));
  LLMPATCH_ASSIGN(Json json, parse_json(text, path.string()));
  LLMPATCH_ASSIGN(const Json files, json_object(json, "files", path.string()));
  // A manifest lists the files of a patch, and these are others.
  json["files"] = Json::object();
  LLMPATCH_ASSIGN(Manifest manifest, parse_manifest(json_line(json), path.string()));
  for (const std::string_view name : std::span(kFiles).first(3)) {
    LLMPATCH_ASSIGN(const std::string expected,
                    json_string(files, std::string(name).c_str(), path.string()));
    LLMPATCH_ASSIGN(const std::string found,
                    sha256_of_file(directory / name, "file of a LoRA adapter"));
    if (found != expected) {
      return corrupt(directory / name, "found sha256 " + found + ", expected " + expected);
    }
    manifest.files[std::string(name)] = expected;
  }
  return manifest;
}

}  // namespace llmpatch
