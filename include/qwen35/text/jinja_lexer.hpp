// SPDX-License-Identifier: Apache-2.0
// The text of a Jinja template to tokens, with trim_blocks and lstrip_blocks, as chat templates are read.
#pragma once

#include <qwen35/core/error.hpp>
#include <qwen35/text/trim.hpp>
#include <qwen35/unicode/utf8.hpp>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

QWEN35_BEGIN_NAMESPACE
namespace jinja {

enum class TokenKind : std::uint8_t {
  data,
  block_begin,
  block_end,
  print_begin,
  print_end,
  name,
  text,
  integer,
  number,
  sign,
  end
};

struct Token {
  TokenKind kind = TokenKind::end;
  std::string text;
  std::size_t line = 1;
};

[[noreturn]] inline void fail(std::size_t line, std::string_view problem) {
  raise<TextError>(concat("chat template, line ", line, ": ", problem));
}

class Lexer {
 public:
  explicit Lexer(std::string_view source) {
    for (std::size_t i = 0; i < source.size(); ++i) {  // every line end is "\n", and the last one of the file is none
      if (source[i] == '\r') {
        source_ += '\n';
        i += i + 1 < source.size() && source[i + 1] == '\n' ? 1u : 0u;
      } else {
        source_ += source[i];
      }
    }
    if (source_.ends_with('\n')) {
      source_.pop_back();
    }
    rest_ = source_;
  }

  std::vector<Token> run() {
    while (!rest_.empty()) {
      const std::size_t at = find_tag();
      std::string_view data = rest_.substr(0, at);
      if (at == std::string_view::npos) {
        emit_data(data);
        break;
      }
      const char kind = rest_[at + 1];
      const char sign = at + 2 < rest_.size() ? rest_[at + 2] : ' ';
      emit_data(before_tag(data, sign, kind == '{'));
      advance(data.size());
      if (kind == '#') {
        skip_comment();
      } else if (const std::size_t size = raw_tag("raw"); kind == '%' && size > 0) {
        read_raw(size);
      } else {
        advance(sign == '-' || sign == '+' ? 3 : 2);
        emit(kind == '{' ? TokenKind::print_begin : TokenKind::block_begin, {});
        read_tag(kind);
      }
    }
    emit(TokenKind::end, {});
    return std::move(tokens_);
  }

 private:
  std::size_t find_tag() const {
    for (std::size_t at = rest_.find('{'); at != std::string_view::npos; at = rest_.find('{', at + 1)) {
      if (at + 1 < rest_.size() && (rest_[at + 1] == '{' || rest_[at + 1] == '%' || rest_[at + 1] == '#')) {
        return at;
      }
    }
    return std::string_view::npos;
  }
  // What stays of the text before a tag: without all blanks before "-", without those between the line's start and a
  // tag that prints nothing.
  std::string_view before_tag(std::string_view data, char sign, bool prints) const {
    if (sign == '-') {
      return python_rstrip(data);
    }
    const std::size_t line = data.rfind('\n') + 1;  // 0 without one
    const bool blank = (line > 0 || line_starts_) && python_strip(data.substr(line)).empty();
    return sign != '+' && !prints && blank ? data.substr(0, line) : data;
  }
  void emit(TokenKind kind, std::string_view text) { tokens_.push_back({kind, std::string(text), line_}); }
  void emit_data(std::string_view data) {
    if (!data.empty()) {
      emit(TokenKind::data, data);
    }
  }
  void advance(std::size_t size) {
    for (const char c : rest_.substr(0, size)) {
      line_ += c == '\n' ? 1u : 0u;
    }
    line_starts_ = size > 0 ? rest_[size - 1] == '\n' : line_starts_;
    rest_.remove_prefix(size);
  }
  void skip_space() {
    while (const std::size_t size = leading_space(rest_)) {
      advance(size);
    }
  }
  // Behind a tag.
  void after_tag(bool strip, bool trim) {
    if (strip) {
      skip_space();
    }
    if (trim && rest_.starts_with('\n')) {
      advance(1);
    }
  }
  void skip_comment() {
    const std::size_t end = rest_.find("#}", 2);
    if (end == std::string_view::npos) {
      fail(line_, "a comment does not end");
    }
    const char sign = end > 2 ? rest_[end - 1] : ' ';
    advance(end + 2);
    after_tag(sign == '-', sign != '+');
  }
  // The size of `{% word %}` at the start of the rest, 0 when something else stands there.
  std::size_t raw_tag(std::string_view word) const {
    std::size_t at = 2;
    const auto skip = [&](std::string_view some) {
      at += at < rest_.size() && some.find(rest_[at]) != std::string_view::npos ? 1u : 0u;
    };
    const auto blanks = [&] {
      while (const std::size_t size = at < rest_.size() ? leading_space(rest_.substr(at)) : 0) {
        at += size;
      }
    };
    skip("-+");
    blanks();
    if (!rest_.starts_with("{%") || rest_.substr(std::min(at, rest_.size()), word.size()) != word) {
      return 0;
    }
    at += word.size();
    blanks();
    skip("-+");
    return rest_.substr(std::min(at, rest_.size())).starts_with("%}") ? at + 2 : 0;
  }
  void read_raw(std::size_t size) {
    const std::size_t begun = line_;
    const bool strip = rest_[size - 3] == '-';
    advance(size);
    after_tag(strip, false);
    for (std::size_t at = rest_.find("{%"); at != std::string_view::npos; at = rest_.find("{%", at + 1)) {
      const std::string_view whole = rest_;
      rest_.remove_prefix(at);
      const std::size_t end = raw_tag("endraw");
      const char before = rest_.size() > 2 ? rest_[2] : ' ';
      rest_ = whole;
      if (end > 0) {
        const std::string_view data = rest_.substr(0, at);
        emit_data(before_tag(data, before, false));
        const char sign = rest_[at + end - 3];
        advance(at + end);
        after_tag(sign == '-', sign != '+');
        return;
      }
    }
    fail(begun, "a raw block does not end");
  }

