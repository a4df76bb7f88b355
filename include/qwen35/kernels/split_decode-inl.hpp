// SPDX-License-Identifier: Apache-2.0
// Keys and values of one split of the context, a piece of the head at a time, decoded: keys as columns, values as rows.
#include <qwen35/kernels/formats-inl.hpp>

#include <limits>

#if defined(QWEN35_KERNELS_SPLIT_DECODE_INL_HPP) == defined(HWY_TARGET_TOGGLE)
#ifdef QWEN35_KERNELS_SPLIT_DECODE_INL_HPP
#undef QWEN35_KERNELS_SPLIT_DECODE_INL_HPP
#else
#define QWEN35_KERNELS_SPLIT_DECODE_INL_HPP
#endif

HWY_BEFORE_NAMESPACE();
QWEN35_BEGIN_NAMESPACE
namespace kernels {
namespace HWY_NAMESPACE {

// The four blocks of four lanes of a vector, to rows 0, 4, 8, 12 of columns `lanes` wide.
HWY_INLINE void put_blocks(Vec v, float* to) {
#if HWY_TARGET <= HWY_AVX3
  const hn::Half<Tag> half;
  const hn::Half<hn::Half<Tag>> quarter;
  const auto low = hn::LowerHalf(half, v);
  const auto high = hn::UpperHalf(half, v);
  hn::StoreU(hn::LowerHalf(quarter, low), quarter, to);
  hn::StoreU(hn::UpperHalf(quarter, low), quarter, to + 4 * lanes);
  hn::StoreU(hn::LowerHalf(quarter, high), quarter, to + 8 * lanes);
  hn::StoreU(hn::UpperHalf(quarter, high), quarter, to + 12 * lanes);
#elif HWY_TARGET == HWY_AVX2
  const hn::Half<Tag> half;
  hn::StoreU(hn::LowerHalf(half, v), half, to);
  hn::StoreU(hn::UpperHalf(half, v), half, to + 4 * lanes);
#else
  store(v, to);
#endif
}

// `lanes` values of four keys, one vector each, as four columns of rows that are `lanes` wide.
HWY_INLINE void put_columns([[maybe_unused]] Vec a, [[maybe_unused]] Vec b, [[maybe_unused]] Vec c,
                            [[maybe_unused]] Vec d, [[maybe_unused]] float* to) {
#if HWY_TARGET != HWY_SCALAR
  const Tag tag;
  const hn::Repartition<double, Tag> pair;
  const auto ab_low = hn::BitCast(pair, hn::InterleaveLower(tag, a, b));
  const auto ab_high = hn::BitCast(pair, hn::InterleaveUpper(tag, a, b));
  const auto cd_low = hn::BitCast(pair, hn::InterleaveLower(tag, c, d));
  const auto cd_high = hn::BitCast(pair, hn::InterleaveUpper(tag, c, d));
  put_blocks(hn::BitCast(tag, hn::InterleaveLower(pair, ab_low, cd_low)), to);
  put_blocks(hn::BitCast(tag, hn::InterleaveUpper(pair, ab_low, cd_low)), to + lanes);
  put_blocks(hn::BitCast(tag, hn::InterleaveLower(pair, ab_high, cd_high)), to + 2 * lanes);
  put_blocks(hn::BitCast(tag, hn::InterleaveUpper(pair, ab_high, cd_high)), to + 3 * lanes);
#endif
}

// Consecutive keys (or values) of one head. A page ends behind the first `head` of them, the others stand elsewhere.
struct KeyRows {
  const std::byte* first;
  const std::byte* second;
  std::size_t head, stride_bytes;
  const std::byte* next;  // what to fetch meanwhile: the rows of the next split, or null

  const std::byte* row(std::size_t i) const {
    return i < head ? first + i * stride_bytes : second + (i - head) * stride_bytes;
  }

  // That of place `p`, where `number` of them stand from `place` on; of another place some other's.
  const std::byte* at(std::size_t p, std::size_t place, std::size_t number) const {
    const std::size_t i = p < place ? 0 : p - place;
    return row(i < number ? i : number - 1);
  }

