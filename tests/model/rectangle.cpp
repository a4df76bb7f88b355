// SPDX-License-Identifier: Apache-2.0
#include <qwen35/model/rectangle.hpp>

#include "support/message_of.hpp"
#include "support/small_layout.hpp"

#include <doctest/doctest.h>

using namespace qwen35;
using test_support::contains;
using test_support::message_of;

namespace {

constexpr CacheLayout layout = test_support::small_layout;
constexpr RectangleSizes sizes{.hidden_size = 2, .vocab_size = 10, .heads = 3};
constexpr std::uint64_t model = 5;

// The slices of a forward, and what a forward leaves in the cache.
struct Run {
  Rectangle rectangle;
  std::span<const SequenceSlice> slices;

  Run(const ForwardInput& input, RectangleCache& cache, bool keep_cache = true) : rectangle(input, sizes, keep_cache) {
    cache.begin(rectangle.batch(), rectangle.length(), layout, model);
    slices = rectangle.slices(cache);
  }
  void finish(RectangleCache& cache) {
    for (const SequenceSlice& slice : slices) {
      const std::size_t tokens = slice.ids.size() - slice.pads;
      slice.cache->begin(tokens, model, slice.valid.empty() ? nullptr : slice.valid.data() + slice.pads);
      slice.cache->commit(tokens, slice.ids.data() + slice.pads);
    }
    rectangle.commit(cache);
  }
};

template <class T>
std::vector<T> list(std::span<const T> values) {
  return {values.begin(), values.end()};
}

}  // namespace

TEST_CASE("rows without masks and positions are plain slices") {
  const Tensor<TokenId> ids({2, 3}, {1, 2, 3, 4, 5, 6});
  RectangleCache cache;
  const ForwardInput input{.input_ids = ids, .past_key_values = &cache};
  Run run(input, cache);
  REQUIRE(run.slices.size() == 2);
  const SequenceSlice& slice = run.slices[1];
  CHECK(list(slice.ids) == std::vector<TokenId>{4, 5, 6});
  CHECK(slice.cache == &cache.sequence(1));
  CHECK(slice.positions.empty());
  CHECK(slice.valid.empty());
  CHECK(slice.pads == 0);
  CHECK(slice.wanted == 3);
  CHECK(slice.max_position == 2);
  CHECK(slice.mask.visible.empty());
  CHECK(slice.mask.additive.data == nullptr);
  run.finish(cache);
  CHECK(cache.seq_length() == 3);
  CHECK(list(cache.ids()) == std::vector<TokenId>{1, 4, 2, 5, 3, 6});
  cache.set_rope_deltas({0, -1});  // a text model counts slots
  Run next(input, cache);
  CHECK(list(next.slices[0].positions) == std::vector<std::int32_t>{3, 4, 5, 3, 4, 5, 3, 4, 5});
}

TEST_CASE("left pads end here: a sequence starts at its own slot 0") {
  const Tensor<TokenId> ids({3, 4}, {9, 9, 1, 2, 1, 2, 3, 4, 9, 9, 9, 9});
  const Tensor<std::int32_t> mask({3, 4}, {0, 0, 1, 1, 1, 1, 0, 1, 0, 0, 0, 0});
  RectangleCache cache;
  const ForwardInput input{.input_ids = ids, .attention_mask = mask, .past_key_values = &cache};
  Run run(input, cache);
  CHECK(run.slices[0].pads == 2);
  CHECK(list(run.slices[0].valid) == std::vector<std::uint8_t>{0, 0, 1, 1});
  CHECK(list(run.slices[0].positions).front() == 0);  // pads take positions
  CHECK(run.slices[1].pads == 0);
  CHECK(list(run.slices[1].valid) == std::vector<std::uint8_t>{1, 1, 0, 1});
  CHECK(run.slices[2].pads == 4);
  // The same said in floats and in bytes.
  const Tensor<float> floats({3, 4}, std::vector<float>(mask.begin(), mask.end()));
  const Tensor<std::uint8_t> bytes({3, 4}, std::vector<std::uint8_t>(mask.begin(), mask.end()));
  for (const AttentionMask& other : {AttentionMask(floats), AttentionMask(bytes)}) {
    RectangleCache spare;
    const ForwardInput same{.input_ids = ids, .attention_mask = other, .past_key_values = &spare};
    const Run again(same, spare);
    for (std::size_t b = 0; b < 3; ++b) {
      CHECK(again.slices[b].pads == run.slices[b].pads);
      CHECK(list(again.slices[b].valid) == list(run.slices[b].valid));
    }
  }
  float probabilities = 0;
  const AttentionProbabilities own = run.rectangle.probabilities(0, &probabilities);
  CHECK(own.data - &probabilities == 2 * 4 + 2);
  CHECK(own.head_stride == 16);
  CHECK(own.row_stride == 4);
  CHECK(own.first_slot == 0);
  run.finish(cache);
  CHECK(cache.sequence(0).tokens() == 2);
  CHECK(cache.sequence(1).holes() == 1);
  CHECK(cache.sequence(2).empty());
  CHECK(cache.pads(2) == 4);
  CHECK(cache.valid(0) == std::vector<std::uint8_t>{0, 0, 1, 1});
  CHECK(cache.valid(1) == std::vector<std::uint8_t>{1, 1, 0, 1});
  CHECK(cache.valid(2) == std::vector<std::uint8_t>{0, 0, 0, 0});

  // The third row begins now; the first hides a token that it held; a masked slot stays masked.
  const Tensor<TokenId> more({3, 2}, {3, 4, 5, 6, 9, 1});
  const Tensor<std::int32_t> longer({3, 6}, {0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 1});
  const ForwardInput second{.input_ids = more, .attention_mask = longer, .past_key_values = &cache};
  Run next(second, cache);
  CHECK(list(next.slices[0].mask.visible) == std::vector<std::uint8_t>{0, 1, 1, 1});
  CHECK(next.slices[1].mask.visible.empty());
  CHECK(next.slices[2].pads == 1);
  CHECK(next.rectangle.probabilities(2, &probabilities).data - &probabilities == (2 * 3 * 2 + 1) * 6 + 5);
  next.finish(cache);
  CHECK(cache.pads(2) == 5);
  CHECK(cache.sequence(2).tokens() == 1);
  CHECK(cache.valid(1) == std::vector<std::uint8_t>{1, 1, 0, 1, 1, 1});
  std::vector<SequenceCache> rows = cache.take_sequences();
  CHECK(cache.empty());
  const RectangleCache again = RectangleCache::of(std::move(rows), {2, 0, 5});
  CHECK(again.seq_length() == 6);
  CHECK(list(again.ids()) == std::vector<TokenId>{-1, 1, -1, -1, 2, -1, 1, 3, -1, 2, 4, -1, 3, 5, -1, 4, 6, 1});
}

