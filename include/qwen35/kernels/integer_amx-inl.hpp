// SPDX-License-Identifier: Apache-2.0
// Products of bytes in AMX's tile registers: 16 rows that were expanded times up to 16 tokens in one instruction, whose
// sums of groups are integers, so that they are scaled and added as integer_tile-inl.hpp does it, with the same bits.
//
// Compiled where the kernels are compiled apart. (Highway 1.0.3 has no such target: dispatch.hpp asks the processor.)
#include <qwen35/kernels/amx_tiles-inl.hpp>
#include <qwen35/kernels/integer_tile-inl.hpp>

#if defined(QWEN35_KERNELS_INTEGER_AMX_INL_HPP) == defined(HWY_TARGET_TOGGLE)
#ifdef QWEN35_KERNELS_INTEGER_AMX_INL_HPP
#undef QWEN35_KERNELS_INTEGER_AMX_INL_HPP
#else
#define QWEN35_KERNELS_INTEGER_AMX_INL_HPP
#endif

#ifdef QWEN35_AMX_TILES

HWY_BEFORE_NAMESPACE();
QWEN35_BEGIN_NAMESPACE
namespace kernels {
namespace HWY_NAMESPACE {

inline constexpr std::size_t amx_tokens = 16;  // rows of a tile register
// Fewer tokens are as fast in vectors, and so are groups of 16, whose sums are half of the work: to scale them takes
// most of the time. (From 512 tokens on the tile registers are 1.35 times as fast, 1.07 times with offsets.)
inline constexpr std::size_t least_amx_tokens = 12;
template <class Kind>
constexpr bool worth_amx() {
  return Kind::group == 32;
}
// Gathered tokens are put together, with a line between them so that they share no set of a cache.
inline constexpr std::size_t amx_packed_stride = span_blocks * quantized_values + 64;

// Tile registers 0 and 1 are for sums [tokens, 16 rows], 2 for codes of tokens [tokens, 32], 3 and 4 for those of rows
// [32 / 4, 16 rows, 4].
HWY_INLINE void configure_integer_amx(std::size_t tokens) {
  AmxConfig config;
  config.rows[0] = config.rows[1] = config.rows[2] = static_cast<std::uint8_t>(tokens);
  config.row_bytes[2] = 32;
  config.rows[3] = config.rows[4] = 8;
  configure_amx(config);
}

// first[token][row] and second[token][row] of a group of 32 codes: the sums of the vectors of a tile's rows.
HWY_INLINE void multiply_amx_group(const std::int8_t* x, std::size_t x_stride, const std::uint8_t* codes,
                                   std::int32_t* first, std::int32_t* second) {
  static_assert(tile_vectors == 2);
  constexpr std::size_t line = vector_bytes;
  asm volatile(
      "tilezero %%tmm0\n\t"
      "tilezero %%tmm1\n\t"
      "tileloadd (%0,%1,1), %%tmm2\n\t"
      "tileloadd (%2,%3,1), %%tmm3\n\t"
      "tdpbssd %%tmm3, %%tmm2, %%tmm0\n\t"
      "tileloadd 64(%2,%3,1), %%tmm4\n\t"
      "tdpbssd %%tmm4, %%tmm2, %%tmm1\n\t"
      "tilestored %%tmm0, (%4,%6,1)\n\t"
      "tilestored %%tmm1, (%5,%6,1)" ::"r"(x),
      "r"(x_stride), "r"(codes), "r"(2 * line), "r"(first), "r"(second), "r"(line)
      : "memory");
}

// partial[token] += the scaled sums of groups k of block b, and the offsets.
template <class K, std::size_t Tokens>
HWY_INLINE void add_amx_group(const std::int32_t* dots, const float* scales, const float* offsets,
                              const QuantizedBlock* const* x, std::size_t b, std::size_t k, Vec* partial) {
  const Vec own = load(scales);
  QWEN35_UNROLL
  for (std::size_t t = 0; t < Tokens; ++t) {
    const IntVec sums = hn::Load(IntTag(), dots + t * lanes);
    partial[t] = hn::MulAdd(hn::ConvertTo(Tag(), sums), hn::Mul(own, broadcast(x[t][b].scales[k])), partial[t]);
  }
  if constexpr (K::offsets) {
    const Vec all = load(offsets);
    QWEN35_UNROLL
    for (std::size_t t = 0; t < Tokens; ++t) {
      partial[t] = hn::MulAdd(all, broadcast(x[t][b].sums[k]), partial[t]);
    }
  }
}
template <std::size_t Tokens>
HWY_INLINE void put_amx_groups(const Vec* partial, std::size_t k, float* sums) {
  QWEN35_UNROLL
  for (std::size_t t = 0; t < Tokens; ++t) {
    float* const to = sums + t * tile_rows;
    store(k == 0 ? partial[t] : hn::Add(load(to), partial[t]), to);
  }
}

// Where the codes of a tile's tokens stand: so many bytes between blocks and between tokens.
struct AmxCodes {
  const std::int8_t* codes;
  std::size_t block, stride;
};
// multiply_tile for up to `Tokens` tokens.
template <class K, std::size_t Tokens>
QWEN35_TILE_FUNCTION void multiply_amx_tile(const PanelTile& panel, std::size_t k, std::size_t blocks,
                                            const AmxCodes& codes, const QuantizedBlock* const* x, std::size_t tokens,
                                            float* sums) {
  alignas(64) std::int32_t first[amx_tokens * lanes], second[span_blocks][amx_tokens * lanes];
  const std::size_t unused = (Tokens - tokens) * sizeof(second[0]) / amx_tokens;  // computed with zeros
  std::memset(first + tokens * lanes, 0, unused);
  for (std::size_t b = 0; b < blocks; ++b) {
    std::memset(second[b] + tokens * lanes, 0, unused);
  }
  const float* const scales = panel.scales + k * panel_blocks * tile_rows;
  Vec partial[Tokens];
  QWEN35_UNROLL
  for (std::size_t t = 0; t < Tokens; ++t) {
    partial[t] = zero();
  }
  for (std::size_t b = 0; b < blocks; ++b) {
    multiply_amx_group(codes.codes + b * codes.block + k * K::group, codes.stride,
                       panel.codes + (k * panel_blocks + b) * K::group * tile_rows, first, second[b]);
    add_amx_group<K, Tokens>(first, scales + b * tile_rows, panel.offsets + (k * panel_blocks + b) * tile_rows, x, b, k,
                             partial);
  }
  put_amx_groups<Tokens>(partial, k, sums);
  QWEN35_UNROLL
  for (std::size_t t = 0; t < Tokens; ++t) {
    partial[t] = zero();
  }
  for (std::size_t b = 0; b < blocks; ++b) {
    add_amx_group<K, Tokens>(second[b], scales + b * tile_rows + lanes,
                             panel.offsets + (k * panel_blocks + b) * tile_rows + lanes, x, b, k, partial);
  }
  put_amx_groups<Tokens>(partial, k, sums + lanes);
}

// A product's tokens, up to two tiles of them at a time.
class AmxTokens {
 public:
  AmxTokens(const IntegerMatmulTask& task, std::size_t all_blocks) : task_(task), all_blocks_(all_blocks) {}

