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
inline constexpr bool by_row = requires(const std::uint8_t* block, Vec* scales) {
  Reader::row_scales(block, scales);
};

// Rows whose blocks are multiplied together: four, or where a vector has one piece, one.
inline constexpr std::size_t rows_together = vector_rows == 1 ? 1 : 4;

// 16 bytes of each of them.
#ifdef QWEN35_FOUR_PRODUCTS
using PieceOfRows = ByteVec;
#else
using PieceOfRows = BytePair;
#endif
struct LoadRows {
  const std::uint8_t* const* rows;
  HWY_INLINE PieceOfRows operator()(std::size_t offset) const {
#ifdef QWEN35_FOUR_PRODUCTS
    return load_pieces(rows, offset);
#else
    return {load_pieces(rows, offset), load_pieces(rows + 2, offset)};
#endif
  }
};

// Scales of a block: of rows_together, or of one row whose codes have vectors of their own.
template <class Reader>
struct BlockScales {
  static constexpr std::size_t count = rows_together / vector_rows;
  GroupScales<typename Reader::Kind> own[count];

  HWY_INLINE explicit BlockScales(const std::uint8_t* const* rows) requires(count == 1) : own{Reader::scales(rows)} {}
  HWY_INLINE explicit BlockScales(const std::uint8_t* const* rows) requires(count == 2)
      : own{Reader::scales(rows), Reader::scales(rows + vector_rows)} {}
};
template <class Reader>
requires by_row<Reader>
struct BlockScales<Reader> {
  Vec own[(Reader::Kind::sums + lanes - 1) / lanes];

  HWY_INLINE explicit BlockScales(const std::uint8_t* const* rows) { Reader::row_scales(rows[0], own); }
};

// Gives the codes of a block: of one row, or of rows_together.
template <class Reader, class Put>
HWY_INLINE void put_codes(const std::uint8_t* const* rows, const Put& put) {
  if constexpr (by_row<Reader>) {
    Reader::row_codes(rows[0], put);
  } else {
    Reader::codes(LoadRows{rows}, put);
  }
}

// The codes of a block.
template <class Reader>
struct BlockCodes {
  static constexpr std::size_t count = by_row<Reader> ? quantized_values / vector_bytes : 16;
  std::conditional_t<by_row<Reader>, ByteVec, PieceOfRows> codes[count];

  HWY_INLINE explicit BlockCodes(const std::uint8_t* const* rows) { put_codes<Reader>(rows, Keep{codes}); }

 private:
  struct Keep {
    std::conditional_t<by_row<Reader>, ByteVec, PieceOfRows>* to;
    HWY_INLINE void operator()(std::size_t i, ByteVec row) const { to[i] = row; }
    HWY_INLINE void operator()(std::size_t g, const PieceOfRows& first, const PieceOfRows& last) const {
      piece(2 * g, first);
      piece(2 * g + 1, last);
    }
    HWY_INLINE void piece(std::size_t i, const PieceOfRows& rows) const { to[i] = rows; }
  };
};

// What a zero point adds to groups 4 m to 4 m + 3, taken back.
template <class Kind>
HWY_INLINE IntVec group_corrections(const QuantizedBlock& x, std::size_t m) {
#if HWY_TARGET == HWY_AVX2
  if constexpr (Kind::group == 16) {
    const __m256i eight = hn::LoadU(IntTag(), x.negated16 + 8 * (m / 2)).raw;
    const __m256i order =
        m % 2 == 0 ? _mm256_setr_epi32(0, 4, 1, 5, 0, 4, 1, 5) : _mm256_setr_epi32(2, 6, 3, 7, 2, 6, 3, 7);
    return add_neighbours(negated_by<Kind>(ShortVec{_mm256_permutevar8x32_epi32(eight, order)}));
  } else {
    return zero_correction<Kind>(hn::LoadDup128(IntTag(), x.negated + 4 * m));
  }
#else
  const std::int32_t* const negated = Kind::group == 16 ? x.negated16 : x.negated;
  return zero_correction<Kind>(hn::LoadDup128(IntTag(), negated + 4 * m));
#endif
}

