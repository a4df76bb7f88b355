// SPDX-License-Identifier: Apache-2.0
// What the machine can do at best: bytes read from memory and multiply-adds, each a second. What speeds are held
// against.
#pragma once

#include <qwen35/core/aligned_buffer.hpp>
#include <qwen35/io/huge_pages.hpp>
#include <qwen35/kernels/kernels.hpp>
#include <qwen35/parallel/parallel_for.hpp>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstring>
#include <fstream>
#include <string>

namespace machine {

#if defined(__clang__)  // contracts within an expression by default
#define QWEN35_MACHINE_CONTRACT
#else
#define QWEN35_MACHINE_CONTRACT __attribute__((optimize("fp-contract=fast")))
#endif

// Whole vectors from four streams, two of each a step: a core keeps more lines on their way than from one stream.
#define QWEN35_MACHINE_READ(name, words, target)                                              \
  target inline std::uint64_t name(const std::uint64_t* from, std::size_t count) {            \
    typedef std::uint64_t Vector __attribute__((vector_size(words * sizeof(std::uint64_t)))); \
    const std::size_t vectors = count / words / 4;                                            \
    const Vector* const a = reinterpret_cast<const Vector*>(from);                            \
    const Vector *const b = a + vectors, *const c = b + vectors, *const d = c + vectors;      \
    Vector s0{}, s1{}, s2{}, s3{}, s4{}, s5{}, s6{}, s7{};                                    \
    for (std::size_t i = 0; i + 2 <= vectors; i += 2) {                                       \
      s0 |= a[i], s1 |= b[i], s2 |= c[i], s3 |= d[i];                                         \
      s4 |= a[i + 1], s5 |= b[i + 1], s6 |= c[i + 1], s7 |= d[i + 1];                         \
    }                                                                                         \
    const Vector sum = s0 | s1 | s2 | s3 | s4 | s5 | s6 | s7;                                 \
    return sum[0] | sum[words - 1];                                                           \
  }

// Twelve independent chains of multiply-adds on vectors of `lanes` floats. (Equal chains would be computed once.)
inline constexpr std::size_t chains = 12;
#define QWEN35_MACHINE_MULTIPLY_ADD(name, lanes, target)                                                    \
  target QWEN35_MACHINE_CONTRACT inline float name(float factor, std::size_t steps) {                       \
    typedef float Vector __attribute__((vector_size(lanes * sizeof(float))));                               \
    const Vector x = Vector{} + factor, y = Vector{} + 0.001f;                                              \
    Vector a0 = y, a1 = a0 + y, a2 = a1 + y, a3 = a2 + y, a4 = a3 + y, a5 = a4 + y, a6 = a5 + y;            \
    Vector a7 = a6 + y, a8 = a7 + y, a9 = a8 + y, a10 = a9 + y, a11 = a10 + y;                              \
    for (std::size_t i = 0; i < steps; ++i) {                                                               \
      a0 = a0 * x + y, a1 = a1 * x + y, a2 = a2 * x + y, a3 = a3 * x + y, a4 = a4 * x + y, a5 = a5 * x + y; \
      a6 = a6 * x + y, a7 = a7 * x + y, a8 = a8 * x + y, a9 = a9 * x + y, a10 = a10 * x + y;                \
      a11 = a11 * x + y;                                                                                    \
    }                                                                                                       \
    const Vector sum = a0 + a1 + a2 + a3 + a4 + a5 + a6 + a7 + a8 + a9 + a10 + a11;                         \
    return sum[0];                                                                                          \
  }

#if defined(__x86_64__)
QWEN35_MACHINE_READ(read_avx512, 8, __attribute__((target("avx512f"))))
QWEN35_MACHINE_READ(read_avx2, 4, __attribute__((target("avx2"))))
QWEN35_MACHINE_MULTIPLY_ADD(multiply_add_avx512, 16, __attribute__((target("avx512f"))))
QWEN35_MACHINE_MULTIPLY_ADD(multiply_add_avx2, 8, __attribute__((target("avx2,fma"))))
#endif
QWEN35_MACHINE_READ(read_base, 2, )
QWEN35_MACHINE_MULTIPLY_ADD(multiply_add_base, 4, )
#undef QWEN35_MACHINE_READ
#undef QWEN35_MACHINE_MULTIPLY_ADD
#undef QWEN35_MACHINE_CONTRACT

using Read = std::uint64_t (*)(const std::uint64_t*, std::size_t);
using MultiplyAdd = float (*)(float, std::size_t);

struct Best {
  Read read = read_base;
  MultiplyAdd multiply_add = multiply_add_base;
  std::size_t lanes = 4;

