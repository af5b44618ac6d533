// A base model loaded through libllama: weights, tokenizer, chat template, embedding table.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "patch/rows.h"

struct llama_model;
struct llama_vocab;

namespace llmpatch {

class ChatTemplate;
class GgufFile;
class SpecialTokens;
class TokenTexts;
struct TextSpan;

using Token = std::int32_t;
using Tokens = std::vector<Token>;

struct ModelOptions {
  bool exact = false;  // no weight repacking; with EngineOptions::exact, for parity checks
};

// A loaded model. Immutable after load() and safe to share between threads; not copyable.
class Model {
 public:
  // Checks the file with gguf/ first (a hostile file never reaches libllama), then loads it, and
  // finds the embedding scale with a probe: one token decoded by id, and by its table row times
  // each candidate scale (1, sqrt(n_embd), 1/sqrt(n_embd)...); the scale whose logits agree is
  // kept. Errors: those of GgufFile::open, kUnsupported (architecture libllama cannot run, no scale
  // that reproduces the token path), kLimit (memory).
  static Result<std::unique_ptr<Model>> load(const std::filesystem::path& path,
                                             const ModelOptions& options = {});
  ~Model();

  const std::filesystem::path& path() const { return path_; }
  const GgufFile& file() const { return *file_; }  // metadata and tensors, as they lie in the file
  const std::string& architecture() const { return architecture_; }
  std::size_t n_embd() const { return n_embd_; }  // width of an input embedding row
  std::size_t n_vocab() const { return n_vocab_; }
  std::size_t context_length() const { return context_length_; }  // as trained

  // Token ids of `text`, without BOS. With `parse_special`, "<|im_start|>" and the like become the
  // control tokens they name; user text must be tokenised without. kInvalidArgument for text that
  // is too long (over 16 MiB).
  Result<Tokens> tokenize(std::string_view text, bool parse_special) const;
  // Token ids of rendered text: exactly those of the whole text with `parse_special`, except that a
  // control token is only seen where it lies wholly in the template's own text.
  Result<Tokens> tokenize(std::span<const TextSpan> spans) const;
  // The text of tokens; control tokens are left out unless `special`. May end inside a character.
  std::string text(std::span<const Token> tokens, bool special = false) const;
  // BOS if the model wants one before text, otherwise nothing.
  Tokens bos() const;
  // The token that ends an answer in training text: what the chat template puts after one, or the
  // end of text. -1 when the vocabulary has neither.
  Token end_token() const { return end_token_; }
  bool is_end(Token token) const;  // any end-of-generation token
  // All texts of the vocabulary, made when first asked for.
  const TokenTexts& token_texts() const;
  // Ids that must never be sampled (suppressed by the model, or not text at all), sorted.
  const Tokens& suppressed() const { return suppressed_; }

  // Null when the model has no chat template (completion mode).
  const ChatTemplate* chat_template() const { return chat_template_.get(); }

  // Factor from a row of token_embd to an input embedding (1 for llama, sqrt(n_embd) for gemma3).
  float embedding_scale() const { return embedding_scale_; }
  // The input embeddings of tokens as prefix rows: table rows (dequantised) times the scale.
  // Decoding them gives bit for bit what decoding the tokens gives. kInvalidArgument: id outside.
  Result<Rows> embed(std::span<const Token> tokens) const;

  llama_model* handle() const { return model_; }

 private:
  Model();
  Status find_end_token();
  Status find_embedding_scale();
  std::filesystem::path path_;
  std::string architecture_;
  std::size_t n_embd_ = 0, n_vocab_ = 0, context_length_ = 0;
  float embedding_scale_ = 1;
  Token end_token_ = -1;
  Tokens suppressed_;
  std::unique_ptr<GgufFile> file_;
  std::unique_ptr<SpecialTokens> special_tokens_;
  std::unique_ptr<ChatTemplate> chat_template_;
  llama_model* model_ = nullptr;
  const llama_vocab* vocab_ = nullptr;
  mutable std::once_flag token_texts_made_;
  mutable std::unique_ptr<TokenTexts> token_texts_;
};

}  // namespace llmpatch
