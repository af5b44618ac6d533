// Runs a stack of patches in the caller's own llama_context. Sequences and positions are
// llama.cpp's (llama_seq_id, llama_pos: 32-bit integers).
//
// Neither function keeps the context or touches other sequences than it is given. A context belongs
// to one thread at a time, here as in libllama.
#pragma once

#include <cstdint>

#include "llmpatch/export.h"
#include "llmpatch/result.h"
#include "llmpatch/stack.h"

struct llama_context;

namespace llmpatch {

// Where the prefix of a stack is.
struct Prefix {
  std::int32_t sequence = 0;  // holds it
  std::int32_t next = 0;      // position of the first token behind it
};

// No sequence.
inline constexpr std::int32_t kNoSequence = -1;

// Decodes the rows of `stack` into the empty `sequence`, once, from position 0 on; BOS and the
// prompt come behind, from Prefix::next. (A llama_batch without positions goes on there by itself.)
// Several patches in parallel are decoded each by itself in the empty sequence `scratch`, which is
// empty again afterwards; other stacks need none.
//
// kInvalidArgument: no context; a sequence outside the context's n_seq_max or not empty; no
// `scratch` where one is needed. kMismatch: the context's model is not the stack's (architecture,
// vocabulary, width), or libllama is of another version than this library was built with.
// kUnsupported: a model without a KV cache; several patches in parallel in a context of several
// sequences without kv_unified. kLimit: no room in the KV cache. kCancelled: by the context's abort
// callback. kInternal: libllama failed. The last three leave both sequences empty; the others
// change nothing.
LLMPATCH_EXPORT Result<Prefix> apply(llama_context* context, const PatchStack& stack,
                                     std::int32_t sequence, std::int32_t scratch = kNoSequence);

// Gives the empty sequence `to` the prefix, for a request of its own, whose tokens follow from
// Prefix::next. With kv_unified cells are shared and no bytes move. The original must be as apply()
// left it, nothing decoded behind. kInvalidArgument: a sequence outside n_seq_max, one that is not
// empty, or an original that is not there any more.
LLMPATCH_EXPORT Status copy_prefix(llama_context* context, const Prefix& prefix, std::int32_t to);

}  // namespace llmpatch