// Adds the scaled sums of groups 4 m to 4 m + 3 of a block, of each row of a vector.
template <class Kind>
HWY_INLINE void add_groups(const GroupScales<Kind>& own, const QuantizedBlock& x, std::size_t m, IntVec sums,
                           Vec* totals) {
  constexpr bool short_groups = Kind::group == 16;
  if constexpr (Kind::zero != 0) {
    sums = hn::Add(sums, group_corrections<Kind>(x, m));
  }
  const Vec x_scales = hn::LoadDup128(Tag(), (short_groups ? x.scales16 : x.scales) + 4 * m);
  totals[m] = hn::MulAdd(hn::ConvertTo(Tag(), sums), hn::Mul(own.scales[m], x_scales), totals[m]);
  if constexpr (Kind::offsets) {
    const Vec x_sums = hn::LoadDup128(Tag(), (short_groups ? x.sums16 : x.sums) + 4 * m);
    totals[m] = hn::MulAdd(own.offsets[m], x_sums, totals[m]);
  }
}

#ifdef QWEN35_FOUR_PRODUCTS

// totals[m] += the scaled sums of groups 4 m to 4 m + 3 of a block, of each row; of one row in one vector.
template <class Reader>
HWY_INLINE void add_block(const BlockCodes<Reader>& block, const BlockScales<Reader>& scales, const QuantizedBlock& x,
                          Vec* totals) {
  using Kind = typename Reader::Kind;
  constexpr bool short_groups = Kind::group == 16;
#if HWY_TARGET <= HWY_AVX3
  if constexpr (by_row<Reader>) {
    static_assert(short_groups && !Kind::offsets && Kind::zero != 0);
    const auto dot = [&block, &x](std::size_t i) HWY_ATTR {
      return dot_piece(block.codes[i], hn::LoadU(ByteTag(), reinterpret_cast<const std::uint8_t*>(x.codes) + 64 * i));
    };
    IntVec sums = ordered_sums(sum_pieces({dot(0), dot(1), dot(2), dot(3)}));
    sums = hn::Add(sums, zero_correction<Kind>(hn::LoadU(IntTag(), x.negated16)));
    totals[0] = hn::MulAdd(hn::ConvertTo(Tag(), sums), hn::Mul(scales.own[0], load(x.scales16)), totals[0]);
    return;
  }
#endif
  if constexpr (!by_row<Reader>) {
    IntVec group[Kind::sums];
    QWEN35_UNROLL
    for (std::size_t g = 0; g < 8; ++g) {
      const ByteVec x0 = broadcast_piece(x.codes + g * 32), x1 = broadcast_piece(x.codes + g * 32 + 16);
      if constexpr (short_groups) {
        group[2 * g] = dot_piece(block.codes[2 * g], x0);
        group[2 * g + 1] = dot_piece(block.codes[2 * g + 1], x1);
      } else {
        group[g] = dot_pieces(block.codes[2 * g], x0, block.codes[2 * g + 1], x1);
      }
    }
    QWEN35_UNROLL
    for (std::size_t m = 0; m < Kind::sums / 4; ++m) {
      add_groups(scales.own[0], x, m, sum_pieces({group[4 * m], group[4 * m + 1], group[4 * m + 2], group[4 * m + 3]}),
                 totals);
    }
  }
}

#else

// Adds the scaled sums of a block's groups to totals as its codes come, so that few of them need a register: of four
// rows totals[m] and totals[sums / 4 + m] have groups 4 m to 4 m + 3, of one row the two vectors are as its scales.
template <class Reader>
class AddProducts {
 public:
  using Kind = typename Reader::Kind;
  HWY_INLINE AddProducts(const BlockScales<Reader>& scales, const QuantizedBlock& x, Vec* totals)
      : scales_(scales), x_(x), totals_(totals) {}

