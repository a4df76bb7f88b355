// SPDX-License-Identifier: Apache-2.0
// The version of the library. CMake reads these three numbers.
#pragma once

#define QWEN35_VERSION_MAJOR 0
#define QWEN35_VERSION_MINOR 1
#define QWEN35_VERSION_PATCH 0
