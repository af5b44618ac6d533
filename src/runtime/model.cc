#include "runtime/model.h"

#include <llama.h>

#include <algorithm>
#include <cmath>
#include <exception>
#include <limits>

#include "gguf/dequantize.h"
#include "gguf/gguf_file.h"
#include "runtime/chat_template.h"
#include "runtime/context.h"
#include "runtime/llama_backend.h"
#include "runtime/model_check.h"
#include "runtime/special_tokens.h"
#include "runtime/token_texts.h"

namespace llmpatch {
namespace {

constexpr std::size_t kMaxText = std::size_t{16} << 20;
constexpr const char* kEmbeddingTable = "token_embd.weight";

// Ids an answer can never contain: those the model's file suppresses, places in the vocabulary that
// stand for nothing, and the start of text.
Tokens suppressed_tokens(const llama_vocab* vocab) {
  Tokens tokens;
  std::int32_t n = 0;
  const llama_token* listed = llama_vocab_get_suppress_tokens(vocab, &n);
  const std::int32_t n_vocab = llama_vocab_n_tokens(vocab);
  for (std::int32_t i = 0; listed != nullptr && i < n; ++i) {
    if (listed[i] >= 0 && listed[i] < n_vocab) tokens.push_back(listed[i]);
  }
  for (llama_token id = 0; id < n_vocab; ++id) {
    const int attributes = llama_vocab_get_attr(vocab, id);
    const bool nothing = (attributes & (LLAMA_TOKEN_ATTR_UNUSED | LLAMA_TOKEN_ATTR_UNKNOWN)) != 0 ||
                         attributes == LLAMA_TOKEN_ATTR_UNDEFINED;
    if ((nothing || id == llama_vocab_bos(vocab)) && !llama_vocab_is_eog(vocab, id)) {
      tokens.push_back(id);
    }
  }
  std::sort(tokens.begin(), tokens.end());
  tokens.erase(std::unique(tokens.begin(), tokens.end()), tokens.end());
  return tokens;
}

}  // namespace

Model::Model() = default;

Model::~Model() {
  chat_template_.reset();
  if (model_ != nullptr) llama_model_free(model_);
}

Result<std::unique_ptr<Model>> Model::load(const std::filesystem::path& path,
                                           const ModelOptions& options) {
  LLMPATCH_ASSIGN(GgufFile file, GgufFile::open(path));
  auto loaded = std::unique_ptr<Model>(new Model);
  Model& model = *loaded;
  LLMPATCH_ASSIGN(model.architecture_, file.architecture());
  LLMPATCH_TRY(check_model_file(file));
  model.path_ = path;
  model.file_ = std::make_unique<GgufFile>(std::move(file));

  start_llama_backend();
  take_llama_errors("");
  llama_model_params params = llama_model_default_params();
  params.use_extra_bufts = !options.exact;
  try {
    model.model_ = llama_model_load_from_file(path.c_str(), params);
  } catch (const std::exception& error) {
    return make_error(ErrorKind::kUnsupported, "runtime", path.string() + ": " + error.what());
  }
  if (model.model_ == nullptr) {
    return make_error(ErrorKind::kUnsupported, "runtime",
                      path.string() + ": libllama cannot load this '" + model.architecture_ +
                          "' model: " + take_llama_errors("no reason given"));
  }
  model.vocab_ = llama_model_get_vocab(model.model_);
  model.n_embd_ = static_cast<std::size_t>(std::max(llama_model_n_embd_inp(model.model_), 0));
  model.n_vocab_ = static_cast<std::size_t>(std::max(llama_vocab_n_tokens(model.vocab_), 0));
  model.context_length_ =
      static_cast<std::size_t>(std::max(llama_model_n_ctx_train(model.model_), 0));
  if (!llama_model_has_decoder(model.model_) || llama_model_has_encoder(model.model_) ||
      model.n_embd_ == 0 || model.n_vocab_ == 0) {
    return make_error(ErrorKind::kUnsupported, "runtime",
                      path.string() + ": found a '" + model.architecture_ +
                          "' model, expected a decoder with a vocabulary");
  }
  model.suppressed_ = suppressed_tokens(model.vocab_);
  model.special_tokens_ = std::make_unique<SpecialTokens>(model.vocab_);
  LLMPATCH_ASSIGN(model.chat_template_, ChatTemplate::from_model(model.model_));
  LLMPATCH_TRY(model.find_end_token());
  LLMPATCH_TRY(model.find_embedding_scale());
  return loaded;
}

Result<Tokens> Model::tokenize(std::string_view text, bool parse_special) const {
  if (text.size() > kMaxText) {
    return make_error(ErrorKind::kInvalidArgument, "runtime",
                      "text: found " + std::to_string(text.size()) + " bytes, expected at most " +
                          std::to_string(kMaxText));
  }
  const auto length = static_cast<std::int32_t>(text.size());
  Tokens tokens(text.size() + 8);
  try {
    std::int32_t n = llama_tokenize(vocab_, text.data(), length, tokens.data(),
                                    static_cast<std::int32_t>(tokens.size()), false, parse_special);
    if (n < 0 && n != std::numeric_limits<std::int32_t>::min()) {
      tokens.resize(static_cast<std::size_t>(-n));
      n = llama_tokenize(vocab_, text.data(), length, tokens.data(), -n, false, parse_special);
    }
    if (n < 0) return make_error(ErrorKind::kInternal, "runtime", "text: libllama cannot tokenise");
    tokens.resize(static_cast<std::size_t>(n));
  } catch (const std::exception& error) {
    return make_error(ErrorKind::kInvalidArgument, "runtime",
                      std::string("text: cannot be tokenised: ") + error.what());
  }
  return tokens;
}

Result<Tokens> Model::tokenize(std::span<const TextSpan> spans) const {
  Tokens tokens;
  for (const TextPiece& piece : special_tokens_->split(spans)) {
    if (const auto* id = std::get_if<Token>(&piece)) {
      tokens.push_back(*id);
      continue;
    }
    LLMPATCH_ASSIGN(const Tokens part, tokenize(std::get<std::string>(piece), false));
    tokens.insert(tokens.end(), part.begin(), part.end());
  }
  return tokens;
}

std::string Model::text(std::span<const Token> tokens, bool special) const {
  std::string text;
  std::string piece(64, '\0');
  for (const Token token : tokens) {
    if (token < 0 || static_cast<std::size_t>(token) >= n_vocab_) continue;
    auto size = static_cast<std::int32_t>(piece.size());
    std::int32_t n = llama_token_to_piece(vocab_, token, piece.data(), size, 0, special);
    if (n < 0) {
      piece.resize(static_cast<std::size_t>(-n));
      n = llama_token_to_piece(vocab_, token, piece.data(), -n, 0, special);
    }
    if (n > 0) text.append(piece, 0, static_cast<std::size_t>(n));
  }
  return text;
}

Tokens Model::bos() const {
  if (!llama_vocab_get_add_bos(vocab_)) return {};
  const Token bos = llama_vocab_bos(vocab_);
  return bos == LLAMA_TOKEN_NULL ? Tokens{} : Tokens{bos};
}

bool Model::is_end(Token token) const {
  return token >= 0 && static_cast<std::size_t>(token) < n_vocab_ &&
         llama_vocab_is_eog(vocab_, token);
}

const TokenTexts& Model::token_texts() const {
  std::call_once(token_texts_made_, [&] { token_texts_ = std::make_unique<TokenTexts>(*this); });
  return *token_texts_;
}

Result<Rows> Model::embed(std::span<const Token> tokens) const {
  const GgufTensor* table = file_->find(kEmbeddingTable);
  if (table == nullptr || table->columns() != n_embd_) {
    return make_error(
        ErrorKind::kUnsupported, "runtime",
        path_.string() + ": found no embedding table of width " + std::to_string(n_embd_));
  }
  Rows rows{tokens.size(), n_embd_, std::vector<float>(tokens.size() * n_embd_)};
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    if (tokens[i] < 0 || static_cast<std::uint64_t>(tokens[i]) >= table->rows()) {
      return make_error(ErrorKind::kInvalidArgument, "runtime",
                        "token: found id " + std::to_string(tokens[i]) + ", expected less than " +
                            std::to_string(table->rows()));
    }
    const std::span<float> row(rows.values.data() + i * n_embd_, n_embd_);
    LLMPATCH_TRY(dequantize_rows(*table, static_cast<std::uint64_t>(tokens[i]), 1, row));
    if (embedding_scale_ != 1) {
      for (float& value : row) value *= embedding_scale_;
    }
  }
  return rows;
}

