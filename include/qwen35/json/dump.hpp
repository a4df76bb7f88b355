// SPDX-License-Identifier: Apache-2.0
// Values as JSON text, in the form of Python's json.dumps(ensure_ascii=False).
#pragma once

#include <qwen35/json/value.hpp>

#include <string>
#include <string_view>

#if QWEN35_BODIES
#include <qwen35/json/number.hpp>

#include <cmath>
#endif

QWEN35_BEGIN_NAMESPACE
namespace json {
namespace detail {

void dump_string(std::string_view text, std::string& out);

void dump(const Value& value, std::string& out);

}  // namespace detail

std::string dump(const Value& value);

}  // namespace json

#if QWEN35_BODIES

namespace json::detail {

QWEN35_BODY void dump_string(std::string_view text, std::string& out) {
  constexpr char hex[] = "0123456789abcdef";
  out += '"';
  for (const char c : text) {
    switch (c) {
      case '"':
        out += "\\\"";
        break;
      case '\\':
        out += "\\\\";
        break;
      case '\n':
        out += "\\n";
        break;
      case '\r':
        out += "\\r";
        break;
      case '\t':
        out += "\\t";
        break;
      case '\b':
        out += "\\b";
        break;
      case '\f':
        out += "\\f";
        break;
      default:
        if (static_cast<unsigned char>(c) < 0x20) {
          out += "\\u00";
          out += hex[static_cast<unsigned char>(c) >> 4];
          out += hex[static_cast<unsigned char>(c) & 15];
        } else {
          out += c;
        }
    }
  }
  out += '"';
}

QWEN35_BODY void dump(const Value& value, std::string& out) {
  switch (value.kind()) {
    case Kind::null:
      out += "null";
      break;
    case Kind::boolean:
      out += value.as_bool() ? "true" : "false";
      break;
    case Kind::integer:
      out += value.digits();
      break;
    case Kind::number: {
      const double number = value.as_number();
      out += std::isnan(number)   ? "NaN"
             : std::isinf(number) ? (number > 0 ? "Infinity" : "-Infinity")
                                  : python_repr_number(number);
      break;
    }
    case Kind::string:
      dump_string(value.as_string(), out);
      break;
    case Kind::array: {
      out += '[';
      bool first = true;
      for (const Value& item : value.items()) {
        out += first ? "" : ", ";
        first = false;
        dump(item, out);
      }
      out += ']';
      break;
    }
    case Kind::object: {
      out += '{';
      bool first = true;
      for (const Value::Member& member : value.members()) {
        out += first ? "" : ", ";
        first = false;
        dump_string(member.first, out);
        out += ": ";
        dump(member.second, out);
      }
      out += '}';
      break;
    }
  }
}

}  // namespace json::detail

namespace json {

QWEN35_BODY std::string dump(const Value& value) {
  std::string out;
  detail::dump(value, out);
  return out;
}

}  // namespace json

#endif  // QWEN35_BODIES

QWEN35_END_NAMESPACE
