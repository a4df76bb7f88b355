// SPDX-License-Identifier: Apache-2.0
// Products of rows of blocks with several rows of activations in 8 bits: rows are expanded to bytes once, four values
// of each row of a vector together, and read for all tokens.
#include <qwen35/kernels/formats/unpacked_blocks-inl.hpp>
#include <qwen35/kernels/integer_amx-inl.hpp>
#include <qwen35/kernels/token_chunk-inl.hpp>

#if defined(QWEN35_KERNELS_INTEGER_PANELS_INL_HPP) == defined(HWY_TARGET_TOGGLE)
#ifdef QWEN35_KERNELS_INTEGER_PANELS_INL_HPP
#undef QWEN35_KERNELS_INTEGER_PANELS_INL_HPP
#else
#define QWEN35_KERNELS_INTEGER_PANELS_INL_HPP
#endif

#ifdef QWEN35_INTEGER_VECTORS

HWY_BEFORE_NAMESPACE();
QWEN35_BEGIN_NAMESPACE
namespace kernels {
namespace HWY_NAMESPACE {

struct LoadTransposed {
  const std::uint8_t* const* rows;
  HWY_INLINE ByteQuad operator()(std::size_t offset) const { return load_transposed(rows, offset); }
};

// What is added to codes as a reader gives them, so that zero is what tiles take for it: 128 with VNNI, 0 with AMX.
template <class Kind>
HWY_INLINE ByteVec zero_move(bool amx) {
  const int zero = Kind::zero == 0 || amx ? 0 : unsigned_codes ? 128 : Kind::zero;
  return hn::Set(ByteTag(), static_cast<std::uint8_t>(zero - Kind::zero));
}

// Codes of block b of `lanes` rows into vector v of a tile.
template <class Kind>
struct StoreCodes {
  std::uint8_t* codes;  // of vector v and block b of the first group
  ByteVec move;

  HWY_INLINE void operator()(std::size_t g, const ByteQuad& first, const ByteQuad& last) const {
    piece(2 * g, first);
    piece(2 * g + 1, last);
  }
  HWY_INLINE void piece(std::size_t i, const ByteQuad& v) const {
    constexpr std::size_t step = tile_vectors * vector_bytes, pieces = Kind::group / 16;
    std::uint8_t* const to = codes + (i / pieces * panel_blocks * pieces + i % pieces) * 4 * step;
    hn::Store(moved(v.a), ByteTag(), to);
    hn::Store(moved(v.b), ByteTag(), to + step);
    hn::Store(moved(v.c), ByteTag(), to + 2 * step);
    hn::Store(moved(v.d), ByteTag(), to + 3 * step);
  }

