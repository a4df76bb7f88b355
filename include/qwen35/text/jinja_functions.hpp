// SPDX-License-Identifier: Apache-2.0
// What Jinja templates call: filters, tests, and the methods of strings and mappings.
#pragma once

#include <qwen35/text/jinja_text.hpp>
#include <qwen35/text/trim.hpp>

#include <algorithm>
#include <charconv>
#include <limits>

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

// Upper or lower case. Only of ASCII: other letters may change their number.
inline Text in_case(Text text, bool upper, std::string_view where) {
  for (char& c : text.bytes) {
    if (static_cast<unsigned char>(c) >= 0x80) {
      wrong(concat(where, ": only ASCII is supported"));
    }
    if (upper ? c >= 'a' && c <= 'z' : c >= 'A' && c <= 'Z') {
      c = static_cast<char>(c ^ 0x20);
    }
  }
  return text;
}
inline Text capitalized(Text text) {
  Text first = in_case(text.part(0, 1), true, "capitalize");
  first += in_case(text.part(std::min<std::size_t>(1, text.bytes.size()), text.bytes.size()), false, "capitalize");
  return first;
}
inline Text titled(Text text) {
  bool inside = false;
  for (char& c : text.bytes) {
    if (static_cast<unsigned char>(c) >= 0x80) {
      wrong("title: only ASCII is supported");
    }
    const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    if (letter) {
      c = static_cast<char>(inside ? c | 0x20 : c & ~0x20);
    }
    inside = letter;
  }
  return text;
}

inline Text replaced(const Text& text, const Text& from, const Text& to, std::int64_t count, Budget& budget) {
  Text out;
  std::size_t at = 0;
  const bool every = from.bytes.empty();  // before each character, and at the end
  while (count != 0) {
    const std::size_t found = text.bytes.find(from.bytes, at);
    if (found == std::string::npos) {
      break;
    }
    out += text.part(at, found - at);
    out += to;
    budget.charge(to.bytes.size() + 1);
    at = found + from.bytes.size();
    --count;
    if (every) {
      if (at == text.bytes.size()) {
        return out;
      }
      const std::size_t size = unicode::decode_utf8(text.bytes, at).size;
      out += text.part(at, size);
      at += size;
    }
  }
  out += text.part(at, text.bytes.size());
  return out;
}

inline Text escaped(const Text& text) {
  Text out;
  for (std::size_t i = 0; i < text.bytes.size(); ++i) {
    constexpr std::string_view plain = "&<>'\"";
    constexpr std::string_view entities[] = {"&amp;", "&lt;", "&gt;", "&#39;", "&#34;"};
    if (const std::size_t which = plain.find(text.bytes[i]); which != std::string_view::npos) {
      out.add(entities[which]);
    } else {
      out += text.part(i, 1);
    }
  }
  out.markup = true;
  return out;
}

// strip, lstrip, rstrip, with the characters to take off or none for white space.
inline Text stripped(const Text& text, bool left, bool right, const Value* set) {
  std::string_view rest = text.bytes;
  if (set == nullptr || set->is(Kind::none)) {
    while (const std::size_t size = left ? qwen35::leading_space(rest) : 0) {
      rest.remove_prefix(size);
    }
    return text.part(right ? qwen35::python_rstrip(rest) : rest);
  }
  const std::string& characters = text_of(*set, "strip").bytes;
  const auto in_set = [&](std::string_view character) { return characters.find(character) != std::string::npos; };
  while (left && !rest.empty() && in_set(rest.substr(0, unicode::decode_utf8(rest, 0).size))) {
    rest.remove_prefix(unicode::decode_utf8(rest, 0).size);
  }
  while (right && !rest.empty()) {
    std::size_t start = rest.size() - 1;
    while (start > 0 && (static_cast<unsigned char>(rest[start]) & 0xC0) == 0x80) {
      --start;
    }
    if (!in_set(rest.substr(start))) {
      break;
    }
    rest.remove_suffix(rest.size() - start);
  }
  return text.part(rest);
}

// Python's split and rsplit.
inline std::vector<Value> split(const Text& text, const Value* separator, std::int64_t limit, bool from_right,
                                Budget& budget) {
  std::vector<Value> out;
  std::string_view rest = text.bytes;
  budget.charge(rest.size());
  const auto more = [&] { return limit < 0 || static_cast<std::int64_t>(out.size()) < limit; };
  const bool blanks = separator == nullptr || separator->is(Kind::none);
  if (blanks) {
    if (from_right && limit >= 0) {
      wrong("rsplit: a limit without a separator is not supported");
    }
    while (const std::size_t size = qwen35::leading_space(rest)) {
      rest.remove_prefix(size);
    }
    while (!rest.empty()) {
      std::size_t end = 0;
      while (more() && end < rest.size() && qwen35::leading_space(rest.substr(end)) == 0) {
        ++end;
      }
      end = more() ? end : rest.size();
      out.push_back(text.part(rest.substr(0, end)));
      rest.remove_prefix(end);
      while (const std::size_t size = qwen35::leading_space(rest)) {
        rest.remove_prefix(size);
      }
    }
    return out;
  }
  const std::string& mark = text_of(*separator, "split").bytes;
  if (mark.empty()) {
    wrong("split: the separator is empty");
  }
  while (more()) {
    const std::size_t found = from_right ? rest.rfind(mark) : rest.find(mark);
    if (found == std::string_view::npos) {
      break;
    }
    budget.charge(8);
    out.push_back(text.part(from_right ? rest.substr(found + mark.size()) : rest.substr(0, found)));
    rest = from_right ? rest.substr(0, found) : rest.substr(found + mark.size());
  }
  out.push_back(text.part(rest));
  if (from_right) {
    std::reverse(out.begin(), out.end());
  }
  return out;
}

