#include "gguf/weights.h"

#include <ggml.h>

#include <algorithm>
#include <cmath>

#include "gguf/block_steps.h"
#include "gguf/dequantize.h"
#include "patch/quote.h"

namespace llmpatch {
namespace {

float to_float(std::uint16_t half) { return ggml_fp16_to_fp32(half); }
std::uint16_t to_half(float value) { return ggml_fp32_to_fp16(value); }

// The ggml type called `name`; GGML_TYPE_COUNT when there is none.
int type_of(const std::string& name) {
  int type = 0;
  while (type < GGML_TYPE_COUNT && name != ggml_type_name(static_cast<ggml_type>(type))) ++type;
  return type;
}

}  // namespace

Result<std::vector<std::uint16_t>> read_weights(const SamplePlace& place) {
  // A tensor of just this stretch: a row of a hostile file may be as long as the file.
  const GgufTensor& tensor = *place.tensor;
  const auto type = static_cast<ggml_type>(tensor.type);
  const std::uint64_t first = place.row * tensor.columns() + place.column;
  const std::uint64_t start = first / static_cast<std::uint64_t>(ggml_blck_size(type)) *
                              static_cast<std::uint64_t>(ggml_type_size(type));
  GgufTensor stretch{tensor.name, tensor.type, {place.count, 1, 1, 1}, {}};
  stretch.data =
      tensor.data.subspan(start, ggml_row_size(type, static_cast<std::int64_t>(place.count)));
  std::vector<float> weights(place.count);
  LLMPATCH_TRY(dequantize_rows(stretch, 0, 1, weights));

  std::vector<std::uint16_t> values(weights.size());
  std::transform(weights.begin(), weights.end(), values.begin(), to_half);
  if (!std::all_of(values.begin(), values.end(),
                   [](std::uint16_t value) { return std::isfinite(to_float(value)); })) {
    return make_error(ErrorKind::kCorrupt, "gguf",
                      "tensor " + quote(tensor.name) +
                          ": found a weight that is not finite in half precision, expected "
                          "magnitudes up to 65504");
  }
  return values;
}

Result<StretchEvidence> compare_weights(const SamplePlace& place, const std::string& recorded_type,
                                        std::span<const std::uint16_t> recorded,
                                        std::span<const std::uint16_t> actual) {
  StretchEvidence evidence;
  evidence.kind = place.kind;
  evidence.recorded_type = recorded_type;
  evidence.candidate_type = ggml_type_name(static_cast<ggml_type>(place.tensor->type));
  const bool same_type = evidence.recorded_type == evidence.candidate_type;

  std::vector<float> r(recorded.size());
  std::transform(recorded.begin(), recorded.end(), r.begin(), to_float);
  std::vector<float> e = r;
  evidence.comparable = same_type || can_requantise(place.tensor->type);
  if (!same_type && evidence.comparable) {
    LLMPATCH_ASSIGN(e, requantise(place.tensor->type, r));
    for (float& value : e) value = to_float(to_half(value));
  }
  const std::vector<float> recorded_steps = block_steps(type_of(recorded_type), r);
  const std::vector<float> candidate_steps = block_steps(place.tensor->type, r);
  const double n = static_cast<double>(r.size());
  for (std::size_t i = 0; i < r.size(); ++i) {
    const double a = to_float(actual[i]);
    const double bound = double{recorded_steps[i]} + double{candidate_steps[i]};
    const double step = same_type ? std::abs(r[i]) * 0x1p-10 : double{candidate_steps[i]};
    evidence.power += double{r[i]} * r[i] / n;
    evidence.worst = std::max(evidence.worst, std::abs(a - r[i]) / bound);
    evidence.expected += (e[i] - double{r[i]}) * (e[i] - double{r[i]}) / n;
    evidence.residual += (a - e[i]) * (a - e[i]) / n;
    evidence.storage += std::abs(r[i]) * 0x1p-11 * step / n;
  }
  return evidence;
}

}  // namespace llmpatch
