// SPDX-License-Identifier: Apache-2.0
// Both products of attention for few queries, with keys and values as they are stored: keys are turned as the numbers
// that they are, values are read where they are, and both are widened while they are multiplied. The sums are those of
// attention over many queries, term by term.
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

// Values [first, first + count) of `number` keys from place `place` on; other places have some other key's.
inline void turn_half_keys(const KeyRows& keys, std::size_t place, std::size_t number, std::size_t first,
                           std::size_t count, std::uint16_t* to) {
  const std::byte* from[pair_values];
  for (std::size_t r = 0; r < pair_values; ++r) {
    from[r] = keys.at(r, place, number);
  }
  for (std::size_t i = 0; i < count; i += 8) {
    // A quarter of the keys at a time, since memory gives no more lines meanwhile: 32 values are a line. The next one
    // of this split comes into the first-level cache.
    const std::size_t line = (first + i) / 32 * 64, quarter = i / 8 % 4;
    for (std::size_t r = quarter * pair_values / 4; r < (quarter + 1) * pair_values / 4; ++r) {
      keys.fetch_next(r, line, line + 64);
      fetch(from[r], line + 64);
    }
    turn_keys(from, first + i, to + i * pair_values);
  }
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
    fetch(row, ahead);
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
      const bool begins_line = query == 0 && at * rows.vector_bytes % 64 == 0;
      const std::uintptr_t fetched = begins_line ? ahead : at + 2 < vectors ? 2 * rows.vector_bytes : 0;
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

template <Format F>
inline constexpr bool is_half = F == Format::f16 || F == Format::bf16;

// Products of all queries with keys, which stand at places [place, place + number) of a split; the scores of other
// places are those of some key. `columns` has room for 16 KiB, or for the head's values of pair_values keys.
template <Format F>
inline void score_stored_keys(const AttentionTask& task, const KeyRows& keys, std::size_t place, std::size_t number,
                              float* columns, float* scores) {
  constexpr Format Turned = is_half<F> ? F : Format::f32;
  constexpr std::size_t at_once = 16384 / row_bytes(Turned, pair_values);
  for (std::size_t p = place / pair_values * pair_values; p < place + number; p += pair_values) {
    const std::size_t begin = p > place ? p : place;
    const std::size_t end = place + number < p + pair_values ? place + number : p + pair_values;
    const KeyRows own = keys.from(begin - place);
    for (std::size_t d = 0; d < task.head_dim; d += at_once) {
      const std::size_t count = task.head_dim - d < at_once ? task.head_dim - d : at_once;
      VectorRows rows{reinterpret_cast<const std::byte*>(columns), row_bytes(F, pair_values), row_bytes(F, lanes)};
      if constexpr (is_half<F>) {
        turn_half_keys(own, begin - p, end - begin, d, count, reinterpret_cast<std::uint16_t*>(columns));
      } else {
        rows = {rows.data, lanes * sizeof(float), count * lanes * sizeof(float)};
        for (std::size_t i = 0; i < count; i += 64) {  // so many, that memory keeps up with what is fetched meanwhile
          for (std::size_t r = 0; r < end - begin; ++r) {  // the next so many, into the first-level cache
            for (std::size_t line = row_bytes(F, d + i + 64); line < row_bytes(F, d + i + 128); line += 64) {
              fetch(own.row(r), line);
            }
          }
          decode_columns<F>(own, begin - p, end - begin, d + i, count - i < 64 ? count - i : 64, count,
                            columns + i * lanes);
        }
      }
      sum_pairs<Turned>(
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

// Calls fn(StoredAs<F>()) if a task's keys and values are multiplied as they are stored. Against decoding them a piece
// at a time eight queries are 1.38 times as fast in 16 bits and 1.3 in 32, and 32 are 1.1 times (Zen 3); more would
// turn or widen each number too often, and of one query turning is most of the work. What has blocks gains nothing.
inline constexpr std::size_t stored_queries = 48;
template <class Fn>
inline bool visit_stored(const AttentionTask& task, const Fn& fn) {
  return task.queries <= stored_queries && task.head_dim % pair_values == 0 &&
         visit_keys(task.format, [&]<Format F>(StoredAs<F>) {
           if constexpr (is_half<F> || is_f32<F>) {
             if (is_half<F> || task.queries > 1) {
               fn(StoredAs<F>());
               return true;
             }
           }
           return false;
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
