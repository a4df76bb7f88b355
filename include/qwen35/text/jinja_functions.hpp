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

// Python's ==. Asks for the time that it takes, which shared items can make much longer than what they hold.
inline bool equal(const Value& a, const Value& b, Budget& budget) {
  budget.charge(16);
  if (a.is_number() && b.is_number()) {
    return a.is_large() || b.is_large()               ? a.is_large() && b.is_large() && a.text().bytes == b.text().bytes
           : a.is(Kind::number) || b.is(Kind::number) ? a.number() == b.number()
                                                      : a.integer() == b.integer();
  }
  if (a.kind() != b.kind()) {
    return false;
  }
  switch (a.kind()) {
    case Kind::undefined:
    case Kind::none:
      return true;
    case Kind::text:
      budget.charge(std::min(a.text().bytes.size(), b.text().bytes.size()) / 8);
      return a.text().bytes == b.text().bytes;
    case Kind::list:
      return a.is_tuple() == b.is_tuple() &&
             std::equal(a.items().begin(), a.items().end(), b.items().begin(), b.items().end(),
                        [&](const Value& one, const Value& other) { return equal(one, other, budget); });
    case Kind::dict:
      return a.members().size() == b.members().size() &&
             std::all_of(a.members().begin(), a.members().end(), [&](const auto& member) {
               budget.charge(b.members().size());
               const Value* const other = b.find(member.first.bytes);
               return other != nullptr && equal(member.second, *other, budget);
             });
    case Kind::function:
      return &a.function() == &b.function();
    default:
      return a.identity() == b.identity();
  }
}

// A mapping's keys.
inline std::vector<Value> keys_of(const Value& value, Budget& budget) {
  std::vector<Value> out;
  for (const auto& [key, member] : value.members()) {
    budget.charge_values(2);
    budget.charge_text(key.bytes.size());
    out.push_back(key);
  }
  return out;
}

// What a loop goes through: items, keys, or characters.
inline std::vector<Value> items_of(const Value& value, Budget& budget) {
  std::vector<Value> out;
  switch (value.kind()) {
    case Kind::undefined:
      return out;
    case Kind::list:
      budget.charge_values(value.items().size());
      return value.items();
    case Kind::dict:
      return keys_of(value, budget);
    case Kind::text: {
      budget.charge_characters(value.text().bytes.size());
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

inline std::size_t length_of(const Value& value, Budget& budget) {
  switch (value.kind()) {
    case Kind::undefined:
      return 0;
    case Kind::list:
      return value.items().size();
    case Kind::dict:
      return value.members().size();
    case Kind::text:
      budget.charge(value.text().bytes.size() / 2);
      return characters(value.text().bytes);
    default:
      wrong(concat(name(value.kind()), " has no length"));
  }
}

inline bool contains(const Value& whole, const Value& part, Budget& budget) {
  switch (whole.kind()) {
    case Kind::undefined:
      return false;
    case Kind::text:
      budget.charge_search(whole.text().bytes.size(), text_of(part, "in").bytes.size());
      return whole.text().bytes.find(part.text().bytes) != std::string::npos;
    case Kind::list:
      return std::any_of(whole.items().begin(), whole.items().end(),
                         [&](const Value& item) { return equal(item, part, budget); });
    case Kind::dict:
      if (part.is(Kind::list) || part.is(Kind::dict)) {
        wrong(concat("in: ", name(part.kind()), " cannot be a key"));
      }
      budget.charge(whole.members().size());
      return part.is(Kind::text) && whole.find(part.text().bytes) != nullptr;
    default:
      wrong(concat("in: ", name(whole.kind()), " contains nothing"));
  }
}

// Less than, as Python orders; different kinds have no order.
inline bool less(const Value& a, const Value& b, Budget& budget) {
  budget.charge(16);
  if (a.is_number() && b.is_number() && !a.is_large() && !b.is_large()) {
    return a.is(Kind::number) || b.is(Kind::number) ? a.number() < b.number() : a.integer() < b.integer();
  }
  if (a.is(Kind::text) && b.is(Kind::text)) {
    budget.charge(std::min(a.text().bytes.size(), b.text().bytes.size()) / 8);
    return a.text().bytes < b.text().bytes;
  }
  wrong(concat(name(a.kind()), " and ", name(b.kind()), " have no order"));
}

}  // namespace jinja
QWEN35_END_NAMESPACE
