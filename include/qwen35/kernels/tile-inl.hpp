// SPDX-License-Identifier: Apache-2.0
// The register tile that matrix products and attention share: four vectors of "rows" times up to six "columns"; and one
// of two stored rows.
#include <qwen35/kernels/formats-inl.hpp>

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

// One value for each column. Named members, not an array: compilers keep them in registers at -O2 without unrolling
// anything.
struct TileRow {
  Vec c0, c1, c2, c3, c4, c5;
};
// (A default member initialiser would be compiled without the instruction set's attribute.)
HWY_INLINE TileRow zero_row() {
  return {zero(), zero(), zero(), zero(), zero(), zero()};
}

template <std::size_t Columns>
HWY_INLINE void multiply_add(TileRow& row, Vec w, const TileRow& x) {
  row.c0 = hn::MulAdd(w, x.c0, row.c0);
  if constexpr (Columns > 1) row.c1 = hn::MulAdd(w, x.c1, row.c1);
  if constexpr (Columns > 2) row.c2 = hn::MulAdd(w, x.c2, row.c2);
  if constexpr (Columns > 3) row.c3 = hn::MulAdd(w, x.c3, row.c3);
  if constexpr (Columns > 4) row.c4 = hn::MulAdd(w, x.c4, row.c4);
  if constexpr (Columns > 5) row.c5 = hn::MulAdd(w, x.c5, row.c5);
}

// result.cI = f(I) for each column. A macro, because the index must be a constant and f expands in place.
#define QWEN35_TILE_COLUMNS(result, f)           \
  do {                                           \
    result.c0 = f(0);                            \
    if constexpr (Columns > 1) result.c1 = f(1); \
    if constexpr (Columns > 2) result.c2 = f(2); \
    if constexpr (Columns > 3) result.c3 = f(3); \
    if constexpr (Columns > 4) result.c4 = f(4); \
    if constexpr (Columns > 5) result.c5 = f(5); \
  } while (false)

struct Tile {
  TileRow r0, r1, r2, r3;
};
HWY_INLINE Tile zero_tile() {
  return {zero_row(), zero_row(), zero_row(), zero_row()};
}

#if HWY_TARGET <= HWY_AVX3
// Sums of the lanes of many vectors at once take half the instructions: two vectors become one at each step, in the
// order of sum_lanes. Half of the first step is a blend, which shares the work between two ports.
HWY_INLINE Vec add_halves(Vec a, Vec b) {
  return Vec{_mm512_add_ps(_mm512_mask_blend_ps(0xff00, a.raw, b.raw), _mm512_shuffle_f32x4(a.raw, b.raw, 0x4e))};
}
HWY_INLINE Vec add_quarters(Vec a, Vec b) {
  return Vec{_mm512_add_ps(_mm512_shuffle_f32x4(a.raw, b.raw, 0x88), _mm512_shuffle_f32x4(a.raw, b.raw, 0xdd))};
}
HWY_INLINE Vec add_lanes(Vec a, Vec b) {
  return Vec{_mm512_add_ps(_mm512_shuffle_ps(a.raw, b.raw, 0x88), _mm512_shuffle_ps(a.raw, b.raw, 0xdd))};
}
// Of two columns of four rows, with pairs of lanes still to add: a row in each block.
HWY_INLINE Vec pairs_of_columns(Vec a0, Vec b0, Vec c0, Vec d0, Vec a1, Vec b1, Vec c1, Vec d1) {
  return add_lanes(add_quarters(add_halves(a0, b0), add_halves(c0, d0)),
                   add_quarters(add_halves(a1, b1), add_halves(c1, d1)));
}
#undef QWEN35_TILE_PAIRS
#define QWEN35_TILE_PAIRS(m, n)                                                                                      \
  pairs_of_columns(tile.r0.c##m, tile.r1.c##m, tile.r2.c##m, tile.r3.c##m, tile.r0.c##n, tile.r1.c##n, tile.r2.c##n, \
                   tile.r3.c##n)
// Columns in the lanes of a row's block become blocks of four rows.
HWY_INLINE Vec columns_in_blocks(Vec rows) {
  return Vec{_mm512_permutexvar_ps(_mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15), rows.raw)};
}
#endif