  void read_tag(char kind) {
    const std::string_view close = kind == '{' ? "}}" : "%}";
    const std::size_t begun = line_;
    std::string open;  // brackets
    while (true) {
      skip_space();
      if (rest_.empty()) {
        fail(begun, "a tag does not end");
      }
      const std::size_t sign = rest_[0] == '-' || (rest_[0] == '+' && kind == '%') ? 1 : 0;
      if (open.empty() && rest_.substr(sign).starts_with(close)) {
        const bool strip = sign == 1 && rest_[0] == '-', keep = sign == 1 && rest_[0] == '+';
        advance(sign + 2);
        emit(kind == '{' ? TokenKind::print_end : TokenKind::block_end, {});
        after_tag(strip, kind == '%' && !keep);
        return;
      }
      read_token(open);
    }
  }
  static bool is_name(char c) {
    return c == '_' || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
  }
  static bool is_digit(char c) { return c >= '0' && c <= '9'; }
  void read_token(std::string& open) {
    const char c = rest_[0];
    if (is_digit(c)) {
      read_number();
    } else if (is_name(c)) {
      std::size_t size = 1;
      while (size < rest_.size() && is_name(rest_[size])) {
        ++size;
      }
      take(TokenKind::name, size);
    } else if (c == '"' || c == '\'') {
      read_text(c);
    } else {
      for (const std::string_view two : {"==", "!=", "<=", ">=", "//", "**"}) {
        if (rest_.starts_with(two)) {
          take(TokenKind::sign, 2);
          return;
        }
      }
      if (std::string_view("+-*/%~<>=.:|,()[]{}").find(c) == std::string_view::npos) {
        fail(line_, concat("unexpected character '", rest_.substr(0, unicode::decode_utf8(rest_, 0).size), "'"));
      }
      constexpr std::string_view opening = "([{", closing = ")]}";
      if (const std::size_t which = closing.find(c); which != std::string_view::npos) {
        if (open.empty() || open.back() != opening[which]) {
          fail(line_, concat("unexpected '", c, "'"));
        }
        open.pop_back();
      } else if (opening.find(c) != std::string_view::npos) {
        open += c;
      }
      take(TokenKind::sign, 1);
    }
  }
  void take(TokenKind kind, std::size_t size) {
    emit(kind, rest_.substr(0, size));
    advance(size);
  }
  // Digits, with a fraction and an exponent it is a number.
  void read_number() {
    const auto digits = [&](std::size_t at) {
      while (at < rest_.size() && is_digit(rest_[at])) {
        ++at;
      }
      return at;
    };
    const auto digit_at = [&](std::size_t at) { return at < rest_.size() && is_digit(rest_[at]); };
    std::size_t size = digits(0);
    bool fraction = false;
    if (size < rest_.size() && rest_[size] == '.' && digit_at(size + 1)) {
      size = digits(size + 1);
      fraction = true;
    }
    if (size < rest_.size() && (rest_[size] == 'e' || rest_[size] == 'E')) {
      const std::size_t sign = size + 1 < rest_.size() && (rest_[size + 1] == '+' || rest_[size + 1] == '-') ? 1 : 0;
      if (digit_at(size + 1 + sign)) {
        size = digits(size + 1 + sign);
        fraction = true;
      }
    }
    if (size < rest_.size() && is_name(rest_[size])) {
      fail(line_, "a number is followed by a letter");
    }
    take(fraction ? TokenKind::number : TokenKind::integer, size);
  }
  // Python's escapes; an unknown one stays as it is.
  void read_text(char quote) {
    std::string out;
    std::size_t at = 1;
    for (; at < rest_.size() && rest_[at] != quote; ++at) {
      if (rest_[at] != '\\' || at + 1 == rest_.size()) {
        out += rest_[at];
        continue;
      }
      const char c = rest_[++at];
      constexpr std::string_view letters = "ntr\\'\"abfv", values = "\n\t\r\\'\"\a\b\f\v";
      if (const std::size_t which = letters.find(c); which != std::string_view::npos) {
        out += values[which];
      } else if (const std::size_t size = c == 'x' ? 2 : c == 'u' ? 4 : c == 'U' ? 8 : 0; size > 0) {
        char32_t code = 0;
        for (std::size_t i = 1; i <= size; ++i) {
          constexpr std::string_view hex = "0123456789abcdefABCDEF";
          const std::size_t digit = at + i < rest_.size() ? hex.find(rest_[at + i]) : std::string_view::npos;
          if (digit == std::string_view::npos || code >= 0x1000000) {
            fail(line_, "a string has a broken escape");
          }
          code = code * 16 + static_cast<char32_t>(digit < 16 ? digit : digit - 6);
        }
        if (code > 0x10FFFF || (code >= 0xD800 && code < 0xE000)) {
          fail(line_, "a string has an escape that is no character");
        }
        unicode::append_utf8(code, out);
        at += size;
      } else if (is_digit(c)) {
        fail(line_, "octal escapes are not supported");
      } else if (c != '\n') {
        out += '\\';
        out += c;
      }
    }
    if (at >= rest_.size()) {
      fail(line_, "a string does not end");
    }
    emit(TokenKind::text, out);
    advance(at + 1);
  }

  std::string source_;
  std::string_view rest_;
  std::vector<Token> tokens_;
  std::size_t line_ = 1;
  bool line_starts_ = true;
};

}  // namespace jinja
QWEN35_END_NAMESPACE
