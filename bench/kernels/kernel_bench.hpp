// SPDX-License-Identifier: Apache-2.0
// Shared by the kernel benches: filled buffers, and rates as counters. QWEN35_ISA=avx2 runs them on a lesser
// instruction set.
#pragma once

#include <qwen35/core/aligned_buffer.hpp>
#include <qwen35/kernels/kernels.hpp>
#include <qwen35/parallel/parallel_for.hpp>

#include <benchmark/benchmark.h>

#include <cstdint>
#include <string>

namespace kernel_bench {

// Small finite values in any format: 0x3c3c is 1.06 as f16 and 0.0115 as bf16, two of them 0.0115 as f32.
inline qwen35::AlignedBuffer<std::byte> filled(std::size_t bytes) {
  qwen35::AlignedBuffer<std::byte> buffer(bytes);
  std::memset(buffer.data(), 0x3c, bytes);
  return buffer;
}

inline qwen35::AlignedBuffer<float> filled_floats(std::size_t count, float value = 0.01f) {
  qwen35::AlignedBuffer<float> buffer(count);
  for (float& element : buffer) {
    element = value;
  }
  return buffer;
}

inline void report(benchmark::State& state, double flops, double bytes) {
  using benchmark::Counter;
  state.SetLabel(std::string(qwen35::isa_name()));
  state.counters["flop/s"] = Counter(flops, Counter::kIsIterationInvariantRate);
  state.counters["B/s"] = Counter(bytes, Counter::kIsIterationInvariantRate);
}

}  // namespace kernel_bench
