// SPDX-License-Identifier: Apache-2.0
// Typed reading of one JSON object of a config file. Every value is untrusted: one of the wrong kind or range is a
// ConfigError that names it. Files in the wild write numbers as strings, whole numbers as 8.0, truths as 0 and 1, and
// no token as -1: all are read.
#pragma once

#include <qwen35/config/rope_parameters.hpp>
#include <qwen35/config/token_ids.hpp>
#include <qwen35/json/value.hpp>

#include <limits>

#if QWEN35_BODIES
#include <qwen35/core/decimal.hpp>
#include <qwen35/json/dump.hpp>

#include <charconv>
#include <cmath>
#endif

QWEN35_BEGIN_NAMESPACE

// The fields of `object` (null: every field is absent). A JSON null counts as an absent key, as in the reference.
// `where` stands before the key in messages: "text_config" gives "text_config.hidden_size: ...". A config that was made
// from the metadata of another file says in "key_names" what that file calls its fields, and under "=" and the field
// what it has there where that is another word: messages use those.
class JsonFields {
 public:
  static constexpr std::size_t size_limit =
      std::size_t{1} << 31;  // no size or count of a model comes near it; products of three stay in range

  JsonFields(const json::Value* object, std::string_view where) : object_(object), where_(where) {
    if (!holds<ConfigError>(object == nullptr || object->is_object(), where, ": expected an object, found ",
                            object == nullptr ? "" : json::found(*object))) {
      object_ = nullptr;
    }
  }

  const json::Value* find(std::string_view key) const;
  // Does the key stand in the file, be it with a null?
  bool mentions(std::string_view key) const { return object_ != nullptr && object_->find(key) != nullptr; }

  // A whole number in [0, 2^31).
  std::size_t size(std::string_view key, std::size_t absent) const;
  double number(std::string_view key, double absent) const { return optional_number(key).value_or(absent); }
  std::optional<double> optional_number(std::string_view key) const;
  bool boolean(std::string_view key, bool absent) const;
  std::string text(std::string_view key, std::string_view absent) const;
  // One id or a list; negative ones are none.
  TokenIds token_ids(std::string_view key) const;
  TokenId token_id(std::string_view key, TokenId absent) const;
  FactorList factors(std::string_view key) const;
  // An object, or null when the key is absent.
  const json::Value* object(std::string_view key) const;
  // A list, or null when the key is absent.
  const json::Value* list(std::string_view key) const;
  std::size_t as_size(const json::Value& given, std::string_view key) const;
  // Raises ConfigError "<where>.<key>: expected <what>, found <value>" unless `condition` holds, see holds(); before it
  // stands the file that "key_names" says.
  bool expect(bool condition, std::string_view key, std::string_view what) const {
    return condition || holds<ConfigError>(false, source(), place(key), ": expected ", what, found(key));
  }
  const std::string& where() const { return where_; }
  // What messages call a field.
  std::string place(std::string_view key) const {
    const json::Value* const name = key_name(key);
    return name != nullptr && name->is_string() ? name->as_string() : concat(where_, ".", key);
  }
  // What stands before a field's value where the file has another word for it: "qwen35, which means ".
  std::string own_word(std::string_view key) const {
    const json::Value* const word = key_name(concat("=", key));
    return word != nullptr && word->is_string() ? word->as_string() + ", which means " : "";
  }
  // The file that the object is from.
  std::string file() const {
    const std::string name = place("");
    return name.ends_with('.') ? "config.json" : name;
  }

  // A string that writes a number or a truth as that, a number without a fraction as an integer, all else as it is.
  static json::Value plain(const json::Value& value);

 private:
  const json::Value* key_name(std::string_view key) const {
    const json::Value* const names = object_ == nullptr ? nullptr : object_->find("key_names");
    return names == nullptr ? nullptr : names->find(key);
  }
  double as_number(const json::Value& given, std::string_view key, std::string_view what) const;
  // "m.gguf: "; nothing for an object of a config.json.
  std::string source() const;
  // ", found 3"; nothing for a key that is absent.
  std::string found(std::string_view key) const;

  const json::Value* object_;
  std::string where_;
};

// A number with as many digits as tell it from every other: 1e-06, 0.25.
std::string number_text(double value);

#if QWEN35_BODIES

QWEN35_BODY const json::Value* JsonFields::find(std::string_view key) const {
  const json::Value* const value = object_ == nullptr ? nullptr : object_->find(key);
  return value == nullptr || value->is_null() ? nullptr : value;
}

QWEN35_BODY std::size_t JsonFields::size(std::string_view key, std::size_t absent) const {
  const json::Value* const value = find(key);
  return value == nullptr ? absent : as_size(*value, key);
}

QWEN35_BODY std::optional<double> JsonFields::optional_number(std::string_view key) const {
  const json::Value* const value = find(key);
  if (value == nullptr) {
    return std::nullopt;
  }
  return as_number(*value, key, "a number");
}

