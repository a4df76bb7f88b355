// SPDX-License-Identifier: Apache-2.0
// Scratch memory of a forward pass: one block, sized once, handed out from the front and given back in reverse order.
#pragma once

#include <qwen35/core/aligned_buffer.hpp>

#include <cstdint>

QWEN35_BEGIN_NAMESPACE

class Arena {
 public:
  static constexpr std::size_t alignment = 64;

  Arena() = default;
  explicit Arena(std::size_t bytes) : owned_(AlignedBuffer<std::byte>::uninitialised(bytes)) {
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

  // Gives back everything taken since its construction.
  class Scope {
   public:
    explicit Scope(Arena& arena) : arena_(arena), mark_(arena.used_) {}
    ~Scope() { arena_.used_ = mark_; }
    Scope(const Scope&) = delete;
    Scope& operator=(const Scope&) = delete;

   private:
    Arena& arena_;
    std::size_t mark_;
  };

 private:
  AlignedBuffer<std::byte> owned_;
  std::span<std::byte> memory_;
  std::size_t used_ = 0;
};

QWEN35_END_NAMESPACE
