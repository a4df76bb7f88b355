// SPDX-License-Identifier: Apache-2.0
// From the text of a tool call's argument to a value of the type that the tool's JSON schema asks for.
#pragma once

#include <qwen35/core/error.hpp>
#include <qwen35/json/dump.hpp>
#include <qwen35/json/value.hpp>
#include <qwen35/text/recovery.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#if QWEN35_BODIES
#include <qwen35/json/respelling.hpp>
#include <qwen35/text/trim.hpp>

#include <cmath>
#endif

QWEN35_BEGIN_NAMESPACE

// How an argument's value came about.
enum class Conversion : std::uint8_t {
  text,       // the schema allows a string: the text as written
  converted,  // read as the schema's type
  untyped,    // no schema names this argument: the text as written, or the value that JSON held
  failed      // the text is no value of the schema's types: the text as written
};

struct ConvertedArgument {
  json::Value value;
  Conversion conversion = Conversion::untyped;
  Recovery recovery = Recovery::none;  // python_literal, control_characters, letter_case, loose_scalar
};

namespace detail {

// The kinds of value a schema allows, as bits; 0 when it does not say.
struct SchemaTypes {
  static constexpr unsigned string = 1, integer = 2, number = 4, boolean = 8, null = 16, array = 32, object = 64;

  static unsigned of_name(std::string_view name) noexcept;
  static unsigned of_value(const json::Value& value) noexcept;
};

// `value` when it is an object's member, else nullptr; for schemas, which are untrusted input too.
const json::Value* member(const json::Value* value, std::string_view key);

// The schema a local reference ("#/$defs/x") points at, or nullptr.
const json::Value* resolve_reference(const json::Value& root, std::string_view reference);

// The types a schema allows: its type or types; else those of its enum or const; else those of its alternatives.
// `budget` bounds the number of schemas looked at, since references may go round in circles.
unsigned schema_types(const json::Value& schema, const json::Value& root, int& budget);

// The text as a value of one of `types` (no string among those looked for); nothing when it is none. JSON or Python's
// literals; `recovery` tells what is neither JSON nor how the chat template writes scalars.
std::optional<json::Value> read_as(std::string_view text, unsigned types, Recovery& recovery);

// A number or boolean that JSON does not write so, as Python's int() and float() and the reference's reading of a
// response take it: 007, +5, 1_000, .5, 5., 1 or 0 for a boolean, tRuE. None of its own where a string is allowed.
std::optional<json::Value> read_loosely(std::string_view text, unsigned types, Recovery& recovery);

}  // namespace detail

// The parameters of one tool, looked up by name. Keeps references into `tools`.
class ToolSchema {
 public:
  ToolSchema() = default;

  // The schema of the tool called `name` among `tools` (each {"type": "function", "function": {...}} or the inner
  // object itself).
  static ToolSchema find(const std::vector<json::Value>& tools, std::string_view name);

  // Whether a tool of that name was found.
  bool known() const noexcept { return known_; }
  // Whether its schema lists that parameter.
  bool has_parameter(std::string_view name) const { return parameter(name) != nullptr; }
  // Whether none that the schema requires is missing.
  bool has_required(const json::Value& arguments) const;
  // Whether a call with these arguments may be all of it: none that the schema requires is missing, and it has some
  // unless the tool is known to take none.
  bool may_be_whole(const json::Value& arguments) const;

  // The argument `name`, written as `text`, as a value. Where a string is allowed among other types, the other types
  // are tried first (null before "null"), then the text stands. Never fails: see Conversion.
  ConvertedArgument convert(std::string_view name, std::string_view text) const;

  // The argument `name`, written as a JSON value. It stands where the schema allows its type or says nothing; else it
  // is read as if its text (see argument_text) had been written.
  ConvertedArgument convert_json(std::string_view name, const json::Value& value) const;
  // A value as a parameter's text: a string itself, else JSON.
  static std::string argument_text(const json::Value& value) {
    return value.is_string() ? value.as_string() : json::dump(value);
  }

 private:
  unsigned types_of(std::string_view name) const;
  const json::Value* parameter(std::string_view name) const {
    return detail::member(detail::member(parameters_, "properties"), name);
  }

  bool known_ = false;
  const json::Value* parameters_ = nullptr;
};

#if QWEN35_BODIES

