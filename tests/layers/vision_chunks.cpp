// SPDX-License-Identifier: Apache-2.0
#include <qwen35/layers/vision_chunks.hpp>

#include <doctest/doctest.h>

#include <vector>

using namespace qwen35;

TEST_CASE("chunks of rows are even and keep to the limit") {
  CHECK(vision_chunk(0) == 0);
  CHECK(vision_chunk(1) == 1);
  CHECK(vision_chunk(vision_chunk_limit) == vision_chunk_limit);
  CHECK(vision_chunk(vision_chunk_limit + 1) == vision_chunk_limit / 2 + 1);
  CHECK(vision_chunk(2304) == 768);
}

TEST_CASE("each row is in one chunk") {
  for (const std::size_t rows : {std::size_t{0}, std::size_t{5}, std::size_t{2000}}) {
    std::vector<int> seen(rows, 0);
    each_vision_chunk(rows, [&](std::size_t first, std::size_t count) {
      for (std::size_t i = first; i < first + count; ++i) {
        ++seen[i];
      }
    });
    CHECK(seen == std::vector<int>(rows, 1));
  }
}
