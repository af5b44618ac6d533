#include <array>
#include <cmath>
#include <random>

#include "gguf_writer.h"
#include "model_maker.h"

namespace llmpatch {
namespace {

constexpr std::uint32_t kWidth = 64;
constexpr std::uint32_t kHeads = 4;
constexpr std::uint32_t kKeyValueHeads = 2;
constexpr std::uint32_t kFeedForward = 128;
constexpr std::uint32_t kContext = 1024;

constexpr int kNormalToken = 1, kControlToken = 3;  // llama.cpp's token types

constexpr const char* kTemplate =
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\\n' + "
    "message['content'] + '<|im_end|>' + '\\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}";

// The printable character by which byte-level BPE writes `byte`, as UTF-8: itself where it is a
// visible Latin-1 character, otherwise the next unused one from U+0100 on.
std::string byte_character(int byte) {
  const auto visible = [](int b) {
    return (b >= '!' && b <= '~') || (b >= 0xa1 && b <= 0xac) || (b >= 0xae && b <= 0xff);
  };
  int code = byte;
  if (!visible(byte)) {
    code = 0x100;
    for (int before = 0; before < byte; ++before) code += visible(before) ? 0 : 1;
  }
  if (code < 0x80) return std::string(1, static_cast<char>(code));
  return {static_cast<char>(0xc0 | (code >> 6)), static_cast<char>(0x80 | (code & 0x3f))};
}

void set_strings(gguf_context* metadata, const char* key, const std::vector<std::string>& values) {
  std::vector<const char*> pointers;
  for (const std::string& value : values) pointers.push_back(value.c_str());
  gguf_set_arr_str(metadata, key, pointers.data(), pointers.size());
}

// The words of a vocabulary and what they are merged from.
struct Words {
  std::vector<std::string> pieces, merges;
};

// Special tokens 0 to 2, the 256 bytes and some words. Returns the size.
std::uint64_t set_tokenizer(gguf_context* metadata, const Words& words) {
  std::vector<std::string> tokens = {"<|endoftext|>", "<|im_start|>", "<|im_end|>"};
  std::vector<std::int32_t> types(tokens.size(), kControlToken);
  for (int byte = 0; byte < 256; ++byte) tokens.push_back(byte_character(byte));
  tokens.insert(tokens.end(), words.pieces.begin(), words.pieces.end());
  types.resize(tokens.size(), kNormalToken);
  gguf_set_val_str(metadata, "tokenizer.ggml.model", "gpt2");
  gguf_set_val_str(metadata, "tokenizer.ggml.pre", "gpt-2");
  set_strings(metadata, "tokenizer.ggml.tokens", tokens);
  gguf_set_arr_data(metadata, "tokenizer.ggml.token_type", GGUF_TYPE_INT32, types.data(),
                    types.size());
  set_strings(metadata, "tokenizer.ggml.merges", words.merges);
  gguf_set_val_u32(metadata, "tokenizer.ggml.bos_token_id", 1);
  gguf_set_val_u32(metadata, "tokenizer.ggml.eos_token_id", 2);
  gguf_set_val_bool(metadata, "tokenizer.ggml.add_bos_token", false);
  gguf_set_val_str(metadata, "tokenizer.chat_template", kTemplate);
  return tokens.size();
}

void set_parameters(gguf_context* metadata, int layers) {
  gguf_set_val_str(metadata, "general.architecture", "llama");
  gguf_set_val_str(metadata, "general.name", "Tiny random llama");
  gguf_set_val_u32(metadata, "general.file_type", 0);
  gguf_set_val_u32(metadata, "llama.block_count", static_cast<std::uint32_t>(layers));
  gguf_set_val_u32(metadata, "llama.context_length", kContext);
  gguf_set_val_u32(metadata, "llama.embedding_length", kWidth);
  gguf_set_val_u32(metadata, "llama.feed_forward_length", kFeedForward);
  gguf_set_val_u32(metadata, "llama.attention.head_count", kHeads);
  gguf_set_val_u32(metadata, "llama.attention.head_count_kv", kKeyValueHeads);
  gguf_set_val_u32(metadata, "llama.rope.dimension_count", kWidth / kHeads);
  gguf_set_val_f32(metadata, "llama.rope.freq_base", 10000.f);
  gguf_set_val_f32(metadata, "llama.attention.layer_norm_rms_epsilon", 1e-5f);
}

}  // namespace

Status tiny_model(const std::filesystem::path& out, const TinyModel& model) {
  if (model.layers < 1 || model.layers > 64) {
    return make_error(ErrorKind::kInvalidArgument, "make_model",
                      "layers: found " + std::to_string(model.layers) + ", expected 1 to 64");
  }
  const GgufContext metadata(gguf_init_empty());
  set_parameters(metadata.get(), model.layers);
  const std::uint64_t vocabulary = set_tokenizer(
      metadata.get(), model.other_words ? Words{{"er", "ou", "you"}, {"e r", "o u", "y ou"}}
                                        : Words{{"th", "the", "an", "and", "in"},
                                                {"t h", "th e", "a n", "an d", "i n"}});

  std::mt19937_64 random(model.seed);
  std::vector<TensorPlan> plans;
  const auto add = [&](const std::string& name, std::uint64_t columns, std::uint64_t rows,
                       float mean, float deviation) {
    plans.push_back(
        {name, {columns, rows, 1, 1}, GGML_TYPE_F32, [=, &random]() -> Result<std::vector<float>> {
           std::normal_distribution<float> normal(mean, deviation);
           std::vector<float> values(columns * rows);
           for (float& value : values) value = normal(random);
           return values;
         }});
  };
  const auto add_matrix = [&](const std::string& name, std::uint64_t columns, std::uint64_t rows) {
    add(name, columns, rows, 0.f, 1.f / std::sqrt(static_cast<float>(columns)));
  };
  const auto add_norm = [&](const std::string& name) { add(name, kWidth, 1, 1.f, 0.1f); };

  const std::uint64_t key_width = kWidth / kHeads * kKeyValueHeads;
  add_matrix("token_embd.weight", kWidth, vocabulary);
  for (int layer = 0; layer < model.layers; ++layer) {
    const std::string block = "blk." + std::to_string(layer) + ".";
    add_norm(block + "attn_norm.weight");
    add_matrix(block + "attn_q.weight", kWidth, kWidth);
    add_matrix(block + "attn_k.weight", kWidth, key_width);
    add_matrix(block + "attn_v.weight", kWidth, key_width);
    add_matrix(block + "attn_output.weight", kWidth, kWidth);
    add_norm(block + "ffn_norm.weight");
    add_matrix(block + "ffn_gate.weight", kWidth, kFeedForward);
    add_matrix(block + "ffn_up.weight", kWidth, kFeedForward);
    add_matrix(block + "ffn_down.weight", kFeedForward, kWidth);
  }
  add_norm("output_norm.weight");
  if (!model.tied) add_matrix("output.weight", kWidth, vocabulary);
  return write_gguf(out, metadata.get(), plans);
}

}  // namespace llmpatch
