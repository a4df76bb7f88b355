// SPDX-License-Identifier: Apache-2.0
#include "math_bench.hpp"

#include <qwen35/math/softmax.hpp>

namespace {

using math_bench::width;

void softmax(benchmark::State& state) {
  math_bench::run(state, [](const float* x, const float*, float* out) { qwen35::math::softmax(x, width, out); });
}
void log_sum_exp(benchmark::State& state) {
  math_bench::run(state, [](const float* x, const float*, float* out) { *out = qwen35::math::log_sum_exp(x, width); });
}
BENCHMARK(softmax);
BENCHMARK(log_sum_exp);

}  // namespace
