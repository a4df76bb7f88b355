// SPDX-License-Identifier: Apache-2.0
// Objects and arrays as people and models write them, respelt as JSON.
#pragma once

#include <qwen35/core/decimal.hpp>
#include <qwen35/json/parse.hpp>
#include <qwen35/json/value.hpp>

#include <charconv>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

QWEN35_BEGIN_NAMESPACE
namespace json {

// Takes an object or array piece by piece and writes it anew as JSON. Beside JSON it understands Python's literals -
// either quote, tuples, values in parentheses, True, TRUE, None, a comma before the end, Python's escapes - and control
// characters inside strings. What Python's json reads and our JSON cannot hold is respelt as Python's too: NaN,
// Infinity, -Infinity and numbers beyond a double (1e400) become strings as written, half of a surrogate pair becomes
// U+FFFD. It finds where the value ends and rejects early what is no such value; whether what it wrote is well formed
// is for the parser to say.
class Respelling {
 public:
  enum class State : std::uint8_t { open, done, failed };
  static constexpr std::size_t depth_limit = 64;

  State state() const noexcept { return state_; }
  // Whether something was respelt as Python's, or was a control character inside a string.
  bool python() const noexcept { return python_; }
  bool controls() const noexcept { return controls_; }
  // As far as it was read; JSON once it is done.
  const std::string& text() const noexcept { return out_; }
  // An open value as if it ended behind its last whole item.
  std::string closed() const {
    // A tuple's comma tells it from a value in parentheses.
    const std::size_t end = last_comma_ + (at_last_comma_.ends_with('(') ? 1 : 0);
    return without_parentheses(out_.substr(0, end) + closers(at_last_comma_));
  }
  // One that failed as if it ended before the byte that does not belong there.
  std::string completed() const { return without_parentheses(out_ + closers(open_)); }

  // Takes the next bytes, and nothing behind the value's end: how many were taken.
  std::size_t push(std::string_view text) {
    std::size_t taken = 0;
    while (taken < text.size() && state_ == State::open) {
      take(text[taken++]);
    }
    return taken;
  }

 private:
  static bool is_space(char c) noexcept { return c == ' ' || (c >= '\t' && c <= '\r'); }
  static bool is_word(char c) noexcept {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '+' || c == '-' ||
           c == '.';
  }
  static char closer(char open) noexcept { return open == '{' ? '}' : open == '[' ? ']' : ')'; }
  static std::string closers(std::string_view open) {
    std::string out;
    for (std::size_t i = open.size(); i-- > 0;) {
      out += closer(open[i]);
    }
    return out;
  }
  // With Python's parentheses as JSON has it: those around a comma, or nothing, are an array, others a blank.
  static std::string without_parentheses(std::string text) {
    std::vector<std::pair<std::size_t, bool>> open;  // where a bracket stands, and whether a comma stands in it
    bool in_string = false;
    for (std::size_t i = 0; i < text.size(); ++i) {
      const char c = text[i];
      if (in_string) {
        i += c == '\\' ? 1 : 0;
        in_string = c != '"';
      } else if (c == '"') {
        in_string = true;
      } else if (c == '{' || c == '[' || c == '(') {
        open.emplace_back(i, false);
      } else if (c == ',') {
        open.back().second = true;
      } else if (c == '}' || c == ']' || c == ')') {
        const auto [begin, comma] = open.back();
        open.pop_back();
        if (c == ')') {
          const bool tuple = comma || begin + 1 == i;
          text[begin] = tuple ? '[' : ' ';
          text[i] = tuple ? ']' : ' ';
          text[i - 1] = text[i - 1] == ',' ? ' ' : text[i - 1];
        }
      }
    }
    return text;
  }

  void fail() noexcept { state_ = State::failed; }

  void take(char c) {
    if (quote_ != 0) {
      take_in_string(c);
    } else if (is_word(c) && !open_.empty()) {
      word_ += c;
      if (word_.size() > 400) {
        fail();
      }
    } else if (end_word()) {
      take_mark(c);
    }
  }

  // A bracket, comma, colon, quote or blank.
  void take_mark(char c) {
    if (is_space(c)) {
      return;
    }
    const bool first_of_object = last_ == '{';
    if (open_.empty() ? c != '{' && c != '[' && c != '(' : first_of_object && c != '"' && c != '\'' && c != '}') {
      return fail();
    }
    switch (c) {
      case '{':
      case '[':
      case '(':
        if (open_.size() == depth_limit) {
          return fail();
        }
        python_ = python_ || c == '(';
        parentheses_ = parentheses_ || c == '(';
        open_ += c;
        out_ += c;
        break;
      case '}':
      case ']':
      case ')':
        if (closer(open_.back()) != c) {
          return fail();
        }
        if (last_ == ',') {
          if (c != ')') {
            out_.pop_back();
          }
          python_ = true;
        }
        out_ += c;
        open_.pop_back();
        if (open_.empty()) {
          state_ = State::done;
          if (parentheses_) {
            out_ = without_parentheses(std::move(out_));
          }
        }
        break;
      case ',':
        if (last_ == ',' || last_ == ':' || last_ == '{' || last_ == '[' || last_ == '(') {
          return fail();
        }
        last_comma_ = out_.size();
        at_last_comma_ = open_;
        out_ += c;
        break;
      case ':':
        out_ += c;
        break;
      case '"':
      case '\'':
        quote_ = c;
        python_ = python_ || c == '\'';
        out_ += '"';
        break;
      default:
        return fail();
    }
    last_ = c;
  }

