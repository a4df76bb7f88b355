// SPDX-License-Identifier: Apache-2.0
#include "kernel_test.hpp"

#include <algorithm>
#include <cstdint>
#include <limits>
#include <utility>

#if defined(__x86_64__) && defined(__linux__)
#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif

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

// Rows of 8-bit activations by their definition, as the instruction set in use has them.
std::vector<kernels::QuantizedBlock> quantized(const std::vector<float>& x, std::size_t width) {
  const std::size_t blocks = kernels::quantized_blocks(width), rows = x.size() / width;
  std::vector<kernels::QuantizedBlock> out(rows * blocks);
  std::memset(static_cast<void*>(out.data()), 0, out.size() * sizeof(out[0]));
  for (std::size_t first = 0; first < x.size(); first += 32) {
    kernels::QuantizedBlock& block = out[first / width * blocks + first % width / 256];
    const std::size_t group = first % width % 256 / 32;
    float size = 0.0f;
    bool finite = true;
    for (std::size_t i = first; i < first + 32; ++i) {
      finite = finite && std::isfinite(x[i]);
      size = std::max(size, std::abs(x[i]));
    }
    const bool zero = !finite || size < 0x1p-100f;
    const float scale = !finite ? std::numeric_limits<float>::quiet_NaN() : zero ? 0.0f : size / 127.0f;
    std::int32_t sums[2] = {0, 0}, of_pairs[2][2] = {};
    for (std::size_t i = 0; i < 32; ++i) {
      const long code = zero ? 0 : std::lrint(x[first + i] * (127.0f / size));
      block.codes[group * 32 + i] = static_cast<std::int8_t>(code);
      sums[i / 16] += static_cast<std::int32_t>(code);
      of_pairs[i / 16][i % 4 / 2] += static_cast<std::int32_t>(code);
    }
    block.scales[group] = scale;
    block.sums[group] = scale * static_cast<float>(sums[0] + sums[1]);
    block.negated[group] = -128 * (sums[0] + sums[1]);
    for (std::size_t half = 0; half < 2; ++half) {
      block.scales16[2 * group + half] = scale;
      block.sums16[2 * group + half] = scale * static_cast<float>(sums[half]);
      if (isa_name() == "avx2" || kernel_test::without_vnni(isa_name())) {
        const auto negated = [&of_pairs, half](std::size_t i) {
          return std::uint32_t{static_cast<std::uint16_t>(-32 * of_pairs[half][i])};
        };
        block.negated16[group / 4 * 8 + half * 4 + group % 4] =
            static_cast<std::int32_t>(negated(0) | negated(1) << 16);
      } else {
        block.negated16[2 * group + half] = -128 * sums[half];
      }
    }
  }
  return out;
}

// Their product with rows of blocks by its definition.
std::vector<float> integer_product(const Matrix& w, const std::vector<kernels::QuantizedBlock>& x,
                                   const std::vector<float>& bias) {
  const std::size_t group = kernels::integer_group(w.format), partials = 256 / group;
  const std::size_t unit = format_info(w.format).block_values, blocks = kernels::quantized_blocks(w.cols);
  const std::size_t tokens = x.size() / blocks;
  std::vector<float> y(tokens * w.rows);
  std::vector<std::int8_t> codes(w.cols);
  std::vector<float> scales(w.cols / 16), offsets(w.cols / 16);
  for (std::size_t row = 0; row < w.rows; ++row) {
    for (std::size_t i = 0; i < w.cols; i += unit) {
      unpack_function(w.format)(w.row(row) + row_bytes(w.format, i), unit,
                                {&codes[i], &scales[i / 16], &offsets[i / 16]});
    }
    for (std::size_t token = 0; token < tokens; ++token) {
      float total = 0.0f;
      for (std::size_t span = 0; span < w.cols; span += 2048) {
        float partial[16] = {};
        for (std::size_t k = span; k < std::min(span + 2048, w.cols); k += group) {
          const kernels::QuantizedBlock& own = x[token * blocks + k / 256];
          std::int32_t dot = 0, sum = 0;
          for (std::size_t i = 0; i < group; ++i) {
            dot += std::int32_t{codes[k + i]} * own.codes[k % 256 + i];
            sum += own.codes[k % 256 + i];
          }
          const float scale = own.scales[k % 256 / 32];
          float& to = partial[k / group % partials];
          to = std::fma(static_cast<float>(dot), scales[k / 16] * scale, to);
          to = std::fma(offsets[k / 16], scale * static_cast<float>(sum), to);
        }
        float of_span = partial[0];
        for (std::size_t i = 1; i < partials; ++i) {
          of_span += partial[i];
        }
        total += of_span;
      }
      y[token * w.rows + row] = total + bias[row];
    }
  }
  return y;
}

