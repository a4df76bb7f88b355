// SPDX-License-Identifier: Apache-2.0
// The register tile of products of bytes: rows that were expanded, a vector of them at a time, times tokens.
#include <qwen35/kernels/integer_dot-inl.hpp>
#include <qwen35/kernels/next_panel-inl.hpp>

#if defined(QWEN35_KERNELS_INTEGER_TILE_INL_HPP) == defined(HWY_TARGET_TOGGLE)
#ifdef QWEN35_KERNELS_INTEGER_TILE_INL_HPP
#undef QWEN35_KERNELS_INTEGER_TILE_INL_HPP
#else
#define QWEN35_KERNELS_INTEGER_TILE_INL_HPP
#endif

#ifdef QWEN35_INTEGER_VECTORS

HWY_BEFORE_NAMESPACE();
QWEN35_BEGIN_NAMESPACE
namespace kernels {
namespace HWY_NAMESPACE {

// A tile is so many vectors of rows times so many tokens; a panel is so many rows of a span.
inline constexpr std::size_t tile_vectors = 2;
inline constexpr std::size_t tile_rows = tile_vectors * lanes;
inline constexpr std::size_t tile_tokens = HWY_TARGET == HWY_AVX2 ? 4 : 6;
// Three or four tokens have a tile of their own where that is not compiled into each program.
#if defined(QWEN35_KERNELS_SOURCE)
inline constexpr bool has_middle_tile = tile_tokens > 4;
#else
inline constexpr bool has_middle_tile = false;
#endif
inline constexpr std::size_t integer_panel_rows = HWY_TARGET <= HWY_AVX3 ? 32 : 64;
inline constexpr std::size_t panel_tiles = integer_panel_rows / tile_rows;
// Tokens that go through a panel together, group after group of each block: what is read of both for a group has room
// in the first-level cache.
inline constexpr std::size_t chunk_tokens = HWY_TARGET == HWY_AVX2 ? 16 : 24;

// What a tile needs to know of a kind of codes, so that kinds share its code: with VNNI all zero points become 128.
template <std::size_t Group, bool Offsets, int Zero, bool Signed, std::size_t ShortSums>
struct TileKind {
  static constexpr std::size_t group = Group, sums = quantized_values / Group, short_sums = ShortSums;
  static constexpr bool offsets = Offsets, is_signed = Signed;
  static constexpr int zero = Zero;
};
template <class Kind>
using TileKindOf = TileKind<Kind::group, Kind::offsets, unsigned_codes && Kind::zero != 0 ? 128 : Kind::zero,
                            !unsigned_codes && Kind::is_signed, unsigned_codes ? 1 : Kind::short_sums>;

// The rows of a tile over a span. Groups come in the order of their partial sums: group k of each block, then group
// k + 1 of each. The place of one block more keeps the groups of a block, which are written together, out of each
// other's sets of the first-level cache.
inline constexpr std::size_t panel_blocks = span_blocks + 1;
struct PanelTile {
  std::uint8_t* codes;  // [sums, panel_blocks, group / 4, tile_vectors, vector_bytes]
  float* scales;        // [sums, panel_blocks, tile_vectors, lanes]
  float* offsets;
};

// The rows of a panel over a span.
struct PanelSpan {
  const PanelTile* tiles;
  std::size_t rows, blocks;
};

// Where a tile finds group k of block b of its token t: where all rows of activations are.
template <class K>
struct TokensInRows {
  const QuantizedBlock* const* x;
  std::size_t k;

  HWY_INLINE const std::int8_t* codes(std::size_t t, std::size_t b) const { return x[t][b].codes + k * K::group; }
  HWY_INLINE float scale(std::size_t t, std::size_t b) const {
    return K::group == 16 ? x[t][b].scales16[k] : x[t][b].scales[k];
  }
  HWY_INLINE float sum(std::size_t t, std::size_t b) const {
    return K::group == 16 ? x[t][b].sums16[k] : x[t][b].sums[k];
  }
  HWY_INLINE IntVec start(std::size_t t, std::size_t b) const {
    return zero_correction<K>(hn::Set(IntTag(), K::group == 16 ? x[t][b].negated16[k] : x[t][b].negated[k]));
  }
};

// Or copied together: what a tile reads after another stands so in memory. (AVX2 loads a vector or four codes twice a
// cycle: with the rest of a chunk between them 0.84 times as fast. Zen 3, q4_k, 128 tokens.)
template <class K>
struct TokensTogether {
  struct Group {
    std::int8_t codes[tile_tokens][K::group];
    float scales[tile_tokens];
    float sums[tile_tokens];
    std::int32_t start[tile_tokens];
  };
  const Group* groups;  // [blocks]

