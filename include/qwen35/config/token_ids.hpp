// SPDX-License-Identifier: Apache-2.0
// A config entry that is null, one token id, or a list of them (`eos_token_id`).
#pragma once

#include <qwen35/core/dtype.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <initializer_list>
#include <utility>

QWEN35_BEGIN_NAMESPACE

// (In C++17 Clang 14 crashes at one, before it says that C++20 is needed.)
#if defined(__cpp_constexpr_dynamic_alloc)
#define QWEN35_CONSTEXPR_DESTRUCTOR constexpr
#else
#define QWEN35_CONSTEXPR_DESTRUCTOR
#endif

// Any number of ids; the constants of a config's type are as many as fit inside. (No std::vector: not every library's
// can be a constant.)
class TokenIds {
 public:
  static constexpr std::size_t inside = 64;

  constexpr TokenIds() = default;
  constexpr TokenIds(TokenId id) { push_back(id); }
  constexpr TokenIds(std::initializer_list<TokenId> ids) : TokenIds() { add(ids.begin(), ids.end()); }
  constexpr TokenIds(const TokenIds& other) : TokenIds() { add(other.begin(), other.end()); }
  constexpr TokenIds(TokenIds&& other) noexcept { swap(other); }
  constexpr TokenIds& operator=(TokenIds other) noexcept {
    swap(other);
    return *this;
  }
  QWEN35_CONSTEXPR_DESTRUCTOR ~TokenIds() { delete[] apart_; }

  constexpr void push_back(TokenId id) {
    if (size_ == room_) {
      TokenId* const more = new TokenId[2 * room_]{};
      std::copy(begin(), end(), more);
      delete[] std::exchange(apart_, more);
      room_ *= 2;
    }
    (apart_ == nullptr ? ids_.data() : apart_)[size_++] = id;
  }
  constexpr std::size_t size() const { return size_; }
  constexpr bool empty() const { return size_ == 0; }
  constexpr TokenId operator[](std::size_t i) const { return begin()[i]; }
  constexpr const TokenId* begin() const { return apart_ == nullptr ? ids_.data() : apart_; }
  constexpr const TokenId* end() const { return begin() + size_; }
  constexpr bool contains(TokenId id) const { return std::find(begin(), end(), id) != end(); }
  friend constexpr bool operator==(const TokenIds& a, const TokenIds& b) {
    return std::equal(a.begin(), a.end(), b.begin(), b.end());
  }

 private:
  constexpr void add(const TokenId* first, const TokenId* last) {
    for (; first != last; ++first) {
      push_back(*first);
    }
  }
  constexpr void swap(TokenIds& other) noexcept {
    std::swap(ids_, other.ids_);
    std::swap(apart_, other.apart_);
    std::swap(room_, other.room_);
    std::swap(size_, other.size_);
  }

  std::array<TokenId, inside> ids_{};
  TokenId* apart_ = nullptr;  // holds them where they are more
  std::size_t room_ = inside;
  std::size_t size_ = 0;
};

#undef QWEN35_CONSTEXPR_DESTRUCTOR

QWEN35_END_NAMESPACE
