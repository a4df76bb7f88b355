// SPDX-License-Identifier: Apache-2.0
// Added tokens (<|im_end|>, <think>, ...), which are cut out of a text before anything else reads it.
#pragma once

#include <qwen35/core/dtype.hpp>
#include <qwen35/unicode/utf8.hpp>

#include <algorithm>
#include <array>
#include <string>
#include <string_view>
#include <vector>

#if QWEN35_BODIES
#include <qwen35/unicode/classes.hpp>
#include <qwen35/unicode/word.hpp>

#include <cstring>
#endif

QWEN35_BEGIN_NAMESPACE

struct AddedToken {
  TokenId id = -1;
  std::string content{};
  bool special = false;      // left out by decode(skip_special_tokens)
  bool normalized = false;   // looked for after normalisation instead of before
  bool single_word = false;  // only where no letter, digit or mark stands beside it
  bool lstrip = false;       // takes the white space before it,
  bool rstrip = false;       // and behind it
};

namespace detail {

// The character that starts at byte `i`, and the one that ends before it.
std::uint32_t character_at(std::string_view text, std::size_t i);
std::size_t character_before(std::string_view text, std::size_t i);
bool is_white_space(std::uint32_t point);

}  // namespace detail

// Finds the added tokens in a text: the leftmost, of those the longest.
class AddedVocabulary {
 public:
  struct Match {
    std::size_t start = std::string_view::npos;  // npos: no further token
    std::size_t size = 0;
    TokenId id = -1;
    const AddedToken* token = nullptr;
  };

  bool empty() const { return patterns_.empty(); }
  std::vector<AddedToken> tokens() const;

  // `content`, what is looked for, is not empty. Of equal contents the last one counts.
  void add(std::string content, const AddedToken& token);

  // Calls found(begin, end, id) for each token of the text in turn, with the white space that it takes, and
  // between(begin, end) for what stands before, between and behind them. Tokens that are white space are found in
  // that which the token before took, too, and begin before its end; with lstrip they have what is left.
  // `allowed(begin, end, id)`: may the token that stands there act? One that may not is plain text.
  template <class Allowed, class Found, class Between>
  void split(std::string_view text, const Allowed& allowed, const Found& found, const Between& between) const {
    std::size_t done = 0;
    for (Match match = find(text, 0); match.start != std::string_view::npos;) {
      std::size_t begin = match.start, end = begin + match.size;
      const std::size_t next = end;
      if (allowed(begin, end, match.id) && (!match.token->single_word || stands_alone(text, begin, end))) {
        while (match.token->lstrip && begin > done &&
               detail::is_white_space(detail::character_at(text, detail::character_before(text, begin)))) {
          begin = detail::character_before(text, begin);
        }
        while (match.token->rstrip && end < text.size() && detail::is_white_space(detail::character_at(text, end))) {
          end += unicode::decode_utf8(text, end).size;
        }
        if (match.token->lstrip) {
          begin = std::max(begin, done);
        }
        if (done < begin) {
          between(done, begin);
        }
        if (begin < end) {
          found(begin, end, match.id);
          done = end;
        }
      }
      match = find(text, next);
    }
    if (done < text.size()) {
      between(done, text.size());
    }
  }

  // The first token at or after byte `from`, whatever stands beside it.
  Match find(std::string_view text, std::size_t from) const;

 private:
  struct Pattern {
    std::string content;
    AddedToken token;
  };

  static bool stands_alone(std::string_view text, std::size_t begin, std::size_t end);

  // The next place at or after `i` whose first two bytes are those of some token.
  std::size_t candidate(std::string_view text, std::size_t i) const;

  std::vector<Pattern> patterns_;
  std::array<std::vector<std::uint32_t>, 256> by_first_;  // longest first
  std::array<std::uint64_t, 256 * 4> second_bytes_{};     // by first byte: the set of second bytes
  int only_first_ = -1;                                   // the first byte of all tokens, when they share it
};

#if QWEN35_BODIES

namespace detail {

QWEN35_BODY std::uint32_t character_at(std::string_view text, std::size_t i) {
  return unicode::decode_utf8(text, i).point;
}

QWEN35_BODY std::size_t character_before(std::string_view text, std::size_t i) {
  do {
    --i;
  } while (i > 0 && (static_cast<unsigned char>(text[i]) & 0xC0) == 0x80);
  return i;
}

QWEN35_BODY bool is_white_space(std::uint32_t point) {
  return unicode::ClassTable::instance()[point] == unicode::Class::white_space;
}

}  // namespace detail

QWEN35_BODY std::vector<AddedToken> AddedVocabulary::tokens() const {
  std::vector<AddedToken> out;
  for (const Pattern& pattern : patterns_) {
    out.push_back(pattern.token);
  }
  return out;
}

QWEN35_BODY void AddedVocabulary::add(std::string content, const AddedToken& token) {
  const auto first = static_cast<unsigned char>(content[0]);
  std::vector<std::uint32_t>& bucket = by_first_[first];
  for (const std::uint32_t index : bucket) {
    if (patterns_[index].content == content) {
      patterns_[index].token = token;
      return;
    }
  }
  if (content.size() == 1) {
    std::fill_n(second_bytes_.begin() + first * 4, 4, UINT64_MAX);
  } else {
    const auto second = static_cast<unsigned char>(content[1]);
    second_bytes_[first * 4u + second / 64u] |= std::uint64_t{1} << second % 64;
  }
  only_first_ = patterns_.empty() || only_first_ == first ? first : -1;
  const auto longer = [&](std::uint32_t index) { return patterns_[index].content.size() < content.size(); };
  bucket.insert(std::find_if(bucket.begin(), bucket.end(), longer), static_cast<std::uint32_t>(patterns_.size()));
  patterns_.push_back({std::move(content), token});
}

QWEN35_BODY AddedVocabulary::Match AddedVocabulary::find(std::string_view text, std::size_t from) const {
  for (std::size_t i = candidate(text, from); i < text.size(); i = candidate(text, i + 1)) {
    for (const std::uint32_t index : by_first_[static_cast<unsigned char>(text[i])]) {
      const Pattern& pattern = patterns_[index];
      if (text.substr(i, pattern.content.size()) == pattern.content) {
        return {i, pattern.content.size(), pattern.token.id, &pattern.token};
      }
    }
  }
  return {};
}

QWEN35_BODY bool AddedVocabulary::stands_alone(std::string_view text, std::size_t begin, std::size_t end) {
  return (begin == 0 || !unicode::is_word(detail::character_at(text, detail::character_before(text, begin)))) &&
         (end == text.size() || !unicode::is_word(detail::character_at(text, end)));
}

QWEN35_BODY std::size_t AddedVocabulary::candidate(std::string_view text, std::size_t i) const {
  if (patterns_.empty()) {
    return text.size();
  }
  for (; i < text.size(); ++i) {
    if (only_first_ >= 0) {
      const void* const found = std::memchr(text.data() + i, only_first_, text.size() - i);
      if (found == nullptr) {
        break;
      }
      i = static_cast<std::size_t>(static_cast<const char*>(found) - text.data());
    }
    const auto first = static_cast<unsigned char>(text[i]);
    const unsigned second = i + 1 < text.size() ? static_cast<unsigned char>(text[i + 1]) : 0;
    if ((second_bytes_[first * 4u + second / 64] >> second % 64 & 1) != 0) {
      return i;
    }
  }
  return text.size();
}

#endif  // QWEN35_BODIES

QWEN35_END_NAMESPACE
