// SPDX-License-Identifier: Apache-2.0
#include <qwen35/layers/rotary_embedding.hpp>

#include <doctest/doctest.h>

#include <cmath>

using namespace qwen35;

TEST_CASE("published frequencies") {
  const RotaryEmbedding rotary({.rope_theta = 1e7}, 256, 262144);
  std::vector<float> scratch;
  const std::span<const float> theta = rotary.frequencies(0, scratch);
  REQUIRE(theta.size() == 32);
  CHECK(theta[0] == 1.0f);
  CHECK(theta[1] == doctest::Approx(0.60429639).epsilon(1e-6));
  CHECK(theta[2] == doctest::Approx(0.36517413).epsilon(1e-6));
  CHECK(theta[15] == doctest::Approx(5.2329911e-4).epsilon(1e-6));
  CHECK(theta[31] == doctest::Approx(1.6548171e-7).epsilon(1e-6));
}

TEST_CASE("three planes interleave with period 3") {
  const RotaryEmbedding rotary({.rope_theta = 1e7}, 256, 262144);
  const std::int32_t positions[3] = {1000, 200000, 70};  // temporal, height, width
  std::vector<float> cos(32);
  std::vector<float> sin(32);
  rotary.fill(positions, 1, 1, 200000, cos.data(), sin.data());
  std::vector<float> scratch;
  const std::span<const float> theta = rotary.frequencies(0, scratch);
  for (std::size_t j = 0; j < 32; ++j) {
    const std::size_t plane = j == 30 ? 0 : j % 3;  // T H W repeated; 30 is T, 31 is H
    const float angle = theta[j] * static_cast<float>(positions[plane]);
    CHECK(cos[j] == std::cos(angle));
    CHECK(sin[j] == std::sin(angle));
  }
}

TEST_CASE("length-dependent types choose by the longest position") {
  std::vector<float> a;
  std::vector<float> b;
  const RotaryEmbedding dynamic({.rope_type = RopeType::dynamic, .partial_rotary_factor = 1.0, .factor = 2.0}, 8, 16);
  const std::vector<float> within(dynamic.frequencies(15, a).begin(), dynamic.frequencies(15, a).end());
  CHECK(dynamic.frequencies(16, b)[1] < within[1]);
  CHECK(dynamic.frequencies(15, a)[1] == within[1]);  // and back: no memory of the longer call
  const RotaryEmbedding longrope({.rope_type = RopeType::longrope,
                                  .partial_rotary_factor = 0.5,
                                  .factor = 4.0,
                                  .original_max_position_embeddings = 8,
                                  .short_factor = {1.0, 2.0},
                                  .long_factor = {3.0, 4.0}},
                                 8, 32);
  CHECK(longrope.frequencies(7, a)[0] == 1.0f);
  CHECK(longrope.frequencies(8, a)[0] == doctest::Approx(1.0 / 3.0));
}

TEST_CASE("keys that a type needs") {
  CHECK_THROWS_WITH_AS(RotaryEmbedding({.rope_type = RopeType::linear}, 64, 128), doctest::Contains("needs \"factor\""),
                       ConfigError);
  CHECK_THROWS_WITH_AS(RotaryEmbedding({.rope_type = RopeType::llama3, .factor = 8.0}, 64, 128),
                       doctest::Contains("low_freq_factor"), ConfigError);
  CHECK_THROWS_WITH_AS(RotaryEmbedding({.rope_type = RopeType::longrope, .factor = 8.0}, 64, 128),
                       doctest::Contains("expected 8"), ConfigError);
  CHECK_THROWS_WITH_AS(RotaryEmbedding({.partial_rotary_factor = 1.5}, 64, 128), doctest::Contains("head of 64"),
                       ConfigError);
}
