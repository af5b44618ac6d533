#include "gguf/identity.h"

#include <gtest/gtest.h>

#include "gguf/digests.h"
#include "gguf/tiny_test_model.h"

namespace llmpatch {
namespace {

BaseIdentity identity_of(const GgufFile& file) {
  const auto identity = compute_identity(file);
  EXPECT_TRUE(identity.ok()) << identity.error().to_string();
  return identity.ok() ? *identity : BaseIdentity{};
}

IdentityVerdict verdict(const TinyTestModel& recorded, const TinyTestModel& candidate) {
  const auto match = match_identity(identity_of(recorded.open()), candidate.open());
  EXPECT_TRUE(match.ok()) << match.error().to_string();
  return match.ok() ? match->verdict : IdentityVerdict::kDifferent;
}

constexpr ggml_type kTypes[] = {GGML_TYPE_F32,    GGML_TYPE_F16,  GGML_TYPE_BF16, GGML_TYPE_Q8_0,
                                GGML_TYPE_Q6_K,   GGML_TYPE_Q5_K, GGML_TYPE_Q5_1, GGML_TYPE_Q5_0,
                                GGML_TYPE_Q4_K,   GGML_TYPE_Q4_1, GGML_TYPE_Q4_0, GGML_TYPE_IQ4_XS,
                                GGML_TYPE_IQ4_NL, GGML_TYPE_Q3_K, GGML_TYPE_Q2_K};

TEST(Identity, SurvivesItsJson) {
  const BaseIdentity identity = identity_of(TinyTestModel{.type = GGML_TYPE_Q4_1}.open());
  EXPECT_EQ(identity.name, "Tiny");
  EXPECT_EQ(identity.architecture, "llama");
  ASSERT_FALSE(identity.sample.empty());
  EXPECT_EQ(identity.sample[0].type, "q4_1");
  EXPECT_EQ(identity.sample[0].bytes.size(), 256u / 32 * 20);
  const auto read = base_identity_from_json(base_identity_to_json(identity), "test");
  ASSERT_TRUE(read.ok()) << read.error().to_string();
  EXPECT_EQ(*read, identity);
}

TEST(Identity, OfTheSameFileIsExact) { EXPECT_EQ(verdict({}, {}), IdentityVerdict::kExact); }

TEST(Identity, EveryQuantisationIsTheSameFamily) {
  for (const ggml_type type : kTypes) {
    if (type == GGML_TYPE_F32) continue;
    EXPECT_EQ(verdict({}, {.type = type}), IdentityVerdict::kSameFamily) << ggml_type_name(type);
  }
}

// Names, order and the chat template are no part of the weights.
TEST(Identity, IgnoresWhatDoesNotMatter) {
  EXPECT_EQ(verdict({}, {.chat_template = "another"}), IdentityVerdict::kSameFamily);
  EXPECT_EQ(verdict({}, {.reversed = true}), IdentityVerdict::kSameFamily);
  EXPECT_EQ(verdict({}, {.wide_integers = true}), IdentityVerdict::kSameFamily);
}

TEST(Identity, ALightChangeIsNeverTheSameFamily) {
  for (const ggml_type recorded : {GGML_TYPE_F32, GGML_TYPE_F16, GGML_TYPE_Q8_0}) {
    for (const ggml_type type : kTypes) {
      EXPECT_NE(verdict({.type = recorded}, {.type = type, .change = 0.01}),
                IdentityVerdict::kSameFamily)
          << ggml_type_name(recorded) << " to " << ggml_type_name(type);
    }
  }
}

TEST(Identity, AHeavyChangeIsDifferent) {
  for (const ggml_type type : kTypes) {
    EXPECT_EQ(verdict({}, {.type = type, .change = 1}), IdentityVerdict::kDifferent)
        << ggml_type_name(type);
  }
}

TEST(Identity, AnotherModelIsDifferent) {
  EXPECT_EQ(verdict({}, {.architecture = "qwen2"}), IdentityVerdict::kDifferent);
  EXPECT_EQ(verdict({}, {.token = "deux"}), IdentityVerdict::kDifferent);
  EXPECT_EQ(verdict({}, {.norm = 1.0001F}), IdentityVerdict::kDifferent);
}

TEST(Identity, CodebookTypesAreUnconfirmed) {
  const BaseIdentity recorded = identity_of(TinyTestModel{}.open());
  const GgufFile model = TinyTestModel{}.open();
  GgufTestFile coarse;
  coarse.text("general.architecture", "llama");
  coarse.text("tokenizer.ggml.model", "gpt2");
  coarse.strings("tokenizer.ggml.tokens", {"one", "two", "three"});
  coarse.array("tokenizer.ggml.token_type", 5, 1, little_endian<std::int32_t>(3));
  for (const GgufTensor& tensor : model.tensors()) {
    if (tensor.rows() == 1) {
      coarse.tensor(tensor.name, {512}, GGML_TYPE_F32,
                    {reinterpret_cast<const char*>(tensor.data.data()), tensor.data.size()});
      continue;
    }
    std::vector<float> weights(tensor.elements());
    std::memcpy(weights.data(), tensor.data.data(), tensor.data.size());
    std::string bytes(ggml_row_size(GGML_TYPE_IQ3_XXS, 512) * tensor.rows(), '\0');
    ggml_quantize_chunk(GGML_TYPE_IQ3_XXS, weights.data(), bytes.data(), 0,
                        static_cast<std::int64_t>(tensor.rows()), 512, nullptr);
    coarse.tensor(tensor.name, {512, tensor.rows()}, GGML_TYPE_IQ3_XXS, bytes);
  }
  const auto opened = open_gguf(coarse.bytes());
  ASSERT_TRUE(opened.ok());
  const auto match = match_identity(recorded, *opened);
  ASSERT_TRUE(match.ok()) << match.error().to_string();
  EXPECT_EQ(match->verdict, IdentityVerdict::kUnconfirmed) << match->reason;
  EXPECT_NE(match->reason.find("too coarse"), std::string::npos) << match->reason;
}

// A recorded sample comes from a patch and may lie.
TEST(Identity, RefusesALyingRecord) {
  const BaseIdentity honest = identity_of(TinyTestModel{}.open());
  const GgufFile candidate = TinyTestModel{.type = GGML_TYPE_Q8_0}.open();
  const auto error_of = [&](const BaseIdentity& recorded) {
    const auto match = match_identity(recorded, candidate);
    return match.ok() ? ErrorKind::kInternal : match.error().kind;
  };
  BaseIdentity recorded = honest;
  recorded.sample.pop_back();
  EXPECT_EQ(error_of(recorded), ErrorKind::kCorrupt);
  recorded.sample.clear();
  EXPECT_EQ(error_of(recorded), ErrorKind::kCorrupt);
  recorded = honest;
  recorded.sample[0].bytes.pop_back();
  EXPECT_EQ(error_of(recorded), ErrorKind::kCorrupt);
  recorded = honest;
  recorded.sample[0].bytes.replace(0, 4, "\xff\xff\xff\x7f");  // NaN
  EXPECT_EQ(error_of(recorded), ErrorKind::kCorrupt);
  for (const char* type : {"q9_9", "i32", "F32", "DEPRECATED"}) {
    recorded = honest;
    recorded.sample[0].type = type;
    EXPECT_EQ(error_of(recorded), ErrorKind::kUnsupported) << type;
  }
}

TEST(Identity, RefusesWeightsThatAreNotFinite) {
  GgufTestFile file;
  file.text("general.architecture", "llama");
  file.floats("blk.0.attn_q.weight", {2, 2}, {NAN, NAN, NAN, NAN});
  const auto opened = open_gguf(file.bytes());
  ASSERT_TRUE(opened.ok());
  const auto identity = compute_identity(*opened);
  ASSERT_FALSE(identity.ok());
  EXPECT_EQ(identity.error().kind, ErrorKind::kCorrupt);
}

TEST(Identity, WithoutMatricesIsUnconfirmed) {
  GgufTestFile file;
  file.text("general.architecture", "llama");
  const std::string bytes = file.bytes();
  const auto opened = open_gguf(bytes);
  BaseIdentity recorded = identity_of(*opened);
  recorded.file = std::string(64, '0');
  EXPECT_EQ(match_identity(recorded, *opened)->verdict, IdentityVerdict::kUnconfirmed);
}

// The digests are stored forever: these were computed apart from this code, by a script that
// follows docs/format.md.
TEST(Digests, FollowTheWrittenRule) {
  GgufTestFile file;
  file.text("general.architecture", "llama");
  file.text("tokenizer.ggml.model", "gpt2");
  file.strings("tokenizer.ggml.tokens", {"a", "bc"});
  file.array("tokenizer.ggml.scores", 6, 1, little_endian(0.5F));
  file.array("tokenizer.ggml.token_type", 5, 2,
             little_endian<std::int32_t>(1) + little_endian<std::int32_t>(-3));
  file.u32("tokenizer.ggml.bos_token_id", 1);
  file.u32("tokenizer.ggml.eos_token_id", 7);  // no part of it
  file.key("tokenizer.ggml.add_bos_token", 7, "\x01");
  file.floats("b.weight", {2}, {1, 2});
  file.floats("a.weight", {2, 2}, {1, 2, 3, 4});
  const auto opened = open_gguf(file.bytes());
  ASSERT_TRUE(opened.ok());
  EXPECT_EQ(shapes_digest(*opened),
            "c550962438de86c8be07b4d7bceb68edba12f70e5a044a4879372371fd34d47e");
  EXPECT_EQ(tokenizer_digest(*opened),
            "9d215187aee1b7688765b054ee468e8359018ed52edc3f282455c5fa2e84b077");
  EXPECT_EQ(vectors_digest(*opened),
            "acbc14496a4763211061e93cb5d31a5b38724d1057bb49183fa4db969d733d49");
}

}  // namespace
}  // namespace llmpatch
