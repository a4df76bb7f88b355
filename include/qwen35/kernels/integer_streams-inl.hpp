// SPDX-License-Identifier: Apache-2.0
// Products of rows of blocks with one row of activations in 8 bits: as fast as memory gives the blocks.
#include <qwen35/kernels/formats/integer_blocks-inl.hpp>

#if defined(QWEN35_KERNELS_INTEGER_STREAMS_INL_HPP) == defined(HWY_TARGET_TOGGLE)
#ifdef QWEN35_KERNELS_INTEGER_STREAMS_INL_HPP
#undef QWEN35_KERNELS_INTEGER_STREAMS_INL_HPP
#else
#define QWEN35_KERNELS_INTEGER_STREAMS_INL_HPP
#endif

#ifdef QWEN35_INTEGER_VECTORS

HWY_BEFORE_NAMESPACE();
QWEN35_BEGIN_NAMESPACE
namespace kernels {
namespace HWY_NAMESPACE {

// Sums of products of a block, for each group of codes; a piece for each row.
template <class Kind>
struct BlockSums {
  IntVec sums[Kind::sums];
};

struct LoadPieces {
  const std::uint8_t* const* rows;
  HWY_INLINE ByteVec operator()(std::size_t offset) const { return load_pieces(rows, offset); }
};
template <class Kind>
struct AddToBlockSums {
  BlockSums<Kind>& to;
  const std::int8_t* x;
  HWY_INLINE void operator()(std::size_t g, ByteVec first, ByteVec last) const {
    const ByteVec x0 = broadcast_piece(x + g * 32), x1 = broadcast_piece(x + g * 32 + 16);
    if constexpr (Kind::group == 32) {
      to.sums[g] = dot_pieces<Kind>(first, x0, last, x1);
    } else {
      to.sums[2 * g] = dot_piece<Kind>(first, x0);
      to.sums[2 * g + 1] = dot_piece<Kind>(last, x1);
    }
  }
};

// totals[m] += the scaled sums of groups 4 m to 4 m + 3 of a block, of each row.
template <class Reader>
HWY_INLINE void add_block(const std::uint8_t* const* rows, const QuantizedBlock& x, Vec* totals) {
  using Kind = typename Reader::Kind;
  constexpr bool short_groups = Kind::group == 16;
  const GroupScales<Kind> own = Reader::scales(rows);
  BlockSums<Kind> block;
  Reader::codes(LoadPieces{rows}, AddToBlockSums<Kind>{block, x.codes});
  const float* const x_scales = short_groups ? x.scales16 : x.scales;
  const float* const x_sums = short_groups ? x.sums16 : x.sums;
  const std::int32_t* const negated = short_groups ? x.negated16 : x.negated;
  QWEN35_UNROLL
  for (std::size_t m = 0; m < Kind::sums; m += 4) {
    IntVec sums = sum_pieces({block.sums[m], block.sums[m + 1], block.sums[m + 2], block.sums[m + 3]});
    if constexpr (Kind::zero != 0) {
      sums = hn::Add(sums, zero_correction<Kind>(hn::LoadDup128(IntTag(), negated + m)));
    }
    const Vec scale = hn::Mul(own.scales[m / 4], hn::LoadDup128(Tag(), x_scales + m));
    totals[m / 4] = hn::MulAdd(hn::ConvertTo(Tag(), sums), scale, totals[m / 4]);
    if constexpr (Kind::offsets) {
      totals[m / 4] = hn::MulAdd(own.offsets[m / 4], hn::LoadDup128(Tag(), x_sums + m), totals[m / 4]);
    }
  }
}

// The partial sums of each row of a vector, in order.
template <std::size_t Sums>
HWY_INLINE void sum_partials(const Vec* totals, float* rows) {
  HWY_ALIGN float partial[Sums / 4][vector_rows][4];
  for (std::size_t m = 0; m < Sums / 4; ++m) {
    store(totals[m], partial[m][0]);
  }
  for (std::size_t r = 0; r < vector_rows; ++r) {
    float sum = partial[0][r][0];
    for (std::size_t i = 1; i < Sums; ++i) {
      sum += partial[i / 4][r][i % 4];
    }
    rows[r] += sum;
  }
}

// The same where the vector is of one row.
HWY_INLINE void sum_partials(Vec totals, float& row) {
  HWY_ALIGN float partial[lanes];
  store(totals, partial);
  float sum = partial[0];
  for (std::size_t i = 1; i < lanes; ++i) {
    sum += partial[i];
  }
  row += sum;
}

inline constexpr std::size_t integer_fetch_ahead = 1024;

// Four plain streams, as multiply_streams reads them.
template <class Reader>
QWEN35_TILE_FUNCTION void integer_streams(const IntegerMatmulTask& task) {
  using Kind = typename Reader::Kind;
  constexpr bool by_row = requires(const std::uint8_t* block, Vec totals) {
    Reader::add_row(block, *task.x, totals);
  };
  constexpr std::size_t vectors = by_row ? 4 : 4 / vector_rows, parts = by_row ? 1 : Kind::sums / 4;
  const std::size_t blocks = quantized_blocks(task.w.cols);
  const std::size_t whole = Reader::bytes == 0 ? 0 : task.w.cols / quantized_values;
  const std::size_t quarter = (task.row_end - task.row_begin + 3) / 4;
  const QuantizedBlock* const x = task.x + (task.index == nullptr ? 0 : task.index[0] * blocks);
  UnpackedBlock room[4];
  for (std::size_t step = 0; step < quarter; ++step) {
    std::size_t row[4];
    const std::uint8_t* stream[4];
    for (std::size_t r = 0; r < 4; ++r) {
      const std::size_t own = task.row_begin + r * quarter + step;
      row[r] = own < task.row_end ? own : task.row_end - 1;  // the last row again, with the same result
      stream[r] = reinterpret_cast<const std::uint8_t*>(task.w.row(row[r]));
    }
    float sums[4] = {};
    for (std::size_t span = 0; span < blocks; span += span_blocks) {
      const std::size_t end = blocks - span < span_blocks ? blocks : span + span_blocks;
      Vec totals[vectors * parts];
      QWEN35_UNROLL
      for (std::size_t i = 0; i < vectors * parts; ++i) {
        totals[i] = zero();
      }
      for (std::size_t b = span; b < end; ++b) {
        const std::uint8_t* from[4];
        QWEN35_UNROLL
        for (std::size_t r = 0; r < 4; ++r) {
          from[r] = b < whole ? stream[r] : copy_block(task.w, row[r], b, Reader::bytes == 0, room[r]);
          QWEN35_UNROLL
          for (std::size_t line = 0; line < Reader::bytes; line += 64) {
            fetch(reinterpret_cast<const std::byte*>(stream[r]) + line, integer_fetch_ahead);
          }
          stream[r] += Reader::bytes;
        }
        QWEN35_UNROLL
        for (std::size_t v = 0; v < vectors; ++v) {
          if constexpr (by_row) {
            totals[v] = Reader::add_row(from[v], x[b], totals[v]);
          } else {
            add_block<Reader>(from + v * vector_rows, x[b], totals + v * parts);
          }
        }
      }
      for (std::size_t v = 0; v < vectors; ++v) {
        if constexpr (by_row) {
          sum_partials(totals[v], sums[v]);
        } else {
          sum_partials<Kind::sums>(totals + v * parts, sums + v * vector_rows);
        }
      }
    }
    for (std::size_t r = 0; r < 4; ++r) {
      task.y[row[r]] = task.bias == nullptr ? sums[r] : sums[r] + task.bias[row[r]];
    }
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace kernels
QWEN35_END_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // QWEN35_INTEGER_VECTORS

#endif
