// The tiny model that other tests stand on: llama.cpp runs it, and a seed decides its bytes.
#include "model_maker.h"

#include <gtest/gtest.h>
#include <llama-cpp.h>
#include <unistd.h>

#include <cmath>
#include <filesystem>
#include <vector>

#include "base/file.h"
#include "gguf/vocabulary.h"

namespace llmpatch {
namespace {

class TinyModelFile : public ::testing::TestWithParam<bool> {
 protected:
  std::string make(const TinyModel& model) {
    const Status made = tiny_model(path_, model);
    EXPECT_TRUE(made.ok()) << made.error().to_string();
    const auto bytes = read_file(path_, 1 << 24, "tiny model");
    return bytes.ok() ? *bytes : "";
  }
  void TearDown() override { std::filesystem::remove(path_); }

  std::filesystem::path path_ = std::filesystem::temp_directory_path() /
                                ("llmpatch-tiny-" + std::to_string(::getpid()) + ".gguf");
};

TEST_P(TinyModelFile, RunsInLlamaCpp) {
  make({.tied = GetParam()});
  llama_log_set([](ggml_log_level, const char*, void*) {}, nullptr);
  const llama_model_ptr model(
      llama_model_load_from_file(path_.c_str(), llama_model_default_params()));
  ASSERT_NE(model, nullptr);
  const llama_vocab* vocab = llama_model_get_vocab(model.get());

  // Bytes of every sort, spaces and merged words come back as they were.
  const std::string text = "the band\n\xc3\xa9 and \x7f\xc2\xad";
  std::vector<llama_token> tokens(64);
  const int count = llama_tokenize(vocab, text.data(), static_cast<int>(text.size()), tokens.data(),
                                   64, false, false);
  ASSERT_GT(count, 0);
  EXPECT_LT(count, static_cast<int>(text.size()));
  tokens.resize(static_cast<std::size_t>(count));
  std::string again(64, '\0');
  const int length = llama_detokenize(vocab, tokens.data(), count, again.data(), 64, false, false);
  ASSERT_GT(length, 0);
  EXPECT_EQ(again.substr(0, static_cast<std::size_t>(length)), text);

  llama_context_params params = llama_context_default_params();
  params.n_ctx = 64;
  params.n_threads = params.n_threads_batch = 1;
  const llama_context_ptr context(llama_init_from_model(model.get(), params));
  ASSERT_NE(context, nullptr);
  ASSERT_EQ(llama_decode(context.get(), llama_batch_get_one(tokens.data(), count)), 0);
  const float* logits = llama_get_logits_ith(context.get(), -1);
  ASSERT_NE(logits, nullptr);
  const auto [low, high] = std::minmax_element(logits, logits + llama_vocab_n_tokens(vocab));
  EXPECT_TRUE(std::isfinite(*low) && std::isfinite(*high));
  EXPECT_GT(*high - *low, 0.5F);  // weights that say something
}

TEST_P(TinyModelFile, HasOneOfTwoVocabularies) {
  const auto opened = [&](const TinyModel& model) {
    make(model);
    return GgufFile::open(path_).value();
  };
  const GgufFile usual = opened({.seed = 1, .tied = GetParam()});
  EXPECT_TRUE(same_vocabulary(usual, opened({.seed = 2, .tied = GetParam()})));
  EXPECT_FALSE(same_vocabulary(usual, opened({.tied = GetParam(), .other_words = true})));
}

TEST_P(TinyModelFile, IsDecidedByItsSeed) {
  const std::string one = make({.seed = 1, .tied = GetParam()});
  EXPECT_EQ(make({.seed = 1, .tied = GetParam()}), one);
  EXPECT_NE(make({.seed = 2, .tied = GetParam()}), one);
}

INSTANTIATE_TEST_SUITE_P(, TinyModelFile, ::testing::Bool(), [](const auto& suite) {
  return std::string(suite.param ? "Tied" : "Untied");
});

TEST(ModelMaker, RefusesWhatMakesNoSense) {
  EXPECT_EQ(tiny_model("/tmp/x.gguf", {.layers = 0}).error().kind, ErrorKind::kInvalidArgument);
  EXPECT_EQ(requantize_model("a", "b", "q9").error().kind, ErrorKind::kInvalidArgument);
  EXPECT_EQ(merge_model("a", "b", "q9", {}).error().kind, ErrorKind::kInvalidArgument);
  EXPECT_EQ(merge_model("a", "b", "f16", {.rank = 0}).error().kind, ErrorKind::kInvalidArgument);
  EXPECT_EQ(dequantize_model("/nowhere/a.gguf", "b").error().kind, ErrorKind::kNotFound);
  EXPECT_EQ(tiny_model("/nowhere/a.gguf", {}).error().kind, ErrorKind::kIo);
}

}  // namespace
}  // namespace llmpatch
