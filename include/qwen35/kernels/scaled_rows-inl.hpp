// SPDX-License-Identifier: Apache-2.0
// One token times rows of values that have factors beside them, without decoding the rows first.
#include <qwen35/kernels/tile-inl.hpp>

#include <algorithm>
#include <cmath>

#if defined(QWEN35_KERNELS_SCALED_ROWS_INL_HPP) == defined(HWY_TARGET_TOGGLE)
#ifdef QWEN35_KERNELS_SCALED_ROWS_INL_HPP
#undef QWEN35_KERNELS_SCALED_ROWS_INL_HPP
#else
#define QWEN35_KERNELS_SCALED_ROWS_INL_HPP
#endif

HWY_BEFORE_NAMESPACE();
QWEN35_BEGIN_NAMESPACE
namespace kernels {
namespace HWY_NAMESPACE {

// Has the format a way of its own to multiply one token with rows and the factors beside them? Vectors are then of one
// block of factors.
template <Format F>
struct ScaledRows {
  static constexpr bool stream = false;
};
inline bool is_streamed_scaled(const Matrix& w) {
  constexpr std::size_t whole = 16;  // as the blocks of sums
  return w.scales.zeros == nullptr && w.scales.columns == nullptr && !w.scales.empty() && w.cols % whole == 0 &&
         (w.scales.cols % whole == 0 || w.scales.cols >= w.cols);
}

#if HWY_TARGET <= HWY_AVX2
// dot_rows of four such rows, with their lines of factors, and one token. Values are decoded times 2^-8 and factors
// taken times 2^8: the products are the same numbers, rounded once.
template <>
struct ScaledRows<Format::f8_e4m3> {
  static constexpr bool stream = true;
  static HWY_INLINE void dot(const std::byte* const* w, const float* const* factors, std::size_t block_cols,
                             const float* x, std::size_t begin, std::size_t end, std::size_t ahead, float* sums) {
    TileRow sum = zero_row();
    const std::byte* const w0 = w[0];
    const std::byte* const w1 = w[1];
    const std::byte* const w2 = w[2];
    const std::byte* const w3 = w[3];
    std::size_t i = begin, block = begin / block_cols;
#define QWEN35_EACH_ROW(f) f(0) f(1) f(2) f(3)
    for (std::size_t next = (block + 1) * block_cols; i < end; ++block, next += block_cols) {
      const std::size_t stop = next < end ? next : end;
#define QWEN35_ROW_FACTOR(r) const float factor##r = factors[r][block];
      QWEN35_EACH_ROW(QWEN35_ROW_FACTOR)
#undef QWEN35_ROW_FACTOR
      const float a = std::max(std::fabs(factor0), std::fabs(factor1));
      const float b = std::max(std::fabs(factor2), std::fabs(factor3));
      if (a < 0x1p119f && b < 0x1p119f) {
#define QWEN35_ROW_SCALE(r) const Vec scale##r = broadcast(factor##r * 0x1p8f);
        QWEN35_EACH_ROW(QWEN35_ROW_SCALE)
#undef QWEN35_ROW_SCALE
        for (; i + 2 * lanes <= stop; i += 2 * lanes) {
          const Vec x_low = load(x + i), x_high = load(x + i + lanes);
#define QWEN35_ROW_PAIR(r)                                                  \
  fetch(w##r + i, ahead);                                                   \
  const VecPair values##r = load_f8_e4m3_pair(w##r, i);                     \
  sum.c##r = hn::MulAdd(hn::Mul(values##r.low, scale##r), x_low, sum.c##r); \
  sum.c##r = hn::MulAdd(hn::Mul(values##r.high, scale##r), x_high, sum.c##r);
          QWEN35_EACH_ROW(QWEN35_ROW_PAIR)
#undef QWEN35_ROW_PAIR
        }
      }
      for (; i < stop; i += lanes) {
        const Vec own = load(x + i);
#define QWEN35_ROW_VECTOR(r) \
  sum.c##r = hn::MulAdd(hn::Mul(VectorsOf<Format::f8_e4m3>::load(w##r, i), broadcast(factor##r)), own, sum.c##r);
        QWEN35_EACH_ROW(QWEN35_ROW_VECTOR)
#undef QWEN35_ROW_VECTOR
      }
    }
#undef QWEN35_EACH_ROW
    store_sums(sum_lanes(sum.c0, sum.c1, sum.c2, sum.c3), sums);
  }
};
#endif

}  // namespace HWY_NAMESPACE
}  // namespace kernels
QWEN35_END_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
