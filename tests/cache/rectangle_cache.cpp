// SPDX-License-Identifier: Apache-2.0
#include <qwen35/cache/rectangle_cache.hpp>

#include "support/allocation_faults.hpp"
#include "support/message_of.hpp"
#include "support/small_layout.hpp"

#include <doctest/doctest.h>

using namespace qwen35;
using test_support::contains;
using test_support::message_of;

namespace {

constexpr CacheLayout layout = test_support::small_layout;
constexpr std::uint64_t model = 9;

// A forward of `tokens` tokens of each row without the layers.
void run(RectangleCache& cache, std::size_t batch, std::size_t tokens, TokenId id) {
  cache.begin(batch, tokens, layout, model);
  const std::vector<TokenId> ids(batch * tokens, id);
  for (std::size_t b = 0; b < batch; ++b) {
    cache.sequence(b).begin(tokens, model);
    for (float& state : cache.sequence(b).states()) {
      state += static_cast<float>(b + 1);
    }
    cache.sequence(b).commit(tokens, ids.data());
  }
  cache.commit(tokens, ids.data(), nullptr);
}

}  // namespace

TEST_CASE("a cache takes the layout of the model that fills it, and as many sequences as come first") {
  RectangleCache cache({.kv_dtype = DType::f16});
  CHECK(cache.batch_size() == 0);
  CHECK(cache.capacity() == 0);
  CHECK(cache.bytes() == 0);
  run(cache, 2, 70, 1);
  CHECK(cache.batch_size() == 2);
  CHECK(cache.sequence(1).layout().kv_dtype == DType::f16);
  CHECK(cache.capacity() == 128);
  CHECK(cache.bytes() == 2 * (2 * layout.page_bytes() + layout.state_bytes()));
  CHECK(contains(message_of<InputError>([&] { cache.begin(3, 1, layout, model); }),
                 "holds 2 sequences, the input has 3"));
  CHECK_THROWS_AS(cache.begin(2, 1, layout, model + 1), CacheError);
  cache.set_rope_deltas({4, 5});
  CHECK(cache.sequence(1).rope_delta() == 5);
  CHECK_THROWS_AS(cache.set_rope_deltas({1}), InputError);
  cache.reset();
  run(cache, 3, 1, 1);
  CHECK(cache.batch_size() == 3);
}

TEST_CASE("reorder copies only what is taken twice") {
  RectangleCache cache;
  run(cache, 3, 100, 1);
  cache.set_rope_deltas({1, 2, 3});
  std::byte* const first = cache.sequence(2).page_data()[0];
  const float* const state = cache.sequence(2).states().data();
  const std::size_t rows[] = {2, 1, 2};
  cache.reorder(rows);
  CHECK(cache.sequence(0).page_data()[0] == first);
  CHECK(cache.sequence(2).page_data()[0] == first);
  CHECK(cache.sequence(0).page_data()[1] == cache.sequence(2).page_data()[1]);
  CHECK(cache.sequence(2).states().data() == state);
  CHECK(cache.sequence(0).states()[0] == 3.0f);
  CHECK(cache.rope_deltas()[0] == 3);
  CHECK(cache.sequence(1).pool()->used_pages() == 4);
  run(cache, 3, 1, 2);
  CHECK(cache.sequence(0).page_data()[1] != cache.sequence(2).page_data()[1]);
  CHECK(cache.sequence(1).pool()->used_pages() == 5);
}

TEST_CASE("snapshots keep the rows that they saw") {
  RectangleCache cache;
  run(cache, 2, 10, 1);
  const RectangleSnapshot snapshot = cache.snapshot();
  CHECK(snapshot.bytes() == 2 * layout.state_bytes());
  CHECK(snapshot.kv_bytes() == 2 * 10 * cache.sequence(0).layout().slot_bytes());
  run(cache, 2, 5, 2);
  cache.restore(snapshot);
  CHECK(cache.seq_length() == 10);
  CHECK(cache.ids().size() == 20);
  CHECK(cache.sequence(1).states()[0] == 2.0f);
  RectangleCache half({.kv_dtype = DType::f16});
  CHECK_THROWS_AS(half.restore(snapshot), CacheError);
  RectangleCache small({.capacity = 9});
  CHECK(contains(message_of<CacheError>([&] { small.restore(snapshot); }), "holds 10 tokens, this cache at most 9"));
  RectangleCache other;
  run(other, 1, 3, 1);
  other.restore(snapshot);
  CHECK(other.batch_size() == 2);
}