// Same bits, or both a NaN.
bool same_or_nan(const std::vector<float>& a, const std::vector<float>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](float x, float y) {
    return std::isnan(x) ? std::isnan(y) : std::memcmp(&x, &y, sizeof(x)) == 0;
  });
}

// Blocks whose bytes are all alike among random ones: every code at its ends, and -128 of those of eight bits.
void add_extreme_blocks(Stored& stored) {
  const FormatInfo& info = format_info(stored.format);
  std::int8_t codes[most_block_values];
  float scales[most_block_values / code_group], offsets[std::size(scales)];
  std::vector<std::byte> block(info.block_bytes);
  std::byte* to = stored.bytes.data() + stored.offset;
  for (const unsigned byte : {0x00u, 0x80u, 0x3fu, 0x0fu, 0xf0u, 0x88u, 0x77u, 0x70u, 0xbfu, 0x40u}) {
    std::fill(block.begin(), block.end(), static_cast<std::byte>(byte));
    unpack_function(stored.format)(block.data(), info.block_values, {codes, scales, offsets});
    if (to + info.block_bytes <= stored.bytes.data() + stored.bytes.size() && std::abs(scales[0]) < 1e30f) {
      std::copy(block.begin(), block.end(), to);
      to += info.block_bytes;
    }
  }
}

// Tokens of all kinds of values: [8, width].
std::vector<float> varied_tokens(std::size_t width) {
  std::vector<float> x = random_values(8 * width, 2);
  const auto token = [&](std::size_t t, std::size_t i) -> float& { return x[t * width + i]; };
  for (std::size_t i = 0; i < width; ++i) {
    token(1, i) = 0.0f;
    token(2, i) = i % 3 == 0 && i >= 128 ? -2.5f : 2.5f;  // codes of +-127
    token(3, i) *= i / 32 % 2 == 0 ? 1e-40f : 1e-20f;
    token(4, i) *= std::pow(10.0f, static_cast<float>(i % 7));
  }
  token(5, width - 1) = 3e38f;
  token(6, width / 2) = NAN;
  token(7, 0) = -INFINITY;
  return x;
}

}  // namespace

#if defined(__x86_64__) && defined(__linux__)
TEST_CASE("what is tested here has the tile registers, where the processor and the system have them") {
  unsigned a = 0, b = 0, c = 0, d = 0;
  const bool tiles = __get_cpuid_count(7, 0, &a, &b, &c, &d) != 0 && (d >> 22 & 1u) == 1 && (d >> 24 & 3u) == 3;
  constexpr int supported_states = 0x1021, tile_data = 18;  // ARCH_GET_XCOMP_SUPP, XFEATURE_XTILEDATA
  std::uint64_t states = 0;
  if (tiles && syscall(SYS_arch_prctl, supported_states, &states) == 0 && (states >> tile_data & 1u) == 1) {
    CHECK(*isa_names().begin() == "avx512-amx");
  }
}
#endif

TEST_CASE("activations in 8 bits are their definition on every instruction set") {
  for (const std::size_t width : {32u, 256u, 480u, 2048u}) {
    const std::vector<float> x = varied_tokens(width);
    for_each_isa([&] {
      const std::vector<kernels::QuantizedBlock> expected = quantized(x, width);
      std::vector<kernels::QuantizedBlock> out(expected.size());
      std::memset(static_cast<void*>(out.data()), 7, out.size() * sizeof(out[0]));
      kernels::quantize_rows({x.data(), width, 1, out.size(), out.data()});
      kernels::quantize_rows({x.data(), width, 0, 1, out.data()});
      CAPTURE(width);
      for (std::size_t i = 0; i < out.size(); ++i) {
        CHECK(std::memcmp(out[i].codes, expected[i].codes, sizeof(out[i].codes)) == 0);
        CHECK(std::memcmp(out[i].negated, expected[i].negated, sizeof(out[i].negated)) == 0);
        CHECK(std::memcmp(out[i].negated16, expected[i].negated16, sizeof(out[i].negated16)) == 0);
        const auto same = [](const auto& a, const auto& b) {
          return same_or_nan({std::begin(a), std::end(a)}, {std::begin(b), std::end(b)});
        };
        CHECK(same(out[i].scales, expected[i].scales));
        CHECK(same(out[i].sums, expected[i].sums));
        CHECK(same(out[i].scales16, expected[i].scales16));
        CHECK(same(out[i].sums16, expected[i].sums16));
      }
    });
  }
}

