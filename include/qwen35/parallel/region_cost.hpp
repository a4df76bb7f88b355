// SPDX-License-Identifier: Apache-2.0
// What a parallel region costs on this machine.
#pragma once

#include <qwen35/parallel/spin.hpp>
#include <qwen35/parallel/thread_team.hpp>

QWEN35_BEGIN_NAMESPACE

// What it takes until a helper that is awake has begun and the caller knows that it has ended, in nanoseconds, at most
// 20,000. Measured at the first call, in some ten microseconds; 2,000 when no helper was free then. 0 in serial builds.
std::uint32_t region_cost();

#if QWEN35_BODIES && defined(_OPENMP)

namespace detail {

// Two iterations, each of which waits for the other.
struct Handover : ParallelLoop {
  std::atomic<int> begun{0};
  std::int64_t patience;  // nanoseconds
};

QWEN35_BODY bool hand_over(ParallelLoop& loop) {
  Handover& self = static_cast<Handover&>(loop);
  self.begun.fetch_add(1);
  for (const std::int64_t end = monotonic_nanoseconds() + self.patience;
       self.begun.load() < 2 && monotonic_nanoseconds() < end;) {
    pause_processor();
  }
  return true;
}

// The least of some regions: of those in which the helper had not gone to sleep, or lost its processor.
QWEN35_BODY std::uint32_t measured_region_cost() {
  std::int64_t least = 0;
  for (int round = 0, missed = 0; round < 16 && missed < 3; ++round) {
    Handover loop{{hand_over, 2}, {}, round == 0 ? 200'000 : 20'000};  // at first a thread is created
    const std::int64_t begin = monotonic_nanoseconds();
    run_loop(loop, 2);
    const std::int64_t time = monotonic_nanoseconds() - begin;
    if (loop.begun.load() < 2) {
      ++missed;
    } else if (least == 0 || time < least) {
      least = std::max<std::int64_t>(time, 1);
    }
  }
  return static_cast<std::uint32_t>(least == 0 ? 2'000 : std::min<std::int64_t>(least, 20'000));
}

}  // namespace detail

QWEN35_BODY std::uint32_t region_cost() {
  static const std::uint32_t cost = detail::measured_region_cost();
  return cost;
}

#elif QWEN35_BODIES

QWEN35_BODY std::uint32_t region_cost() {
  return 0;
}

#endif

QWEN35_END_NAMESPACE
