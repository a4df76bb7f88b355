// SPDX-License-Identifier: Apache-2.0
// Which instruction sets the kernels are compiled for, and which of them runs.
//
// With run-time dispatch (the default) table-inl.hpp is compiled for the translation unit's own flags and for each
// better set of a short list: AVX2 and AVX-512 on x86-64, NEON on Arm. Highway's foreach_target.h works once per
// translation unit, and only here: a source file that uses it for itself cannot include these kernels, unless it
// defines QWEN35_STATIC_DISPATCH: kernels only for the flags of the translation unit. (As a build option, that is for
// embedded programs. It is part of the library's namespace, so give it to all files that share our types.) A file that
// uses Highway in the plain way must include it after this header.
#pragma once

#include <qwen35/core/error.hpp>
#include <qwen35/kernels/compiled.hpp>
#include <qwen35/kernels/kernels.hpp>

// Kernels that are compiled apart are not here: a program that had them from here too would run these.
#if !defined(QWEN35_COMPILED_KERNELS) || defined(QWEN35_KERNELS_SOURCE)

#include <array>
#include <atomic>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <limits>

#if !__has_include(<hwy/highway.h>)
#error "qwen35 needs Highway (Debian: libhwy-dev): link qwen35::qwen35, which finds or downloads it, or add its folder"
#elif !defined(QWEN35_STATIC_DISPATCH) && (defined(HWY_HIGHWAY_INCLUDED) || defined(HIGHWAY_HWY_FOREACH_TARGET_H_))
#error "include qwen35 before <hwy/highway.h>, or define QWEN35_STATIC_DISPATCH: Highway dispatches once for each file"
#include <qwen35/core/see_the_error_above.hpp>
#endif

// x86-64-v3 and -v4 have no AES instructions, which Highway expects beside AVX2 and no kernel uses.
#if defined(QWEN35_STATIC_DISPATCH) && !defined(__AES__) && !defined(HWY_DISABLE_PCLMUL_AES)
#define HWY_DISABLE_PCLMUL_AES
#endif

#if !defined(HWY_DISABLED_TARGETS)
#if defined(QWEN35_STATIC_DISPATCH)
// Vectors without a size known to the compiler cannot be members.
#define HWY_DISABLED_TARGETS (HWY_SVE | HWY_SVE2 | HWY_SVE_256 | HWY_SVE2_128 | HWY_RVV)
#else
// Each set costs about a second of compile time: x86-64 without AVX2 falls back to plain code.
#define HWY_DISABLED_TARGETS \
  (HWY_SSSE3 | HWY_SSE4 | HWY_AVX3_DL | HWY_SVE | HWY_SVE2 | HWY_SVE_256 | HWY_SVE2_128 | HWY_RVV)
#endif
#endif

// Tiles of bytes cost compile time too: only where the kernels are compiled once, and where a way is known to ask for
// them.
#if defined(QWEN35_KERNELS_SOURCE) && !defined(QWEN35_STATIC_DISPATCH) && defined(__x86_64__) && defined(__LP64__) && \
    defined(__linux__)
#define QWEN35_COMPILED_AMX
#endif

// Products of bytes with NEON's dot products are compiled beside those without, unless all processors of the flags have
// them.
#if defined(__aarch64__) && defined(__linux__) && !defined(QWEN35_STATIC_DISPATCH) && !defined(__ARM_FEATURE_DOTPROD)
#define QWEN35_ASKS_FOR_DOT
#endif

#if defined(QWEN35_STATIC_DISPATCH)
#if !defined(HWY_COMPILE_ONLY_STATIC)
#define HWY_COMPILE_ONLY_STATIC
#endif
#else
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "qwen35/kernels/table-inl.hpp"
#include <hwy/foreach_target.h>
#endif
#include <qwen35/kernels/table-inl.hpp>

#if HWY_ARCH_X86
#include <cpuid.h>
#endif
#if defined(QWEN35_ASKS_FOR_DOT)
#include <sys/auxv.h>
#endif
#if !(HWY_TARGETS & HWY_AVX3)
#undef QWEN35_COMPILED_AMX
#endif

QWEN35_BEGIN_NAMESPACE

