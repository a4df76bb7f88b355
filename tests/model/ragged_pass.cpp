// SPDX-License-Identifier: Apache-2.0
#include <qwen35/model/ragged_pass.hpp>

#include "support/message_of.hpp"

#include <doctest/doctest.h>

using namespace qwen35;
using test_support::contains;
using test_support::message_of;

namespace {

constexpr std::size_t hidden_size = 2;
constexpr std::uint64_t model = 5;

struct Sequences {
  std::vector<SequenceCache> caches;
  std::vector<std::vector<TokenId>> ids;
  std::vector<SequenceSlice> slices;

  // Each with so many tokens in its cache and so many new ones.
  explicit Sequences(const std::vector<std::pair<std::size_t, std::size_t>>& lengths) {
    const CacheLayout layout{.full_layers = 1, .kv_heads = 1, .head_dim = 2};
    for (const auto& [past, fresh] : lengths) {
      caches.emplace_back(layout);
      if (past > 0) {
        caches.back().begin(past, model);
        caches.back().commit(past, nullptr);
      }
      ids.emplace_back(fresh, 1);
    }
    for (std::size_t i = 0; i < lengths.size(); ++i) {
      slices.push_back({.cache = &caches[i], .ids = ids[i]});
    }
  }
};

struct Scratch {
  static constexpr PassSizes sizes{64, 8, 2, hidden_size, 0};
  Arena arena{scratch_bytes<PassScratch<ArenaMeter>>(sizes)};
  PassScratch<Arena> scratch{arena, sizes};
};

std::string refused(const SequenceSlice& slice) {
  return message_of<InputError>([&] { check_slice(slice, 3, hidden_size, 10); });
}

}  // namespace

TEST_CASE("slices are cut where a pass is full, but for one with an additive mask") {
  Sequences all({{0, 5}, {3, 1}, {0, 9}, {1, 4}, {0, 2}});
  const float mask[20] = {};
  all.slices[3].mask.additive = {.data = mask, .row_stride = 5, .keys = 5, .first_slot = 1};
  SliceCursor cursor;
  std::vector<std::vector<std::size_t>> found;
  SlicePart parts[3];
  while (cursor.slice < all.slices.size()) {
    found.emplace_back();
    for (const SlicePart& part : next_parts(all.slices, cursor, 8, 3, hidden_size, parts)) {
      found.back().insert(found.back().end(), {part.slice, part.begin, part.count, part.first});
    }
    found.back().push_back(cursor.flat);
  }
  CHECK(found == std::vector<std::vector<std::size_t>>{
                     {0, 0, 5, 0, 1, 0, 1, 5, 2, 0, 2, 6, 8}, {2, 2, 7, 0, 15}, {3, 0, 4, 0, 4, 0, 2, 4, 21}});
  CHECK(wanted_of(all.slices[2], {2, 2, 7, 0}, hidden_size) == 1);
  CHECK(wanted_of(all.slices[2], {2, 0, 2, 6}, hidden_size) == 0);
  all.slices[2].wanted = 8;
  CHECK(wanted_of(all.slices[2], {2, 0, 2, 6}, hidden_size) == 1);
  CHECK(wanted_of(all.slices[2], {2, 2, 7, 0}, hidden_size) == 7);
  CHECK(wanted_rows(all.slices) == 12);
}

