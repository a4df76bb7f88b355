// SPDX-License-Identifier: Apache-2.0
// The values of a Jinja template: Python's, as far as chat templates use them; text knows where each byte came from.
#pragma once

#include <qwen35/core/error.hpp>
#include <qwen35/json/dump.hpp>
#include <qwen35/json/parse.hpp>
#include <qwen35/json/value.hpp>
#include <qwen35/text/chat_template_options.hpp>
#include <qwen35/unicode/utf8.hpp>

#include <algorithm>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

QWEN35_BEGIN_NAMESPACE

namespace jinja {

// Bytes, and the origin of each: a TextOrigin, or `first_medium` + i for what the template wrote while it looked at the
// conversation's picture or video i.
struct Text {
  static constexpr char16_t first_medium = 4;

  std::string bytes;
  std::u16string origins;
  bool markup = false;  // marked `safe`: what is added to it is escaped

  Text() = default;
  explicit Text(std::string_view text, TextOrigin origin = TextOrigin::chat_template)
      : bytes(text), origins(text.size(), static_cast<char16_t>(origin)) {}
  Text& operator+=(const Text& other) {
    bytes += other.bytes;
    origins += other.origins;
    return *this;
  }
  void add(std::string_view text, TextOrigin origin = TextOrigin::chat_template) {
    bytes += text;
    origins.append(text.size(), static_cast<char16_t>(origin));
  }
  Text part(std::size_t begin, std::size_t size) const {
    Text out;
    out.bytes = bytes.substr(begin, size);
    out.origins = origins.substr(begin, size);
    out.markup = markup;
    return out;
  }
  // `piece` must be a view into bytes.
  Text part(std::string_view piece) const {
    return part(static_cast<std::size_t>(piece.data() - bytes.data()), piece.size());
  }
};

enum class Kind : std::uint8_t { undefined, none, boolean, integer, number, text, list, dict, space, function };

constexpr std::string_view name(Kind kind) {
  constexpr std::string_view names[] = {"undefined", "none",   "a boolean", "an integer",  "a number",
                                        "a string",  "a list", "a mapping", "a namespace", "a function"};
  return names[static_cast<std::size_t>(kind)];
}

class Value;
struct Arguments {
  std::vector<Value> items;
  std::vector<std::pair<std::string, Value>> named;

  // The argument at a position, or of that name; null when it is not given.
  const Value* find(std::size_t index, std::string_view key) const;
};
using Function = std::function<Value(Arguments&)>;
using Members = std::vector<std::pair<Text, Value>>;

// Cheap to copy: large contents are shared and, but for a namespace, never changed. What goes through a value's items
// calls itself, so a list or mapping in more than `deepest` others is refused: a TextError.
class Value {
 public:
  static constexpr std::uint32_t deepest = 400;

