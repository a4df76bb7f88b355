// SPDX-License-Identifier: Apache-2.0
// The split pattern of the family's tokenizers, as a hand-written matcher: it is the hot path of encoding.
#pragma once

#include <qwen35/unicode/classes.hpp>
#include <qwen35/unicode/utf8.hpp>

QWEN35_BEGIN_NAMESPACE

// Which pattern a tokenizer.json carries. They differ in whether combining marks belong to words.
enum class SplitPattern : std::uint8_t { qwen2, qwen35 };

inline constexpr std::string_view qwen2_split_regex =
    "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";
inline constexpr std::string_view qwen35_split_regex =
    "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?[\\p{L}\\p{M}]+|\\p{N}| ?[^\\s\\p{L}\\p{M}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";

class Splitter {
 public:
  explicit Splitter(SplitPattern pattern = SplitPattern::qwen35) : marks_(pattern == SplitPattern::qwen35) {}

  // End of the piece that starts at byte `i` < text.size(). `text` is well-formed UTF-8.
  std::size_t piece_end(std::string_view text, std::size_t i) const {
    const Char first = at(text, i);
    if (first.point == '\'') {
      if (const std::size_t end = contraction(text, i + 1); end != 0) {
        return end;
      }
    }
    const std::size_t after = i + first.size;
    if (is_word(first) && first.kind == unicode::Class::letter) {
      return run_of_words(text, after);
    }
    if (first.kind == unicode::Class::number) {
      return after;
    }
    if (first.point != '\r' && first.point != '\n') {  // one character before the word
      if (const std::size_t end = run_of_words(text, after); end > after) {
        return end;
      }
      if (is_word(first)) {  // a mark alone
        return after;
      }
    }
    const std::size_t symbols = first.point == ' ' ? after : i;
    if (std::size_t end = run_of_symbols(text, symbols); end > symbols) {
      while (end < text.size() && (text[end] == '\r' || text[end] == '\n')) {
        ++end;
      }
      return end;
    }
    return white_space_end(text, i);
  }

 private:
  struct Char {
    std::uint32_t point;
    std::uint32_t size;
    unicode::Class kind;
  };

  Char at(std::string_view text, std::size_t i) const {
    const auto byte = [&](std::size_t k) { return static_cast<std::uint32_t>(static_cast<unsigned char>(text[k])); };
    const std::uint32_t lead = byte(i);
    Char c{lead, 1, unicode::Class::other};
    if (lead >= 0xF0) {
      c = {(lead & 7) << 18 | (byte(i + 1) & 63) << 12 | (byte(i + 2) & 63) << 6 | (byte(i + 3) & 63), 4, {}};
    } else if (lead >= 0xE0) {
      c = {(lead & 15) << 12 | (byte(i + 1) & 63) << 6 | (byte(i + 2) & 63), 3, {}};
    } else if (lead >= 0x80) {
      c = {(lead & 31) << 6 | (byte(i + 1) & 63), 2, {}};
    }
    c.kind = classes_[c.point];
    return c;
  }

  bool is_word(const Char& c) const { return c.kind == unicode::Class::letter || (marks_ && c.kind == unicode::Class::mark); }

  std::size_t run_of_words(std::string_view text, std::size_t i) const {
    while (i < text.size()) {
      const Char c = at(text, i);
      if (!is_word(c)) {
        break;
      }
      i += c.size;
    }
    return i;
  }
  std::size_t run_of_symbols(std::string_view text, std::size_t i) const {
    while (i < text.size()) {
      const Char c = at(text, i);
      if (c.kind != unicode::Class::other && (marks_ || c.kind != unicode::Class::mark)) {
        break;
      }
      i += c.size;
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
      case 'd': return i + 1;
      case 'r':
      case 'v': return lower(i + 1) == 'e' ? i + 2 : 0;
      case 'l': return lower(i + 1) == 'l' ? i + 2 : 0;
      default: return text.substr(i, 2) == "\xC5\xBF" ? i + 2 : 0;
    }
  }

  // A run with line ends: up to the last of them. Else all but the last character when something follows and the run has two or more.
  std::size_t white_space_end(std::string_view text, std::size_t i) const {
    std::size_t end = i;
    std::size_t last = i;
    std::size_t line_end = 0;
    while (end < text.size()) {
      const Char c = at(text, end);
      if (c.kind != unicode::Class::white_space) {
        break;
      }
      last = end;
      end += c.size;
      if (c.point == '\r' || c.point == '\n') {
        line_end = end;
      }
    }
    if (line_end != 0) {
      return line_end;
    }
    return end == text.size() || last == i ? end : last;
  }

  const unicode::ClassTable& classes_ = unicode::ClassTable::instance();
  bool marks_;
};

QWEN35_END_NAMESPACE
