#include "runtime/context.h"

#include "runtime/test_models.h"

namespace llmpatch {
namespace {

struct Decoded {
  std::vector<std::uint8_t> cells;
  std::vector<float> logits;
};

std::unique_ptr<Context> make_context(const Model& model) {
  ContextOptions options;
  options.threads = 2;
  options.outputs = 1;
  return Context::create(model.handle(), options).value();
}

Decoded decode_tokens(const Model& model, const Tokens& tokens) {
  const auto context = make_context(model);
  TokenBatch batch;
  std::int32_t last = 0;
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    last = batch.add(tokens[i], static_cast<llama_pos>(i), 0, i + 1 == tokens.size());
  }
  EXPECT_TRUE(context->decode(batch).ok());
  const auto logits = context->logits(last);
  return {context->save(0).value(), {logits.begin(), logits.end()}};
}

Decoded decode_rows(const Model& model, const Rows& rows) {
  const auto context = make_context(model);
  EXPECT_TRUE(context->decode_rows(rows, 0, true).ok());
  const auto logits = context->logits(-1);
  return {context->save(0).value(), {logits.begin(), logits.end()}};
}

// The cells a prefix leaves are all that later tokens see of it.
TEST(EmbeddedRows, LeaveTheCellsOfTheirTokensBitForBit) {
  for (const Model* model : {&smollm2(), &gemma3()}) {
    Tokens text = model->bos();
    for (const Token token : tokens_of(*model, "The capital of France is Paris, and that of")) {
      text.push_back(token);
    }
    for (const std::size_t n : {std::size_t{1}, text.size() / 2, text.size()}) {
      const Tokens tokens(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(n));
      const Decoded by_tokens = decode_tokens(*model, tokens);
      const Decoded by_rows = decode_rows(*model, model->embed(tokens).value());
      EXPECT_EQ(by_rows.cells, by_tokens.cells) << model->architecture() << ", " << n << " rows";
      EXPECT_EQ(by_rows.logits, by_tokens.logits) << model->architecture() << ", " << n << " rows";
    }
  }
}

}  // namespace
}  // namespace llmpatch
