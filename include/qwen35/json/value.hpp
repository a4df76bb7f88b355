// SPDX-License-Identifier: Apache-2.0
// A JSON value. Objects keep the order of their keys.
#pragma once

#include <qwen35/core/error.hpp>
#include <qwen35/core/lifetime.hpp>

#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#if QWEN35_BODIES
#include <qwen35/core/decimal.hpp>

#include <charconv>
#include <system_error>
#endif

QWEN35_BEGIN_NAMESPACE
namespace json {

// Nesting that is read unless more is asked for.
inline constexpr std::size_t usual_depth = 512;

enum class Kind : std::uint8_t { null, boolean, integer, number, string, array, object };

constexpr std::string_view name(Kind kind) {
  constexpr std::string_view names[] = {"null",     "a boolean", "an integer", "a number",
                                        "a string", "an array",  "an object"};
  return names[static_cast<std::size_t>(kind)];
}

class Value {
 public:
  using Member = std::pair<std::string, Value>;

  Value() = default;
  Value(const Value& other);
  Value(Value&& other) noexcept = default;
  Value& operator=(const Value& other);
  Value& operator=(Value&& other) noexcept = default;
  ~Value();
  Value(std::nullptr_t) {}
  Value(bool value) : kind_(Kind::boolean), integer_(value ? 1 : 0) {}
  template <class T>
  requires(std::is_integral_v<T> && !std::is_same_v<T, bool>) Value(T value) : kind_(Kind::integer) {
    if constexpr (std::is_unsigned_v<T> && sizeof(T) >= sizeof(std::int64_t)) {
      if (value > static_cast<T>(std::numeric_limits<std::int64_t>::max())) {
        string_ = std::to_string(value);
        return;
      }
    }
    integer_ = static_cast<std::int64_t>(value);
  }
  Value(double value) : kind_(Kind::number), number_(value) {}
  Value(std::string value) : kind_(Kind::string), string_(std::move(value)) {}
  Value(std::string_view value) : kind_(Kind::string), string_(value) {}
  Value(const char* value) : kind_(Kind::string), string_(value) {}
  // The integer that `digits` (JSON's form: "-" or nothing, then digits) write, of any size. Raises TextError for
  // anything else.
  static Value integer(std::string_view digits);
  // One that lives as long as the program: what is looked at where there is nothing.
  static const Value& none();
  static Value array() { return Value(Kind::array); }
  static Value object() { return Value(Kind::object); }

  Kind kind() const { return kind_; }
  bool is_null() const { return kind_ == Kind::null; }
  bool is_bool() const { return kind_ == Kind::boolean; }
  // An integer of 64 bits: what as_integer takes. Larger ones are of the same kind, and numbers.
  bool is_integer() const { return kind_ == Kind::integer && string_.empty(); }
  bool is_number() const { return kind_ == Kind::integer || kind_ == Kind::number; }
  bool is_string() const { return kind_ == Kind::string; }
  bool is_array() const { return kind_ == Kind::array; }
  bool is_object() const { return kind_ == Kind::object; }

  // Each raises TextError, naming both kinds, when the value is of another kind; where that is declined it gives
  // whatever, as declined() says.
  bool as_bool() const { return expect(Kind::boolean).integer_ != 0; }
  std::int64_t as_integer() const;
  // The digits of an integer of any size.
  std::string digits() const { return expect(Kind::integer).string_.empty() ? std::to_string(integer_) : string_; }
  // The nearest double; infinite for an integer beyond the doubles.
  double as_number() const;
  const std::string& as_string() const QWEN35_LIFETIMEBOUND { return expect(Kind::string).string_; }
  const std::vector<Value>& items() const QWEN35_LIFETIMEBOUND { return expect(Kind::array).items_; }
  std::vector<Value>& items() QWEN35_LIFETIMEBOUND { return const_cast<Value&>(expect(Kind::array)).items_; }
  const std::vector<Member>& members() const QWEN35_LIFETIMEBOUND { return expect(Kind::object).members_; }
  std::vector<Member>& members() QWEN35_LIFETIMEBOUND { return const_cast<Value&>(expect(Kind::object)).members_; }

