// SPDX-License-Identifier: Apache-2.0
// Where the slots of a sequence stand: its pages in order, of which the last is copied when it is shared and written.
#pragma once

#include <qwen35/cache/kv_pool.hpp>

#include <memory>
#include <utility>
#include <vector>

#if QWEN35_BODIES
#include <algorithm>
#include <cstring>
#endif

QWEN35_BEGIN_NAMESPACE

// The pages of one sequence: slot s stands in page s / kv_page_slots. Moves; shares its pages only by `share()`.
class PageTable {
 public:
  PageTable() = default;
  explicit PageTable(std::shared_ptr<KvPool> pool) : pool_(std::move(pool)) {}
  PageTable(PageTable&& other) noexcept;
  PageTable& operator=(PageTable&& other) noexcept;
  ~PageTable() { clear(); }

  const std::shared_ptr<KvPool>& pool() const { return pool_; }
  std::byte* const* data() const { return pages_.data(); }
  std::size_t size() const { return pages_.size(); }

  // A second table of the pages that hold the first `slots` slots.
  PageTable share(std::size_t slots) const;
  // The same slots in pages of `pool`.
  PageTable copy_to(std::shared_ptr<KvPool> pool, std::size_t slots) const;
  // Room for slots [filled, slots) that nobody else holds: the page that `filled` cuts is copied if it is shared. What
  // is filled stays as it is, also when this raises CacheError because the pool is at its limit.
  void make_room(std::size_t filled, std::size_t slots);
  void clear();

 private:
  void extend(std::size_t pages);
  // The first `slots` slots of every head of every layer.
  void copy_slots(const std::byte* from, std::byte* to, std::size_t slots) const;

  std::shared_ptr<KvPool> pool_;
  std::vector<std::byte*> pages_;
};

#if QWEN35_BODIES

QWEN35_BODY PageTable::PageTable(PageTable&& other) noexcept
    : pool_(std::move(other.pool_)), pages_(std::move(other.pages_)) {
  other.pages_.clear();
}

QWEN35_BODY PageTable& PageTable::operator=(PageTable&& other) noexcept {
  std::swap(pool_, other.pool_);
  std::swap(pages_, other.pages_);
  return *this;
}

QWEN35_BODY PageTable PageTable::share(std::size_t slots) const {
  PageTable out(pool_);
  out.pages_.assign(pages_.begin(), pages_.begin() + static_cast<std::ptrdiff_t>(pages_for(slots)));
  for (std::byte* const page : out.pages_) {
    KvPool::hold(page);
  }
  return out;
}

QWEN35_BODY PageTable PageTable::copy_to(std::shared_ptr<KvPool> pool, std::size_t slots) const {
  PageTable out(std::move(pool));
  out.extend(pages_for(slots));
  for (std::size_t page = 0; page < out.size(); ++page) {
    copy_slots(pages_[page], out.pages_[page], std::min(kv_page_slots, slots - page * kv_page_slots));
  }
  return out;
}

QWEN35_BODY void PageTable::make_room(std::size_t filled, std::size_t slots) {
  extend(pages_for(slots));
  const std::size_t used = filled % kv_page_slots;
  if (slots > filled && used > 0 && KvPool::is_shared(pages_[filled / kv_page_slots])) {
    std::byte*& last = pages_[filled / kv_page_slots];
    std::byte* const own = pool_->take();
    copy_slots(last, own, used);
    pool_->release(std::exchange(last, own));
  }
}

QWEN35_BODY void PageTable::clear() {
  for (std::byte* const page : pages_) {
    pool_->release(page);
  }
  pages_.clear();
}

QWEN35_BODY void PageTable::extend(std::size_t pages) {
  if (pages > pages_.capacity()) {
    pages_.reserve(std::max({pages, 2 * pages_.capacity(), std::size_t{16}}));
  }
  while (pages_.size() < pages) {
    pages_.push_back(pool_->take());
  }
}

QWEN35_BODY void PageTable::copy_slots(const std::byte* from, std::byte* to, std::size_t slots) const {
  const CacheLayout& layout = pool_->layout();
  const std::size_t head = layout.head_bytes();
  for (std::size_t block = 0; block < layout.full_layers * 2 * layout.kv_heads; ++block) {
    std::memcpy(to + block * kv_page_slots * head, from + block * kv_page_slots * head, slots * head);
  }
}

#endif  // QWEN35_BODIES

QWEN35_END_NAMESPACE
