// SPDX-License-Identifier: Apache-2.0
#include "kernel_test.hpp"

#include <bit>
#include <limits>

using namespace qwen35;
using namespace kernel_test;

namespace {

bool same_value(float a, float b) {
  return std::isnan(b) ? std::isnan(a) : std::bit_cast<std::uint32_t>(a) == std::bit_cast<std::uint32_t>(b);
}

std::size_t differences(const std::vector<float>& a, const std::vector<float>& b) {
  std::size_t wrong = a.size() == b.size() ? 0u : 1u;
  for (std::size_t i = 0; i < a.size() && i < b.size(); ++i) {
    wrong += same_value(a[i], b[i]) ? 0u : 1u;
  }
  return wrong;
}

}  // namespace

TEST_CASE("decode_row gives the definition's value for every code of a small format") {
  for_each_isa([] {
    for (const Format format : formats) {
      if (format_info(format).block_values != 1 || format_info(format).block_bytes > 2) {
        continue;
      }
      visit(format, [format]<class S>(S) {
        typename S::Block block{};
        std::vector<typename S::Block> codes;
        std::vector<float> expected;
        do {
          codes.push_back(block);
          S::decode(block, &expected.emplace_back());
        } while (++block != 0);
        std::vector<float> out(codes.size());
        kernels::decode_row({format, reinterpret_cast<const std::byte*>(codes.data()), codes.size(), out.data()});
        CAPTURE(name(format));
        CHECK(differences(out, expected) == 0);
      });
    }
  });
}

TEST_CASE("columns of groups in any order have the scale and the zero point of their group") {
  for_each_isa([] {
    constexpr std::size_t rows = 3, cols = 1024;
    for (const Format format : {Format::i4_16, Format::i8_16}) {
      const std::size_t code_bytes = row_bytes(format, cols);
      std::mt19937 random(9);
      std::vector<std::byte> codes(rows * code_bytes);
      for (std::byte& code : codes) {
        code = static_cast<std::byte>(random() >> 24);
      }
      for (const std::size_t groups : {1u, 4u, 16u, 20u, 33u, 64u, 65u}) {
        CAPTURE(groups);
        const std::vector<float> scales = random_values(rows * groups, 1),
                                 zeros = random_values(rows * groups, 2, 9.0f);
        std::vector<std::uint32_t> columns(cols);
        for (std::uint32_t& column : columns) {
          column = static_cast<std::uint32_t>(random() % groups);
        }
        Matrix w(codes.data(), format, rows, cols);
        w.scales = {.data = scales.data(), .stride = groups, .zeros = zeros.data(), .columns = columns.data()};
        for (std::size_t i = 0; i < rows; ++i) {
          std::vector<float> expected(cols), out(cols, NAN);
          for (std::size_t k = 0; k < cols; ++k) {
            // The low halves of eight bytes, then the high ones; bytes as they are.
            const auto byte =
                std::to_integer<int>(codes[i * code_bytes + (format == Format::i4_16 ? k / 16 * 8 + k % 8 : k)]);
            const int code = format == Format::i8_16 ? static_cast<std::int8_t>(byte)
                             : k % 16 < 8            ? byte & 15
                                                     : byte >> 4;
            const std::size_t group = i * groups + columns[k];
            expected[k] = (static_cast<float>(code) - zeros[group]) * scales[group];
          }
          kernels::decode_row({w, i, out.data()});
          CHECK(differences(out, expected) == 0);
        }
      }
    }
  });
}

TEST_CASE("encode_row rounds as the definition does, and decode_row gives stored values back") {
  std::vector<float> values = random_values(2000, 5, 70000.0f);
  for (std::uint32_t i = 0; i < 65536; i += 7) {  // ties, subnormals, infinities
    values.push_back(f16_to_f32(static_cast<std::uint16_t>(i)));
    values.push_back(std::bit_cast<float>((i << 16) | 0x8000u));
    values.push_back(
        std::bit_cast<float>(std::bit_cast<std::uint32_t>(f16_to_f32(static_cast<std::uint16_t>(i))) | 0x1000u));
    values.push_back(std::bit_cast<float>((i << 16) | 0x80000u));
  }
  for_each_isa([&] {
    for (const Format format : formats) {
      for (const std::size_t offset : {0u, 1u}) {
        const Stored expected(format, values, 0);
        std::vector<std::byte> stored(offset + row_bytes(format, values.size()));
        kernels::encode_row({format, values.data(), values.size(), stored.data() + offset});
        std::vector<float> back(values.size());
        kernels::decode_row({format, stored.data() + offset, values.size(), back.data()});
        CAPTURE(name(format));
        CHECK(differences(back, expected.values) == 0);
      }
    }
  });
}

TEST_CASE("encode_row writes q8_0 with the largest size as code 127") {
  constexpr float inf = std::numeric_limits<float>::infinity();
  std::vector<float> values = random_values(32 * 60, 8, 3.0f);
  for (std::size_t i = 0; i < values.size(); ++i) {  // from subnormal scales to what f16 cannot hold
    values[i] = std::ldexp(values[i], static_cast<int>(i / 32) - 32);
  }
  values.insert(values.end(), 32, 0.0f);
  for (const float odd : {inf, -inf, std::numeric_limits<float>::quiet_NaN()}) {
    values.insert(values.end(), 32, 1.0f);
    values[values.size() - 7] = odd;
  }
  for_each_isa([&] {
    const Stored expected(Format::q8_0, values, 1);
    std::vector<std::byte> stored(1 + row_bytes(Format::q8_0, values.size()));
    kernels::encode_row({Format::q8_0, values.data(), values.size(), stored.data() + 1});
    CHECK(std::memcmp(stored.data() + 1, expected.data(), stored.size() - 1) == 0);
    std::vector<float> back(values.size());
    kernels::decode_row({Format::q8_0, stored.data() + 1, values.size(), back.data()});
    CHECK(differences(back, expected.values) == 0);
    for (std::size_t block = 0; block < values.size(); block += 32) {
      float largest = 0.0f;
      for (std::size_t i = block; i < block + 32; ++i) {
        largest = std::fmax(largest, std::fabs(values[i]));
      }
      const bool odd = block >= 61 * 32;
      for (std::size_t i = block; i < block + 32; ++i) {
        CAPTURE(i);
        if (odd) {
          CHECK(std::isnan(back[i]));
        } else if (largest <= 127 * 65504.0f) {  // half a step, and what rounding the scale to f16 adds
          CHECK(std::fabs(back[i] - values[i]) <= largest / 127 * 0.5f * 1.13f + 0x1p-18f);
        }
      }
    }
  });
}

TEST_CASE("rows of odd length touch nothing beyond their end") {
  for_each_isa([] {
    for (const Format format : formats) {
      for (std::size_t n = 0; n < 40; ++n) {
        const Stored source(format, random_values(n, 6), n % 3);
        std::vector<float> out(n + 1, 5.0f);
        kernels::decode_row({format, source.data(), n, out.data()});
        CHECK(out[n] == 5.0f);
        out.pop_back();
        CHECK(same_bits(out, source.values));
        std::vector<std::byte> stored(row_bytes(format, n) + 1, std::byte{0x5a});
        kernels::encode_row({format, source.values.data(), n, stored.data()});
        CHECK(stored.back() == std::byte{0x5a});
        CHECK((n == 0 || std::memcmp(stored.data(), source.data(), row_bytes(format, n)) == 0));
      }
    }
  });
}
