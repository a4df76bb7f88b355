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
          put_starts(*own[i], starts[i]);
        }
        copy_numbers([&starts](std::size_t i) { return starts[i]; },
                     [to, step](std::size_t k) { return to[k * step].start; });
      }
    }
  }

#if HWY_TARGET == HWY_AVX2
  // What the sums of each group begin with.
  static HWY_INLINE void put_starts(const QuantizedBlock& x, std::int32_t* to) {
    const IntTag tag;
    const auto halves = [&x](std::size_t i) HWY_ATTR {
      return negated_by<K>(hn::BitCast(ShortTag(), hn::LoadU(IntTag(), x.negated16 + 8 * i)));
    };
    const auto low = hn::BitCast(tag, halves(0)), high = hn::BitCast(tag, halves(1));
    const IntVec even = hn::ConcatLowerLower(tag, high, low), odd = hn::ConcatUpperUpper(tag, high, low);
    if constexpr (K::group == 32) {
      hn::Store(hn::BitCast(tag, hn::Add(hn::BitCast(ShortTag(), even), hn::BitCast(ShortTag(), odd))), tag, to);
    } else {
      const __m256i order = _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7);
      hn::Store(IntVec{_mm256_permutevar8x32_epi32(low.raw, order)}, tag, to);
      hn::Store(IntVec{_mm256_permutevar8x32_epi32(high.raw, order)}, tag, to + lanes);
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
