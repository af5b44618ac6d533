#include "runtime/decode.h"

#include <algorithm>
#include <exception>
#include <string>
#include <vector>

#include "runtime/llama_backend.h"

namespace llmpatch {

Status decode_batch(llama_context* context, llama_batch batch) {
  take_llama_errors("");
  int code = 0;
  try {
    code = llama_decode(context, batch);
  } catch (const std::exception& error) {
    return make_error(ErrorKind::kInternal, "runtime", std::string("decode: ") + error.what());
  }
  if (code == 0) return {};
  if (code == 2) return make_error(ErrorKind::kCancelled, "runtime", "decoding: interrupted");
  if (code == 1) {
    return make_error(ErrorKind::kLimit, "runtime",
                      "KV cache: found no free cells for " + std::to_string(batch.n_tokens) +
                          " tokens among " + std::to_string(llama_n_ctx(context)));
  }
  return make_error(ErrorKind::kInternal, "runtime",
                    "decode: libllama returned " + std::to_string(code) + ": " +
                        take_llama_errors("no reason given"));
}

Status decode_rows(llama_context* context, std::span<const float> rows, std::size_t width,
                   llama_seq_id sequence, bool output) {
  const std::size_t total = rows.size() / width;
  const std::size_t most = llama_n_batch(context);
  std::vector<float> values;
  for (std::size_t done = 0; done < total;) {
    const std::size_t n = std::min(total - done, most);
    const auto part = rows.subspan(done * width, n * width);
    values.assign(part.begin(), part.end());  // libllama takes a mutable pointer
    std::vector<llama_pos> positions(n);
    std::vector<std::int32_t> ones(n, 1);
    std::vector<llama_seq_id*> lists(n, &sequence);
    std::vector<std::int8_t> wanted(n, 0);
    if (output && done + n == total) wanted.back() = 1;
    for (std::size_t i = 0; i < n; ++i) positions[i] = static_cast<llama_pos>(done + i);
    llama_batch raw{};
    raw.n_tokens = static_cast<std::int32_t>(n);
    raw.embd = values.data();
    raw.pos = positions.data();
    raw.n_seq_id = ones.data();
    raw.seq_id = lists.data();
    raw.logits = wanted.data();
    LLMPATCH_TRY(decode_batch(context, raw));
    done += n;
  }
  return {};
}

}  // namespace llmpatch
