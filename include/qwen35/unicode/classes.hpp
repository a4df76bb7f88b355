// SPDX-License-Identifier: Apache-2.0
// Character classes of Unicode 16.0, as the split pattern of the tokenizer reads them.
#pragma once

#include <qwen35/unicode/class_ranges.hpp>

#include <cstddef>
#include <iterator>
#include <vector>

QWEN35_BEGIN_NAMESPACE
namespace unicode {

inline constexpr std::uint32_t code_points = 0x110000;

enum class Class : std::uint8_t { other, letter, mark, number, white_space };

// One byte for each code point, spread out of the ranges once per process (1.1 MB, of which text touches a few pages).
class ClassTable {
 public:
  static const ClassTable& instance() {
    static const ClassTable table;
    return table;
  }
  // `point` below 0x110000.
  Class operator[](std::uint32_t point) const { return static_cast<Class>(classes_[point]); }

 private:
  ClassTable() : classes_(code_points) {
    for (std::size_t i = 0; i < std::size(detail::class_starts); ++i) {
      const std::uint32_t end = i + 1 < std::size(detail::class_starts) ? detail::class_starts[i + 1] >> 3 : code_points;
      for (std::uint32_t point = detail::class_starts[i] >> 3; point < end; ++point) {
        classes_[point] = static_cast<std::uint8_t>(detail::class_starts[i] & 7);
      }
    }
  }
  std::vector<std::uint8_t> classes_;
};

// Had Unicode 9.0 assigned this code point? The reference normalises with the tables of that version.
inline bool assigned_in_unicode_9(std::uint32_t point) {
  std::size_t low = 0;
  std::size_t high = std::size(detail::assigned_starts);
  while (high - low > 1) {
    const std::size_t middle = (low + high) / 2;
    (detail::assigned_starts[middle] >> 1 <= point ? low : high) = middle;
  }
  return (detail::assigned_starts[low] & 1) != 0;
}

}  // namespace unicode
QWEN35_END_NAMESPACE
