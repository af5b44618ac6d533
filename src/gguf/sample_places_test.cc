#include "gguf/sample_places.h"

#include <gtest/gtest.h>

#include <map>
#include <set>

#include "gguf/tiny_test_model.h"
#include "patch/base_identity.h"

namespace llmpatch {
namespace {

// A model of `layers` layers with the seven matrices of a llama and an embedding; only the shapes
// matter, so the data is a sparse nothing.
GgufTestFile llama_shapes(int layers, std::uint64_t columns) {
  GgufTestFile file;
  const std::string zeros(columns * 4 * 4, '\0');
  file.tensor("token_embd.weight", {columns, 4}, 0, zeros);
  for (int layer = 0; layer < layers; ++layer) {
    const std::string block = "blk." + std::to_string(layer) + ".";
    for (const char* kind :
         {"attn_q", "attn_k", "attn_v", "attn_output", "ffn_gate", "ffn_up", "ffn_down"}) {
      file.tensor(block + kind + ".weight", {columns, 4}, 0, zeros);
    }
    file.tensor(block + "attn_norm.weight", {columns}, 0, zeros.substr(0, columns * 4));
    file.tensor(block + "attn_q.bias", {columns}, 0, zeros.substr(0, columns * 4));
  }
  return file;
}

TEST(SamplePlaces, CoverEveryKindOverTheLayers) {
  const auto file = open_gguf(llama_shapes(32, 576).bytes());
  ASSERT_TRUE(file.ok());
  const auto places = sample_places(*file);
  ASSERT_EQ(places.size(), kSampleStretches);
  std::map<std::string, std::set<std::string>> tensors;
  for (const SamplePlace& place : places) tensors[place.kind].insert(place.tensor->name);
  EXPECT_EQ(tensors.size(), 8u);
  for (const auto& [kind, names] : tensors) {
    EXPECT_EQ(names.size(), kind == "token_embd.weight" ? 1u : 4u) << kind;
  }
  EXPECT_TRUE(tensors["attn_k.weight"].contains("blk.0.attn_k.weight"));
  EXPECT_TRUE(tensors["ffn_up.weight"].contains("blk.30.ffn_up.weight"));
}

TEST(SamplePlaces, AreWholeStretchesInsideTheirRows) {
  for (const std::uint64_t columns : {1u, 64u, 255u, 256u, 576u, 1024u}) {
    const auto file = open_gguf(llama_shapes(3, columns).bytes());
    ASSERT_TRUE(file.ok());
    const auto places = sample_places(*file);
    ASSERT_FALSE(places.empty());
    std::set<std::tuple<std::string, std::uint64_t, std::uint64_t>> seen;
    for (const SamplePlace& place : places) {
      EXPECT_LT(place.row, place.tensor->rows());
      EXPECT_EQ(place.column % kStretchWeights, 0u);
      EXPECT_EQ(place.count, std::min<std::uint64_t>(columns, kStretchWeights));
      EXPECT_LE(place.column + place.count, columns);
      EXPECT_TRUE(seen.insert({place.tensor->name, place.row, place.column}).second);
    }
  }
}

TEST(SamplePlaces, DoNotDependOnTypesOrOrder) {
  const GgufFile model = TinyTestModel{}.open();
  const GgufFile other = TinyTestModel{.type = GGML_TYPE_Q4_K, .reversed = true}.open();
  const auto a = sample_places(model), b = sample_places(other);
  ASSERT_EQ(a.size(), b.size());
  for (std::size_t i = 0; i < a.size(); ++i) {
    EXPECT_EQ(a[i].tensor->name, b[i].tensor->name);
    EXPECT_EQ(a[i].row, b[i].row);
    EXPECT_EQ(a[i].column, b[i].column);
  }
}

// The rule is stored forever: these places were computed apart from this code, by a script that
// follows docs/format.md (Python's hashlib) for 2 kinds in 4 layers and an embedding of 8 rows.
TEST(SamplePlaces, FollowTheWrittenRule) {
  const GgufFile model = TinyTestModel{}.open();
  const auto places = sample_places(model);
  struct Expected {
    std::size_t index;
    const char* tensor;
    std::uint64_t row, column;
  };
  ASSERT_EQ(places.size(), 29u);
  for (const Expected& expected :
       {Expected{0, "blk.0.attn_q.weight", 1, 256}, Expected{1, "blk.0.ffn_up.weight", 2, 256},
        Expected{2, "token_embd.weight", 4, 0}, Expected{3, "blk.0.attn_q.weight", 3, 256},
        Expected{9, "blk.1.attn_q.weight", 13, 0}, Expected{17, "blk.2.attn_q.weight", 11, 0},
        Expected{28, "blk.3.ffn_up.weight", 13, 256}}) {
    const SamplePlace& place = places[expected.index];
    EXPECT_EQ(place.tensor->name, expected.tensor) << expected.index;
    EXPECT_EQ(place.row, expected.row) << expected.index;
    EXPECT_EQ(place.column, expected.column) << expected.index;
  }
}

TEST(SamplePlaces, OfAModelWithoutMatricesAreNone) {
  GgufTestFile file;
  file.floats("norm.weight", {4}, {1, 2, 3, 4});
  file.floats("blk.0.attn_q.bias", {2, 2}, {1, 2, 3, 4});  // not a weight
  const auto opened = open_gguf(file.bytes());
  ASSERT_TRUE(opened.ok());
  EXPECT_TRUE(sample_places(*opened).empty());
}

TEST(SamplePlaces, TakeOddLayerNamesAsKinds) {
  GgufTestFile file;
  for (const char* name : {"blk.weight", "blk..weight", "blk.x.a.weight", "blk.1.",
                           "blk.99999999999999999999.a.weight", "blk.7.weight"}) {
    file.floats(name, {2, 2}, {1, 2, 3, 4});
  }
  const auto opened = open_gguf(file.bytes());
  ASSERT_TRUE(opened.ok()) << opened.error().to_string();
  std::set<std::string> kinds;
  for (const SamplePlace& place : sample_places(*opened)) kinds.insert(place.kind);
  EXPECT_EQ(kinds, (std::set<std::string>{"blk.weight", "blk..weight", "blk.x.a.weight",
                                          "blk.99999999999999999999.a.weight", "weight"}));
}

}  // namespace
}  // namespace llmpatch
