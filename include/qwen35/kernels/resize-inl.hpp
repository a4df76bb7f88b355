// SPDX-License-Identifier: Apache-2.0
// Weighted sums of 8-bit pixels in fixed point, along a row of RGB and down its columns. Integer sums: equal on every
// instruction set.
#include <qwen35/kernels/vectors-inl.hpp>

#if defined(QWEN35_KERNELS_RESIZE_INL_HPP) == defined(HWY_TARGET_TOGGLE)
#ifdef QWEN35_KERNELS_RESIZE_INL_HPP
#undef QWEN35_KERNELS_RESIZE_INL_HPP
#else
#define QWEN35_KERNELS_RESIZE_INL_HPP
#endif

HWY_BEFORE_NAMESPACE();
QWEN35_BEGIN_NAMESPACE
namespace kernels {
namespace HWY_NAMESPACE {

HWY_INLINE std::uint8_t clamped_pixel(std::int32_t value) {
  return static_cast<std::uint8_t>(value < 0 ? 0 : value > 255 ? 255 : value);
}

// `count` neighbouring sums with a trip count known to the compiler, which makes vectors of them on any instruction
// set.
template <std::size_t count>
HWY_INLINE void pixel_sums(const std::uint8_t* in, std::size_t stride, const std::int16_t* weights, std::size_t taps,
                           int precision, std::uint8_t* out) {
  std::int32_t sums[count];
  for (std::size_t k = 0; k < count; ++k) {
    sums[k] = 1 << (precision - 1);
  }
  for (std::size_t j = 0; j < taps; ++j, in += stride) {
    for (std::size_t k = 0; k < count; ++k) {
      sums[k] += static_cast<std::int32_t>(weights[j]) * static_cast<std::int32_t>(static_cast<std::int16_t>(in[k]));
    }
  }
  for (std::size_t k = 0; k < count; ++k) {
    out[k] = clamped_pixel(sums[k] >> precision);
  }
}

#if HWY_TARGET <= HWY_AVX2
// There, products of 16-bit neighbours are added in pairs into the lanes that the pairs come from; on others the order
// is not defined.
#define QWEN35_KERNELS_PAIRS 1
#else
#define QWEN35_KERNELS_PAIRS 0
#endif

inline void resize_column(const ResizeColumnTask& task) {
  const std::size_t stride = task.stride, taps = task.taps, n = task.n;
  const std::uint8_t* const in = task.in;
  const std::int16_t* const weights = task.weights;
  const int precision = task.precision;
  std::uint8_t* const out = task.out;
  std::size_t x = 0;
#if QWEN35_KERNELS_PAIRS
  const hn::ScalableTag<std::int16_t> d16;
  const hn::ScalableTag<std::int32_t> d32;
  const hn::Rebind<std::uint8_t, hn::ScalableTag<std::int16_t>> d8;
  constexpr std::size_t step = 2 * lanes;
  const auto half = hn::Set(d32, 1 << (precision - 1));
  auto unused = hn::Zero(d32);
  const auto sums = [&](std::size_t at) {
    auto low = half, high = half;
    const std::uint8_t* p = in + at;
    for (std::size_t j = 0; j < taps; j += 2, p += 2 * stride) {
      const std::uint8_t* const second = j + 1 < taps ? p + stride : p;
      std::int32_t both;
      std::memcpy(&both, weights + j, sizeof(both));
      const auto w = hn::BitCast(d16, hn::Set(d32, both));
      const auto a = hn::PromoteTo(d16, hn::LoadU(d8, p)), b = hn::PromoteTo(d16, hn::LoadU(d8, second));
      low = hn::ReorderWidenMulAccumulate(d32, hn::InterleaveLower(d16, a, b), w, low, unused);
      high = hn::ReorderWidenMulAccumulate(d32, hn::InterleaveUpper(d16, a, b), w, high, unused);
    }
    // Interleaving and this packing both work within 128 bits: the columns are in order again.
    const auto packed =
        hn::ReorderDemote2To(d16, hn::ShiftRightSame(low, precision), hn::ShiftRightSame(high, precision));
    hn::StoreU(hn::DemoteTo(d8, packed), d8, out + at);
  };
  for (; x + step <= n; x += step) {
    sums(x);
  }
  // The last ones again, together with some that are done.
  if (x < n && n >= step) {
    sums(n - step);
    x = n;
  }
#else
  for (; x + 32 <= n; x += 32) {
    pixel_sums<32>(in + x, stride, weights, taps, precision, out + x);
  }
#endif
  for (; x < n; ++x) {
    pixel_sums<1>(in + x, stride, weights, taps, precision, out + x);
  }
}

inline void resize_row(const ResizeRowTask& task) {
  const std::size_t taps = task.taps, n = task.n;
  const std::uint8_t* const in = task.in;
  const std::uint32_t* const first = task.first;
  const std::int16_t* weights = task.weights;
  const int precision = task.precision;
  std::uint8_t* const out = task.out;
#if QWEN35_KERNELS_PAIRS
  // Four taps a step: pixels 0 and 1 in the lower 128 bits, 2 and 3 in the upper ones, as pairs of 16 bits for each
  // channel.
  const hn::FixedTag<std::uint8_t, 32> d8;
  const hn::FixedTag<std::int16_t, 16> d16;
  const hn::FixedTag<std::int32_t, 8> d32;
  const hn::FixedTag<std::int32_t, 4> d32_half;
  const hn::FixedTag<std::int64_t, 4> d64;
  HWY_ALIGN static constexpr std::uint8_t pixels[32] = {0,   128, 3,   128, 1,   128, 4,   128, 2,   128, 5,
                                                        128, 128, 128, 128, 128, 6,   128, 9,   128, 7,   128,
                                                        10,  128, 8,   128, 11,  128, 128, 128, 128, 128};
  HWY_ALIGN static constexpr std::uint8_t spread[32] = {0, 1, 2, 3, 0, 1, 2, 3, 0, 1, 2, 3, 0, 1, 2, 3,
                                                        4, 5, 6, 7, 4, 5, 6, 7, 4, 5, 6, 7, 4, 5, 6, 7};
  const auto pixel_order = hn::Load(d8, pixels), weight_order = hn::Load(d8, spread);
  const auto half = hn::Set(d32_half, 1 << (precision - 1));
  auto unused = hn::Zero(d32);
  for (std::size_t i = 0; i < n; ++i, weights += taps) {
    const std::uint8_t* p = in + std::size_t{3} * first[i];
    auto sum = hn::Zero(d32);
    for (std::size_t j = 0; j < taps; j += 4, p += 12) {
      std::int64_t four;
      std::memcpy(&four, weights + j, sizeof(four));
      const auto w = hn::TableLookupBytes(hn::BitCast(d8, hn::Set(d64, four)), weight_order);
      const auto x = hn::TableLookupBytesOr0(hn::LoadDup128(d8, p), pixel_order);
      sum = hn::ReorderWidenMulAccumulate(d32, hn::BitCast(d16, x), hn::BitCast(d16, w), sum, unused);
    }
    const auto total = hn::ShiftRightSame(
        hn::Add(half, hn::Add(hn::LowerHalf(d32_half, sum), hn::UpperHalf(d32_half, sum))), precision);
    const hn::FixedTag<std::uint8_t, 4> d8_pixel;
    HWY_ALIGN std::uint8_t pixel[4];
    hn::Store(hn::DemoteTo(d8_pixel, total), d8_pixel, pixel);
    std::memcpy(out + 3 * i, pixel, i + 1 < n ? 4 : 3);  // the fourth byte is the next pixel's, which comes after
  }
#else
  for (std::size_t i = 0; i < n; ++i, weights += taps) {
    pixel_sums<3>(in + std::size_t{3} * first[i], 3, weights, taps, precision, out + 3 * i);
  }
#endif
}

#undef QWEN35_KERNELS_PAIRS

}  // namespace HWY_NAMESPACE
}  // namespace kernels
QWEN35_END_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
