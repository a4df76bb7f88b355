// SPDX-License-Identifier: Apache-2.0
// Products of rows of blocks with one row of activations in 8 bits, or a few: as fast as memory gives the blocks.
#include <qwen35/kernels/formats/unpacked_blocks-inl.hpp>

#include <algorithm>
#include <type_traits>

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

// Whether a reader has the codes of one row in vectors of their own.
template <class Reader>
inline constexpr bool by_row = requires(const std::uint8_t* block) {
  Reader::row_scales(block);
};

// Codes and scales of a block: of one row, or of as many as a vector has pieces.
template <class Reader>
struct BlockCodes {
  using Kind = typename Reader::Kind;
  ByteVec codes[by_row<Reader> ? 4 : 16];
  std::conditional_t<by_row<Reader>, Vec, GroupScales<Kind>> own;

  HWY_INLINE explicit BlockCodes(const std::uint8_t* const* rows) {
    if constexpr (by_row<Reader>) {
      Reader::row_codes(rows[0], codes);
      own = Reader::row_scales(rows[0]);
    } else {
      own = Reader::scales(rows);
      Reader::codes(LoadPieces{rows}, Keep{codes});
    }
  }

 private:
  struct LoadPieces {
    const std::uint8_t* const* rows;
    HWY_INLINE ByteVec operator()(std::size_t offset) const { return load_pieces(rows, offset); }
  };
  struct Keep {
    ByteVec* to;
    HWY_INLINE void operator()(std::size_t g, ByteVec first, ByteVec last) const {
      to[2 * g] = first;
      to[2 * g + 1] = last;
    }
  };
};

// totals[m] += the scaled sums of groups 4 m to 4 m + 3 of a block, of each row; of one row in one vector.
template <class Reader>
HWY_INLINE void add_block(const BlockCodes<Reader>& block, const QuantizedBlock& x, Vec* totals) {
  using Kind = typename Reader::Kind;
  constexpr bool short_groups = Kind::group == 16;
  const float* const x_scales = short_groups ? x.scales16 : x.scales;
  const std::int32_t* const negated = short_groups ? x.negated16 : x.negated;
  if constexpr (by_row<Reader>) {
    static_assert(short_groups && !Kind::offsets && Kind::zero != 0);
    const auto dot = [&block, &x](std::size_t i) HWY_ATTR {
      return dot_piece<Kind>(block.codes[i],
                             hn::LoadU(ByteTag(), reinterpret_cast<const std::uint8_t*>(x.codes) + 64 * i));
    };
    IntVec sums = ordered_sums(sum_pieces({dot(0), dot(1), dot(2), dot(3)}));
    sums = hn::Add(sums, zero_correction<Kind>(hn::LoadU(IntTag(), negated)));
    totals[0] = hn::MulAdd(hn::ConvertTo(Tag(), sums), hn::Mul(block.own, load(x_scales)), totals[0]);
  } else {
    IntVec group[Kind::sums];
    QWEN35_UNROLL
    for (std::size_t g = 0; g < 8; ++g) {
      const ByteVec x0 = broadcast_piece(x.codes + g * 32), x1 = broadcast_piece(x.codes + g * 32 + 16);
      if constexpr (short_groups) {
        group[2 * g] = dot_piece<Kind>(block.codes[2 * g], x0);
        group[2 * g + 1] = dot_piece<Kind>(block.codes[2 * g + 1], x1);
      } else {
        group[g] = dot_pieces<Kind>(block.codes[2 * g], x0, block.codes[2 * g + 1], x1);
      }
    }
    QWEN35_UNROLL
    for (std::size_t m = 0; m < Kind::sums; m += 4) {
      IntVec sums = sum_pieces({group[m], group[m + 1], group[m + 2], group[m + 3]});
      if constexpr (Kind::zero != 0) {
        sums = hn::Add(sums, zero_correction<Kind>(hn::LoadDup128(IntTag(), negated + m)));
      }
      const Vec scale = hn::Mul(block.own.scales[m / 4], hn::LoadDup128(Tag(), x_scales + m));
      totals[m / 4] = hn::MulAdd(hn::ConvertTo(Tag(), sums), scale, totals[m / 4]);
      if constexpr (Kind::offsets) {
        const float* const x_sums = short_groups ? x.sums16 : x.sums;
        totals[m / 4] = hn::MulAdd(block.own.offsets[m / 4], hn::LoadDup128(Tag(), x_sums + m), totals[m / 4]);
      }
    }
  }
}

// The partial sums of each row of a vector, added in order: in all lanes of its piece.
template <std::size_t Sums>
HWY_INLINE Vec sum_partials(const Vec* totals) {
  Vec sum = hn::Broadcast<0>(totals[0]);
  QWEN35_UNROLL
  for (std::size_t m = 0; m < Sums / 4; ++m) {
    sum = m == 0 ? sum : hn::Add(sum, hn::Broadcast<0>(totals[m]));
    sum = hn::Add(hn::Add(hn::Add(sum, hn::Broadcast<1>(totals[m])), hn::Broadcast<2>(totals[m])),
                  hn::Broadcast<3>(totals[m]));
  }
  return sum;
}

