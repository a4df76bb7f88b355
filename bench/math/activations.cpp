// SPDX-License-Identifier: Apache-2.0
#include "math_bench.hpp"

#include <qwen35/math/activations.hpp>

namespace {

using math_bench::width;

void exp(benchmark::State& state) {
  math_bench::run(state, [](const float* x, const float*, float* out) { qwen35::math::exp(x, width, out); });
}
void sigmoid_multiply(benchmark::State& state) {
  math_bench::run(state,
                  [](const float* x, const float* y, float* out) { qwen35::math::sigmoid_multiply(x, y, width, out); });
}
void gelu_tanh(benchmark::State& state) {
  math_bench::run(state, [](const float* x, const float*, float* out) { qwen35::math::gelu_tanh(x, width, out); });
}
void gelu_erf(benchmark::State& state) {
  math_bench::run(state, [](const float* x, const float*, float* out) { qwen35::math::gelu_erf(x, width, out); });
}
BENCHMARK(exp);
BENCHMARK(sigmoid_multiply);
BENCHMARK(gelu_tanh);
BENCHMARK(gelu_erf);

}  // namespace
