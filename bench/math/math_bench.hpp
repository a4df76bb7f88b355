// SPDX-License-Identifier: Apache-2.0
// Shared by the maths benches: a row of 4096 values in and out.
#pragma once

#include <benchmark/benchmark.h>

#include <cstdint>
#include <vector>

namespace math_bench {

inline constexpr std::size_t width = 4096;

// f(x, y, out) on rows of `width` values between -4 and 4.
template <class F>
void run(benchmark::State& state, const F& f) {
  std::vector<float> x(width), y(width), out(width);
  for (std::size_t i = 0; i < width; ++i) {
    x[i] = static_cast<float>(i * 37 % width) / 512.0f - 4.0f;
    y[i] = static_cast<float>(i * 53 % width) / 512.0f - 4.0f;
  }
  for (auto _ : state) {
    f(x.data(), y.data(), out.data());
    benchmark::ClobberMemory();
  }
  state.SetItemsProcessed(static_cast<std::int64_t>(width) * static_cast<std::int64_t>(state.iterations()));
}

}  // namespace math_bench