  // Without the first `i`.
  KeyRows from(std::size_t i) const {
    const std::byte* const following =
        next == nullptr ? nullptr
                        : reinterpret_cast<const std::byte*>(reinterpret_cast<std::uintptr_t>(next) + i * stride_bytes);
    return i < head ? KeyRows{first + i * stride_bytes, second, head - i, stride_bytes, following}
                    : KeyRows{row(i), nullptr, std::numeric_limits<std::size_t>::max(), stride_bytes, following};
  }

  // Into the second-level cache: a split waits a quarter of its time for rows that stand in memory, otherwise.
  HWY_INLINE void fetch_next(std::size_t i, std::size_t begin, std::size_t end) const {
    if (next != nullptr) {
      const std::uintptr_t own = reinterpret_cast<std::uintptr_t>(next) + i * stride_bytes;
      for (std::uintptr_t at = own + begin; at < own + end; at += 64) {
        __builtin_prefetch(reinterpret_cast<const void*>(at), 0, 2);
      }
    }
  }
};

// Values [first, first + count) of keys as columns: value first + d of the key at place p of the split goes to
// [p / lanes][d][p % lanes], with room for `room` values. The places before the first key and after the last
// hold some other key's values; they are hidden later.
template <Format F>
inline void decode_columns(const KeyRows& keys, std::size_t place, std::size_t number, std::size_t first,
                           std::size_t count, std::size_t room, float* to) {
  constexpr std::size_t group = lanes < 4 ? lanes : 4;
  const std::size_t begin_bytes = row_bytes(F, first), end_bytes = row_bytes(F, first + count);
  for (std::size_t p = place / lanes * lanes; p < place + number; p += group) {
    const std::byte* from[4];
    for (std::size_t r = 0; r < 4; ++r) {
      from[r] = keys.at(p + r, place, number);
      keys.fetch_next(p + r, begin_bytes, end_bytes);
    }
    float* const columns = to + p / lanes * room * lanes + p % lanes;
    for (std::size_t d = 0; d < count; d += lanes) {
      const std::size_t left = count - d, at = first + d;
      if constexpr (lanes == 1) {
        store(VectorsOf<F>::load(from[0], at), columns + d);
      } else if (left >= lanes) {
        put_columns(VectorsOf<F>::load(from[0], at), VectorsOf<F>::load(from[1], at), VectorsOf<F>::load(from[2], at),
                    VectorsOf<F>::load(from[3], at), columns + d * lanes);
      } else if constexpr (!has_blocks(F)) {  // (Blocks are whole: a multiple of `lanes`.)
        put_columns(load_first<F>(from[0], at, left), load_first<F>(from[1], at, left),
                    load_first<F>(from[2], at, left), load_first<F>(from[3], at, left), columns + d * lanes);
      }
    }
  }
}

// Values [first, first + count) of rows, each row at a multiple of `room`; with zeros up to whole vectors.
template <Format F>
inline void decode_rows(const KeyRows& values, std::size_t number, std::size_t first, std::size_t count,
                        std::size_t room, float* to) {
  for (std::size_t r = 0; r < number; ++r) {
    const std::byte* const from = values.row(r);
    values.fetch_next(r, row_bytes(F, first), row_bytes(F, first + count));
    for (std::size_t d = 0; d < count; d += lanes) {
      const std::size_t left = count - d;
      if (left >= lanes) {
        store(VectorsOf<F>::load(from, first + d), to + r * room + d);
      } else if constexpr (!has_blocks(F)) {
        store(load_first<F>(from, first + d, left), to + r * room + d);
      }
    }
  }
}

inline void decode_keys(Format format, const KeyRows& keys, std::size_t place, std::size_t number, std::size_t first,
                        std::size_t count, std::size_t room, float* to) {
  visit_keys(format, [&]<Format F>(StoredAs<F>) { decode_columns<F>(keys, place, number, first, count, room, to); });
}

inline void decode_values(Format format, const KeyRows& values, std::size_t number, std::size_t first,
                          std::size_t count, std::size_t room, float* to) {
  visit_keys(format, [&]<Format F>(StoredAs<F>) { decode_rows<F>(values, number, first, count, room, to); });
}

}  // namespace HWY_NAMESPACE
}  // namespace kernels
QWEN35_END_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
