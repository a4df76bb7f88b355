// SPDX-License-Identifier: Apache-2.0
// Names for a message: the first of them, and how many more there are.
#pragma once

#include <qwen35/core/error.hpp>

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#if QWEN35_BODIES
#include <algorithm>
#endif

QWEN35_BEGIN_NAMESPACE

struct NameList {
  static constexpr std::size_t shown = 50;
  std::vector<std::string> names;
  std::size_t count = 0;

  void add(std::string_view name);  // as shortened() has it
  // At most `most` of them.
  std::string text(std::string_view between = ", ", std::size_t most = shown) const;
};

#if QWEN35_BODIES

QWEN35_BODY void NameList::add(std::string_view name) {
  if (count++ < shown) {
    names.push_back(shortened(name));
  }
}

QWEN35_BODY std::string NameList::text(std::string_view between, std::size_t most) const {
  std::string out;
  for (std::size_t i = 0; i < std::min(names.size(), most); ++i) {
    out.append(out.empty() ? "" : between).append(names[i]);
  }
  return count > most ? concat(out, between.starts_with("\n") ? between : " ", "and ", count - most, " more") : out;
}

#endif  // QWEN35_BODIES

QWEN35_END_NAMESPACE