  Value() = default;
  static Value undefined(std::string_view what) {
    Value out;
    out.text_ = std::make_shared<Text>(what);
    return out;
  }
  static Value none() { return Value(Kind::none); }
  Value(bool value) : kind_(Kind::boolean), integer_(value ? 1 : 0) {}
  Value(std::int64_t value) : kind_(Kind::integer), integer_(value) {}
  Value(double value) : kind_(Kind::number), number_(value) {}
  Value(Text value) : kind_(Kind::text), text_(std::make_shared<Text>(std::move(value))) {}
  Value(std::vector<Value> items) : kind_(Kind::list) {
    for (const Value& item : items) {
      hold(item);
    }
    items_ = std::make_shared<std::vector<Value>>(std::move(items));
  }
  Value(Members members, Kind kind = Kind::dict) : kind_(kind) {
    for (const auto& [name, member] : members) {
      hold(member);
    }
    members_ = std::make_shared<Members>(std::move(members));
  }
  Value(Function function) : kind_(Kind::function), function_(std::make_shared<Function>(std::move(function))) {}
  // A method of `self`.
  Value(Function function, const Value& self) : Value(std::move(function)) { hold(self); }
  // One whose members can be set. Whoever makes it clears them in the end: they may go round in a circle.
  static Value settable_space(Members members) {
    Value out(std::move(members), Kind::space);
    out.integer_ = 1;
    out.depth_ = 0;
    return out;
  }
  // A list that is printed with parentheses.
  static Value tuple(std::vector<Value> items) {
    Value out(std::move(items));
    out.integer_ = 1;
    return out;
  }
  // A list that a filter gives item by item in Jinja: true even if it is empty.
  static Value iterator(std::vector<Value> items) {
    Value out(std::move(items));
    out.integer_ = 2;
    return out;
  }
  // An integer beyond 64 bits, which can only be printed.
  static Value large_integer(std::string digits) {
    Value out(Kind::integer);
    out.text_ = std::make_shared<Text>(digits);
    return out;
  }
  static Value from_json(const json::Value& value, TextOrigin origin) {
    switch (value.kind()) {
      case json::Kind::null:
        return none();
      case json::Kind::boolean:
        return value.as_bool();
      case json::Kind::integer:
        return value.is_integer() ? Value(value.as_integer()) : large_integer(json::dump(value));
      case json::Kind::number:
        return value.as_number();
      case json::Kind::string:
        require<TextError>(unicode::find_ill_formed(value.as_string()) == std::string::npos,
                           "chat template: a message or tool has text that is not UTF-8");
        return Text(value.as_string(), origin);
      case json::Kind::array: {
        std::vector<Value> items;
        for (const json::Value& item : value.items()) {
          items.push_back(from_json(item, origin));
        }
        return items;
      }
      case json::Kind::object:
        break;
    }
    Members members;
    for (const auto& [key, member] : value.members()) {
      members.emplace_back(Text(key, origin), from_json(member, origin));
    }
    return members;
  }

  Kind kind() const { return kind_; }
  bool is(Kind kind) const { return kind_ == kind; }
  bool is_number() const { return is(Kind::boolean) || is(Kind::integer) || is(Kind::number); }
  // A boolean's or an integer's.
  std::int64_t integer() const { return integer_; }
  double number() const { return is(Kind::number) ? number_ : static_cast<double>(integer_); }
  bool is_settable_space() const { return is(Kind::space) && integer_ == 1; }
  bool is_tuple() const { return is(Kind::list) && integer_ == 1; }
  bool is_large() const { return is(Kind::integer) && text_ != nullptr; }
  // A text's; an undefined value's name; a large integer's digits.
  const Text& text() const { return *text_; }
  const std::vector<Value>& items() const { return *items_; }
  // A mapping's or namespace's.
  Members& members() const { return *members_; }
  // Of a mapping: the same for its copies alone.
  const void* identity() const { return members_.get(); }
  const Function& function() const { return *function_; }
  const Value* find(std::string_view key) const {
    for (const auto& [name, member] : *members_) {
      if (name.bytes == key) {
        return &member;
      }
    }
    return nullptr;
  }

  bool truth() const {
    switch (kind_) {
      case Kind::undefined:
      case Kind::none:
        return false;
      case Kind::boolean:
      case Kind::integer:
        return integer_ != 0 || text_ != nullptr;
      case Kind::number:
        return number_ != 0.0;
      case Kind::text:
        return !text_->bytes.empty();
      case Kind::list:
        return !items_->empty() || integer_ == 2;
      case Kind::dict:
        return !members_->empty();
      case Kind::space:
      case Kind::function:
        break;
    }
    return true;
  }

 private:
  explicit Value(Kind kind) : kind_(kind) {}
  void hold(const Value& inner) {
    depth_ = std::max(depth_, inner.depth_ + 1);
    require<TextError>(depth_ <= deepest, "chat template: a value is nested too deeply");
  }

  Kind kind_ = Kind::undefined;
  std::uint32_t depth_ = 0;  // of lists, mappings and methods in one another
  std::int64_t integer_ = 0;
  double number_ = 0.0;
  std::shared_ptr<const Text> text_;
  std::shared_ptr<const std::vector<Value>> items_;
  std::shared_ptr<Members> members_;
  std::shared_ptr<const Function> function_;
};

inline const Value* Arguments::find(std::size_t index, std::string_view key) const {
  if (index < items.size()) {
    return &items[index];
  }
  for (const auto& [name, value] : named) {
    if (name == key) {
      return &value;
    }
  }
  return nullptr;
}

}  // namespace jinja
QWEN35_END_NAMESPACE