  // Of the instruction set that the kernels run on.
  static Best of_kernels() {
#if defined(__x86_64__)
    if (qwen35::isa_name().starts_with("avx512")) {
      return {read_avx512, multiply_add_avx512, 16};
    }
    if (qwen35::isa_name() == "avx2") {
      return {read_avx2, multiply_add_avx2, 8};
    }
#endif
    return {};
  }
};

// The fastest of `passes` calls, in seconds.
template <class Call>
double fastest(std::size_t passes, const Call& call) {
  double best = 0;
  for (std::size_t i = 0; i < passes; ++i) {
    const auto start = std::chrono::steady_clock::now();
    call();
    const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    best = i == 0 ? seconds : std::min(best, seconds);
  }
  return best;
}

// Larger than any cache.
inline constexpr std::size_t bandwidth_bytes = std::size_t{1} << 30;

inline qwen35::AlignedBuffer<std::byte> bandwidth_memory(bool huge_pages) {
  auto memory = huge_pages ? qwen35::large_buffer(bandwidth_bytes)
                           : qwen35::AlignedBuffer<std::byte>::uninitialised(bandwidth_bytes);
  qwen35::parallel_ranges(bandwidth_bytes, 1 << 22, [&](std::size_t begin, std::size_t end) {
    std::memset(memory.data() + begin, 1, end - begin);
  });
  return memory;
}

// Reads the whole memory once, in pieces of 4 MiB that threads take when they are free. The sum is for the compiler.
inline std::uint64_t read_all(const qwen35::AlignedBuffer<std::byte>& memory) {
  constexpr std::size_t piece = std::size_t{1} << 22;
  const Read read = Best::of_kernels().read;
  std::atomic<std::uint64_t> sum{0};
  qwen35::parallel_for(memory.size() / piece, [&](std::size_t i) {
    sum |= read(reinterpret_cast<const std::uint64_t*>(memory.data() + i * piece), piece / sizeof(std::uint64_t));
  });
  return sum;
}

// Bytes a second that `threads` threads read from memory: the best of five passes over 1 GiB.
inline double read_bandwidth(int threads, bool huge_pages) {
  const qwen35::ThreadCount scope(threads);
  const auto memory = bandwidth_memory(huge_pages);
  volatile std::uint64_t sink = 0;
  return static_cast<double>(memory.size()) / fastest(5, [&] { sink = read_all(memory); });
}

// Of one call of multiply_adds on so many threads.
inline constexpr std::size_t multiply_add_steps = 100000;
inline double multiply_adds(std::size_t threads) {
  return static_cast<double>(Best::of_kernels().lanes * chains * multiply_add_steps * threads);
}
inline float multiply_add(std::size_t threads) {
  const MultiplyAdd run = Best::of_kernels().multiply_add;
  std::atomic<float> sink{0};
  qwen35::parallel_for(threads, [&](std::size_t) { sink = run(0.999f, multiply_add_steps); });
  return sink;
}

// Multiply-adds of f32 a second, of `threads` threads.
inline double multiply_add_peak(int threads) {
  const qwen35::ThreadCount scope(threads);
  volatile float sink = 0;
  const auto count = static_cast<std::size_t>(threads);
  return multiply_adds(count) / fastest(20, [&] { sink = multiply_add(count); });
}

inline std::string cpu_name() {
  std::ifstream info("/proc/cpuinfo");
  for (std::string line; std::getline(info, line);) {
    const std::size_t colon = line.find(": ");
    if (line.starts_with("model name") && colon != std::string::npos) {
      return line.substr(colon + 2);
    }
  }
  return "unknown";
}

}  // namespace machine
