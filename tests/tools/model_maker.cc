#include "model_maker.h"

#include <llama.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <random>

#include "gguf/dequantize.h"
#include "gguf/gguf_file.h"
#include "gguf_writer.h"

namespace llmpatch {
namespace {

struct QuantisationName {
  const char* name;
  llama_ftype type;
};

constexpr std::array kQuantisations = {
    QuantisationName{"f32", LLAMA_FTYPE_ALL_F32},
    QuantisationName{"f16", LLAMA_FTYPE_MOSTLY_F16},
    QuantisationName{"bf16", LLAMA_FTYPE_MOSTLY_BF16},
    QuantisationName{"q8_0", LLAMA_FTYPE_MOSTLY_Q8_0},
    QuantisationName{"q6_k", LLAMA_FTYPE_MOSTLY_Q6_K},
    QuantisationName{"q5_k_m", LLAMA_FTYPE_MOSTLY_Q5_K_M},
    QuantisationName{"q5_1", LLAMA_FTYPE_MOSTLY_Q5_1},
    QuantisationName{"q5_0", LLAMA_FTYPE_MOSTLY_Q5_0},
    QuantisationName{"q4_k_m", LLAMA_FTYPE_MOSTLY_Q4_K_M},
    QuantisationName{"q4_1", LLAMA_FTYPE_MOSTLY_Q4_1},
    QuantisationName{"q4_0", LLAMA_FTYPE_MOSTLY_Q4_0},
    QuantisationName{"iq4_nl", LLAMA_FTYPE_MOSTLY_IQ4_NL},
    QuantisationName{"iq4_xs", LLAMA_FTYPE_MOSTLY_IQ4_XS},
    QuantisationName{"q3_k_m", LLAMA_FTYPE_MOSTLY_Q3_K_M},
    QuantisationName{"q2_k", LLAMA_FTYPE_MOSTLY_Q2_K},
};

Error unknown_type(const std::string& type, const std::string& known) {
  return make_error(ErrorKind::kInvalidArgument, "make_model",
                    "type: found '" + type + "', expected one of" + known);
}

Status check_other_file(const std::filesystem::path& in, const std::filesystem::path& out) {
  std::error_code ignored;
  if (!std::filesystem::equivalent(in, out, ignored)) return {};
  return make_error(ErrorKind::kInvalidArgument, "make_model",
                    "output " + out.string() + ": found the input, expected another file");
}

Result<std::vector<float>> read_tensor(const GgufTensor& tensor) {
  std::vector<float> values(tensor.elements());
  LLMPATCH_TRY(dequantize_rows(tensor, 0, tensor.rows(), values));
  return values;
}

// The metadata of a file that GgufFile has already checked.
Result<GgufContext> read_metadata(const std::filesystem::path& path) {
  GgufContext context(gguf_init_from_file(path.c_str(), {true, nullptr}));
  if (context != nullptr) return context;
  return make_error(ErrorKind::kCorrupt, "make_model", path.string() + ": ggml refuses it");
}

bool is_attention_matrix(const GgufTensor& tensor) {
  constexpr std::array kKinds = {".attn_q.weight", ".attn_k.weight", ".attn_v.weight",
                                 ".attn_output.weight"};
  return tensor.rows() > 1 && std::any_of(kKinds.begin(), kKinds.end(), [&](const char* kind) {
           return tensor.name.ends_with(kind);
         });
}

bool is_embedding(const GgufTensor& tensor) {
  return tensor.name == "token_embd.weight" || tensor.name == "output.weight";
}

double norm(const std::vector<float>& values) {
  double sum = 0;
  for (const float value : values) sum += double{value} * value;
  return std::sqrt(sum);
}

// Adds left * right, random factors of the given rank, scaled to `share` of the matrix's norm.
void add_low_rank(std::vector<float>& matrix, std::size_t columns, int rank, double share,
                  std::mt19937_64& random) {
  const std::size_t rows = matrix.size() / columns;
  const auto r = static_cast<std::size_t>(rank);
  std::normal_distribution<float> normal;
  std::vector<float> left(rows * r), right(r * columns), change(matrix.size(), 0.f);
  for (float& value : left) value = normal(random);
  for (float& value : right) value = normal(random);
  for (std::size_t i = 0; i < rows; ++i) {
    for (std::size_t k = 0; k < r; ++k) {
      for (std::size_t j = 0; j < columns; ++j) {
        change[i * columns + j] += left[i * r + k] * right[k * columns + j];
      }
    }
  }
  const auto scale = static_cast<float>(share * norm(matrix) / norm(change));
  for (std::size_t i = 0; i < matrix.size(); ++i) matrix[i] += scale * change[i];
}

}  // namespace

Status dequantize_model(const std::filesystem::path& in, const std::filesystem::path& out) {
  LLMPATCH_ASSIGN(const GgufFile file, GgufFile::open(in, "model to dequantise"));
  LLMPATCH_TRY(check_other_file(in, out));
  LLMPATCH_ASSIGN(const GgufContext metadata, read_metadata(in));
  gguf_set_val_u32(metadata.get(), "general.file_type", LLAMA_FTYPE_ALL_F32);
  std::vector<TensorPlan> plans;
  for (const GgufTensor& tensor : file.tensors()) {
    plans.push_back({tensor.name, tensor.ne, GGML_TYPE_F32, [&] { return read_tensor(tensor); }});
  }
  return write_gguf(out, metadata.get(), plans);
}

Status requantize_model(const std::filesystem::path& in, const std::filesystem::path& out,
                        const std::string& type) {
  std::string known;
  llama_model_quantize_params params = llama_model_quantize_default_params();
  params.allow_requantize = true;
  params.nthread = 2;
  bool found = false;
  for (const QuantisationName& entry : kQuantisations) {
    known += std::string(" ") + entry.name;
    if (type != entry.name) continue;
    params.ftype = entry.type;
    found = true;
  }
  if (!found) return unknown_type(type, known);
  LLMPATCH_ASSIGN(const GgufFile checked, GgufFile::open(in, "model to quantise"));
  LLMPATCH_TRY(check_other_file(in, out));
  llama_log_set([](ggml_log_level, const char*, void*) {}, nullptr);
  if (llama_model_quantize(in.c_str(), out.c_str(), &params) == 0) return {};
  return make_error(ErrorKind::kInternal, "make_model",
                    "quantise " + in.string() + " to " + type + ": llama.cpp failed");
}

Status merge_model(const std::filesystem::path& in, const std::filesystem::path& out,
                   const std::string& type, const RandomUpdate& update) {
  constexpr std::array kTypes = {GGML_TYPE_F32, GGML_TYPE_F16, GGML_TYPE_Q8_0, GGML_TYPE_Q4_1};
  const auto chosen = std::find_if(kTypes.begin(), kTypes.end(),
                                   [&](ggml_type known) { return type == ggml_type_name(known); });
  if (chosen == kTypes.end() && type != "own") {
    return unknown_type(type, " f32 f16 q8_0 q4_1 own");
  }
  if (update.rank < 1 || !(update.share > 0)) {
    return make_error(ErrorKind::kInvalidArgument, "make_model",
                      "update: found rank " + std::to_string(update.rank) + " and share " +
                          std::to_string(update.share) + ", expected both above 0");
  }
  LLMPATCH_ASSIGN(const GgufFile file, GgufFile::open(in, "model to change"));
  LLMPATCH_TRY(check_other_file(in, out));
  LLMPATCH_ASSIGN(const GgufContext metadata, read_metadata(in));

  std::mt19937_64 random(update.seed);
  std::vector<TensorPlan> plans;
  for (const GgufTensor& tensor : file.tensors()) {
    auto written = static_cast<ggml_type>(tensor.type);
    const bool converted = tensor.rows() > 1 && chosen != kTypes.end() &&
                           !(is_embedding(tensor) && ggml_is_quantized(*chosen));
    if (converted) written = *chosen;
    plans.push_back({tensor.name, tensor.ne, written, [&]() -> Result<std::vector<float>> {
                       LLMPATCH_ASSIGN(std::vector<float> values, read_tensor(tensor));
                       if (is_attention_matrix(tensor)) {
                         add_low_rank(values, tensor.columns(), update.rank, update.share, random);
                       }
                       return values;
                     }});
  }
  return write_gguf(out, metadata.get(), plans);
}

}  // namespace llmpatch
