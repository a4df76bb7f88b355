// SPDX-License-Identifier: Apache-2.0
// Parallel loops and the thread count. The only header that uses OpenMP; without -fopenmp everything runs on the
// calling thread.
#pragma once

#include <qwen35/core/error.hpp>

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <exception>
#include <string_view>

#if defined(_OPENMP)
#include <omp.h>
#endif

QWEN35_BEGIN_NAMESPACE

// What runs the loops of this translation unit: "openmp", or "serial" when it was compiled without -fopenmp.
constexpr std::string_view thread_backend() {
#if defined(_OPENMP)
  return "openmp";
#else
  return "serial";
#endif
}

namespace detail {

// 0: OpenMP's default (OMP_NUM_THREADS, else the processors of the process).
inline thread_local int chosen_threads = 0;

// True on a thread that is already running an iteration of a parallel loop: loops inside loops run inline.
inline bool inside_parallel_loop() {
#if defined(_OPENMP)
  return omp_in_parallel() != 0;
#else
  return false;
#endif
}

#if defined(__cpp_exceptions)
// Carries the first exception of a region to the thread that started it; an exception that left an OpenMP region would
// end the process.
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

}  // namespace detail

// Threads that the next parallel loop of the calling thread will use. 1 inside a loop and in serial builds.
inline int num_threads() {
#if defined(_OPENMP)
  if (detail::inside_parallel_loop()) {
    return 1;
  }
  return detail::chosen_threads > 0 ? detail::chosen_threads : omp_get_max_threads();
#else
  return 1;
#endif
}

// Sets the number of threads for loops that the calling thread starts; 0 returns to OpenMP's default. Results do not
// depend on it. Raises InputError when negative or above 4096.
inline void set_num_threads(int count) {
  require<InputError>(count >= 0 && count <= 4096, "set_num_threads: expected 0 (default) to 4096 threads, got ",
                      count);
  detail::chosen_threads = count;
}

// A thread count for the life of a scope.
class ThreadCount {
 public:
  explicit ThreadCount(int count) : previous_(detail::chosen_threads) { set_num_threads(count); }
  ~ThreadCount() { detail::chosen_threads = previous_; }
  ThreadCount(const ThreadCount&) = delete;
  ThreadCount& operator=(const ThreadCount&) = delete;

 private:
  int previous_;
};

// fn(i) for every i < count; threads take the next i when they are free. An exception of fn is raised again here, after
// the loop.
template <class F>
inline void parallel_for(std::size_t count, F&& fn) {
#if defined(_OPENMP)
  const std::size_t threads = count > 1 ? std::min(count, static_cast<std::size_t>(num_threads())) : 1;
  if (threads > 1) {
    detail::FirstError first_error;
#pragma omp parallel for schedule(dynamic, 1) num_threads(static_cast <int>(threads))
    for (std::size_t i = 0; i < count; ++i) {
      if (!first_error.any()) {
        first_error.run([&] { fn(i); });
      }
    }
    first_error.rethrow();
    return;
  }
#endif
  for (std::size_t i = 0; i < count; ++i) {
    fn(i);
  }
}

// fn(0) ... fn(tasks - 1), on the threads when the work pays for waking them: a region costs a few microseconds, in
// which one core does about 100,000 multiply-adds.
template <class F>
inline void parallel_tasks(std::size_t multiply_adds, std::size_t tasks, F&& fn) {
  if (multiply_adds < 131072) {
    for (std::size_t task = 0; task < tasks; ++task) {
      fn(task);
    }
    return;
  }
  parallel_for(tasks, fn);
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
