// SPDX-License-Identifier: Apache-2.0
#include "kernel_test.hpp"

#include <bit>

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
