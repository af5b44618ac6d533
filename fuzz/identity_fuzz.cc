// Any JSON as the base identity of a patch: what is accepted must be written and read again, and is
// compared with a model that has a tensor of every type that weights can be requantised to.
#include <ggml.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "base/json.h"
#include "gguf/block_steps.h"
#include "gguf/gguf_test_file.h"
#include "gguf/identity.h"

namespace {

llmpatch::GgufFile model() {
  llmpatch::GgufTestFile file;
  file.text("general.architecture", "llama");
  for (int type = 0; type < GGML_TYPE_COUNT; ++type) {
    if (!llmpatch::can_requantise(type)) continue;
    const std::string bytes(2 * ggml_row_size(static_cast<ggml_type>(type), 256), '\0');
    file.tensor("blk.0.t" + std::to_string(type) + ".weight", {256, 2}, type, bytes);
  }
  auto opened = llmpatch::open_gguf(file.bytes());
  if (!opened.ok()) std::abort();
  return std::move(opened).value();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const llmpatch::GgufFile candidate = model();
  static const llmpatch::BaseIdentity identity = *llmpatch::compute_identity(candidate);

  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto json = llmpatch::parse_json(text, "fuzz");
  if (!json.ok()) return 0;
  auto recorded = llmpatch::base_identity_from_json(*json, "fuzz");
  if (!recorded.ok()) return 0;
  const auto again =
      llmpatch::base_identity_from_json(llmpatch::base_identity_to_json(*recorded), "fuzz");
  if (!again.ok() || !(*again == *recorded)) std::abort();

  // All digests but the file's agree, so that it comes to the weights.
  recorded->architecture = identity.architecture;
  recorded->shapes = identity.shapes;
  recorded->tokenizer = identity.tokenizer;
  recorded->vectors = identity.vectors;
  const std::size_t given = recorded->sample.size();
  for (std::size_t i = given; i < identity.sample.size(); ++i) {
    recorded->sample.push_back(given == 0 ? identity.sample[i] : recorded->sample[i % given]);
  }
  recorded->sample.resize(identity.sample.size());
  (void)llmpatch::match_identity(*recorded, candidate).ok();
  return 0;
}
