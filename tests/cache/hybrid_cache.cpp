// SPDX-License-Identifier: Apache-2.0
#include "cache_test.hpp"

#include <doctest/doctest.h>

#include <thread>

#include "support/allocation_faults.hpp"

using namespace cache_test;
using namespace qwen35;

namespace {

struct Narrow : Config::text_config {
  static constexpr std::size_t head_dim = 16;
};

}  // namespace

TEST_CASE("any split of a prompt gives the bits of one pass") {
  const Ids ids = prompt(67, 1);
  Cache whole;
  const std::vector<float> expected = logits(ids, whole);
  for (const std::vector<std::size_t>& cuts :
       {std::vector<std::size_t>{1, 2, 3, 67}, {5, 37, 38, 67}, {64, 67}, {66, 67}}) {
    Cache cache;
    std::vector<float> found;
    std::size_t begin = 0;
    for (const std::size_t end : cuts) {
      const std::vector<float> part = logits(slice(ids, begin, end), cache);
      found.insert(found.end(), part.begin(), part.end());
      begin = end;
    }
    CHECK(found == expected);
    CHECK(cache.seq_length() == 67);
    CHECK(Ids(cache.ids().begin(), cache.ids().end()) == ids);
  }
}

TEST_CASE("a snapshot continues bit for bit, however the cache went on") {
  const Ids ids = prompt(40, 2);
  Cache cache;
  logits(slice(ids, 0, 25), cache);
  const Snapshot<Config> snapshot = cache.snapshot();
  CHECK(snapshot.seq_length() == 25);
  CHECK(snapshot.bytes() == Cache::linear_layers * Cache::state_stride * sizeof(float));
  CHECK(snapshot.kv_bytes() == 25 * Cache::slot_bytes(DType::f32));
  const std::vector<float> first = logits(slice(ids, 25, 40), cache);
  cache.restore(snapshot);
  CHECK(cache.seq_length() == 25);
  logits(prompt(30, 9), cache);  // another continuation, which must not touch what the snapshot shares
  cache.restore(snapshot);
  CHECK(logits(slice(ids, 25, 40), cache) == first);
  Cache other;
  other.restore(snapshot);
  CHECK(logits(slice(ids, 25, 40), other) == first);
}

TEST_CASE("forks and copies go their own ways") {
  const Ids ids = prompt(30, 3);
  Cache cache;
  logits(ids, cache);
  Cache fork = cache.fork();
  Cache copy = cache.copy();
  const std::vector<float> a = logits(prompt(20, 4), cache);
  const std::vector<float> b = logits(prompt(20, 5), fork);
  CHECK(a != b);
  CHECK(logits(prompt(20, 4), copy) == a);
  Cache cold;
  logits(ids, cold);
  CHECK(logits(prompt(20, 5), cold) == b);
  // The shared keys and values are read and continued from two threads at once.
  Cache base;
  logits(ids, base);
  std::vector<std::vector<float>> found(4);
  std::vector<Cache> forks;
  for (int i = 0; i < 4; ++i) {
    forks.push_back(base.fork());
  }
  std::vector<std::thread> threads;
  for (std::size_t i = 0; i < 4; ++i) {
    threads.emplace_back([&, i] { found[i] = logits(prompt(20, i % 2 == 0 ? 4 : 5), forks[i]); });
  }
  for (std::thread& thread : threads) {
    thread.join();
  }
  CHECK(found[0] == a);
  CHECK(found[2] == a);
  CHECK(found[1] == b);
  CHECK(found[3] == b);
}

TEST_CASE("reorder gathers sequences") {
  Ids batch;
  for (unsigned row = 0; row < 3; ++row) {
    const Ids ids = prompt(20, 10 + row);
    batch.insert(batch.end(), ids.begin(), ids.end());
  }
  Cache cache;
  model().forward({.input_ids = TensorView<TokenId>(batch.data(), {3, 20}), .past_key_values = &cache});
  const std::vector<std::size_t> rows = {2, 0, 0, 1};
  cache.reorder(rows);
  CHECK(cache.batch_size() == 4);
  const Ids next = {7, 7, 7, 7};
  const auto out = model().forward({.input_ids = TensorView<TokenId>(next.data(), {4, 1}), .past_key_values = &cache});
  for (std::size_t r = 0; r < rows.size(); ++r) {
    Cache alone;
    logits(prompt(20, 10 + static_cast<unsigned>(rows[r])), alone);
    const std::vector<float> expected = logits({7}, alone);
    CHECK(std::vector<float>(out.logits.row(r).begin(), out.logits.row(r).end()) == expected);
  }
  const std::vector<std::size_t> bad = {4};
  CHECK_THROWS_AS(cache.reorder(bad), InputError);
}

