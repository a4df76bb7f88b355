// SPDX-License-Identifier: Apache-2.0
// What an error says.
#pragma once

#include <string>
#include <string_view>

namespace test_support {

// The message of the E that `run` raises; "" when it raises nothing. Another exception passes through.
template <class E, class Run>
std::string message_of(const Run& run) {
  try {
    run();
  } catch (const E& error) {
    return error.what();
  }
  return "";
}

inline bool contains(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

}  // namespace test_support
