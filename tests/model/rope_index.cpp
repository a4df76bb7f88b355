// SPDX-License-Identifier: Apache-2.0
#include <qwen35/model/rope_index.hpp>

#include "model/vision_case.hpp"
#include "support/message_of.hpp"

#include <doctest/doctest.h>

using namespace qwen35;
using test_support::contains;
using test_support::message_of;

namespace {

std::vector<std::int32_t> values(const Tensor<std::int32_t>& tensor) {
  return {tensor.begin(), tensor.end()};
}

// One sequence: types, and the grids in patches (merged 2 x 2).
RopeIndexInput one(const std::vector<std::int32_t>& types, const std::vector<std::int64_t>& images,
                   const std::vector<std::int64_t>& videos = {}) {
  RopeIndexInput input;
  input.tokens = {1, types.size()};
  input.mm_token_type_ids = types;
  if (!images.empty()) {
    input.image_grid_thw = TensorView<std::int64_t>(images.data(), {images.size() / 3, 3});
  }
  if (!videos.empty()) {
    input.video_grid_thw = TensorView<std::int64_t>(videos.data(), {videos.size() / 3, 3});
  }
  return input;
}

std::string problem(const RopeIndexInput& input) {
  return message_of<InputError>([&] { rope_index(input); });
}

}  // namespace

TEST_CASE("the recorded positions and deltas of the reference") {
  std::size_t cases = 0;
  for (const char* name : {"v00", "v01", "v02", "v03", "v04", "v05", "v06", "v07", "v08", "v09"}) {
    const oracle::Case recorded(name, "vision");
    const std::size_t merge = oracle::merge_size(name);
    for (const auto& [scenario, fields] : recorded.scenarios()) {
      const oracle::Recorded* const positions = oracle::find(fields, 0, "positions");
      if (positions == nullptr) {
        continue;
      }
      const std::string where = std::string(name) + " " + scenario;
      CAPTURE(where);
      const oracle::VisionStep step(fields, 0);
      RopeIndexInput input;
      input.tokens = step.input_ids.shape();
      input.mm_token_type_ids = step.mm_token_type_ids;
      input.image_grid_thw = step.image_grid_thw;
      input.video_grid_thw = step.video_grid_thw;
      input.attention_mask = step.attention_mask;
      input.spatial_merge_size = merge;
      const RopeIndex ours = rope_index(input);
      CHECK(oracle::same_values(ours.position_ids, positions->view<std::int32_t>()));
      const auto deltas = oracle::find(fields, 0, "rope_deltas")->view<std::int32_t>();
      CHECK(std::equal(ours.rope_deltas.begin(), ours.rope_deltas.end(), deltas.data(), deltas.data() + deltas.size()));
      ++cases;

      // The same in two halves, cut where every sequence has text (or padding): what a cache continues is what one pass
      // would have given.
      const std::size_t length = input.tokens[1];
      const std::size_t batch = input.tokens[0];
      for (std::size_t cut = 1; cut < length; ++cut) {
        const auto halves = oracle::split_step(step, cut, merge);
        if (!halves) {
          continue;
        }
        RopeIndexInput first = input;
        first.tokens = {batch, cut};
        first.mm_token_type_ids = halves->types[0];
        first.image_grid_thw = halves->images[0];
        first.video_grid_thw = halves->videos[0];
        first.attention_mask = halves->mask[0];
        const RopeIndex begin = rope_index(first);
        RopeIndexInput second = input;
        second.tokens = {batch, length - cut};
        second.mm_token_type_ids = halves->types[1];
        second.image_grid_thw = halves->images[1];
        second.video_grid_thw = halves->videos[1];
        second.past_tokens = halves->past_tokens;
        second.past_deltas = begin.rope_deltas;
        const RopeIndex rest = rope_index(second);
        CHECK(rest.rope_deltas == ours.rope_deltas);
        std::size_t wrong = 0;
        for (std::size_t row = 0; row < 3 * batch; ++row) {
          for (std::size_t s = 0; s < length; ++s) {
            const std::int32_t joined =
                s < cut ? begin.position_ids[row * cut + s] : rest.position_ids[row * (length - cut) + s - cut];
            wrong += joined == ours.position_ids[row * length + s] ? 0u : 1u;
          }
        }
        CHECK(wrong == 0);
      }
    }
  }
  CHECK(cases == 110);
}

TEST_CASE("a picture between texts, by hand") {
  // t t i i i i i i t: a picture of 2 x 3 merged patches begins at 2, the text goes on at 2 + 3.
  const std::vector<std::int32_t> types = {0, 0, 1, 1, 1, 1, 1, 1, 0};
  const RopeIndex out = rope_index(one(types, {1, 4, 6}));
  CHECK(values(out.position_ids) == std::vector<std::int32_t>{0, 1, 2, 2, 2, 2, 2, 2, 5,  //
                                                              0, 1, 2, 2, 2, 3, 3, 3, 5,  //
                                                              0, 1, 2, 3, 4, 2, 3, 4, 5});
  CHECK(out.rope_deltas == std::vector<std::int32_t>{6 - 9});
}

