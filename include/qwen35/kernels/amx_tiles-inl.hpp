// SPDX-License-Identifier: Apache-2.0
// AMX's tile registers: their sizes for a kernel, and their release.
//
// Compiled where the kernels are compiled apart. (Highway 1.0.3 has no such target: dispatch.hpp asks the processor.)
#include <qwen35/kernels/vectors-inl.hpp>

#if defined(QWEN35_KERNELS_AMX_TILES_INL_HPP) == defined(HWY_TARGET_TOGGLE)
#ifdef QWEN35_KERNELS_AMX_TILES_INL_HPP
#undef QWEN35_KERNELS_AMX_TILES_INL_HPP
#else
#define QWEN35_KERNELS_AMX_TILES_INL_HPP
#endif

#undef QWEN35_AMX_TILES
#if HWY_TARGET == HWY_AVX3 && defined(QWEN35_COMPILED_AMX)
#define QWEN35_AMX_TILES

HWY_BEFORE_NAMESPACE();
QWEN35_BEGIN_NAMESPACE
namespace kernels {
namespace HWY_NAMESPACE {

// As LDTILECFG reads it: of each register its rows and their bytes, at most 16 and 64.
struct alignas(64) AmxConfig {
  std::uint8_t palette = 1, start_row = 0, reserved[14] = {};
  std::uint16_t row_bytes[16] = {64, 64, 64, 64, 64, 64, 64, 64};
  std::uint8_t rows[16] = {16, 16, 16, 16, 16, 16, 16, 16};
};

// Every task that configures the registers releases them.
HWY_INLINE void configure_amx(const AmxConfig& config) {
  asm volatile("ldtilecfg %0" ::"m"(config));
}
HWY_INLINE void release_amx() {
  asm volatile("tilerelease" ::);
}

}  // namespace HWY_NAMESPACE
}  // namespace kernels
QWEN35_END_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // AMX

#endif
