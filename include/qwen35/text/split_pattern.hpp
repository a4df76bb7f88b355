// SPDX-License-Identifier: Apache-2.0
// The split pattern of the family's tokenizers, as a hand-written matcher: it is on the hot path of encoding.
#pragma once

#include <qwen35/config/split_regex.hpp>
#include <qwen35/unicode/classes.hpp>
#include <qwen35/unicode/utf8.hpp>

#include <array>

QWEN35_BEGIN_NAMESPACE

// Which pattern a tokenizer carries. In the older one, combining marks are not part of words.
enum class SplitPattern : std::uint8_t { qwen2, qwen35 };

class Splitter {
 public:
  explicit Splitter(SplitPattern pattern = SplitPattern::qwen35)
      : classes_(&unicode::ClassTable::instance()),
        pattern_(pattern),
        mark_(pattern == SplitPattern::qwen35 ? Kind::word : Kind::symbol) {
    for (std::uint32_t point = 0; point < 128; ++point) {
      ascii_[point] = kind(point);
    }
  }
  SplitPattern pattern() const { return pattern_; }

  // End of the piece that starts at byte `i` < text.size(). `text` is well-formed UTF-8 and `i` the start of a code
  // point.
  std::size_t piece_end(std::string_view text, std::size_t i) const {
    const Char first = at(text, i);
    const std::size_t after = i + first.size;
    switch (first.kind) {
      case Kind::word:
        return run(text, after, Kind::word);
      case Kind::number:
        return after;
      case Kind::line_end:
        return white_space_end(text, i);
      case Kind::space:
        break;
      case Kind::symbol:
        if (text[i] == '\'') {
          if (const std::size_t end = contraction(text, i + 1); end != 0) {
            return end;
          }
        }
        break;
    }
    // One character before a word belongs to it; before other symbols only U+0020 does.
    if (after < text.size()) {
      const Char second = at(text, after);
      if (second.kind == Kind::word) {
        return run(text, after + second.size, Kind::word);
      }
      if (second.kind == Kind::symbol && text[i] == ' ') {
        return line_ends(text, run(text, after + second.size, Kind::symbol));
      }
    }
    if (first.kind == Kind::symbol) {
      return line_ends(text, run(text, after, Kind::symbol));
    }
    return white_space_end(text, i);
  }

 private:
  // What the pattern tells apart. Words are letters and, in the newer pattern, marks.
  enum class Kind : std::uint8_t { symbol, word, number, space, line_end };
  struct Char {
    std::uint32_t size;
    Kind kind;
  };

  Kind kind(std::uint32_t point) const {
    switch ((*classes_)[point]) {
      case unicode::Class::letter:
        return Kind::word;
      case unicode::Class::mark:
        return mark_;
      case unicode::Class::number:
        return Kind::number;
      case unicode::Class::white_space:
        return point == '\r' || point == '\n' ? Kind::line_end : Kind::space;
      case unicode::Class::other:
        break;
    }
    return Kind::symbol;
  }
  Char at(std::string_view text, std::size_t i) const {
    if (const auto byte = static_cast<unsigned char>(text[i]); byte < 0x80) {
      return {1, ascii_[byte]};
    }
    const unicode::CodePoint c = unicode::decode_utf8(text, i);
    return {c.size, kind(c.point)};
  }

  // The end of the run of `wanted` characters from byte `i` on.
  std::size_t run(std::string_view text, std::size_t i, Kind wanted) const {
    while (i < text.size()) {
      const Char c = at(text, i);
      if (c.kind != wanted) {
        break;
      }
      i += c.size;
    }
    return i;
  }
  static std::size_t line_ends(std::string_view text, std::size_t i) {
    while (i < text.size() && (text[i] == '\r' || text[i] == '\n')) {
      ++i;
    }
    return i;
  }

  // The end of s, t, re, ve, m, ll or d in any case (with U+017F, which folds to s) at `i`, or 0.
  static std::size_t contraction(std::string_view text, std::size_t i) {
    const auto lower = [&](std::size_t k) { return k < text.size() ? static_cast<char>(text[k] | 0x20) : '\0'; };
    switch (lower(i)) {
      case 's':
      case 't':
      case 'm':
      case 'd':
        return i + 1;
      case 'r':
      case 'v':
        return lower(i + 1) == 'e' ? i + 2 : 0;
      case 'l':
        return lower(i + 1) == 'l' ? i + 2 : 0;
      default:
        return text.substr(i, 2) == "\xC5\xBF" ? i + 2 : 0;
    }
  }

  // A run with line ends: up to the last of them. Else all but its last character when something follows and it has two
  // or more.
  std::size_t white_space_end(std::string_view text, std::size_t i) const {
    std::size_t end = i;
    std::size_t last = i;
    std::size_t after_line_end = 0;
    while (end < text.size()) {
      const Char c = at(text, end);
      if (c.kind != Kind::space && c.kind != Kind::line_end) {
        break;
      }
      last = end;
      end += c.size;
      after_line_end = c.kind == Kind::line_end ? end : after_line_end;
    }
    if (after_line_end != 0) {
      return after_line_end;
    }
    return end == text.size() || last == i ? end : last;
  }

  const unicode::ClassTable* classes_;
  SplitPattern pattern_;
  Kind mark_;
  std::array<Kind, 128> ascii_{};
};

QWEN35_END_NAMESPACE
