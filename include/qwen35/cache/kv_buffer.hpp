// SPDX-License-Identifier: Apache-2.0
// Append-only memory for keys and values that several caches and snapshots may share.
#pragma once

#include <qwen35/core/aligned_buffer.hpp>

#include <atomic>
#include <span>

QWEN35_BEGIN_NAMESPACE

// Slots below the high-water mark are never written again, so whoever holds the buffer may read the slots it knows. A
// cache that wants to append claims the slots from its own end; that works for one of the sharers only, the others move
// to a copy. Claims may race between threads.
class KvBuffer {
 public:
  // In the caller's `memory`, at least capacity * bytes_per_slot bytes; on the heap when it is empty.
  KvBuffer(std::size_t capacity, std::size_t bytes_per_slot, std::span<std::byte> memory)
      : owned_(memory.empty() ? AlignedBuffer<std::byte>::uninitialised(capacity * bytes_per_slot)
                              : AlignedBuffer<std::byte>()),
        memory_(memory.empty() ? std::span<std::byte>(owned_.data(), owned_.size())
                               : memory.first(capacity * bytes_per_slot)),
        capacity_(capacity) {}

  std::size_t capacity() const { return capacity_; }
  std::size_t bytes() const { return memory_.size(); }
  std::byte* data() { return memory_.data(); }

  // Takes slots [from, to). False when somebody has written beyond `from`.
  bool claim(std::size_t from, std::size_t to) { return high_water_.compare_exchange_strong(from, to); }
  // For the only owner: slots from `length` on are free again.
  void rewind(std::size_t length) { high_water_.store(length); }

 private:
  AlignedBuffer<std::byte> owned_;
  std::span<std::byte> memory_;
  std::size_t capacity_;
  std::atomic<std::size_t> high_water_{0};
};

QWEN35_END_NAMESPACE
