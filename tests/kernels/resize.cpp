// SPDX-License-Identifier: Apache-2.0
#include <qwen35/kernels/kernels.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <vector>

using namespace qwen35;

namespace {

// Numbers that look random.
struct Sequence {
  std::uint32_t x = 1;
  std::uint32_t next() { return (x = x * 1664525u + 1013904223u) >> 8; }
};

std::vector<std::uint8_t> bytes(std::size_t count, Sequence& sequence) {
  std::vector<std::uint8_t> out(count);
  std::generate(out.begin(), out.end(),
                [&] { return static_cast<std::uint8_t>(sequence.next() % 3 == 0 ? 255 : sequence.next()); });
  return out;
}

std::uint8_t clamped(std::int64_t sum, int precision) {
  return static_cast<std::uint8_t>(
      std::clamp<std::int64_t>((sum + (std::int64_t{1} << (precision - 1))) >> precision, 0, 255));
}

}  // namespace

TEST_CASE("sums down the columns, for any number of taps and columns, on every instruction set") {
  Sequence sequence;
  const std::vector<std::uint8_t> in = bytes(20 * 211, sequence);
  for (const std::string_view isa : isa_names()) {
    CAPTURE(isa);
    set_isa(isa);
    for (std::size_t taps = 1; taps < 20; ++taps) {
      std::vector<std::int16_t> weights(taps + 1, 0);
      for (std::size_t j = 0; j < taps; ++j) {
        weights[j] = static_cast<std::int16_t>(static_cast<int>(sequence.next() % 12000) - 3000);
      }
      weights[taps / 2] = 32767;
      for (const std::size_t n : {1u, 15u, 16u, 17u, 31u, 32u, 33u, 47u, 95u, 200u}) {
        CAPTURE(taps);
        CAPTURE(n);
        std::vector<std::uint8_t> out(n + 1, 99);
        kernels::resize_column({in.data() + 3, 211, weights.data(), taps, 15, n, out.data()});
        bool equal = out[n] == 99;
        for (std::size_t x = 0; x < n; ++x) {
          std::int64_t sum = 0;
          for (std::size_t j = 0; j < taps; ++j) {
            sum += std::int64_t{weights[j]} * in[3 + x + j * 211];
          }
          equal = equal && out[x] == clamped(sum, 15);
        }
        CHECK(equal);
      }
    }
  }
  set_isa("");
}

TEST_CASE("sums along a row of RGB") {
  Sequence sequence;
  constexpr std::size_t pixels = 90;
  for (const std::string_view isa : isa_names()) {
    CAPTURE(isa);
    set_isa(isa);
    for (const std::size_t taps : {4u, 8u, 12u, 28u}) {
      for (const std::size_t n : {1u, 2u, 7u, 50u}) {
        CAPTURE(taps);
        CAPTURE(n);
        const std::vector<std::uint8_t> in = bytes(3 * pixels + 4, sequence);
        std::vector<std::uint32_t> first(n);
        std::vector<std::int16_t> weights(n * taps);
        for (std::size_t i = 0; i < n; ++i) {
          first[i] = i + 1 == n ? static_cast<std::uint32_t>(pixels - taps)
                                : sequence.next() % static_cast<std::uint32_t>(pixels - taps + 1);
        }
        for (std::int16_t& w : weights) {
          w = static_cast<std::int16_t>(static_cast<int>(sequence.next() % 9000) - 3000);
        }
        std::vector<std::uint8_t> out(3 * n + 1, 99);
        kernels::resize_row({in.data(), first.data(), weights.data(), taps, 14, n, out.data()});
        bool equal = out[3 * n] == 99;
        for (std::size_t k = 0; k < 3 * n; ++k) {
          std::int64_t sum = 0;
          for (std::size_t j = 0; j < taps; ++j) {
            sum += std::int64_t{weights[k / 3 * taps + j]} * in[3 * (first[k / 3] + j) + k % 3];
          }
          equal = equal && out[k] == clamped(sum, 14);
        }
        CHECK(equal);
      }
    }
  }
  set_isa("");
}
