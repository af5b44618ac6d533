#include "runtime/adapters.h"

#include <cmath>
#include <cstring>
#include <functional>
#include <limits>

#include "runtime/control_vector.h"
#include "runtime/lora_file.h"
#include "runtime/test_adapters.h"
#include "runtime/test_models.h"

namespace llmpatch {
namespace {

constexpr std::size_t kWidth = 64, kFeedForward = 96, kRank = 2;  // of the tiny model; of adapters
constexpr float kAlpha = 4;

EngineOptions options_with(const Adapters& adapters) {
  EngineOptions options;
  options.exact = true;
  options.threads = 1;
  options.context = 64;
  options.max_concurrent = 2;
  options.adapters = adapters;
  return options;
}

// The logits behind some tokens, behind a prefix of two rows.
std::vector<float> logits_of(Engine& engine) {
  const PrefixId prefix = engine.add_prefix(engine.model().embed(letters(2, 5)).value()).value();
  std::vector<float> logits;
  const ScoreRequest request{letters(6), letters(3, 9), {{prefix}, Compose::kSequential}};
  const Status status = engine.logits(std::span(&request, 1), [&](auto, auto, auto row) {
    logits.insert(logits.end(), row.begin(), row.end());
  });
  EXPECT_TRUE(status.ok()) << status.error().to_string();
  return logits;
}

std::vector<float> logits_of(const Model& model, const Adapters& adapters = {}) {
  return logits_of(*make_engine(model, options_with(adapters)));
}

float difference(const std::vector<float>& a, const std::vector<float>& b) {
  EXPECT_EQ(a.size(), b.size());
  float most = 0;
  for (std::size_t i = 0; i < a.size(); ++i) most = std::max(most, std::abs(a[i] - b[i]));
  return most;
}

// Of logits whose largest are about 3, in f32: sums of up to 96 products in another order.
constexpr float kRounding = 1e-4F;
// What an adapter of these tests changes at least.
constexpr float kEffect = 0.05F;

struct Change {
  std::string tensor;
  std::size_t in = 0, out = 0;
  std::vector<float> a, b;  // [kRank, in], [out, kRank]
};

Change change_of(const std::string& tensor, std::size_t in, std::size_t out, std::uint32_t seed) {
  return {tensor, in, out, some_numbers(kRank * in, seed, 0.2F),
          some_numbers(out * kRank, seed + 1, 0.2F)};
}

const std::vector<Change>& changes() {
  static const std::vector<Change> all{change_of("blk.0.attn_q.weight", kWidth, kWidth, 1),
                                       change_of("blk.2.ffn_down.weight", kFeedForward, kWidth, 2)};
  return all;
}

std::string lora_bytes() {
  GgufTestFile file = lora_header();
  file.f32("adapter.lora.alpha", kAlpha);
  for (const Change& change : changes()) {
    file.floats(change.tensor + ".lora_a", {change.in, kRank}, change.a);
    file.floats(change.tensor + ".lora_b", {kRank, change.out}, change.b);
  }
  return file.bytes();
}

// The tiny model with factor * B A added to its matrices.
std::unique_ptr<Model> merged_model(float factor) {
  std::string bytes = tiny_model_file().bytes();
  const auto file = open_gguf(bytes);
  for (const Change& change : changes()) {
    const GgufTensor& tensor = *file->find(change.tensor);
    char* const data = bytes.data() + (tensor.data.data() - file->bytes().data());
    for (std::size_t o = 0; o < change.out; ++o) {
      for (std::size_t i = 0; i < change.in; ++i) {
        float weight = 0;
        char* const place = data + (o * change.in + i) * sizeof weight;
        std::memcpy(&weight, place, sizeof weight);
        for (std::size_t r = 0; r < kRank; ++r) {
          weight += factor * change.b[o * kRank + r] * change.a[r * change.in + i];
        }
        std::memcpy(place, &weight, sizeof weight);
      }
    }
  }
  auto model = load_bytes(bytes);
  EXPECT_TRUE(model.ok());
  return std::move(model).value();
}

TEST(Lora, IsTheMergedModel) {
  const TemporaryFile file(lora_bytes());
  const float scale = 0.5F;
  const std::vector<float> base = logits_of(tiny_model());
  const std::vector<float> adapted = logits_of(tiny_model(), {{{file.path(), scale}}, {}});
  const auto merged = merged_model(scale * kAlpha / static_cast<float>(kRank));
  EXPECT_LT(difference(adapted, logits_of(*merged)), kRounding);
  EXPECT_GT(difference(adapted, base), kEffect);
}

TEST(Lora, AddUp) {
  const TemporaryFile file(lora_bytes());
  const Adapters twice{{{file.path(), 0.25F}, {file.path(), 0.25F}}, {}};
  EXPECT_LT(difference(logits_of(tiny_model(), twice),
                       logits_of(tiny_model(), {{{file.path(), 0.5F}}, {}})),
            kRounding);
}

TEST(Lora, LeavesOtherEnginesOfTheModelAlone) {
  const TemporaryFile file(lora_bytes());
  const auto engine = make_engine(tiny_model(), options_with({}));
  const std::vector<float> before = logits_of(*engine);
  {
    const auto adapted = make_engine(tiny_model(), options_with({{{file.path(), 1}}, {}}));
    EXPECT_GT(difference(logits_of(*adapted), before), kEffect);
    EXPECT_EQ(logits_of(*engine), before);
  }
  EXPECT_EQ(logits_of(*engine), before);
  EXPECT_EQ(logits_of(tiny_model()), before);
}

TEST(Lora, OfScaleZeroIsNothing) {
  const TemporaryFile file(lora_bytes());
  EXPECT_EQ(logits_of(tiny_model(), {{{file.path(), 0}}, {}}), logits_of(tiny_model()));
}

std::string control_vector_bytes() {
  GgufTestFile file = control_vector_header();
  file.floats("direction.1", {kWidth}, some_numbers(kWidth, 7, 0.5F));
  file.floats("direction.2", {kWidth}, some_numbers(kWidth, 8, 0.5F));
  return file.bytes();
}

// The tiny model whose blocks add `scale` times the directions themselves: as the bias of what a
// block adds last.
std::unique_ptr<Model> biased_model(float scale, bool first, bool second) {
  GgufTestFile file = tiny_model_file();
  for (std::uint32_t layer = 1; layer <= 2; ++layer) {
    if (layer == 1 ? !first : !second) continue;
    std::vector<float> bias = some_numbers(kWidth, 6 + layer, 0.5F);
    for (float& value : bias) value *= scale;
    file.floats("blk." + std::to_string(layer) + ".ffn_down.bias", {kWidth}, bias);
  }
  auto model = load_bytes(file.bytes());
  EXPECT_TRUE(model.ok()) << model.error().to_string();
  return std::move(model).value();
}

TEST(ControlVectorTest, IsABiasOfWhatBlocksPutOut) {
  const TemporaryFile file(control_vector_bytes());
  const std::vector<float> base = logits_of(tiny_model());
  const std::vector<float> both = logits_of(tiny_model(), {{}, {{file.path(), 0.8F, 0, 0}}});
  EXPECT_LT(difference(both, logits_of(*biased_model(0.8F, true, true))), kRounding);
  EXPECT_GT(difference(both, base), kEffect);
  const std::vector<float> last = logits_of(tiny_model(), {{}, {{file.path(), 0.8F, 2, 2}}});
  EXPECT_LT(difference(last, logits_of(*biased_model(0.8F, false, true))), kRounding);
  const std::vector<float> first = logits_of(tiny_model(), {{}, {{file.path(), 0.8F, 1, 1}}});
  EXPECT_LT(difference(first, logits_of(*biased_model(0.8F, true, false))), kRounding);
}

TEST(ControlVectorTest, OfScaleZeroIsNothing) {
  const TemporaryFile file(control_vector_bytes());
  EXPECT_EQ(logits_of(tiny_model(), {{}, {{file.path(), 0, 0, 0}}}), logits_of(tiny_model()));
}

// What an Engine says of a LoRA file that `make` fills in.
Error refused_lora(const std::function<void(GgufTestFile&)>& make,
                   GgufTestFile file = lora_header()) {
  make(file);
  const TemporaryFile written(file.bytes());
  const auto engine = Engine::create(tiny_model(), options_with({{{written.path(), 1}}, {}}));
  EXPECT_FALSE(engine.ok());
  return engine.ok() ? Error() : engine.error();
}

void add_pair(GgufTestFile& file, const std::string& tensor, std::vector<std::uint64_t> a,
              std::vector<std::uint64_t> b, float value = 0.1F) {
  const auto size = [](const std::vector<std::uint64_t>& ne) {
    std::uint64_t n = 1;
    for (const std::uint64_t extent : ne) n *= extent;
    return n;
  };
  file.floats(tensor + ".lora_a", a, std::vector<float>(size(a), value));
  file.floats(tensor + ".lora_b", b, std::vector<float>(size(b), value));
}

void expect_error(const Error& error, ErrorKind kind, const std::string& part) {
  EXPECT_EQ(error.kind, kind) << error.to_string();
  EXPECT_NE(error.message.find(part), std::string::npos) << error.to_string();
}

TEST(Lora, ThatIsNoneIsRefused) {
  const auto nothing = [](GgufTestFile&) {};
  expect_error(refused_lora(nothing, tiny_model_file()), ErrorKind::kInvalidArgument,
               "found no general.type");
  GgufTestFile other;
  other.text("general.type", "adapter");
  other.text("general.architecture", "llama");
  other.text("adapter.type", "loha");
  expect_error(refused_lora(nothing, other), ErrorKind::kUnsupported, "adapter.type");
  GgufTestFile numbered;
  numbered.u32("general.type", 3);  // libllama would abort
  expect_error(refused_lora(nothing, numbered), ErrorKind::kCorrupt, "general.type");
  expect_error(refused_lora(nothing), ErrorKind::kCorrupt, "found no tensors");
  expect_error(refused_lora([](GgufTestFile& file) {
                 file.array("adapter.alora.invocation_tokens", 4, 1, little_endian(3U));
               }),
               ErrorKind::kUnsupported, "waits for a token");

  const auto engine = Engine::create(tiny_model(), options_with({{{"/none.gguf", 1}}, {}}));
  ASSERT_FALSE(engine.ok());
  expect_error(engine.error(), ErrorKind::kNotFound, "LoRA adapter");
}

TEST(Lora, OfAnotherModelIsRefused) {
  const std::string q = "blk.0.attn_q.weight";
  expect_error(refused_lora(
                   [&](GgufTestFile& file) {
                     add_pair(file, q, {64, 2}, {2, 64});
                   },
                   lora_header("qwen2")),
               ErrorKind::kMismatch, "\"qwen2\", expected \"llama\"");
  expect_error(refused_lora([&](GgufTestFile& file) {
                 add_pair(file, q, {32, 2}, {2, 64});
               }),
               ErrorKind::kMismatch, "[32, 64], expected [64, 64]");
  expect_error(refused_lora([&](GgufTestFile& file) {
                 add_pair(file, q, {64, 2}, {2, 65});
               }),
               ErrorKind::kMismatch, "[64, 65], expected [64, 64]");
  expect_error(refused_lora([&](GgufTestFile& file) {
                 add_pair(file, q, {64, 2, 3}, {2, 64, 3});
               }),
               ErrorKind::kMismatch, "expected [64, 64]");
  expect_error(refused_lora([&](GgufTestFile& file) {
                 add_pair(file, "blk.3.attn_q.weight", {64, 2}, {2, 64});
               }),
               ErrorKind::kMismatch, "none of that name");
}

TEST(Lora, ThatIsBrokenIsRefused) {
  const std::string q = "blk.0.attn_q.weight";
  const std::vector<float> half(128, 0.1F);
  expect_error(refused_lora([&](GgufTestFile& file) {
                 file.floats(q + ".lora_a", {64, 2}, half);
               }),
               ErrorKind::kCorrupt, "lora_a without lora_b");
  expect_error(refused_lora([&](GgufTestFile& file) {
                 file.floats(q + ".lora_b", {2, 64}, half);
               }),
               ErrorKind::kCorrupt, "lora_b without lora_a");
  expect_error(refused_lora([&](GgufTestFile& file) {
                 add_pair(file, q, {64, 2}, {3, 64});
               }),
               ErrorKind::kCorrupt, "expected one rank in both");
  expect_error(refused_lora([&](GgufTestFile& file) {
                 file.floats(q, {64, 2}, half);
               }),
               ErrorKind::kCorrupt, "neither lora_a nor lora_b");
  expect_error(refused_lora([&](GgufTestFile& file) {
                 add_pair(file, q, {64, 2}, {2, 64}, std::numeric_limits<float>::quiet_NaN());
               }),
               ErrorKind::kCorrupt, "not finite");
  // libllama reads a float whatever the file holds: a number of another type would abort.
  expect_error(refused_lora([&](GgufTestFile& file) {
                 file.text("adapter.lora.alpha", "sixteen");
                 add_pair(file, q, {64, 2}, {2, 64});
               }),
               ErrorKind::kCorrupt, "adapter.lora.alpha");
  expect_error(refused_lora([&](GgufTestFile& file) {
                 file.f32("adapter.lora.alpha", std::numeric_limits<float>::infinity());
                 add_pair(file, q, {64, 2}, {2, 64});
               }),
               ErrorKind::kCorrupt, "adapter.lora.alpha");
}

TEST(Lora, WithAnAlphaOfAnotherWidthIsTheSame) {
  // As f64, which libllama's own reader would abort on.
  GgufTestFile file = lora_header();
  file.key("adapter.lora.alpha", 12, little_endian(static_cast<double>(kAlpha)));
  for (const Change& change : changes()) {
    file.floats(change.tensor + ".lora_a", {change.in, kRank}, change.a);
    file.floats(change.tensor + ".lora_b", {kRank, change.out}, change.b);
  }
  const TemporaryFile wide(file.bytes()), usual(lora_bytes());
  EXPECT_EQ(logits_of(tiny_model(), {{{wide.path(), 1}}, {}}),
            logits_of(tiny_model(), {{{usual.path(), 1}}, {}}));
}

TEST(Lora, ThatLibllamaCannotApplyIsRefused) {
  expect_error(refused_lora([](GgufTestFile& file) {
                 file.floats("blk.0.attn_norm.weight", {64}, std::vector<float>(64, 1));
               }),
               ErrorKind::kUnsupported, "leave the norm out");
  expect_error(refused_lora([](GgufTestFile& file) {
                 add_pair(file, "blk.0.attn_norm.weight", {64, 2}, {2, 1});
               }),
               ErrorKind::kUnsupported, "no matrix");
  // The tiny model's output layer is its embedding table: libllama's graph would abort.
  expect_error(refused_lora([](GgufTestFile& file) {
                 add_pair(file, "token_embd.weight", {2, 300}, {2, 64});
               }),
               ErrorKind::kUnsupported, "output layer too");
  expect_error(refused_lora([](GgufTestFile& file) {
                 file.tensor("blk.0.attn_q.weight.lora_a", {64, 2}, 26, std::string(512, '\0'));
                 file.floats("blk.0.attn_q.weight.lora_b", {2, 64}, std::vector<float>(128, 1));
               }),
               ErrorKind::kUnsupported, "expected F32, F16, BF16 or Q8_0");
}

TEST(Lora, ScaleMustBeFinite) {
  const TemporaryFile file(lora_bytes());
  const auto engine = Engine::create(
      tiny_model(), options_with({{{file.path(), std::numeric_limits<float>::infinity()}}, {}}));
  ASSERT_FALSE(engine.ok());
  expect_error(engine.error(), ErrorKind::kInvalidArgument, "scale");
}

Error refused_vector(const std::function<void(GgufTestFile&)>& make,
                     GgufTestFile file = control_vector_header(), ControlVector wanted = {}) {
  make(file);
  const TemporaryFile written(file.bytes());
  wanted.path = written.path();
  const auto engine = Engine::create(tiny_model(), options_with({{}, wanted}));
  EXPECT_FALSE(engine.ok());
  return engine.ok() ? Error() : engine.error();
}

TEST(ControlVectorTest, ThatIsNoneIsRefused) {
  const auto nothing = [](GgufTestFile&) {};
  expect_error(refused_vector(nothing, tiny_model_file()), ErrorKind::kInvalidArgument,
               "expected \"controlvector\"");
  expect_error(refused_vector(nothing), ErrorKind::kCorrupt, "found no direction");
  expect_error(refused_vector(nothing, control_vector_header("qwen2")), ErrorKind::kMismatch,
               "\"qwen2\", expected \"llama\"");
}

TEST(ControlVectorTest, ThatDoesNotFitIsRefused) {
  const std::vector<float> row(kWidth, 0.5F);
  const auto with = [&](const std::string& name) {
    return [&, name](GgufTestFile& file) { file.floats(name, {kWidth}, row); };
  };
  expect_error(refused_vector([](GgufTestFile& file) {
                 file.floats("direction.1", {32}, std::vector<float>(32, 1));
               }),
               ErrorKind::kMismatch, "width 32, expected 64");
  expect_error(refused_vector(with("direction.3")), ErrorKind::kMismatch, "at most direction.2");
  expect_error(refused_vector(with("direction.4294967297")), ErrorKind::kMismatch, "direction.2");
  for (const char* name : {"direction.0", "direction.01", "direction.-1", "direction.", "vector.1",
                           "direction.1x", "direction.99999999999999999999"}) {
    expect_error(refused_vector(with(name)), ErrorKind::kCorrupt, "another name");
  }
  expect_error(refused_vector([&](GgufTestFile& file) {
                 file.floats("direction.1", {32, 2}, row);
               }),
               ErrorKind::kCorrupt, "another type or shape");
  expect_error(refused_vector([&](GgufTestFile& file) {
                 file.tensor("direction.1", {kWidth}, 1, std::string(128, '\0'));
               }),
               ErrorKind::kCorrupt, "another type or shape");
  expect_error(refused_vector([&](GgufTestFile& file) {
                 std::vector<float> broken = row;
                 broken[5] = std::numeric_limits<float>::infinity();
                 file.floats("direction.1", {kWidth}, broken);
               }),
               ErrorKind::kCorrupt, "not finite");
}

TEST(ControlVectorTest, LayersMustBeTheModels) {
  const auto one = [](GgufTestFile& file) {
    file.floats("direction.1", {kWidth}, std::vector<float>(kWidth, 1));
  };
  for (const auto& [first, last] : {std::pair(1, 3), std::pair(2, 1), std::pair(-1, 2)}) {
    expect_error(refused_vector(one, control_vector_header(), {{}, 1, first, last}),
                 ErrorKind::kInvalidArgument, "expected a range within 1 to 2");
  }
  expect_error(refused_vector(one, control_vector_header(), {{}, std::nanf(""), 0, 0}),
               ErrorKind::kInvalidArgument, "scale");
}

TEST(ControlVectorTest, KnowsTheNamesOfHuggingFace) {
  GgufTestFile file = control_vector_header("mistral");
  file.floats("direction.1", {kWidth}, std::vector<float>(kWidth, 1));
  const TemporaryFile written(file.bytes());
  EXPECT_TRUE(read_control_vector({written.path(), 1, 0, 0}, {"llama", 3, kWidth}).ok());
  EXPECT_FALSE(read_control_vector({written.path(), 1, 0, 0}, {"gemma3", 3, kWidth}).ok());
}

}  // namespace
}  // namespace llmpatch
