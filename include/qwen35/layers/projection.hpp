// SPDX-License-Identifier: Apache-2.0
// Matrix products with weights, spread over the threads: several matrices that read the same rows share one parallel
// region.
#pragma once

#include <qwen35/core/arena.hpp>
#include <qwen35/core/matrix.hpp>
#include <qwen35/kernels/kernels.hpp>
#include <qwen35/kernels/matmul_blocks.hpp>
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

// Runs fn(0) ... fn(tasks - 1), on the threads when the work pays for waking them: a region costs a few microseconds,
// in which one core does about 100,000 multiply-adds.
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

// Rows of one task: enough tasks for the threads to share evenly, none so small that handing it out costs more than its
// work (64 rows of 2048 bf16 values are 256 KiB, about 20 us of memory time).
inline std::size_t rows_per_task(std::size_t rows) {
  const std::size_t granule = kernels::matmul_row_granule;
  const std::size_t threads = static_cast<std::size_t>(num_threads());
  const std::size_t wanted = std::clamp<std::size_t>(rows / (threads * 16), granule, 64);
  return (wanted + granule - 1) / granule * granule;
}

// Calls fn(projection, begin, end) for ranges of rows of each, on the threads.
template <class Fn>
inline void over_rows(std::span<const Projection> projections, std::size_t tokens, const Fn& fn) {
  std::size_t rows = 0;
  std::size_t values = 0;
  for (const Projection& projection : projections) {
    rows += projection.weight.rows;
    values += projection.weight.rows * projection.weight.cols;
  }
  const std::size_t step = rows_per_task(rows);
  std::size_t tasks = 0;
  for (const Projection& projection : projections) {
    tasks += (projection.weight.rows + step - 1) / step;
  }
  share(values * tokens, tasks, [&](std::size_t task) {
    for (const Projection& projection : projections) {
      const std::size_t own = (projection.weight.rows + step - 1) / step;
      if (task < own) {
        const std::size_t begin = task * step;
        fn(projection, begin, std::min(begin + step, projection.weight.rows));
        return;
      }
      task -= own;
    }
  });
}

}  // namespace detail

// What project() takes of the arena while it works on rows of `in` values.
template <class A>
struct ProjectionScratch {
  typename A::Scope scope;
  float* packed = nullptr;  // a block of the values of all tokens

  constexpr ProjectionScratch(A& arena, std::size_t tokens, std::size_t in) : scope(arena) {
    if (tokens > kernels::few_tokens) {
      packed = arena.template take<float>(kernels::packed_size(tokens, std::min(in, kernels::matmul_block(in))));
    }
  }
};

constexpr std::size_t projection_bytes(std::size_t tokens, std::size_t in) {
  return scratch_bytes<ProjectionScratch<ArenaMeter>>(tokens, in);
}

// All projections of x `[tokens, in]`. Many tokens go through block by block of their values, so that what every thread
// reads, the packed block, stays small. (512 tokens of 4304 values: whole rows packed once are 5 % slower than tokens
// packed anew by each task, blocks 9 % faster.)
inline void project(std::span<const Projection> projections, const float* x, std::size_t tokens, Arena& arena) {
  const std::size_t in = projections.front().weight.cols;
  if (tokens <= kernels::few_tokens || in == 0) {
    detail::over_rows(projections, tokens, [&](const Projection& projection, std::size_t begin, std::size_t end) {
      kernels::matmul(
          {projection.weight, begin, end, x, in, tokens, projection.y, projection.y_stride, projection.bias});
    });
    return;
  }
  const ProjectionScratch<Arena> scratch(arena, tokens, in);
  constexpr std::size_t granule = kernels::packed_granule;
  const std::size_t block = kernels::matmul_block(in);
  for (std::size_t k = 0; k < in; k += block) {
    parallel_ranges(tokens, granule, [&](std::size_t begin, std::size_t end) {
      kernels::pack_tokens({x + k, in, begin, end, std::min(block, in - k), scratch.packed});
    });
    detail::over_rows(projections, tokens, [&](const Projection& projection, std::size_t begin, std::size_t end) {
      kernels::matmul_packed({projection.weight, begin, end, k, scratch.packed, tokens, projection.y,
                              projection.y_stride, projection.bias});
    });
  }
}

inline void project(const Projection& projection, const float* x, std::size_t tokens, Arena& arena) {
  project(std::span<const Projection>(&projection, 1), x, tokens, arena);
}

QWEN35_END_NAMESPACE
