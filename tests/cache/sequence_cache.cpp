// SPDX-License-Identifier: Apache-2.0
#include <qwen35/cache/sequence_cache.hpp>

#include "support/message_of.hpp"

#include <doctest/doctest.h>

using namespace qwen35;
using test_support::contains;
using test_support::message_of;

namespace {

constexpr CacheLayout layout{.linear_layers = 3,
                             .full_layers = 1,
                             .conv_floats = 6,
                             .recurrent_floats = 10,
                             .kv_heads = 1,
                             .head_dim = 4,
                             .kv_dtype = DType::f32};
constexpr std::uint64_t model = 17;

std::vector<TokenId> count_up(std::size_t tokens, TokenId from) {
  std::vector<TokenId> ids(tokens);
  for (std::size_t i = 0; i < tokens; ++i) {
    ids[i] = from + static_cast<TokenId>(i);
  }
  return ids;
}

// What a forward does: the value of each slot's key is its id, the states add the ids up.
void run(SequenceCache& cache, const std::vector<TokenId>& ids, const std::uint8_t* valid = nullptr) {
  cache.begin(ids.size(), model, valid);
  cache.enter();
  const GatedAttentionState state = cache.full_state(0);
  for (std::size_t i = 0; i < ids.size(); ++i) {
    const std::size_t slot = cache.tokens() + i;
    const auto value = static_cast<float>(ids[i]);
    std::memcpy(state.pages[slot / 64] + state.key_offset + slot % 64 * layout.head_bytes(), &value, sizeof(value));
    for (float& sum : cache.states()) {
      sum += value;
    }
  }
  cache.commit(ids.size(), ids.data());
}

std::vector<float> keys(SequenceCache& cache) {
  std::vector<float> out(cache.tokens());
  const GatedAttentionState state = cache.full_state(0);
  for (std::size_t slot = 0; slot < out.size(); ++slot) {
    std::memcpy(&out[slot], state.pages[slot / 64] + state.key_offset + slot % 64 * layout.head_bytes(), sizeof(float));
  }
  return out;
}

// Ids, keys and states belong together.
void check_contents(SequenceCache& cache, const std::vector<TokenId>& ids) {
  CHECK(std::vector<TokenId>(cache.ids().begin(), cache.ids().end()) == ids);
  CHECK(keys(cache) == std::vector<float>(ids.begin(), ids.end()));
  float sum = 0;
  for (const TokenId id : ids) {
    sum += static_cast<float>(id);
  }
  for (const float state : cache.states()) {
    CHECK(state == sum);
  }
}

std::vector<TokenId> joined(std::vector<TokenId> a, const std::vector<TokenId>& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

}  // namespace

TEST_CASE("forks, points and copies go their own ways") {
  SequenceCache cache(layout);
  CHECK(cache.empty());
  run(cache, count_up(70, 1));
  cache.set_rope_delta(-3);
  SequenceCache fork = cache.fork();
  SequenceCache copy = cache.copy();
  const SequencePoint point = cache.point();
  CHECK(point.tokens() == 70);
  CHECK(point.bytes() == layout.state_bytes());
  CHECK(point.kv_bytes() == 70 * layout.slot_bytes());
  CHECK(copy.pool() != cache.pool());
  run(cache, count_up(30, 500));
  run(fork, count_up(3, 700));
  run(copy, {9});
  check_contents(cache, joined(count_up(70, 1), count_up(30, 500)));
  check_contents(fork, joined(count_up(70, 1), count_up(3, 700)));
  check_contents(copy, joined(count_up(70, 1), {9}));
  CHECK(fork.rope_delta() == -3);
  cache.set_rope_delta(5);
  cache.back_to(point);
  check_contents(cache, count_up(70, 1));
  CHECK(cache.rope_delta() == -3);
  run(cache, {4});
  cache.back_to(point);
  run(cache, {6});
  check_contents(cache, joined(count_up(70, 1), {6}));
  SequenceCache other(layout);
  other.back_to(point);
  run(other, {8});
  check_contents(other, joined(count_up(70, 1), {8}));
  cache.reset();
  CHECK(cache.empty());
  CHECK(!cache.rope_delta());
  run(cache, {2, 3});
  check_contents(cache, {2, 3});
}

TEST_CASE("a prefix of 8192 tokens is kept once, whoever shares it") {
  const auto pool = std::make_shared<KvPool>(layout);
  SequenceCache prefix(pool);
  run(prefix, count_up(8192, 1));
  std::vector<std::byte*> pages(prefix.page_data(), prefix.page_data() + prefix.pages());
  const std::size_t alone = pool->used_bytes();
  CHECK(alone == 8192 * layout.slot_bytes());
  std::vector<SequenceCache> sequences;
  for (TokenId i = 0; i < 16; ++i) {
    sequences.push_back(prefix.fork());
    run(sequences.back(), count_up(100, 1000 * i));
  }
  CHECK(pool->used_bytes() == alone + 16 * 2 * layout.page_bytes());  // 100 tokens of each: two pages
  for (TokenId i = 0; i < 16; ++i) {
    SequenceCache& sequence = sequences[static_cast<std::size_t>(i)];
    check_contents(sequence, joined(count_up(8192, 1), count_up(100, 1000 * i)));
    CHECK(std::equal(pages.begin(), pages.end(), sequence.page_data()));  // growth has moved nothing
  }
  sequences.clear();
  CHECK(pool->used_bytes() == alone);
}

TEST_CASE("masked tokens are counted, and their validity kept from the first of them on") {
  SequenceCache cache(layout);
  run(cache, count_up(5, 1));
  CHECK(!cache.has_holes());
  CHECK(cache.valid().empty());
  CHECK(cache.key_valid() == nullptr);
  const std::uint8_t valid[] = {1, 0, 0, 1};
  cache.begin(4, model, valid);
  CHECK(!cache.has_holes());
  REQUIRE(cache.key_valid() != nullptr);
  CHECK(std::vector<int>(cache.key_valid(), cache.key_valid() + 9) == std::vector<int>{1, 1, 1, 1, 1, 1, 0, 0, 1});
  cache.enter();
  cache.commit(4, nullptr);
  CHECK(cache.holes() == 2);
  CHECK(cache.ids()[8] == -1);
  const SequencePoint point = cache.point();
  run(cache, {3});
  CHECK(cache.valid().size() == 10);
  CHECK(cache.valid()[9] == 1);
  cache.back_to(point);
  CHECK(cache.valid().size() == 9);
  SequenceCache fork = cache.fork();
  CHECK(fork.holes() == 2);
}

TEST_CASE("a forward that cannot begin changes nothing; one that does not end is said") {
  const auto pool = std::make_shared<KvPool>(layout, 2);
  SequenceCache cache(pool);
  run(cache, count_up(100, 1));
  CHECK(contains(message_of<CacheError>([&] { cache.begin(1, model + 1); }), "another model"));
  CHECK(contains(message_of<CacheError>([&] { cache.begin(29, model); }), "memory is full"));
  const std::uint8_t hole[29] = {};
  CHECK_THROWS_AS(cache.begin(29, model, hole), CacheError);
  check_contents(cache, count_up(100, 1));
  CHECK(!cache.has_holes());
  run(cache, count_up(28, 200));
  check_contents(cache, joined(count_up(100, 1), count_up(28, 200)));

  SequenceCache broken(layout);
  run(broken, {1, 2});
  const SequencePoint point = broken.point();
  broken.begin(1, model);
  broken.enter();
  CHECK(broken.entered());
  CHECK(contains(message_of<CacheError>([&] { broken.begin(1, model); }), "did not end"));
  CHECK_THROWS_AS(broken.fork(), CacheError);
  CHECK_THROWS_AS(broken.point(), CacheError);
  broken.back_to(point);
  run(broken, {3});
  check_contents(broken, {1, 2, 3});
  broken.begin(1, model);
  broken.enter();
  broken.reset();
  run(broken, {4});
  check_contents(broken, {4});
  broken.begin(1, model);
  broken.enter();
  broken.cancel();
  run(broken, {5});
  check_contents(broken, {4, 5});
}

TEST_CASE("a cache in the caller's storage") {
  constexpr std::size_t pages = KvPool::bytes(layout, 2);
  alignas(64) static std::byte storage[pages + layout.state_bytes()];
  const auto pool = std::make_shared<KvPool>(layout, std::span(storage).first(pages));
  SequenceCache cache(pool, std::span(reinterpret_cast<float*>(storage + pages), layout.state_floats()));
  run(cache, count_up(100, 1));
  const SequencePoint point = cache.point();  // on the heap
  CHECK(pool->used_pages() == 2);
  run(cache, count_up(28, 300));
  CHECK_THROWS_AS(run(cache, {1}), CacheError);
  cache.back_to(point);
  check_contents(cache, count_up(100, 1));
  SequenceCache fork = cache.fork();
  run(fork, count_up(200, 400));
  check_contents(fork, joined(count_up(100, 1), count_up(200, 400)));
  CHECK(contains(message_of<CacheError>([&] { cache.back_to(fork); }), "holds 300 tokens, this cache at most 128"));
  check_contents(cache, count_up(100, 1));
}

TEST_CASE("a cache without a layout holds nothing, and says so") {
  SequenceCache none;
  CHECK(none.empty());
  CHECK(none.bytes() == 0);
  none.reset();
  CHECK(contains(message_of<CacheError>([&] { none.begin(1, model); }), "a cache without a layout"));
  CHECK_THROWS_AS(none.reserve(5), CacheError);
  CHECK_THROWS_AS(none.fork(), CacheError);
  SequenceCache some(layout);
  CHECK_THROWS_AS(none.back_to(some), CacheError);
}

TEST_CASE("points of another layout or model are refused") {
  SequenceCache cache(layout);
  run(cache, {1});
  CacheLayout half = layout;
  half.kv_dtype = DType::f16;
  SequenceCache other(half);
  CHECK(contains(message_of<CacheError>([&] { other.back_to(cache); }), "holds f32 keys, this cache f16"));
  CacheLayout wider = layout;
  wider.head_dim = 8;
  SequenceCache third(wider);
  CHECK(contains(message_of<CacheError>([&] { third.back_to(cache); }), "another model"));
}
