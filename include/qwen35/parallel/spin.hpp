// SPDX-License-Identifier: Apache-2.0
// What a thread does that waits without sleeping: a pause of the processor, and a clock to end it by.
#pragma once

#include <qwen35/core/abi.hpp>

#include <cstdint>
#include <ctime>

QWEN35_BEGIN_NAMESPACE

inline void pause_processor() {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

// Of a clock that only goes on.
inline std::int64_t monotonic_nanoseconds() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<std::int64_t>(now.tv_sec) * 1'000'000'000 + now.tv_nsec;
}

QWEN35_END_NAMESPACE
