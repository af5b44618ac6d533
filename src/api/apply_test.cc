#include "llmpatch/apply.h"

#include <llama.h>

#include <cmath>
#include <memory>

#include "api/test_api.h"

namespace llmpatch {
namespace {

using Logits = std::vector<float>;

// With F32 weights and cache, where ways to compute the same differ in the order of sums alone.
constexpr float kRounding = 1e-5F;

float difference(const Logits& a, const Logits& b) {
  EXPECT_EQ(a.size(), b.size());
  float most = 0;
  for (std::size_t i = 0; i < a.size(); ++i) most = std::max(most, std::abs(a[i] - b[i]));
  return most;
}

// A context as a program that uses the library would make it.
class OwnContext {
 public:
  explicit OwnContext(std::uint32_t cells = 256, bool unified = true,
                      const Model& model = tiny_model()) {
    llama_context_params params = llama_context_default_params();
    params.n_ctx = cells;
    params.n_seq_max = kSequences;
    params.kv_unified = unified;
    params.type_k = params.type_v = GGML_TYPE_F32;
    params.flash_attn_type = LLAMA_FLASH_ATTN_TYPE_DISABLED;
    params.n_threads = params.n_threads_batch = 1;
    context_.reset(llama_init_from_model(model.handle(), params));
    EXPECT_NE(context_, nullptr);
  }

  static constexpr std::uint32_t kSequences = 4;

  llama_context* get() const { return context_.get(); }
  llama_pos last(llama_seq_id sequence) const {
    return llama_memory_seq_pos_max(llama_get_memory(get()), sequence);
  }
  // The logits behind `tokens` at positions from `first` on.
  Logits decode(const Tokens& tokens, llama_pos first, llama_seq_id sequence) const {
    llama_batch batch = llama_batch_init(static_cast<std::int32_t>(tokens.size()), 0, 1);
    for (const Token token : tokens) {
      const std::int32_t i = batch.n_tokens++;
      batch.token[i] = token;
      batch.pos[i] = first + i;
      batch.n_seq_id[i] = 1;
      batch.seq_id[i][0] = sequence;
      batch.logits[i] = i + 1 == static_cast<std::int32_t>(tokens.size());
    }
    EXPECT_EQ(llama_decode(get(), batch), 0);
    llama_batch_free(batch);
    const float* row = llama_get_logits_ith(get(), -1);
    return Logits(row, row + tiny_model().n_vocab());
  }

 private:
  struct Free {
    void operator()(llama_context* context) const { llama_free(context); }
  };
  std::unique_ptr<llama_context, Free> context_;
};

Tokens joined(Tokens first, const Tokens& second) {
  first.insert(first.end(), second.begin(), second.end());
  return first;
}

class Apply : public testing::Test {
 protected:
  PatchStack stack(std::vector<SafetyPatch> patches, Compose compose = Compose::kSequential) const {
    return PatchStack::make(tiny_base(), std::move(patches), {.compose = compose}).value();
  }

