// SPDX-License-Identifier: Apache-2.0
// A config entry that is null, one token id, or a short list of them (`eos_token_id`).
#pragma once

#include <qwen35/core/dtype.hpp>
#include <qwen35/core/error.hpp>

#include <array>
#include <initializer_list>

QWEN35_BEGIN_NAMESPACE

class TokenIds {
 public:
  static constexpr std::size_t capacity = 64;

  constexpr TokenIds() = default;
  constexpr TokenIds(TokenId id) { push_back(id); }
  constexpr TokenIds(std::initializer_list<TokenId> ids) {
    for (const TokenId id : ids) {
      push_back(id);
    }
  }
  constexpr void push_back(TokenId id) {
    if (size_ == capacity) {
      raise<ConfigError>("a list of token ids has at most 64 entries");
    }
    ids_[size_++] = id;
  }
  constexpr std::size_t size() const { return size_; }
  constexpr bool empty() const { return size_ == 0; }
  constexpr TokenId operator[](std::size_t i) const { return ids_[i]; }
  constexpr const TokenId* begin() const { return ids_.data(); }
  constexpr const TokenId* end() const { return ids_.data() + size_; }
  constexpr bool contains(TokenId id) const {
    for (const TokenId other : *this) {
      if (other == id) {
        return true;
      }
    }
    return false;
  }
  friend constexpr bool operator==(const TokenIds&, const TokenIds&) = default;

 private:
  std::array<TokenId, capacity> ids_{};
  std::size_t size_ = 0;
};

QWEN35_END_NAMESPACE