  HWY_INLINE void operator()(std::size_t g, const BytePair& first, const BytePair& last) {
    const ByteVec x0 = broadcast_piece(x_.codes + g * 32), x1 = broadcast_piece(x_.codes + g * 32 + 16);
    add_pieces(0, g, multiply<Kind>(first.a, x0), multiply<Kind>(last.a, x1));
    add_pieces(1, g, multiply<Kind>(first.b, x0), multiply<Kind>(last.b, x1));
  }
  HWY_INLINE void operator()(std::size_t g, ByteVec row) {
    static_assert(Kind::group == 16 && !Kind::offsets && Kind::zero == 32);
    const auto x = hn::LoadU(ByteTag(), reinterpret_cast<const std::uint8_t*>(x_.codes) + g * 32);
    if (of_row_.add_groups(g, multiply_pairs<Kind>(row, x))) {
      const std::size_t i = g / 4;
      const IntVec sums = of_row_.sums(hn::LoadU(IntTag(), x_.negated16 + 8 * i));
      const Vec scale = hn::Mul(scales_.own[i], hn::LoadDup128(Tag(), x_.scales + 4 * i));
      totals_[i] = hn::MulAdd(hn::ConvertTo(Tag(), sums), scale, totals_[i]);
    }
  }

 private:
  static constexpr std::size_t pairs = by_row<Reader> || Kind::group == 16 ? 1 : 2;

  HWY_INLINE void add_pieces(std::size_t v, std::size_t g, PairSums<Kind, 1> first, PairSums<Kind, 1> last) {
    if constexpr (Kind::group == 16) {
      sums_[v].add_group(2 * g, first);
      if (sums_[v].add_group(2 * g + 1, last)) {
        add_groups(scales_.own[v], x_, g / 2, sums_[v].sums(), totals_ + v * Kind::sums / 4);
      }
    } else if (sums_[v].add_group(g, add(first, last))) {
      add_groups(scales_.own[v], x_, g / 4, sums_[v].sums(), totals_ + v * Kind::sums / 4);
    }
  }

  const BlockScales<Reader>& scales_;
  const QuantizedBlock& x_;
  Vec* totals_;
  GroupSums<Kind, pairs> sums_[2];
  WrappingSums of_row_;
};

template <class Reader>
HWY_INLINE void add_block(const BlockCodes<Reader>& block, const BlockScales<Reader>& scales, const QuantizedBlock& x,
                          Vec* totals) {
  AddProducts<Reader> to(scales, x, totals);
  QWEN35_UNROLL
  for (std::size_t g = 0; g < 8; ++g) {
    if constexpr (by_row<Reader>) {
      to(g, block.codes[g]);
    } else {
      to(g, block.codes[2 * g], block.codes[2 * g + 1]);
    }
  }
}
template <class To>
struct PutInto {
  To& to;
  template <class... Codes>
  HWY_INLINE void operator()(std::size_t g, const Codes&... codes) const {
    to(g, codes...);
  }
};
// Without keeping the codes.
template <class Reader>
HWY_INLINE void add_block(const std::uint8_t* const* rows, const QuantizedBlock& x, Vec* totals) {
  const BlockScales<Reader> scales(rows);
  AddProducts<Reader> to(scales, x, totals);
  put_codes<Reader>(rows, PutInto<AddProducts<Reader> >{to});
}

#endif

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
#elif HWY_TARGET == HWY_AVX2
// Two vectors of each of four rows, with every second group in a piece, become four of each two rows.
HWY_INLINE void transpose_pieces(Vec* v) {
  const Tag tag;
  Vec out[8];
  QWEN35_UNROLL
  for (std::size_t i = 0; i < 4; ++i) {
    const Vec a = v[i / 2 * 4 + i % 2], b = v[i / 2 * 4 + i % 2 + 2];
    const Vec even = hn::ConcatLowerLower(tag, b, a), odd = hn::ConcatUpperUpper(tag, b, a);
    out[2 * i] = hn::InterleaveLower(tag, even, odd);
    out[2 * i + 1] = hn::InterleaveUpper(tag, even, odd);
  }
  std::copy(out, out + 8, v);
}
#endif

