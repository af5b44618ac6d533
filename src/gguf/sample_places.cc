#include "gguf/sample_places.h"

#include <algorithm>
#include <charconv>
#include <map>
#include <set>
#include <tuple>

#include "base/sha256.h"
#include "patch/base_identity.h"

namespace llmpatch {
namespace {

struct LayerAndKind {
  std::uint64_t layer = 0;
  std::string kind;
};

// "blk.12.attn_q.weight" is layer 12 of kind "attn_q.weight"; every other name is its own kind.
LayerAndKind split_name(const std::string& name) {
  constexpr std::string_view kPrefix = "blk.";
  if (!name.starts_with(kPrefix)) return {0, name};
  const char* const end = name.data() + name.size();
  std::uint64_t layer = 0;
  const auto [stop, error] = std::from_chars(name.data() + kPrefix.size(), end, layer);
  if (error != std::errc() || end - stop < 2 || *stop != '.') return {0, name};
  return {layer, std::string(stop + 1, end)};
}

// A number below `limit` that `text` decides: the first 8 bytes of its sha256, the first byte the
// most significant, modulo `limit`.
std::uint64_t hashed(const std::string& text, std::uint64_t limit) {
  std::uint64_t value = 0;
  const std::string digest = sha256_hex(text).substr(0, 16);
  std::from_chars(digest.data(), digest.data() + digest.size(), value, 16);
  return value % limit;
}

}  // namespace

std::vector<SamplePlace> sample_places(const GgufFile& file) {
  using Entry = std::tuple<std::uint64_t, std::string, const GgufTensor*>;  // layer, name, tensor
  std::map<std::string, std::vector<Entry>> kinds;
  for (const GgufTensor& tensor : file.tensors()) {
    if (tensor.rows() < 2 || !tensor.name.ends_with(".weight")) continue;
    LayerAndKind name = split_name(tensor.name);
    kinds[name.kind].emplace_back(name.layer, tensor.name, &tensor);
  }
  if (kinds.empty()) return {};

  std::vector<const std::pair<const std::string, std::vector<Entry>>*> order;
  for (auto& kind : kinds) {
    std::sort(kind.second.begin(), kind.second.end());
    order.push_back(&kind);
  }
  std::vector<SamplePlace> places;
  std::set<std::pair<const GgufTensor*, std::uint64_t>> taken;
  for (std::uint64_t i = 0; i < kSampleStretches; ++i) {
    const auto& [kind, entries] = *order[i % order.size()];
    const auto& [layer, name, tensor] = entries[i * entries.size() / kSampleStretches];
    const std::uint64_t per_row = std::max<std::uint64_t>(tensor->columns() / kStretchWeights, 1);
    const std::uint64_t index = hashed(std::to_string(i) + ":" + name, tensor->rows() * per_row);
    if (!taken.insert({tensor, index}).second) continue;  // only in tiny models
    places.push_back({tensor, kind, index / per_row, index % per_row * kStretchWeights,
                      std::min<std::uint64_t>(tensor->columns(), kStretchWeights)});
  }
  return places;
}

}  // namespace llmpatch
