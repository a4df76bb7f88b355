// SPDX-License-Identifier: Apache-2.0
#include "math_bench.hpp"

#include <qwen35/math/rotary.hpp>

namespace {

void rotate_half(benchmark::State& state) {
  math_bench::run(state, [](const float* x, const float* y, float* out) {
    qwen35::math::rotate_half(x, y, y + 1024, math_bench::width / 2, out);
  });
}
BENCHMARK(rotate_half);

}  // namespace
