// SPDX-License-Identifier: Apache-2.0
// Where the time of forwards goes, part by part. Off unless a thread makes a PartClock: a part's change then costs two
// instructions.
#pragma once

#include <qwen35/core/abi.hpp>

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string_view>

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
  using Clock = std::chrono::steady_clock;

  static PartClock*& current() {
    static thread_local PartClock* clock = nullptr;
    return clock;
  }
  void change(Part part) {
    const Clock::time_point now = Clock::now();
    seconds_[static_cast<std::size_t>(part_)] += std::chrono::duration<double>(now - since_).count();
    since_ = now;
    part_ = part;
  }

  std::array<double, part_names.size()> seconds_{};
  Clock::time_point since_ = Clock::now();
  Part part_ = Part::rest;
};

QWEN35_END_NAMESPACE