  // The member of an object, or null when it is absent or this is no object.
  const Value* find(std::string_view key) const QWEN35_LIFETIMEBOUND;
  // The member of an object. Raises TextError when it is absent.
  const Value& at(std::string_view key) const QWEN35_LIFETIMEBOUND;
  // The member of an object, added as null at the end when it is absent. A null value becomes an object.
  Value& operator[](std::string_view key);
  void push_back(Value value);
  // Items of an array, members of an object, else 0.
  std::size_t size() const { return items_.size() + members_.size(); }

  friend bool operator==(const Value& a, const Value& b) {
    if (a.kind_ != b.kind_) {
      return a.is_number() && b.is_number() && a.as_number() == b.as_number();
    }
    return a.integer_ == b.integer_ && a.number_ == b.number_ && a.string_ == b.string_ && a.items_ == b.items_ &&
           a.members_ == b.members_;
  }

 private:
  explicit Value(Kind kind) : kind_(kind) {}
  const Value& expect(Kind kind) const;

  Kind kind_ = Kind::null;
  std::int64_t integer_ = 0;
  double number_ = 0.0;
  std::string string_;  // also the digits of an integer beyond 64 bits
  std::vector<Value> items_;
  std::vector<Member> members_;
};

// What stands where an object or a list is expected: a text that nobody has parsed is a string.
inline std::string_view found(const Value& value) {
  return value.is_string() ? "a string (json::parse() reads a text)" : name(value.kind());
}

}  // namespace json

#if QWEN35_BODIES

namespace json {

QWEN35_BODY Value::Value(const Value& other) = default;
QWEN35_BODY Value& Value::operator=(const Value& other) = default;
QWEN35_BODY Value::~Value() = default;

QWEN35_BODY Value Value::integer(std::string_view digits) {
  const std::string_view unsigned_digits = digits.substr(digits.starts_with('-') ? 1 : 0);
  Value out(Kind::integer);
  if (!holds<TextError>(!unsigned_digits.empty() && unsigned_digits.find_first_not_of("0123456789") == digits.npos &&
                            (unsigned_digits.size() == 1 || unsigned_digits.front() != '0'),
                        "JSON: expected the digits of an integer, found \"", digits, "\"")) {
    return out;
  }
  if (std::from_chars(digits.data(), digits.data() + digits.size(), out.integer_).ec != std::errc()) {
    out.integer_ = 0;
    out.string_ = digits;
  }
  return out;
}

QWEN35_BODY const Value& Value::none() {
  static const Value value;
  return value;
}

QWEN35_BODY std::int64_t Value::as_integer() const {
  if (!expect(Kind::integer).string_.empty()) {
    decline<TextError>(concat("JSON: found the integer ", string_.substr(0, 40), ", expected one of 64 bits"));
  }
  return integer_;
}

QWEN35_BODY double Value::as_number() const {
  if (kind_ != Kind::integer) {
    return expect(Kind::number).number_;
  }
  double out = static_cast<double>(integer_);
  if (!string_.empty() &&
      read_decimal(string_.data(), string_.data() + string_.size(), out).ec == std::errc::result_out_of_range) {
    out = string_.front() == '-' ? -std::numeric_limits<double>::infinity() : std::numeric_limits<double>::infinity();
  }
  return out;
}

QWEN35_BODY const Value* Value::find(std::string_view key) const {
  for (const Member& member : members_) {
    if (member.first == key) {
      return &member.second;
    }
  }
  return nullptr;
}

QWEN35_BODY const Value& Value::at(std::string_view key) const {
  const Value* const found = find(key);
  return holds<TextError>(found != nullptr, "JSON: no member \"", key, "\"") ? *found : none();
}

QWEN35_BODY Value& Value::operator[](std::string_view key) {
  if (is_null()) {
    kind_ = Kind::object;
  }
  for (Member& member : members()) {
    if (member.first == key) {
      return member.second;
    }
  }
  members_.emplace_back(std::string(key), Value());
  return members_.back().second;
}

QWEN35_BODY void Value::push_back(Value value) {
  if (is_null()) {
    kind_ = Kind::array;
  }
  items().push_back(std::move(value));
}

QWEN35_BODY const Value& Value::expect(Kind kind) const {
  if (kind_ != kind) {
    decline<TextError>(concat("JSON: found ", name(kind_), ", expected ", name(kind)));
  }
  return *this;
}

}  // namespace json

#endif  // QWEN35_BODIES

QWEN35_END_NAMESPACE
