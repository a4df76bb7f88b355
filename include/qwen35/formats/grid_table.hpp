// SPDX-License-Identifier: Apache-2.0
// The grids of the IQ formats with their values put in, a byte for each, so that one load gives eight values or four.
#pragma once

#include <qwen35/formats/grid_blocks.hpp>

#include <array>
#include <cstddef>
#include <cstdint>

QWEN35_BEGIN_NAMESPACE
namespace coded {

// 33 KiB in all, of which a product reads one format's: at most the 16 KiB of iq1_grid.
template <class Value, std::size_t Size, class Fn>
constexpr std::array<Value, Size> grid_table(const std::uint16_t (&grid)[Size], const Fn& values) {
  std::array<Value, Size> out{};
  for (std::size_t i = 0; i < Size; ++i) {
    out[i] = static_cast<Value>(values(grid[i]));
  }
  return out;
}

inline constexpr auto iq2_xxs_table = grid_table<std::uint64_t>(iq2_xxs_grid, iq2_values);
inline constexpr auto iq2_xs_table = grid_table<std::uint64_t>(iq2_xs_grid, iq2_values);
inline constexpr auto iq2_s_table = grid_table<std::uint64_t>(iq2_s_grid, iq2_values);
inline constexpr auto iq3_xxs_table = grid_table<std::uint32_t>(iq3_xxs_grid, iq3_xxs_values);
inline constexpr auto iq3_s_table = grid_table<std::uint32_t>(iq3_s_grid, iq3_s_values);
// Shifted down.
inline constexpr auto iq1_table =
    grid_table<std::uint64_t>(iq1_grid, [](std::uint64_t fields) { return minus(8 * spread_pairs(fields), 9); });

}  // namespace coded
QWEN35_END_NAMESPACE
