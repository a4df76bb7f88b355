// SPDX-License-Identifier: Apache-2.0
// The methods of strings, lists and mappings that Jinja templates call.
#pragma once

#include <qwen35/text/jinja_operators.hpp>

#include <algorithm>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

QWEN35_BEGIN_NAMESPACE
namespace jinja {

inline Value method_of(const Value& self, std::string_view method, Budget& budget);

// A method that looks for something in a string, called with where to begin and end: it looks in that part.
inline Value found_in_part(const Text& text, const std::string& what, const Arguments& arguments, Budget& budget) {
  const auto size = static_cast<std::int64_t>(characters(text.bytes));
  const auto bound = [&](std::size_t index, std::int64_t otherwise) {
    if (index >= arguments.items.size() || arguments.items[index].is(Kind::none)) {
      return otherwise;
    }
    const std::int64_t value = integer_of(arguments.items[index], what);
    return value < 0 ? std::max<std::int64_t>(value + size, 0) : value;
  };
  const std::int64_t begin = bound(1, 0), end = std::min(bound(2, size), size);
  if (begin > end) {  // there even the empty string is not found
    if (what == "index") {
      wrong("index: the substring is not there");
    }
    return what == "count"                     ? Value(std::int64_t{0})
           : what == "find" || what == "rfind" ? Value(std::int64_t{-1})
                                               : Value(false);
  }
  Arguments inner;
  inner.items.push_back(needed(arguments, 0, "sub"));
  const Value found = method_of(sliced(text, {begin, end, std::nullopt}, budget), what, budget).function()(inner);
  return found.is(Kind::integer) && what != "count" && found.integer() >= 0 ? Value(found.integer() + begin) : found;
}

// The method of that name, bound to the value; nothing when it has none.
inline Value method_of(const Value& self, std::string_view method, Budget& budget) {
  const auto is = [method](std::initializer_list<std::string_view> names) {
    return std::find(names.begin(), names.end(), method) != names.end();
  };
  const std::string what(method);
  if (self.is(Kind::dict)) {
    if (is({"items", "keys", "values"})) {
      const auto all = [self, what, &budget](Arguments&) -> Value {
        if (what == "keys") {
          return keys_of(self, budget);
        }
        std::vector<Value> out;
        for (const auto& [key, member] : self.members()) {
          budget.charge_values(5);
          budget.charge_text(what == "items" ? key.bytes.size() : 0);
          out.push_back(what == "values" ? member : Value::tuple({key, member}));
        }
        return out;
      };
      return Value(all, self);
    }
    if (is({"get"})) {
      const auto get = [self, &budget](Arguments& arguments) -> Value {
        budget.charge(self.members().size());
        const Value& key = needed(arguments, 0, "key");
        const Value* const found = key.is(Kind::text) ? self.find(key.text().bytes) : nullptr;
        const Value* const otherwise = arguments.find(1, "default");
        return found != nullptr ? *found : otherwise != nullptr ? *otherwise : Value::none();
      };
      return Value(get, self);
    }
    if (is({"copy"})) {
      return Value([self](Arguments&) -> Value { return self; }, self);
    }
    if (is({"pop", "popitem", "update", "clear", "setdefault"})) {
      return Function([what](Arguments&) -> Value { wrong(concat("the method ", what, " is not allowed here")); });
    }
    return {};
  }
  if (self.is(Kind::list)) {
    if (is({"copy"})) {
      return Value([self](Arguments&) -> Value { return self; }, self);
    }
    if (is({"count", "index"})) {
      const auto search = [self, what, &budget](Arguments& arguments) -> Value {
        const Value& wanted = needed(arguments, 0, "value");
        if (arguments.items.size() > 1) {
          wrong(concat("the method ", what, " of lists: a part of the list is not supported"));
        }
        std::int64_t count = 0, place = 0;
        for (const Value& item : self.items()) {
          if (equal(item, wanted, budget)) {
            if (what == "index") {
              return place;
            }
            ++count;
          }
          ++place;
        }
        if (what == "index") {
          wrong("the method index of lists: the value is not in the list");
        }
        return count;
      };
      return Value(search, self);
    }
    if (is({"append", "extend", "insert", "pop", "remove", "reverse", "sort", "clear"})) {
      return Function([what](Arguments&) -> Value { wrong(concat("the method ", what, " is not allowed here")); });
    }
    return {};
  }
  if (!self.is(Kind::text) ||
      !is({"split",      "rsplit",     "startswith", "endswith",     "strip",        "lstrip",     "rstrip",
           "replace",    "upper",      "lower",      "title",        "capitalize",   "join",       "find",
           "rfind",      "index",      "count",      "removeprefix", "removesuffix", "splitlines", "isdigit",
           "isspace",    "format",     "isalpha",    "isalnum",      "isupper",      "islower",    "zfill",
           "ljust",      "rjust",      "center",     "partition",    "rpartition",   "encode",     "casefold",
           "swapcase",   "expandtabs", "istitle",    "isdecimal",    "isnumeric",    "isascii",    "isidentifier",
           "isprintable"})) {
    return {};
  }
  return Function([self, what, &budget](Arguments& arguments) -> Value {
    const Text& text = self.text();
    const std::string& bytes = text.bytes;
    budget.charge_text(bytes.size());
    const Value* const first = arguments.find(0, what.ends_with("split") ? "sep" : "chars");
    if (what == "split" || what == "rsplit") {
      const Value* const limit = arguments.find(1, "maxsplit");
      return split(text, first, limit == nullptr ? -1 : integer_of(*limit, what), what == "rsplit", budget);
    }
    if (arguments.items.size() > 1 && (what == "startswith" || what == "endswith" || what == "find" ||
                                       what == "rfind" || what == "index" || what == "count")) {
      return found_in_part(text, what, arguments, budget);
    }
    if (what == "startswith" || what == "endswith") {
      const Value& ends = needed(arguments, 0, "prefix");
      const auto matches = [&](const Value& end) {
        const std::string& part = text_of(end, what).bytes;
        budget.charge(part.size() / 8 + 16);
        return what == "startswith" ? bytes.starts_with(part) : bytes.ends_with(part);
      };
      return ends.is(Kind::list) ? std::any_of(ends.items().begin(), ends.items().end(), matches) : matches(ends);
    }
    if (what == "strip" || what == "lstrip" || what == "rstrip") {
      return stripped(text, what != "rstrip", what != "lstrip", first);
    }
    if (what == "replace") {
      const Value* const count = arguments.find(2, "count");
      return replaced(text, text_of(needed(arguments, 0, "old"), what), text_of(needed(arguments, 1, "new"), what),
                      count == nullptr ? -1 : integer_of(*count, what), budget);
    }
    if (what == "upper" || what == "lower") {
      return in_case(text, what == "upper", what);
    }
    if (what == "title") {
      return titled(text, false);
    }
    if (what == "capitalize") {
      return capitalized(text);
    }
    if (what == "join") {
      const std::vector<Value> items = items_of(needed(arguments, 0, "iterable"), budget);
      for (const Value& item : items) {
        text_of(item, what);
      }
      return joined(items, text, budget);
    }
    if (what == "find" || what == "rfind" || what == "index") {
      const std::string& part = text_of(needed(arguments, 0, "sub"), what).bytes;
      budget.charge_search(bytes.size(), part.size());
      const std::size_t at = what == "rfind" ? bytes.rfind(part) : bytes.find(part);
      if (at == std::string::npos && what == "index") {
        wrong("index: the substring is not there");
      }
      return at == std::string::npos ? std::int64_t{-1}
                                     : static_cast<std::int64_t>(characters(std::string_view(bytes).substr(0, at)));
    }
    if (what == "count") {
      const std::string& part = text_of(needed(arguments, 0, "sub"), what).bytes;
      budget.charge_search(bytes.size(), part.size());
      std::int64_t count = part.empty() ? static_cast<std::int64_t>(characters(bytes)) + 1 : 0;
      for (std::size_t at = 0; !part.empty() && (at = bytes.find(part, at)) != std::string::npos; at += part.size()) {
        ++count;
      }
      return count;
    }
    if (what == "removeprefix" || what == "removesuffix") {
      const std::string& part = text_of(needed(arguments, 0, "prefix"), what).bytes;
      const bool prefix = what == "removeprefix";
      const bool there = prefix ? bytes.starts_with(part) : bytes.ends_with(part);
      return there ? text.part(prefix ? part.size() : 0, bytes.size() - part.size()) : text;
    }
    if (what == "isspace") {
      return !bytes.empty() && qwen35::python_strip(bytes).empty();
    }
    if (what == "isdigit" && std::all_of(bytes.begin(), bytes.end(), [](char c) { return (c & 0x80) == 0; })) {
      return !bytes.empty() && std::all_of(bytes.begin(), bytes.end(), [](char c) { return c >= '0' && c <= '9'; });
    }
    wrong(concat("the method ", what, " of strings is not supported"));
  });
}

}  // namespace jinja
QWEN35_END_NAMESPACE