namespace detail {

QWEN35_BODY unsigned SchemaTypes::of_name(std::string_view name) noexcept {
  constexpr std::pair<std::string_view, unsigned> names[] = {
      {"string", string}, {"integer", integer}, {"number", number}, {"boolean", boolean},
      {"null", null},     {"array", array},     {"object", object}};
  for (const auto& [known, bit] : names) {
    if (known == name) {
      return bit;
    }
  }
  return 0;
}

QWEN35_BODY unsigned SchemaTypes::of_value(const json::Value& value) noexcept {
  switch (value.kind()) {
    case json::Kind::null:
      return null;
    case json::Kind::boolean:
      return boolean;
    case json::Kind::integer:
      return integer | number;
    case json::Kind::number:
      return number;
    case json::Kind::string:
      return string;
    case json::Kind::array:
      return array;
    case json::Kind::object:
      return object;
  }
  return 0;
}

QWEN35_BODY const json::Value* member(const json::Value* value, std::string_view key) {
  return value != nullptr ? value->find(key) : nullptr;
}

QWEN35_BODY const json::Value* resolve_reference(const json::Value& root, std::string_view reference) {
  if (!reference.starts_with("#/")) {
    return nullptr;
  }
  const json::Value* at = &root;
  for (reference.remove_prefix(2); at != nullptr;) {
    const std::size_t slash = reference.find('/');
    at = at->find(reference.substr(0, slash));
    if (slash == std::string_view::npos) {
      return at;
    }
    reference.remove_prefix(slash + 1);
  }
  return nullptr;
}

QWEN35_BODY unsigned schema_types(const json::Value& schema, const json::Value& root, int& budget) {
  if (--budget < 0) {
    return 0;
  }
  unsigned types = 0;
  if (const json::Value* type = schema.find("type")) {
    if (type->is_string()) {
      return SchemaTypes::of_name(type->as_string());
    }
    if (type->is_array()) {
      for (const json::Value& one : type->items()) {
        types |= one.is_string() ? SchemaTypes::of_name(one.as_string()) : 0U;
      }
      return types;
    }
  }
  if (const json::Value* allowed = schema.find("enum"); allowed != nullptr && allowed->is_array()) {
    for (const json::Value& one : allowed->items()) {
      types |= SchemaTypes::of_value(one);
    }
  }
  if (const json::Value* constant = schema.find("const")) {
    types |= SchemaTypes::of_value(*constant);
  }
  if (const json::Value* reference = schema.find("$ref"); reference != nullptr && reference->is_string()) {
    if (const json::Value* target = resolve_reference(root, reference->as_string())) {
      types |= schema_types(*target, root, budget);
    }
  }
  for (const std::string_view key : {"anyOf", "oneOf", "allOf"}) {
    if (const json::Value* list = schema.find(key); list != nullptr && list->is_array()) {
      for (const json::Value& one : list->items()) {
        types |= schema_types(one, root, budget);
      }
    }
  }
  return types;
}

QWEN35_BODY std::optional<json::Value> read_as(std::string_view text, unsigned types, Recovery& recovery) {
  text = trim_blanks(text);
  std::optional<json::Value> value;
  if (text == "True" || text == "TRUE" || text == "False" || text == "FALSE") {
    value = json::Value(text.front() == 'T');
    recovery |= text[1] < 'a' ? Recovery::letter_case : Recovery::none;
  } else if (text == "None" || text == "NULL") {
    value = json::Value();
    recovery |= text == "NULL" ? Recovery::letter_case : Recovery::none;
  } else if (!text.empty() && text.front() != '"') {
    json::Respelt read = json::try_parse_respelt(text);
    value = std::move(read.value);
    recovery |= literal_recovery(read.python, read.controls);
  }
  if (!value.has_value()) {
    return std::nullopt;
  }
  if ((types & SchemaTypes::of_value(*value)) != 0) {
    return value;
  }
  constexpr double exact = 9007199254740992.0;  // 2^53: up to here a double holds every integer
  if ((types & SchemaTypes::integer) != 0 && value->kind() == json::Kind::number &&
      std::abs(value->as_number()) <= exact && value->as_number() == std::floor(value->as_number())) {
    return json::Value(static_cast<std::int64_t>(value->as_number()));
  }
  return std::nullopt;
}

QWEN35_BODY std::optional<json::Value> read_loosely(std::string_view text, unsigned types, Recovery& recovery) {
  text = trim_blanks(text);
  std::string lower;
  for (const char c : text.substr(0, 8)) {
    lower += c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  }
  if ((types & SchemaTypes::boolean) != 0 && (lower == "true" || lower == "false")) {
    recovery = Recovery::letter_case;
    return json::Value(lower == "true");
  }
  recovery = Recovery::loose_scalar;
  if ((types & (SchemaTypes::integer | SchemaTypes::number)) != 0) {
    const auto is_digit = [](char c) { return c >= '0' && c <= '9'; };
    const bool sign = text.starts_with('+') || text.starts_with('-');
    std::string number;
    for (std::size_t i = sign ? 1 : 0; i < text.size(); ++i) {
      const bool joins =
          text[i] == '_' && i > 0 && is_digit(text[i - 1]) && i + 1 < text.size() && is_digit(text[i + 1]);
      number += joins ? std::string_view() : text.substr(i, 1);
    }
    if (number.starts_with('.') ? number.size() > 1 && is_digit(number[1]) : !number.empty() && is_digit(number[0])) {
      number.erase(0, number.find_first_not_of('0'));
      number.insert(0, number.empty() || !is_digit(number[0]) ? "0" : "");
      if (const std::size_t point = number.find('.');
          point != std::string::npos && (point + 1 == number.size() || !is_digit(number[point + 1]))) {
        number.insert(point + 1, "0");
      }
      Recovery none = Recovery::none;
      return read_as((text[0] == '-' ? "-" : "") + number, types & ~SchemaTypes::boolean, none);
    }
  } else if ((types & SchemaTypes::boolean) != 0 && (text == "1" || text == "0")) {
    return json::Value(text == "1");
  }
  return std::nullopt;
}

}  // namespace detail

