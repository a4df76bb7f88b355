// SPDX-License-Identifier: Apache-2.0
// What compiler the library takes: said in one line, at which compiling ends, before a thousand others.
#pragma once

#if __cplusplus < 202002L
#error "qwen35 is written in C++20: compile with -std=c++20 (CMake: link the target qwen35::qwen35)"
#define QWEN35_CANNOT_COMPILE
#elif defined(__clang__) && __clang_major__ < 14
#error "qwen35 needs Clang 14 or newer"
#define QWEN35_CANNOT_COMPILE
#elif defined(__GNUC__) && !defined(__clang__) && __GNUC__ < 12
#error "qwen35 needs GCC 12 or newer"
#define QWEN35_CANNOT_COMPILE
#endif
#if defined(QWEN35_CANNOT_COMPILE)
#include <qwen35/core/see_the_error_above.hpp>  // a file that is not there is what no compiler goes on after
#endif
