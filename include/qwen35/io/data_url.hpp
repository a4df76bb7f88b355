// SPDX-License-Identifier: Apache-2.0
// Which sources carry their own bytes. Whoever decides what may be opened and whoever opens it ask the same.
#pragma once

#include <qwen35/core/abi.hpp>

#include <string_view>

QWEN35_BEGIN_NAMESPACE

// "data:" in either case.
constexpr bool is_data_url(std::string_view text) {
  return text.size() >= 5 && (text[0] | 0x20) == 'd' && (text[1] | 0x20) == 'a' && (text[2] | 0x20) == 't' &&
         (text[3] | 0x20) == 'a' && text[4] == ':';
}

QWEN35_END_NAMESPACE