inline Text joined(const std::vector<Value>& items, const Text& between, Budget& budget) {
  Text out;
  for (std::size_t i = 0; i < items.size(); ++i) {
    if (i > 0) {
      out += between;
    }
    add_text(items[i], out);
    budget.charge(out.bytes.size() / (items.size() + 1) + 1);
  }
  return out;
}

// The method of that name, bound to the value; nothing when it has none.
inline Value method_of(const Value& self, std::string_view method, Budget& budget) {
  const auto is = [method](std::initializer_list<std::string_view> names) {
    return std::find(names.begin(), names.end(), method) != names.end();
  };
  const std::string what(method);
  if (self.is(Kind::dict)) {
    if (is({"items", "keys", "values"})) {
      return Function([self, what](Arguments&) -> Value {
        std::vector<Value> out;
        for (const auto& [key, member] : self.members()) {
          out.push_back(what == "keys" ? Value(key) : what == "values" ? member : Value::tuple({key, member}));
        }
        return out;
      });
    }
    if (is({"get"})) {
      return Function([self](Arguments& arguments) -> Value {
        const Value& key = needed(arguments, 0, "key");
        const Value* const found = key.is(Kind::text) ? self.find(key.text().bytes) : nullptr;
        const Value* const otherwise = arguments.find(1, "default");
        return found != nullptr ? *found : otherwise != nullptr ? *otherwise : Value::none();
      });
    }
    if (is({"pop", "popitem", "update", "clear", "setdefault", "copy"})) {
      return Function([what](Arguments&) -> Value { wrong(concat("the method ", what, " is not allowed here")); });
    }
    return {};
  }
  if (self.is(Kind::list)) {
    if (is({"append", "extend", "insert", "pop", "remove", "reverse", "sort", "clear", "index", "count", "copy"})) {
      return Function([what](Arguments&) -> Value { wrong(concat("the method ", what, " is not allowed here")); });
    }
    return {};
  }
  if (!self.is(Kind::text) ||
      !is({"split",      "rsplit",       "startswith",   "endswith",   "strip",     "lstrip",  "rstrip", "replace",
           "upper",      "lower",        "title",        "capitalize", "join",      "find",    "rfind",  "index",
           "count",      "removeprefix", "removesuffix", "splitlines", "isdigit",   "isspace", "format", "isalpha",
           "isalnum",    "isupper",      "islower",      "zfill",      "ljust",     "rjust",   "center", "partition",
           "rpartition", "encode",       "casefold",     "swapcase",   "expandtabs"})) {
    return {};
  }
  return Function([self, what, &budget](Arguments& arguments) -> Value {
    const Text& text = self.text();
    const std::string& bytes = text.bytes;
    budget.charge(bytes.size() + 1);
    const Value* const first = arguments.find(0, what.ends_with("split") ? "sep" : "chars");
    if (what == "split" || what == "rsplit") {
      const Value* const limit = arguments.find(1, "maxsplit");
      return split(text, first, limit == nullptr ? -1 : integer_of(*limit, what), what == "rsplit", budget);
    }
    if (what == "startswith" || what == "endswith") {
      const Value& ends = needed(arguments, 0, "prefix");
      const auto matches = [&](const Value& end) {
        const std::string& part = text_of(end, what).bytes;
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
      return titled(text);
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
      const std::size_t at = what == "rfind" ? bytes.rfind(part) : bytes.find(part);
      if (at == std::string::npos && what == "index") {
        wrong("index: the substring is not there");
      }
      return at == std::string::npos ? std::int64_t{-1}
                                     : static_cast<std::int64_t>(characters(std::string_view(bytes).substr(0, at)));
    }
    if (what == "count") {
      const std::string& part = text_of(needed(arguments, 0, "sub"), what).bytes;
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
  budget.charge(x.is(Kind::text) ? x.text().bytes.size() / 8 + 1 : 1);
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
    return x == other();
  }
  if (is({"ne", "!="})) {
    return !(x == other());
  }
  if (is({"lt", "lessthan", "<"})) {
    return less(x, other());
  }
  if (is({"le", "<="})) {
    return !less(other(), x);
  }
  if (is({"gt", "greaterthan", ">"})) {
    return less(other(), x);
  }
  if (is({"ge", ">="})) {
    return !less(x, other());
  }
  if (is({"in"})) {
    return contains(other(), x);
  }
  if (is({"sameas"})) {
    return x.kind() == other().kind() && x == other();
  }
  if (is({"callable"})) {
    return x.is(Kind::function);
  }
  const std::string& bytes = to_text(x).bytes;  // lower, upper
  const bool letters =
      std::any_of(bytes.begin(), bytes.end(), [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); });
  return letters && in_case(Text(bytes), test == "upper", test).bytes == bytes;
}

}  // namespace jinja
QWEN35_END_NAMESPACE
