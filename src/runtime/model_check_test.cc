#include "runtime/model_check.h"

#include <functional>

#include "runtime/test_models.h"

namespace llmpatch {
namespace {

// The tiny model's metadata with one key changed: GGUF takes a key once, so the file is made anew.
GgufTestFile changed(const std::function<void(GgufTestFile&)>& last,
                     const std::string& without = "") {
  GgufTestFile file;
  const auto keep = [&](const std::string& key, std::uint32_t value) {
    if (key != without) file.u32(key, value);
  };
  file.text("general.architecture", "llama");
  keep("llama.block_count", 1);
  keep("llama.context_length", 64);
  keep("llama.embedding_length", 8);
  keep("llama.feed_forward_length", 8);
  keep("llama.attention.head_count", 2);
  if (without != "tokenizer.ggml.model") file.text("tokenizer.ggml.model", "llama");
  if (without != "tokenizer.ggml.tokens") {
    std::vector<std::string> tokens;
    for (int i = 0; i < 20; ++i) tokens.push_back(std::string("t") + std::to_string(i));
    file.strings("tokenizer.ggml.tokens", tokens);
  }
  last(file);
  return file;
}

Status check(const GgufTestFile& file) {
  const auto opened = open_gguf(file.bytes());
  if (!opened.ok()) return opened.error();
  return check_model_file(*opened);
}

TEST(ModelCheck, PassesWhatIsWhole) {
  EXPECT_TRUE(check(changed([](GgufTestFile&) {})).ok());
  EXPECT_TRUE(check(tiny_model_file()).ok());
}

TEST(ModelCheck, WantsEverySize) {
  for (const char* key : {"llama.block_count", "llama.context_length", "llama.embedding_length",
                          "tokenizer.ggml.model", "tokenizer.ggml.tokens"}) {
    const Status status = check(changed([](GgufTestFile&) {}, key));
    ASSERT_FALSE(status.ok()) << key;
    EXPECT_EQ(status.error().kind, ErrorKind::kCorrupt) << status.error().to_string();
  }
}

TEST(ModelCheck, RefusesSizesLibllamaWouldAbortOn) {
  for (const auto& [key, value] :
       std::vector<std::pair<std::string, std::uint32_t>>{{"llama.block_count", 0},
                                                          {"llama.block_count", 513},
                                                          {"llama.embedding_length", 0},
                                                          {"llama.context_length", 0},
                                                          {"llama.attention.head_count", 0}}) {
    const Status status = check(changed([&](GgufTestFile& file) { file.u32(key, value); }, key));
    ASSERT_FALSE(status.ok()) << key;
    EXPECT_EQ(status.error().kind, ErrorKind::kCorrupt) << key;
    EXPECT_NE(status.error().message.find(key), std::string::npos) << status.error().message;
  }
  for (const auto& [key, value] :
       std::vector<std::pair<std::string, std::uint32_t>>{{"llama.expert_count", 1000},
                                                          {"llama.expert_count", 4},  // none used
                                                          {"llama.expert_used_count", 2},
                                                          {"llama.expert_group_count", 2},
                                                          {"llama.attention.head_count_kv", 0}}) {
    EXPECT_FALSE(check(changed([&](GgufTestFile& file) { file.u32(key, value); })).ok()) << key;
  }
}

TEST(ModelCheck, RefusesAVocabularyWithATokenTwice) {
  std::vector<std::string> tokens(20);
  for (std::size_t i = 0; i < tokens.size(); ++i)
    tokens[i] = std::string("t") + std::to_string(i / 2);
  const auto file =
      changed([&](GgufTestFile& made) { made.strings("tokenizer.ggml.tokens", tokens); },
              "tokenizer.ggml.tokens");
  EXPECT_EQ(check(file).error().kind, ErrorKind::kCorrupt);
}

TEST(ModelCheck, RefusesAModelWithoutVocabulary) {
  const auto file = changed([](GgufTestFile& made) { made.text("tokenizer.ggml.model", "none"); },
                            "tokenizer.ggml.model");
  EXPECT_EQ(check(file).error().kind, ErrorKind::kUnsupported);
}

TEST(ModelCheck, RefusesUnknownRopeScaling) {
  const auto file =
      changed([](GgufTestFile& made) { made.text("llama.rope.scaling.type", "magic"); });
  EXPECT_EQ(check(file).error().kind, ErrorKind::kUnsupported);
}

}  // namespace
}  // namespace llmpatch
