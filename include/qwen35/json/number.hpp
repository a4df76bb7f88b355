// SPDX-License-Identifier: Apache-2.0
// Numbers as Python writes them.
#pragma once

#include <qwen35/json/value.hpp>

#include <string>

#if QWEN35_BODIES
#include <charconv>
#include <cmath>
#endif

QWEN35_BEGIN_NAMESPACE
namespace json {

// A double as Python's repr: the shortest digits that read back, "1.0", "1e+16", "1e-05", "-0.0", "nan", "inf".
std::string python_repr_number(double value);

// An integer or a number as Python's str: all digits of an integer, whatever its size. Raises TextError for another
// kind.
std::string python_number(const Value& value);

}  // namespace json

#if QWEN35_BODIES

namespace json {

QWEN35_BODY std::string python_repr_number(double value) {
  if (std::isnan(value)) {
    return "nan";
  }
  if (std::isinf(value)) {
    return value > 0 ? "inf" : "-inf";
  }
  char buffer[64];
  const double magnitude = std::fabs(value);
  const bool fixed = magnitude == 0.0 || (magnitude >= 1e-4 && magnitude < 1e16);
  const auto end = std::to_chars(buffer, buffer + sizeof(buffer), value,
                                 fixed ? std::chars_format::fixed : std::chars_format::scientific);
  std::string out(buffer, end.ptr);
  if (fixed && out.find('.') == std::string::npos) {
    out += ".0";
  }
  return out;
}

QWEN35_BODY std::string python_number(const Value& value) {
  return value.kind() == Kind::integer ? value.digits() : python_repr_number(value.as_number());
}

}  // namespace json

#endif  // QWEN35_BODIES

QWEN35_END_NAMESPACE
