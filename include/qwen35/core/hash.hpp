// SPDX-License-Identifier: Apache-2.0
// A fast 64-bit hash that tells contents apart; it is no defence against somebody who looks for two contents of one
// hash.
#pragma once

#include <qwen35/core/abi.hpp>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>
#include <type_traits>

QWEN35_BEGIN_NAMESPACE

// Mixes in what it is given, in order. For each eight bytes it multiplies by an odd constant and folds the high half
// in: 14 MB take 10 ms. Its values are stored in files (of caches and sessions), so they never change.
class Hasher {
 public:
  // Different seeds give unrelated hashes of the same contents: the number of bytes, for contents of any length.
  constexpr explicit Hasher(std::uint64_t seed = 0) : value_(0x9e3779b97f4a7c15u ^ seed) {}

  constexpr void word(std::uint64_t word) {
    value_ = (value_ ^ word) * 0xd6e8feb86659fd93u;
    value_ ^= value_ >> 32;
  }

  // Eight bytes at a time; the rest is filled up with zeros, and nothing is added for no rest.
  void bytes(const void* data, std::size_t size) {
    const auto* at = static_cast<const unsigned char*>(data);
    for (; size >= 8; size -= 8, at += 8) {
      std::uint64_t eight = 0;
      std::memcpy(&eight, at, 8);
      word(eight);
    }
    if (size > 0) {
      std::uint64_t rest = 0;
      std::memcpy(&rest, at, size);
      word(rest);
    }
  }

  constexpr std::uint64_t value() const { return value_; }

 private:
  std::uint64_t value_;
};

inline std::uint64_t hash_of(std::string_view text) {
  Hasher hasher(text.size());
  hasher.bytes(text.data(), text.size());
  return hasher.value();
}

QWEN35_END_NAMESPACE
