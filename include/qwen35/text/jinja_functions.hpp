// SPDX-License-Identifier: Apache-2.0
// What filters, tests and operators of Jinja templates share: arguments, items, lengths, order.
#pragma once

#include <qwen35/text/jinja_text.hpp>

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

QWEN35_BEGIN_NAMESPACE
namespace jinja {

[[noreturn]] inline void wrong(std::string_view problem) {
  raise<TextError>(concat("chat template: ", problem));
}

inline const Value& needed(const Arguments& arguments, std::size_t index, std::string_view key) {
  const Value* const found = arguments.find(index, key);
  if (found == nullptr) {
    wrong(concat("the argument \"", key, "\" is missing"));
  }
  return *found;
}
inline const Text& text_of(const Value& value, std::string_view where) {
  if (!value.is(Kind::text)) {
    wrong(concat(where, ": expected a string, found ",
                 value.is(Kind::undefined) && !value.is_large() ? "undefined" : name(value.kind())));
  }
  return value.text();
}
inline std::int64_t integer_of(const Value& value, std::string_view where) {
  if (!(value.is(Kind::integer) || value.is(Kind::boolean)) || value.is_large()) {
    wrong(concat(where, ": expected an integer, found ", name(value.kind())));
  }
  return value.integer();
}

// What a loop goes through: items, keys, or characters.
inline std::vector<Value> items_of(const Value& value, Budget& budget) {
  std::vector<Value> out;
  switch (value.kind()) {
    case Kind::undefined:
      return out;
    case Kind::list:
      budget.charge(value.items().size());
      return value.items();
    case Kind::dict:
      budget.charge(value.members().size());
      for (const auto& [key, member] : value.members()) {
        out.push_back(key);
      }
      return out;
    case Kind::text: {
      budget.charge(value.text().bytes.size() * 8);
      const std::vector<std::size_t> starts = character_starts(value.text().bytes);
      for (std::size_t i = 0; i + 1 < starts.size(); ++i) {
        out.push_back(value.text().part(starts[i], starts[i + 1] - starts[i]));
      }
      return out;
    }
    default:
      wrong(concat(name(value.kind()), " cannot be gone through"));
  }
}

inline std::size_t length_of(const Value& value) {
  switch (value.kind()) {
    case Kind::undefined:
      return 0;
    case Kind::list:
      return value.items().size();
    case Kind::dict:
      return value.members().size();
    case Kind::text:
      return characters(value.text().bytes);
    default:
      wrong(concat(name(value.kind()), " has no length"));
  }
}

inline bool contains(const Value& whole, const Value& part) {
  switch (whole.kind()) {
    case Kind::undefined:
      return false;
    case Kind::text:
      return whole.text().bytes.find(text_of(part, "in").bytes) != std::string::npos;
    case Kind::list:
      return std::find(whole.items().begin(), whole.items().end(), part) != whole.items().end();
    case Kind::dict:
      if (part.is(Kind::list) || part.is(Kind::dict)) {
        wrong(concat("in: ", name(part.kind()), " cannot be a key"));
      }
      return part.is(Kind::text) && whole.find(part.text().bytes) != nullptr;
    default:
      wrong(concat("in: ", name(whole.kind()), " contains nothing"));
  }
}

// Less than, as Python orders; different kinds have no order.
inline bool less(const Value& a, const Value& b) {
  if (a.is_number() && b.is_number() && !a.is_large() && !b.is_large()) {
    return a.is(Kind::number) || b.is(Kind::number) ? a.number() < b.number() : a.integer() < b.integer();
  }
  if (a.is(Kind::text) && b.is(Kind::text)) {
    return a.text().bytes < b.text().bytes;
  }
  wrong(concat(name(a.kind()), " and ", name(b.kind()), " have no order"));
}

}  // namespace jinja
QWEN35_END_NAMESPACE