// put(column, its sums over the four rows) for each column. (A lambda as `put` might not be inlined, see
// QWEN35_TILE_FUNCTION.)
template <std::size_t Columns, class Put>
HWY_INLINE void sum_tile(const Tile& tile, const Put& put) {
#if HWY_TARGET <= HWY_AVX3
  if constexpr (Columns >= 3) {
    const Vec first = columns_in_blocks(
        add_lanes(QWEN35_TILE_PAIRS(0, 1), Columns > 3 ? QWEN35_TILE_PAIRS(2, 3) : QWEN35_TILE_PAIRS(2, 2)));
    put(0, Sums{_mm512_castps512_ps128(first.raw)});
    put(1, Sums{_mm512_extractf32x4_ps(first.raw, 1)});
    put(2, Sums{_mm512_extractf32x4_ps(first.raw, 2)});
    if constexpr (Columns > 3) put(3, Sums{_mm512_extractf32x4_ps(first.raw, 3)});
    if constexpr (Columns > 4) {
      const Vec pairs = Columns > 5 ? QWEN35_TILE_PAIRS(4, 5) : QWEN35_TILE_PAIRS(4, 4);
      const Vec last = columns_in_blocks(add_lanes(pairs, pairs));
      put(4, Sums{_mm512_castps512_ps128(last.raw)});
      if constexpr (Columns > 5) put(5, Sums{_mm512_extractf32x4_ps(last.raw, 1)});
    }
    return;
  }
#endif
  put(0, sum_lanes(tile.r0.c0, tile.r1.c0, tile.r2.c0, tile.r3.c0));
  if constexpr (Columns > 1) put(1, sum_lanes(tile.r0.c1, tile.r1.c1, tile.r2.c1, tile.r3.c1));
  if constexpr (Columns > 2) put(2, sum_lanes(tile.r0.c2, tile.r1.c2, tile.r2.c2, tile.r3.c2));
  if constexpr (Columns > 3) put(3, sum_lanes(tile.r0.c3, tile.r1.c3, tile.r2.c3, tile.r3.c3));
  if constexpr (Columns > 4) put(4, sum_lanes(tile.r0.c4, tile.r1.c4, tile.r2.c4, tile.r3.c4));
  if constexpr (Columns > 5) put(5, sum_lanes(tile.r0.c5, tile.r1.c5, tile.r2.c5, tile.r3.c5));
}

// As an array: [column * 4 + row].
struct SumsArray {
  float* sums;
  HWY_INLINE void operator()(std::size_t column, Sums own) const { store_sums(own, sums + column * 4); }
};

// Dot products of four stored rows with columns of f32 over values [begin, end): sums[column * 4 + row]. One chain per
// product runs over the values in vector steps; its lanes are then summed. `ahead` bytes further on, what later calls
// will read is fetched.
template <std::size_t Columns, Format F>
HWY_INLINE void dot_rows(const std::byte* const* w, const float* const* x, std::size_t begin, std::size_t end,
                         std::size_t ahead, float* sums) {
  using Stored = VectorsOf<F>;
  constexpr std::size_t bytes = format_info(F).block_bytes, values = format_info(F).block_values;
  constexpr std::size_t line_values = 64 * values / bytes;
  Tile tile = zero_tile();
  TileRow column = zero_row();
  const std::byte* const w0 = w[0];
  const std::byte* const w1 = w[1];
  const std::byte* const w2 = w[2];
  const std::byte* const w3 = w[3];
  const float* const x0 = x[0];
  const float* const x1 = x[Columns > 1 ? 1 : 0];
  const float* const x2 = x[Columns > 2 ? 2 : 0];
  const float* const x3 = x[Columns > 3 ? 3 : 0];
  const float* const x4 = x[Columns > 4 ? 4 : 0];
  const float* const x5 = x[Columns > 5 ? 5 : 0];
  std::size_t i = begin;
#define QWEN35_TILE_LOAD(c) load(x##c + i)
  for (; i + lanes <= end; i += lanes) {
    if (lanes >= line_values || i % line_values == 0) {
      const std::size_t at = i * bytes / values;
      fetch(w0 + at, ahead);
      fetch(w1 + at, ahead);
      fetch(w2 + at, ahead);
      fetch(w3 + at, ahead);
    }
    QWEN35_TILE_COLUMNS(column, QWEN35_TILE_LOAD);
    multiply_add<Columns>(tile.r0, Stored::load(w0, i), column);
    multiply_add<Columns>(tile.r1, Stored::load(w1, i), column);
    multiply_add<Columns>(tile.r2, Stored::load(w2, i), column);
    multiply_add<Columns>(tile.r3, Stored::load(w3, i), column);
  }
#undef QWEN35_TILE_LOAD
  if (i < end) {
    const std::size_t rest = end - i;
#define QWEN35_TILE_LOAD(c) load_first(x##c + i, rest)
    QWEN35_TILE_COLUMNS(column, QWEN35_TILE_LOAD);
#undef QWEN35_TILE_LOAD
    multiply_add<Columns>(tile.r0, load_first<F>(w0, i, rest), column);
    multiply_add<Columns>(tile.r1, load_first<F>(w1, i, rest), column);
    multiply_add<Columns>(tile.r2, load_first<F>(w2, i, rest), column);
    multiply_add<Columns>(tile.r3, load_first<F>(w3, i, rest), column);
  }
  sum_tile<Columns>(tile, SumsArray{sums});
}

