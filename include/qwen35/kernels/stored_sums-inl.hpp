// SPDX-License-Identifier: Apache-2.0
// Both products of attention for few queries, with keys and values of 16 bits as they are stored. The sums are those of
// decoded ones, term by term.
//
// Only where the kernels are compiled once, and where an instruction widens 16 bits.
#include <qwen35/kernels/split_decode-inl.hpp>
#include <qwen35/kernels/weighted_sum-inl.hpp>

#if defined(QWEN35_KERNELS_STORED_SUMS_INL_HPP) == defined(HWY_TARGET_TOGGLE)
#ifdef QWEN35_KERNELS_STORED_SUMS_INL_HPP
#undef QWEN35_KERNELS_STORED_SUMS_INL_HPP
#else
#define QWEN35_KERNELS_STORED_SUMS_INL_HPP
#endif

HWY_BEFORE_NAMESPACE();
QWEN35_BEGIN_NAMESPACE
namespace kernels {
namespace HWY_NAMESPACE {

#if defined(QWEN35_KERNELS_SOURCE) && (HWY_TARGET <= HWY_AVX2 || HWY_TARGET == HWY_NEON)

// Two vectors of sums of each query are a tile: with four queries, or six, all of them stay in 16 registers.
inline constexpr std::size_t pair_values = 2 * lanes;
inline constexpr std::size_t pair_columns = tile_columns == 6 ? 8 : 4;
inline constexpr std::size_t turned_values = 256;
using StoredTag = hn::Repartition<std::uint16_t, Tag>;
using StoredPair = hn::Vec<StoredTag>;

// Values [at, at + 8) of keys r, r + 8, ...: one block of the vector each.
HWY_INLINE StoredPair load_keys(const std::byte* const* keys, std::size_t r, std::size_t at) {
  const hn::CappedTag<std::uint16_t, 8> eight;
  const auto load_eight = [&](std::size_t key) HWY_ATTR {
    return hn::LoadU(eight, reinterpret_cast<const std::uint16_t*>(keys[key]) + at);
  };
#if HWY_TARGET <= HWY_AVX3
  const hn::CappedTag<std::uint16_t, 16> sixteen;
  return hn::Combine(StoredTag(), hn::Combine(sixteen, load_eight(r + 24), load_eight(r + 16)),
                     hn::Combine(sixteen, load_eight(r + 8), load_eight(r)));
#elif HWY_TARGET == HWY_AVX2
  return hn::Combine(StoredTag(), load_eight(r + 8), load_eight(r));
#else
  return load_eight(r);
#endif
}

// Eight values of each of pair_values keys, as rows of one value of all keys each.
HWY_INLINE void turn_keys(const std::byte* const* keys, std::size_t at, std::uint16_t* to) {
  const StoredTag tag;
  const StoredPair k0 = load_keys(keys, 0, at), k4 = load_keys(keys, 4, at);
  const StoredPair a0 = hn::InterleaveLower(tag, k0, k4), a1 = hn::InterleaveUpper(tag, k0, k4);
  const StoredPair k2 = load_keys(keys, 2, at), k6 = load_keys(keys, 6, at);
  const StoredPair a4 = hn::InterleaveLower(tag, k2, k6), a5 = hn::InterleaveUpper(tag, k2, k6);
  const StoredPair b0 = hn::InterleaveLower(tag, a0, a4), b1 = hn::InterleaveUpper(tag, a0, a4);
  const StoredPair b2 = hn::InterleaveLower(tag, a1, a5), b3 = hn::InterleaveUpper(tag, a1, a5);
  const StoredPair k1 = load_keys(keys, 1, at), k5 = load_keys(keys, 5, at);
  const StoredPair a2 = hn::InterleaveLower(tag, k1, k5), a3 = hn::InterleaveUpper(tag, k1, k5);
  const StoredPair k3 = load_keys(keys, 3, at), k7 = load_keys(keys, 7, at);
  const StoredPair a6 = hn::InterleaveLower(tag, k3, k7), a7 = hn::InterleaveUpper(tag, k3, k7);
  const StoredPair b4 = hn::InterleaveLower(tag, a2, a6), b5 = hn::InterleaveUpper(tag, a2, a6);
  const StoredPair b6 = hn::InterleaveLower(tag, a3, a7), b7 = hn::InterleaveUpper(tag, a3, a7);
  const auto put = [&](StoredPair low, StoredPair high, std::size_t value) HWY_ATTR {
    hn::StoreU(hn::InterleaveLower(tag, low, high), tag, to + value * pair_values);
    hn::StoreU(hn::InterleaveUpper(tag, low, high), tag, to + (value + 1) * pair_values);
  };
  put(b0, b4, 0);
  put(b1, b5, 2);
  put(b2, b6, 4);
  put(b3, b7, 6);
}

// Two vectors, from vector `at` on, of: out[column] += sum over i < count of weight[column][i] * row i, or = when
// `fresh`. Something that is needed later is fetched `ahead` bytes behind each row.
template <Format F, std::size_t Columns>
QWEN35_TILE_FUNCTION void sum_pair(const VectorRows& rows, std::size_t count, const SumColumns& columns, std::size_t at,
                                   bool fresh, std::uintptr_t ahead) {
  Vec low[Columns], high[Columns];
  const float* weight[Columns];
  QWEN35_UNROLL
  for (std::size_t c = 0; c < Columns; ++c) {
    weight[c] = columns.weight[c];
    low[c] = fresh ? zero() : load(columns.out[c] + at * lanes);
    high[c] = fresh ? zero() : load(columns.out[c] + (at + 1) * lanes);
  }
  const std::byte* row = rows.data + at * rows.vector_bytes;
  for (std::size_t i = 0; i < count; ++i, row += rows.row_bytes) {
    const Vec row_low = VectorsOf<F>::load(row, 0), row_high = VectorsOf<F>::load(row + rows.vector_bytes, 0);
    __builtin_prefetch(reinterpret_cast<const void*>(reinterpret_cast<std::uintptr_t>(row) + ahead));
    QWEN35_UNROLL
    for (std::size_t c = 0; c < Columns; ++c) {
      const Vec factor = broadcast(weight[c][i]);
      low[c] = hn::MulAdd(row_low, factor, low[c]);
      high[c] = hn::MulAdd(row_high, factor, high[c]);
    }
  }
  QWEN35_UNROLL
  for (std::size_t c = 0; c < Columns; ++c) {
    store(low[c], columns.out[c] + at * lanes);
    store(high[c], columns.out[c] + (at + 1) * lanes);
  }
}

// As weighted_sums(). While a line of the rows is read first, what stands `ahead` bytes behind it is fetched, and the
// rows' own next line while it is read last: one row is a stride from the next, which no processor foresees for long.
template <Format F, class Weight>
inline void sum_pairs(const VectorRows& rows, std::size_t width, std::size_t vectors, std::size_t count,
                      std::size_t queries, const Weight& weight_of, float* out, bool fresh, std::uintptr_t ahead) {
  for (std::size_t at = 0; at < vectors; at += 2) {
    for (std::size_t query = 0, tile = 0; query < queries; query += tile) {
      const SumColumns columns = sum_columns(query, queries, weight_of, out, width);
      const std::uintptr_t fetched = query == 0 && at * rows.vector_bytes % 64 == 0 ? ahead : 2 * rows.vector_bytes;
      const std::size_t left = queries - query;
      if (left > 6 && pair_columns == 8) {
        sum_pair<F, pair_columns>(rows, count, columns, at, fresh, fetched);
        tile = 8;
      } else if (left == 5 || left == 6) {
        sum_pair<F, 6>(rows, count, columns, at, fresh, fetched);
        tile = 6;
      } else if (left > 2) {
        sum_pair<F, 4>(rows, count, columns, at, fresh, fetched);
        tile = 4;
      } else {
        sum_pair<F, 2>(rows, count, columns, at, fresh, fetched);
        tile = 2;
      }
    }
  }
}

// Products of all queries with keys, which stand at places [place, place + number) of a split; the scores of other
// places are those of some key. `turned` has room for turned_values of pair_values keys.
template <Format F>
inline void score_stored_keys(const AttentionTask& task, const KeyRows& keys, std::size_t place, std::size_t number,
                              std::uint16_t* turned, float* scores) {
  const VectorRows rows{reinterpret_cast<const std::byte*>(turned), row_bytes(F, pair_values), row_bytes(F, lanes)};
  for (std::size_t p = place / pair_values * pair_values; p < place + number; p += pair_values) {
    const std::byte* from[pair_values];
    for (std::size_t r = 0; r < pair_values; ++r) {
      const std::size_t own = p + r < place ? 0 : p + r - place;
      from[r] = keys.row(own < number ? own : number - 1);
    }
    for (std::size_t d = 0; d < task.head_dim; d += turned_values) {
      const std::size_t count = task.head_dim - d < turned_values ? task.head_dim - d : turned_values;
      for (std::size_t i = 0; i < count; i += 8) {
        // A quarter of the keys at a time, since memory gives no more lines meanwhile: 32 values are a line.
        const std::size_t line = (d + i) / 32 * 64, quarter = i / 8 % 4;
        for (std::size_t r = quarter * pair_values / 4; r < (quarter + 1) * pair_values / 4; ++r) {
          keys.fetch_next(p + r, line, line + 64);
        }
        turn_keys(from, d + i, turned + i * pair_values);
      }
      sum_pairs<F>(
          rows, attention_split, 2, count, task.queries, [&task, d](std::size_t query) { return task.q[query] + d; },
          scores + p, d == 0, 0);
    }
  }
}

// out[query] [width] += the sum of values, weights[query * attention_split + key] each.
template <Format F>
inline void sum_stored_values(const AttentionTask& task, const KeyRows& values, std::size_t number,
                              const float* weights, float* out, std::size_t width) {
  const std::uintptr_t next = reinterpret_cast<std::uintptr_t>(values.next);
  for (std::size_t r = 0, end = 0; r < number; r = end) {
    end = r == 0 && values.head < number ? values.head : number;
    const std::byte* const first = values.row(r);
    sum_pairs<F>(
        {first, values.stride_bytes, row_bytes(F, lanes)}, width, task.head_dim / lanes, end - r, task.queries,
        [own = weights + r](std::size_t query) { return own + query * attention_split; }, out, false,
        next == 0 ? 0 : next - reinterpret_cast<std::uintptr_t>(values.first));
  }
}

// Calls fn(StoredAs<F>()) if the keys and values of a task are multiplied as they are stored. Against decoding them a
// piece at a time, eight queries are 1.38 times as fast, 32 are 1.1 times (Zen 3); more widen each value too often.
inline constexpr std::size_t stored_queries = 48;
template <class Fn>
inline bool visit_stored(const AttentionTask& task, const Fn& fn) {
  return task.queries <= stored_queries && task.head_dim % pair_values == 0 &&
         visit_keys(task.format, [&]<Format F>(StoredAs<F>) {
           if constexpr (F == Format::f16 || F == Format::bf16) {
             fn(StoredAs<F>());
             return true;
           } else {
             return false;
           }
         });
}
#else
template <class Fn>
inline bool visit_stored(const AttentionTask&, const Fn&) {
  return false;
}
#endif

}  // namespace HWY_NAMESPACE
}  // namespace kernels
QWEN35_END_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
