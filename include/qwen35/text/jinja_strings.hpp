// SPDX-License-Identifier: Apache-2.0
// Python's functions of strings, over text that knows where its bytes come from.
#pragma once

#include <qwen35/text/jinja_functions.hpp>
#include <qwen35/text/trim.hpp>

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

QWEN35_BEGIN_NAMESPACE
namespace jinja {

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
// The words of Python's method are of letters alone; those of Jinja's filter begin after white space, a hyphen or an
// opening bracket.
inline Text titled(Text text, bool filter) {
  bool inside = false;
  for (char& c : text.bytes) {
    if (static_cast<unsigned char>(c) >= 0x80) {
      wrong("title: only ASCII is supported");
    }
    const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    if (letter) {
      c = static_cast<char>(inside ? c | 0x20 : c & ~0x20);
    }
    inside =
        filter ? leading_space({&c, 1}) == 0 && std::string_view("-({[<").find(c) == std::string_view::npos : letter;
  }
  return text;
}

inline Text replaced(const Text& text, const Text& from, const Text& to, std::int64_t count, Budget& budget) {
  budget.charge_search(text.bytes.size(), from.bytes.size());
  budget.charge_text(text.bytes.size());
  Text out;
  std::size_t at = 0;
  const bool every = from.bytes.empty();  // before each character, and at the end
  while (count != 0) {
    const std::size_t found = text.bytes.find(from.bytes, at);
    if (found == std::string::npos) {
      break;
    }
    budget.charge_text(found - at + to.bytes.size());
    out += text.part(at, found - at);
    out += to;
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

inline Text escaped(const Text& text, Budget& budget) {
  budget.charge_text(text.bytes.size());
  Text out;
  for (std::size_t i = 0; i < text.bytes.size(); ++i) {
    constexpr std::string_view plain = "&<>'\"";
    constexpr std::string_view entities[] = {"&amp;", "&lt;", "&gt;", "&#39;", "&#34;"};
    if (const std::size_t which = plain.find(text.bytes[i]); which != std::string_view::npos) {
      budget.charge_text(entities[which].size());
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
  budget.charge_text(rest.size());
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
      budget.charge_values(3);
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
  budget.charge_search(rest.size(), mark.size());
  while (more()) {
    const std::size_t found = from_right ? rest.rfind(mark) : rest.find(mark);
    if (found == std::string_view::npos) {
      break;
    }
    budget.charge_values(3);
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
      budget.charge_text(between.bytes.size());
      out += between;
    }
    add_text(items[i], out, budget);
  }
  return out;
}

}  // namespace jinja
QWEN35_END_NAMESPACE
