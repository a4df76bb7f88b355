// SPDX-License-Identifier: Apache-2.0
// The namespace of every declaration: `qwen35`, with an inline part that names the version and each compiler option
// that changes code.
//
// Two translation units compiled with different -m flags (or one with OpenMP and one without) would otherwise share the
// names of their inline functions, and link order would choose which body runs. With the options in the name they are
// different functions.
#pragma once

#include <qwen35/core/requirements.hpp>
#include <qwen35/version.hpp>

#if defined(__AVX512F__) && defined(__AVX512BW__)
#define QWEN35_ABI_ISA avx512
#elif defined(__AVX2__) && defined(__FMA__)
#define QWEN35_ABI_ISA avx2
#elif defined(__AVX__)
#define QWEN35_ABI_ISA avx
#elif defined(__SSE4_1__)
#define QWEN35_ABI_ISA sse4
#elif defined(__ARM_FEATURE_SVE)
#define QWEN35_ABI_ISA sve
#else
#define QWEN35_ABI_ISA base
#endif

#if defined(QWEN35_STATIC_DISPATCH)
#define QWEN35_ABI_DISPATCH static
#else
#define QWEN35_ABI_DISPATCH dynamic
#endif

#if defined(_OPENMP)
#define QWEN35_ABI_THREADS openmp
#else
#define QWEN35_ABI_THREADS serial
#endif

#if defined(__cpp_exceptions)
#define QWEN35_ABI_ERRORS throws
#else
#define QWEN35_ABI_ERRORS handler
#endif

#if defined(QWEN35_FORMATS)
#define QWEN35_ABI_FORMATS some
#else
#define QWEN35_ABI_FORMATS all
#endif

// Classes of files are others without POSIX or without mapping.
#if defined(QWEN35_NO_POSIX)
#define QWEN35_ABI_FILES _std_files
#elif defined(QWEN35_NO_MMAP)
#define QWEN35_ABI_FILES _unmapped
#else
#define QWEN35_ABI_FILES
#endif

#define QWEN35_ABI_JOIN(major, minor, isa, dispatch, threads, errors, formats, files) \
  v##major##_##minor##_##isa##_##dispatch##_##threads##_##errors##_##formats##files
#define QWEN35_ABI_EXPAND(major, minor, isa, dispatch, threads, errors, formats, files) \
  QWEN35_ABI_JOIN(major, minor, isa, dispatch, threads, errors, formats, files)
#define QWEN35_ABI                                                                                   \
  QWEN35_ABI_EXPAND(QWEN35_VERSION_MAJOR, QWEN35_VERSION_MINOR, QWEN35_ABI_ISA, QWEN35_ABI_DISPATCH, \
                    QWEN35_ABI_THREADS, QWEN35_ABI_ERRORS, QWEN35_ABI_FORMATS, QWEN35_ABI_FILES)

// An installed qwen35::generate says what it was compiled for: where that is something else than this file is, the
// linker would find nothing.
#if defined(QWEN35_COMPILED_ABI)
namespace qwen35 {
namespace abi_check {
#define QWEN35_ABI_WORD(...) #__VA_ARGS__
#define QWEN35_ABI_TEXT(...) QWEN35_ABI_WORD(__VA_ARGS__)
consteval bool same(const char* a, const char* b) {
  while (*a != 0 && *a == *b) {
    ++a;
    ++b;
  }
  return *a == *b;
}
static_assert(
    same(QWEN35_ABI_TEXT(QWEN35_ABI), QWEN35_ABI_TEXT(QWEN35_COMPILED_ABI)),
    "qwen35::generate was compiled with other flags than this file (for an instruction set, OpenMP, "
    "exceptions, QWEN35_FORMATS, QWEN35_NO_POSIX): compile both alike, or link qwen35::kernels, which takes any, or "
    "qwen35::qwen35");
#undef QWEN35_ABI_TEXT
#undef QWEN35_ABI_WORD
}  // namespace abi_check
}  // namespace qwen35
#endif

// Two deliveries of one source. By default all functions are inline. With QWEN35_COMPILED_GENERATE, which the target
// qwen35::generate sets, the bodies of those that are no templates stand in that target's one file, and programs see
// declarations: less than half of the time to compile.
//
// A large function that few programs call is QWEN35_LAZY: among inline functions a template of nothing, whose body
// costs only those who call it.
#if defined(QWEN35_COMPILED_GENERATE)
#define QWEN35_BODY
#define QWEN35_LAZY
#define QWEN35_LAZY_BODY
#else
#define QWEN35_BODY inline
#define QWEN35_LAZY template <class = void>
#define QWEN35_LAZY_BODY template <class>
#endif
#if defined(QWEN35_COMPILED_GENERATE) && !defined(QWEN35_GENERATE_SOURCE)
#define QWEN35_BODIES 0
#else
#define QWEN35_BODIES 1
#endif

#define QWEN35_BEGIN_NAMESPACE \
  namespace qwen35 {           \
  inline namespace QWEN35_ABI {
#define QWEN35_END_NAMESPACE \
  }                          \
  }
