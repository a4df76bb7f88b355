// SPDX-License-Identifier: Apache-2.0
#include <qwen35/core/grid.hpp>

#include <doctest/doctest.h>
#include <support/message_of.hpp>

#include <limits>

using namespace qwen35;
using test_support::message_of;

TEST_CASE("patches and tokens of a grid") {
  constexpr Grid video{3, 4, 6};
  static_assert(video.possible(2) && video.frames() == 3 && video.frame_patches() == 24 && video.patches() == 72);
  static_assert(video.frame_tokens(2) == 6 && video.tokens(2) == 18 && video.tokens(1) == 72);
}

TEST_CASE("a grid has sizes above zero, whole tokens, and no more patches than the limit") {
  CHECK(Grid{1, 2, 2}.possible(2));
  CHECK(Grid{1, 3, 5}.possible(1));
  CHECK(!Grid{1, 3, 4}.possible(2));
  CHECK(!Grid{1, 4, 3}.possible(2));
  for (const std::int64_t wrong : {std::int64_t{0}, std::int64_t{-2}, std::numeric_limits<std::int64_t>::min(),
                                   std::numeric_limits<std::int64_t>::max() - 1}) {
    CHECK(!Grid{wrong, 2, 2}.possible(2));
    CHECK(!Grid{2, wrong, 2}.possible(2));
    CHECK(!Grid{2, 2, wrong}.possible(2));
  }
  CHECK(!Grid{1, 2, 2}.possible(0));
  CHECK(!Grid{1, 2048, 2048}.possible(Grid::max_merge + 1));
  CHECK(Grid{1, 1 << 14, 1 << 14}.possible(2));
  CHECK(!Grid{2, 1 << 14, 1 << 14}.possible(2));
  CHECK(!Grid{1, 1 << 14, (1 << 14) + 2}.possible(2));
}

TEST_CASE("rows are read from a tensor, and what is wrong is said with its place") {
  const Tensor<std::int64_t> grids({2, 3}, {1, 2, 4, 2, 4, 3});
  CHECK(grid_count(grids, "image_grid_thw") == 2);
  CHECK(grid_count({}, "image_grid_thw") == 0);
  CHECK(grid_at(grids, 0, 2, "image_grid_thw") == Grid{1, 2, 4});
  CHECK(message_of<InputError>([&] { grid_at(grids, 1, 2, "image_grid_thw"); }) ==
        "image_grid_thw[1] is (2, 4, 3), expected sizes above 0, height and width multiples of 2 (1 to 1024), and at "
        "most "
        "268435456 patches");
  const Tensor<std::int64_t> flat({3}, {1, 2, 4});
  CHECK(message_of<InputError>([&] { grid_count(flat, "grid"); }) == "grid of shape [3], expected [items, 3]");
}
