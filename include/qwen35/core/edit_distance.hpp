// SPDX-License-Identifier: Apache-2.0
// How far a word is from another: for names that may be misspelt.
#pragma once

#include <qwen35/core/abi.hpp>

#include <cstddef>
#include <string_view>

#if QWEN35_BODIES
#include <algorithm>
#include <numeric>
#include <utility>
#include <vector>
#endif

QWEN35_BEGIN_NAMESPACE

// How many characters have to be put in, taken out or replaced to make `to` of `from`; above `most` any such number.
std::size_t edit_distance(std::string_view from, std::string_view to, std::size_t most);

#if QWEN35_BODIES

QWEN35_BODY std::size_t edit_distance(std::string_view from, std::string_view to, std::size_t most) {
  if (std::max(from.size(), to.size()) - std::min(from.size(), to.size()) > most) {
    return most + 1;
  }
  std::vector<std::size_t> row(to.size() + 1);  // from what was read of `from` to each beginning of `to`
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 0; i < from.size(); ++i) {
    std::size_t diagonal = std::exchange(row[0], i + 1);
    for (std::size_t k = 0; k < to.size(); ++k) {
      const std::size_t replaced = diagonal + (from[i] == to[k] ? 0u : 1u);
      diagonal = std::exchange(row[k + 1], std::min({replaced, row[k] + 1, row[k + 1] + 1}));
    }
  }
  return row.back();
}

#endif  // QWEN35_BODIES

QWEN35_END_NAMESPACE