  // The products of all tokens with a panel.
  template <class K>
  HWY_INLINE void multiply(const PanelSpan& panel, std::size_t span, const SpanSink& sink) {
    static_assert(panel_tiles == 1);
    // All tiles have as many tokens, so the last may begin with some of the one before.
    const std::size_t parts = (task_.tokens + amx_tokens - 1) / amx_tokens;
    const std::size_t most = (task_.tokens + parts - 1) / parts;
    if (most != configured_) {
      configured_ = most;
      configure_integer_amx(most);
    }
    alignas(64) float sums[2][amx_tokens * tile_rows];
    for (std::size_t token = 0; token < task_.tokens; token += 2 * most) {
      const std::size_t left = task_.tokens - token, tiles = left <= most ? 1 : 2;
      const std::size_t first[2] = {left < most ? task_.tokens - most : token,
                                    left < 2 * most ? task_.tokens - most : token + most};
      const QuantizedBlock* x[2][amx_tokens];
      AmxCodes codes[2];
      for (std::size_t i = 0; i < tiles; ++i) {
        for (std::size_t t = 0; t < amx_tokens; ++t) {
          const std::size_t own = first[i] + (t < most ? t : most - 1);
          x[i][t] = task_.x + (task_.index == nullptr ? own : task_.index[own]) * all_blocks_ + span;
        }
        codes[i] = {x[i][0]->codes, sizeof(QuantizedBlock), all_blocks_ * sizeof(QuantizedBlock)};
        if (task_.index != nullptr) {
          codes[i] = {packed(x[i], i, span, panel.blocks), quantized_values, amx_packed_stride};
        }
      }
      packed_span_ = span;
      for (std::size_t k = 0; k < K::sums; ++k) {
        for (std::size_t i = 0; i < tiles; ++i) {
          if (most <= 12) {
            multiply_amx_tile<K, 12>(*panel.tiles, k, panel.blocks, codes[i], x[i], most, sums[i]);
          } else {
            multiply_amx_tile<K, 16>(*panel.tiles, k, panel.blocks, codes[i], x[i], most, sums[i]);
          }
        }
      }
      for (std::size_t i = 0; i < tiles; ++i) {
        const std::size_t begin = token + i * most, end = begin + most < task_.tokens ? begin + most : task_.tokens;
        put_chunk(sink, sums[i] + (begin - first[i]) * tile_rows, amx_tokens, begin, end - begin);
      }
    }
  }
  void release() const {
    if (configured_ != 0) {
      release_amx();
    }
  }

 private:
  // Codes of a tile of gathered tokens; where all tokens have room they are copied once a span.
  HWY_INLINE const std::int8_t* packed(const QuantizedBlock* const* x, std::size_t tile, std::size_t span,
                                       std::size_t blocks) {
    std::int8_t* const to = packed_[tile];
    if (task_.tokens > 2 * configured_ || packed_span_ != span) {
      for (std::size_t t = 0; t < configured_; ++t) {
        for (std::size_t b = 0; b < blocks; ++b) {
          std::memcpy(to + t * amx_packed_stride + b * quantized_values, x[t][b].codes, quantized_values);
        }
      }
    }
    return to;
  }

  const IntegerMatmulTask& task_;
  std::size_t all_blocks_, configured_ = 0;
  std::size_t packed_span_ = static_cast<std::size_t>(-1);
  alignas(64) std::int8_t packed_[2][amx_tokens * amx_packed_stride];
};

}  // namespace HWY_NAMESPACE
}  // namespace kernels
QWEN35_END_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // AMX

#endif
