// SPDX-License-Identifier: Apache-2.0
// A template's values as text: Python's str and repr, and JSON as json.dumps writes it.
#pragma once

#include <qwen35/json/dump.hpp>
#include <qwen35/json/number.hpp>
#include <qwen35/text/jinja_value.hpp>
#include <qwen35/unicode/printable.hpp>
#include <qwen35/unicode/utf8.hpp>

#include <algorithm>
#include <cstdio>

QWEN35_BEGIN_NAMESPACE
namespace jinja {

// What one rendering may do, in bytes moved; steps cost their time's worth. Asked before the work is done, so what is
// too large is never made: a template that asks for more is stopped, at once where one operation does, within a second
// or two where many do, and never holds more than this.
class Budget {
 public:
  // So many times `work`.
  void charge(std::size_t work, std::size_t times = 1) {
    require<TextError>(times == 0 || work <= left_ / times,
                       "chat template: it does more than a template of any use would");
    left_ -= work * times;
  }
  // For a text that is made: each byte has an origin.
  void charge_text(std::size_t bytes, std::size_t times = 1) {
    charge(1);
    charge(bytes, times);
    charge(bytes, 2 * times);
  }
  void charge_values(std::size_t count) { charge(count, sizeof(Value)); }
  // For the characters of a text, each as a value.
  void charge_characters(std::size_t bytes) { charge(bytes, sizeof(Value) + sizeof(Text) + 32); }
  // For what finds `part` in a text: in the worst case each of its bytes is compared at each place.
  void charge_search(std::size_t bytes, std::size_t part) { charge(bytes + 1, 1 + part / 64); }

 private:
  std::size_t left_ = std::size_t{1} << 29;
};

// Characters, where Python counts them.
inline std::size_t characters(std::string_view text) {
  return static_cast<std::size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; }));
}

// Where each character starts, and the end.
inline std::vector<std::size_t> character_starts(std::string_view text) {
  std::vector<std::size_t> out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if ((static_cast<unsigned char>(text[i]) & 0xC0) != 0x80) {
      out.push_back(i);
    }
  }
  out.push_back(text.size());
  return out;
}

inline void add_escape(Text& out, Budget& budget, char letter, int digits, char32_t value) {
  budget.charge_text(10);
  char buffer[16];
  std::snprintf(buffer, sizeof(buffer), "\\%c%0*x", letter, digits, static_cast<unsigned>(value));
  out.add(buffer);
}

inline void add_repr(const Text& text, Text& out, Budget& budget) {
  budget.charge_text(text.bytes.size() + 2, 2);  // a mark may be written with a backslash
  const bool single = text.bytes.find('\'') == std::string::npos || text.bytes.find('"') != std::string::npos;
  const char quote = single ? '\'' : '"';
  out.add(std::string_view(&quote, 1));
  for (std::size_t i = 0; i < text.bytes.size();) {
    const unicode::CodePoint point = unicode::decode_utf8(text.bytes, i);
    const char32_t c = point.point;
    if (c == '\\' || c == static_cast<char32_t>(quote)) {
      out.add("\\");
      out += text.part(i, 1);
    } else if (c == '\n' || c == '\r' || c == '\t') {
      out.add(c == '\n' ? "\\n" : c == '\r' ? "\\r" : "\\t");
    } else if (unicode::is_printable(c)) {
      out += text.part(i, point.size);
    } else {
      add_escape(out, budget, c < 0x100 ? 'x' : c < 0x10000 ? 'u' : 'U', c < 0x100 ? 2 : c < 0x10000 ? 4 : 8, c);
    }
    i += point.size;
  }
  out.add(std::string_view(&quote, 1));
}

// `quoted`: as repr writes it, which is how the items of lists are printed.
inline void add_text(const Value& value, Text& out, Budget& budget, bool quoted = false) {
  budget.charge(32);
  switch (value.kind()) {
    case Kind::undefined:
      if (quoted) {
        out.add("Undefined");
      }
      break;
    case Kind::none:
      out.add("None");
      break;
    case Kind::boolean:
      out.add(value.truth() ? "True" : "False");
      break;
    case Kind::integer:
      out.add(value.is_large() ? value.text().bytes : std::to_string(value.integer()));
      break;
    case Kind::number:
      out.add(json::python_repr_number(value.number()));
      break;
    case Kind::text:
      if (quoted) {
        add_repr(value.text(), out, budget);
      } else {
        budget.charge_text(value.text().bytes.size());
        out += value.text();
      }
      break;
    case Kind::list: {
      out.add(value.is_tuple() ? "(" : "[");
      bool first = true;
      for (const Value& item : value.items()) {
        out.add(std::exchange(first, false) ? "" : ", ");
        add_text(item, out, budget, true);
      }
      out.add(!value.is_tuple() ? "]" : value.items().size() == 1 ? ",)" : ")");
      break;
    }
    case Kind::dict: {
      out.add("{");
      bool first = true;
      for (const auto& [key, member] : value.members()) {
        out.add(std::exchange(first, false) ? "" : ", ");
        add_repr(key, out, budget);
        out.add(": ");
        add_text(member, out, budget, true);
      }
      out.add("}");
      break;
    }
    case Kind::space:
    case Kind::function:
      raise<TextError>(concat("chat template: ", name(value.kind()), " cannot be printed"));
  }
}
inline Text to_text(const Value& value, Budget& budget) {
  if (value.is(Kind::text)) {
    budget.charge_text(value.text().bytes.size());
    return value.text();
  }
  Text out;
  add_text(value, out, budget);
  return out;
}

