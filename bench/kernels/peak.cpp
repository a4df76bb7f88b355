// SPDX-License-Identifier: Apache-2.0
// The most multiply-adds the processor does: the measure for products of many tokens. x86-64 only.
#include "kernel_bench.hpp"

#if defined(__x86_64__)
namespace {

constexpr std::size_t chains = 12;
constexpr std::size_t steps = 100000;

#if defined(__clang__)  // contracts within an expression by default
#define QWEN35_CONTRACT
#else
#define QWEN35_CONTRACT , optimize("fp-contract=fast")
#endif

// Twelve independent chains of multiply-adds on vectors of `lanes` floats, contracted by the compiler.
#define QWEN35_PEAK(name, lanes, isa)                                                            \
  __attribute__((target(isa) QWEN35_CONTRACT)) float name(float factor) {                        \
    typedef float Vector __attribute__((vector_size(lanes * sizeof(float))));                    \
    const Vector x = Vector{} + factor, y = Vector{} + 0.001f;                                   \
    /* Equal chains would be computed once. */                                                   \
    Vector a0 = y, a1 = a0 + y, a2 = a1 + y, a3 = a2 + y, a4 = a3 + y, a5 = a4 + y, a6 = a5 + y; \
    Vector a7 = a6 + y, a8 = a7 + y, a9 = a8 + y, a10 = a9 + y, a11 = a10 + y;                   \
    for (std::size_t i = 0; i < steps; ++i) {                                                    \
      a0 = a0 * x + y, a1 = a1 * x + y, a2 = a2 * x + y, a3 = a3 * x + y, a4 = a4 * x + y;       \
      a5 = a5 * x + y, a6 = a6 * x + y, a7 = a7 * x + y, a8 = a8 * x + y, a9 = a9 * x + y;       \
      a10 = a10 * x + y, a11 = a11 * x + y;                                                      \
    }                                                                                            \
    const Vector sum = a0 + a1 + a2 + a3 + a4 + a5 + a6 + a7 + a8 + a9 + a10 + a11;              \
    return sum[0];                                                                               \
  }
QWEN35_PEAK(avx512, 16, "avx512f")
QWEN35_PEAK(avx2, 8, "avx2,fma")

void multiply_add_peak(benchmark::State& state) {
  const bool wide = qwen35::isa_name() == "avx512";
  if (!wide && qwen35::isa_name() != "avx2") {
    state.SkipWithError("neither AVX2 nor AVX-512");
    return;
  }
  const auto threads = static_cast<std::size_t>(state.range(0));
  const qwen35::ThreadCount scope(static_cast<int>(threads));
  for (auto _ : state) {
    qwen35::parallel_for(threads, [&](std::size_t) { benchmark::DoNotOptimize(wide ? avx512(0.999f) : avx2(0.999f)); });
  }
  kernel_bench::report(state, 2.0 * static_cast<double>((wide ? 16 : 8) * chains * steps * threads), 0.0);
}
BENCHMARK(multiply_add_peak)->ArgName("threads")->Arg(1)->Arg(2)->UseRealTime();

}  // namespace
#endif
