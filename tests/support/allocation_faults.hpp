// SPDX-License-Identifier: Apache-2.0
// No memory at the n-th allocation. For one translation unit of a program: it replaces operator new.
#pragma once

#include <qwen35/core/error.hpp>

#include <cstddef>
#include <cstdlib>
#include <new>
#include <vector>

namespace test_support {

struct AllocationFaults {
  std::size_t at = 0;  // which fails; 0: none
  std::size_t calls = 0;
  bool counts = false;

  bool strikes() { return counts && ++calls == at; }
};
// Of this thread: the others, which compute, allocate nothing that counts.
inline thread_local AllocationFaults allocation_faults;

// While it lives the `at`-th allocation of this thread fails; 0: they are counted.
struct FailingAllocation {
  explicit FailingAllocation(std::size_t at) { allocation_faults = {at, 0, true}; }
  FailingAllocation(const FailingAllocation&) = delete;
  FailingAllocation& operator=(const FailingAllocation&) = delete;
  ~FailingAllocation() { allocation_faults.counts = false; }
};

// Up to `most` of the first `count` allocations: the first ones and some of the others.
inline std::vector<std::size_t> some_allocations(std::size_t count, std::size_t most) {
  std::vector<std::size_t> out;
  for (std::size_t at = 1; at <= count; at += at < most / 4 ? 1 : 1 + count / most) {
    out.push_back(at);
  }
  return out;
}

// Runs `work` without memory for its `at`-th allocation. True when it failed.
template <class Work>
bool fails_without_memory(std::size_t at, const Work& work) {
  try {
    const FailingAllocation failing(at);
    work();
  } catch (const std::bad_alloc&) {
    return true;
  } catch (const qwen35::CacheError&) {
    return true;
  }
  return false;
}

template <class Work>
std::size_t count_allocations(const Work& work) {
  const FailingAllocation counting(0);
  work();
  return allocation_faults.calls;
}

inline void* allocate(std::size_t size, std::size_t alignment) {
  if (allocation_faults.strikes()) {
    return nullptr;
  }
  size = size == 0 ? 1 : size;
  return alignment == 0 ? std::malloc(size)
                        : std::aligned_alloc(alignment, (size + alignment - 1) / alignment * alignment);
}
inline void* allocate_or_throw(std::size_t size, std::size_t alignment) {
  void* const out = allocate(size, alignment);
  if (out == nullptr) {
    throw std::bad_alloc();
  }
  return out;
}

}  // namespace test_support

void* operator new(std::size_t size) {
  return test_support::allocate_or_throw(size, 0);
}
void* operator new(std::size_t size, const std::nothrow_t&) noexcept {
  return test_support::allocate(size, 0);
}
void* operator new(std::size_t size, std::align_val_t alignment) {
  return test_support::allocate_or_throw(size, static_cast<std::size_t>(alignment));
}
void* operator new(std::size_t size, std::align_val_t alignment, const std::nothrow_t&) noexcept {
  return test_support::allocate(size, static_cast<std::size_t>(alignment));
}
void operator delete(void* pointer) noexcept {
  std::free(pointer);
}
void operator delete(void* pointer, std::size_t) noexcept {
  std::free(pointer);
}
void operator delete(void* pointer, const std::nothrow_t&) noexcept {
  std::free(pointer);
}
void operator delete(void* pointer, std::align_val_t) noexcept {
  std::free(pointer);
}
void operator delete(void* pointer, std::size_t, std::align_val_t) noexcept {
  std::free(pointer);
}
void operator delete(void* pointer, std::align_val_t, const std::nothrow_t&) noexcept {
  std::free(pointer);
}