TEST_CASE("without token types all is text, and a 4-D mask tells nothing") {
  RopeIndexInput input;
  input.tokens = {1, 3};
  CHECK(values(rope_index(input).position_ids) == std::vector<std::int32_t>{0, 1, 2, 0, 1, 2, 0, 1, 2});
  const Tensor<std::uint8_t> ready({1, 1, 3, 3});
  input.attention_mask = ready;
  CHECK(values(rope_index(input).position_ids) == std::vector<std::int32_t>{0, 1, 2, 0, 1, 2, 0, 1, 2});
  const std::vector<std::int32_t> mask = {1, 1, 0, 1, 1};  // two of them are in the cache
  input.attention_mask = mask;
  const std::int32_t past = 2;
  const std::int32_t delta = -1;
  input.past_tokens = {&past, 1};
  input.past_deltas = {&delta, 1};
  CHECK(values(rope_index(input).position_ids) == std::vector<std::int32_t>{0, 1, 2, 0, 1, 2, 0, 1, 2});
  CHECK(rope_index(input).rope_deltas == std::vector<std::int32_t>{-1});
}

TEST_CASE("grids that do not fit the tokens") {
  const std::vector<std::int32_t> four = {0, 1, 1, 1, 1, 0};
  const std::vector<std::int32_t> frames = {0, 2, 2, 0, 2, 2};
  CHECK(contains(problem(one(four, {})),
                 "image_grid_thw has no item left for the 4 placeholder tokens from token 1 of sequence 0 on"));
  CHECK(contains(
      problem(one(four, {1, 2, 4})),
      "4 placeholder tokens from token 1 of sequence 0 on, but image_grid_thw[0] has 1 x 1 x 2 merged patches"));
  CHECK(contains(problem(one(four, {1, 4, 4, 1, 2, 2})),
                 "image_grid_thw has 2 items, the tokens have placeholders for 1"));
  CHECK(contains(problem(one(four, {1, 3, 4})),
                 "image_grid_thw[0] is (1, 3, 4), expected sizes above 0, height and width multiples of 2"));
  CHECK(contains(problem(one(four, {1, -4, -4})), "image_grid_thw[0] is (1, -4, -4)"));
  CHECK(contains(problem(one(four, {0, 4, 4})), "image_grid_thw[0] is (0, 4, 4)"));
  constexpr std::int64_t huge = std::int64_t{1} << 62;
  CHECK(contains(problem(one(four, {huge, huge, huge})), "and at most 268435456 patches"));
  CHECK(contains(problem(one(frames, {}, {3, 2, 4})),
                 "video_grid_thw has 1 items, the tokens have placeholders for 0 and a part of the next"));
  CHECK(contains(problem(one(frames, {}, {1, 2, 4})),
                 "video_grid_thw has no frame left for the 2 placeholder tokens from token 4"));
  CHECK(contains(problem(one(frames, {1, 2, 4}, {2, 2, 4})), "image_grid_thw has 1 items"));
  CHECK(problem(one(frames, {}, {2, 2, 4})).empty());
  CHECK(contains(problem(one({0, 3}, {})), "mm_token_type_ids has 3 at token 1 of sequence 0"));
  CHECK(contains(problem(one({0, -1}, {})), "mm_token_type_ids has -1"));
}

TEST_CASE("shapes that do not fit") {
  const std::vector<std::int32_t> types = {0, 0, 0};
  RopeIndexInput input = one(types, {});
  input.tokens = {1, 4};
  CHECK(contains(problem(input), "mm_token_type_ids of shape [1, 3], expected [1, 4]"));
  input = one(types, {});
  const std::vector<std::int32_t> mask = {1, 1};
  input.attention_mask = mask;
  CHECK(contains(problem(input), "attention_mask of shape [1, 2], expected [1, 3]"));
  input = one(types, {});
  const std::vector<std::int64_t> grid = {1, 2};
  input.video_grid_thw = grid;
  CHECK(contains(problem(input), "video_grid_thw of shape [1, 2], expected [items, 3]"));
  input = one(types, {});
  input.tokens = {3};
  CHECK(contains(problem(input), "input_ids of shape [3]"));
  input = one(types, {});
  const std::int32_t past[] = {1, 2};
  input.past_tokens = past;
  input.past_deltas = past;
  CHECK(contains(problem(input), "past_tokens of 2 and past_deltas of 2 sequences, expected 1 or none"));
  const std::int32_t far[] = {std::numeric_limits<std::int32_t>::max() - 2};
  const std::int32_t none[] = {0};
  input.past_tokens = far;
  input.past_deltas = none;
  CHECK(contains(problem(input), "positions of sequence 0 do not fit 32 bits"));
}