TEST_CASE("products of integers are their definition on every instruction set, for any tokens and rows together") {
  for (const Format format : block_formats) {
    if (!kernels::has_integer_products(format)) {
      continue;
    }
    const std::size_t unit = format_info(format).block_values;
    for (const std::size_t cols : {unit, std::size_t{1280}, unit == 32 ? std::size_t{2400} : std::size_t{2560}}) {
      const std::size_t rows = 43;
      Stored stored = random_blocks(format, rows * cols, 1, cols % 3);
      add_extreme_blocks(stored);
      const Matrix matrix{stored.data(), format, rows, cols};
      const std::vector<float> bias = random_values(rows, 3);
      const std::vector<float> expected = integer_product(matrix, quantized(varied_tokens(cols), cols), bias);
      const std::size_t blocks = kernels::quantized_blocks(cols);
      for_each_isa([&] {
        const std::vector<kernels::QuantizedBlock> x = quantized(varied_tokens(cols), cols);
        CAPTURE(name(format));
        CAPTURE(cols);
        for (const std::size_t tokens : {1u, 2u, 3u, 4u, 5u, 8u}) {
          for (const std::size_t split : {0u, 1u, 33u}) {
            std::vector<float> y(8 * rows, NAN);
            for (std::size_t t = 0; t < 8; t += tokens) {
              const std::size_t now = std::min<std::size_t>(tokens, 8 - t);
              float* const to = y.data() + t * rows;
              kernels::integer_matmul({matrix, split, rows, &x[t * blocks], nullptr, now, to, rows, bias.data()});
              kernels::integer_matmul({matrix, 0, split, &x[t * blocks], nullptr, now, to, rows, bias.data()});
            }
            CHECK(same_or_nan(y, expected));
          }
        }
        // More than go through a panel together, and as many as AMX takes.
        std::vector<kernels::QuantizedBlock> many;
        std::vector<float> many_expected;
        for (std::size_t i = 0; i < 6; ++i) {
          many.insert(many.end(), x.begin(), x.end());
          many_expected.insert(many_expected.end(), expected.begin(), expected.end());
        }
        for (const std::size_t tokens : {6u, 11u, 12u, 17u, 32u, 33u, 41u}) {
          std::vector<float> y(tokens * rows, NAN);
          kernels::integer_matmul({matrix, 19, rows, many.data(), nullptr, tokens, y.data(), rows, bias.data()});
          kernels::integer_matmul({matrix, 0, 19, many.data(), nullptr, tokens, y.data(), rows, bias.data()});
          CHECK(same_or_nan(y, {many_expected.begin(), many_expected.begin() + static_cast<std::ptrdiff_t>(y.size())}));
        }
        std::uint32_t index[40] = {3, 3, 0, 5, 1, 2, 0, 4, 3, 0, 2, 4, 5};
        for (std::uint32_t i = 13; i < 40; ++i) {
          index[i] = i * i % 6;
        }
        for (const std::size_t tokens : {1u, 13u, 15u, 40u}) {
          std::vector<float> y(tokens * rows, NAN);
          kernels::integer_matmul({matrix, 0, rows, x.data(), index, tokens, y.data(), rows, bias.data()});
          for (std::size_t t = 0; t < tokens; ++t) {
            CHECK(std::memcmp(&y[t * rows], &expected[index[t] * rows], rows * sizeof(float)) == 0);
          }
        }
      });
    }
  }
}