#if HWY_TARGET <= HWY_AVX3
// Four vectors of one row each become vectors of a piece of each row.
HWY_INLINE void transpose_pieces(Vec* v) {
  const __m512 ab_low = _mm512_shuffle_f32x4(v[0].raw, v[1].raw, 0x44);
  const __m512 ab_high = _mm512_shuffle_f32x4(v[0].raw, v[1].raw, 0xee);
  const __m512 cd_low = _mm512_shuffle_f32x4(v[2].raw, v[3].raw, 0x44);
  const __m512 cd_high = _mm512_shuffle_f32x4(v[2].raw, v[3].raw, 0xee);
  v[0] = Vec{_mm512_shuffle_f32x4(ab_low, cd_low, 0x88)};
  v[1] = Vec{_mm512_shuffle_f32x4(ab_low, cd_low, 0xdd)};
  v[2] = Vec{_mm512_shuffle_f32x4(ab_high, cd_high, 0x88)};
  v[3] = Vec{_mm512_shuffle_f32x4(ab_high, cd_high, 0xdd)};
}
#endif

inline constexpr std::size_t integer_fetch_ahead = 1024;

// Up to this many tokens, multiplying as the rows come costs less than expanding them.
inline constexpr std::size_t stream_tokens = 4;

// Four plain streams, as multiply_streams reads them; One: there is one token.
template <class Reader, bool One>
QWEN35_TILE_FUNCTION void integer_streams(const IntegerMatmulTask& task) {
  using Kind = typename Reader::Kind;
  constexpr std::size_t block_rows = by_row<Reader> ? 1 : vector_rows;
  constexpr std::size_t vectors = 4 / block_rows, parts = by_row<Reader> ? 1 : Kind::sums / 4;
  constexpr std::size_t sum_vectors = 4 / vector_rows;
  const std::size_t tokens = One ? 1 : task.tokens;
  const std::size_t blocks = quantized_blocks(task.w.cols);
  const std::size_t whole = Reader::bytes == 0 ? 0 : task.w.cols / quantized_values;
  const std::size_t quarter = (task.row_end - task.row_begin + 3) / 4;
  const QuantizedBlock* x[One ? 1 : stream_tokens];
  for (std::size_t t = 0; t < tokens; ++t) {
    x[t] = task.x + (task.index == nullptr ? t : task.index[t]) * blocks;
  }
  UnpackedBlock room[4];
  for (std::size_t step = 0; step < quarter; ++step) {
    std::size_t row[4];
    const std::uint8_t* stream[4];
    for (std::size_t r = 0; r < 4; ++r) {
      const std::size_t own = task.row_begin + r * quarter + step;
      row[r] = own < task.row_end ? own : task.row_end - 1;  // the last row again, with the same result
      stream[r] = reinterpret_cast<const std::uint8_t*>(task.w.row(row[r]));
    }
    Vec sums[One ? 1 : stream_tokens][sum_vectors];
    for (std::size_t t = 0; t < tokens; ++t) {
      std::fill(sums[t], sums[t] + sum_vectors, zero());
    }
    for (std::size_t span = 0; span < blocks; span += span_blocks) {
      const std::size_t end = blocks - span < span_blocks ? blocks : span + span_blocks;
      Vec totals[One ? 1 : stream_tokens][vectors * parts];
      for (std::size_t t = 0; t < tokens; ++t) {
        QWEN35_UNROLL
        for (std::size_t i = 0; i < vectors * parts; ++i) {
          totals[t][i] = zero();
        }
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
          const BlockCodes<Reader> block(from + v * block_rows);
          for (std::size_t t = 0; t < tokens; ++t) {
            add_block(block, x[t][b], totals[t] + v * parts);
          }
        }
      }
      for (std::size_t t = 0; t < tokens; ++t) {
        if constexpr (by_row<Reader>) {
          transpose_pieces(totals[t]);
        }
        QWEN35_UNROLL
        for (std::size_t v = 0; v < sum_vectors; ++v) {
          sums[t][v] = hn::Add(sums[t][v], sum_partials<Kind::sums>(totals[t] + v * Kind::sums / 4));
        }
      }
    }
    for (std::size_t t = 0; t < tokens; ++t) {
      HWY_ALIGN float of_rows[4][4];
      QWEN35_UNROLL
      for (std::size_t v = 0; v < sum_vectors; ++v) {
        store(sums[t][v], of_rows[v * vector_rows]);
      }
      for (std::size_t r = 0; r < 4; ++r) {
        float* const y = task.y + t * task.y_stride + row[r];
        *y = task.bias == nullptr ? of_rows[r][0] : of_rows[r][0] + task.bias[row[r]];
      }
    }
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace kernels
QWEN35_END_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // QWEN35_INTEGER_VECTORS

#endif
