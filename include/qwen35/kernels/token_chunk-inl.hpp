// SPDX-License-Identifier: Apache-2.0
// The tokens that go through a panel together.
#include <qwen35/kernels/integer_tile-inl.hpp>

#if defined(QWEN35_KERNELS_TOKEN_CHUNK_INL_HPP) == defined(HWY_TARGET_TOGGLE)
#ifdef QWEN35_KERNELS_TOKEN_CHUNK_INL_HPP
#undef QWEN35_KERNELS_TOKEN_CHUNK_INL_HPP
#else
#define QWEN35_KERNELS_TOKEN_CHUNK_INL_HPP
#endif

#ifdef QWEN35_INTEGER_VECTORS

HWY_BEFORE_NAMESPACE();
QWEN35_BEGIN_NAMESPACE
namespace kernels {
namespace HWY_NAMESPACE {

// Up to chunk_tokens tokens over a span, as tiles read them.
template <class K>
class TokenChunk {
 public:
  // `tokens` rows from block `span` on; those behind them in the last tile repeat the last.
  HWY_INLINE void set(const IntegerMatmulTask& task, std::size_t token, std::size_t tokens, std::size_t span,
                      std::size_t blocks, std::size_t all_blocks) {
    for (std::size_t t = 0; t < chunk_tokens + tile_tokens - 1; ++t) {
      const std::size_t own = token + (t < tokens ? t : tokens - 1);
      rows_[t] = task.x + (task.index == nullptr ? own : task.index[own]) * all_blocks + span;
    }
    if constexpr (together) {
      blocks_ = blocks;
      for (std::size_t t = 0; t < tokens; t += tile_tokens) {
        copy(t);
      }
    }
  }
  HWY_INLINE auto at(std::size_t k, std::size_t t) const {
    if constexpr (together) {
      return TokensTogether<K>{groups_ + (k * chunk_tokens + t) / tile_tokens * blocks_};
    } else {
      return TokensInRows<K>{rows_ + t, k};
    }
  }

 private:
  static constexpr bool together = HWY_TARGET == HWY_AVX2;

  using Group = typename TokensTogether<K>::Group;

  // The tokens of a tile, from token t on.
  HWY_INLINE void copy(std::size_t t) {
    for (std::size_t b = 0; b < blocks_; ++b) {
      const std::size_t step = chunk_tokens / tile_tokens * blocks_;
      Group* const to = groups_ + t / tile_tokens * blocks_ + b;
      const QuantizedBlock* own[tile_tokens];
      for (std::size_t i = 0; i < tile_tokens; ++i) {
        own[i] = rows_[t + i] + b;
        for (std::size_t k = 0; k < K::sums; ++k) {
          std::memcpy(to[k * step].codes[i], own[i]->codes + k * K::group, K::group);
        }
      }
      copy_numbers([&own](std::size_t i) { return K::group == 16 ? own[i]->scales16 : own[i]->scales; },
                   [to, step](std::size_t k) { return to[k * step].scales; });
      if constexpr (K::offsets) {
        copy_numbers([&own](std::size_t i) { return K::group == 16 ? own[i]->sums16 : own[i]->sums; },
                     [to, step](std::size_t k) { return to[k * step].sums; });
      }
      if constexpr (K::zero != 0) {
        HWY_ALIGN std::int32_t starts[tile_tokens][K::sums];
        for (std::size_t i = 0; i < tile_tokens; ++i) {
          negated_pairs(own[i]->codes, starts[i]);
        }
        copy_numbers([&starts](std::size_t i) { return starts[i]; },
                     [to, step](std::size_t k) { return to[k * step].start; });
      }
    }
  }

#if HWY_TARGET == HWY_AVX2
  // Of each group -zero times the sum of the first two of each four codes, and that of the last two, in 16 bits.
  static HWY_INLINE void negated_pairs(const std::int8_t* codes, std::int32_t* to) {
    const ByteVec zero = hn::Set(ByteTag(), std::uint8_t{K::zero});
    const IntTag tag;
    const auto pairs = [codes, zero](std::size_t i) HWY_ATTR {
      const ByteVec x = hn::LoadU(ByteTag(), reinterpret_cast<const std::uint8_t*>(codes) + i * vector_bytes);
      return hn::BitCast(IntTag(), multiply_pairs<K>(zero, x));
    };
    // A piece is half a group of 32, or a group of 16.
    const IntVec low = sum_pieces<ShortTag>({pairs(0), pairs(1), pairs(2), pairs(3)});
    const IntVec high = sum_pieces<ShortTag>({pairs(4), pairs(5), pairs(6), pairs(7)});
    const auto negate = [](IntVec v) HWY_ATTR { return hn::BitCast(IntTag(), hn::Neg(hn::BitCast(ShortTag(), v))); };
    if constexpr (K::group == 32) {
      const auto both = hn::Add(hn::BitCast(ShortTag(), hn::ConcatLowerLower(tag, high, low)),
                                hn::BitCast(ShortTag(), hn::ConcatUpperUpper(tag, high, low)));
      hn::Store(negate(hn::BitCast(tag, both)), tag, to);
    } else {
      const __m256i order = _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7);
      hn::Store(negate(IntVec{_mm256_permutevar8x32_epi32(low.raw, order)}), tag, to);
      hn::Store(negate(IntVec{_mm256_permutevar8x32_epi32(high.raw, order)}), tag, to + lanes);
    }
  }
#endif

  // from(i)[k] of four tokens i to to(k)[i].
  template <class From, class To>
  static HWY_INLINE void copy_numbers(const From& from, const To& to) {
    const hn::Half<IntTag> four;
    for (std::size_t k = 0; k < K::sums; k += lanes) {
      const auto token = [&from, k](std::size_t i) HWY_ATTR {
        return hn::LoadU(IntTag(), reinterpret_cast<const std::int32_t*>(from(i) + k));
      };
      const auto put = [&to, k, four](std::size_t i, IntVec numbers) HWY_ATTR {
        hn::StoreU(hn::LowerHalf(four, numbers), four, reinterpret_cast<std::int32_t*>(to(k + i)));
        hn::StoreU(hn::UpperHalf(four, numbers), four, reinterpret_cast<std::int32_t*>(to(k + i + 4)));
      };
      const Quad v = transpose({token(0), token(1), token(2), token(3)});
      put(0, v.a);
      put(1, v.b);
      put(2, v.c);
      put(3, v.d);
    }
  }

  const QuantizedBlock* rows_[chunk_tokens + tile_tokens - 1];
  std::size_t blocks_;
  // [sums, chunk_tokens / tile_tokens, blocks]
  typename TokensTogether<K>::Group groups_[together ? K::sums * chunk_tokens / tile_tokens * span_blocks : 1];
};

}  // namespace HWY_NAMESPACE
}  // namespace kernels
QWEN35_END_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // QWEN35_INTEGER_VECTORS

#endif
