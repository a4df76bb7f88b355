// SPDX-License-Identifier: Apache-2.0
// Character classes of Unicode 16.0, as the split pattern of the tokenizer reads them, and what normalisation form C
// needs to look at.
#pragma once

#include <qwen35/core/abi.hpp>

#include <cstddef>
#include <iterator>
#include <vector>

#if QWEN35_BODIES
#include <qwen35/unicode/class_ranges.hpp>

#include <algorithm>
#endif

QWEN35_BEGIN_NAMESPACE
namespace unicode {

inline constexpr std::uint32_t code_points = 0x110000;

enum class Class : std::uint8_t { other, letter, mark, number, white_space };

// A table in two stages, spread out of the ranges once per process: 95 kB, of which text touches little. Blocks of 128
// code points with the same flags share their bytes.
class ClassTable {
 public:
  static const ClassTable& instance();
  // `point` below 0x110000 in all of these.
  Class operator[](std::uint32_t point) const { return static_cast<Class>(flags(point) & 7); }
  // May normalisation form C change this code point, reorder it, or compose it with what stands before? (Unicode 9.0)
  bool nfc_active(std::uint32_t point) const { return (flags(point) & 8) != 0; }
  // Is the code point unknown to Unicode 9.0? The reference normalises with the tables of that version.
  bool later_than_unicode_9(std::uint32_t point) const { return (flags(point) & 16) != 0; }

 private:
  static constexpr std::uint32_t block_size = 128;

  std::uint8_t flags(std::uint32_t point) const {
    return flags_[block_start_[point / block_size] + point % block_size];
  }

  ClassTable();

  std::vector<std::uint32_t> block_start_;
  std::vector<std::uint8_t> flags_;
};

}  // namespace unicode

#if QWEN35_BODIES

namespace unicode {

QWEN35_BODY const ClassTable& ClassTable::instance() {
  static const ClassTable table;
  return table;
}

QWEN35_BODY ClassTable::ClassTable() : block_start_(code_points / block_size) {
  constexpr std::size_t runs = std::size(class_starts);
  constexpr std::uint32_t none = UINT32_MAX;
  std::uint32_t uniform[32];
  std::fill(std::begin(uniform), std::end(uniform), none);
  std::size_t run = 0;
  const auto run_end = [&] { return run + 1 < runs ? class_starts[run + 1] >> 5 : code_points; };
  for (std::uint32_t first = 0; first < code_points; first += block_size) {
    while (run_end() <= first) {
      ++run;
    }
    std::uint8_t value = class_starts[run] & 31;
    const bool same = run_end() >= first + block_size;
    auto start = static_cast<std::uint32_t>(flags_.size());
    if (same && uniform[value] != none) {
      start = uniform[value];
    } else {
      for (std::uint32_t point = first; point < first + block_size; ++point) {
        if (point == run_end()) {
          value = class_starts[++run] & 31;
        }
        flags_.push_back(value);
      }
      uniform[value] = same ? start : uniform[value];
    }
    block_start_[first / block_size] = start;
  }
}

}  // namespace unicode

#endif  // QWEN35_BODIES

QWEN35_END_NAMESPACE
