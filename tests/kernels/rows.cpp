// SPDX-License-Identifier: Apache-2.0
#include "kernel_test.hpp"

#include <bit>

using namespace qwen35;
using namespace kernel_test;

TEST_CASE("decode_row is exact for every 16-bit pattern") {
  std::vector<std::uint16_t> bits(65536);
  for (std::size_t i = 0; i < bits.size(); ++i) {
    bits[i] = static_cast<std::uint16_t>(i);
  }
  for_each_isa([&] {
    for (const DType dtype : {DType::f16, DType::bf16}) {
      std::vector<float> out(bits.size());
      kernels::decode_row(dtype, reinterpret_cast<const std::byte*>(bits.data()), bits.size(), out.data());
      std::size_t wrong = 0;
      for (std::size_t i = 0; i < bits.size(); ++i) {
        const float expected = dtype == DType::f16 ? f16_to_f32(bits[i]) : bf16_to_f32(bits[i]);
        const bool equal = std::isnan(expected)
                               ? std::isnan(out[i])
                               : std::bit_cast<std::uint32_t>(out[i]) == std::bit_cast<std::uint32_t>(expected);
        wrong += equal ? 0 : 1;
      }
      CHECK(wrong == 0);
    }
  });
}

TEST_CASE("encode_row rounds to nearest even, and decode gives stored values back") {
  std::vector<float> values = random_values(2000, 5, 70000.0f);
  for (std::uint32_t i = 0; i < 65536; i += 7) {  // ties, subnormals, infinities
    values.push_back(f16_to_f32(static_cast<std::uint16_t>(i)));
    const std::uint32_t tie = (static_cast<std::uint32_t>(i) << 16) | 0x8000u;
    values.push_back(std::bit_cast<float>(tie));
    const std::uint32_t half_tie = (std::bit_cast<std::uint32_t>(f16_to_f32(static_cast<std::uint16_t>(i)))) | 0x1000u;
    values.push_back(std::bit_cast<float>(half_tie));
  }
  for_each_isa([&] {
    for (const DType dtype : formats) {
      for (const std::size_t offset : {0u, 1u}) {
        std::vector<std::byte> stored(offset + row_bytes(dtype, values.size()));
        kernels::encode_row(dtype, values.data(), values.size(), stored.data() + offset);
        std::vector<float> back(values.size());
        kernels::decode_row(dtype, stored.data() + offset, values.size(), back.data());
        std::size_t wrong = 0;
        for (std::size_t i = 0; i < values.size(); ++i) {
          const float expected = dtype == DType::f32   ? values[i]
                                 : dtype == DType::f16 ? f16_to_f32(f32_to_f16(values[i]))
                                                       : bf16_to_f32(f32_to_bf16(values[i]));
          const bool equal = std::isnan(expected)
                                 ? std::isnan(back[i])
                                 : std::bit_cast<std::uint32_t>(back[i]) == std::bit_cast<std::uint32_t>(expected);
          wrong += equal ? 0 : 1;
        }
        CHECK(wrong == 0);
      }
    }
  });
}

TEST_CASE("rows of odd length touch nothing beyond their end") {
  for_each_isa([] {
    for (const DType dtype : formats) {
      for (std::size_t n = 0; n < 40; ++n) {
        const Stored source(dtype, random_values(n, 6), n % 3);
        std::vector<float> out(n + 1, 5.0f);
        kernels::decode_row(dtype, source.data(), n, out.data());
        CHECK(out[n] == 5.0f);
        out.pop_back();
        CHECK(same_bits(out, source.values));
        std::vector<std::byte> stored(row_bytes(dtype, n) + 1, std::byte{0x5a});
        kernels::encode_row(dtype, source.values.data(), n, stored.data());
        CHECK(stored.back() == std::byte{0x5a});
        CHECK((n == 0 || std::memcmp(stored.data(), source.data(), row_bytes(dtype, n)) == 0));
      }
    }
  });
}
