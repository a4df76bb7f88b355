// SPDX-License-Identifier: Apache-2.0
// Byte-pair merging: repeatedly the adjacent pair of lowest rank, the leftmost of equals. Source: Sennrich et al.,
// arXiv 1508.07909.
#pragma once

#include <qwen35/text/vocabulary.hpp>

#include <span>
#include <utility>
#include <vector>

#if QWEN35_BODIES
#include <algorithm>
#include <functional>
#endif

QWEN35_BEGIN_NAMESPACE

// The merges of a vocabulary, by the pair of ids. A merge is 64 bits of an open-addressing table (two ids and the rank,
// 21 bits each): that of 150,000 merges has 4 MB and stays in the cache.
class MergeTable {
 public:
  static constexpr std::uint32_t none = (1u << 21) - 1;

  // byte_ids: [256], the token of each byte.
  void reset(std::span<const TokenId, 256> byte_ids, std::size_t count);
  // The merge of the next rank. Of equal pairs the last one counts, as in the reference's map.
  void add(TokenId left, TokenId right, TokenId merged);
  // After the last merge.
  void finish();

  // The rank of a pair, or `none`.
  std::uint32_t rank(TokenId left, TokenId right) const {
    return static_cast<std::uint32_t>(slots_[probe(key(left, right))]) & none;
  }
  std::uint32_t byte_pair_rank(unsigned char left, unsigned char right) const {
    return byte_pairs_[std::size_t{left} << 8 | right];
  }
  TokenId merged(std::uint32_t rank) const { return merged_[rank]; }
  // The pairs in order of rank.
  std::vector<std::pair<TokenId, TokenId>> pairs() const;
  TokenId byte_id(unsigned char byte) const { return byte_ids_[byte]; }

 private:
  static constexpr std::uint64_t empty = UINT64_MAX;

  static std::uint64_t key(TokenId left, TokenId right) {
    return static_cast<std::uint64_t>(static_cast<std::uint32_t>(left)) << 21 | static_cast<std::uint32_t>(right);
  }
  std::size_t probe(std::uint64_t pair) const;

  std::vector<std::uint64_t> slots_;
  std::vector<TokenId> merged_;  // by rank
  std::vector<std::uint32_t> byte_pairs_;
  std::array<TokenId, 256> byte_ids_{};
  unsigned shift_ = 60;
};

// Merges one piece of text after another; keeps its scratch memory.
class BpeMerger {
 public:
  // The ids of a piece; valid until the next call. Raises TextError for one of 4 GB.
  std::span<const TokenId> encode(std::string_view piece, const MergeTable& merges);

 private:
  static constexpr std::size_t short_piece = 48;
  static constexpr std::size_t kept_scratch = 1 << 16;

  // Looks for the lowest rank by going over all of them. ranks_[i] is that of the pair (i, i + 1).
  std::size_t merge_short(std::size_t n, const MergeTable& merges);

  // A heap of (rank, place) over a linked list: O(n log n) for pieces of any length. An entry of the heap whose rank is
  // no longer that of its place is passed over; a place never has the same rank twice, because its token only grows.
  std::size_t merge_long(std::size_t n, const MergeTable& merges);

  std::vector<TokenId> ids_;
  std::vector<std::uint32_t> ranks_;
  std::vector<std::uint32_t> next_;
  std::vector<std::uint32_t> previous_;
  std::vector<std::uint64_t> heap_;
  std::vector<TokenId> result_;
};

#if QWEN35_BODIES

QWEN35_BODY void MergeTable::reset(std::span<const TokenId, 256> byte_ids, std::size_t count) {
  if (!holds<TextError>(count < none, "tokenizer: ", count, " merges, expected fewer than ", none)) {
    return;
  }
  std::copy(byte_ids.begin(), byte_ids.end(), byte_ids_.begin());
  unsigned bits = 4;
  while ((std::size_t{1} << bits) < 2 * count) {
    ++bits;
  }
  slots_.assign(std::size_t{1} << bits, empty);
  shift_ = 64 - bits;
  merged_.clear();
  merged_.reserve(count);
}

QWEN35_BODY void MergeTable::add(TokenId left, TokenId right, TokenId merged) {
  const std::uint64_t pair = key(left, right);
  slots_[probe(pair)] = pair << 21 | merged_.size();
  merged_.push_back(merged);
}

QWEN35_BODY void MergeTable::finish() {
  byte_pairs_.resize(256 * 256);
  for (std::size_t left = 0; left < 256; ++left) {
    for (std::size_t right = 0; right < 256; ++right) {
      byte_pairs_[left << 8 | right] = rank(byte_ids_[left], byte_ids_[right]);
    }
  }
}

QWEN35_BODY std::vector<std::pair<TokenId, TokenId>> MergeTable::pairs() const {
  std::vector<std::uint64_t> by_rank(merged_.size(), empty);
  for (const std::uint64_t slot : slots_) {
    if (slot != empty) {
      by_rank[slot & none] = slot >> 21;
    }
  }
  std::vector<std::pair<TokenId, TokenId>> out;
  for (const std::uint64_t pair : by_rank) {
    if (pair != empty) {
      out.emplace_back(static_cast<TokenId>(pair >> 21), static_cast<TokenId>(pair & none));
    }
  }
  return out;
}

