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

template <class Format>
inline void decode_as(const std::byte* row, std::size_t n, float* out) {
  const std::size_t full = n / lanes * lanes;
  pack_as<Format>(row, full, 1, out);
  if (full < n) {
    store_first(load_first<Format>(row + full * Format::bytes, n - full), out + full, n - full);
  }
}

inline void decode_row(DType dtype, const std::byte* row, std::size_t n, float* out) {
  if (n == 0) {  // pointers may be null
    return;
  }
  switch (dtype) {
    case DType::f32: std::memcpy(out, row, n * sizeof(float)); return;
    case DType::f16: decode_as<F16>(row, n, out); return;
    case DType::bf16: decode_as<BF16>(row, n, out); return;
  }
}

inline void encode_row(DType dtype, const float* in, std::size_t n, std::byte* out) {
  if (n == 0) {
    return;
  }
  if (dtype == DType::f32) {
    std::memcpy(out, in, n * sizeof(float));
    return;
  }
  std::size_t i = 0;
#if HWY_TARGET == HWY_AVX2 || HWY_TARGET == HWY_AVX3 || HWY_TARGET == HWY_AVX3_DL
  if (dtype == DType::f16) {
    const hn::Rebind<hwy::float16_t, Tag> narrow;
    for (; i + lanes <= n; i += lanes) {
      hn::StoreU(hn::DemoteTo(narrow, load(in + i)), narrow, reinterpret_cast<hwy::float16_t*>(out + i * 2));
    }
  }
#endif
  for (; i < n; ++i) {
    const std::uint16_t bits = dtype == DType::f16 ? f32_to_f16(in[i]) : f32_to_bf16(in[i]);
    std::memcpy(out + i * 2, &bits, sizeof(bits));
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace kernels
QWEN35_END_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
