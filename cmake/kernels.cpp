// SPDX-License-Identifier: Apache-2.0
// The kernels, compiled once: the one file of the target qwen35::kernels.
#define QWEN35_KERNELS_SOURCE
#include <qwen35/kernels/kernels.hpp>
