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

// Python's a // b and a % b of doubles: the remainder is exact, where a - floor(a / b) * b rounds twice.
inline double floor_quotient(double a, double b) {
  const double remainder = std::fmod(a, b);
  const double quotient = (a - remainder) / b - (remainder != 0.0 && (b < 0.0) != (remainder < 0.0) ? 1.0 : 0.0);
  return quotient == 0.0 ? std::copysign(0.0, a / b) : std::round(quotient);
}
inline double floor_remainder(double a, double b) {
  const double remainder = std::fmod(a, b);
  return remainder == 0.0 ? std::copysign(0.0, b) : (b < 0.0) != (remainder < 0.0) ? remainder + b : remainder;
}

// Python has an error, or a complex number, where a power of finite numbers is none.
inline double power(double a, double b) {
  const double out = std::pow(a, b);
  if (!std::isfinite(out) && std::isfinite(a) && std::isfinite(b)) {
    wrong(a == 0.0          ? "zero to a negative power"
          : std::isnan(out) ? "a negative number to a power that is no integer"
                            : "a power beyond the numbers");
  }
  return out;
}

inline Value arithmetic(const std::string& sign, double a, double b) {
  if ((sign == "/" || sign == "//" || sign == "%") && b == 0.0) {
    wrong("division by zero");
  }
  return sign == "+"    ? a + b
         : sign == "-"  ? a - b
         : sign == "*"  ? a * b
         : sign == "/"  ? a / b
         : sign == "//" ? floor_quotient(a, b)
         : sign == "%"  ? floor_remainder(a, b)
                        : power(a, b);
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
      return power(static_cast<double>(a), static_cast<double>(b));
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
    return equal(a, b, budget) == (sign == "==");
  }
  if (sign == "<" || sign == ">=") {
    return less(a, b, budget) == (sign == "<");
  }
  if (sign == ">" || sign == "<=") {
    return less(b, a, budget) == (sign == ">");
  }
  if (sign == "in" || sign == "not in") {
    return contains(b, a, budget) == (sign == "in");
  }
  if (sign == "~") {
    Text out = to_text(a, budget);
    add_text(b, out, budget);
    out.markup = false;
    return out;
  }
  if (sign == "+" && a.is(Kind::text) && b.is(Kind::text)) {
    const bool markup = a.text().markup || b.text().markup;
    budget.charge_text(a.text().bytes.size() + b.text().bytes.size());
    Text out = markup && !a.text().markup ? escaped(a.text(), budget) : a.text();
    out += markup && !b.text().markup ? escaped(b.text(), budget) : b.text();
    out.markup = markup;
    return out;
  }
  if (sign == "+" && a.is(Kind::list) && b.is(Kind::list)) {
    if (a.is_tuple() != b.is_tuple()) {
      wrong("\"+\" between a tuple and a list");
    }
    budget.charge_values(a.items().size() + b.items().size());
    std::vector<Value> out = a.items();
    out.insert(out.end(), b.items().begin(), b.items().end());
    return a.is_tuple() ? Value::tuple(std::move(out)) : Value(std::move(out));
  }
  if (sign == "*" && a.is(Kind::text) && (b.is(Kind::integer) || b.is(Kind::boolean)) && !b.is_large()) {
    const std::int64_t times = a.text().bytes.empty() ? 0 : std::max<std::int64_t>(b.integer(), 0);
    budget.charge_text(a.text().bytes.size(), static_cast<std::size_t>(std::min(times, std::int64_t{1} << 40)));
    Text out;
    for (std::int64_t i = 0; i < times; ++i) {
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
  const bool text = value.is(Kind::text);
  budget.charge(text ? value.text().bytes.size() * sizeof(std::size_t) : 1);
  const std::vector<std::size_t> starts = text ? character_starts(value.text().bytes) : std::vector<std::size_t>();
  const auto size = static_cast<std::int64_t>(text ? starts.size() - 1 : value.items().size());
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
  if (text && step == 1) {
    const std::size_t from = starts[static_cast<std::size_t>(begin)];
    const std::size_t bytes = end > begin ? starts[static_cast<std::size_t>(end)] - from : 0;
    budget.charge_text(bytes);
    return value.text().part(from, bytes);
  }
  std::vector<Value> items;
  Text characters;
  characters.markup = text && value.text().markup;
  for (std::int64_t i = begin; step < 0 ? i > end : i < end;) {
    const auto at = static_cast<std::size_t>(i);
    if (text) {
      budget.charge_text(starts[at + 1] - starts[at], 4);
      characters += value.text().part(starts[at], starts[at + 1] - starts[at]);
    } else {
      budget.charge_values(1);
      items.push_back(value.items()[at]);
    }
    if (__builtin_add_overflow(i, step, &i)) {
      break;
    }
  }
  return text ? Value(std::move(characters)) : Value(std::move(items));
}

}  // namespace jinja
QWEN35_END_NAMESPACE
