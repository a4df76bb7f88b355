// SPDX-License-Identifier: Apache-2.0
#include "kernel_test.hpp"

#include <algorithm>
#include <utility>

using namespace qwen35;
using namespace kernel_test;

namespace {

struct Problem {
  std::size_t rows, cols, tokens;
  Stored w;
  std::vector<float> x, bias;
  std::size_t x_stride;

  Problem(DType dtype, std::size_t n, std::size_t k, std::size_t t, std::size_t offset = 0, std::size_t pad = 0)
      : rows(n),
        cols(k),
        tokens(t),
        w(dtype, random_values(n * k, 1), offset),
        x(random_values(t * (k + pad), 2)),
        bias(random_values(n, 3)),
        x_stride(k + pad) {}
  Matrix matrix() const { return {w.data(), w.format, rows, cols}; }
  // The largest error of y, as a share of the sum of the terms' sizes.
  double error(const std::vector<float>& y, bool with_bias) const {
    double worst = 0;
    for (std::size_t t = 0; t < tokens; ++t) {
      for (std::size_t n = 0; n < rows; ++n) {
        double sum = with_bias ? static_cast<double>(bias[n]) : 0.0;
        double size = std::abs(sum);
        for (std::size_t k = 0; k < cols; ++k) {
          const double term = static_cast<double>(w.values[n * cols + k]) * static_cast<double>(x[t * x_stride + k]);
          sum += term;
          size += std::abs(term);
        }
        const double off = std::abs(static_cast<double>(y[t * rows + n]) - sum) / size;
        worst = off <= worst ? worst : off;  // a NaN stays
      }
    }
    return worst;
  }
  std::vector<float> run(bool with_bias) const {
    std::vector<float> y(tokens * rows, NAN);
    kernels::matmul({matrix(), 0, rows, x.data(), x_stride, tokens, y.data(), rows, with_bias ? bias.data() : nullptr});
    return y;
  }
};

}  // namespace

TEST_CASE("matmul agrees with double precision on odd sizes and odd addresses") {
  for_each_isa([] {
    for (const DType dtype : formats) {
      for (const std::size_t cols : {1u, 3u, 15u, 16u, 17u, 64u, 511u, 512u, 513u, 1100u}) {
        for (const std::size_t rows : {1u, 3u, 4u, 5u, 37u}) {
          for (const std::size_t tokens : {1u, 2u, 5u, 7u, 20u}) {
            const Problem problem(dtype, rows, cols, tokens, (rows * 3 + cols) % 5, tokens % 3);
            CAPTURE(name(dtype));
            CAPTURE(rows);
            CAPTURE(cols);
            CAPTURE(tokens);
            CHECK(problem.error(problem.run(false), false) < 1e-6);
            CHECK(problem.error(problem.run(true), true) < 1e-6);
          }
        }
      }
    }
  });
}

TEST_CASE("matmul: a value's bits do not depend on the number of tokens") {
  for_each_isa([] {
    for (const DType dtype : formats) {
      for (const std::size_t cols : {40u, 600u, 1152u}) {
        const std::size_t rows = 39;
        const Problem all(dtype, rows, cols, 67);
        const std::vector<float> expected = all.run(true);
        for (std::size_t tokens = 1; tokens <= 67; tokens += tokens < 14 ? 1 : 7) {
          for (const std::size_t first : {std::size_t{0}, (67 - tokens) / 2, 67 - tokens}) {
            std::vector<float> y(tokens * rows, NAN);
            kernels::matmul(
                {all.matrix(), 0, rows, all.x.data() + first * cols, cols, tokens, y.data(), rows, all.bias.data()});
            CHECK(std::memcmp(y.data(), expected.data() + first * rows, y.size() * sizeof(float)) == 0);
          }
        }
      }
    }
  });
}

