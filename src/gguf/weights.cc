#include "gguf/weights.h"

#include <ggml.h>

#include <algorithm>
#include <cmath>
#include <span>
#include <vector>

#include "base/quote.h"
#include "gguf/block_steps.h"
#include "gguf/dequantize.h"

namespace llmpatch {
namespace {

// The ggml type called `name`; GGML_TYPE_COUNT when there is none.
ggml_type type_of(const std::string& name) {
  int type = 0;
  while (type < GGML_TYPE_COUNT && name != ggml_type_name(static_cast<ggml_type>(type))) ++type;
  return static_cast<ggml_type>(type);
}

// The `count` weights that `bytes` of `type` hold. `what` names them in messages.
Result<std::vector<float>> decode(ggml_type type, std::span<const std::byte> bytes,
                                  std::uint64_t count, const std::string& what) {
  std::vector<float> weights(count);
  LLMPATCH_TRY(dequantize_rows({what, type, {count, 1, 1, 1}, bytes}, 0, 1, weights));
  if (!std::all_of(weights.begin(), weights.end(), [](float w) { return std::isfinite(w); })) {
    return make_error(ErrorKind::kCorrupt, "gguf",
                      "weights of " + quote(what) +
                          ": found one that is not finite, expected "
                          "numbers");
  }
  return weights;
}

std::span<const std::byte> place_bytes(const SamplePlace& place) {
  const auto type = static_cast<ggml_type>(place.tensor->type);
  const auto block = static_cast<std::uint64_t>(ggml_blck_size(type));
  const std::uint64_t first = place.row * place.tensor->columns() + place.column;
  return place.tensor->data.subspan(first / block * ggml_type_size(type),
                                    place.count / block * ggml_type_size(type));
}

Result<std::vector<float>> decode_place(const SamplePlace& place) {
  return decode(static_cast<ggml_type>(place.tensor->type), place_bytes(place), place.count,
                place.tensor->name);
}

Result<std::vector<float>> decode_recorded(const SampleStretch& recorded, std::uint64_t count) {
  const ggml_type type = type_of(recorded.type);
  const auto block = type < GGML_TYPE_COUNT ? ggml_blck_size(type) : 0;
  if (block <= 0) {
    return make_error(ErrorKind::kUnsupported, "gguf",
                      "base identity: found weights of type " + quote(recorded.type) +
                          ", expected a type that this ggml knows");
  }
  const std::uint64_t expected = count / static_cast<std::uint64_t>(block) * ggml_type_size(type);
  if (count % static_cast<std::uint64_t>(block) != 0 || recorded.bytes.size() != expected) {
    return make_error(ErrorKind::kCorrupt, "gguf",
                      "base identity: found " + std::to_string(recorded.bytes.size()) +
                          " bytes of type " + recorded.type + ", expected " +
                          std::to_string(count) + " weights");
  }
  return decode(type, std::as_bytes(std::span(recorded.bytes)), count, "base identity");
}

// Scales are rounded too, so the farthest weight may be off by a little more than a step.
constexpr double kMargin = 1.25;

double square(double value) { return value * value; }

}  // namespace

Result<SampleStretch> read_stretch(const SamplePlace& place) {
  const auto weights = decode_place(place);
  if (!weights.ok()) return weights.error();
  const std::span<const std::byte> bytes = place_bytes(place);
  return SampleStretch{ggml_type_name(static_cast<ggml_type>(place.tensor->type)),
                       {reinterpret_cast<const char*>(bytes.data()), bytes.size()}};
}

Result<StretchEvidence> compare_stretch(const SamplePlace& place, const SampleStretch& recorded) {
  const auto type = static_cast<ggml_type>(place.tensor->type);
  LLMPATCH_ASSIGN(const std::vector<float> r, decode_recorded(recorded, place.count));
  LLMPATCH_ASSIGN(const std::vector<float> a, decode_place(place));
  StretchEvidence evidence{
      .kind = place.kind, .recorded_type = recorded.type, .candidate_type = ggml_type_name(type)};
  const bool same_type = type == type_of(recorded.type);
  evidence.comparable = same_type || can_requantise(type);
  evidence.searched = !same_type && searches_scale(type);
  std::vector<float> e = r;
  if (!same_type && evidence.comparable) {
    LLMPATCH_ASSIGN(e, requantise(type, r));
  }

  // The candidate's steps are those that the recorded weights would get: its own blocks could
  // loosen their bound by one large weight.
  const std::vector<float> recorded_steps = block_steps(type_of(recorded.type), r);
  const std::vector<float> candidate_steps = block_steps(type, r);
  const auto n = static_cast<double>(r.size());
  for (std::size_t i = 0; i < r.size(); ++i) {
    const double rounding = double{e[i]} - double{r[i]};
    const double bound = std::max(
        kMargin * (double{recorded_steps[i]} + double{candidate_steps[i]}), std::abs(rounding));
    evidence.worst = std::max(evidence.worst, std::abs(double{a[i]} - double{r[i]}) / bound);
    evidence.power += square(r[i]) / n;
    evidence.expected += square(rounding) / n;
    evidence.residual += square(double{a[i]} - double{e[i]}) / n;
  }
  return evidence;
}

}  // namespace llmpatch