QWEN35_BODY ToolSchema ToolSchema::find(const std::vector<json::Value>& tools, std::string_view name) {
  ToolSchema out;
  for (const json::Value& tool : tools) {
    const json::Value* wrapped = tool.find("function");
    const json::Value& function = wrapped != nullptr && wrapped->is_object() ? *wrapped : tool;
    if (const json::Value* own = function.find("name");
        own != nullptr && own->is_string() && own->as_string() == name) {
      out.known_ = true;
      out.parameters_ = function.find("parameters");
      break;
    }
  }
  return out;
}

QWEN35_BODY ConvertedArgument ToolSchema::convert(std::string_view name, std::string_view text) const {
  const unsigned types = types_of(name);
  if (types == 0) {
    return {json::Value(text), Conversion::untyped};
  }
  const unsigned others = types & ~detail::SchemaTypes::string;
  if (others != 0) {
    Recovery recovery = Recovery::none;
    std::optional<json::Value> value = detail::read_as(text, others, recovery);
    if (!value.has_value() && others == types) {
      recovery = Recovery::none;
      value = detail::read_loosely(text, others, recovery);
    }
    if (value.has_value()) {
      return {std::move(*value), Conversion::converted, recovery};
    }
  }
  return {json::Value(text), others == types ? Conversion::failed : Conversion::text};
}

QWEN35_BODY ConvertedArgument ToolSchema::convert_json(std::string_view name, const json::Value& value) const {
  const unsigned types = types_of(name);
  if (types == 0) {
    return {value, Conversion::untyped};
  }
  if ((types & detail::SchemaTypes::of_value(value)) != 0) {
    return {value, value.is_string() ? Conversion::text : Conversion::converted};
  }
  return convert(name, argument_text(value));
}

QWEN35_BODY bool ToolSchema::has_required(const json::Value& arguments) const {
  if (const json::Value* required = detail::member(parameters_, "required"); required && required->is_array()) {
    for (const json::Value& name : required->items()) {
      if (name.is_string() && arguments.find(name.as_string()) == nullptr) {
        return false;
      }
    }
  }
  return true;
}

QWEN35_BODY bool ToolSchema::may_be_whole(const json::Value& arguments) const {
  const json::Value* properties = detail::member(parameters_, "properties");
  return has_required(arguments) &&
         (arguments.size() > 0 || (known_ && (properties == nullptr || properties->size() == 0)));
}

QWEN35_BODY unsigned ToolSchema::types_of(std::string_view name) const {
  const json::Value* schema = parameter(name);
  int budget = 64;
  return schema != nullptr ? detail::schema_types(*schema, *parameters_, budget) : 0U;
}

#endif  // QWEN35_BODIES

QWEN35_END_NAMESPACE
