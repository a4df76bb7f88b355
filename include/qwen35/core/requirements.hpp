// SPDX-License-Identifier: Apache-2.0
// What compiler, processor and flags the library takes: said in one line, at which compiling ends, before a thousand
// others.
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
#elif __SIZEOF_POINTER__ < 8
#error "qwen35 needs a processor of 64 bits: files and models have sizes that std::size_t must hold"
#define QWEN35_CANNOT_COMPILE
#elif __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "qwen35 needs a little-endian processor: weights are used as they stand in their files"
#define QWEN35_CANNOT_COMPILE
#elif __FINITE_MATH_ONLY__
// Checks of what files and callers say would be left out.
#error "qwen35 looks for infinities and NaN, which -ffast-math and -Ofast deny: add -fno-finite-math-only"
#define QWEN35_CANNOT_COMPILE
#endif
#if defined(QWEN35_CANNOT_COMPILE)
#include <qwen35/core/see_the_error_above.hpp>  // a file that is not there is what no compiler goes on after
#endif
