// SPDX-License-Identifier: Apache-2.0
// Where the time of forwards goes, part by part. Off unless a thread makes a PartClock: a part's change then costs two
// instructions.
#pragma once

#include <qwen35/core/abi.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#if QWEN35_BODIES
#include <chrono>
#endif

QWEN35_BEGIN_NAMESPACE

enum class Part : std::uint8_t { rest, norms, delta_net, attention, router, experts, feed_forward, head };
inline constexpr std::array<std::string_view, 8> part_names = {"rest",   "norms",   "delta_net",    "attention",
                                                               "router", "experts", "feed_forward", "head"};

// While it lives, the time of the thread that made it is counted to the part that it is in. One at a time.
class PartClock {
 public:
  PartClock() { current() = this; }
  ~PartClock() { current() = nullptr; }
  PartClock(const PartClock&) = delete;
  PartClock& operator=(const PartClock&) = delete;

  // From here on, the calling thread is in that part.
  static void enter(Part part) {
    if (PartClock* const clock = current()) {
      clock->change(part);
    }
  }

  double seconds(Part part) const { return seconds_[static_cast<std::size_t>(part)]; }

 private:
  static PartClock*& current() {
    static thread_local PartClock* clock = nullptr;
    return clock;
  }
  static std::int64_t nanoseconds();  // since some moment
  void change(Part part);

  std::array<double, part_names.size()> seconds_{};
  std::int64_t since_ = nanoseconds();
  Part part_ = Part::rest;
};

#if QWEN35_BODIES

QWEN35_BODY std::int64_t PartClock::nanoseconds() {
  const auto now = std::chrono::steady_clock::now().time_since_epoch();
  return std::chrono::duration_cast<std::chrono::nanoseconds>(now).count();
}

QWEN35_BODY void PartClock::change(Part part) {
  const std::int64_t now = nanoseconds();
  seconds_[static_cast<std::size_t>(part_)] += static_cast<double>(now - since_) * 1e-9;
  since_ = now;
  part_ = part;
}

#endif  // QWEN35_BODIES

QWEN35_END_NAMESPACE