  // Writes the word that ends here; false when it is none that JSON or Python has.
  bool end_word() {
    if (word_.empty()) {
      return true;
    }
    const auto is = [this](std::string_view json, std::string_view python, std::string_view upper) {
      if (word_ != json && word_ != python && word_ != upper) {
        return false;
      }
      python_ = python_ || word_ != json;
      out_ += json;
      return true;
    };
    if (last_ == '{') {
      fail();
    } else if ((word_ == "NaN" || word_ == "Infinity" || word_ == "-Infinity" || is_beyond_double()) &&
               (last_ == ':' || open_.back() != '{')) {
      python_ = true;
      out_ += '"' + word_ + '"';
    } else if (word_[0] == '-' || (word_[0] >= '0' && word_[0] <= '9')) {
      out_ += word_;
    } else if (!is("true", "True", "TRUE") && !is("false", "False", "FALSE") && !is("null", "None", "NULL")) {
      fail();
    }
    last_ = 'w';
    word_.clear();
    return state_ == State::open;
  }

  // Whether the word is a number that JSON has and no double holds.
  bool is_beyond_double() const {
    double number = 0.0;
    const char* const end = word_.data() + word_.size();
    const std::from_chars_result read = read_decimal(word_.data(), end, number);
    return read.ec == std::errc::result_out_of_range && read.ptr == end && !try_parse(word_).has_value();
  }

  void take_in_string(char c) {
    if (escape_.empty() && c != '\\') {
      end_half_pair();
    }
    if (!escape_.empty()) {
      escape_ += c;
      end_escape();
    } else if (c == quote_) {
      quote_ = 0;
      out_ += '"';
    } else if (c == '\\') {
      escape_ = "\\";
    } else if (c == '"') {
      out_ += "\\\"";
    } else if (static_cast<unsigned char>(c) < 0x20) {
      controls_ = true;
      write_code(static_cast<unsigned char>(c));
    } else {
      out_ += c;
    }
  }

  // Once it is whole.
  void end_escape() {
    const char kind = escape_[1];
    const std::size_t digits = kind == 'x' ? 2U : kind == 'u' ? 4U : kind == 'U' ? 8U : 0U;
    if (digits == 0) {
      end_half_pair();
    }
    if (std::string_view("\"\\/bfnrt").find(kind) != std::string_view::npos) {
      out_ += escape_;
    } else if (digits != 0) {
      if (escape_.size() < 2 + digits) {
        return;
      }
      end_hex_escape();
    } else if (kind == '\'' || kind == '\n') {
      out_ += kind == '\'' ? "'" : "";  // a line's end behind a backslash joins the lines
    } else if (kind == 'a' || kind == 'v' || kind == '0') {
      write_code(kind == 'a' ? 7U : kind == 'v' ? 11U : 0U);
    } else {  // as Python reads one that it does not know: \d of a pattern
      out_ += "\\\\";
      escape_.erase(0, 1);
      python_ = true;
      const char plain = escape_[0];
      escape_.clear();
      return take_in_string(plain);
    }
    python_ = python_ || std::string_view("\"\\/bfnrtu").find(kind) == std::string_view::npos;
    escape_.clear();
  }

  void end_hex_escape() {
    std::uint32_t code = 0;
    for (const char c : std::string_view(escape_).substr(2)) {
      const int digit = c >= '0' && c <= '9'   ? c - '0'
                        : c >= 'a' && c <= 'f' ? c - 'a' + 10
                        : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                               : -1;
      if (digit < 0) {
        return fail();
      }
      code = code * 16 + static_cast<std::uint32_t>(digit);
    }
    if (code > 0x10FFFF) {
      return fail();
    }
    if (code > 0xFFFF) {
      end_half_pair();
      write_code(0xD800 + ((code - 0x10000) >> 10));
      return write_code(0xDC00 + ((code - 0x10000) & 0x3FF));
    }
    const bool second = code >= 0xDC00 && code <= 0xDFFF;
    if (!second) {
      end_half_pair();
    } else if (!half_pair_) {
      code = 0xFFFD;
      python_ = true;
    }
    write_code(code);
    half_pair_ = code >= 0xD800 && code < 0xDC00;
  }

  // The first surrogate of a pair that was written last stays alone: no character.
  void end_half_pair() {
    if (half_pair_) {
      out_.replace(out_.size() - 4, 4, "fffd");
      half_pair_ = false;
      python_ = true;
    }
  }

  // A character as \u and four digits.
  void write_code(std::uint32_t code) {
    constexpr char hex[] = "0123456789abcdef";
    out_ += "\\u";
    for (const unsigned shift : {12U, 8U, 4U, 0U}) {
      out_ += hex[(code >> shift) & 15U];
    }
  }

  State state_ = State::open;
  bool python_ = false;
  bool controls_ = false;
  bool parentheses_ = false;
  bool half_pair_ = false;  // \ud800 to \udbff stands last
  char quote_ = 0;          // of the string it is in
  char last_ = 0;           // the last mark, 'w' behind a word
  std::string escape_;      // begun with its backslash
  std::string word_;        // a number or name that has begun
  std::string open_;        // the brackets that are open
  std::string out_;
  std::string at_last_comma_;  // the brackets open there
  std::size_t last_comma_ = 0;
};

// What `try_parse_respelt` found.
struct Respelt {
  std::optional<Value> value;
  bool python = false;
  bool controls = false;
};

// The whole of `text` as JSON, else as what Respelling understands; no value when it is neither. Raises nothing.
inline Respelt try_parse_respelt(std::string_view text) {
  Respelt out{try_parse(text)};
  if (!out.value.has_value()) {
    Respelling reader;
    if (reader.push(text) == text.size() && reader.state() == Respelling::State::done) {
      out = {try_parse(reader.text()), reader.python(), reader.controls()};
    }
  }
  return out;
}

}  // namespace json
QWEN35_END_NAMESPACE
