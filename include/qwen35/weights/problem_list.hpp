// SPDX-License-Identifier: Apache-2.0
// What is wrong with the tensors of a file, for one error that lists it.
#pragma once

#include <qwen35/core/error.hpp>

#include <cstddef>
#include <string>
#include <string_view>

QWEN35_BEGIN_NAMESPACE

class ProblemList {
 public:
  static constexpr std::size_t shown = 50;

  void add(std::string_view name, std::string_view what) {
    if (count_++ < shown) {
      text_ += concat("\n  ", name, ": ", what);
    }
  }
  std::size_t count() const { return count_; }
  // A line for each, the first of them in full.
  std::string text() const { return count_ > shown ? concat(text_, "\n  and ", count_ - shown, " more") : text_; }

 private:
  std::size_t count_ = 0;
  std::string text_;
};

QWEN35_END_NAMESPACE
