// SPDX-License-Identifier: Apache-2.0
// Tokens by id and by text, and the printable alphabet in which tokenizer files write bytes.
#pragma once

#include <qwen35/core/dtype.hpp>
#include <qwen35/core/error.hpp>
#include <qwen35/unicode/utf8.hpp>

#include <algorithm>
#include <array>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

QWEN35_BEGIN_NAMESPACE

namespace detail {

inline std::uint64_t hash_bytes(std::string_view bytes) {
  std::uint64_t hash = 0x9E3779B97F4A7C15u ^ bytes.size();
  std::size_t i = 0;
  for (; i + 8 <= bytes.size(); i += 8) {
    std::uint64_t word = 0;
    std::memcpy(&word, bytes.data() + i, 8);
    hash = (hash ^ word) * 0xD6E8FEB86659FD93u;
    hash ^= hash >> 32;
  }
  std::uint64_t word = 0;
  std::memcpy(&word, bytes.data() + i, bytes.size() - i);
  hash = (hash ^ word) * 0xD6E8FEB86659FD93u;
  return hash ^ (hash >> 29);
}

}  // namespace detail

// GPT-2's table: printable Latin-1 bytes stand for themselves, the others are U+0100 and up in order.
class ByteAlphabet {
 public:
  static const ByteAlphabet& instance() {
    static const ByteAlphabet alphabet;
    return alphabet;
  }
  std::uint32_t point_of(unsigned char byte) const { return points_[byte]; }

  // The bytes that a token in printable form stands for, or nothing when a character is not of the alphabet.
  std::optional<std::string> bytes_of(std::string_view printable) const {
    std::string out;
    for (std::size_t i = 0; i < printable.size();) {
      const unicode::Utf8Step step = unicode::utf8_step(printable.substr(i));
      if (!step.valid || step.point >= bytes_.size() || bytes_[step.point] < 0) {
        return std::nullopt;
      }
      out += static_cast<char>(bytes_[step.point]);
      i += step.size;
    }
    return out;
  }
  std::string printable_of(std::string_view bytes) const {
    std::string out;
    for (const char byte : bytes) {
      const std::uint32_t point = points_[static_cast<unsigned char>(byte)];
      if (point < 0x80) {
        out += static_cast<char>(point);
      } else {
        out += static_cast<char>(0xC0 | point >> 6);
        out += static_cast<char>(0x80 | (point & 63));
      }
    }
    return out;
  }

 private:
  ByteAlphabet() {
    bytes_.fill(-1);
    std::uint32_t next = 0x100;
    for (std::uint32_t byte = 0; byte < 256; ++byte) {
      const bool printable = (byte >= 0x21 && byte <= 0x7E) || (byte >= 0xA1 && byte <= 0xAC) || byte >= 0xAE;
      points_[byte] = printable ? byte : next++;
      bytes_[points_[byte]] = static_cast<std::int16_t>(byte);
    }
  }
  std::array<std::uint32_t, 256> points_{};
  std::array<std::int16_t, 0x144> bytes_{};
};

// Strings by id and back. Ids need not be dense.
class TokenTable {
 public:
  void reserve(std::size_t count) {
    spans_.reserve(count);
    std::size_t slots = 16;
    while (slots < 2 * count) {
      slots *= 2;
    }
    slots_.assign(slots, -1);
    for (std::size_t id = 0; id < spans_.size(); ++id) {
      if (spans_[id].size >= 0) {
        place(static_cast<TokenId>(id));
      }
    }
  }
  // False when the id or the text is taken already.
  bool add(TokenId id, std::string_view text) {
    if (2 * (count_ + 1) > slots_.size()) {
      reserve(2 * (count_ + 8));
    }
    if (find(text) >= 0 || contains(id)) {
      return false;
    }
    if (static_cast<std::size_t>(id) >= spans_.size()) {
      spans_.resize(static_cast<std::size_t>(id) + 1);
    }
    spans_[static_cast<std::size_t>(id)] = {arena_.size(), static_cast<std::int32_t>(text.size())};
    arena_.append(text);
    ++count_;
    place(id);
    return true;
  }
  TokenId find(std::string_view text) const {
    if (slots_.empty()) {
      return -1;
    }
    for (std::size_t slot = detail::hash_bytes(text) & (slots_.size() - 1);; slot = (slot + 1) & (slots_.size() - 1)) {
      const TokenId id = slots_[slot];
      if (id < 0 || (*this)[id] == text) {
        return id;
      }
    }
  }
  bool contains(TokenId id) const { return id >= 0 && static_cast<std::size_t>(id) < spans_.size() && spans_[static_cast<std::size_t>(id)].size >= 0; }
  // Empty for an id without a token.
  std::string_view operator[](TokenId id) const {
    if (!contains(id)) {
      return {};
    }
    const Span& span = spans_[static_cast<std::size_t>(id)];
    return std::string_view(arena_).substr(span.start, static_cast<std::size_t>(span.size));
  }
  std::size_t size() const { return count_; }
  std::size_t id_limit() const { return spans_.size(); }

 private:
  struct Span {
    std::size_t start = 0;
    std::int32_t size = -1;
  };
  void place(TokenId id) {
    std::size_t slot = detail::hash_bytes((*this)[id]) & (slots_.size() - 1);
    while (slots_[slot] >= 0) {
      slot = (slot + 1) & (slots_.size() - 1);
    }
    slots_[slot] = id;
  }

  std::string arena_;
  std::vector<Span> spans_;
  std::vector<TokenId> slots_;
  std::size_t count_ = 0;
};

QWEN35_END_NAMESPACE