TEST_CASE("a cache of sequences") {
  const auto sequence = [](std::size_t tokens) {
    SequenceCache out(layout);
    out.begin(tokens, model);
    out.commit(tokens, nullptr);
    return out;
  };
  std::vector<SequenceCache> rows;
  rows.push_back(sequence(4));
  rows.push_back(sequence(6));
  CHECK_THROWS_AS(RectangleCache::of({}), InputError);
  RectangleCache cache = RectangleCache::of(std::move(rows), {2, 0});
  CHECK(cache.seq_length() == 6);
  CHECK(cache.fingerprint() == model);
  CHECK(cache.valid(0) == std::vector<std::uint8_t>{0, 0, 1, 1, 1, 1});
  run(cache, 2, 1, 3);
  CHECK(cache.seq_length() == 7);
  rows = cache.take_sequences();
  CHECK(rows[0].tokens() == 5);
  CHECK(cache.batch_size() == 0);
  CHECK(contains(message_of<InputError>([&] { RectangleCache::of(std::move(rows), {1, 0}); }), "do not fit together"));
}

TEST_CASE("without memory a restore changes nothing, or in the caller's storage leaves an empty cache") {
  const std::size_t bytes = RectangleCache::bytes(layout, 300, 2);
  std::vector<std::byte> memory(bytes + 64);
  std::byte* const aligned = memory.data() + (64 - reinterpret_cast<std::uintptr_t>(memory.data()) % 64) % 64;
  for (const bool in_storage : {false, true}) {
    for (const std::size_t batch : {1u, 2u}) {
      RectangleCache cache(in_storage
                               ? CacheOptions{.kv_dtype = DType::f16, .capacity = 300, .storage = {aligned, bytes}}
                               : CacheOptions{.kv_dtype = DType::f16});
      run(cache, batch, 200, 1);
      const RectangleSnapshot point = cache.snapshot();
      std::size_t failures = 0;
      for (std::size_t at = 1; at < 200; ++at) {
        CAPTURE(at);
        if (cache.seq_length() != 250) {
          cache.restore(point);
          run(cache, batch, 50, 2);
        }
        if (!test_support::fails_without_memory(at, [&] { cache.restore(point); })) {
          break;
        }
        ++failures;
        const bool same = cache.seq_length() == 250;
        CHECK((same || (in_storage && cache.empty() && cache.batch_size() == 0)));
        for (std::size_t b = 0; same && b < batch; ++b) {
          CHECK(cache.sequence(b).tokens() == 250);
          CHECK(cache.sequence(b).ids()[249] == 2);
          CHECK(cache.sequence(b).states()[0] == 2.0f * static_cast<float>(b + 1));
        }
      }
      CHECK(failures > 2);
      CHECK(cache.seq_length() == 200);
      CHECK(cache.ids()[199] == 1);
      CHECK(cache.sequence(0).states()[0] == 1.0f);
      run(cache, batch, 50, 3);
      CHECK(cache.seq_length() == 250);
    }
  }
}

TEST_CASE("a restore with another number of rows takes the caller's storage over whole") {
  const std::size_t bytes = RectangleCache::bytes(layout, 300, 2);
  std::vector<std::byte> memory(bytes + 64);
  std::byte* const aligned = memory.data() + (64 - reinterpret_cast<std::uintptr_t>(memory.data()) % 64) % 64;
  RectangleCache two({.kv_dtype = DType::f16});
  run(two, 2, 130, 1);
  RectangleCache cache({.kv_dtype = DType::f16, .capacity = 300, .storage = {aligned, bytes}});
  run(cache, 1, 300, 2);
  cache.restore(two.snapshot());
  CHECK(cache.batch_size() == 2);
  run(cache, 2, 170, 3);  // all of its pages
  CHECK(cache.sequence(1).ids()[129] == 1);
  CHECK(cache.sequence(1).ids()[299] == 3);
}

TEST_CASE("a capacity beyond every position is refused before anything is made") {
  CHECK_THROWS_WITH_AS(RectangleCache({.capacity = std::size_t{1} << 40}),
                       "CacheOptions: capacity is 1099511627776, expected at most 2147483647", InputError);
}
