// SPDX-License-Identifier: Apache-2.0
// Owned, 64-byte aligned memory for plain values.
#pragma once

#include <qwen35/core/error.hpp>

#include <cstddef>
#include <cstring>
#include <limits>
#include <new>
#include <optional>
#include <span>
#include <type_traits>
#include <utility>

QWEN35_BEGIN_NAMESPACE

// `size` values of T, aligned to 64 bytes. Zero-filled on construction. Moves; copies only through `copy()`, because it
// may be large.
template <class T>
class AlignedBuffer {
  static_assert(std::is_trivially_copyable_v<T>, "AlignedBuffer<T>: T must be trivially copyable");

 public:
  static constexpr std::size_t alignment = 64;

  AlignedBuffer() = default;
  explicit AlignedBuffer(std::size_t size) : data_(allocate(size, "a buffer")), size_(size) {
    if (size > 0) {
      std::memset(data_, 0, size * sizeof(T));
    }
  }
  AlignedBuffer(AlignedBuffer&& other) noexcept
      : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)) {}
  AlignedBuffer& operator=(AlignedBuffer&& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
    return *this;
  }
  AlignedBuffer(const AlignedBuffer&) = delete;
  AlignedBuffer& operator=(const AlignedBuffer&) = delete;
  ~AlignedBuffer() { ::operator delete (data_, std::align_val_t{alignment}); }

  // Memory that is not touched: for large buffers filled piece by piece. `use`: what for, in words of a MemoryError.
  static AlignedBuffer uninitialised(std::size_t size, const char* use = "a buffer") {
    AlignedBuffer out;
    out.data_ = allocate(size, use);
    out.size_ = size;
    return out;
  }

  // The same, or nothing where there is no memory.
  static std::optional<AlignedBuffer> if_there_is_memory(std::size_t size) {
    AlignedBuffer out;
    out.data_ = try_allocate(size);
    out.size_ = size;
    return size > 0 && out.data_ == nullptr ? std::nullopt : std::optional(std::move(out));
  }

  AlignedBuffer copy() const {
    AlignedBuffer out = uninitialised(size_);
    if (size_ > 0) {
      std::memcpy(out.data_, data_, size_ * sizeof(T));
    }
    return out;
  }

  T* data() { return data_; }
  const T* data() const { return data_; }
  std::size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  std::size_t bytes() const { return size_ * sizeof(T); }
  T& operator[](std::size_t i) { return data_[i]; }
  const T& operator[](std::size_t i) const { return data_[i]; }
  T* begin() { return data_; }
  T* end() { return data_ + size_; }
  const T* begin() const { return data_; }
  const T* end() const { return data_ + size_; }
  operator std::span<const T>() const { return {data_, size_}; }

 private:
  static constexpr std::size_t most = std::numeric_limits<std::size_t>::max() / sizeof(T);

  static T* try_allocate(std::size_t size) {
    return size == 0 || size > most
               ? nullptr
               : static_cast<T*>(::operator new (size * sizeof(T), std::align_val_t{alignment}, std::nothrow));
  }
  static T* allocate(std::size_t size, const char* use) {
    require<InputError>(size <= most, "buffer of ", size, " values is too large");
    T* const out = try_allocate(size);
    if (size > 0 && out == nullptr) [[unlikely]] {
      raise_no_memory(size * sizeof(T), use);
    }
    return out;
  }

  T* data_ = nullptr;
  std::size_t size_ = 0;
};

QWEN35_END_NAMESPACE
