// SPDX-License-Identifier: Apache-2.0
// f16 in vectors: by the conversion instructions of AVX2 and later.
#include <qwen35/formats/f16.hpp>
#include <qwen35/kernels/vectors-inl.hpp>

#if defined(QWEN35_KERNELS_FORMATS_F16_INL_HPP) == defined(HWY_TARGET_TOGGLE)
#ifdef QWEN35_KERNELS_FORMATS_F16_INL_HPP
#undef QWEN35_KERNELS_FORMATS_F16_INL_HPP
#else
#define QWEN35_KERNELS_FORMATS_F16_INL_HPP
#endif

HWY_BEFORE_NAMESPACE();
QWEN35_BEGIN_NAMESPACE
namespace kernels {
namespace HWY_NAMESPACE {

template <>
struct VectorsOf<Format::f16> {
  static constexpr bool streams = true;
  static HWY_INLINE Vec load(const std::byte* row, std::size_t i) {
#if HWY_TARGET <= HWY_AVX2 || HWY_TARGET == HWY_NEON
    const hn::Rebind<hwy::float16_t, Tag> narrow;
    return hn::PromoteTo(Tag(), hn::LoadU(narrow, reinterpret_cast<const hwy::float16_t*>(row) + i));
#else
    return load_scalar<Format::f16>(row, i);
#endif
  }
#if HWY_TARGET <= HWY_AVX2 || HWY_TARGET == HWY_NEON
  static HWY_INLINE void store(Vec v, std::byte* row, std::size_t i) {
    const hn::Rebind<hwy::float16_t, Tag> narrow;
    hn::StoreU(hn::DemoteTo(narrow, v), narrow, reinterpret_cast<hwy::float16_t*>(row) + i);
  }
#endif
};

}  // namespace HWY_NAMESPACE
}  // namespace kernels
QWEN35_END_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
