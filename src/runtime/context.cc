#include "runtime/context.h"

#include <algorithm>
#include <cstdlib>
#include <exception>
#include <limits>

#include "base/memory.h"
#include "runtime/decode.h"
#include "runtime/llama_backend.h"
#include "runtime/loaded_adapters.h"

namespace llmpatch {
namespace {

std::string mebibytes(std::uint64_t bytes) { return std::to_string(bytes >> 20) + " MiB"; }

std::uint64_t metadata_integer(const llama_model* model, const std::string& key) {
  char text[32];
  if (llama_model_meta_val_str(model, key.c_str(), text, sizeof text) <= 0) return 0;
  return std::strtoull(text, nullptr, 10);
}

Status check_memory(const llama_model* model, const ContextOptions& options) {
  const std::uint64_t cells =
      options.split ? std::uint64_t{options.cells} * options.sequences : options.cells;
  const std::uint64_t cache = cells * cell_bytes(model, options.exact);
  const std::uint64_t vocabulary =
      static_cast<std::uint64_t>(llama_vocab_n_tokens(llama_model_get_vocab(model)));
  const std::uint64_t logits =
      std::max(options.outputs, options.sequences) * vocabulary * sizeof(float);
  const Memory memory = usable_memory();
  if (cells <= std::numeric_limits<std::int32_t>::max() &&
      (memory.total == 0 || cache + logits <= memory.available)) {
    return {};
  }
  return make_error(ErrorKind::kLimit, "runtime",
                    "KV cache of " + std::to_string(cells) + " cells: needs " +
                        mebibytes(cache + logits) + ", the system has " +
                        mebibytes(memory.available),
                    "use a shorter context or fewer requests at once");
}

}  // namespace

std::uint64_t cell_bytes(const llama_model* model, bool exact) {
  char text[128];
  std::string architecture;
  if (llama_model_meta_val_str(model, "general.architecture", text, sizeof text) > 0) {
    architecture = text;
  }
  const auto heads = static_cast<std::uint64_t>(std::max(llama_model_n_head(model), 1));
  const auto kv_heads = static_cast<std::uint64_t>(std::max(llama_model_n_head_kv(model), 1));
  const auto layers = static_cast<std::uint64_t>(std::max(llama_model_n_layer(model), 1));
  const std::uint64_t width = static_cast<std::uint64_t>(llama_model_n_embd(model)) / heads;
  std::uint64_t key = metadata_integer(model, architecture + ".attention.key_length");
  std::uint64_t value = metadata_integer(model, architecture + ".attention.value_length");
  if (key == 0) key = width;
  if (value == 0) value = width;
  return layers * kv_heads * (key + value) * (exact ? 4 : 2);
}

void TokenBatch::clear() {
  tokens_.clear();
  positions_.clear();
  sequences_.clear();
  wanted_.clear();
  outputs_ = 0;
}

std::int32_t TokenBatch::add(llama_token token, llama_pos position, llama_seq_id sequence,
                             bool output) {
  tokens_.push_back(token);
  positions_.push_back(position);
  sequences_.push_back(sequence);
  wanted_.push_back(output ? 1 : 0);
  if (output) ++outputs_;
  return static_cast<std::int32_t>(tokens_.size()) - 1;
}

Result<std::unique_ptr<Context>> Context::create(llama_model* model,
                                                 const ContextOptions& options) {
  LLMPATCH_TRY(check_memory(model, options));
  auto made = std::unique_ptr<Context>(new Context);
  made->options_ = options;
  made->n_vocab_ = static_cast<std::size_t>(llama_vocab_n_tokens(llama_model_get_vocab(model)));

  llama_context_params params = llama_context_default_params();
  params.n_ctx = options.split ? options.cells * options.sequences : options.cells;
  params.n_batch = std::max(options.batch, options.outputs);
  params.n_ubatch = options.batch;
  params.n_seq_max = options.sequences;
  // libllama keeps one logit row per sequence whatever is asked for.
  params.n_outputs_max = std::max(options.outputs, options.sequences);
  params.n_batch = std::max(params.n_batch, params.n_outputs_max);
  params.n_threads = options.threads;
  params.n_threads_batch = options.threads;
  params.kv_unified = !options.split;  // then copying a sequence tags its cells and moves no bytes
  params.swa_full = true;  // otherwise rolling back a sliding-window model gives wrong logits
  params.no_perf = true;
  if (options.exact) {
    params.flash_attn_type = LLAMA_FLASH_ATTN_TYPE_DISABLED;
    params.type_k = GGML_TYPE_F32;
    params.type_v = GGML_TYPE_F32;
  } else {
    params.flash_attn_type = LLAMA_FLASH_ATTN_TYPE_ENABLED;
  }
  params.abort_callback = [](void* self) {
    const CancelFlag* cancel = static_cast<Context*>(self)->cancel_;
    return cancel != nullptr && cancel->raised();
  };
  params.abort_callback_data = made.get();

  take_llama_errors("");
  try {
    made->context_.reset(llama_init_from_model(model, params));
  } catch (const std::exception& error) {
    return make_error(ErrorKind::kInternal, "runtime", std::string("context: ") + error.what());
  }
  if (made->context_ == nullptr) {
    return make_error(ErrorKind::kLimit, "runtime",
                      "context of " + std::to_string(options.cells) +
                          " cells: libllama refused: " + take_llama_errors("no reason given"));
  }
  return made;
}

Status Context::apply(const LoadedAdapters& adapters) { return adapters.apply(context_.get()); }

Status Context::decode(TokenBatch& batch) {
  const std::size_t n = batch.size();
  if (n == 0) return {};
  if (n > options_.batch || batch.outputs_ > options_.outputs) {
    return make_error(ErrorKind::kInternal, "runtime", "decode: batch larger than planned");
  }
  std::vector<std::int32_t> ones(n, 1);
  std::vector<llama_seq_id*> lists(n);
  for (std::size_t i = 0; i < n; ++i) lists[i] = &batch.sequences_[i];
  llama_batch raw{};
  raw.n_tokens = static_cast<std::int32_t>(n);
  raw.token = batch.tokens_.data();
  raw.pos = batch.positions_.data();
  raw.n_seq_id = ones.data();
  raw.seq_id = lists.data();
  raw.logits = batch.wanted_.data();
  return decode_batch(context_.get(), raw);
}

Status Context::decode_rows(const Rows& rows, llama_seq_id sequence, bool output) {
  return llmpatch::decode_rows(context_.get(), rows.values, rows.d, sequence, output);
}

std::span<const float> Context::logits(std::int32_t index) const {
  const float* row = llama_get_logits_ith(context_.get(), index);
  return row == nullptr ? std::span<const float>() : std::span<const float>(row, n_vocab_);
}

void Context::clear() { llama_memory_clear(llama_get_memory(context_.get()), false); }

void Context::copy(llama_seq_id from, llama_seq_id to) { copy(from, to, -1, -1); }

void Context::copy(llama_seq_id from, llama_seq_id to, llama_pos begin, llama_pos end) {
  llama_memory_seq_cp(llama_get_memory(context_.get()), from, to, begin, end);
}

void Context::remove(llama_seq_id sequence) { remove(sequence, -1); }

void Context::remove(llama_seq_id sequence, llama_pos begin) {
  llama_memory_seq_rm(llama_get_memory(context_.get()), sequence, begin, -1);
}

Result<std::vector<std::uint8_t>> Context::save(llama_seq_id sequence) {
  std::vector<std::uint8_t> bytes(llama_state_seq_get_size(context_.get(), sequence));
  if (bytes.empty() || llama_state_seq_get_data(context_.get(), bytes.data(), bytes.size(),
                                                sequence) != bytes.size()) {
    return make_error(ErrorKind::kInternal, "runtime",
                      "saving a prefix: " + take_llama_errors("libllama gave no bytes"));
  }
  return bytes;
}

Status Context::restore(std::span<const std::uint8_t> bytes, llama_seq_id sequence) {
  if (llama_state_seq_set_data(context_.get(), bytes.data(), bytes.size(), sequence) == 0) {
    return make_error(ErrorKind::kInternal, "runtime",
                      "restoring a prefix: " + take_llama_errors("libllama refused the bytes"));
  }
  return {};
}

}  // namespace llmpatch
