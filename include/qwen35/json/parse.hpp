// SPDX-License-Identifier: Apache-2.0
// JSON text to values, and back in the form of Python's json.dumps(ensure_ascii=False).
#pragma once

#include <qwen35/json/value.hpp>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <string_view>
#include <unordered_map>

#include <rapidjson/error/en.h>
#include <rapidjson/memorystream.h>
#include <rapidjson/reader.h>

QWEN35_BEGIN_NAMESPACE
namespace json {

namespace detail {

// Receives the events of RapidJSON's reader and builds the tree. The reader is iterative, so depth costs heap, not
// stack; the limit keeps the (recursive) destructor of the tree safe.
class Builder {
 public:
  static constexpr std::size_t depth_limit = 512;

  bool Null() { return add(Value()); }
  bool Bool(bool value) { return add(Value(value)); }
  bool Int(int value) { return add(Value(value)); }
  bool Uint(unsigned value) { return add(Value(value)); }
  bool Int64(std::int64_t value) { return add(Value(value)); }
  bool Uint64(std::uint64_t value) { return add(value > INT64_MAX ? Value(static_cast<double>(value)) : Value(value)); }
  bool Double(double value) { return add(Value(value)); }
  bool RawNumber(const char*, rapidjson::SizeType, bool) { return false; }
  bool String(const char* text, rapidjson::SizeType size, bool) { return add(Value(std::string_view(text, size))); }
  bool StartObject() { return open(Value::object()); }
  bool Key(const char* text, rapidjson::SizeType size, bool) {
    keys_.back().assign(text, size);
    return true;
  }
  bool EndObject(rapidjson::SizeType) { return close(); }
  bool StartArray() { return open(Value::array()); }
  bool EndArray(rapidjson::SizeType) { return close(); }

  Value take() { return std::move(root_); }

 private:
  bool open(Value container) {
    if (stack_.size() == depth_limit) {
      return false;
    }
    stack_.push_back(std::move(container));
    keys_.emplace_back();
    return true;
  }
  bool close() {
    Value done = std::move(stack_.back());
    if (done.is_object()) {
      keep_last(done.members());
    }
    stack_.pop_back();
    keys_.pop_back();
    return add(std::move(done));
  }
  bool add(Value value) {
    if (stack_.empty()) {
      root_ = std::move(value);
    } else if (stack_.back().is_array()) {
      stack_.back().items().push_back(std::move(value));
    } else {
      stack_.back().members().emplace_back(std::move(keys_.back()), std::move(value));
    }
    return true;
  }

  // Of members with the same key the last value stays, at the first one's place, as Python's json does.
  static void keep_last(std::vector<Value::Member>& members) {
    std::unordered_map<std::string_view, std::size_t> place;
    std::vector<bool> repeated(members.size(), false);
    bool any = false;
    place.reserve(members.size());
    for (std::size_t i = 0; i < members.size(); ++i) {
      const auto [found, fresh] = place.try_emplace(members[i].first, i);
      if (!fresh) {
        members[found->second].second = std::move(members[i].second);
        repeated[i] = true;
        any = true;
      }
    }
    place.clear();
    if (any) {
      std::size_t kept = 0;
      for (std::size_t i = 0; i < members.size(); ++i) {
        if (!repeated[i]) {
          if (kept != i) {
            members[kept] = std::move(members[i]);
          }
          ++kept;
        }
      }
      members.resize(kept);
    }
  }

