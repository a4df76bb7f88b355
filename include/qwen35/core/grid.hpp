// SPDX-License-Identifier: Apache-2.0
// How many patches a picture or video has in time, down and across, and which such sizes are possible.
#pragma once

#include <qwen35/core/tensor.hpp>

#include <cstddef>
#include <cstdint>
#include <string_view>

QWEN35_BEGIN_NAMESPACE

// One row of a `grid_thw`: `t` temporal patches (1 for a picture), each of `h` rows of `w` patches. `merge` x `merge`
// patches of one temporal patch become one token.
struct Grid {
  std::int64_t t = 0, h = 0, w = 0;

  // The largest that can be: its tokens alone fill a context of 64 M. Products of a possible grid's sizes fit 32 bits.
  static constexpr std::int64_t max_patches = std::int64_t{1} << 28;
  static constexpr std::size_t max_merge = std::size_t{1} << 10;

  constexpr bool possible(std::size_t merge) const {
    const auto m = static_cast<std::int64_t>(merge);
    return merge > 0 && merge <= max_merge && t > 0 && h > 0 && w > 0 && h % m == 0 && w % m == 0 && h <= max_patches &&
           w <= max_patches / h && t <= max_patches / (h * w);
  }

  // Of a possible grid.
  constexpr std::size_t frames() const { return static_cast<std::size_t>(t); }
  constexpr std::size_t frame_patches() const { return static_cast<std::size_t>(h * w); }
  constexpr std::size_t patches() const { return frames() * frame_patches(); }
  constexpr std::size_t frame_tokens(std::size_t merge) const { return frame_patches() / (merge * merge); }
  constexpr std::size_t tokens(std::size_t merge) const { return frames() * frame_tokens(merge); }

  friend constexpr bool operator==(const Grid&, const Grid&) = default;
};

// The number of items of `grids` `[items, 3]`, 0 when they are not given. Raises InputError for another shape.
inline std::size_t grid_count(TensorView<std::int64_t> grids, std::string_view name) {
  const Shape& shape = grids.shape();
  require<InputError>(!grids || (shape.rank() == 2 && shape[1] == 3), name, " of shape ", to_string(shape),
                      ", expected [items, 3]");
  return grids ? shape[0] : 0;
}

// Row `item` of `grids`. Raises InputError for one that is not possible.
inline Grid grid_at(TensorView<std::int64_t> grids, std::size_t item, std::size_t merge, std::string_view name) {
  const Grid grid{grids[3 * item], grids[3 * item + 1], grids[3 * item + 2]};
  require<InputError>(grid.possible(merge), name, "[", item, "] is (", grid.t, ", ", grid.h, ", ", grid.w,
                      "), expected sizes above 0, height and width multiples of ", merge, " (1 to ", Grid::max_merge,
                      "), and at most ", Grid::max_patches, " patches");
  return grid;
}

QWEN35_END_NAMESPACE
