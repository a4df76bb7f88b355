// SPDX-License-Identifier: Apache-2.0
#include <qwen35/core/hash.hpp>

#include <doctest/doctest.h>

#include <array>
#include <bit>
#include <set>
#include <string>

using namespace qwen35;

namespace {

constexpr std::uint64_t of_words(std::initializer_list<std::uint64_t> words, std::uint64_t seed = 0) {
  Hasher hasher(seed);
  for (const std::uint64_t word : words) {
    hasher.word(word);
  }
  return hasher.value();
}

}  // namespace

TEST_CASE("the hash is the one that files hold") {
  // By the definition, in whole numbers of any size: h = ((h ^ word) * 0xd6e8feb86659fd93 mod 2^64), h ^= h >> 32.
  static_assert(Hasher().value() == 0x9e3779b97f4a7c15u);
  CHECK(of_words({0}) == 0x4d0a2bbe78b92ab1u);
  CHECK(of_words({1, 2, 3}) == 0x45935630f63d3208u);
  CHECK(hash_of("") == 0x9e3779b97f4a7c15u);
  CHECK(hash_of("hello, world") == 0xc33960ead3637b87u);
}

TEST_CASE("bytes are words of eight with zeros after the last") {
  const std::array<std::uint64_t, 3> words{7, UINT64_MAX, 1u << 31};
  Hasher hasher;
  hasher.bytes(words.data(), sizeof(words));
  CHECK(hasher.value() == of_words({7, UINT64_MAX, 1u << 31}));
  if constexpr (std::endian::native == std::endian::little) {
    CHECK(hash_of("abcdefgh\1") == of_words({0x6867666564636261u, 1}, 9));
    // An unaligned start gives the same.
    const std::string text = "xabcdefgh\1";
    CHECK(hash_of(std::string_view(text).substr(1)) == hash_of("abcdefgh\1"));
  }
}

TEST_CASE("contents that differ a little have hashes of their own") {
  std::set<std::uint64_t> seen;
  std::string text(40, '\0');
  std::size_t count = 0;
  for (std::size_t size = 0; size <= text.size(); ++size, ++count) {  // zeros of each length
    seen.insert(hash_of(std::string_view(text).substr(0, size)));
  }
  for (std::size_t bit = 0; bit < 8 * text.size(); ++bit, ++count) {  // and each single bit
    text[bit / 8] = static_cast<char>(1u << bit % 8);
    seen.insert(hash_of(text));
    text[bit / 8] = 0;
  }
  CHECK(seen.size() == count);
  CHECK(of_words({1, 2}) != of_words({2, 1}));
  CHECK(of_words({1}, 5) != of_words({1}, 6));
}