  Value root_;
  std::vector<Value> stack_;
  std::vector<std::string> keys_;
};

// Numbers come as text: the reader's own conversion shifts by negative counts for some (0e300), and one double of 40
// digits in 100,000 comes out one unit off.
inline constexpr unsigned parse_flags =
    rapidjson::kParseIterativeFlag | rapidjson::kParseValidateEncodingFlag | rapidjson::kParseNumbersAsStringsFlag;

// A number that is no double: beyond the largest, rather than below the smallest? `text` is well formed.
inline bool is_huge(std::string_view text) {
  const std::size_t exponent_at = text.find_first_of("eE");
  const std::string_view digits = text.substr(0, exponent_at);
  const std::size_t first = digits.find_first_of("123456789"), point = std::min(digits.find('.'), digits.size());
  const auto magnitude = static_cast<std::int64_t>(point) - static_cast<std::int64_t>(first);
  std::int64_t exponent = 0;
  if (exponent_at != std::string_view::npos) {
    const bool minus = text[exponent_at + 1] == '-';
    const char* const from = text.data() + exponent_at + (minus || text[exponent_at + 1] == '+' ? 2 : 1);
    if (std::from_chars(from, text.data() + text.size(), exponent).ec != std::errc()) {
      exponent = INT64_MAX / 2;
    }
    exponent = minus ? -exponent : exponent;
  }
  return magnitude + exponent > 0;
}

// The number as the event that the reader would send. False for one that is too large.
template <class Handler>
inline bool send_number(std::string_view text, Handler& handler, bool& too_big) {
  const char* const end = text.data() + text.size();
  if (text.find_first_of(".eE") == std::string_view::npos) {
    std::int64_t whole = 0;
    if (std::from_chars(text.data(), end, whole).ec == std::errc()) {
      if (whole >= 0) {
        return whole <= UINT32_MAX ? handler.Uint(static_cast<unsigned>(whole))
                                   : handler.Uint64(static_cast<std::uint64_t>(whole));
      }
      return whole >= INT32_MIN ? handler.Int(static_cast<int>(whole)) : handler.Int64(whole);
    }
    std::uint64_t large = 0;
    if (text[0] != '-' && std::from_chars(text.data(), end, large).ec == std::errc()) {
      return handler.Uint64(large);
    }
  }
  double value = 0.0;
  const std::errc problem = std::from_chars(text.data(), end, value).ec;
  too_big = problem == std::errc::result_out_of_range && is_huge(text);
  return !too_big && handler.Double(problem == std::errc() ? value : 0.0);
}

}  // namespace detail

// How a reading ended: at which byte and why, if not well.
struct ReadResult {
  bool ok = true;
  std::size_t offset = 0;
  std::string problem;
};

namespace detail {

// Passes the reader's events on to the user's handler: numbers converted, and with a correction. The reader accepts
// "\udc00", half a surrogate pair, which has no UTF-8: here it ends the reading.
template <class Handler>
class Guard {
 public:
  Guard(Handler& handler, std::string_view text)
      : handler_(handler), escapes_(text.find("\\u") != std::string_view::npos) {}
  bool unpaired() const { return unpaired_; }
  bool too_big() const { return too_big_; }

  bool Null() { return handler_.Null(); }
  bool Bool(bool value) { return handler_.Bool(value); }
  bool Int(int value) { return handler_.Int(value); }
  bool Uint(unsigned value) { return handler_.Uint(value); }
  bool Int64(std::int64_t value) { return handler_.Int64(value); }
  bool Uint64(std::uint64_t value) { return handler_.Uint64(value); }
  bool Double(double value) { return handler_.Double(value); }
  bool RawNumber(const char* text, rapidjson::SizeType size, bool) {
    return send_number({text, size}, handler_, too_big_);
  }
  bool String(const char* text, rapidjson::SizeType size, bool copy) {
    return sound(text, size) && handler_.String(text, size, copy);
  }
  bool StartObject() { return handler_.StartObject(); }
  bool Key(const char* text, rapidjson::SizeType size, bool copy) {
    return sound(text, size) && handler_.Key(text, size, copy);
  }
  bool EndObject(rapidjson::SizeType size) { return handler_.EndObject(size); }
  bool StartArray() { return handler_.StartArray(); }
  bool EndArray(rapidjson::SizeType size) { return handler_.EndArray(size); }

