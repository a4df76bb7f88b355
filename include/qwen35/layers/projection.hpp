// SPDX-License-Identifier: Apache-2.0
// Matrix products with weights, spread over the threads: several matrices that read the same rows share one parallel region.
#pragma once

#include <qwen35/core/matrix.hpp>
#include <qwen35/kernels/kernels.hpp>
#include <qwen35/parallel/parallel_for.hpp>

#include <algorithm>
#include <array>
#include <span>

QWEN35_BEGIN_NAMESPACE

// y[t, n] = sum_k x[t, k] * weight[n, k] + bias[n]
struct Projection {
  Matrix weight;                // [out, in]
  float* y = nullptr;           // [tokens, out]
  std::size_t y_stride = 0;     // floats between tokens
  const float* bias = nullptr;  // [out] or null
};

namespace detail {

// Runs fn(0) ... fn(tasks - 1), on the threads when the work pays for waking them: a region costs a few microseconds, in which one core does about
// 100,000 multiply-adds.
template <class Fn>
inline void share(std::size_t multiply_adds, std::size_t tasks, const Fn& fn) {
  if (multiply_adds < 131072) {
    for (std::size_t task = 0; task < tasks; ++task) {
      fn(task);
    }
    return;
  }
  parallel_for(tasks, fn);
}

// Rows of one task: enough tasks for the threads to share evenly, none so small that handing it out costs more than its work
// (64 rows of 2048 bf16 values are 256 KiB, about 20 us of memory time).
inline std::size_t rows_per_task(std::size_t rows) {
  const std::size_t granule = kernels::matmul_row_granule();
  const std::size_t threads = static_cast<std::size_t>(num_threads());
  const std::size_t wanted = std::clamp<std::size_t>(rows / (threads * 8), granule, 64);
  return (wanted + granule - 1) / granule * granule;
}

}  // namespace detail

// All projections of x `[tokens, in]` (`x_stride` floats between tokens).
inline void project(std::span<const Projection> projections, const float* x, std::size_t x_stride, std::size_t tokens) {
  std::size_t rows = 0;
  std::size_t values = 0;
  for (const Projection& projection : projections) {
    rows += projection.weight.rows;
    values += projection.weight.rows * projection.weight.cols;
  }
  const std::size_t step = detail::rows_per_task(rows);
  std::size_t tasks = 0;
  for (const Projection& projection : projections) {
    tasks += (projection.weight.rows + step - 1) / step;
  }
  detail::share(values * tokens, tasks, [&](std::size_t task) {
    for (const Projection& projection : projections) {
      const std::size_t own = (projection.weight.rows + step - 1) / step;
      if (task < own) {
        const std::size_t begin = task * step;
        kernels::matmul(projection.weight, begin, std::min(begin + step, projection.weight.rows), x, x_stride, tokens, projection.y,
                        projection.y_stride, projection.bias);
        return;
      }
      task -= own;
    }
  });
}

inline void project(const Projection& projection, const float* x, std::size_t x_stride, std::size_t tokens) {
  project(std::span<const Projection>(&projection, 1), x, x_stride, tokens);
}

QWEN35_END_NAMESPACE
