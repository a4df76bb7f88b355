// SPDX-License-Identifier: Apache-2.0
// The filters of Jinja templates: `value | name(arguments)`.
#pragma once

#include <qwen35/core/decimal.hpp>
#include <qwen35/text/jinja_filter_signatures.hpp>
#include <qwen35/text/jinja_operators.hpp>
#include <qwen35/text/jinja_tests.hpp>

#include <charconv>
#include <cmath>
#include <limits>
#include <optional>

QWEN35_BEGIN_NAMESPACE
namespace jinja {

inline Value filtered(std::string_view filter, Arguments& arguments, Budget& budget);

// The value of an attribute path ("a.b") of a mapping, as map, selectattr and sort take it.
inline Value attribute_of(Value value, const Value& path) {
  std::string_view rest = text_of(path, "attribute").bytes;
  while (!rest.empty()) {
    const std::size_t dot = std::min(rest.find('.'), rest.size());
    const Value* const found =
        value.is(Kind::dict) || value.is(Kind::space) ? value.find(rest.substr(0, dot)) : nullptr;
    value = found != nullptr ? *found : Value::undefined(rest.substr(0, dot));
    rest.remove_prefix(std::min(dot + 1, rest.size()));
  }
  return value;
}

// Of what is false (none, 0), nothing.
inline std::vector<Value> items_if_any(const Value& value, Budget& budget) {
  return value.truth() ? items_of(value, budget) : std::vector<Value>();
}

// select, reject, selectattr, rejectattr.
inline std::vector<Value> selected(std::string_view filter, const Arguments& arguments, Budget& budget) {
  const bool by_attribute = filter.ends_with("attr");
  const std::size_t name_at = by_attribute ? 2 : 1;
  std::vector<Value> out;
  for (const Value& item : items_if_any(arguments.items[0], budget)) {
    const Value subject = by_attribute ? attribute_of(item, needed(arguments, 1, "attribute")) : item;
    bool keep = subject.truth();
    if (arguments.items.size() > name_at) {
      const std::string& test = text_of(arguments.items[name_at], filter).bytes;
      if (std::find(std::begin(test_names), std::end(test_names), test) == std::end(test_names)) {
        wrong(concat("no test called ", test.substr(0, 40)));
      }
      Arguments inner;
      budget.charge_values(arguments.items.size());
      inner.items.push_back(subject);
      inner.items.insert(inner.items.end(), arguments.items.begin() + static_cast<std::ptrdiff_t>(name_at) + 1,
                         arguments.items.end());
      keep = passes(test, inner, budget);
    }
    if (keep == filter.starts_with("select")) {
      out.push_back(item);
    }
  }
  return out;
}

inline std::vector<Value> mapped(const Arguments& arguments, Budget& budget) {
  std::vector<Value> out;
  for (const Value& item : items_if_any(arguments.items[0], budget)) {
    if (const Value* const attribute = arguments.find(arguments.items.size(), "attribute")) {
      Value value = attribute_of(item, *attribute);
      const Value* const otherwise = arguments.find(arguments.items.size(), "default");
      out.push_back(value.is(Kind::undefined) && otherwise != nullptr ? *otherwise : value);
      continue;
    }
    const std::string& filter = text_of(needed(arguments, 1, "filter"), "map").bytes;
    if (find_filter(filter) == nullptr) {
      wrong(concat("no filter called ", filter.substr(0, 40)));
    }
    Arguments inner;
    budget.charge_values(arguments.items.size());
    inner.items.push_back(item);
    inner.items.insert(inner.items.end(), arguments.items.begin() + 2, arguments.items.end());
    inner.named = arguments.named;
    out.push_back(filtered(filter, inner, budget));
  }
  return out;
}

// sort, unique, min and max compare text without its case, unless they are told otherwise.
inline Value sort_key(std::string_view filter, const Value& item, const Arguments& arguments, Budget& budget) {
  const Value* const attribute = argument(filter, arguments, "attribute");
  const Value key = attribute != nullptr && !attribute->is(Kind::none) ? attribute_of(item, *attribute) : item;
  if (!key.is(Kind::text) || is_set(filter, arguments, "case_sensitive")) {
    return key;
  }
  budget.charge_values(3);
  budget.charge_text(key.text().bytes.size());
  return in_case(key.text(), false, "sort");
}

// The values in the order of their keys.
inline Value sorted(std::vector<std::pair<Value, Value>> keyed, bool down, Budget& budget) {
  std::stable_sort(keyed.begin(), keyed.end(), [down, &budget](const auto& a, const auto& b) {
    return down ? less(b.first, a.first, budget) : less(a.first, b.first, budget);
  });
  std::vector<Value> out;
  for (auto& [key, value] : keyed) {
    out.push_back(std::move(value));
  }
  return out;
}

inline Value ordered(std::string_view filter, const Arguments& arguments, Budget& budget) {
  std::vector<std::pair<Value, Value>> keyed;
  for (const Value& item : items_of(arguments.items[0], budget)) {
    budget.charge_values(2);
    keyed.emplace_back(sort_key(filter, item, arguments, budget), item);
  }
  if (filter == "min" || filter == "max") {
    std::size_t best = 0;
    for (std::size_t i = 1; i < keyed.size(); ++i) {
      best = (filter == "min" ? less(keyed[i].first, keyed[best].first, budget)
                              : less(keyed[best].first, keyed[i].first, budget))
                 ? i
                 : best;
    }
    return keyed.empty() ? Value::undefined("an empty list") : keyed[best].second;
  }
  if (filter == "unique") {
    std::vector<Value> out;
    std::vector<Value> seen;
    for (const auto& one : keyed) {
      if (std::none_of(seen.begin(), seen.end(), [&](const Value& other) { return equal(other, one.first, budget); })) {
        seen.push_back(one.first);
        out.push_back(one.second);
      }
    }
    return Value::iterator(std::move(out));
  }
  const bool down = is_set(filter, arguments, "reverse");
  return sorted(std::move(keyed), down, budget);
}

// What dictsort makes of the pairs of a mapping.
inline Value sorted_members(std::vector<Value> pairs, const Arguments& arguments, Budget& budget) {
  const Value* const by = argument("dictsort", arguments, "by");
  const bool by_value = by != nullptr && text_of(*by, "dictsort").bytes == "value";
  if (by != nullptr && !by_value && by->text().bytes != "key") {
    wrong("dictsort: by: expected \"key\" or \"value\"");
  }
  const bool sensitive = is_set("dictsort", arguments, "case_sensitive");
  std::vector<std::pair<Value, Value>> keyed;
  for (Value& pair : pairs) {
    budget.charge_values(3);
    const Value& key = pair.items()[by_value ? 1 : 0];
    if (!sensitive && key.is(Kind::text)) {
      budget.charge_text(key.text().bytes.size());
    }
    keyed.emplace_back(!sensitive && key.is(Kind::text) ? Value(in_case(key.text(), false, "dictsort")) : key, pair);
  }
  return sorted(std::move(keyed), is_set("dictsort", arguments, "reverse"), budget);
}

inline Value to_number(const Value& x, const Arguments& arguments, bool whole) {
  if (x.is(Kind::undefined)) {
    wrong(whole ? "int: the value is undefined" : "float: the value is undefined");
  }
  if (const Value* const base = arguments.find(2, "base");
      base != nullptr && !(base->is(Kind::integer) && base->integer() == 10)) {
    wrong("int: bases other than 10 are not supported");
  }
  if (x.is_number() && !x.is_large()) {
    return whole ? (x.is(Kind::number) && !(std::fabs(x.number()) < 9e18)
                        ? (wrong("int: the number is beyond 64 bits"), Value())
                        : Value(x.is(Kind::number) ? static_cast<std::int64_t>(x.number()) : x.integer()))
                 : Value(x.number());
  }
  if (x.is(Kind::text)) {
    const std::string_view text = qwen35::python_strip(x.text().bytes);
    double value = 0.0;
    std::int64_t integer = 0;
    const char* const end = text.data() + text.size();
    if (const auto read = std::from_chars(text.data(), end, integer); read.ec == std::errc() && read.ptr == end) {
      return whole ? Value(integer) : Value(static_cast<double>(integer));
    }
    if (const auto read = read_decimal(text.data(), end, value); read.ec == std::errc() && read.ptr == end) {
      return to_number(value, arguments, whole);
    }
  }
  const Value* const otherwise = arguments.find(1, "default");
  return otherwise != nullptr ? *otherwise : whole ? Value(std::int64_t{0}) : Value(0.0);
}

// The bytes at `at` that end a line as Python's splitlines has it; 0: none.
inline std::size_t line_end_size(std::string_view text, std::size_t at) {
  const std::string_view rest = text.substr(at, 3);
  if (rest.starts_with("\r\n") || rest.starts_with("\xC2\x85")) {
    return 2;
  }
  if (rest == "\xE2\x80\xA8" || rest == "\xE2\x80\xA9") {
    return 3;
  }
  return std::string_view("\n\v\f\r\x1C\x1D\x1E").find(rest[0]) != std::string_view::npos ? 1 : 0;
}

inline Text indented(const Text& text, const Arguments& arguments, Budget& budget) {
  const Value* const width = arguments.find(1, "width");
  const Value* const first = arguments.find(2, "first");
  const Value* const blank = arguments.find(3, "blank");
  const std::int64_t count = width == nullptr ? 4 : width->is(Kind::text) ? 0 : integer_of(*width, "indent");
  if (count > 1000) {
    wrong("indent: too wide");
  }
  const Text space = width != nullptr && width->is(Kind::text)
                         ? width->text()
                         : Text(std::string(static_cast<std::size_t>(std::max<std::int64_t>(count, 0)), ' '));
  const std::string_view bytes = text.bytes;
  Text out;
  for (std::size_t at = 0, line = 0;; ++line) {
    std::size_t end = at;
    while (end < bytes.size() && line_end_size(bytes, end) == 0) {
      ++end;
    }
    budget.charge_text(space.bytes.size() + end + 1 - at);
    if (line == 0 ? first != nullptr && first->truth() : end > at || (blank != nullptr && blank->truth())) {
      out += space;
    }
    out += text.part(at, end - at);
    // Jinja puts "\n" behind the text before it cuts it into lines.
    if (end == bytes.size() || bytes.substr(end) == "\r") {
      return out;
    }
    if (bytes[end] == '\n') {
      out += text.part(end, 1);
    } else {
      out.add("\n");
    }
    at = end + line_end_size(bytes, end);
  }
}

inline Value filtered(std::string_view filter, Arguments& arguments, Budget& budget) {
  check_arguments(*find_filter(filter), arguments);
  const auto is = [filter](std::initializer_list<std::string_view> names) {
    return std::find(names.begin(), names.end(), filter) != names.end();
  };
  const Value x = arguments.items[0];
  const auto text = [&] { return to_text(x, budget); };
  if (is({"tojson"})) {
    JsonStyle style;
    if (const Value* const indent = arguments.find(2, "indent"); indent != nullptr && !indent->is(Kind::none)) {
      const std::int64_t width = indent->is(Kind::text) ? 0 : std::max<std::int64_t>(integer_of(*indent, "indent"), 0);
      if (width > 100) {
        wrong("tojson: indent is too wide");
      }
      style.lines = true;
      style.item_separator = ",";
      style.indent = indent->is(Kind::text) ? indent->text().bytes : std::string(static_cast<std::size_t>(width), ' ');
    }
    const Value* const ascii = arguments.find(1, "ensure_ascii");
    style.ascii = ascii != nullptr && ascii->truth();
    if (const Value* const both = arguments.find(3, "separators"); both != nullptr && !both->is(Kind::none)) {
      if (!both->is(Kind::list) || both->items().size() != 2) {
        wrong("tojson: separators: expected two");
      }
      style.item_separator = text_of(both->items()[0], "separators").bytes;
      style.key_separator = text_of(both->items()[1], "separators").bytes;
    }
    const Value* const sorted = arguments.find(4, "sort_keys");
    style.sorted = sorted != nullptr && sorted->truth();
    Text out;
    add_json(x, style, out, budget);
    return out;
  }
  if (is({"trim"})) {
    return stripped(text(), true, true, arguments.find(1, "chars"));
  }
  if (is({"length", "count"})) {
    return static_cast<std::int64_t>(length_of(x, budget));
  }
  if (is({"string"})) {
    return text();
  }
  if (is({"safe"})) {
    Text out = text();
    out.markup = true;
    return out;
  }
  if (is({"escape", "e"})) {
    return x.is(Kind::text) && x.text().markup ? x : Value(escaped(text(), budget));
  }
  if (is({"upper", "lower"})) {
    return in_case(text(), filter == "upper", filter);
  }
  if (is({"title"})) {
    return titled(text(), true);
  }
  if (is({"capitalize"})) {
    return capitalized(text());
  }
  if (is({"replace"})) {
    const Value* const count = arguments.find(3, "count");
    return replaced(text(), to_text(needed(arguments, 1, "old"), budget), to_text(needed(arguments, 2, "new"), budget),
                    count == nullptr || count->is(Kind::none) ? -1 : integer_of(*count, filter), budget);
  }
  if (is({"join"})) {
    const Value* const between = arguments.find(1, "d");
    const Value* const attribute = arguments.find(2, "attribute");
    std::vector<Value> items = items_of(x, budget);
    for (Value& item : items) {
      item = attribute != nullptr ? attribute_of(item, *attribute) : item;
    }
    return joined(items, between == nullptr ? Text() : to_text(*between, budget), budget);
  }
  if (is({"first", "last"})) {
    const bool front = filter == "first";
    if (x.is(Kind::list)) {
      return x.items().empty() ? Value::undefined("an empty list") : front ? x.items().front() : x.items().back();
    }
    if (x.is(Kind::text)) {
      const std::optional<std::int64_t> one[3] = {front ? std::optional<std::int64_t>() : -1,
                                                  front ? std::optional<std::int64_t>(1) : std::nullopt, std::nullopt};
      return x.truth() ? sliced(x, one, budget) : Value::undefined("an empty list");
    }
    const std::vector<Value> items = items_of(x, budget);
    return items.empty() ? Value::undefined("an empty list") : front ? items.front() : items.back();
  }
  if (is({"default", "d"})) {
    const Value* const otherwise = arguments.find(1, "default_value");
    const Value* const falsy = arguments.find(2, "boolean");
    const bool use = x.is(Kind::undefined) || (falsy != nullptr && falsy->truth() && !x.truth());
    return !use ? x : otherwise != nullptr ? *otherwise : Value(Text());
  }
  if (is({"items", "dictsort"})) {
    if (filter == "items" && x.is(Kind::undefined)) {
      return Value::iterator({});
    }
    if (!x.is(Kind::dict)) {
      wrong(concat(filter, ": expected a mapping, found ", name(x.kind())));
    }
    std::vector<Value> out;
    for (const auto& [key, member] : x.members()) {
      budget.charge_values(3);
      budget.charge_text(key.bytes.size());
      out.push_back(Value::tuple({key, member}));
    }
    return filter == "items" ? Value::iterator(std::move(out)) : sorted_members(std::move(out), arguments, budget);
  }
  if (is({"list"})) {
    return items_of(x, budget);
  }
  if (is({"reverse"})) {
    if (x.is(Kind::text)) {
      return sliced(x, {std::nullopt, std::nullopt, -1}, budget);
    }
    std::vector<Value> items = items_of(x, budget);
    std::reverse(items.begin(), items.end());
    return Value::iterator(std::move(items));
  }
  if (is({"map"})) {
    return Value::iterator(mapped(arguments, budget));
  }
  if (is({"select", "reject", "selectattr", "rejectattr"})) {
    return Value::iterator(selected(filter, arguments, budget));
  }
  if (is({"int", "float"})) {
    return to_number(x, arguments, filter == "int");
  }
  if (is({"abs"})) {
    if (!x.is_number() || x.is_large() || x.integer() == std::numeric_limits<std::int64_t>::min()) {
      wrong(concat("abs: expected a number, found ", name(x.kind())));
    }
    return x.is(Kind::number) ? Value(std::fabs(x.number())) : Value(std::abs(x.integer()));
  }
  if (is({"sum"})) {
    const Value* const attribute = argument(filter, arguments, "attribute");
    const Value* const start = argument(filter, arguments, "start");
    Value sum = start != nullptr ? *start : Value(std::int64_t{0});
    for (const Value& item : items_of(x, budget)) {
      sum = binary("+", sum, attribute != nullptr && !attribute->is(Kind::none) ? attribute_of(item, *attribute) : item,
                   budget);
    }
    return sum;
  }
  if (is({"indent"})) {
    return indented(text_of(x, filter), arguments, budget);
  }
  return ordered(filter, arguments, budget);  // sort, unique, min, max
}

}  // namespace jinja
QWEN35_END_NAMESPACE