TEST_CASE("products of integers with values whose sums are no floats are numbers where formats have no offsets") {
  for (const Format format : {Format::q8_0, Format::q4_0}) {
    // 1 times 2^-11 in every place.
    const std::size_t rows = 5, cols = 512, bytes = format_info(format).block_bytes;
    std::vector<std::byte> stored(rows * row_bytes(format, cols),
                                  format == Format::q8_0 ? std::byte{0x01} : std::byte{0x99});
    for (std::size_t at = 0; at < stored.size(); at += bytes) {
      stored[at] = std::byte{0x00};
      stored[at + 1] = std::byte{0x10};
    }
    const Matrix matrix{stored.data(), format, rows, cols};
    const std::vector<float> x(4 * cols, 3e37f);
    for_each_isa([&] {
      CAPTURE(name(format));
      std::vector<kernels::QuantizedBlock> blocks(4 * kernels::quantized_blocks(cols));
      kernels::quantize_rows({x.data(), cols, 0, blocks.size(), blocks.data()});
      for (const std::size_t tokens : {1u, 4u}) {
        std::vector<float> y(tokens * rows, NAN);
        kernels::integer_matmul({matrix, 0, rows, blocks.data(), nullptr, tokens, y.data(), rows});
        for (const float value : y) {
          CHECK(value == doctest::Approx(7.5e36).epsilon(1e-5));
        }
      }
    });
  }
}

TEST_CASE("products of integers are near those of the decoded values") {
  for (const Format format : block_formats) {
    if (!kernels::has_integer_products(format)) {
      continue;
    }
    const std::size_t rows = 20, cols = 2048, tokens = 3;
    const Stored stored = random_blocks(format, rows * cols, 1, 0);
    const Matrix matrix{stored.data(), format, rows, cols};
    const Matrix values{reinterpret_cast<const std::byte*>(stored.values.data()), Format::f32, rows, cols};
    const std::vector<float> x = random_values(tokens * cols, 2);
    std::vector<kernels::QuantizedBlock> blocks(tokens * kernels::quantized_blocks(cols));
    kernels::quantize_rows({x.data(), cols, 0, blocks.size(), blocks.data()});
    std::vector<float> y(tokens * rows), expected(tokens * rows);
    kernels::integer_matmul({matrix, 0, rows, blocks.data(), nullptr, tokens, y.data(), rows});
    kernels::matmul({values, 0, rows, x.data(), cols, tokens, expected.data(), rows});
    CAPTURE(name(format));
    const double far = distance(y, {expected.begin(), expected.end()});
    CHECK(far * far < 1e-4);
  }
}

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