TEST_CASE("what the layers are told of a pass") {
  Sequences all({{0, 4}, {3, 2}});
  const std::uint8_t valid[] = {0, 1, 0, 1};
  all.slices[0].pads = 1;
  all.slices[0].valid = valid;
  all.caches[1].set_rope_delta(-2);
  const std::uint8_t visible[] = {0, 1, 1, 1, 1};
  all.slices[1].mask.visible = visible;
  const SliceForward forward(all.slices, hidden_size, model);
  const RotaryEmbedding rotary({.partial_rotary_factor = 1.0, .mrope_section = {1, 0, 0}}, 2, 64);
  Scratch memory;
  SliceCursor cursor;
  const auto parts = next_parts(all.slices, cursor, 64, 8, hidden_size, memory.scratch.parts);
  const Pass pass = make_pass(all.slices, parts, hidden_size, rotary, memory.scratch);
  CHECK(pass.tokens == 6);
  REQUIRE(pass.spans.size() == 2);
  CHECK(pass.spans[0].first == 1);
  CHECK(pass.spans[0].count == 3);
  CHECK(pass.spans[0].slot == 0);
  CHECK(pass.spans[1].first == 4);
  CHECK(pass.spans[1].slot == 3);
  REQUIRE(pass.hole != nullptr);
  CHECK(pass.hole[1] == 0);
  CHECK(pass.hole[2] == 1);
  CHECK(pass.hole[4] == 0);
  REQUIRE(pass.mask.key_valid != nullptr);
  CHECK(pass.mask.key_valid[0][1] == 0);
  CHECK(pass.mask.key_valid[1] == visible);
  CHECK(pass.mask.first_key[0] == 0);
  CHECK(pass.mask.first_key[4] == 1);
  CHECK(pass.mask.additive == nullptr);
  // Masked tokens take no position; a position is the index among the others plus the offset.
  const std::int32_t* const positions = memory.scratch.positions;
  CHECK(std::vector<std::int32_t>(positions, positions + 4) == std::vector<std::int32_t>{0, 0, 1, 1});
  CHECK(std::vector<std::int32_t>(positions + 12, positions + 18) == std::vector<std::int32_t>{1, 2, 1, 2, 1, 2});
}

TEST_CASE("caches are entered together or not at all") {
  Sequences all({{0, 4}, {3, 2}});
  std::vector<SequenceSlice> twice = {all.slices[0], all.slices[0]};
  CHECK_THROWS_AS(SliceForward(twice, hidden_size, model), CacheError);
  CHECK(!all.caches[0].entered());
  CHECK_THROWS_AS(SliceForward(all.slices, hidden_size, model + 1), CacheError);  // the second is another's
  CHECK(!all.caches[0].entered());
  SliceForward forward(all.slices, hidden_size, model);
  CHECK(all.caches[0].entered());
  forward.commit();
  CHECK(all.caches[0].tokens() == 4);
  CHECK(all.caches[1].tokens() == 5);
  { const SliceForward left(all.slices, hidden_size, model); }
  CHECK_THROWS_AS(SliceForward(all.slices, hidden_size, model), CacheError);
}

TEST_CASE("slices that do not fit together are refused") {
  Sequences all({{0, 4}, {3, 2}});
  SequenceSlice slice = all.slices[0];
  CHECK(refused(slice).empty());
  const std::vector<TokenId> bad = {1, 10};
  slice.ids = bad;
  CHECK(contains(refused(slice), "slice 3: ids[1] is 10, expected 0 to 9"));
  slice = all.slices[0];
  const std::vector<std::int32_t> positions(11);
  slice.positions = positions;
  CHECK(contains(refused(slice), "slice 3 of 4 tokens has 11 positions, expected 12"));
  slice = all.slices[0];
  slice.wanted = 5;
  CHECK(contains(refused(slice), "5 rows are wanted"));
  slice = all.slices[0];
  slice.cache = nullptr;
  CHECK(contains(refused(slice), "expected a cache, and ids or embeds"));
  const std::vector<float> embeds(4);
  slice = all.slices[0];
  slice.embeds = embeds;
  CHECK(contains(refused(slice), "expected a cache, and ids or embeds"));
  slice.ids = {};
  slice.wanted = 2;
  CHECK(refused(slice).empty());
  slice = all.slices[1];
  slice.pads = 1;
  CHECK(contains(refused(slice), "pads stand before the first token"));
  slice = all.slices[0];
  const std::uint8_t valid[] = {0, 1, 1, 1};
  slice.valid = valid;
  CHECK(contains(refused(slice), "a sequence begins with a token that is not masked"));
  slice.pads = 1;
  CHECK(refused(slice).empty());
}
