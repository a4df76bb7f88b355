// SPDX-License-Identifier: Apache-2.0
// expect: "qwen35 needs xsimd (Debian: libxsimd-dev): link qwen35::qwen35, which finds
// lines: 12
// flags: -UQWEN35_COMPILED_KERNELS -UQWEN35_COMPILED_GENERATE
// without: xsimd
#include <qwen35/math/norms.hpp>
