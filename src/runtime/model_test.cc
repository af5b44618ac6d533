#include "runtime/model.h"

#include <cmath>

#include "runtime/chat_template.h"
#include "runtime/test_models.h"

namespace llmpatch {
namespace {

TEST(Model, KnowsItsShape) {
  EXPECT_EQ(smollm2().architecture(), "llama");
  EXPECT_EQ(smollm2().n_embd(), 576u);
  EXPECT_EQ(smollm2().n_vocab(), 49152u);
  EXPECT_EQ(smollm2().context_length(), 8192u);
}

TEST(Model, FindsTheEmbeddingScaleOfItsArchitecture) {
  EXPECT_EQ(smollm2().embedding_scale(), 1.0f);
  EXPECT_EQ(gemma3().embedding_scale(), std::sqrt(640.0f));
}

TEST(Model, EndsAnswersAsItsTemplateDoes) {
  EXPECT_EQ(smollm2().end_token(), tokens_of(smollm2(), "<|im_end|>", true).at(0));
  EXPECT_TRUE(smollm2().is_end(smollm2().end_token()));
  EXPECT_EQ(gemma3().text({{gemma3().end_token()}}, true), "<eos>");
  EXPECT_FALSE(smollm2().is_end(-1));
  EXPECT_FALSE(smollm2().is_end(1 << 30));
}

TEST(Model, WantsBosOnlyWhereItsFileSaysSo) {
  EXPECT_TRUE(smollm2().bos().empty());
  EXPECT_EQ(gemma3().bos(), Tokens{2});
}

TEST(Model, ParsesControlTokensOnlyWhenAsked) {
  EXPECT_EQ(tokens_of(smollm2(), "<|im_end|>", true).size(), 1u);
  const Tokens plain = tokens_of(smollm2(), "<|im_end|>");
  EXPECT_GT(plain.size(), 1u);
  EXPECT_EQ(smollm2().text(plain), "<|im_end|>");
}

TEST(Model, TurnsTokensBackIntoText) {
  const std::string text = "  Zwölf Boxkämpfer:\n\t日本 \xF0\x9F\x98\x80 x";
  EXPECT_EQ(smollm2().text(tokens_of(smollm2(), text)), text);
  EXPECT_EQ(gemma3().text(tokens_of(gemma3(), text)), text);
  const Tokens end{smollm2().end_token()};
  EXPECT_EQ(smollm2().text(end), "");
  EXPECT_EQ(smollm2().text(end, true), "<|im_end|>");
  EXPECT_EQ(smollm2().text({{-1, 1 << 30}}), "");
}

TEST(Model, TokenisesSpansAsTheWholeText) {
  const std::vector<TextSpan> spans{{"<|im_start|>user\n", false},
                                    {"12 mice\n", true},
                                    {"<|im_end|>\n<|im_start|>assistant\n", false}};
  EXPECT_EQ(
      smollm2().tokenize(spans).value(),
      tokens_of(smollm2(), "<|im_start|>user\n12 mice\n<|im_end|>\n<|im_start|>assistant\n", true));
}

TEST(Model, SeesNoControlTokenInWhatAUserWrote) {
  const std::vector<TextSpan> whole{{"<|im_end|>", true}};
  EXPECT_EQ(smollm2().tokenize(whole).value(), tokens_of(smollm2(), "<|im_end|>"));
  // Nor in text of which the template wrote a part.
  const std::vector<TextSpan> across{{"a<|im_", false}, {"end|>", true}, {"b", false}};
  EXPECT_EQ(smollm2().tokenize(across).value(), tokens_of(smollm2(), "a<|im_end|>b"));
}

TEST(Model, RefusesTextBeyondItsLimit) {
  EXPECT_EQ(smollm2().tokenize(std::string((16 << 20) + 1, 'a'), false).error().kind,
            ErrorKind::kInvalidArgument);
}

TEST(Model, SuppressesWhatIsNoText) {
  for (const Model* model : {&smollm2(), &gemma3()}) {
    const Tokens& suppressed = model->suppressed();
    EXPECT_TRUE(std::is_sorted(suppressed.begin(), suppressed.end()));
    for (const Token token : suppressed) EXPECT_FALSE(model->is_end(token)) << token;
  }
  const Tokens unused = tokens_of(gemma3(), "<unused7>", true);
  ASSERT_EQ(unused.size(), 1u);
  EXPECT_TRUE(
      std::binary_search(gemma3().suppressed().begin(), gemma3().suppressed().end(), unused[0]));
}

TEST(Model, RefusesRowsOfUnknownTokens) {
  EXPECT_EQ(smollm2().embed({{-1}}).error().kind, ErrorKind::kInvalidArgument);
  EXPECT_EQ(smollm2().embed({{49152}}).error().kind, ErrorKind::kInvalidArgument);
  EXPECT_EQ(smollm2().embed({}).value().n, 0u);
}

TEST(ModelLoad, NamesAMissingFile) {
  const auto model = Model::load("/nowhere/model.gguf");
  ASSERT_FALSE(model.ok());
  EXPECT_EQ(model.error().kind, ErrorKind::kNotFound);
  EXPECT_NE(model.error().message.find("/nowhere/model.gguf"), std::string::npos);
}

TEST(ModelLoad, RefusesATruncatedFile) {
  const std::string bytes = tiny_model_file().bytes();
  EXPECT_EQ(load_bytes(bytes.substr(0, bytes.size() - 1000)).error().kind, ErrorKind::kCorrupt);
}

// A file whose metadata is whole, for an architecture of this name, without tensors.
GgufTestFile without_tensors(const std::string& architecture) {
  GgufTestFile file;
  file.text("general.architecture", architecture);
  for (const char* key : {"block_count", "context_length", "embedding_length",
                          "feed_forward_length", "attention.head_count"}) {
    file.u32(architecture + "." + key, 1);
  }
  file.text("tokenizer.ggml.model", "llama");
  std::vector<std::string> tokens;
  for (char letter = 'a'; letter <= 'z'; ++letter) tokens.emplace_back(1, letter);
  file.strings("tokenizer.ggml.tokens", tokens);
  return file;
}

TEST(ModelLoad, RefusesAnArchitectureItCannotRun) {
  const auto model = load_bytes(without_tensors("nonesuch").bytes());
  ASSERT_FALSE(model.ok());
  EXPECT_EQ(model.error().kind, ErrorKind::kUnsupported);
  EXPECT_NE(model.error().message.find("nonesuch"), std::string::npos);
}

TEST(ModelLoad, LeavesNothingOnTheStandardStreams) {
  ::testing::internal::CaptureStdout();
  ::testing::internal::CaptureStderr();
  const auto model = load_bytes(without_tensors("llama").bytes());
  EXPECT_EQ(::testing::internal::GetCapturedStdout(), "");
  EXPECT_EQ(::testing::internal::GetCapturedStderr(), "");
  EXPECT_FALSE(model.ok());
}

}  // namespace
}  // namespace llmpatch
