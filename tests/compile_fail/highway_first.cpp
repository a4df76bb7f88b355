// SPDX-License-Identifier: Apache-2.0
// expect: "include qwen35 before <hwy/highway.h>, or define QWEN35_STATIC_DISPATCH
// lines: 12
// flags: -UQWEN35_COMPILED_KERNELS
#include <hwy/highway.h>

#include <qwen35/kernels/kernels.hpp>
