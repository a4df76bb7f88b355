// SPDX-License-Identifier: Apache-2.0
#include <qwen35/layers/vision_positions.hpp>

#include <doctest/doctest.h>

#include <cmath>
#include <vector>

using namespace qwen35;

TEST_CASE("patches follow each other in merge blocks, and every place has one patch") {
  const PatchGrid grid{4, 6, 2};
  const std::size_t first[][2] = {{0, 0}, {0, 1}, {1, 0}, {1, 1}, {0, 2}, {0, 3}, {1, 2}, {1, 3}};
  for (std::size_t i = 0; i < 8; ++i) {
    CHECK(grid.cell(i).row == first[i][0]);
    CHECK(grid.cell(i).col == first[i][1]);
  }
  CHECK(grid.cell(12).row == 2);
  for (const PatchGrid& any : {grid, PatchGrid{3, 5, 1}, PatchGrid{6, 3, 3}}) {
    std::vector<int> seen(any.size());
    for (std::size_t i = 0; i < any.size(); ++i) {
      ++seen[any.cell(i).row * any.w + any.cell(i).col];
    }
    CHECK(seen == std::vector<int>(any.size(), 1));
  }
}

TEST_CASE("the position table is stretched so that its corners fall on the frame's corners, for every frame") {
  // Row r, column c of the table holds 10 r + c, which interpolation keeps: at a share of the side it is that share of
  // 9 rows and 9 columns.
  constexpr std::size_t cells = 10;
  std::vector<float> values;
  for (std::size_t i = 0; i < cells * cells; ++i) {
    values.push_back(static_cast<float>(i));
    values.push_back(-2.0f);
  }
  const Matrix table{reinterpret_cast<const std::byte*>(values.data()), DType::f32, cells * cells, 2};
  for (const PatchGrid& grid : {PatchGrid{4, 6, 2}, PatchGrid{20, 2, 2}, PatchGrid{1, 7, 1}, PatchGrid{10, 10, 1}}) {
    std::vector<float> x(2 * grid.size() * 2, 1.0f);
    add_position_embedding(table, grid, 2, x.data());
    for (std::size_t i = 0; i < 2 * grid.size(); ++i) {
      const PatchGrid::Cell at = grid.cell(i % grid.size());
      const auto along = [](std::size_t place, std::size_t count) {
        return count == 1 ? 0.0 : 9.0 * static_cast<double>(place) / static_cast<double>(count - 1);
      };
      CHECK(static_cast<double>(x[2 * i]) ==
            doctest::Approx(1.0 + 10.0 * along(at.row, grid.h) + along(at.col, grid.w)).epsilon(1e-5));
      CHECK(x[2 * i + 1] == doctest::Approx(-1.0f));
    }
  }
}

TEST_CASE("of a head's angles the first half turn with the row and the second with the column") {
  const PatchGrid grid{4, 6, 2};
  constexpr std::size_t half = 8;
  std::vector<float> cos(grid.size() * half), sin(grid.size() * half);
  fill_vision_rotary(grid, half, cos.data(), sin.data());
  for (std::size_t i = 0; i < grid.size(); ++i) {
    const PatchGrid::Cell at = grid.cell(i);
    for (std::size_t j = 0; j < half; ++j) {
      const double angle = static_cast<double>(j < half / 2 ? at.row : at.col) *
                           std::pow(10000.0, -2.0 * static_cast<double>(j % (half / 2)) / half);
      CHECK(static_cast<double>(cos[i * half + j]) == doctest::Approx(std::cos(angle)).epsilon(1e-5));
      CHECK(static_cast<double>(sin[i * half + j]) == doctest::Approx(std::sin(angle)).epsilon(1e-5));
    }
  }
}
