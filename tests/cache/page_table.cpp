// SPDX-License-Identifier: Apache-2.0
#include <qwen35/cache/page_table.hpp>

#include "support/small_layout.hpp"

#include <doctest/doctest.h>

#include <thread>

using namespace qwen35;

namespace {

constexpr CacheLayout layout = test_support::small_layout;

std::vector<std::byte*> pages_of(const PageTable& table) {
  return {table.data(), table.data() + table.size()};
}

}  // namespace

TEST_CASE("growth copies nothing; of shared pages only the last one is copied, by whoever writes") {
  const auto pool = std::make_shared<KvPool>(layout);
  PageTable table(pool);
  table.make_room(0, 150);
  const std::vector<std::byte*> before = pages_of(table);
  CHECK(before.size() == 3);
  for (std::byte* const page : before) {
    std::memset(page, 7, layout.page_bytes());
  }
  table.make_room(150, 1000);
  CHECK(std::equal(before.begin(), before.end(), table.data()));

  PageTable fork = table.share(150);
  CHECK(fork.size() == 3);
  CHECK(pool->used_pages() == 16);
  fork.make_room(150, 151);
  CHECK(pool->used_pages() == 17);
  CHECK(fork.data()[0] == table.data()[0]);
  CHECK(fork.data()[1] == table.data()[1]);
  CHECK(fork.data()[2] != table.data()[2]);
  // 22 filled slots of each head of each layer's keys and values.
  for (std::size_t block = 0; block < 8; ++block) {
    CHECK(std::memcmp(fork.data()[2] + block * 64 * 8, before[2] + block * 64 * 8, 22 * 8) == 0);
  }
  // Alone again: the other goes on where it is.
  table.make_room(150, 151);
  CHECK(table.data()[2] == before[2]);
  // A fork where a page ends shares all and copies none.
  PageTable even = table.share(128);
  even.make_room(128, 129);
  CHECK(pool->used_pages() == 18);
  CHECK(even.data()[1] == table.data()[1]);
  fork.clear();
  even.clear();
  CHECK(pool->used_pages() == 16);
  const PageTable copy = table.copy_to(std::make_shared<KvPool>(layout), 150);
  CHECK(copy.size() == 3);
  CHECK(std::memcmp(copy.data()[0], table.data()[0], layout.page_bytes()) == 0);
  CHECK(pool->used_pages() == 16);
}

TEST_CASE("a table that does not get its pages stays as it is") {
  const auto pool = std::make_shared<KvPool>(layout, 2);
  PageTable table(pool);
  table.make_room(0, 100);
  std::memset(table.data()[1], 3, layout.page_bytes());
  PageTable fork = table.share(100);
  CHECK_THROWS_AS(fork.make_room(100, 101), CacheError);  // there is no page for the copy
  CHECK(fork.data()[1] == table.data()[1]);
  CHECK_THROWS_AS(table.make_room(100, 129), CacheError);
  CHECK(table.size() == 2);
  fork.clear();
  CHECK_NOTHROW(table.make_room(100, 128));
}

TEST_CASE("threads take, share and release at once") {
  const auto pool = std::make_shared<KvPool>(layout);
  PageTable base(pool);
  base.make_room(0, 100);
  std::memset(base.data()[1], 5, layout.page_bytes());
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 200; ++i) {
        PageTable fork = base.share(100);
        fork.make_room(100, 140);
        std::memset(fork.data()[1] + 36 * 8, t, 8);
      }
    });
  }
  for (std::thread& thread : threads) {
    thread.join();
  }
  CHECK(pool->used_pages() == 2);
  CHECK(base.data()[1][36 * 8] == std::byte{5});
}