 private:
  HWY_INLINE ByteVec moved(ByteVec v) const { return unsigned_codes && Kind::zero != 0 ? hn::Add(v, move) : v; }
};

// Four vectors of a piece for each row, transposed.
HWY_INLINE void store_quad(const Quad& pieces, std::size_t step, float* to) {
  const Quad v = transpose(pieces);
  store(hn::BitCast(Tag(), v.a), to);
  store(hn::BitCast(Tag(), v.b), to + step);
  store(hn::BitCast(Tag(), v.c), to + 2 * step);
  store(hn::BitCast(Tag(), v.d), to + 3 * step);
}

// Scales and offsets of group k of `lanes` rows.
struct StoreScales {
  float* scales;  // of vector v and block b of the first group
  float* offsets;
  HWY_INLINE void operator()(std::size_t k, Vec own) const { store(own, scales + k * panel_blocks * tile_rows); }
  HWY_INLINE void operator()(std::size_t k, Vec own, Vec offset) const {
    store(own, scales + k * panel_blocks * tile_rows);
    store(offset, offsets + k * panel_blocks * tile_rows);
  }
};

// Block b of `lanes` rows into vector v of a tile. rows[q * vector_rows + j] is row 4 j + q.
template <class Reader>
HWY_INLINE void expand_block(const std::uint8_t* const* rows, std::size_t b, std::size_t v, bool amx,
                             const PanelTile& to) {
  using Kind = typename Reader::Kind;
  const IntTag tag;
  Reader::codes(
      LoadTransposed{rows},
      StoreCodes<Kind>{to.codes + (b * Kind::group / 4 * tile_vectors + v) * vector_bytes, zero_move<Kind>(amx)});
  if constexpr (requires { Reader::lane_scales(rows, StoreScales{}); }) {
    Reader::lane_scales(
        rows, StoreScales{to.scales + (b * tile_vectors + v) * lanes, to.offsets + (b * tile_vectors + v) * lanes});
    return;
  }
  const GroupScales<Kind> own[4] = {Reader::scales(rows), Reader::scales(rows + vector_rows),
                                    Reader::scales(rows + 2 * vector_rows), Reader::scales(rows + 3 * vector_rows)};
  for (std::size_t k = 0; k < Kind::sums; k += 4) {
    const std::size_t at = ((k * panel_blocks + b) * tile_vectors + v) * lanes,
                      step = panel_blocks * tile_vectors * lanes;
    const std::size_t m = k / 4;
    store_quad({hn::BitCast(tag, own[0].scales[m]), hn::BitCast(tag, own[1].scales[m]),
                hn::BitCast(tag, own[2].scales[m]), hn::BitCast(tag, own[3].scales[m])},
               step, to.scales + at);
    if constexpr (Kind::offsets) {
      store_quad({hn::BitCast(tag, own[0].offsets[m]), hn::BitCast(tag, own[1].offsets[m]),
                  hn::BitCast(tag, own[2].offsets[m]), hn::BitCast(tag, own[3].offsets[m])},
                 step, to.offsets + at);
    }
  }
}

// A panel's products with a chunk's tokens: sums[tile][token][row].
template <class K>
inline void multiply_chunk(const PanelSpan& panel, const TokenChunk<K>& x, std::size_t tokens, NextPanel& next,
                           float* sums) {
  for (std::size_t k = 0; k < K::sums; ++k) {
    for (std::size_t r = 0; r < panel.rows; r += tile_rows) {
      const PanelTile& tile = panel.tiles[r / tile_rows];
      float* to = sums + r * chunk_tokens;
      for (std::size_t t = 0; t < tokens; t += tile_tokens, to += tile_tokens * tile_rows) {
        if constexpr (fetches_by_tile) {
          next.fetch_some();
        }
        if (tokens - t <= 2) {
          multiply_tile<K, 2>(tile, k, panel.blocks, x.at(k, t), next, to);
        } else if (has_middle_tile && tokens - t <= 4) {
          multiply_tile<K, has_middle_tile ? 4 : tile_tokens>(tile, k, panel.blocks, x.at(k, t), next, to);
        } else {
          multiply_tile<K, tile_tokens>(tile, k, panel.blocks, x.at(k, t), next, to);
        }
      }
    }
  }
}

// Codes of a tile are in the first-level cache still when they are multiplied: 1.02 to 1.07 times as fast as 64 rows
// (Zen 3; 16 tokens; q4_k, q6_k and q8_0). It was not measured elsewhere.
inline constexpr bool one_tile_panels = HWY_TARGET == HWY_AVX2;
// So many chunks of a span are copied once for all rows of a task: an expert's share of 512 tokens is 16 on average,
// and seldom more than twice that. (17 to 32 tokens are 1.03 to 1.06 times as fast as when each panel copies them.)
inline constexpr std::size_t kept_chunks = one_tile_panels ? 2 : 1;

// `allow_amx`: in its tile registers where they are worth it.
template <class Reader>
inline void integer_panels(const IntegerMatmulTask& task, [[maybe_unused]] bool allow_amx) {
  using Kind = typename Reader::Kind;
  using K = TileKindOf<Kind>;
  constexpr std::size_t tile_scales = Kind::sums * panel_blocks * tile_rows;
  alignas(64) std::uint8_t codes[panel_tiles][tile_rows * quantized_values * panel_blocks];
  alignas(64) float scales[panel_tiles][tile_scales];
  alignas(64) float offsets[panel_tiles][Kind::offsets ? tile_scales : 1];
  PanelTile tiles[panel_tiles];
  for (std::size_t i = 0; i < panel_tiles; ++i) {
    tiles[i] = {codes[i], scales[i], offsets[i]};
  }
  TokenChunk<K> kept[kept_chunks];
  UnpackedBlock room[lanes];
#ifdef QWEN35_AMX_TILES
  const bool amx = allow_amx && worth_amx<Kind>() && task.tokens >= least_amx_tokens;
  AmxTokens in_amx(task, quantized_blocks(task.w.cols));
#else
  constexpr bool amx = false;
#endif
  const bool fetched_here = amx || !(fetches_by_tile || fetches_by_block);
  const std::size_t all_blocks = quantized_blocks(task.w.cols);
  const std::size_t whole = Reader::bytes == 0 ? 0 : task.w.cols / quantized_values;
  const std::size_t block_bytes = row_bytes(task.w.format, quantized_values);
  // Where the tokens are copied once for all rows, rows may be multiplied as soon as a tile of them is expanded.
  const std::size_t chunks = (task.tokens + chunk_tokens - 1) / chunk_tokens;
  const bool copied_once = chunks * ((all_blocks + span_blocks - 1) / span_blocks) <= kept_chunks;
  const std::size_t panel_rows = one_tile_panels && copied_once ? tile_rows : integer_panel_rows;
  for (std::size_t row = task.row_begin; row < task.row_end; row += panel_rows) {
    const std::size_t rows = task.row_end - row < panel_rows ? task.row_end - row : panel_rows;
    for (std::size_t span = 0; span < all_blocks; span += span_blocks) {
      const std::size_t blocks = all_blocks - span < span_blocks ? all_blocks - span : span_blocks;
      for (std::size_t r = 0; r < rows; r += tile_rows) {
        // The rows of each vector as expand_block takes them; those beyond the last repeat it.
        const auto row_of = [row, rows, r](std::size_t i) {
          const std::size_t own = r + i / lanes * lanes + i % vector_rows * 4 + i % lanes / vector_rows;
          return row + (own < rows ? own : rows - 1);
        };
        const std::byte* at[tile_rows];
        for (std::size_t i = 0; i < tile_rows; ++i) {
          at[i] = task.w.row(row_of(i)) + span * block_bytes;
        }
        for (std::size_t b = 0; b < blocks; ++b) {
          for (std::size_t v = 0; v < tile_vectors; ++v) {
            const std::uint8_t* from[lanes];
            for (std::size_t i = 0; i < lanes; ++i) {
              from[i] = reinterpret_cast<const std::uint8_t*>(at[v * lanes + i]);
              for (std::size_t line = 0; fetched_here && line < block_bytes; line += 64) {
                fetch(at[v * lanes + i] + line, integer_panel_rows * task.w.row_bytes);
              }
              at[v * lanes + i] += block_bytes;
            }
            for (std::size_t i = 0; span + b >= whole && i < lanes; ++i) {
              from[i] = copy_block(task.w, row_of(v * lanes + i), span + b, Reader::bytes == 0, room[i]);
            }
            expand_block<Reader>(from, b, v, amx, tiles[r / tile_rows]);
          }
        }
      }
      const SpanSink sink{task, row, rows, span == 0, span + blocks == all_blocks};
      const PanelSpan panel{tiles, rows, blocks};
#ifdef QWEN35_AMX_TILES
      if constexpr (worth_amx<Kind>()) {
        if (amx) {
          in_amx.multiply<K>(panel, span, sink);
          continue;
        }
      }
#endif
      const std::size_t tiles_of_group =
          (rows + tile_rows - 1) / tile_rows * ((task.tokens + tile_tokens - 1) / tile_tokens);
      NextPanel next(task, row, span, panel_rows, Kind::sums * tiles_of_group * (fetches_by_block ? blocks : 1));
      for (std::size_t token = 0; token < task.tokens; token += chunk_tokens) {
        const std::size_t tokens = task.tokens - token < chunk_tokens ? task.tokens - token : chunk_tokens;
        TokenChunk<K>& x = kept[copied_once ? span / span_blocks * chunks + token / chunk_tokens : 0];
        if (row == task.row_begin || !copied_once) {
          x.set(task, token, tokens, span, blocks, all_blocks);
        }
        HWY_ALIGN float sums[integer_panel_rows * chunk_tokens];
        multiply_chunk<K>(panel, x, tokens, next, sums);
        put_chunk(sink, sums, chunk_tokens, token, tokens);
      }
    }
  }
#ifdef QWEN35_AMX_TILES
  in_amx.release();
#endif
}

}  // namespace HWY_NAMESPACE
}  // namespace kernels
QWEN35_END_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // QWEN35_INTEGER_VECTORS

#endif