  HWY_INLINE const std::int8_t* codes(std::size_t t, std::size_t b) const { return groups[b].codes[t]; }
  HWY_INLINE float scale(std::size_t t, std::size_t b) const { return groups[b].scales[t]; }
  HWY_INLINE float sum(std::size_t t, std::size_t b) const { return groups[b].sums[t]; }
  HWY_INLINE IntVec start(std::size_t t, std::size_t b) const { return hn::Set(IntTag(), groups[b].start[t]); }
};

// Where a span's products go.
struct SpanSink {
  const IntegerMatmulTask& task;
  std::size_t row, rows;  // of the tile
  bool first, last;

  // sums[tile_rows] of a token.
  HWY_INLINE void operator()(std::size_t token, const float* sums) const {
    float* const y = task.y + token * task.y_stride + row;
    const float* const bias = last && task.bias != nullptr ? task.bias + row : nullptr;
    std::size_t r = 0;
    for (; r + lanes <= rows; r += lanes) {
      const Vec sum = first ? load(sums + r) : hn::Add(load(y + r), load(sums + r));
      store(bias == nullptr ? sum : hn::Add(sum, load(bias + r)), y + r);
    }
    for (; r < rows; ++r) {
      const float sum = first ? sums[r] : y[r] + sums[r];
      y[r] = bias == nullptr ? sum : sum + bias[r];
    }
  }
};

// The products of a chunk's tokens with a panel of which each tile has `slots`.
HWY_INLINE void put_chunk(SpanSink to, const float* sums, std::size_t slots, std::size_t token, std::size_t tokens) {
  const std::size_t row = to.row, rows = to.rows;
  for (std::size_t r = 0; r < rows; r += tile_rows) {
    to.row = row + r;
    to.rows = rows - r < tile_rows ? rows - r : tile_rows;
    for (std::size_t t = 0; t < tokens; ++t) {
      to(token + t, sums + (r / tile_rows * slots + t) * tile_rows);
    }
  }
}

#if HWY_TARGET == HWY_AVX2
HWY_INLINE void add_pairs(ShortVec pairs, IntVec& sum) {
  sum = hn::Add(sum, add_neighbours(pairs));
  keep(sum);
}
#endif

// dots[token, vector] += the products of a group of codes: four codes of all rows at a time. (With a zero point and
// AVX2, dots are pairs of 16 bits before, see TokenChunk. All products are added there: the sums may wrap, but what
// they come to has room. q6_k's are 1.1 times as fast as with every second one widened. Zen 3.)
template <class K, std::size_t Tokens>
HWY_INLINE void multiply_group(const std::uint8_t* codes, const std::int8_t* const* x, IntVec* dots) {
  constexpr std::size_t fours = K::group / 4;
#ifdef QWEN35_FOUR_PRODUCTS
  QWEN35_UNROLL
  for (std::size_t m = 0; m < fours; ++m, codes += tile_vectors * vector_bytes) {
    const ByteVec w0 = hn::Load(ByteTag(), codes), w1 = hn::Load(ByteTag(), codes + vector_bytes);
    QWEN35_UNROLL
    for (std::size_t t = 0; t < Tokens; ++t) {
      const ByteVec four = broadcast_four(x[t] + 4 * m);
      dots[2 * t] = add_dot(dots[2 * t], w0, four);
      dots[2 * t + 1] = add_dot(dots[2 * t + 1], w1, four);
    }
  }
#else
  // Sums of so many pairs have room in 16 bits. (One goes to its sum before the next is made: with all of a tile
  // waiting there are more values than registers, GCC takes 1.02 and Clang 1.15 times as long.)
  constexpr bool started = K::zero != 0;
  constexpr std::size_t step = !started && K::short_sums < fours ? K::short_sums : fours;
  constexpr std::size_t count = Tokens * tile_vectors;
  static_assert(fours % step == 0 && (!started || K::group / 2 * K::zero * 127 <= 32767));
  QWEN35_UNROLL
  for (std::size_t m = 0; m < fours; m += step) {
    [[maybe_unused]] ShortVec pairs[count];
    QWEN35_UNROLL
    for (std::size_t i = 0; started && i < count; ++i) {
      pairs[i] = hn::BitCast(ShortTag(), dots[i]);
    }
    QWEN35_UNROLL
    for (std::size_t i = 0; i < step; ++i, codes += tile_vectors * vector_bytes) {
      const ByteVec w0 = hn::Load(ByteTag(), codes), w1 = hn::Load(ByteTag(), codes + vector_bytes);
      QWEN35_UNROLL
      for (std::size_t t = 0; t < Tokens; ++t) {
        const ByteVec four = broadcast_four(x[t] + 4 * (m + i));
        const ShortVec own0 = multiply_pairs<K>(w0, four), own1 = multiply_pairs<K>(w1, four);
        if constexpr (step == 1) {
          add_pairs(own0, dots[2 * t]);
          add_pairs(own1, dots[2 * t + 1]);
        } else {
          pairs[2 * t] = !started && i == 0 ? own0 : hn::Add(pairs[2 * t], own0);
          pairs[2 * t + 1] = !started && i == 0 ? own1 : hn::Add(pairs[2 * t + 1], own1);
          keep(pairs[2 * t]);
          keep(pairs[2 * t + 1]);
        }
      }
    }
    QWEN35_UNROLL
    for (std::size_t i = 0; step > 1 && i < count; ++i) {
      if constexpr (started) {
        dots[i] = add_neighbours(pairs[i]);
      } else {
        add_pairs(pairs[i], dots[i]);
      }
    }
  }
#endif
}

// Products of groups k of a tile's rows with `Tokens` tokens over a span: to sums[token][row], or added to them.
template <class K, std::size_t Tokens, class Source>
QWEN35_TILE_FUNCTION void multiply_tile(const PanelTile& panel, std::size_t k, std::size_t blocks, const Source& x,
                                        [[maybe_unused]] NextPanel& next, float* sums) {
  constexpr std::size_t count = Tokens * tile_vectors, step = K::group / 4 * tile_vectors * vector_bytes;
  const std::uint8_t* codes = panel.codes + k * panel_blocks * step;
  const float* scales = panel.scales + k * panel_blocks * tile_rows;
  const float* offsets = panel.offsets + k * panel_blocks * tile_rows;
  Vec partial[count];
  QWEN35_UNROLL
  for (std::size_t i = 0; i < count; ++i) {
    partial[i] = zero();
  }
  for (std::size_t b = 0; b < blocks; ++b) {
    if constexpr (fetches_by_block) {
      next.fetch_some();
    }
    IntVec dots[count];
    QWEN35_UNROLL
    for (std::size_t t = 0; t < Tokens; ++t) {
      IntVec start = hn::Zero(IntTag());
      if constexpr (K::zero != 0) {
        start = x.start(t, b);
      }
      QWEN35_UNROLL
      for (std::size_t v = 0; v < tile_vectors; ++v) {
        dots[t * tile_vectors + v] = start;
      }
    }
    const std::int8_t* own[Tokens];
    QWEN35_UNROLL
    for (std::size_t t = 0; t < Tokens; ++t) {
      own[t] = x.codes(t, b);
    }
    multiply_group<K, Tokens>(codes, own, dots);
    codes += step;
    QWEN35_UNROLL
    for (std::size_t t = 0; t < Tokens; ++t) {
      const Vec scale = broadcast(x.scale(t, b));
      QWEN35_UNROLL
      for (std::size_t v = 0; v < tile_vectors; ++v) {
        const std::size_t i = t * tile_vectors + v;
        partial[i] = hn::MulAdd(hn::ConvertTo(Tag(), dots[i]), hn::Mul(load(scales + v * lanes), scale), partial[i]);
        if constexpr (K::offsets) {
          partial[i] = hn::MulAdd(load(offsets + v * lanes), broadcast(x.sum(t, b)), partial[i]);
        }
      }
    }
    scales += tile_rows;
    offsets += tile_rows;
  }
  QWEN35_UNROLL
  for (std::size_t i = 0; i < count; ++i) {
    store(k == 0 ? partial[i] : hn::Add(load(sums + i * lanes), partial[i]), sums + i * lanes);
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace kernels
QWEN35_END_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // QWEN35_INTEGER_VECTORS

#endif