TEST_CASE("many tokens, packed in parts or not, have the bits of each token alone") {
  for_each_isa([] {
    for (const DType dtype : formats) {
      for (const auto& shape : {std::pair<std::size_t, std::size_t>{37, 1}, {70, 17}, {11, 641}, {6, 1300}}) {
        const std::size_t rows = shape.first, cols = shape.second;
        const Problem all(dtype, rows, cols, 145, cols % 5, 3);
        std::vector<float> expected(all.tokens * rows, NAN);
        for (std::size_t t = 0; t < all.tokens; ++t) {
          kernels::matmul({all.matrix(), 0, rows, all.x.data() + t * all.x_stride, all.x_stride, 1,
                           expected.data() + t * rows, rows, all.bias.data()});
        }
        CHECK(all.error(expected, true) < 1e-6);
        for (const std::size_t tokens : {std::size_t{129}, std::size_t{131}, all.tokens}) {
          CAPTURE(name(dtype));
          CAPTURE(cols);
          CAPTURE(tokens);
          std::vector<float> y(tokens * rows, NAN);
          kernels::matmul({all.matrix(), 0, rows, all.x.data(), all.x_stride, tokens, y.data(), rows, all.bias.data()});
          CHECK(std::memcmp(y.data(), expected.data(), y.size() * sizeof(float)) == 0);

          std::fill(y.begin(), y.end(), NAN);
          const std::size_t block = kernels::matmul_block(cols);
          const std::size_t middle = tokens / 2 / kernels::packed_granule * kernels::packed_granule;
          std::vector<float> packed(kernels::packed_size(tokens, block) + 1, -7.0f);
          for (std::size_t k = 0; k < cols; k += block) {
            const std::size_t length = std::min(block, cols - k);
            kernels::pack_tokens({all.x.data() + k, all.x_stride, middle, tokens, length, packed.data()});
            kernels::pack_tokens({all.x.data() + k, all.x_stride, 0, middle, length, packed.data()});
            for (const std::size_t begin : {std::size_t{5}, std::size_t{0}}) {
              kernels::matmul_packed({all.matrix(), begin, begin == 0 ? 5 : rows, k, packed.data(), tokens, y.data(),
                                      rows, all.bias.data()});
            }
          }
          CHECK(packed.back() == -7.0f);
          CHECK(std::memcmp(y.data(), expected.data(), y.size() * sizeof(float)) == 0);
        }
      }
    }
  });
}

TEST_CASE("a product with rows of blocks has the bits of the product with their values") {
  for_each_isa([] {
    for (const Format format : block_formats) {
      const std::size_t unit = format_info(format).block_values;
      // Blocks of the sum that end inside blocks of the row: 4096 values are summed 592 at a time, 1312 values 448.
      for (const std::size_t cols : {unit, unit == 32 ? std::size_t{1312} : std::size_t{4096}}) {
        const std::size_t rows = 11, tokens = 70;
        const Stored stored = random_blocks(format, rows * cols, 1, cols % 3);
        const Matrix matrix{stored.data(), format, rows, cols};
        const Matrix values{reinterpret_cast<const std::byte*>(stored.values.data()), Format::f32, rows, cols};
        const std::vector<float> x = random_values(tokens * cols, 2), bias = random_values(rows, 3);
        std::vector<float> expected(tokens * rows), y(tokens * rows);
        kernels::matmul({values, 0, rows, x.data(), cols, tokens, expected.data(), rows, bias.data()});
        CAPTURE(name(format));
        CAPTURE(cols);
        for (const std::size_t some : {std::size_t{1}, std::size_t{5}, tokens}) {
          std::fill(y.begin(), y.end(), NAN);
          kernels::matmul({matrix, 0, 3, x.data(), cols, some, y.data(), rows, bias.data()});
          kernels::matmul({matrix, 3, rows, x.data(), cols, some, y.data(), rows, bias.data()});
          CHECK(std::memcmp(y.data(), expected.data(), some * rows * sizeof(float)) == 0);
        }
        std::fill(y.begin(), y.end(), NAN);
        const std::size_t block = kernels::matmul_block(cols);
        std::vector<float> packed(kernels::packed_size(tokens, block));
        for (std::size_t k = 0; k < cols; k += block) {
          const std::size_t length = std::min(block, cols - k);
          kernels::pack_tokens({x.data() + k, cols, 0, tokens, length, packed.data()});
          kernels::matmul_packed({matrix, 0, rows, k, packed.data(), tokens, y.data(), rows, bias.data()});
        }
        CHECK(same_bits(y, expected));
      }
    }
  });
}

