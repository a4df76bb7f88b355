// SPDX-License-Identifier: Apache-2.0
// Conversion of rows between stored formats and f32.
#include <qwen35/kernels/tile-inl.hpp>

#if defined(QWEN35_KERNELS_ROWS_INL_HPP) == defined(HWY_TARGET_TOGGLE)
#ifdef QWEN35_KERNELS_ROWS_INL_HPP
#undef QWEN35_KERNELS_ROWS_INL_HPP
#else
#define QWEN35_KERNELS_ROWS_INL_HPP
#endif

HWY_BEFORE_NAMESPACE();
QWEN35_BEGIN_NAMESPACE
namespace kernels {
namespace HWY_NAMESPACE {

template <class Stored>
inline void decode_as(const std::byte* row, std::size_t n, float* out) {
  const std::size_t full = n / lanes * lanes;
  pack_as<Stored>(row, full, 1, out);
  if (full < n) {
    store_first(load_first<Stored>(row + full * Stored::bytes, n - full), out + full, n - full);
  }
}

inline void decode_row(Format format, const std::byte* row, std::size_t n, float* out) {
  if (n == 0) {  // pointers may be null
    return;
  }
  switch (format) {
    case Format::f32:
      std::memcpy(out, row, n * sizeof(float));
      return;
    case Format::f16:
      decode_as<F16>(row, n, out);
      return;
    case Format::bf16:
      decode_as<BF16>(row, n, out);
      return;
  }
}

inline void encode_row(Format format, const float* in, std::size_t n, std::byte* out) {
  if (n == 0) {
    return;
  }
  if (format == Format::f32) {
    std::memcpy(out, in, n * sizeof(float));
    return;
  }
  std::size_t i = 0;
#if HWY_TARGET != HWY_SCALAR
  if (format == Format::bf16) {
    const hn::RebindToUnsigned<Tag> wide;
    const hn::RebindToSigned<Tag> wide_signed;
    const hn::Rebind<std::uint16_t, Tag> narrow;
    for (; i + lanes <= n; i += lanes) {
      const auto bits = hn::BitCast(wide, load(in + i));
      const auto high = hn::ShiftRight<16>(bits);
      const auto half = hn::Add(hn::Set(wide, 0x7fffu), hn::And(high, hn::Set(wide, 1u)));
      // (Ne of a value with itself is false for NaN on x86.)
      const auto magnitude = hn::BitCast(wide_signed, hn::And(bits, hn::Set(wide, 0x7fffffffu)));
      const auto nan = hn::RebindMask(wide, hn::Gt(magnitude, hn::Set(wide_signed, 0x7f800000)));
      const auto rounded =
          hn::IfThenElse(nan, hn::Or(high, hn::Set(wide, 0x40u)), hn::ShiftRight<16>(hn::Add(bits, half)));
      hn::StoreU(hn::DemoteTo(narrow, hn::BitCast(wide_signed, rounded)), narrow,
                 reinterpret_cast<std::uint16_t*>(out + i * 2));
    }
  }
#endif
#if HWY_TARGET <= HWY_AVX2
  if (format == Format::f16) {
    const hn::Rebind<hwy::float16_t, Tag> narrow;
    for (; i + lanes <= n; i += lanes) {
      hn::StoreU(hn::DemoteTo(narrow, load(in + i)), narrow, reinterpret_cast<hwy::float16_t*>(out + i * 2));
    }
  }
#endif
  for (; i < n; ++i) {
    const std::uint16_t bits = format == Format::f16 ? f32_to_f16(in[i]) : f32_to_bf16(in[i]);
    std::memcpy(out + i * 2, &bits, sizeof(bits));
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace kernels
QWEN35_END_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
