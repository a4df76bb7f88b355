// SPDX-License-Identifier: Apache-2.0
// How many threads a loop may use: of a call, of a thread, of the process.
#pragma once

#include <qwen35/core/error.hpp>
#include <qwen35/parallel/cpu_quota.hpp>

#include <algorithm>
#include <atomic>
#include <cstdlib>
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

inline constexpr int most_threads = 4096;

inline constinit thread_local int chosen_threads = 0;  // 0: the process's default
inline constinit thread_local bool in_iteration = false;
inline constinit std::atomic<int> default_threads{0};  // 0: OpenMP's
inline constinit std::atomic<int> most_at_once{0};     // 0: the processors

inline void require_threads(int count, std::string_view function) {
  require<InputError>(count >= 0 && count <= most_threads, function, ": expected 0 (default) to ", most_threads,
                      " threads, got ", count);
}

}  // namespace detail

// True on a thread that runs an iteration of a parallel loop, ours or a region of the program's own OpenMP: loops
// inside of it run inline.
inline bool inside_parallel_loop() {
#if defined(_OPENMP)
  return detail::in_iteration || omp_in_parallel() != 0;
#else
  return detail::in_iteration;
#endif
}

// The scope in which a thread runs iterations.
class InsideLoop {
 public:
  InsideLoop() : before_(detail::in_iteration) { detail::in_iteration = true; }
  ~InsideLoop() { detail::in_iteration = before_; }
  InsideLoop(const InsideLoop&) = delete;
  InsideLoop& operator=(const InsideLoop&) = delete;

 private:
  bool before_;
};

// Processors that the process may use: its affinity mask's, less when its control groups grant less time. Looked up
// once.
int processors_of_process();

// Threads that the next parallel loop of the calling thread will use, if as many are free. 1 inside a loop and in
// serial builds. What the thread chose, else what the process chose, else OpenMP's default (OMP_NUM_THREADS,
// omp_set_num_threads, else the processors of the process); never above thread_limit().
int num_threads();

// Sets the number of threads for loops that the calling thread starts; 0 returns to the process's default. Results do
// not depend on it. Raises InputError when negative or above 4096.
inline void set_num_threads(int count) {
  detail::require_threads(count, "set_num_threads");
  detail::chosen_threads = count;
}

// The default of every thread of the process that has not chosen; 0 returns to OpenMP's. Raises as set_num_threads.
inline void set_default_num_threads(int count) {
  detail::require_threads(count, "set_default_num_threads");
  detail::default_threads.store(count, std::memory_order_relaxed);
}

// The most threads that run loops of this process at one moment, those that call and those that help them together;
// callers are never held up, they go without help. 0, as it is at first: the processors of the process, or what a
// single call asks for. Raises as set_num_threads.
inline void set_thread_limit(int count) {
  detail::require_threads(count, "set_thread_limit");
  detail::most_at_once.store(count, std::memory_order_relaxed);
}
inline int thread_limit() {
  return detail::most_at_once.load(std::memory_order_relaxed);
}

// A thread count for the life of a scope: of one call, say.
class ThreadCount {
 public:
  explicit ThreadCount(int count) : previous_(detail::chosen_threads) { set_num_threads(count); }
  ~ThreadCount() { detail::chosen_threads = previous_; }
  ThreadCount(const ThreadCount&) = delete;
  ThreadCount& operator=(const ThreadCount&) = delete;

 private:
  int previous_;
};

#if QWEN35_BODIES

QWEN35_BODY int processors_of_process() {
#if defined(_OPENMP)
  static const int count = [] {
    const int processors = std::max(omp_get_num_procs(), 1), quota = cpu_quota();
    return quota > 0 ? std::min(processors, quota) : processors;
  }();
  return count;
#else
  return 1;
#endif
}

QWEN35_BODY int num_threads() {
#if defined(_OPENMP)
  if (inside_parallel_loop()) {
    return 1;
  }
  int count = detail::chosen_threads;
  if (count == 0) {
    count = detail::default_threads.load(std::memory_order_relaxed);
  }
  if (count == 0) {
    // OpenMP knows the affinity mask, not the quota: its own choice is the processors, and is told from another's by
    // that.
    static const bool chosen = std::getenv("OMP_NUM_THREADS") != nullptr;
    static const int unchosen = omp_get_num_procs();
    count = omp_get_max_threads();
    count = !chosen && count == unchosen ? processors_of_process() : std::max(count, 1);
  }
  const int limit = thread_limit();
  return limit > 0 ? std::min(count, limit) : count;
#else
  return 1;
#endif
}

#endif

QWEN35_END_NAMESPACE
