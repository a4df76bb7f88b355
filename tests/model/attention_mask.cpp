// SPDX-License-Identifier: Apache-2.0
#include <qwen35/model/attention_mask.hpp>

#include <doctest/doctest.h>

#include <array>

using namespace qwen35;

namespace {

std::vector<int> read(const AttentionMask& mask) {
  std::vector<int> out;
  for (std::size_t i = 0; i < mask.shape().size(); ++i) {
    out.push_back(mask.visible(i) ? 1 : 0);
  }
  return out;
}

}  // namespace

TEST_CASE("padding masks of integers, bytes, booleans and floats say the same") {
  const std::vector<int> expected{0, 1, 1, 1};
  const std::vector<std::int32_t> integers{0, 1, 7, 1};
  const std::array<bool, 4> booleans{false, true, true, true};
  const Tensor<std::uint8_t> bytes({2, 2}, {0, 1, 1, 1});
  const Tensor<float> floats({2, 2}, {0.0f, 1.0f, 1.0f, 1.0f});
  CHECK(read(integers) == expected);
  CHECK(read({0, 1, 1, 1}) == expected);
  CHECK(read(bytes) == expected);
  CHECK(read(TensorView<bool>(booleans.data(), {2, 2})) == expected);
  const AttentionMask mask(floats);
  CHECK(read(mask) == expected);
  CHECK(mask.shape() == Shape{2, 2});
  CHECK(!mask.is_additive());
  CHECK(!mask.is_ready_made());
  CHECK(!AttentionMask());
}

TEST_CASE("floats with four axes are added to the scores") {
  const Tensor<float> floats({1, 1, 2, 2}, {0.0f, -1e9f, 0.0f, 0.5f});
  const AttentionMask mask(floats);
  CHECK(mask.is_additive());
  CHECK(mask.is_ready_made());
  CHECK(mask.additive()[3] == 0.5f);
  const Tensor<std::uint8_t> bytes({1, 1, 1, 2}, {0, 1});
  CHECK(AttentionMask(bytes).is_ready_made());
  CHECK(!AttentionMask(bytes).is_additive());
}

TEST_CASE("an additive mask without its four axes is an error") {
  const Tensor<float> floats({1, 2}, {0.0f, -1e9f});
  CHECK_THROWS_WITH_AS(read(floats), doctest::Contains("a mask that is added to the scores has four axes"), InputError);
}