Status Model::find_end_token() {
  end_token_ = llama_vocab_eos(vocab_);
  if (end_token_ == LLAMA_TOKEN_NULL) end_token_ = llama_vocab_eot(vocab_);
  if (chat_template_ == nullptr) return {};
  // A vocabulary may name several tokens that could end a turn; the template knows which one does.
  const auto spans = chat_template_->render({{"user", "x"}, {"assistant", "x"}}, false);
  if (!spans.ok() || spans->empty() || spans->back().from_message) return {};
  LLMPATCH_ASSIGN(const Tokens after, tokenize(std::span(&spans->back(), 1)));
  const auto end = std::find_if(after.begin(), after.end(), [&](Token id) { return is_end(id); });
  if (end != after.end()) end_token_ = *end;
  return {};
}

Status Model::find_embedding_scale() {
  // Any ordinary token will do; one from the middle of the vocabulary has a trained row.
  const Tokens probe{static_cast<Token>(n_vocab_ / 2)};
  ContextOptions options;
  options.exact = true;
  options.cells = 256;
  options.sequences = 1;
  options.batch = 8;
  LLMPATCH_ASSIGN(auto context, Context::create(model_, options));
  TokenBatch batch;
  const std::int32_t entry = batch.add(probe[0], 0, 0, true);
  LLMPATCH_TRY(context->decode(batch));
  const std::span<const float> row = context->logits(entry);
  const std::vector<float> wanted(row.begin(), row.end());

  const float root = std::sqrt(static_cast<float>(n_embd_));
  float best = std::numeric_limits<float>::infinity();
  float best_scale = 1;
  for (const float scale : {1.0f, root, 1 / root}) {
    embedding_scale_ = scale;
    LLMPATCH_ASSIGN(const Rows rows, embed(probe));
    context->clear();
    LLMPATCH_TRY(context->decode_rows(rows, 0, true));
    const std::span<const float> logits = context->logits(-1);
    float difference = 0;
    for (std::size_t i = 0; i < wanted.size(); ++i) {
      difference = std::max(difference, std::abs(wanted[i] - logits[i]));
    }
    if (difference < best) {
      best = difference;
      best_scale = scale;
    }
  }
  embedding_scale_ = best_scale;
  if (!(best <= 1e-3f)) {
    return make_error(ErrorKind::kUnsupported, "runtime",
                      path_.string() +
                          ": no scale of the embedding rows reproduces the tokens of '" +
                          architecture_ + "': nearest logits differ by " + std::to_string(best));
  }
  return {};
}

}  // namespace llmpatch
