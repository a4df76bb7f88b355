// SPDX-License-Identifier: Apache-2.0
// Memory for keys and values: pages that sequences, forks and snapshots may share.
#pragma once

#include <qwen35/cache/cache_layout.hpp>

#include <atomic>
#include <mutex>
#include <span>

#if QWEN35_BODIES
#include <qwen35/core/aligned_buffer.hpp>
#include <qwen35/io/available_memory.hpp>

#include <algorithm>
#include <new>
#include <optional>
#endif

QWEN35_BEGIN_NAMESPACE

// A page holds kv_page_slots slots of all full-attention layers of one sequence, see CacheLayout. It is counted by its
// holders and goes back to the pool with the last of them. All functions may be called from several threads.
class KvPool {
 public:
  // On the heap; at most `max_pages` pages, 0: as many as are asked for.
  explicit KvPool(const CacheLayout& layout, std::size_t max_pages = 0);
  // As many pages as the caller's storage holds, see bytes(); it must outlive the pool and is aligned to 64 bytes.
  KvPool(const CacheLayout& layout, std::span<std::byte> storage);
  KvPool(const KvPool&) = delete;
  KvPool& operator=(const KvPool&) = delete;
  ~KvPool() { trim(); }

  // Storage for so many pages.
  static constexpr std::size_t bytes(const CacheLayout& layout, std::size_t pages) {
    return pages * block_bytes(layout);
  }

  const CacheLayout& layout() const { return layout_; }
  std::size_t max_pages() const { return max_pages_; }  // 0: no limit
  bool in_storage() const { return storage_ != nullptr; }
  // Pages that somebody holds, each counted once.
  std::size_t used_pages() const;
  std::size_t used_bytes() const { return used_pages() * layout_.page_bytes(); }
  // Pages that wait for their next use.
  std::size_t free_pages() const;

  // Has at least `pages` pages wait for their use, and keeps as many. Raises CacheError at the limit, and for more than
  // the memory that is left.
  void reserve(std::size_t pages);
  // Gives waiting pages back to the heap.
  void trim();

  // An uninitialised page with one holder. Raises CacheError at the limit.
  std::byte* take();
  // One holder more.
  static void hold(std::byte* page) { header_of(page).holders.fetch_add(1, std::memory_order_relaxed); }
  // One holder less. On the heap no more pages wait than are used or were reserved.
  void release(std::byte* page);
  static bool is_shared(std::byte* page) { return header_of(page).holders.load(std::memory_order_acquire) > 1; }

 private:
  static constexpr std::size_t alignment = 64;

  // Stands before each page, in 64 bytes.
  struct Header {
    std::atomic<std::size_t> holders{0};
    std::byte* next_free = nullptr;
  };
  static_assert(sizeof(Header) <= alignment);

  static constexpr std::size_t block_bytes(const CacheLayout& layout) {
    return alignment + Arena::cost<std::byte>(layout.page_bytes());
  }
  static Header& header(std::byte* block) { return *reinterpret_cast<Header*>(block); }
  static Header& header_of(std::byte* page) { return header(page - alignment); }

  std::byte* allocate();
  // At most so many pages wait.
  void shrink(std::size_t pages);
  void put_free(std::byte* block);
  std::byte* take_free();

  CacheLayout layout_;
  std::size_t max_pages_;
  const std::byte* storage_ = nullptr;
  mutable std::mutex mutex_;
  std::byte* free_ = nullptr;
  std::size_t free_pages_ = 0;
  std::size_t all_pages_ = 0;
  std::size_t kept_pages_ = 0;
};

#if QWEN35_BODIES

QWEN35_BODY KvPool::KvPool(const CacheLayout& layout, std::size_t max_pages) : layout_(layout), max_pages_(max_pages) {
  layout.check();
}

QWEN35_BODY KvPool::KvPool(const CacheLayout& layout, std::span<std::byte> storage)
    : layout_(layout), max_pages_(storage.size() / block_bytes(layout)), storage_(storage.data()) {
  layout.check();
  require<InputError>(reinterpret_cast<std::uintptr_t>(storage.data()) % alignment == 0,
                      "CacheOptions: storage must be aligned to 64 bytes");
  all_pages_ = max_pages_;
  for (std::size_t page = max_pages_; page-- > 0;) {
    put_free(storage.data() + page * block_bytes(layout));
  }
}

QWEN35_BODY std::size_t KvPool::used_pages() const {
  const std::lock_guard lock(mutex_);
  return all_pages_ - free_pages_;
}

QWEN35_BODY std::size_t KvPool::free_pages() const {
  const std::lock_guard lock(mutex_);
  return free_pages_;
}

QWEN35_BODY void KvPool::reserve(std::size_t pages) {
  const std::size_t missing = pages - std::min(pages, free_pages()), bytes = block_bytes(layout_);
  if (!memory_holds<CacheError>(missing > SIZE_MAX / bytes ? SIZE_MAX : missing * bytes, "CacheOptions: capacity")) {
    return;
  }
  {
    const std::lock_guard lock(mutex_);
    kept_pages_ = std::max(kept_pages_, pages);
  }
  while (free_pages() < pages) {
    std::byte* const block = allocate();
    const std::lock_guard lock(mutex_);
    put_free(block);
  }
}

QWEN35_BODY void KvPool::trim() {
  if (in_storage()) {
    return;
  }
  const std::lock_guard lock(mutex_);
  kept_pages_ = 0;
  shrink(0);
}

QWEN35_BODY std::byte* KvPool::take() {
  std::byte* block = nullptr;
  {
    const std::lock_guard lock(mutex_);
    block = free_ != nullptr ? take_free() : nullptr;
  }
  if (block == nullptr) {
    block = allocate();
    new (block) Header;
  }
  header(block).holders.store(1, std::memory_order_relaxed);
  return block + alignment;
}

QWEN35_BODY void KvPool::release(std::byte* page) {
  if (header_of(page).holders.fetch_sub(1, std::memory_order_acq_rel) == 1) {
    const std::lock_guard lock(mutex_);
    put_free(page - alignment);
    if (!in_storage()) {
      shrink(std::max(all_pages_ - free_pages_, kept_pages_));
    }
  }
}

QWEN35_BODY std::byte* KvPool::allocate() {
  {
    const std::lock_guard lock(mutex_);
    require<CacheError>(!in_storage() && (max_pages_ == 0 || all_pages_ < max_pages_),
                        "the cache's memory is full: all of ", max_pages_, " pages of ", kv_page_slots,
                        " tokens are in use");
    ++all_pages_;
  }
  void* const block = ::operator new (block_bytes(layout_), std::align_val_t{alignment}, std::nothrow);
  if (block == nullptr) {
    const std::lock_guard lock(mutex_);
    --all_pages_;
    raise<CacheError>(concat("no memory for a page of ", block_bytes(layout_), " bytes of keys and values"));
  }
  return static_cast<std::byte*>(block);
}

QWEN35_BODY void KvPool::shrink(std::size_t pages) {
  while (free_pages_ > pages) {
    --all_pages_;
    ::operator delete (take_free(), std::align_val_t{alignment});
  }
}

QWEN35_BODY void KvPool::put_free(std::byte* block) {
  Header* const made = new (block) Header;
  made->next_free = free_;
  free_ = block;
  ++free_pages_;
}

QWEN35_BODY std::byte* KvPool::take_free() {
  std::byte* const block = free_;
  free_ = header(block).next_free;
  --free_pages_;
  return block;
}

#endif  // QWEN35_BODIES

QWEN35_END_NAMESPACE
