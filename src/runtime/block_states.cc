#include "runtime/block_states.h"

#include <ggml-backend.h>
#include <ggml.h>
#include <llama.h>

#include <algorithm>
#include <charconv>
#include <optional>
#include <string_view>

#include "base/cores.h"
#include "runtime/decode.h"
#include "runtime/llama_backend.h"

namespace llmpatch {
namespace {

// libllama's name for what a block puts out, adapters included.
constexpr std::string_view kBlockOutput = "l_out-";

// The block whose output a tensor is; nullopt for any other tensor.
std::optional<std::size_t> block_of(std::string_view name) {
  if (!name.starts_with(kBlockOutput)) return std::nullopt;
  name.remove_prefix(kBlockOutput.size());
  std::size_t block = 0;
  const auto [end, code] = std::from_chars(name.data(), name.data() + name.size(), block);
  if (code != std::errc() || end != name.data() + name.size()) return std::nullopt;
  return block;
}

struct FreeContext {
  void operator()(llama_context* context) const { llama_free(context); }
};

}  // namespace

struct BlockReader::State {
  std::unique_ptr<llama_context, FreeContext> context;
  std::size_t longest = 0;
  std::size_t counted = 0;  // tokens at the end of the text whose states count
  BlockStates states;
  std::vector<bool> seen;  // block by block
  bool odd = false;        // a tensor of another type or shape came

  void take(const ggml_tensor* tensor, std::size_t block) {
    const auto rows = static_cast<std::size_t>(tensor->ne[1]);
    if (block >= states.blocks || tensor->type != GGML_TYPE_F32 ||
        tensor->ne[0] != static_cast<std::int64_t>(states.width) || rows < counted ||
        tensor->ne[2] != 1 || tensor->nb[0] != sizeof(float)) {
      odd = true;
      return;
    }
    // The last block computes only what logits were asked for: the same last rows.
    std::vector<float> row(states.width);
    float* const sums = states.values.data() + block * states.width;
    for (std::size_t i = rows - counted; i < rows; ++i) {
      ggml_backend_tensor_get(tensor, row.data(), i * tensor->nb[1], row.size() * sizeof(float));
      for (std::size_t j = 0; j < row.size(); ++j) sums[j] += row[j] / static_cast<float>(counted);
    }
    seen[block] = true;
  }

  static bool on_tensor(ggml_tensor* tensor, bool ask, void* self) {
    const auto block = block_of(tensor->name);
    if (ask) return block.has_value();
    if (block) static_cast<State*>(self)->take(tensor, *block);
    return true;
  }
};

BlockReader::BlockReader(std::unique_ptr<State> state) : state_(std::move(state)) {}
BlockReader::~BlockReader() = default;

Result<std::unique_ptr<BlockReader>> BlockReader::create(const Model& model, std::size_t longest,
                                                         int threads, bool exact) {
  auto state = std::make_unique<State>();
  state->longest = longest;
  state->states.blocks = static_cast<std::size_t>(llama_model_n_layer(model.handle()));
  state->states.width = static_cast<std::size_t>(llama_model_n_embd(model.handle()));
  llama_context_params params = llama_context_default_params();
  params.n_ctx = static_cast<std::uint32_t>((longest + 255) / 256 * 256);
  params.n_batch = params.n_ubatch = params.n_ctx;  // a text is one graph
  params.n_outputs_max = params.n_ctx;
  params.n_threads = threads > 0 ? threads : usable_cores();
  params.n_threads_batch = params.n_threads;
  params.swa_full = true;
  params.no_perf = true;
  if (exact) {
    params.flash_attn_type = LLAMA_FLASH_ATTN_TYPE_DISABLED;
    params.type_k = params.type_v = GGML_TYPE_F32;
  }
  params.cb_eval = State::on_tensor;
  params.cb_eval_user_data = state.get();
  take_llama_errors("");
  state->context.reset(llama_init_from_model(model.handle(), params));
  if (state->context == nullptr) {
    return make_error(ErrorKind::kLimit, "runtime",
                      "context of " + std::to_string(params.n_ctx) +
                          " cells: libllama refused: " + take_llama_errors("no reason given"));
  }
  return std::unique_ptr<BlockReader>(new BlockReader(std::move(state)));
}

Result<BlockStates> BlockReader::mean(const Tokens& prompt, const Tokens& answer) {
  State& state = *state_;
  Tokens tokens = prompt;
  tokens.insert(tokens.end(), answer.begin(), answer.end());
  if (answer.empty() || tokens.size() > state.longest) {
    return make_error(answer.empty() ? ErrorKind::kInvalidArgument : ErrorKind::kLimit, "runtime",
                      "text: found " + std::to_string(tokens.size()) +
                          " tokens, expected at most " + std::to_string(state.longest) +
                          " and an answer");
  }
  const std::size_t n = tokens.size();
  std::vector<llama_pos> positions(n);
  std::vector<std::int32_t> ones(n, 1);
  std::vector<std::int8_t> wanted(n);
  llama_seq_id sequence = 0;
  std::vector<llama_seq_id*> sequences(n, &sequence);
  for (std::size_t i = 0; i < n; ++i) {
    positions[i] = static_cast<llama_pos>(i);
    wanted[i] = i >= prompt.size() ? 1 : 0;
  }
  llama_batch batch{};
  batch.n_tokens = static_cast<std::int32_t>(n);
  batch.token = tokens.data();
  batch.pos = positions.data();
  batch.n_seq_id = ones.data();
  batch.seq_id = sequences.data();
  batch.logits = wanted.data();

  state.counted = answer.size();
  state.states.values.assign(state.states.blocks * state.states.width, 0);
  state.seen.assign(state.states.blocks, false);
  state.odd = false;
  llama_memory_clear(llama_get_memory(state.context.get()), false);
  LLMPATCH_TRY(decode_batch(state.context.get(), batch));
  if (state.odd || std::ranges::find(state.seen, false) != state.seen.end()) {
    return make_error(ErrorKind::kUnsupported, "runtime",
                      "block outputs: found none of some blocks, expected one of each",
                      "this architecture's graph has no such place");
  }
  return state.states;
}

}  // namespace llmpatch
