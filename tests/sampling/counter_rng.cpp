// SPDX-License-Identifier: Apache-2.0
#include <qwen35/sampling/counter_rng.hpp>

#include <doctest/doctest.h>

#include <cmath>

using namespace qwen35;

TEST_CASE("the generator's published test vectors") {
  using Words = std::array<std::uint32_t, 4>;
  CHECK(philox4x32({0, 0, 0, 0}, {0, 0}) == Words{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8});
  CHECK(philox4x32({0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff}, {0xffffffff, 0xffffffff}) ==
        Words{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd});
  CHECK(philox4x32({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0}) ==
        Words{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1});
}

TEST_CASE("every part of the key changes the draw, and draws are spread over [0, 1)") {
  const DrawKey key{.seed = 1, .sequence = 2, .sibling = 3, .position = 4};
  const double u = uniform(key);
  CHECK(u == uniform(key));
  CHECK(u != uniform(key, 1));
  CHECK(u != uniform({.seed = 2, .sequence = 2, .sibling = 3, .position = 4}));
  CHECK(u != uniform({.seed = 1 + (std::uint64_t{1} << 32), .sequence = 2, .sibling = 3, .position = 4}));
  CHECK(u != uniform({.seed = 1, .sequence = 3, .sibling = 3, .position = 4}));
  CHECK(u != uniform({.seed = 1, .sequence = 2, .sibling = 4, .position = 4}));
  CHECK(u != uniform({.seed = 1, .sequence = 2, .sibling = 3, .position = 5}));

  constexpr int draws = 20000;
  double sum = 0.0;
  double squares = 0.0;
  double neighbours = 0.0;
  double last = 0.5;
  for (std::uint32_t i = 0; i < draws; ++i) {
    const double x = uniform({.seed = 7, .position = i});
    REQUIRE((x >= 0.0 && x < 1.0));
    sum += x;
    squares += x * x;
    neighbours += (x - 0.5) * (last - 0.5);
    last = x;
  }
  // Within five standard deviations.
  CHECK(std::fabs(sum / draws - 0.5) < 5.0 / std::sqrt(12.0 * draws));
  CHECK(std::fabs(squares / draws - 1.0 / 3.0) < 5.0 * std::sqrt(4.0 / 45.0 / draws));
  CHECK(std::fabs(neighbours / draws) < 5.0 / 12.0 / std::sqrt(1.0 * draws));
}
