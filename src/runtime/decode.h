// llama_decode on any llama_context, its failures as values.
#pragma once

#include <llama.h>

#include <cstddef>
#include <span>

#include "base/result.h"

namespace llmpatch {

// One llama_decode; at most llama_n_batch tokens. kLimit: no free cells; kCancelled: by the
// context's abort callback, which leaves the cache undefined; kInternal.
Status decode_batch(llama_context* context, llama_batch batch);

// Decodes rows [n, width] of input embeddings at positions 0 .. n-1 of the empty `sequence`; with
// `output` the last one's logits are entry -1 afterwards. Errors of decode_batch, which leave the
// sequence undefined.
Status decode_rows(llama_context* context, std::span<const float> rows, std::size_t width,
                   llama_seq_id sequence, bool output = false);

}  // namespace llmpatch
