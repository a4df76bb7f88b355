// SPDX-License-Identifier: Apache-2.0
#include <qwen35/cache/kv_pool.hpp>

#include <qwen35/io/available_memory.hpp>

#include "support/message_of.hpp"
#include "support/small_layout.hpp"

#include <doctest/doctest.h>

#include <set>
#include <vector>

using namespace qwen35;
using test_support::contains;
using test_support::message_of;

namespace {

constexpr CacheLayout layout = test_support::small_layout;

}  // namespace

TEST_CASE("pages are counted by their holders and used again") {
  KvPool pool(layout);
  std::byte* const first = pool.take();
  std::byte* const second = pool.take();
  CHECK(reinterpret_cast<std::uintptr_t>(first) % 64 == 0);
  CHECK(pool.used_pages() == 2);
  CHECK(pool.used_bytes() == 2 * layout.page_bytes());
  CHECK(!KvPool::is_shared(first));
  KvPool::hold(first);
  CHECK(KvPool::is_shared(first));
  pool.release(first);
  CHECK(!KvPool::is_shared(first));
  CHECK(pool.used_pages() == 2);
  pool.release(first);
  CHECK(pool.used_pages() == 1);
  CHECK(pool.free_pages() == 1);
  CHECK(pool.take() == first);
  CHECK(pool.free_pages() == 0);
  pool.reserve(3);
  CHECK(pool.free_pages() == 3);
  CHECK(pool.used_pages() == 2);
  pool.trim();
  CHECK(pool.free_pages() == 0);
  pool.release(first);
  pool.release(second);
}

TEST_CASE("no more pages wait than are used or were reserved") {
  KvPool pool(layout);
  std::vector<std::byte*> pages;
  for (int i = 0; i < 10; ++i) {
    pages.push_back(pool.take());
  }
  for (std::size_t i = 0; i < 8; ++i) {
    pool.release(pages[i]);
  }
  CHECK(pool.used_pages() == 2);
  CHECK(pool.free_pages() == 2);
  pool.reserve(5);
  pool.release(pages[8]);
  pool.release(pages[9]);
  CHECK(pool.used_pages() == 0);
  CHECK(pool.free_pages() == 5);
}

TEST_CASE("more pages than the memory that is left are refused before any is made") {
  KvPool pool(layout);
  for (const std::size_t pages : {std::size_t{1} << 36, std::size_t{1} << 56, ~std::size_t{0}}) {
    if (available_memory()) {
      CHECK(contains(message_of<CacheError>([&] { pool.reserve(pages); }), "CacheOptions: capacity takes "));
      CHECK(pool.free_pages() == 0);
    }
  }
  pool.release(pool.take());
  CHECK(pool.free_pages() <= 1);  // it keeps none of them
}

TEST_CASE("a pool with a limit, and one in the caller's storage, say when they are full") {
  KvPool limited(layout, 2);
  std::byte* const a = limited.take();
  std::byte* const b = limited.take();
  CHECK(contains(message_of<CacheError>([&] { limited.take(); }), "all of 2 pages of 64 tokens are in use"));
  limited.release(a);
  CHECK(limited.take() == a);
  limited.release(a);
  limited.release(b);

  alignas(64) static std::byte storage[KvPool::bytes(layout, 3) + 100];
  KvPool fixed(layout, storage);
  CHECK(fixed.in_storage());
  std::set<std::byte*> taken;
  for (int i = 0; i < 3; ++i) {
    std::byte* const page = fixed.take();
    CHECK(page >= storage);
    CHECK(page + layout.page_bytes() <= storage + sizeof(storage));
    std::memset(page, i, layout.page_bytes());
    taken.insert(page);
  }
  CHECK(taken.size() == 3);
  CHECK_THROWS_AS(fixed.take(), CacheError);
  for (std::byte* const page : taken) {
    fixed.release(page);
  }
  CHECK(fixed.free_pages() == 3);
  CHECK_THROWS_AS(KvPool(layout, std::span(storage).subspan(8)), InputError);
}