// The processor runs ahead of four streams by itself, so that this only has to be a little earlier: one token's
// products with q8_0 are 1.04 times as fast as at 1024 bytes, with four bits 1.01 times (Zen 3, two threads, from
// memory). Elsewhere it was not measured as short as this.
inline constexpr std::size_t integer_fetch_ahead = HWY_TARGET == HWY_AVX2 ? 320 : 1024;

// Up to so many tokens, multiplying as the rows come costs less than expanding them: but for the most of them where
// rows are short, whose sums take as long as their products. (Zen 3, four tokens: expanding is 1.1 to 1.25 times as
// fast with 512 and 1,024 columns, as fast with 2,048, and .7 to .9 times with 4,096. Emerald Rapids with VNNI, whose
// streams take few instructions: of q8_0 expanding is .65, .75 and .9 times as fast with 5, 8 and 11 tokens, of four
// and five bits .65 to .9 with 5 and 6 of them and 1.0 with 8; of groups of 16 .9 with 5, 1.2 with 8.)
inline constexpr std::size_t stream_tokens = HWY_TARGET <= HWY_AVX3 ? 11 : 4;
template <class Reader>
constexpr std::size_t most_stream_tokens(std::size_t cols) {
  if (HWY_TARGET == HWY_AVX2) {
    return cols <= 1024 ? 3 : 4;
  }
  if (HWY_TARGET > HWY_AVX3 || Reader::bytes == 0 || Reader::Kind::group == 16) {
    return 4;
  }
  if (Reader::Kind::is_signed) {
    return cols < 1024 ? 8 : stream_tokens;
  }
  return cols < 2048 ? 5 : 6;
}

// Four plain streams, as multiply_streams reads them; One: there is one token.
template <class Reader, bool One>
QWEN35_TILE_FUNCTION void integer_streams(const IntegerMatmulTask& task) {
  using Kind = typename Reader::Kind;
  constexpr std::size_t block_rows = by_row<Reader> ? 1 : rows_together;
  constexpr std::size_t parts = block_rows * Kind::sums / lanes, sum_vectors = 4 / vector_rows;
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
      Vec totals[One ? 1 : stream_tokens][4 * Kind::sums / lanes];
      for (std::size_t t = 0; t < tokens; ++t) {
        QWEN35_UNROLL
        for (std::size_t i = 0; i < 4 * Kind::sums / lanes; ++i) {
          totals[t][i] = zero();
        }
      }
      for (std::size_t b = span; b < end; ++b) {
        const std::uint8_t* from[4];
        QWEN35_UNROLL
        for (std::size_t r = 0; r < 4; ++r) {
          from[r] = stream[r] + b * Reader::bytes;
          QWEN35_UNROLL
          for (std::size_t line = 0; line < Reader::bytes; line += 64) {
            fetch(reinterpret_cast<const std::byte*>(from[r]) + line, integer_fetch_ahead);
          }
        }
        if (b >= whole) {
          for (std::size_t r = 0; r < 4; ++r) {
            from[r] = copy_block(task.w, row[r], b, Reader::bytes == 0, room[r]);
          }
        }
        QWEN35_UNROLL
        for (std::size_t r = 0; r < 4; r += block_rows) {
          Vec* const to = totals[0] + r / block_rows * parts;
#if HWY_TARGET == HWY_AVX2
          if constexpr (One) {
            add_block<Reader>(from + r, x[0][b], to);
            continue;
          }
#endif
          const BlockCodes<Reader> block(from + r);
          const BlockScales<Reader> scales(from + r);
          for (std::size_t t = 0; t < tokens; ++t) {
            add_block(block, scales, x[t][b], to + t * (4 * Kind::sums / lanes));
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