TEST_CASE("matmul: factors of blocks beside the values are products with the values that they make, for any tokens") {
  for_each_isa([] {
    constexpr std::size_t rows = 37, tokens = 9;
    for (const std::size_t cols : {16u, 304u, 640u, 1296u}) {
      std::mt19937 random(static_cast<unsigned>(cols));
      std::vector<std::uint8_t> codes(rows * cols);
      for (std::uint8_t& code : codes) {
        code = static_cast<std::uint8_t>(random() >> 24);
        code = (code & 0x7f) == 0x7f ? 0 : code;
      }
      const std::vector<float> x = random_values(tokens * cols, 2);
      for (const auto& block :
           {std::pair<std::size_t, std::size_t>{128, 128}, {16, 48}, {1, cols}, {rows, cols}, {5, 24}}) {
        const std::size_t block_rows = block.first, block_cols = block.second;
        const std::size_t across = (cols + block_cols - 1) / block_cols;
        std::vector<float> factors = random_values(rows * across, 3), values(rows * cols);
        factors[0] = std::ldexp(1.0f, 125);  // of which 2^8 times as much is too large
        factors[across / 2] = std::ldexp(1.0f, -140);
        Matrix w(reinterpret_cast<const std::byte*>(codes.data()), Format::f8_e4m3, rows, cols);
        w.scales = {.data = factors.data(), .stride = across, .rows = block_rows, .cols = block_cols};
        for (std::size_t i = 0; i < rows; ++i) {
          for (std::size_t k = 0; k < cols; ++k) {
            // (Where the factor is large only codes whose values are finite.)
            const std::size_t at = i / block_rows * across + k / block_cols;
            codes[i * cols + k] =
                factors[at] > 1e30f ? static_cast<std::uint8_t>(codes[i * cols + k] & 0x83) : codes[i * cols + k];
            values[i * cols + k] = f8_e4m3_to_f32(codes[i * cols + k]) * factors[at];
          }
        }
        const Matrix plain(reinterpret_cast<const std::byte*>(values.data()), Format::f32, rows, cols);
        std::vector<float> expected(tokens * rows, NAN), y(expected.size());
        kernels::matmul({plain, 0, rows, x.data(), cols, tokens, expected.data(), rows});
        for (const std::size_t together : {1u, 2u, 9u}) {
          CAPTURE(cols);
          CAPTURE(block_cols);
          CAPTURE(together);
          std::fill(y.begin(), y.end(), NAN);
          for (std::size_t t = 0; t < tokens; t += together) {
            const std::size_t count = std::min(together, tokens - t);
            kernels::matmul({w, 0, rows, x.data() + t * cols, cols, count, y.data() + t * rows, rows});
          }
          CHECK(std::memcmp(y.data(), expected.data(), y.size() * sizeof(float)) == 0);
        }
      }
      // A code that is no number reaches its own row alone.
      Matrix w(reinterpret_cast<const std::byte*>(codes.data()), Format::f8_e4m3, rows, cols);
      const float one = 1.0f;
      w.scales = {.data = &one, .stride = 1, .rows = rows, .cols = cols};
      codes[3 * cols + cols - 1] = 0xff;
      std::vector<float> y(rows);
      kernels::matmul({w, 0, rows, x.data(), cols, 1, y.data(), rows});
      for (std::size_t i = 0; i < rows; ++i) {
        CHECK(std::isnan(y[i]) == (i == 3));
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
        for (const std::size_t tokens :
             {std::size_t{13}, std::size_t{16}, std::size_t{129}, std::size_t{131}, all.tokens}) {
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
            kernels::pack_tokens({all.x.data() + k, all.x_stride, middle, tokens, length, packed.data(), dtype});
            kernels::pack_tokens({all.x.data() + k, all.x_stride, 0, middle, length, packed.data(), dtype});
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
      // Blocks of the sum that end inside blocks of the row: 4096 values are summed 608 at a time, 1312 values 448.
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
    const Matrix blocks{nullptr, Format::q8_0, 2, 0};
    kernels::integer_matmul({blocks, 1, 1, nullptr, nullptr, 1, y.data(), 2});
    kernels::integer_matmul({blocks, 0, 2, nullptr, nullptr, 0, y.data(), 2, bias.data()});
    CHECK(y == std::vector<float>{12.5f, 23.0f, 1.5f, -2.0f});
    kernels::integer_matmul({blocks, 0, 2, nullptr, nullptr, 1, y.data(), 2, bias.data()});
    CHECK(y == std::vector<float>{1.5f, -2.0f, 1.5f, -2.0f});
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
        // (A tile multiplies all parts of an activation, 0 too.)
        CHECK((y[t * 6 + 2] == INFINITY || (isa_name() == "avx512-amx" && std::isnan(y[t * 6 + 2]))));
        CHECK(std::isfinite(y[t * 6 + 3]));
        CHECK(std::isnan(y[t * 6 + 4]));
        CHECK(std::isfinite(y[t * 6 + 5]));
      }
    }
  });
}

TEST_CASE("infinities, NaN and the largest values go through a product of bf16 values as through any sum") {
  for_each_isa([] {
    constexpr float inf = std::numeric_limits<float>::infinity(), largest = std::numeric_limits<float>::max();
    for (const std::size_t tokens : {1u, 3u, 9u, 70u}) {
      const std::size_t rows = 20, cols = 70;
      std::vector<std::uint16_t> ones(rows * cols, 0x3f80);
      const Matrix w{reinterpret_cast<const std::byte*>(ones.data()), Format::bf16, rows, cols};
      const auto sum = [&](float value) {
        std::vector<float> x(tokens * cols, 0.0f), y(tokens * rows, -7.0f);
        x[(tokens - 1) * cols + 67] = value;
        kernels::matmul({w, 0, rows, x.data(), cols, tokens, y.data(), rows, nullptr});
        for (std::size_t i = 0; i + rows < y.size(); ++i) {
          CHECK(y[i] == 0.0f);
        }
        return y.back();
      };
      CAPTURE(tokens);
      CHECK(sum(inf) == inf);
      CHECK(sum(-inf) == -inf);
      CHECK(sum(largest) == largest);
      CHECK(sum(-1.0f / 3.0f) == -1.0f / 3.0f);
      std::uint32_t payload_below = 0x7f800001u;
      float quiet;
      std::memcpy(&quiet, &payload_below, sizeof(quiet));
      CHECK(std::isnan(sum(quiet)));
    }
  });
}