// One vector of each of four packed rows, times one of each column.
template <std::size_t Columns>
HWY_INLINE void add_packed(Tile& tile, const float* w, const float* x) {
  TileRow column = zero_row();
#define QWEN35_TILE_LOAD(i) load(x + i * lanes)
  QWEN35_TILE_COLUMNS(column, QWEN35_TILE_LOAD);
#undef QWEN35_TILE_LOAD
  multiply_add<Columns>(tile.r0, load(w), column);
  multiply_add<Columns>(tile.r1, load(w + lanes), column);
  multiply_add<Columns>(tile.r2, load(w + 2 * lanes), column);
  multiply_add<Columns>(tile.r3, load(w + 3 * lanes), column);
}

struct NoFetch {
  HWY_INLINE void operator()() const {}
};

// Dot products of four rows and `Columns` columns from packed values: a vector of each row in turn, a vector of each
// column in turn; zeros after the last value. The order of each sum is that of dot_rows. Four steps at a time: with a
// busy neighbour on the same core a processor issues half as many instructions, and those of the loop itself then cost
// 10 % of the speed. `fetch_some` is called before each four.
template <std::size_t Columns, class Fetch = NoFetch>
HWY_INLINE Tile dot_packed(const float* w, const float* x, std::size_t vectors, Fetch fetch_some = {}) {
  constexpr std::size_t w_step = 4 * lanes, x_step = Columns * lanes;
  Tile tile = zero_tile();
  std::size_t i = 0;
  for (; i + 4 <= vectors; i += 4, w += 4 * w_step, x += 4 * x_step) {
    fetch_some();
    add_packed<Columns>(tile, w, x);
    add_packed<Columns>(tile, w + w_step, x + x_step);
    add_packed<Columns>(tile, w + 2 * w_step, x + 2 * x_step);
    add_packed<Columns>(tile, w + 3 * w_step, x + 3 * x_step);
  }
  for (; i < vectors; ++i, w += w_step, x += x_step) {
    add_packed<Columns>(tile, w, x);
  }
  return tile;
}

// Two stored rows times up to six packed columns. Of 16 registers 2 x 6 sums take as many as 4 x 3, for half the
// vectors of rows to convert: worth it for rows that are not packed.
struct PairTile {
  TileRow r0, r1;
};

template <std::size_t Columns>
HWY_INLINE void add_pair(PairTile& tile, Vec w0, Vec w1, const float* x) {
// (GCC would read a column again for the second row.)
#if HWY_ARCH_X86
#define QWEN35_PAIR_IN_REGISTER(v) asm("" : "+x"(v.raw))
#else
#define QWEN35_PAIR_IN_REGISTER(v)
#endif
#define QWEN35_PAIR_COLUMN(n)                            \
  if constexpr (Columns > n) {                           \
    Vec column = load(x + n * lanes);                    \
    QWEN35_PAIR_IN_REGISTER(column);                     \
    tile.r0.c##n = hn::MulAdd(w0, column, tile.r0.c##n); \
    tile.r1.c##n = hn::MulAdd(w1, column, tile.r1.c##n); \
  }
  QWEN35_PAIR_COLUMN(0)
  QWEN35_PAIR_COLUMN(1)
  QWEN35_PAIR_COLUMN(2)
  QWEN35_PAIR_COLUMN(3)
  QWEN35_PAIR_COLUMN(4)
  QWEN35_PAIR_COLUMN(5)
#undef QWEN35_PAIR_COLUMN
#undef QWEN35_PAIR_IN_REGISTER
}

// Dot products of values [begin, end) of two rows with packed columns. The order of each sum is that of dot_rows.
template <std::size_t Columns, Format F>
HWY_INLINE PairTile dot_pair(const std::byte* w0, const std::byte* w1, std::size_t begin, std::size_t end,
                             const float* x) {
  using Stored = VectorsOf<F>;
  constexpr std::size_t step = Columns * lanes;
  PairTile tile = {zero_row(), zero_row()};
  std::size_t i = begin;
  for (; i + 2 * lanes <= end; i += 2 * lanes, x += 2 * step) {
    add_pair<Columns>(tile, Stored::load(w0, i), Stored::load(w1, i), x);
    add_pair<Columns>(tile, Stored::load(w0, i + lanes), Stored::load(w1, i + lanes), x + step);
  }
  for (; i + lanes <= end; i += lanes, x += step) {
    add_pair<Columns>(tile, Stored::load(w0, i), Stored::load(w1, i), x);
  }
  if (i < end) {
    add_pair<Columns>(tile, load_first<F>(w0, i, end - i), load_first<F>(w1, i, end - i), x);
  }
  return tile;
}

}  // namespace HWY_NAMESPACE
}  // namespace kernels
QWEN35_END_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
