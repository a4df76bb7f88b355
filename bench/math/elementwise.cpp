// SPDX-License-Identifier: Apache-2.0
#include "math_bench.hpp"

#include <qwen35/math/elementwise.hpp>

namespace {

using math_bench::width;

void add(benchmark::State& state) {
  math_bench::run(state, [](const float* x, const float* y, float* out) { qwen35::math::add(x, y, width, out); });
}
void scale_add(benchmark::State& state) {
  math_bench::run(state,
                  [](const float* x, const float*, float* out) { qwen35::math::scale_add(0.5f, x, width, out); });
}
BENCHMARK(add);
BENCHMARK(scale_add);

}  // namespace
