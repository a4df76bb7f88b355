// SPDX-License-Identifier: Apache-2.0
// The register tile that matrix products and attention share: four vectors of "rows" times one, three or six "columns".
#include <qwen35/kernels/compat-inl.hpp>

#if defined(QWEN35_KERNELS_TILE_INL_HPP) == defined(HWY_TARGET_TOGGLE)
#ifdef QWEN35_KERNELS_TILE_INL_HPP
#undef QWEN35_KERNELS_TILE_INL_HPP
#else
#define QWEN35_KERNELS_TILE_INL_HPP
#endif

HWY_BEFORE_NAMESPACE();
QWEN35_BEGIN_NAMESPACE
namespace kernels {
namespace HWY_NAMESPACE {

// Accumulators of one row. Named members, not an array: compilers keep them in registers at -O2 without unrolling anything.
struct TileRow {
  Vec c0, c1, c2, c3, c4, c5;
};
// (A default member initialiser would be compiled without the instruction set's attribute.)
HWY_INLINE TileRow zero_row() { return {zero(), zero(), zero(), zero(), zero(), zero()}; }

template <std::size_t Columns>
HWY_INLINE void multiply_add(TileRow& row, Vec w, const TileRow& x) {
  row.c0 = hn::MulAdd(w, x.c0, row.c0);
  if constexpr (Columns > 1) {
    row.c1 = hn::MulAdd(w, x.c1, row.c1);
    row.c2 = hn::MulAdd(w, x.c2, row.c2);
  }
  if constexpr (Columns > 3) {
    row.c3 = hn::MulAdd(w, x.c3, row.c3);
    row.c4 = hn::MulAdd(w, x.c4, row.c4);
    row.c5 = hn::MulAdd(w, x.c5, row.c5);
  }
}

// f of each column's source into the column of the result.
#define QWEN35_TILE_COLUMNS(result, f) \
  do {                                 \
    result.c0 = f(0);                  \
    if constexpr (Columns > 1) {       \
      result.c1 = f(1);                \
      result.c2 = f(2);                \
    }                                  \
    if constexpr (Columns > 3) {       \
      result.c3 = f(3);                \
      result.c4 = f(4);                \
      result.c5 = f(5);                \
    }                                  \
  } while (false)

// Dot products of `length` values: sums[column * 4 + row] of rows `w` and columns `x`. The lanes of one chain per product run over the
// values in vector steps; then `sum_lanes`.
template <std::size_t Columns, class Format>
HWY_INLINE void dot_tile(const std::byte* const* w, const float* const* x, std::size_t length, float* sums) {
  TileRow row0 = zero_row(), row1 = zero_row(), row2 = zero_row(), row3 = zero_row(), column = zero_row();
  const std::byte* const w0 = w[0];
  const std::byte* const w1 = w[1];
  const std::byte* const w2 = w[2];
  const std::byte* const w3 = w[3];
  const float* const x0 = x[0];
  const float* const x1 = x[Columns > 1 ? 1 : 0];
  const float* const x2 = x[Columns > 1 ? 2 : 0];
  const float* const x3 = x[Columns > 3 ? 3 : 0];
  const float* const x4 = x[Columns > 3 ? 4 : 0];
  const float* const x5 = x[Columns > 3 ? 5 : 0];
  std::size_t k = 0;
  for (; k + lanes <= length; k += lanes) {
#define QWEN35_TILE_LOAD(i) load(x##i + k)
    QWEN35_TILE_COLUMNS(column, QWEN35_TILE_LOAD);
#undef QWEN35_TILE_LOAD
    multiply_add<Columns>(row0, Format::load(w0 + k * Format::bytes), column);
    multiply_add<Columns>(row1, Format::load(w1 + k * Format::bytes), column);
    multiply_add<Columns>(row2, Format::load(w2 + k * Format::bytes), column);
    multiply_add<Columns>(row3, Format::load(w3 + k * Format::bytes), column);
  }
  if (k < length) {
    const std::size_t rest = length - k;
#define QWEN35_TILE_LOAD(i) load_first(x##i + k, rest)
    QWEN35_TILE_COLUMNS(column, QWEN35_TILE_LOAD);
#undef QWEN35_TILE_LOAD
    multiply_add<Columns>(row0, load_first<Format>(w0 + k * Format::bytes, rest), column);
    multiply_add<Columns>(row1, load_first<Format>(w1 + k * Format::bytes, rest), column);
    multiply_add<Columns>(row2, load_first<Format>(w2 + k * Format::bytes, rest), column);
    multiply_add<Columns>(row3, load_first<Format>(w3 + k * Format::bytes, rest), column);
  }
  sum_lanes(row0.c0, row1.c0, row2.c0, row3.c0, sums);
  if constexpr (Columns > 1) {
    sum_lanes(row0.c1, row1.c1, row2.c1, row3.c1, sums + 4);
    sum_lanes(row0.c2, row1.c2, row2.c2, row3.c2, sums + 8);
  }
  if constexpr (Columns > 3) {
    sum_lanes(row0.c3, row1.c3, row2.c3, row3.c3, sums + 12);
    sum_lanes(row0.c4, row1.c4, row2.c4, row3.c4, sums + 16);
    sum_lanes(row0.c5, row1.c5, row2.c5, row3.c5, sums + 20);
  }
}

// The f32 tiles, compiled once each and chosen by the number of columns still to do: 1, up to 3, up to `tile_columns`.
template <std::size_t Columns>
HWY_NOINLINE void dot_tile_f32(const std::byte* const* w, const float* const* x, std::size_t length, float* sums) {
  dot_tile<Columns, F32>(w, x, length, sums);
}

inline void dot_columns(const std::byte* const* w, const float* const* x, std::size_t columns, std::size_t length, float* sums) {
  if (columns == 1) {
    dot_tile_f32<1>(w, x, length, sums);
  } else if (columns <= 3 || tile_columns == 3) {
    dot_tile_f32<3>(w, x, length, sums);
  } else {
    dot_tile_f32<tile_columns>(w, x, length, sums);
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace kernels
QWEN35_END_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
