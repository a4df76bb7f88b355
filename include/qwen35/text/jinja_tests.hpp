// SPDX-License-Identifier: Apache-2.0
// The tests of Jinja templates: `value is name`.
#pragma once

#include <qwen35/text/jinja_strings.hpp>

#include <algorithm>
#include <initializer_list>
#include <string_view>

QWEN35_BEGIN_NAMESPACE
namespace jinja {

inline constexpr std::string_view test_names[] = {
    "defined",     "undefined", "none", "string", "mapping",  "iterable", "sequence",    "number", "integer",
    "float",       "boolean",   "true", "false",  "even",     "odd",      "divisibleby", "eq",     "equalto",
    "==",          "ne",        "!=",   "lt",     "lessthan", "<",        "le",          "<=",     "gt",
    "greaterthan", ">",         "ge",   ">=",     "in",       "sameas",   "callable",    "lower",  "upper"};

// `x is name(...)`; the subject is the first argument.
inline bool passes(std::string_view test, const Arguments& arguments, Budget& budget) {
  const Value& x = arguments.items[0];
  const auto is = [test](std::initializer_list<std::string_view> names) {
    return std::find(names.begin(), names.end(), test) != names.end();
  };
  const auto other = [&]() -> const Value& { return needed(arguments, 1, "other"); };
  budget.charge(1);
  if (is({"defined"})) {
    return !x.is(Kind::undefined);
  }
  if (is({"undefined"})) {
    return x.is(Kind::undefined);
  }
  if (is({"none"})) {
    return x.is(Kind::none);
  }
  if (is({"string"})) {
    return x.is(Kind::text);
  }
  if (is({"mapping"})) {
    return x.is(Kind::dict);
  }
  if (is({"iterable", "sequence"})) {  // Jinja's undefined value passes for both
    return x.is(Kind::text) || x.is(Kind::list) || x.is(Kind::dict) || x.is(Kind::undefined);
  }
  if (is({"number"})) {
    return x.is_number();
  }
  if (is({"integer"})) {
    return x.is(Kind::integer);
  }
  if (is({"float"})) {
    return x.is(Kind::number);
  }
  if (is({"boolean"})) {
    return x.is(Kind::boolean);
  }
  if (is({"true", "false"})) {
    return x.is(Kind::boolean) && x.truth() == (test == "true");
  }
  if (is({"even", "odd"})) {
    return (integer_of(x, test) % 2 == 0) == (test == "even");
  }
  if (is({"divisibleby"})) {
    const std::int64_t by = integer_of(other(), test);
    if (by == 0) {
      wrong("divisibleby: division by zero");
    }
    return by == -1 || integer_of(x, test) % by == 0;
  }
  if (is({"eq", "equalto", "=="})) {
    return equal(x, other(), budget);
  }
  if (is({"ne", "!="})) {
    return !equal(x, other(), budget);
  }
  if (is({"lt", "lessthan", "<"})) {
    return less(x, other(), budget);
  }
  if (is({"le", "<="})) {
    return !less(other(), x, budget);
  }
  if (is({"gt", "greaterthan", ">"})) {
    return less(other(), x, budget);
  }
  if (is({"ge", ">="})) {
    return !less(x, other(), budget);
  }
  if (is({"in"})) {
    return contains(other(), x, budget);
  }
  if (is({"sameas"})) {
    return x.kind() == other().kind() && equal(x, other(), budget);
  }
  if (is({"callable"})) {
    return x.is(Kind::function) || x.is(Kind::undefined);
  }
  const std::string bytes = to_text(x, budget).bytes;  // lower, upper
  budget.charge_text(bytes.size(), 2);
  const bool letters =
      std::any_of(bytes.begin(), bytes.end(), [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); });
  return letters && in_case(Text(bytes), test == "upper", test).bytes == bytes;
}

}  // namespace jinja
QWEN35_END_NAMESPACE
