// SPDX-License-Identifier: Apache-2.0
// Byte-pair merging: repeatedly the adjacent pair of lowest rank, the leftmost of equals. Source: Sennrich et al., arXiv 1508.07909.
#pragma once

#include <qwen35/core/dtype.hpp>

#include <algorithm>
#include <cstdint>
#include <queue>
#include <string_view>
#include <vector>

QWEN35_BEGIN_NAMESPACE

// Merges by pair of ids: an open-addressing table.
class MergeTable {
 public:
  struct Merge {
    std::uint32_t rank = UINT32_MAX;  // UINT32_MAX: no such merge
    TokenId id = -1;
  };

  void reserve(std::size_t count) {
    std::size_t slots = 16;
    while (slots < 2 * count) {
      slots *= 2;
    }
    slots_.assign(slots, Slot{});
  }
  // `reserve` was called for at least as many merges. The last of equal pairs counts, as in the reference's map.
  void add(TokenId left, TokenId right, std::uint32_t rank, TokenId id) {
    Slot& slot = slots_[probe(left, right)];
    slot = {left, right, {rank, id}};
  }
  Merge find(TokenId left, TokenId right) const { return slots_.empty() ? Merge{} : slots_[probe(left, right)].merge; }

 private:
  struct Slot {
    TokenId left = -1;
    TokenId right = -1;
    Merge merge;
  };
  std::size_t probe(TokenId left, TokenId right) const {
    const std::uint64_t key = static_cast<std::uint64_t>(static_cast<std::uint32_t>(left)) << 32 | static_cast<std::uint32_t>(right);
    std::uint64_t hash = key * 0x9E3779B97F4A7C15u;
    hash ^= hash >> 32;
    for (std::size_t slot = hash & (slots_.size() - 1);; slot = (slot + 1) & (slots_.size() - 1)) {
      if (slots_[slot].merge.id < 0 || (slots_[slot].left == left && slots_[slot].right == right)) {
        return slot;
      }
    }
  }
  std::vector<Slot> slots_;
};

// Scratch of a merge, reused from piece to piece.
class BpeMerger {
 public:
  // Appends the ids of `bytes`. byte_ids: the id of each single byte.
  void encode(std::string_view bytes, const TokenId* byte_ids, const MergeTable& merges, std::vector<TokenId>& out) {
    ids_.resize(bytes.size());
    for (std::size_t i = 0; i < bytes.size(); ++i) {
      ids_[i] = byte_ids[static_cast<unsigned char>(bytes[i])];
    }
    if (bytes.size() <= 48) {
      merge_short(merges);
    } else {
      merge_long(merges);
    }
    out.insert(out.end(), ids_.begin(), ids_.end());
  }

 private:
  // Rescans only the two neighbours of a merge: the ranks of all pairs are kept.
  void merge_short(const MergeTable& merges) {
    std::size_t n = ids_.size();
    pairs_.resize(n);
    for (std::size_t i = 0; i + 1 < n; ++i) {
      pairs_[i] = merges.find(ids_[i], ids_[i + 1]);
    }
    while (n > 1) {
      std::size_t best = 0;
      for (std::size_t i = 1; i + 1 < n; ++i) {
        best = pairs_[i].rank < pairs_[best].rank ? i : best;
      }
      if (pairs_[best].rank == UINT32_MAX) {
        break;
      }
      ids_[best] = pairs_[best].id;
      for (std::size_t i = best + 1; i + 1 < n; ++i) {
        ids_[i] = ids_[i + 1];
        pairs_[i] = pairs_[i + 1];
      }
      --n;
      if (best > 0) {
        pairs_[best - 1] = merges.find(ids_[best - 1], ids_[best]);
      }
      if (best + 1 < n) {
        pairs_[best] = merges.find(ids_[best], ids_[best + 1]);
      }
    }
    ids_.resize(n);
  }

  // A heap of candidate pairs over a linked list: O(n log n), for pieces of any length.
  void merge_long(const MergeTable& merges) {
    const std::size_t n = ids_.size();
    constexpr std::size_t none = SIZE_MAX;
    next_.resize(n);
    previous_.resize(n);
    std::priority_queue<Candidate> heap;
    const auto offer = [&](std::size_t left, std::size_t right) {
      const MergeTable::Merge merge = merges.find(ids_[left], ids_[right]);
      if (merge.rank != UINT32_MAX) {
        heap.push({merge.rank, left, right, ids_[left], ids_[right], merge.id});
      }
    };
    for (std::size_t i = 0; i < n; ++i) {
      next_[i] = i + 1 < n ? i + 1 : none;
      previous_[i] = i > 0 ? i - 1 : none;
    }
    for (std::size_t i = 0; i + 1 < n; ++i) {
      offer(i, i + 1);
    }
    while (!heap.empty()) {
      const Candidate top = heap.top();
      heap.pop();
      if (ids_[top.left] != top.left_id || next_[top.left] != top.right || ids_[top.right] != top.right_id) {
        continue;  // one of the two has merged since
      }
      ids_[top.left] = top.merged;
      ids_[top.right] = -1;
      next_[top.left] = next_[top.right];
      if (next_[top.left] != none) {
        previous_[next_[top.left]] = top.left;
        offer(top.left, next_[top.left]);
      }
      if (previous_[top.left] != none) {
        offer(previous_[top.left], top.left);
      }
    }
    std::size_t kept = 0;
    for (std::size_t i = 0; i != none; i = next_[i]) {
      ids_[kept++] = ids_[i];
    }
    ids_.resize(kept);
  }

  struct Candidate {
    std::uint32_t rank;
    std::size_t left;
    std::size_t right;
    TokenId left_id;
    TokenId right_id;
    TokenId merged;
    // The top of the heap is the lowest rank, then the leftmost.
    friend bool operator<(const Candidate& a, const Candidate& b) { return a.rank != b.rank ? a.rank > b.rank : a.left > b.left; }
  };

  std::vector<TokenId> ids_;
  std::vector<MergeTable::Merge> pairs_;
  std::vector<std::size_t> next_;
  std::vector<std::size_t> previous_;
};

QWEN35_END_NAMESPACE
