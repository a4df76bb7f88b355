// SPDX-License-Identifier: Apache-2.0
// Added tokens (<|im_end|>, <think>, ...), which are cut out of a text before anything else reads it.
#pragma once

#include <qwen35/core/dtype.hpp>

#include <algorithm>
#include <array>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

QWEN35_BEGIN_NAMESPACE

struct AddedToken {
  TokenId id = -1;
  std::string content;
  bool special = false;     // left out by decode(skip_special_tokens)
  bool normalized = false;  // looked for after normalisation instead of before
};

// Finds the added tokens in a text: the leftmost, of those the longest.
class AddedVocabulary {
 public:
  struct Match {
    std::size_t start = std::string_view::npos;  // npos: no further token
    std::size_t size = 0;
    TokenId id = -1;
  };

  bool empty() const { return patterns_.empty(); }

  // `content` is not empty. Of equal contents the last one counts.
  void add(std::string content, TokenId id) {
    const auto first = static_cast<unsigned char>(content[0]);
    std::vector<std::uint32_t>& bucket = by_first_[first];
    for (const std::uint32_t index : bucket) {
      if (patterns_[index].content == content) {
        patterns_[index].id = id;
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
    patterns_.push_back({std::move(content), id});
  }

  // The first token at or after byte `from`.
  Match find(std::string_view text, std::size_t from) const {
    for (std::size_t i = candidate(text, from); i < text.size(); i = candidate(text, i + 1)) {
      for (const std::uint32_t index : by_first_[static_cast<unsigned char>(text[i])]) {
        const Pattern& pattern = patterns_[index];
        if (text.substr(i, pattern.content.size()) == pattern.content) {
          return {i, pattern.content.size(), pattern.id};
        }
      }
    }
    return {};
  }

 private:
  struct Pattern {
    std::string content;
    TokenId id;
  };

  // The next place at or after `i` whose first two bytes are those of some token.
  std::size_t candidate(std::string_view text, std::size_t i) const {
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

  std::vector<Pattern> patterns_;
  std::array<std::vector<std::uint32_t>, 256> by_first_;  // longest first
  std::array<std::uint64_t, 256 * 4> second_bytes_{};     // by first byte: the set of second bytes
  int only_first_ = -1;                                   // the first byte of all tokens, when they share it
};

QWEN35_END_NAMESPACE