namespace kernels {

namespace detail {

#if HWY_ARCH_X86
// Asked here and not through hwy::SupportedTargets(), so that nothing has to be linked.
inline bool cpu_has_avx2() {
  unsigned a = 0, b = 0, c = 0, d = 0;
  const bool f16c = __get_cpuid(1, &a, &b, &c, &d) != 0 && (c >> 29 & 1u) != 0;
  return f16c && __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("bmi") &&
         __builtin_cpu_supports("bmi2") && __builtin_cpu_supports("aes") && __builtin_cpu_supports("pclmul");
}
inline bool cpu_has_avx512() {
  return cpu_has_avx2() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") &&
         __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512bw");
}
#endif

#if !defined(QWEN35_STATIC_DISPATCH) && (HWY_TARGETS & HWY_AVX3) && (HWY_STATIC_TARGET != HWY_AVX3)
// AVX-512 without VNNI has no products of bytes: those of the next set, with the same bits, and what they read.
constexpr KernelTable without_vnni() {
#if HWY_TARGETS & HWY_AVX2
  constexpr const KernelTable& next = N_AVX2::table;
#else
  constexpr const KernelTable& next = HWY_STATIC_DISPATCH(table);
#endif
  KernelTable table = N_AVX3::table;
  table.quantize_rows = next.quantize_rows;
  table.integer_matmul = next.integer_matmul;
  return table;
}
inline constexpr KernelTable avx512_without_vnni = without_vnni();
#endif

#if defined(QWEN35_COMPILED_AMX)
// Of a CPU that has AVX-512. A process has to ask the system for the tile registers, because they make the state larger
// that signals save; it is told no where a thread's stack for signals is too small for that.
inline bool cpu_has_amx() {
  unsigned a = 0, b = 0, c = 0, d = 0;
  if (__get_cpuid_count(7, 0, &a, &b, &c, &d) == 0 || (d >> 24 & 3u) != 3u || (d >> 22 & 1u) == 0) {
    return false;
  }
  constexpr long request_permission = 0x1023, tile_data = 18;  // ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA
  long result = 158;                                           // arch_prctl
  asm volatile("syscall" : "+a"(result) : "D"(request_permission), "S"(tile_data) : "rcx", "r11", "memory");
  return result == 0;
}

constexpr KernelTable with_amx() {
  KernelTable table = N_AVX3::table;
  table.isa = "avx512-amx";
  table.matmul = N_AVX3::matmul_amx;
  table.pack_tokens = N_AVX3::pack_tokens_amx;
  table.matmul_packed = N_AVX3::matmul_packed_amx;
  table.integer_matmul = N_AVX3::integer_matmul_amx;
  return table;
}
inline constexpr KernelTable avx512_amx = with_amx();
#endif

#if defined(QWEN35_ASKS_FOR_DOT)
inline bool cpu_has_dot_products() {
  constexpr unsigned long dot_products = 1ul << 20;  // HWCAP_ASIMDDP
  return (getauxval(AT_HWCAP) & dot_products) != 0;
}

constexpr KernelTable with_dot_products() {
  KernelTable table = HWY_STATIC_DISPATCH(table);
  table.isa = "neon-dotprod";
  table.integer_matmul = HWY_STATIC_DISPATCH(integer_matmul_vectors);
  return table;
}
inline constexpr KernelTable neon_dotprod = with_dot_products();
#endif

struct Candidates {
  std::array<const KernelTable*, 4> tables{};
  std::size_t count = 0;
  constexpr void add(const KernelTable& table) { tables[count++] = &table; }
};

// The tables this CPU can run, best first. The last is that of the compiler's flags, which the whole program needs
// anyway.
inline Candidates candidates() {
  Candidates found;
#if defined(QWEN35_COMPILED_AMX)
  if (cpu_has_avx512() && __builtin_cpu_supports("avx512vnni") && cpu_has_amx()) {
    found.add(avx512_amx);
  }
#endif
#if !defined(QWEN35_STATIC_DISPATCH) && (HWY_TARGETS & HWY_AVX3) && (HWY_STATIC_TARGET != HWY_AVX3)
  if (cpu_has_avx512()) {
    found.add(__builtin_cpu_supports("avx512vnni") ? N_AVX3::table : avx512_without_vnni);
  }
#endif
#if !defined(QWEN35_STATIC_DISPATCH) && (HWY_TARGETS & HWY_AVX2) && (HWY_STATIC_TARGET != HWY_AVX2)
  if (cpu_has_avx2()) {
    found.add(N_AVX2::table);
  }
#endif
#if defined(QWEN35_ASKS_FOR_DOT)
  if (cpu_has_dot_products()) {
    found.add(neon_dotprod);
  }
#endif
  found.add(HWY_STATIC_DISPATCH(table));
  return found;
}

inline std::atomic<const KernelTable*> chosen_table{nullptr};

// The environment variable names a set; one that does not exist here is passed over, because kernels may run where
// nothing can be raised: require_isa_of_environment() is for who can.
inline const KernelTable& choose_table() {
  const Candidates found = candidates();
  const KernelTable* chosen = found.tables[0];
  if (const char* const wanted = std::getenv("QWEN35_ISA")) {
    for (std::size_t i = 0; i < found.count; ++i) {
      chosen = found.tables[i]->isa == wanted ? found.tables[i] : chosen;
    }
  }
  chosen_table.store(chosen, std::memory_order_relaxed);
  return *chosen;
}

inline const KernelTable& active_table() {
  const KernelTable* const table = chosen_table.load(std::memory_order_relaxed);
  return table != nullptr ? *table : choose_table();
}

// The named one, or the best for ""; false: there is none.
inline bool choose_table_of(std::string_view name) {
  const Candidates found = candidates();
  for (std::size_t i = 0; i < found.count; ++i) {
    if (name.empty() || found.tables[i]->isa == name) {
      chosen_table.store(found.tables[i], std::memory_order_relaxed);
      return true;
    }
  }
  return false;
}

}  // namespace detail

}  // namespace kernels