 private:
  // The bytes themselves were validated; what escapes wrote may hold ED A0..BF, a surrogate.
  bool sound(const char* text, rapidjson::SizeType size) {
    if (escapes_) {
      const std::string_view view(text, size);
      for (std::size_t i = view.find('\xED'); i < view.size(); i = view.find('\xED', i + 1)) {
        unpaired_ = unpaired_ || (i + 1 < view.size() && static_cast<unsigned char>(view[i + 1]) >= 0xA0);
      }
    }
    return !unpaired_;
  }

  Handler& handler_;
  bool escapes_;
  bool unpaired_ = false;
  bool too_big_ = false;
};

}  // namespace detail

// Streams `text` to a SAX handler (the interface of rapidjson::Reader); a handler that returns false stops it.
template <class Handler>
inline ReadResult try_read(std::string_view text, Handler& handler) {
  rapidjson::Reader reader;
  rapidjson::MemoryStream stream(text.data(), text.size());
  detail::Guard<Handler> guard(handler, text);
  const rapidjson::ParseResult result = reader.Parse<detail::parse_flags>(stream, guard);
  const auto failed = [](std::size_t offset, std::string_view reason) {
    return ReadResult{false, offset, concat("not valid JSON at byte ", offset, ": ", reason)};
  };
  if (guard.unpaired()) {
    return failed(result.Offset(), "a \\u escape is half of a surrogate pair");
  }
  if (guard.too_big()) {
    return failed(result.Offset(), rapidjson::GetParseError_En(rapidjson::kParseErrorNumberTooBig));
  }
  if (result.Code() == rapidjson::kParseErrorTermination) {
    return failed(result.Offset(), "nested too deeply, or not what was expected");
  }
  if (result.IsError()) {
    return failed(result.Offset(), rapidjson::GetParseError_En(result.Code()));
  }
  // The reader takes a NUL byte for the end.
  return stream.Tell() == text.size() ? ReadResult{} : failed(stream.Tell(), "text after the value");
}

// The same; raises TextError with the source's name, the byte offset and the reason.
template <class Handler>
inline void read(std::string_view text, Handler& handler, std::string_view source_name = "JSON") {
  const ReadResult result = try_read(text, handler);
  require<TextError>(result.ok, source_name, ": ", result.problem);
}

// Of equal keys in one object the last counts. Raises TextError for ill-formed text, text after the value, invalid
// UTF-8, or a depth beyond 512.
inline Value parse(std::string_view text, std::string_view source_name = "JSON") {
  detail::Builder builder;
  read(text, builder, source_name);
  return builder.take();
}

// A double as Python's repr: the shortest digits that read back, "1.0", "1e+16", "1e-05", "-0.0", "nan", "inf".
inline std::string python_repr_number(double value) {
  if (std::isnan(value)) {
    return "nan";
  }
  if (std::isinf(value)) {
    return value > 0 ? "inf" : "-inf";
  }
  char buffer[64];
  const double magnitude = std::fabs(value);
  const bool fixed = magnitude == 0.0 || (magnitude >= 1e-4 && magnitude < 1e16);
  const auto end = std::to_chars(buffer, buffer + sizeof(buffer), value,
                                 fixed ? std::chars_format::fixed : std::chars_format::scientific);
  std::string out(buffer, end.ptr);
  if (fixed && out.find('.') == std::string::npos) {
    out += ".0";
  }
  return out;
}

namespace detail {

inline void dump_string(std::string_view text, std::string& out) {
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

inline void dump(const Value& value, std::string& out) {
  switch (value.kind()) {
    case Kind::null:
      out += "null";
      break;
    case Kind::boolean:
      out += value.as_bool() ? "true" : "false";
      break;
    case Kind::integer:
      out += std::to_string(value.as_integer());
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

}  // namespace detail

inline std::string dump(const Value& value) {
  std::string out;
  detail::dump(value, out);
  return out;
}

}  // namespace json
QWEN35_END_NAMESPACE
