// SPDX-License-Identifier: Apache-2.0
// f32 in vectors.
#include <qwen35/formats/f32.hpp>
#include <qwen35/kernels/vectors-inl.hpp>

#if defined(QWEN35_KERNELS_FORMATS_F32_INL_HPP) == defined(HWY_TARGET_TOGGLE)
#ifdef QWEN35_KERNELS_FORMATS_F32_INL_HPP
#undef QWEN35_KERNELS_FORMATS_F32_INL_HPP
#else
#define QWEN35_KERNELS_FORMATS_F32_INL_HPP
#endif

HWY_BEFORE_NAMESPACE();
QWEN35_BEGIN_NAMESPACE
namespace kernels {
namespace HWY_NAMESPACE {

template <>
struct VectorsOf<Format::f32> {
  static constexpr bool streams = true;
  static HWY_INLINE Vec load(const std::byte* row, std::size_t i) {
    return HWY_NAMESPACE::load(reinterpret_cast<const float*>(row) + i);
  }
};

}  // namespace HWY_NAMESPACE
}  // namespace kernels
QWEN35_END_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