QWEN35_END_NAMESPACE

#if defined(QWEN35_COMPILED_KERNELS)

// What the library's users call, see compiled.hpp. (Their names of it must not be another function here.)
#define QWEN35_KERNEL_EXPORT(name, Task)                                                            \
  void QWEN35_KERNEL_SYMBOL_OF(QWEN35_EXPORTED_FORMATS, name)(const void* task) {                   \
    qwen35::kernels::detail::active_table().name(*static_cast<const qwen35::kernels::Task*>(task)); \
  }
#define QWEN35_KERNEL_EXPORTS                                                                               \
  QWEN35_KERNELS(QWEN35_KERNEL_EXPORT)                                                                      \
  const char* QWEN35_KERNEL_SYMBOL_OF(QWEN35_EXPORTED_FORMATS, isa_name)() {                                \
    return qwen35::kernels::detail::active_table().isa.data();                                              \
  }                                                                                                         \
  const char* QWEN35_KERNEL_SYMBOL_OF(QWEN35_EXPORTED_FORMATS, isa_choice)(std::size_t index) {             \
    const qwen35::kernels::detail::Candidates found = qwen35::kernels::detail::candidates();                \
    return index < found.count ? found.tables[index]->isa.data() : nullptr;                                 \
  }                                                                                                         \
  bool QWEN35_KERNEL_SYMBOL_OF(QWEN35_EXPORTED_FORMATS, choose_isa)(const char* name, std::size_t length) { \
    return qwen35::kernels::detail::choose_table_of({name, length});                                        \
  }
extern "C" {
#define QWEN35_EXPORTED_FORMATS QWEN35_ABI_FORMATS
QWEN35_KERNEL_EXPORTS
#undef QWEN35_EXPORTED_FORMATS
#if !defined(QWEN35_FORMATS)
#define QWEN35_EXPORTED_FORMATS some
QWEN35_KERNEL_EXPORTS
#undef QWEN35_EXPORTED_FORMATS
#endif
}
#undef QWEN35_KERNEL_EXPORTS
#undef QWEN35_KERNEL_EXPORT

#else

QWEN35_BEGIN_NAMESPACE

namespace kernels {

#define QWEN35_KERNEL_CALL(name, Task) \
  inline void name(const Task& task) { \
    detail::active_table().name(task); \
  }
QWEN35_KERNELS(QWEN35_KERNEL_CALL)
#undef QWEN35_KERNEL_CALL

namespace detail {
inline bool choose_isa(std::string_view name) {
  return choose_table_of(name);
}
}  // namespace detail

}  // namespace kernels

inline std::string_view isa_name() {
  return kernels::detail::active_table().isa;
}

inline IsaNames isa_names() {
  const kernels::detail::Candidates found = kernels::detail::candidates();
  IsaNames out;
  for (; out.count < found.count; ++out.count) {
    out.names[out.count] = found.tables[out.count]->isa;
  }
  return out;
}

QWEN35_END_NAMESPACE

#endif

#endif
