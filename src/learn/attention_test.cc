#include "learn/attention.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace llmpatch {
namespace {

const AttentionShape kShape{4, 2, 16, 0.25};

// Attention by LibTorch's own operators with the whole mask written out.
torch::Tensor masked_attention(const torch::Tensor& qkv, const Layout& layout) {
  const auto rows = layout.rows, size = kShape.head_size;
  torch::Tensor mask =
      torch::full({rows, rows}, -std::numeric_limits<double>::infinity(), torch::kDouble);
  for (const auto& span : layout.spans) {
    const auto batch_row = [&](std::int64_t visible) {
      return visible < span.before ? visible : span.start + visible - span.before;
    };
    for (std::int64_t i = 0; i < span.length; ++i) {
      const auto index = static_cast<std::size_t>(i);
      for (std::int64_t j = 0; j <= span.before + i; ++j) {
        if (j < span.shared[index] || j >= span.own[index]) mask[span.start + i][batch_row(j)] = 0;
      }
    }
  }
  const auto parts = qkv.split_with_sizes({4 * size, 2 * size, 2 * size}, -1);
  const auto heads = [&](const torch::Tensor& part, std::int64_t count) {
    return part.view({rows, count, size}).transpose(0, 1);
  };
  const torch::Tensor q = heads(parts[0], 4);
  const torch::Tensor k = heads(parts[1], 2).repeat_interleave(2, 0);
  const torch::Tensor v = heads(parts[2], 2).repeat_interleave(2, 0);
  const torch::Tensor scores = torch::matmul(q, k.transpose(1, 2)) * kShape.scale + mask;
  return torch::matmul(torch::softmax(scores, -1), v).transpose(0, 1).reshape({rows, 4 * size});
}

class Attention : public ::testing::Test {
 protected:
  Attention() {
    torch::manual_seed(1);
    // One sequence is longer than a block of the kernel.
    layout_ =
        pack({{Tokens(90, 5), {Tokens(9, 1), Tokens(30, 2)}}, {{5, 5, 7}, {{1}}}, {{8, 9}, {}}}, 7);
    qkv_ = torch::randn({layout_.rows, kShape.columns()}, torch::kDouble);
    weight_ = torch::randn({layout_.rows, 64}, torch::kDouble);
    cos_ = torch::ones({layout_.rows, 8}, torch::kDouble);  // no rotation
    sin_ = torch::zeros({layout_.rows, 8}, torch::kDouble);
  }
  Layout layout_;
  torch::Tensor qkv_, weight_, cos_, sin_;
};

TEST_F(Attention, AgreesWithMaskedAttentionForwardAndBackward) {
  torch::Tensor ours = qkv_.clone().requires_grad_(true);
  torch::Tensor theirs = qkv_.clone().requires_grad_(true);
  const torch::Tensor out = prefix_attention(ours, cos_, sin_, layout_, kShape);
  const torch::Tensor expected = masked_attention(theirs, layout_);
  EXPECT_LE((out - expected).abs().max().item<double>(), 1e-12);
  (out * weight_).sum().backward();
  (expected * weight_).sum().backward();
  EXPECT_LE((ours.grad() - theirs.grad()).abs().max().item<double>(), 1e-11);
}

TEST_F(Attention, AgreesWithMaskedAttentionBesideACompanion) {
  layout_ = pack({{Tokens(70, 5), {Tokens(9, 1)}}, {{5, 5, 7}, {{1, 2}}}, {{8, 9}, {}}}, 7,
                 torch::zeros({11, 1}));
  qkv_ = torch::randn({layout_.rows, kShape.columns()}, torch::kDouble);
  weight_ = torch::randn({layout_.rows, 64}, torch::kDouble);
  cos_ = torch::ones({layout_.rows, 8}, torch::kDouble);
  sin_ = torch::zeros({layout_.rows, 8}, torch::kDouble);
  torch::Tensor ours = qkv_.clone().requires_grad_(true);
  torch::Tensor theirs = qkv_.clone().requires_grad_(true);
  const torch::Tensor out = prefix_attention(ours, cos_, sin_, layout_, kShape);
  const torch::Tensor expected = masked_attention(theirs, layout_);
  EXPECT_LE((out - expected).abs().max().item<double>(), 1e-12);
  (out * weight_).sum().backward();
  (expected * weight_).sum().backward();
  EXPECT_LE((ours.grad() - theirs.grad()).abs().max().item<double>(), 1e-11);
}

TEST_F(Attention, RotatesQueriesAndKeysButNotValues) {
  const torch::Tensor angles = torch::rand({layout_.rows, 8}, torch::kDouble) * 6;
  torch::Tensor ours = qkv_.clone().requires_grad_(true);
  torch::Tensor theirs = qkv_.clone().requires_grad_(true);
  const torch::Tensor turn = torch::polar(torch::ones_like(angles), angles).unsqueeze(1);
  const auto parts = theirs.split_with_sizes({96, 32}, -1);
  const torch::Tensor turned =
      torch::view_as_real(torch::view_as_complex(parts[0].reshape({layout_.rows, 6, 8, 2})) * turn)
          .reshape({layout_.rows, 96});
  const torch::Tensor expected = masked_attention(torch::cat({turned, parts[1]}, -1), layout_);
  const torch::Tensor out = prefix_attention(ours, angles.cos(), angles.sin(), layout_, kShape);
  EXPECT_LE((out - expected).abs().max().item<double>(), 1e-12);
  (out * weight_).sum().backward();
  (expected * weight_).sum().backward();
  EXPECT_LE((ours.grad() - theirs.grad()).abs().max().item<double>(), 1e-11);
}

TEST_F(Attention, Bf16StaysWithinItsRounding) {
  const torch::Tensor out = prefix_attention(qkv_.to(torch::kBFloat16), cos_.to(torch::kFloat32),
                                             sin_.to(torch::kFloat32), layout_, kShape);
  const torch::Tensor expected =
      masked_attention(qkv_.to(torch::kBFloat16).to(torch::kDouble), layout_);
  // The result alone is rounded: half a unit in the last of 8 bits, plus f32's error.
  const torch::Tensor bound = expected.abs() / 256 + 1e-5;
  EXPECT_TRUE(((out.to(torch::kDouble) - expected).abs() <= bound).all().item<bool>());
}

}  // namespace
}  // namespace llmpatch
