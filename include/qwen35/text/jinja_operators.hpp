// SPDX-License-Identifier: Apache-2.0
// The operators of Jinja templates.
#pragma once

#include <qwen35/text/jinja_strings.hpp>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <vector>

QWEN35_BEGIN_NAMESPACE
namespace jinja {

inline std::string kind_name(const Value& value) {
  return std::string(value.is(Kind::undefined) ? std::string_view("an undefined value") : name(value.kind()));
}

inline Value arithmetic(const std::string& sign, double a, double b) {
  if ((sign == "/" || sign == "//" || sign == "%") && b == 0.0) {
    wrong("division by zero");
  }
  const double quotient = sign == "//" || sign == "%" ? std::floor(a / b) : 0.0;
  return sign == "+"    ? a + b
         : sign == "-"  ? a - b
         : sign == "*"  ? a * b
         : sign == "/"  ? a / b
         : sign == "//" ? quotient
         : sign == "%"  ? a - quotient * b
                        : std::pow(a, b);
}

inline Value arithmetic(const std::string& sign, std::int64_t a, std::int64_t b) {
  std::int64_t out = 0;
  bool beyond = false;
  if (sign == "+" || sign == "-" || sign == "*") {
    beyond = sign == "+"   ? __builtin_add_overflow(a, b, &out)
             : sign == "-" ? __builtin_sub_overflow(a, b, &out)
                           : __builtin_mul_overflow(a, b, &out);
  } else if (sign == "//" || sign == "%") {
    if (b == 0) {
      wrong("division by zero");
    }
    beyond = b == -1 && a == std::numeric_limits<std::int64_t>::min();
    const std::int64_t quotient = beyond ? 0 : a / b - (a % b != 0 && (a < 0) != (b < 0) ? 1 : 0);
    out = sign == "//" ? quotient : beyond ? 0 : a - quotient * b;
  } else {
    if (b < 0) {
      return std::pow(static_cast<double>(a), static_cast<double>(b));
    }
    out = 1;
    for (std::int64_t i = 0; i < b && !beyond && out != 0 && (a != 1 || i < 1) && (a != -1 || i < b % 2); ++i) {
      beyond = __builtin_mul_overflow(out, a, &out);
    }
    out = a == -1 && b > 0 ? (b % 2 == 0 ? 1 : -1) : out;
  }
  if (beyond) {
    wrong("an integer beyond 64 bits");
  }
  return out;
}

// `a sign b`.
inline Value binary(const std::string& sign, const Value& a, const Value& b, Budget& budget) {
  if (sign == "==" || sign == "!=") {
    return (a == b) == (sign == "==");
  }
  if (sign == "<" || sign == ">=") {
    return less(a, b) == (sign == "<");
  }
  if (sign == ">" || sign == "<=") {
    return less(b, a) == (sign == ">");
  }
  if (sign == "in" || sign == "not in") {
    budget.charge(b.is(Kind::text) ? b.text().bytes.size() : b.is(Kind::undefined) ? 1 : length_of(b));
    return contains(b, a) == (sign == "in");
  }
  if (sign == "~") {
    Text out = to_text(a);
    add_text(b, out);
    out.markup = false;
    budget.charge(out.bytes.size());
    return out;
  }
  if (sign == "+" && a.is(Kind::text) && b.is(Kind::text)) {
    const bool markup = a.text().markup || b.text().markup;
    Text out = markup && !a.text().markup ? escaped(a.text()) : a.text();
    out += markup && !b.text().markup ? escaped(b.text()) : b.text();
    out.markup = markup;
    budget.charge(out.bytes.size());
    return out;
  }
  if (sign == "+" && a.is(Kind::list) && b.is(Kind::list)) {
    std::vector<Value> out = a.items();
    out.insert(out.end(), b.items().begin(), b.items().end());
    budget.charge(out.size() * 8);
    return out;
  }
  if (sign == "*" && a.is(Kind::text) && (b.is(Kind::integer) || b.is(Kind::boolean)) && !b.is_large()) {
    Text out;
    for (std::int64_t i = 0; i < b.integer(); ++i) {
      budget.charge(a.text().bytes.size() + 1);
      out += a.text();
    }
    return out;
  }
  if (!a.is_number() || !b.is_number() || a.is_large() || b.is_large()) {
    wrong(concat("\"", sign, "\" between ", kind_name(a), " and ", kind_name(b)));
  }
  return a.is(Kind::number) || b.is(Kind::number) || sign == "/" ? arithmetic(sign, a.number(), b.number())
                                                                 : arithmetic(sign, a.integer(), b.integer());
}

// Python's value[begin:end:step].
inline Value sliced(const Value& value, const std::optional<std::int64_t> (&bounds)[3], Budget& budget) {
  if (!value.is(Kind::list) && !value.is(Kind::text)) {
    wrong(concat("a slice of ", name(value.kind())));
  }
  const std::vector<Value> items = items_of(value, budget);
  const auto size = static_cast<std::int64_t>(items.size());
  const std::int64_t step = bounds[2].value_or(1);
  if (step == 0) {
    wrong("a slice's step is 0");
  }
  const auto clamped = [&](std::optional<std::int64_t> bound, std::int64_t otherwise) {
    const std::int64_t low = step < 0 ? -1 : 0, high = step < 0 ? size - 1 : size;
    if (!bound) {
      return otherwise;
    }
    return *bound < 0 ? (*bound < -size ? low : std::max(*bound + size, low)) : std::min(*bound, high);
  };
  const std::int64_t begin = clamped(bounds[0], step < 0 ? size - 1 : 0);
  const std::int64_t end = clamped(bounds[1], step < 0 ? -1 : size);
  std::vector<Value> out;
  for (std::int64_t i = begin; step < 0 ? i > end : i < end;) {
    out.push_back(items[static_cast<std::size_t>(i)]);
    if (__builtin_add_overflow(i, step, &i)) {
      break;
    }
  }
  return value.is(Kind::text) ? Value(joined(out, Text(), budget)) : Value(std::move(out));
}

}  // namespace jinja
QWEN35_END_NAMESPACE
