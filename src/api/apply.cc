#include "llmpatch/apply.h"

#include <llama.h>

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "llmpatch/version.h"
#include "runtime/decode.h"

namespace llmpatch {
namespace {

Error invalid(const std::string& message, std::string hint = "") {
  return make_error(ErrorKind::kInvalidArgument, "apply", message, std::move(hint));
}

Error mismatch(const std::string& what, const std::string& found, const std::string& expected) {
  return make_error(ErrorKind::kMismatch, "apply",
                    what + ": found " + found + ", expected " + expected);
}

Status check_context(const llama_context* context) {
  if (context == nullptr) return invalid("context: found none");
  // libllama promises no stable interface: structures are passed by value.
  if (llama_version() != std::string_view(built_with_llama_cpp())) {
    return mismatch("libllama", llama_version(), built_with_llama_cpp());
  }
  if (llama_get_memory(context) == nullptr) {
    return make_error(ErrorKind::kUnsupported, "apply",
                      "context: found a model without a KV cache");
  }
  return {};
}

Status check_sequence(const llama_context* context, llama_seq_id sequence, const char* what) {
  const auto sequences = static_cast<std::int64_t>(llama_n_seq_max(context));
  if (sequence >= 0 && sequence < sequences) return {};
  return invalid(std::string(what) + ": found " + std::to_string(sequence) + ", expected 0 to " +
                     std::to_string(sequences - 1),
                 "llama_context_params::n_seq_max says how many a context has");
}

// One of the context's, with nothing in it.
Status check_empty(const llama_context* context, llama_seq_id sequence, const char* what) {
  LLMPATCH_TRY(check_sequence(context, sequence, what));
  const llama_pos last = llama_memory_seq_pos_max(llama_get_memory(context), sequence);
  if (last < 0) return {};
  return invalid(std::string(what) + " " + std::to_string(sequence) +
                     ": found tokens up to position " + std::to_string(last) + ", expected none",
                 "llama_memory_seq_rm empties a sequence");
}

// The context's model is the one that the stack was checked against, as far as libllama tells.
Status check_model(const llama_model* model, const PatchStack& stack) {
  char architecture[128] = "";
  llama_model_meta_val_str(model, "general.architecture", architecture, sizeof architecture);
  if (architecture != stack.base().architecture()) {
    return mismatch("model", architecture, stack.base().architecture());
  }
  const std::int64_t tokens = llama_vocab_n_tokens(llama_model_get_vocab(model));
  if (tokens != static_cast<std::int64_t>(stack.base().vocabulary())) {
    return mismatch("model's tokens", std::to_string(tokens),
                    std::to_string(stack.base().vocabulary()));
  }
  const std::int64_t width = llama_model_n_embd_inp(model);
  const std::size_t rows = stack.patches()[0].width();
  if (width == static_cast<std::int64_t>(rows)) return {};
  return mismatch("rows of width", std::to_string(rows), std::to_string(width));
}

Status decode_sequential(llama_context* context, const PatchStack& stack, llama_seq_id sequence) {
  std::vector<float> rows;
  for (const SafetyPatch& patch : stack.patches()) {
    rows.insert(rows.end(), patch.values().begin(), patch.values().end());
  }
  return decode_rows(context, rows, stack.patches()[0].width(), sequence);
}

// Each patch alone in `scratch`, from where `sequence` takes its cells.
Status decode_parallel(llama_context* context, const PatchStack& stack, llama_seq_id sequence,
                       llama_seq_id scratch) {
  const llama_memory_t memory = llama_get_memory(context);
  for (const SafetyPatch& patch : stack.patches()) {
    LLMPATCH_TRY(decode_rows(context, patch.values(), patch.width(), scratch));
    llama_memory_seq_cp(memory, scratch, sequence, -1, -1);
    llama_memory_seq_rm(memory, scratch, -1, -1);
  }
  return {};
}

}  // namespace

Result<Prefix> apply(llama_context* context, const PatchStack& stack, std::int32_t sequence,
                     std::int32_t scratch) {
  LLMPATCH_TRY(check_context(context));
  LLMPATCH_TRY(check_model(llama_get_model(context), stack));
  LLMPATCH_TRY(check_empty(context, sequence, "sequence"));
  const bool parallel = stack.compose() == Compose::kParallel && stack.patches().size() > 1;
  if (parallel) {
    LLMPATCH_TRY(check_empty(context, scratch, "scratch sequence"));
    if (scratch == sequence) {
      return invalid("scratch sequence: found " + std::to_string(scratch) +
                     ", expected another than the prefix's");
    }
    // Sequences with buffers of their own cannot take cells from two.
    if (llama_n_ctx_seq(context) != llama_n_ctx(context)) {
      return make_error(ErrorKind::kUnsupported, "apply",
                        "patches in parallel: found a KV cache that is split by sequence, expected "
                        "a unified one",
                        "set llama_context_params::kv_unified");
    }
  }
  const Status decoded = parallel ? decode_parallel(context, stack, sequence, scratch)
                                  : decode_sequential(context, stack, sequence);
  if (!decoded.ok()) {
    llama_memory_seq_rm(llama_get_memory(context), sequence, -1, -1);
    if (parallel) llama_memory_seq_rm(llama_get_memory(context), scratch, -1, -1);
    return decoded.error();
  }
  return Prefix{sequence, static_cast<std::int32_t>(stack.length())};
}

Status copy_prefix(llama_context* context, const Prefix& prefix, std::int32_t to) {
  LLMPATCH_TRY(check_context(context));
  LLMPATCH_TRY(check_sequence(context, prefix.sequence, "prefix"));
  LLMPATCH_TRY(check_empty(context, to, "sequence"));
  const llama_memory_t memory = llama_get_memory(context);
  const llama_pos end = llama_memory_seq_pos_max(memory, prefix.sequence) + 1;
  if (prefix.next <= 0 || end != prefix.next) {
    return invalid("prefix in sequence " + std::to_string(prefix.sequence) + ": found " +
                       std::to_string(end) + " positions, expected the " +
                       std::to_string(prefix.next) + " of apply()",
                   "keep a sequence for the prefix alone, and decode behind its copies");
  }
  llama_memory_seq_cp(memory, prefix.sequence, to, -1, -1);
  return {};
}

}  // namespace llmpatch
