// SPDX-License-Identifier: Apache-2.0
// Weighted sums of rows: both products of attention, once keys are columns.
#include <qwen35/kernels/formats-inl.hpp>
#include <qwen35/kernels/tile-inl.hpp>

#if defined(QWEN35_KERNELS_WEIGHTED_SUM_INL_HPP) == defined(HWY_TARGET_TOGGLE)
#ifdef QWEN35_KERNELS_WEIGHTED_SUM_INL_HPP
#undef QWEN35_KERNELS_WEIGHTED_SUM_INL_HPP
#else
#define QWEN35_KERNELS_WEIGHTED_SUM_INL_HPP
#endif

HWY_BEFORE_NAMESPACE();
QWEN35_BEGIN_NAMESPACE
namespace kernels {
namespace HWY_NAMESPACE {

// Rows as vectors: vector v of row i stands at data + i * row_bytes + v * vector_bytes.
struct VectorRows {
  const std::byte* data;
  std::size_t row_bytes, vector_bytes;
};

// Four vectors, or one, from vector `at` on, of: out[column] += sum over i < count of weight[column][i] * row i, or =
// when `fresh`. One chain in the order of i.
template <Format F, std::size_t Columns, std::size_t Vectors>
QWEN35_TILE_FUNCTION void sum_vectors(const VectorRows& rows, std::size_t count, const float* const* weight,
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
#define QWEN35_SUM_STEP()                                                          \
  QWEN35_TILE_COLUMNS(column, QWEN35_TILE_WEIGHT);                                 \
  multiply_add<Columns>(tile.r0, VectorsOf<F>::load(row, 0), column);              \
  if constexpr (Vectors > 1) {                                                     \
    multiply_add<Columns>(tile.r1, VectorsOf<F>::load(row + next, 0), column);     \
    multiply_add<Columns>(tile.r2, VectorsOf<F>::load(row + 2 * next, 0), column); \
    multiply_add<Columns>(tile.r3, VectorsOf<F>::load(row + 3 * next, 0), column); \
  }                                                                                \
  row += rows.row_bytes
  std::size_t i = 0;
  for (; i + 2 <= count; i += 2) {  // fewer instructions for the loop itself
#define QWEN35_TILE_WEIGHT(c) broadcast(weight##c[i])
    QWEN35_SUM_STEP();
#undef QWEN35_TILE_WEIGHT
#define QWEN35_TILE_WEIGHT(c) broadcast(weight##c[i + 1])
    QWEN35_SUM_STEP();
#undef QWEN35_TILE_WEIGHT
  }
  if (i < count) {
#define QWEN35_TILE_WEIGHT(c) broadcast(weight##c[i])
    QWEN35_SUM_STEP();
#undef QWEN35_TILE_WEIGHT
  }
#undef QWEN35_SUM_STEP
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
struct SumColumns {
  const float* weight[8];
  float* out[8];
};
template <class Weight>
inline SumColumns sum_columns(std::size_t query, std::size_t queries, const Weight& weight_of, float* out,
                              std::size_t width) {
  SumColumns columns;
  for (std::size_t c = 0; c < 8; ++c) {
    const std::size_t own = query + c < queries ? query + c : queries - 1;
    columns.weight[c] = weight_of(own);
    columns.out[c] = out + own * width;
  }
  return columns;
}

template <Format F, std::size_t Columns>
HWY_INLINE void sum_tiles(const VectorRows& rows, std::size_t vectors, std::size_t count, const SumColumns& columns,
                          bool fresh) {
  for (std::size_t at = 0; at + 4 <= vectors; at += 4) {
    sum_vectors<F, Columns, 4>(rows, count, columns.weight, columns.out, at, fresh);
  }
}

// How many of the `left` queries the next tile takes: eight are two tiles of four, since one of six and one of three
// would read the rows as often and multiply more.
constexpr std::size_t sum_columns_of(std::size_t left) {
  if (tile_columns < 6) {
    return left == 1 ? 1 : tile_columns;
  }
  return left == 1 ? 1 : left <= 4 || left == 8 ? 4 : 6;
}

// out[query] [width] += sum over i < count of weight_of(query)[i] * row i, or = when `fresh`, in its first `vectors`
// vectors.
template <Format F = Format::f32, class Weight>
inline void weighted_sums(const VectorRows& rows, std::size_t width, std::size_t vectors, std::size_t count,
                          std::size_t queries, const Weight& weight_of, float* out, bool fresh) {
  for (std::size_t query = 0; query < queries && vectors >= 4;) {
    const std::size_t tile = sum_columns_of(queries - query);
    const SumColumns columns = sum_columns(query, queries, weight_of, out, width);
    if (tile == tile_columns) {
      sum_tiles<F, tile_columns>(rows, vectors, count, columns, fresh);
    } else if (tile == 1) {
      sum_tiles<F, 1>(rows, vectors, count, columns, fresh);
    } else {
      sum_tiles<F, tile_columns == 6 ? 4 : 1>(rows, vectors, count, columns, fresh);
    }
    query += tile;
  }
  // The vectors that are left over, one at a time. Six chains hide most of a multiply-add's latency, three a third of
  // it: attention over heads of 72 values, nine vectors of AVX2, went from 46 to 68 % of the processor's peak.
  for (std::size_t at = vectors / 4 * 4; at < vectors; ++at) {
    for (std::size_t query = 0; query < queries; query += lanes == 1 ? 1 : 6) {
      const std::size_t left = queries - query;
      const SumColumns columns = sum_columns(query, queries, weight_of, out, width);
      if (lanes == 1 || left == 1) {
        sum_vectors<F, 1, 1>(rows, count, columns.weight, columns.out, at, fresh);
      } else if (left <= 3) {
        sum_vectors<F, lanes == 1 ? 1 : 3, 1>(rows, count, columns.weight, columns.out, at, fresh);
      } else {
        sum_vectors<F, lanes == 1 ? 1 : 6, 1>(rows, count, columns.weight, columns.out, at, fresh);
      }
    }
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace kernels
QWEN35_END_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
