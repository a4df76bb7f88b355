// SPDX-License-Identifier: Apache-2.0
// The ids of words that a thread has encoded lately: text repeats its words.
#pragma once

#include <qwen35/core/dtype.hpp>

#include <bit>
#include <span>
#include <string_view>
#include <vector>

#if QWEN35_BODIES
#include <qwen35/core/hash.hpp>

#include <atomic>
#include <cstring>
#endif

QWEN35_BEGIN_NAMESPACE

// Direct mapped; an entry is one cache line. Each thread has one cache of 1 MB for all tokenizers; entries carry the
// tokenizer's serial number.
class WordCache {
 public:
  static constexpr std::size_t longest_word = 32;
  static constexpr std::size_t most_ids = 6;

  struct alignas(64) Entry {
    std::uint64_t key[4] = {};
    TokenId ids[most_ids] = {};
    std::uint32_t serial = 0;  // 0: nothing
    std::uint8_t size = 0;
    std::uint8_t count = 0;
  };
  static_assert(sizeof(Entry) == 64);

  // A word as the cache compares it: its bytes, padded with zeros.
  struct Key {
    std::uint64_t words[4] = {};
    std::uint8_t size = 0;
    std::size_t slot = 0;
  };

  // `word` is part of `text` and no longer than longest_word: bytes after it, which are masked out, are read only
  // inside the text.
  static Key key_of(std::string_view text, std::size_t start, std::size_t size);

  // The entry of a key; whether it is the key's own is to be asked with `holds`.
  Entry& entry(const Key& key) { return entries_[key.slot]; }
  static bool holds(const Entry& entry, const Key& key, std::uint32_t serial);
  static void store(Entry& entry, const Key& key, std::uint32_t serial, std::span<const TokenId> ids);

  static WordCache& of_this_thread();
  // A number for each tokenizer of the process.
  static std::uint32_t next_serial();

 private:
  static constexpr std::size_t entries = std::size_t{1} << 14;

  // Keeps the first `count` bytes in memory of a word, 1 to 7.
  static std::uint64_t little_end_mask(std::size_t count);

  std::vector<Entry> entries_ = std::vector<Entry>(entries);
};

#if QWEN35_BODIES

QWEN35_BODY WordCache::Key WordCache::key_of(std::string_view text, std::size_t start, std::size_t size) {
  Key key;
  key.size = static_cast<std::uint8_t>(size);
  Hasher hasher(size);
  for (std::size_t i = 0, k = 0; i < size; i += 8, ++k) {
    const std::size_t rest = size - i;
    std::uint64_t word = 0;
    if (start + i + 8 <= text.size()) {
      std::memcpy(&word, text.data() + start + i, 8);
      word &= rest >= 8 ? UINT64_MAX : little_end_mask(rest);
    } else {
      std::memcpy(&word, text.data() + start + i, rest);
    }
    key.words[k] = word;
    hasher.word(word);
  }
  key.slot = hasher.value() & (entries - 1);
  return key;
}

QWEN35_BODY bool WordCache::holds(const Entry& entry, const Key& key, std::uint32_t serial) {
  return entry.serial == serial && entry.size == key.size && entry.key[0] == key.words[0] &&
         entry.key[1] == key.words[1] && entry.key[2] == key.words[2] && entry.key[3] == key.words[3];
}

QWEN35_BODY void WordCache::store(Entry& entry, const Key& key, std::uint32_t serial, std::span<const TokenId> ids) {
  if (ids.size() <= most_ids) {
    std::memcpy(entry.key, key.words, sizeof entry.key);
    std::memcpy(entry.ids, ids.data(), ids.size_bytes());
    entry.serial = serial;
    entry.size = key.size;
    entry.count = static_cast<std::uint8_t>(ids.size());
  }
}

QWEN35_BODY WordCache& WordCache::of_this_thread() {
  thread_local WordCache cache;
  return cache;
}

QWEN35_BODY std::uint32_t WordCache::next_serial() {
  static std::atomic<std::uint32_t> serial{0};
  return ++serial;
}

QWEN35_BODY std::uint64_t WordCache::little_end_mask(std::size_t count) {
  if constexpr (std::endian::native == std::endian::little) {
    return UINT64_MAX >> (64 - 8 * count);
  } else {
    return UINT64_MAX << (64 - 8 * count);
  }
}

#endif  // QWEN35_BODIES

QWEN35_END_NAMESPACE