QWEN35_BODY std::size_t MergeTable::probe(std::uint64_t pair) const {
  const std::size_t mask = slots_.size() - 1;
  for (std::size_t slot = (pair * 0x9E3779B97F4A7C15u) >> shift_;; slot = (slot + 1) & mask) {
    if (slots_[slot] == empty || slots_[slot] >> 21 == pair) {
      return slot;
    }
  }
}

QWEN35_BODY std::span<const TokenId> BpeMerger::encode(std::string_view piece, const MergeTable& merges) {
  require<TextError>(piece.size() < UINT32_MAX, "encode: a piece of ", piece.size(), " bytes without a break");
  const std::size_t n = piece.size();
  if (n > ids_.size()) {
    ids_.resize(n);
    ranks_.resize(n);
  }
  if (n == 0) {
    return {};
  }
  for (std::size_t i = 0; i < n; ++i) {
    ids_[i] = merges.byte_id(static_cast<unsigned char>(piece[i]));
  }
  for (std::size_t i = 0; i + 1 < n; ++i) {
    ranks_[i] = merges.byte_pair_rank(static_cast<unsigned char>(piece[i]), static_cast<unsigned char>(piece[i + 1]));
  }
  ranks_[n - 1] = MergeTable::none;
  const std::size_t count = n <= short_piece ? merge_short(n, merges) : merge_long(n, merges);
  if (n > kept_scratch) {
    result_.assign(ids_.begin(), ids_.begin() + static_cast<std::ptrdiff_t>(count));
    ids_ = {};
    ranks_ = {};
    next_ = {};
    previous_ = {};
    heap_ = {};
    return result_;
  }
  return {ids_.data(), count};
}

QWEN35_BODY std::size_t BpeMerger::merge_short(std::size_t n, const MergeTable& merges) {
  TokenId* const ids = ids_.data();
  std::uint32_t* const ranks = ranks_.data();
  while (true) {
    std::size_t best = 0;
    for (std::size_t i = 1; i + 1 < n; ++i) {
      best = ranks[i] < ranks[best] ? i : best;
    }
    if (ranks[best] == MergeTable::none) {
      return n;
    }
    ids[best] = merges.merged(ranks[best]);
    --n;
    for (std::size_t i = best + 1; i < n; ++i) {
      ids[i] = ids[i + 1];
      ranks[i] = ranks[i + 1];
    }
    ranks[best] = best + 1 < n ? merges.rank(ids[best], ids[best + 1]) : MergeTable::none;
    if (best > 0) {
      ranks[best - 1] = merges.rank(ids[best - 1], ids[best]);
    }
  }
}

QWEN35_BODY std::size_t BpeMerger::merge_long(std::size_t n, const MergeTable& merges) {
  constexpr std::uint32_t end = UINT32_MAX;
  if (next_.size() < n) {
    next_.resize(n);
    previous_.resize(n);
  }
  heap_.clear();
  for (std::size_t i = 0; i < n; ++i) {
    next_[i] = i + 1 < n ? static_cast<std::uint32_t>(i + 1) : end;
    previous_[i] = i > 0 ? static_cast<std::uint32_t>(i - 1) : end;
    if (ranks_[i] != MergeTable::none) {
      heap_.push_back(std::uint64_t{ranks_[i]} << 32 | i);
    }
  }
  std::make_heap(heap_.begin(), heap_.end(), std::greater<>());
  const auto update = [&](std::uint32_t left) {
    ranks_[left] = merges.rank(ids_[left], ids_[next_[left]]);
    if (ranks_[left] != MergeTable::none) {
      heap_.push_back(std::uint64_t{ranks_[left]} << 32 | left);
      std::push_heap(heap_.begin(), heap_.end(), std::greater<>());
    }
  };
  while (!heap_.empty()) {
    std::pop_heap(heap_.begin(), heap_.end(), std::greater<>());
    const auto left = static_cast<std::uint32_t>(heap_.back());
    const auto rank = static_cast<std::uint32_t>(heap_.back() >> 32);
    heap_.pop_back();
    if (ranks_[left] != rank) {
      continue;
    }
    const std::uint32_t right = next_[left];
    ids_[left] = merges.merged(rank);
    ranks_[right] = MergeTable::none;
    next_[left] = next_[right];
    if (next_[left] != end) {
      previous_[next_[left]] = left;
      update(left);
    } else {
      ranks_[left] = MergeTable::none;
    }
    if (previous_[left] != end) {
      update(previous_[left]);
    }
  }
  std::size_t count = 0;
  for (std::uint32_t i = 0; i != end; i = next_[i]) {
    ids_[count++] = ids_[i];
  }
  return count;
}

#endif  // QWEN35_BODIES

QWEN35_END_NAMESPACE