struct JsonStyle {
  std::string item_separator = ", ";
  std::string key_separator = ": ";
  std::string indent{};  // of one level; with it, each item has a line
  bool lines = false;
  bool ascii = false;
  bool sorted = false;
};

inline void add_json_text(const Text& text, const JsonStyle& style, Text& out, Budget& budget) {
  budget.charge_text(text.bytes.size() + 2, 2);
  out.add("\"");
  for (std::size_t i = 0; i < text.bytes.size();) {
    const unicode::CodePoint point = unicode::decode_utf8(text.bytes, i);
    const char32_t c = point.point;
    constexpr std::string_view plain = "\"\\\n\r\t\b\f", letters = "\"\\nrtbf";
    const std::size_t which = c < 0x80 ? plain.find(static_cast<char>(c)) : std::string_view::npos;
    if (which != std::string_view::npos) {
      out.add("\\");
      out.add(letters.substr(which, 1));
    } else if (c < 0x20 || (style.ascii && c > 0x7E)) {
      if (c >= 0x10000) {
        add_escape(out, budget, 'u', 4, 0xD800 + ((c - 0x10000) >> 10));
        add_escape(out, budget, 'u', 4, 0xDC00 + ((c - 0x10000) & 0x3FF));
      } else {
        add_escape(out, budget, 'u', 4, c);
      }
    } else {
      out += text.part(i, point.size);
    }
    i += point.size;
  }
  out.add("\"");
}

inline void add_json(const Value& value, const JsonStyle& style, Text& out, Budget& budget, std::size_t level = 0) {
  budget.charge(32);
  const auto line = [&](std::size_t at) {
    if (style.lines) {
      budget.charge_text(style.indent.size(), at);
      out.add("\n");
      for (std::size_t i = 0; i < at; ++i) {
        out.add(style.indent);
      }
    }
  };
  switch (value.kind()) {
    case Kind::none:
      out.add("null");
      return;
    case Kind::boolean:
      out.add(value.truth() ? "true" : "false");
      return;
    case Kind::integer:
      add_text(value, out, budget);
      return;
    case Kind::number:
      out.add(json::dump(json::Value(value.number())));
      return;
    case Kind::text:
      add_json_text(value.text(), style, out, budget);
      return;
    case Kind::list: {
      if (value.items().empty()) {
        out.add("[]");
        return;
      }
      out.add("[");
      bool first = true;
      for (const Value& item : value.items()) {
        budget.charge_text(style.item_separator.size());
        out.add(std::exchange(first, false) ? "" : style.item_separator);
        line(level + 1);
        add_json(item, style, out, budget, level + 1);
      }
      line(level);
      out.add("]");
      return;
    }
    case Kind::dict: {
      budget.charge_values(value.members().size());
      Members members = value.members();
      if (members.empty()) {
        out.add("{}");
        return;
      }
      out.add("{");
      if (style.sorted) {
        std::stable_sort(members.begin(), members.end(),
                         [](const auto& a, const auto& b) { return a.first.bytes < b.first.bytes; });
      }
      bool first = true;
      for (const auto& [key, member] : members) {
        budget.charge_text(style.item_separator.size());
        out.add(std::exchange(first, false) ? "" : style.item_separator);
        line(level + 1);
        budget.charge_text(style.key_separator.size());
        add_json_text(key, style, out, budget);
        out.add(style.key_separator);
        add_json(member, style, out, budget, level + 1);
      }
      line(level);
      out.add("}");
      return;
    }
    case Kind::undefined:
    case Kind::space:
    case Kind::function:
      break;
  }
  raise<TextError>(concat("chat template: tojson: ", name(value.kind()), " is not JSON"));
}

}  // namespace jinja
QWEN35_END_NAMESPACE