TEST_CASE("a 4-D mask keeps its columns behind a row's pads") {
  RectangleCache cache;
  const Tensor<TokenId> ids({2, 2}, {9, 1, 2, 3});
  const Tensor<std::int32_t> mask({2, 2}, {0, 1, 1, 1});
  const ForwardInput first{.input_ids = ids, .attention_mask = mask, .past_key_values = &cache};
  Run(first, cache).finish(cache);
  const Tensor<float> values({2, 3, 2, 4});
  const ForwardInput second{.input_ids = ids, .attention_mask = values, .past_key_values = &cache};
  const Run run(second, cache);
  CHECK(run.rectangle.has_additive_mask());
  const AdditiveMask& padded = run.slices[0].mask.additive;
  CHECK(padded.data == values.data() + 1);
  CHECK(padded.keys == 3);
  CHECK(padded.first_slot == 1);
  CHECK(padded.head_stride == 8);
  CHECK(padded.row_stride == 4);
  CHECK(run.slices[1].mask.additive.data == values.data() + 24);
  CHECK(run.slices[1].mask.additive.keys == 4);
  const Tensor<std::uint8_t> visible({1, 1, 2, 4}, {1, 1, 0, 0, 1, 0, 1, 1});
  const ForwardInput third{.input_ids = ids, .attention_mask = visible, .past_key_values = &cache};
  const Run shared(third, cache);
  const AdditiveMask& same = shared.slices[1].mask.additive;
  CHECK(same.head_stride == 0);
  CHECK(same.data[0] == 0.0f);
  CHECK(same.data[2] == -std::numeric_limits<float>::infinity());
  CHECK(shared.slices[0].mask.additive.data == same.data + 1);
}

TEST_CASE("positions of each form, and packed segments") {
  const Tensor<TokenId> ids({1, 4}, {1, 2, 3, 4});
  const Tensor<std::int32_t> packed({1, 4}, {0, 1, 0, 1});
  RectangleCache cache;
  const ForwardInput two{.input_ids = ids, .position_ids = packed};
  const Run plain(two, cache, false);
  CHECK(list(plain.slices[0].mask.first_key) == std::vector<std::size_t>{0, 0, 2, 2});
  CHECK(list(plain.slices[0].positions) == std::vector<std::int32_t>{0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1});
  RectangleCache kept;
  CHECK(Run(two, kept, true).slices[0].mask.first_key.empty());  // a cache will be returned
  const Tensor<std::int32_t> planes({4, 1, 4}, {0, 1, 2, 3, 5, 5, 5, 5, 5, 6, 5, 6, 7, 8, 9, 9});
  const ForwardInput four{.input_ids = ids, .position_ids = planes};
  RectangleCache other;
  const Run run(four, other, false);
  CHECK(list(run.slices[0].positions) == std::vector<std::int32_t>{5, 5, 5, 5, 5, 6, 5, 6, 7, 8, 9, 9});
  CHECK(run.slices[0].max_position == 9);
  CHECK(run.slices[0].mask.first_key.empty());
}

TEST_CASE("arguments that do not fit") {
  const Tensor<TokenId> ids({2, 3}, {1, 2, 3, 4, 5, 6});
  const auto message = [&](const ForwardInput& input) {
    return message_of<InputError>([&] { Rectangle(input, sizes, true); });
  };
  RectangleCache cache;
  const std::vector<TokenId> pair{1, 2};
  const Tensor<float> wide({2, 2, 3, 3});
  const ForwardInput one{.input_ids = pair, .past_key_values = &cache};
  Run(one, cache).finish(cache);
  CHECK(contains(message({.input_ids = ids, .past_key_values = &cache}), "holds 1 sequences, the input has 2"));
  CHECK(contains(message({.input_ids = {1}, .attention_mask = {1, 1}, .past_key_values = &cache}),
                 "attention_mask of shape [1, 2], expected [1, 3]: past and new tokens"));
  CHECK(contains(message({.input_ids = {10}}), "input_ids[0] is 10, expected 0 to 9"));
  CHECK(contains(message({.input_ids = ids, .attention_mask = wide}),
                 "attention_mask of shape [2, 2, 3, 3], expected [2, 1, 3, 3]"));
  CHECK(contains(message({.input_ids = {1}, .past_key_values = &cache, .cache_position = {1}}),
                 "cache_position must count from 2 to 2"));
}
