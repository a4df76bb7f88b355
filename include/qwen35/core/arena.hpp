// SPDX-License-Identifier: Apache-2.0
// Scratch memory of a forward pass: one block, sized once, handed out from the front and given back in reverse order;
// and its meter, which hands out nothing and counts.
//
// What a layer needs is a struct `Scratch<A>` that takes its buffers from either in its constructor. Built over the
// meter it says how many bytes, built over an arena it holds them: the two cannot disagree.
#pragma once

#include <qwen35/core/aligned_buffer.hpp>

#include <algorithm>
#include <cstdint>

QWEN35_BEGIN_NAMESPACE

namespace detail {

// Gives back everything taken since its construction.
template <class A>
class ArenaScope {
 public:
  constexpr explicit ArenaScope(A& arena) : arena_(arena), mark_(arena.used_) {}
  constexpr ~ArenaScope() { arena_.used_ = mark_; }
  ArenaScope(const ArenaScope&) = delete;
  ArenaScope& operator=(const ArenaScope&) = delete;

 private:
  A& arena_;
  std::size_t mark_;
};

}  // namespace detail

class Arena {
 public:
  static constexpr std::size_t alignment = 64;
  using Scope = detail::ArenaScope<Arena>;

  Arena() = default;
  explicit Arena(std::size_t bytes) : owned_(AlignedBuffer<std::byte>::uninitialised(bytes, "a workspace")) {
    memory_ = {owned_.data(), owned_.size()};
  }
  // Uses the caller's memory, which must be aligned to 64 bytes and outlive the arena.
  explicit Arena(std::span<std::byte> memory) : memory_(memory) {
    require<InputError>(reinterpret_cast<std::uintptr_t>(memory.data()) % alignment == 0,
                        "workspace memory must be aligned to 64 bytes");
  }

  std::size_t bytes() const { return memory_.size(); }

  // What `count` values of T cost, padding included.
  template <class T>
  static constexpr std::size_t cost(std::size_t count) {
    return (count * sizeof(T) + alignment - 1) / alignment * alignment;
  }

  // Uninitialised values. Raises InputError when the arena is too small.
  template <class T>
  T* take(std::size_t count) {
    const std::size_t needed = cost<T>(count);
    require<InputError>(needed <= memory_.size() - used_, "workspace of ", memory_.size(),
                        " bytes is too small: ", needed, " more needed at ", used_);
    std::byte* const start = memory_.data() + used_;
    used_ += needed;
    return reinterpret_cast<T*>(start);
  }

 private:
  friend Scope;

  AlignedBuffer<std::byte> owned_;
  std::span<std::byte> memory_;
  std::size_t used_ = 0;
};

// Counts what an arena would have to hold. Its pointers are null.
class ArenaMeter {
 public:
  using Scope = detail::ArenaScope<ArenaMeter>;

  template <class T>
  constexpr T* take(std::size_t count) {
    used_ += Arena::cost<T>(count);
    peak_ = std::max(peak_, used_);
    return nullptr;
  }

  // The most bytes that were taken at one time.
  constexpr std::size_t peak() const { return peak_; }

 private:
  friend Scope;

  std::size_t used_ = 0;
  std::size_t peak_ = 0;
};

// Bytes of the buffers of Scratch<ArenaMeter>(meter, args...).
template <class Scratch, class... Args>
constexpr std::size_t scratch_bytes(const Args&... args) {
  ArenaMeter meter;
  [[maybe_unused]] const Scratch scratch(meter, args...);
  return meter.peak();
}

QWEN35_END_NAMESPACE