TEST_CASE("the end of a fixed capacity is an error that loses nothing") {
  const Ids ids = prompt(24, 6);
  Cache cache({.capacity = 20});
  const std::vector<float> first = logits(slice(ids, 0, 15), cache);
  CHECK_THROWS_WITH_AS(logits(slice(ids, 15, 24), cache), doctest::Contains("holds 20 tokens; 15 are used and 9 more"),
                       CacheError);
  CHECK(cache.seq_length() == 15);
  Cache cold;
  logits(slice(ids, 0, 15), cold);
  CHECK(logits(slice(ids, 15, 20), cache) == logits(slice(ids, 15, 20), cold));
}

TEST_CASE("a cache in the caller's memory") {
  constexpr std::size_t size = Cache::bytes(32);
  alignas(64) static std::byte storage[size];
  const Ids ids = prompt(30, 7);
  Cache cold;
  const std::vector<float> expected = logits(ids, cold);
  Cache cache({.capacity = 32, .storage = storage});
  CHECK(logits(ids, cache) == expected);
  CHECK(cache.bytes() <= size);
  Cache fork = cache.fork();
  const Snapshot<Config> snapshot = cache.snapshot();
  const std::vector<float> next = logits({3, 4}, cache);
  CHECK(logits({3, 4}, fork) == next);
  cache.restore(snapshot);
  CHECK(logits({3, 4}, cache) == next);
  CHECK_THROWS_AS(Cache({.storage = storage}), InputError);
  Cache small({.capacity = 65, .storage = storage});  // a second page
  CHECK_THROWS_AS(logits(ids, small), CacheError);
}

TEST_CASE("keys of half or a quarter of the size change little") {
  const Ids ids = prompt(50, 10);  // (no token changes its experts for q8_0, which weighs more than any rounding)
  Cache full;
  const std::vector<float> expected = logits(ids, full);
  for (const DType dtype : {DType::f16, DType::bf16, DType::q8_0, DType::f8_e4m3}) {
    Cache cache({.kv_dtype = dtype});
    const std::vector<float> found = logits(ids, cache);
    double error = 0.0;
    double power = 0.0;
    for (std::size_t i = 0; i < found.size(); ++i) {
      error += (found[i] - expected[i]) * (found[i] - expected[i]);
      power += expected[i] * expected[i];
    }
    CAPTURE(name(dtype));
    CHECK(error / power <= (dtype == DType::f8_e4m3 ? 3e-2 : dtype == DType::q8_0 ? 3e-4 : 1e-5));
    CHECK(error > 0.0);
    CHECK(cache.bytes() < full.bytes());
    Cache parts({.kv_dtype = dtype});
    logits(slice(ids, 0, 23), parts);
    const std::vector<float> rest = logits(slice(ids, 23, 50), parts);
    CHECK(std::equal(rest.begin(), rest.end(), found.end() - static_cast<std::ptrdiff_t>(rest.size())));
  }
  CHECK_THROWS_AS(Cache({.kv_dtype = static_cast<DType>(77)}), InputError);
  CHECK_THROWS_WITH_AS(Cache({.kv_dtype = DType::q4_0}), doctest::Contains("q4_0"), InputError);
  CHECK_NOTHROW(HybridCache<Narrow>({.kv_dtype = DType::bf16}));
  CHECK_THROWS_WITH_AS(HybridCache<Narrow>({.kv_dtype = DType::q8_0}),
                       "kv_dtype: heads of 16 values cannot be kept as q8_0, whose blocks have 32", InputError);
}

TEST_CASE("a cache of another model or batch is refused") {
  Cache cache;
  logits(prompt(5, 1), cache);
  const Ids two = prompt(10, 2);
  CHECK_THROWS_AS(model().forward({.input_ids = TensorView<TokenId>(two.data(), {2, 5}), .past_key_values = &cache}),
                  InputError);
  CHECK_THROWS_WITH_AS(cache.begin(1, 1, model().fingerprint() + 1), doctest::Contains("another model"), CacheError);
  CHECK(cache.seq_length() == 5);
}

TEST_CASE("a forward without memory leaves the cache as it was, or one that says that it must be reset") {
  const Ids ids = prompt(9, 5);
  Cache cache;
  logits(prompt(20, 4), cache);
  const Snapshot<Config> point = cache.snapshot();
  const std::vector<float> expected = logits(ids, cache);
  const auto forward = [&] {
    model().forward({.input_ids = ids, .past_key_values = &cache, .output_hidden_states = true});
  };
  cache.restore(point);
  std::size_t as_before = 0, to_reset = 0;
  for (const std::size_t at : test_support::some_allocations(test_support::count_allocations(forward), 200)) {
    CAPTURE(at);
    cache.restore(point);
    if (test_support::fails_without_memory(at, forward)) {
      if (cache.sequence(0).entered()) {
        ++to_reset;
        CHECK_THROWS_WITH_AS(forward(), doctest::Contains("reset it, or go back"), CacheError);
        cache.restore(point);
      } else {
        ++as_before;
      }
      CHECK(cache.seq_length() == 20);
      CHECK(logits(ids, cache) == expected);
    }
  }
  CHECK(as_before > 10);
  CHECK(to_reset > 0);
}
