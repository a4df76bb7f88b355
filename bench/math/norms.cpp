// SPDX-License-Identifier: Apache-2.0
#include "math_bench.hpp"

#include <qwen35/math/norms.hpp>

namespace {

using math_bench::width;

void rms_norm(benchmark::State& state) {
  math_bench::run(state,
                  [](const float* x, const float* y, float* out) { qwen35::math::rms_norm(x, y, width, 1e-6f, out); });
}
void gated_rms_norm(benchmark::State& state) {
  math_bench::run(state, [](const float* x, const float* y, float* out) {
    qwen35::math::gated_rms_norm(x, y, y, width, 1e-6f, out);
  });
}
void layer_norm(benchmark::State& state) {
  math_bench::run(
      state, [](const float* x, const float* y, float* out) { qwen35::math::layer_norm(x, y, y, width, 1e-6f, out); });
}
void l2_normalise(benchmark::State& state) {
  math_bench::run(
      state, [](const float* x, const float*, float* out) { qwen35::math::l2_normalise(x, width, 1e-6f, 0.1f, out); });
}
BENCHMARK(rms_norm);
BENCHMARK(gated_rms_norm);
BENCHMARK(layer_norm);
BENCHMARK(l2_normalise);

}  // namespace
