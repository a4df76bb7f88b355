// SPDX-License-Identifier: Apache-2.0
// expect: "qwen35 runs where xsimd has vectors
// lines: 12
// flags: -UQWEN35_COMPILED_KERNELS -UQWEN35_COMPILED_GENERATE -DXSIMD_NO_SUPPORTED_ARCHITECTURE
#include <qwen35/math/norms.hpp>
