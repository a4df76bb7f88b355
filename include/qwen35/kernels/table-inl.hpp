// SPDX-License-Identifier: Apache-2.0
// Every kernel of one instruction set, and the table that names them. dispatch.hpp includes this file once for each.
#include <qwen35/kernels/activations-inl.hpp>
#include <qwen35/kernels/attention-inl.hpp>
#include <qwen35/kernels/causal_conv1d-inl.hpp>
#include <qwen35/kernels/fit_scales-inl.hpp>
#include <qwen35/kernels/gated_delta_rule-inl.hpp>
#include <qwen35/kernels/integer_matmul-inl.hpp>
#include <qwen35/kernels/matmul_amx-inl.hpp>
#include <qwen35/kernels/quantize_rows-inl.hpp>
#include <qwen35/kernels/resize-inl.hpp>
#include <qwen35/kernels/row_conversion-inl.hpp>

#if defined(QWEN35_KERNELS_TABLE_INL_HPP) == defined(HWY_TARGET_TOGGLE)
#ifdef QWEN35_KERNELS_TABLE_INL_HPP
#undef QWEN35_KERNELS_TABLE_INL_HPP
#else
#define QWEN35_KERNELS_TABLE_INL_HPP
#endif

// (No function stands here that an instruction set's attribute could go to, which Clang warns of.)
QWEN35_BEGIN_NAMESPACE
namespace kernels {
namespace HWY_NAMESPACE {

#if HWY_TARGET <= HWY_AVX3
#define QWEN35_KERNELS_ISA "avx512"
#elif HWY_TARGET == HWY_AVX2
#define QWEN35_KERNELS_ISA "avx2"
#elif HWY_TARGET == HWY_SSE4
#define QWEN35_KERNELS_ISA "sse4"
#elif HWY_TARGET == HWY_SSSE3
#define QWEN35_KERNELS_ISA "ssse3"
#elif HWY_TARGET == HWY_NEON && defined(__ARM_FEATURE_DOTPROD)
#define QWEN35_KERNELS_ISA "neon-dotprod"
#elif HWY_TARGET == HWY_NEON
#define QWEN35_KERNELS_ISA "neon"
#elif HWY_TARGET == HWY_SCALAR
#define QWEN35_KERNELS_ISA "scalar"
#else
#define QWEN35_KERNELS_ISA "generic"
#endif

#define QWEN35_KERNEL_ENTRY(name, Task) , name
inline constexpr KernelTable table = {QWEN35_KERNELS_ISA QWEN35_KERNELS(QWEN35_KERNEL_ENTRY)};
#undef QWEN35_KERNEL_ENTRY

#undef QWEN35_KERNELS_ISA

}  // namespace HWY_NAMESPACE
}  // namespace kernels
QWEN35_END_NAMESPACE

#endif
