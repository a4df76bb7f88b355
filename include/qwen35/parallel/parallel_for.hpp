// SPDX-License-Identifier: Apache-2.0
// Parallel loops.
#pragma once

#include <qwen35/parallel/region_cost.hpp>
#include <qwen35/parallel/thread_team.hpp>

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <exception>
#include <type_traits>

QWEN35_BEGIN_NAMESPACE

namespace detail {

#if defined(__cpp_exceptions)
// Carries the first exception of a region to the thread that started it; one that left a helper would end the process.
class FirstError {
 public:
  template <class F>
  void run(const F& body) noexcept {
    try {
      body();
    } catch (...) {
      if (!taken_.exchange(true)) {
        error_ = std::current_exception();
      }
    }
  }
  // True once an iteration has failed: the iterations that have not begun are skipped.
  bool any() const { return taken_.load(std::memory_order_relaxed); }
  void rethrow() const {
    if (error_) {
      std::rethrow_exception(error_);
    }
  }

 private:
  std::atomic<bool> taken_{false};
  std::exception_ptr error_;
};
#else
class FirstError {
 public:
  template <class F>
  void run(const F& body) noexcept {
    body();
  }
  bool any() const { return false; }
  void rethrow() const {}
};
#endif

template <class F>
struct LoopOf : ParallelLoop {
  LoopOf(std::size_t iterations, F& function) : ParallelLoop{run, iterations}, fn(function) {}

  static bool run(ParallelLoop& loop) {
    LoopOf& self = static_cast<LoopOf&>(loop);
    bool any = false;
    for (std::size_t i; (i = self.next.fetch_add(1, std::memory_order_relaxed)) < self.count; any = true) {
      if (!self.first_error.any()) {
        self.first_error.run([&] { self.fn(i); });
      }
    }
    return any;
  }

  F& fn;
  FirstError first_error;
};

}  // namespace detail

// fn(i) for every i < count; threads take the next i when they are free. An exception of fn is raised again here, after
// the loop.
template <class F>
inline void parallel_for(std::size_t count, F&& fn) {
#if defined(_OPENMP)
  const std::size_t threads = count > 1 ? std::min(count, static_cast<std::size_t>(num_threads())) : 1;
  if (threads > 1) {
    detail::LoopOf<std::remove_reference_t<F>> loop(count, fn);
    run_loop(loop, static_cast<int>(threads));
    loop.first_error.rethrow();
    return;
  }
#endif
  for (std::size_t i = 0; i < count; ++i) {
    fn(i);
  }
}

// True when that many multiply-adds are worth a region: what one core does (about 32 in a nanosecond, of short rows) in
// twice the time that the region takes.
inline bool worth_a_region(std::size_t multiply_adds) {
  return num_threads() > 1 && multiply_adds / 64 >= region_cost();
}

// fn(0) ... fn(tasks - 1), on the threads when the work pays for it.
template <class F>
inline void parallel_tasks(std::size_t multiply_adds, std::size_t tasks, F&& fn) {
  if (tasks > 1 && worth_a_region(multiply_adds)) {
    parallel_for(tasks, fn);
    return;
  }
  for (std::size_t task = 0; task < tasks; ++task) {
    fn(task);
  }
}

// fn(begin, end) on contiguous ranges that cover [0, count): at most one range for each thread, each but the last a
// multiple of `grain` long. The cuts depend on the thread count, so fn must treat each index alone.
template <class F>
inline void parallel_ranges(std::size_t count, std::size_t grain, F&& fn) {
  if (count == 0) {
    return;
  }
  const std::size_t unit = grain > 0 ? grain : 1;
  const std::size_t units = count / unit + (count % unit != 0 ? 1 : 0);
  const std::size_t ranges = std::min(units, static_cast<std::size_t>(num_threads()));
  const std::size_t base = units / ranges;
  const std::size_t longer = units % ranges;  // this many ranges have one unit more
  parallel_for(ranges, [&](std::size_t i) {
    const std::size_t begin = (i * base + std::min(i, longer)) * unit;
    const std::size_t end = ((i + 1) * base + std::min(i + 1, longer)) * unit;
    fn(begin, std::min(end, count));
  });
}

QWEN35_END_NAMESPACE