TEST_CASE("matmul: a value's bits do not depend on the row range, and other rows are left alone") {
  for_each_isa([] {
    for (const DType dtype : formats) {
      for (const std::size_t tokens : {1u, 3u, 13u}) {
        const Problem problem(dtype, 70, 530, tokens);
        const std::vector<float> expected = problem.run(true);
        for (const std::size_t begin : {0u, 1u, 2u, 3u, 30u, 69u, 70u}) {
          for (const std::size_t end : {begin, begin + 1, begin + 5, std::size_t{70}}) {
            if (end > 70) {
              continue;
            }
            std::vector<float> y(tokens * 70, -7.0f);
            kernels::matmul(
                {problem.matrix(), begin, end, problem.x.data(), 530, tokens, y.data(), 70, problem.bias.data()});
            bool equal = true;
            for (std::size_t t = 0; t < tokens; ++t) {
              for (std::size_t n = 0; n < 70; ++n) {
                equal = equal && y[t * 70 + n] == (n >= begin && n < end ? expected[t * 70 + n] : -7.0f);
              }
            }
            CHECK(equal);
          }
        }
      }
    }
  });
}

TEST_CASE("matmul: a value's bits do not depend on the address of weights and activations") {
  for_each_isa([] {
    for (const DType dtype : formats) {
      for (const std::size_t tokens : {1u, 9u}) {
        const Problem plain(dtype, 21, 549, tokens);
        const std::vector<float> expected = plain.run(false);
        for (const std::size_t offset : {1u, 2u, 3u, 4u, 6u, 31u}) {
          const Problem moved(dtype, 21, 549, tokens, offset);
          CHECK(same_bits(moved.run(false), expected));
          std::vector<float> shifted(plain.x.size() + offset);
          std::memcpy(shifted.data() + offset, plain.x.data(), plain.x.size() * sizeof(float));
          std::vector<float> y(tokens * 21);
          kernels::matmul({moved.matrix(), 0, 21, shifted.data() + offset, 549, tokens, y.data(), 21});
          CHECK(same_bits(y, expected));
        }
      }
    }
  });
}

TEST_CASE("matmul: empty sums, no tokens, no rows") {
  for_each_isa([] {
    const std::vector<float> bias = {1.5f, -2.0f};
    const float x[2] = {3.0f, 4.0f};
    const float w[4] = {1.0f, 2.0f, 3.0f, 4.0f};
    std::vector<float> y(4, 9.0f);
    kernels::matmul(
        {{reinterpret_cast<const std::byte*>(w), DType::f32, 2, 0}, 0, 2, x, 0, 2, y.data(), 2, bias.data()});
    CHECK(y == std::vector<float>{1.5f, -2.0f, 1.5f, -2.0f});
    const Matrix matrix{reinterpret_cast<const std::byte*>(w), DType::f32, 2, 2};
    kernels::matmul({matrix, 1, 1, x, 2, 1, y.data(), 2});
    kernels::matmul({matrix, 0, 2, x, 2, 0, y.data(), 2, bias.data()});
    CHECK(y == std::vector<float>{1.5f, -2.0f, 1.5f, -2.0f});
    kernels::matmul({matrix, 0, 2, x, 2, 1, y.data(), 2, bias.data()});
    CHECK(y == std::vector<float>{12.5f, 23.0f, 1.5f, -2.0f});
  });
}

TEST_CASE("matmul carries infinities and NaN to their own row and token only") {
  for_each_isa([] {
    for (const std::size_t tokens : {1u, 8u}) {
      std::vector<float> w = random_values(6 * 33, 4);
      w[2 * 33 + 5] = INFINITY;
      w[4 * 33 + 32] = NAN;
      std::vector<float> x(tokens * 33, 1.0f);
      std::vector<float> y(tokens * 6);
      const Stored stored(DType::bf16, w, 0);
      kernels::matmul({{stored.data(), DType::bf16, 6, 33}, 0, 6, x.data(), 33, tokens, y.data(), 6});
      for (std::size_t t = 0; t < tokens; ++t) {
        CHECK(std::isfinite(y[t * 6]));
        CHECK(y[t * 6 + 2] == INFINITY);
        CHECK(std::isfinite(y[t * 6 + 3]));
        CHECK(std::isnan(y[t * 6 + 4]));
        CHECK(std::isfinite(y[t * 6 + 5]));
      }
    }
  });
}
