// A llama_context with errors as values: its KV cache, token and row batches, sequences.
#pragma once

#include <llama.h>

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/cancel.h"
#include "base/result.h"
#include "patch/rows.h"

namespace llmpatch {

class LoadedAdapters;

struct ContextOptions {
  bool exact = false;  // F32 cache, no flash attention
  int threads = 1;
  // Whether every sequence has cells of its own. Then a token is compared with the cells of its
  // sequence only, not with those in use by all; but no two sequences can share cells, and a batch
  // is computed in parts, each of sequences with neighbouring ids and equally many tokens.
  bool split = false;
  std::uint32_t cells = 512;    // KV cells shared by all sequences; if split, of each
  std::uint32_t sequences = 1;  // sequence ids are 0 .. sequences-1
  std::uint32_t batch = 512;    // most tokens of one decode()
  std::uint32_t outputs = 1;    // most logit rows of one decode()
};

// Tokens for one decode(), each with its place; filled by the caller, reused between calls.
class TokenBatch {
 public:
  void clear();
  // Returns the entry's index, by which its logits are asked for.
  std::int32_t add(llama_token token, llama_pos position, llama_seq_id sequence, bool output);
  std::size_t size() const { return tokens_.size(); }
  std::size_t outputs() const { return outputs_; }

 private:
  friend class Context;
  std::vector<llama_token> tokens_;
  std::vector<llama_pos> positions_;
  std::vector<llama_seq_id> sequences_;
  std::vector<std::int8_t> wanted_;
  std::size_t outputs_ = 0;
};

// Not thread-safe.
class Context {
 public:
  // kLimit when the memory does not suffice, naming both figures.
  static Result<std::unique_ptr<Context>> create(llama_model* model, const ContextOptions& options);

  const ContextOptions& options() const { return options_; }
  std::size_t n_vocab() const { return n_vocab_; }

  // Puts adapters of the context's model into force; they must outlive it. kInternal.
  Status apply(const LoadedAdapters& adapters);

  // While set, decode() looks at the flag between graph nodes. Null: never cancelled.
  void set_cancel(const CancelFlag* cancel) { cancel_ = cancel; }

  // Decodes a batch within the limits of the options. kCancelled leaves the cache undefined:
  // clear().
  Status decode(TokenBatch& batch);
  // Decodes rows at positions 0 .. n-1 of the empty `sequence`; with `output` the last one's logits
  // are entry -1 afterwards.
  Status decode_rows(const Rows& rows, llama_seq_id sequence, bool output = false);
  // Logits of an entry of the last batch that asked for them; valid until the next decode.
  std::span<const float> logits(std::int32_t index) const;

  void clear();  // forgets every sequence
  // Not where the cache is split.
  void copy(llama_seq_id from, llama_seq_id to);
  // The cells at positions [begin, end) only.
  void copy(llama_seq_id from, llama_seq_id to, llama_pos begin, llama_pos end);
  void remove(llama_seq_id sequence);
  // Those at positions from `begin` up.
  void remove(llama_seq_id sequence, llama_pos begin);

  // The cells of a sequence as bytes, and back into an empty sequence of this context or of one
  // with equal options.
  Result<std::vector<std::uint8_t>> save(llama_seq_id sequence);
  Status restore(std::span<const std::uint8_t> bytes, llama_seq_id sequence);

 private:
  struct Free {
    void operator()(llama_context* context) const { llama_free(context); }
  };
  Context() = default;

  std::unique_ptr<llama_context, Free> context_;
  ContextOptions options_;
  std::size_t n_vocab_ = 0;
  const CancelFlag* cancel_ = nullptr;
};

// Bytes the KV cache takes for one cell.
std::uint64_t cell_bytes(const llama_model* model, bool exact);

}  // namespace llmpatch