QWEN35_BODY bool JsonFields::boolean(std::string_view key, bool absent) const {
  const json::Value* const value = find(key);
  if (value == nullptr) {
    return absent;
  }
  const json::Value read = plain(*value);
  const bool number = read == json::Value(0) || read == json::Value(1);
  if (!expect(read.is_bool() || number, key, "true or false")) {
    return absent;
  }
  return number ? read == json::Value(1) : read.as_bool();
}

QWEN35_BODY std::string JsonFields::text(std::string_view key, std::string_view absent) const {
  const json::Value* const value = find(key);
  if (value == nullptr) {
    return std::string(absent);
  }
  return expect(value->is_string(), key, "a string") ? value->as_string() : std::string(absent);
}

QWEN35_BODY TokenIds JsonFields::token_ids(std::string_view key) const {
  TokenIds ids;
  const json::Value* const value = find(key);
  if (value == nullptr) {
    return ids;
  }
  constexpr const char* expected = "a token id or a list of token ids";
  const auto add = [&](const json::Value& given) {
    const json::Value item = plain(given);
    const bool fits = item.is_integer() && item.as_integer() <= std::numeric_limits<TokenId>::max();
    if (expect(fits, key, expected) && item.as_integer() >= 0) {
      ids.push_back(static_cast<TokenId>(item.as_integer()));
    }
  };
  if (!value->is_array()) {
    add(*value);
    return ids;
  }
  for (const json::Value& item : value->items()) {
    add(item);
  }
  return ids;
}

QWEN35_BODY TokenId JsonFields::token_id(std::string_view key, TokenId absent) const {
  const json::Value* const value = find(key);
  if (value == nullptr) {
    return absent;
  }
  if (!expect(!value->is_array(), key, "one token id")) {
    return absent;
  }
  const TokenIds ids = token_ids(key);
  return ids.empty() ? absent : ids[0];
}

QWEN35_BODY FactorList JsonFields::factors(std::string_view key) const {
  FactorList list;
  if (const json::Value* const value = find(key)) {
    constexpr const char* expected = "a list of at most 256 numbers";
    if (!expect(value->is_array() && value->size() <= FactorList::capacity, key, expected)) {
      return list;
    }
    for (const json::Value& item : value->items()) {
      list.push_back(as_number(item, key, expected));
    }
  }
  return list;
}

QWEN35_BODY const json::Value* JsonFields::object(std::string_view key) const {
  const json::Value* const value = find(key);
  return expect(value == nullptr || value->is_object(), key, "an object") ? value : nullptr;
}

QWEN35_BODY const json::Value* JsonFields::list(std::string_view key) const {
  const json::Value* const value = find(key);
  return expect(value == nullptr || value->is_array(), key, "a list") ? value : nullptr;
}

QWEN35_BODY std::size_t JsonFields::as_size(const json::Value& given, std::string_view key) const {
  const json::Value value = plain(given);
  const bool fits =
      value.is_integer() && value.as_integer() >= 0 && static_cast<std::uint64_t>(value.as_integer()) < size_limit;
  return expect(fits, key, "a whole number from 0 to 2147483647") ? static_cast<std::size_t>(value.as_integer()) : 0;
}

QWEN35_BODY json::Value JsonFields::plain(const json::Value& value) {
  json::Value out = value;
  if (value.is_string()) {
    const std::string& text = value.as_string();
    const char* const end = text.data() + text.size();
    std::int64_t integer = 0;
    double number = 0.0;
    if (const auto read = std::from_chars(text.data(), end, integer); read.ec == std::errc() && read.ptr == end) {
      return integer;
    }
    if (const auto read = read_decimal(text.data(), end, number); read.ec == std::errc() && read.ptr == end) {
      out = number;
    } else if (text == "true" || text == "True" || text == "false" || text == "False") {
      return text[0] == 't' || text[0] == 'T';
    }
  }
  constexpr double exact = 9007199254740992.0;  // 2^53: every smaller whole number is a double
  if (out.kind() == json::Kind::number && std::fabs(out.as_number()) < exact &&
      std::trunc(out.as_number()) == out.as_number()) {
    return static_cast<std::int64_t>(out.as_number());
  }
  return out;
}

QWEN35_BODY std::string JsonFields::source() const {
  const std::string name = place("");
  return name.ends_with('.') ? "" : name + ": ";
}

QWEN35_BODY std::string JsonFields::found(std::string_view key) const {
  const json::Value* const value = object_ == nullptr ? nullptr : object_->find(key);
  return value == nullptr ? "" : concat(", found ", shortened(json::dump(*value)));
}

QWEN35_BODY double JsonFields::as_number(const json::Value& given, std::string_view key, std::string_view what) const {
  const json::Value value = plain(given);
  return expect(value.is_number() && std::isfinite(value.as_number()), key, what) ? value.as_number() : 0.0;
}

QWEN35_BODY std::string number_text(double value) {
  char buffer[32];
  const std::to_chars_result result = std::to_chars(buffer, buffer + sizeof(buffer), value);
  return std::string(buffer, result.ptr);
}

#endif  // QWEN35_BODIES

QWEN35_END_NAMESPACE