  Vendor vendor_;
  const Tokens seven_ = letters(7, 1), twelve_ = letters(12, 5), prompt_ = letters(9, 3);
  const SafetyPatch a_ = vendor_.make("a", rows_of(seven_)),
                    b_ = vendor_.make("b", rows_of(twelve_));
};

TEST_F(Apply, RowsActAsTheirTokens) {
  const OwnContext context;
  const auto prefix = apply(context.get(), stack({a_}), 1);
  ASSERT_TRUE(prefix.ok()) << prefix.error().to_string();
  EXPECT_EQ(prefix->sequence, 1);
  EXPECT_EQ(prefix->next, 7);
  const Logits patched = context.decode(prompt_, prefix->next, 1);
  EXPECT_LE(difference(patched, OwnContext().decode(joined(seven_, prompt_), 0, 0)), kRounding);
  EXPECT_GT(difference(patched, OwnContext().decode(prompt_, 0, 0)), 1e-2F);
}

TEST_F(Apply, SequentialIsOneBehindTheOther) {
  const OwnContext context;
  const auto prefix = apply(context.get(), stack({b_, a_}), 0);
  ASSERT_TRUE(prefix.ok()) << prefix.error().to_string();
  EXPECT_EQ(prefix->next, 19);
  const Tokens text = joined(joined(twelve_, seven_), prompt_);
  EXPECT_LE(difference(context.decode(prompt_, 19, 0), OwnContext().decode(text, 0, 0)), kRounding);
}

TEST_F(Apply, ParallelIsTheEnginesAndHasNoOrder) {
  EngineOptions options;
  options.exact = true;
  options.threads = 1;
  options.context = 256;
  const auto engine = make_engine(tiny_model(), options);
  const PrefixId a = engine->add_prefix(rows_of(seven_)).value();
  const PrefixId b = engine->add_prefix(rows_of(twelve_)).value();
  Logits expected;
  ASSERT_TRUE(
      engine
          ->logits(std::vector<ScoreRequest>{{prompt_, {Token{260}}, {{a, b}, Compose::kParallel}}},
                   [&](std::size_t, std::size_t, std::span<const float> row) {
                     expected.assign(row.begin(), row.end());
                   })
          .ok());

  std::vector<Logits> found;
  for (const auto& patches : {std::vector{a_, b_}, std::vector{b_, a_}}) {
    const OwnContext context;
    const auto prefix = apply(context.get(), stack(patches, Compose::kParallel), 2, 3);
    ASSERT_TRUE(prefix.ok()) << prefix.error().to_string();
    EXPECT_EQ(prefix->next, 12);
    EXPECT_EQ(context.last(3), -1);
    found.push_back(context.decode(prompt_, prefix->next, 2));
    EXPECT_LE(difference(found.back(), expected), kRounding);
  }
  EXPECT_EQ(found[0], found[1]);
}

TEST_F(Apply, OnePatchInParallelNeedsNoScratchSequence) {
  const OwnContext context;
  const auto prefix = apply(context.get(), stack({a_}, Compose::kParallel), 0);
  ASSERT_TRUE(prefix.ok()) << prefix.error().to_string();
  EXPECT_EQ(prefix->next, 7);
}

TEST_F(Apply, CopiesServeRequestsOfTheirOwn) {
  for (const bool unified : {true, false}) {
    const OwnContext context(1024, unified);
    const auto prefix = apply(context.get(), stack({a_}), 0);
    ASSERT_TRUE(prefix.ok()) << prefix.error().to_string();
    const Tokens other = letters(4, 8);
    for (const llama_seq_id request : {1, 2}) {
      ASSERT_TRUE(copy_prefix(context.get(), *prefix, request).ok());
      EXPECT_EQ(context.last(request), 6);
    }
    const Logits first = context.decode(prompt_, prefix->next, 1);
    const Logits second = context.decode(other, prefix->next, 2);
    EXPECT_LE(difference(first, OwnContext().decode(joined(seven_, prompt_), 0, 0)), kRounding);
    EXPECT_LE(difference(second, OwnContext().decode(joined(seven_, other), 0, 0)), kRounding);
    EXPECT_EQ(context.last(0), 6);
  }
}

TEST_F(Apply, ASequenceMustBeThereAndEmpty) {
  const OwnContext context;
  expect_error(apply(nullptr, stack({a_}), 0), ErrorKind::kInvalidArgument, "found none");
  for (const int sequence : {-1, 4}) {
    expect_error(apply(context.get(), stack({a_}), sequence), ErrorKind::kInvalidArgument,
                 "expected 0 to 3");
  }
  context.decode(prompt_, 0, 1);
  expect_error(apply(context.get(), stack({a_}), 1), ErrorKind::kInvalidArgument,
               "up to position 8");
  EXPECT_EQ(context.last(1), 8) << "what is the caller's stays";
}

TEST_F(Apply, SeveralInParallelNeedAScratchSequence) {
  const OwnContext context;
  const PatchStack both = stack({a_, b_}, Compose::kParallel);
  expect_error(apply(context.get(), both, 0), ErrorKind::kInvalidArgument, "scratch");
  expect_error(apply(context.get(), both, 0, 0), ErrorKind::kInvalidArgument, "scratch");
  context.decode(prompt_, 0, 1);
  expect_error(apply(context.get(), both, 0, 1), ErrorKind::kInvalidArgument, "scratch");
  expect_error(apply(OwnContext(1024, false).get(), both, 0, 1), ErrorKind::kUnsupported,
               "unified");
}

TEST_F(Apply, ToAnotherModelIsRefused) {
  const OwnContext other(256, true, smollm2());
  expect_error(apply(other.get(), stack({a_}), 0), ErrorKind::kMismatch, "tokens: found 49152");
  const SafetyPatch narrow = vendor_.make("narrow", small_patch().rows);
  expect_error(apply(OwnContext().get(), stack({narrow}), 0), ErrorKind::kMismatch,
               "rows of width: found 4, expected 64");
}

// More rows than cells, decoded in two batches of which the first fits.
TEST_F(Apply, WithoutRoomLeavesNothingBehind) {
  const OwnContext context(256);
  Rows many{300, 64, std::vector<float>(300 * 64, 0.1F)};
  const SafetyPatch large = vendor_.make("large", many);
  expect_error(apply(context.get(), stack({large}), 0), ErrorKind::kLimit, "no free cells");
  EXPECT_EQ(context.last(0), -1);
  expect_error(apply(context.get(), stack({a_, large}, Compose::kParallel), 0, 1),
               ErrorKind::kLimit, "no free cells");
  EXPECT_EQ(context.last(0), -1);
  EXPECT_EQ(context.last(1), -1);
}

TEST_F(Apply, AnAbortLeavesNothingBehind) {
  const OwnContext context;
  llama_set_abort_callback(
      context.get(), [](void*) { return true; }, nullptr);
  expect_error(apply(context.get(), stack({a_}), 0), ErrorKind::kCancelled, "interrupted");
  EXPECT_EQ(context.last(0), -1);
}

TEST_F(Apply, OnlyAnUntouchedPrefixIsCopied) {
  const OwnContext context;
  const Prefix prefix = apply(context.get(), stack({a_}), 0).value();
  expect_error(copy_prefix(context.get(), prefix, 0), ErrorKind::kInvalidArgument, "sequence 0");
  expect_error(copy_prefix(context.get(), prefix, 4), ErrorKind::kInvalidArgument, "0 to 3");
  expect_error(copy_prefix(context.get(), {9, 7}, 1), ErrorKind::kInvalidArgument,
               "prefix: found 9");
  expect_error(copy_prefix(context.get(), {2, 0}, 1), ErrorKind::kInvalidArgument, "sequence 2");
  context.decode(prompt_, prefix.next, 0);
  expect_error(copy_prefix(context.get(), prefix, 1), ErrorKind::kInvalidArgument,
               "found 16 positions, expected the 7");
  llama_memory_seq_rm(llama_get_memory(context.get()), 0, -1, -1);
  expect_error(copy_prefix(context.get(), prefix, 1), ErrorKind::kInvalidArgument, "found 0");
  EXPECT_EQ(context.last(1), -1);
}

TEST(Version, IsThatOfTheLibraries) {
  EXPECT_STREQ(built_with_llama_cpp(), llama_version());
  EXPECT_NE(std::string(version()), "");
}

}  // namespace
}  // namespace llmpatch
