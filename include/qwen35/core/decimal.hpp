// SPDX-License-Identifier: Apache-2.0
// A double from its decimal digits: std::from_chars, which libc++ has for doubles from its version 20 on alone.
#pragma once

#include <qwen35/core/abi.hpp>

#include <algorithm>
#include <charconv>
#include <clocale>
#include <cmath>
#include <cstdlib>
#include <limits>
#include <string>
#include <string_view>
#include <system_error>

QWEN35_BEGIN_NAMESPACE

namespace detail {

// The same through the C library, whose point is that of the program's locale. (A stream takes 39 characters of a
// number in libc++, and passes over the others.)
inline std::from_chars_result read_decimal_by_strtod(const char* first, const char* last, double& value) {
  const auto past_digits = [last](const char* at) {
    return std::find_if(at, last, [](char c) { return c < '0' || c > '9'; });
  };
  const auto starts_with = [last](const char* at, std::string_view word) {
    return static_cast<std::size_t>(last - at) >= word.size() &&
           std::equal(word.begin(), word.end(), at, [](char lower, char c) { return (c | 0x20) == lower; });
  };
  const bool minus = first != last && *first == '-';
  const char* const begin = first + (minus ? 1 : 0);
  if (starts_with(begin, "inf")) {
    value = (minus ? -1.0 : 1.0) * std::numeric_limits<double>::infinity();
    return {begin + (starts_with(begin, "infinity") ? 8 : 3), std::errc()};
  }
  if (starts_with(begin, "nan")) {
    value = std::copysign(std::numeric_limits<double>::quiet_NaN(), minus ? -1.0 : 1.0);
    return {begin + 3, std::errc()};
  }
  const char* const point = past_digits(begin);
  const char* end = point != last && *point == '.' ? past_digits(point + 1) : point;
  if (end - begin == (end != point ? 1 : 0)) {
    return {first, std::errc::invalid_argument};
  }
  const bool zero = std::all_of(begin, end, [](char c) { return c == '0' || c == '.'; });
  std::string text(first, end);
  if (end != point) {
    text.replace(static_cast<std::size_t>(point - first), 1, std::localeconv()->decimal_point);
  }
  if (end != last && (*end == 'e' || *end == 'E')) {
    const bool sign = end + 1 != last && (end[1] == '-' || end[1] == '+');
    const char* const exponent = end + (sign ? 2 : 1);
    if (const char* const past = past_digits(exponent); past != exponent) {
      text.append(end, past);
      end = past;
    }
  }
  const double read = std::strtod(text.c_str(), nullptr);
  if (std::isinf(read) || (read == 0.0 && !zero)) {
    return {end, std::errc::result_out_of_range};
  }
  value = read;
  return {end, std::errc()};
}

}  // namespace detail

template <class Number>
concept ReadByLibrary = requires(const char* text, Number& value) {
  std::from_chars(text, text, value);
};

// As std::from_chars(first, last, value) does.
template <class Number>
std::from_chars_result read_decimal(const char* first, const char* last, Number& value) {
  if constexpr (ReadByLibrary<Number>) {
    return std::from_chars(first, last, value);
  } else {
    return detail::read_decimal_by_strtod(first, last, value);
  }
}

QWEN35_END_NAMESPACE
