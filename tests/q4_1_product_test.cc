// The products of Q4_1 matrices that cmake/llama adds to ggml, through ggml's own graph.
#include <ggml-cpu.h>
#include <ggml.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <random>
#include <vector>

namespace {

constexpr std::int64_t kBlock = 32;

std::vector<float> random_values(std::int64_t count, unsigned seed) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal;
  std::vector<float> values(static_cast<std::size_t>(count));
  for (float& value : values) value = normal(random);
  return values;
}

std::vector<char> quantize(ggml_type type, const std::vector<float>& values, std::int64_t width) {
  const auto rows = static_cast<std::int64_t>(values.size()) / width;
  std::vector<char> bytes(ggml_row_size(type, width) * static_cast<std::size_t>(rows));
  ggml_quantize_chunk(type, values.data(), bytes.data(), 0, rows, width, nullptr);
  return bytes;
}

// C [n, m] = B [n, k] A [m, k]^T as ggml computes it on `threads` threads.
std::vector<float> multiply(const std::vector<char>& a, const std::vector<float>& b, std::int64_t m,
                            std::int64_t n, std::int64_t k, int threads) {
  ggml_context* context = ggml_init({std::size_t{64} << 20, nullptr, false});
  ggml_tensor* left = ggml_new_tensor_2d(context, GGML_TYPE_Q4_1, k, m);
  ggml_tensor* right = ggml_new_tensor_2d(context, GGML_TYPE_F32, k, n);
  std::memcpy(left->data, a.data(), a.size());
  std::memcpy(right->data, b.data(), b.size() * sizeof(float));
  ggml_tensor* product = ggml_mul_mat(context, left, right);
  ggml_cgraph* graph = ggml_new_graph(context);
  ggml_build_forward_expand(graph, product);
  EXPECT_EQ(ggml_graph_compute_with_ctx(context, graph, threads), GGML_STATUS_SUCCESS);
  const float* values = ggml_get_data_f32(product);
  std::vector<float> result(values, values + m * n);
  ggml_free(context);
  return result;
}

// The element of row `i` of A and row `j` of B in f64: A's values as they are written, B's rounded
// to 8 bits a block as ggml rounds them, with the block's scale and sum kept in f16.
double expected(const std::vector<char>& a, const std::vector<float>& b, std::int64_t i,
                std::int64_t j, std::int64_t k) {
  double sum = 0;
  for (std::int64_t block = 0; block < k / kBlock; ++block) {
    const auto* q4 = reinterpret_cast<const unsigned char*>(
        a.data() + (static_cast<std::size_t>(i * (k / kBlock) + block)) * 20);
    ggml_fp16_t scale_bits = 0, minimum_bits = 0;
    std::memcpy(&scale_bits, q4, 2);
    std::memcpy(&minimum_bits, q4 + 2, 2);
    const double scale = ggml_fp16_to_fp32(scale_bits), minimum = ggml_fp16_to_fp32(minimum_bits);
    const float* x = b.data() + j * k + block * kBlock;
    float largest = 0;
    for (int t = 0; t < kBlock; ++t) largest = std::max(largest, std::abs(x[t]));
    const float step = largest / 127;
    const double step16 = ggml_fp16_to_fp32(ggml_fp32_to_fp16(step));
    long total = 0, dot = 0;
    for (int t = 0; t < kBlock; ++t) {
      const long byte = largest == 0 ? 0 : std::lrintf(x[t] * (127 / largest));
      total += byte;
      dot += byte * (t < 16 ? q4[4 + t] & 15 : q4[4 + t - 16] >> 4);
    }
    const double sum16 = ggml_fp16_to_fp32(ggml_fp32_to_fp16(step * static_cast<float>(total)));
    sum += scale * step16 * static_cast<double>(dot) + minimum * sum16;
  }
  return sum;
}

TEST(Q4_1Product, IsTheSumOfItsBlocks) {
  for (const auto& [m, n, k] : {std::tuple{1, 1, 32}, std::tuple{7, 5, 96},
                                std::tuple{192, 70, 576}, std::tuple{33, 130, 1536}}) {
    const auto a = quantize(GGML_TYPE_Q4_1, random_values(m * k, 1), k);
    const auto b = random_values(n * k, 2);
    const auto c = multiply(a, b, m, n, k, 2);
    for (int j = 0; j < n; ++j) {
      for (int i = 0; i < m; ++i) {
        const double right = expected(a, b, i, j, k);
        ASSERT_NEAR(c[static_cast<std::size_t>(j * m + i)], right,
                    2e-5 * std::sqrt(static_cast<double>(k)))
            << m << " x " << n << " x " << k << " at " << i << ", " << j;
      }
    }
  }
}

// What makes a request independent of those it shares a batch with.
TEST(Q4_1Product, DoesNotDependOnTheOtherColumnsNorOnThreads) {
  constexpr std::int64_t kRows = 30, kColumns = 70, kDepth = 576;
  const auto a = quantize(GGML_TYPE_Q4_1, random_values(kRows * kDepth, 3), kDepth);
  const auto b = random_values(kColumns * kDepth, 4);
  const auto together = multiply(a, b, kRows, kColumns, kDepth, 2);
  EXPECT_EQ(multiply(a, b, kRows, kColumns, kDepth, 1), together);
  for (std::int64_t j = 0; j < kColumns; ++j) {
    const std::vector<float> column(b.begin() + j * kDepth, b.begin() + (j + 1) * kDepth);
    const auto alone = multiply(a, column, kRows, 1, kDepth, 1);
    EXPECT_TRUE(std::equal(alone.begin(), alone.end(), together.begin() + j * kRows)) << j;
  }
}

}  // namespace
