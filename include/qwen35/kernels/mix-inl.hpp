// SPDX-License-Identifier: Apache-2.0
// The two halves of attention over one split: rows decoded as columns or rows of vectors, and weighted sums of them.
#include <qwen35/kernels/tile-inl.hpp>

#if defined(QWEN35_KERNELS_MIX_INL_HPP) == defined(HWY_TARGET_TOGGLE)
#ifdef QWEN35_KERNELS_MIX_INL_HPP
#undef QWEN35_KERNELS_MIX_INL_HPP
#else
#define QWEN35_KERNELS_MIX_INL_HPP
#endif

HWY_BEFORE_NAMESPACE();
QWEN35_BEGIN_NAMESPACE
namespace kernels {
namespace HWY_NAMESPACE {

// Rows of f32 as vectors: vector v of row i stands at data + i * row_bytes + v * vector_bytes.
struct VectorRows {
  const std::byte* data;
  std::size_t row_bytes, vector_bytes;
};

// Four vectors, or one, from vector `at` on, of: out[column] += sum over i < count of weight[column][i] * row i, or =
// when `fresh`. One chain in the order of i.
template <std::size_t Columns, std::size_t Vectors>
QWEN35_TILE_FUNCTION void mix_vectors(const VectorRows& rows, std::size_t count, const float* const* weight,
                                      float* const* out, std::size_t at, bool fresh) {
  Tile tile = zero_tile();
  TileRow column = zero_row();
  if (!fresh) {
#define QWEN35_TILE_OUT(c) load(out[c] + at * lanes)
    QWEN35_TILE_COLUMNS(tile.r0, QWEN35_TILE_OUT);
#undef QWEN35_TILE_OUT
    if constexpr (Vectors > 1) {
#define QWEN35_TILE_OUT(c) load(out[c] + (at + 1) * lanes)
      QWEN35_TILE_COLUMNS(tile.r1, QWEN35_TILE_OUT);
#undef QWEN35_TILE_OUT
#define QWEN35_TILE_OUT(c) load(out[c] + (at + 2) * lanes)
      QWEN35_TILE_COLUMNS(tile.r2, QWEN35_TILE_OUT);
#undef QWEN35_TILE_OUT
#define QWEN35_TILE_OUT(c) load(out[c] + (at + 3) * lanes)
      QWEN35_TILE_COLUMNS(tile.r3, QWEN35_TILE_OUT);
#undef QWEN35_TILE_OUT
    }
  }
  const float* const weight0 = weight[0];
  const float* const weight1 = weight[Columns > 1 ? 1 : 0];
  const float* const weight2 = weight[Columns > 2 ? 2 : 0];
  const float* const weight3 = weight[Columns > 3 ? 3 : 0];
  const float* const weight4 = weight[Columns > 4 ? 4 : 0];
  const float* const weight5 = weight[Columns > 5 ? 5 : 0];
  const std::size_t next = rows.vector_bytes;
  const std::byte* row = rows.data + at * next;
#define QWEN35_MIX_STEP()                                              \
  QWEN35_TILE_COLUMNS(column, QWEN35_TILE_WEIGHT);                     \
  multiply_add<Columns>(tile.r0, F32::load(row), column);              \
  if constexpr (Vectors > 1) {                                         \
    multiply_add<Columns>(tile.r1, F32::load(row + next), column);     \
    multiply_add<Columns>(tile.r2, F32::load(row + 2 * next), column); \
    multiply_add<Columns>(tile.r3, F32::load(row + 3 * next), column); \
  }                                                                    \
  row += rows.row_bytes
  std::size_t i = 0;
  for (; i + 2 <= count; i += 2) {  // fewer instructions for the loop itself
#define QWEN35_TILE_WEIGHT(c) broadcast(weight##c[i])
    QWEN35_MIX_STEP();
#undef QWEN35_TILE_WEIGHT
#define QWEN35_TILE_WEIGHT(c) broadcast(weight##c[i + 1])
    QWEN35_MIX_STEP();
#undef QWEN35_TILE_WEIGHT
  }
  if (i < count) {
#define QWEN35_TILE_WEIGHT(c) broadcast(weight##c[i])
    QWEN35_MIX_STEP();
#undef QWEN35_TILE_WEIGHT
  }
#undef QWEN35_MIX_STEP
#define QWEN35_TILE_PUT(index)                                \
  if constexpr (Columns > index) {                            \
    store(tile.r0.c##index, out[index] + at * lanes);         \
    if constexpr (Vectors > 1) {                              \
      store(tile.r1.c##index, out[index] + (at + 1) * lanes); \
      store(tile.r2.c##index, out[index] + (at + 2) * lanes); \
      store(tile.r3.c##index, out[index] + (at + 3) * lanes); \
    }                                                         \
  }
  QWEN35_TILE_PUT(0)
  QWEN35_TILE_PUT(1)
  QWEN35_TILE_PUT(2)
  QWEN35_TILE_PUT(3)
  QWEN35_TILE_PUT(4)
  QWEN35_TILE_PUT(5)
#undef QWEN35_TILE_PUT
}

// The columns of a tile: pointers to the weights and to the results of queries from `query` on. What is beyond the last
// query repeats it, and writes the same values again.
struct MixColumns {
  const float* weight[6];
  float* out[6];
};
template <class Weight>
inline MixColumns mix_columns(std::size_t query, std::size_t queries, const Weight& weight_of, float* out,
                              std::size_t width) {
  MixColumns columns;
  for (std::size_t c = 0; c < 6; ++c) {
    const std::size_t own = query + c < queries ? query + c : queries - 1;
    columns.weight[c] = weight_of(own);
    columns.out[c] = out + own * width;
  }
  return columns;
}

template <std::size_t Columns>
HWY_INLINE void mix_tile(const VectorRows& rows, std::size_t vectors, std::size_t count, const MixColumns& columns,
                         bool fresh) {
  for (std::size_t at = 0; at + 4 <= vectors; at += 4) {
    mix_vectors<Columns, 4>(rows, count, columns.weight, columns.out, at, fresh);
  }
}

// The tiles that exist: as narrow as `columns` allows.
constexpr std::size_t packed_columns(std::size_t columns) {
  return columns == 1 ? 1 : columns <= 3 && tile_columns > 3 ? 3 : tile_columns;
}

// out[query] [width] += sum over i < count of weight_of(query)[i] * row i, or = when `fresh`, in its first `vectors`
// vectors.
template <class Weight>
inline void mix_rows(const VectorRows& rows, std::size_t width, std::size_t vectors, std::size_t count,
                     std::size_t queries, const Weight& weight_of, float* out, bool fresh) {
  for (std::size_t query = 0; query < queries && vectors >= 4; query += tile_columns) {
    const std::size_t left = queries - query < tile_columns ? queries - query : tile_columns;
    const MixColumns columns = mix_columns(query, query + left, weight_of, out, width);
    const std::size_t packed = packed_columns(left);
    if (packed == tile_columns) {
      mix_tile<tile_columns>(rows, vectors, count, columns, fresh);
    } else if (packed == 1) {
      mix_tile<1>(rows, vectors, count, columns, fresh);
    } else {
      mix_tile<tile_columns == 6 ? 3 : 1>(rows, vectors, count, columns, fresh);
    }
  }
  // The vectors that are left over, one at a time. Six chains hide most of a multiply-add's latency, three a third of
  // it: attention over heads of 72 values, nine vectors of AVX2, went from 46 to 68 % of the processor's peak.
  for (std::size_t at = vectors / 4 * 4; at < vectors; ++at) {
    for (std::size_t query = 0; query < queries; query += lanes == 1 ? 1 : 6) {
      const std::size_t left = queries - query;
      const MixColumns columns = mix_columns(query, queries, weight_of, out, width);
      if (lanes == 1 || left == 1) {
        mix_vectors<1, 1>(rows, count, columns.weight, columns.out, at, fresh);
      } else if (left <= 3) {
        mix_vectors<lanes == 1 ? 1 : 3, 1>(rows, count, columns.weight, columns.out, at, fresh);
      } else {
        mix_vectors<lanes == 1 ? 1 : 6, 1>(rows, count, columns.weight, columns.out, at, fresh);
      }
    }
  }
}

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

  const std::byte* row(std::size_t i) const {
    return i < head ? first + i * stride_bytes : second + (i - head) * stride_bytes;
  }
};

// Keys as columns: value d of the key at place p of the split goes to [p / lanes][d][p % lanes], with room for `width`
// values. The places before the first key and after the last hold some other key's values; they are hidden later.
template <class Stored>
inline void decode_columns(const KeyRows& keys, std::size_t place, std::size_t count, std::size_t head_dim,
                           std::size_t width, float* to) {
  constexpr std::size_t group = lanes < 4 ? lanes : 4;
  for (std::size_t p = place / lanes * lanes; p < place + count; p += group) {
    const std::byte* from[4];
    for (std::size_t r = 0; r < 4; ++r) {
      const std::size_t own = p + r < place ? 0 : p + r - place;
      from[r] = keys.row(own < count ? own : count - 1);
    }
    float* const columns = to + p / lanes * width * lanes + p % lanes;
    for (std::size_t d = 0; d < head_dim; d += lanes) {
      const std::size_t at = d * Stored::bytes;
      const std::size_t left = head_dim - d;
      if constexpr (lanes == 1) {
        store(Stored::load(from[0] + at), columns + d);
      } else if (left >= lanes) {
        put_columns(Stored::load(from[0] + at), Stored::load(from[1] + at), Stored::load(from[2] + at),
                    Stored::load(from[3] + at), columns + d * lanes);
      } else {
        put_columns(load_first<Stored>(from[0] + at, left), load_first<Stored>(from[1] + at, left),
                    load_first<Stored>(from[2] + at, left), load_first<Stored>(from[3] + at, left),
                    columns + d * lanes);
      }
    }
  }
}

inline void decode_keys(Format format, const KeyRows& keys, std::size_t place, std::size_t count, std::size_t head_dim,
                        std::size_t width, float* to) {
  switch (format) {
    case Format::f32:
      decode_columns<F32>(keys, place, count, head_dim, width, to);
      return;
    case Format::f16:
      decode_columns<F16>(keys, place, count, head_dim, width, to);
      return;
    case Format::bf16:
      decode_columns<BF16>(keys, place, count, head_dim, width, to);
      return;
  }
}

inline void decode_values(Format format, const KeyRows& values, std::size_t count, std::size_t head_dim,
                          std::size_t width, float* to) {
  for (std::size_t r = 0; r < count; ++r) {
    pack_row(format, values.row(r), head_dim, 1, to + r * width);
    for (std::size_t d = (head_dim + lanes - 1) / lanes * lanes; d < width; ++d) {
      to[r * width + d] = 0.0f;
    }
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace kernels
QWEN35_END_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
