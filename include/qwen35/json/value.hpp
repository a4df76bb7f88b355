// SPDX-License-Identifier: Apache-2.0
// A JSON value. Objects keep the order of their keys.
#pragma once

#include <qwen35/core/error.hpp>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

QWEN35_BEGIN_NAMESPACE
namespace json {

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
  Value(std::nullptr_t) {}
  Value(bool value) : kind_(Kind::boolean), integer_(value ? 1 : 0) {}
  template <class T>
  requires(std::is_integral_v<T> && !std::is_same_v<T, bool>) Value(T value)
      : kind_(Kind::integer), integer_(static_cast<std::int64_t>(value)) {}
  Value(double value) : kind_(Kind::number), number_(value) {}
  Value(std::string value) : kind_(Kind::string), string_(std::move(value)) {}
  Value(std::string_view value) : kind_(Kind::string), string_(value) {}
  Value(const char* value) : kind_(Kind::string), string_(value) {}
  static Value array() { return Value(Kind::array); }
  static Value object() { return Value(Kind::object); }

  Kind kind() const { return kind_; }
  bool is_null() const { return kind_ == Kind::null; }
  bool is_bool() const { return kind_ == Kind::boolean; }
  bool is_integer() const { return kind_ == Kind::integer; }
  bool is_number() const { return kind_ == Kind::integer || kind_ == Kind::number; }
  bool is_string() const { return kind_ == Kind::string; }
  bool is_array() const { return kind_ == Kind::array; }
  bool is_object() const { return kind_ == Kind::object; }

  // Each raises TextError, naming both kinds, when the value is of another kind.
  bool as_bool() const { return expect(Kind::boolean).integer_ != 0; }
  std::int64_t as_integer() const { return expect(Kind::integer).integer_; }
  double as_number() const {
    return kind_ == Kind::integer ? static_cast<double>(integer_) : expect(Kind::number).number_;
  }
  const std::string& as_string() const { return expect(Kind::string).string_; }
  const std::vector<Value>& items() const { return expect(Kind::array).items_; }
  std::vector<Value>& items() { return const_cast<Value&>(expect(Kind::array)).items_; }
  const std::vector<Member>& members() const { return expect(Kind::object).members_; }
  std::vector<Member>& members() { return const_cast<Value&>(expect(Kind::object)).members_; }

  // The member of an object, or null when it is absent or this is no object.
  const Value* find(std::string_view key) const {
    for (const Member& member : members_) {
      if (member.first == key) {
        return &member.second;
      }
    }
    return nullptr;
  }
  // The member of an object. Raises TextError when it is absent.
  const Value& at(std::string_view key) const {
    const Value* const found = find(key);
    require<TextError>(found != nullptr, "JSON: no member \"", key, "\"");
    return *found;
  }
  // The member of an object, added as null at the end when it is absent. A null value becomes an object.
  Value& operator[](std::string_view key) {
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
  void push_back(Value value) {
    if (is_null()) {
      kind_ = Kind::array;
    }
    items().push_back(std::move(value));
  }
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
  const Value& expect(Kind kind) const {
    require<TextError>(kind_ == kind, "JSON: found ", name(kind_), ", expected ", name(kind));
    return *this;
  }

  Kind kind_ = Kind::null;
  std::int64_t integer_ = 0;
  double number_ = 0.0;
  std::string string_;
  std::vector<Value> items_;
  std::vector<Member> members_;
};

}  // namespace json
QWEN35_END_NAMESPACE
