// SPDX-License-Identifier: Apache-2.0
// The vision tower on the recorded models of tests/data/vision: every stage within the bars of the reference, equal
// bits where promised.
#include "model/vision_case.hpp"
#include "support/message_of.hpp"

#include <qwen35/model/vision_tower.hpp>

#include <qwen35_config/v00.hpp>
#include <qwen35_config/v01.hpp>
#include <qwen35_config/v02.hpp>
#include <qwen35_config/v03.hpp>
#include <qwen35_config/v04.hpp>
#include <qwen35_config/v05.hpp>
#include <qwen35_config/v06.hpp>
#include <qwen35_config/v07.hpp>
#include <qwen35_config/v08.hpp>
#include <qwen35_config/v09.hpp>

#include <random>

using namespace qwen35;
using oracle::wide;
using test_support::message_of;

namespace {

Tensor<float> rows_of(TensorView<float> values, std::size_t begin, std::size_t count) {
  const std::size_t width = values.shape()[1];
  return {{count, width}, std::vector<float>(values.data() + begin * width, values.data() + (begin + count) * width)};
}

Tensor<float> random_patches(std::size_t rows, std::size_t width) {
  std::mt19937 generator(5);
  std::uniform_real_distribution<float> uniform(-1.0f, 1.0f);
  Tensor<float> out({rows, width});
  for (float& value : out) {
    value = uniform(generator);
  }
  return out;
}

template <class Tower>
void check_stages(const Tower& tower, const oracle::Fields& fields) {
  const TensorView<float> pixels = fields.at("0.pixel_values").template view<float>();
  const Tensor<std::int64_t> grid = wide(fields.at("0.grid_thw").template view<std::int32_t>());
  const auto out = tower.forward({.hidden_states = pixels, .grid_thw = grid, .output_hidden_states = true});
  const Tensor<float> patch = tower.patch_embed(pixels);
  oracle::check_tensor(fields, "0.patch", patch.data(), patch.size(), "tower");
  REQUIRE(out.hidden_states.size() == Tower::config_type::depth + 1);
  oracle::check_tensor(fields, "0.embedded", out.hidden_states[0].data(), out.hidden_states[0].size(), "tower");
  for (std::size_t i = 0; i < Tower::config_type::depth; ++i) {
    oracle::check_tensor(fields, "0.block." + std::to_string(i), out.hidden_states[i + 1].data(),
                         out.hidden_states[i + 1].size(), "tower");
  }
  CHECK(oracle::same_bits(out.hidden_states.back(), out.last_hidden_state));
  CHECK(out.attentions.empty());
  oracle::check_tensor(fields, "0.merged", out.pooler_output.data(), out.pooler_output.size(), "tower");
}

// Threads, a second run, items alone, and the features of encode(): the bits of one forward.
template <class Tower>
void check_bits(const Tower& tower, TensorView<float> pixels, const Tensor<std::int64_t>& grid) {
  const auto whole = tower.forward({.hidden_states = pixels, .grid_thw = grid});
  for (const int threads : {1, 2, 4}) {
    const ThreadCount scope(threads);
    const auto again = tower.forward({.hidden_states = pixels, .grid_thw = grid});
    CHECK(oracle::same_bits(again.pooler_output, whole.pooler_output));
    CHECK(oracle::same_bits(again.last_hidden_state, whole.last_hidden_state));
  }
  const std::vector<ImageFeatures> features = tower.encode(pixels, grid);
  REQUIRE(features.size() == grid.shape()[0]);
  std::size_t patch = 0;
  for (std::size_t item = 0; item < features.size(); ++item) {
    const Tensor<std::int64_t> own({1, 3}, {grid[3 * item], grid[3 * item + 1], grid[3 * item + 2]});
    const auto patches = static_cast<std::size_t>(own[0] * own[1] * own[2]);
    const Tensor<float> own_pixels = rows_of(pixels, patch, patches);
    const std::vector<ImageFeatures> alone = tower.encode(own_pixels, own);
    CHECK(oracle::same_bits(alone[0].pooler_output, features[item].pooler_output));
    CHECK(oracle::same_bits(alone[0].pooler_output,
                            rows_of(whole.pooler_output, patch / Tower::block_size, patches / Tower::block_size)));
    CHECK(alone[0].content_hash == features[item].content_hash);
    CHECK(std::equal(alone[0].grid_thw.begin(), alone[0].grid_thw.end(), own.begin()));
    for (std::size_t other = 0; other < item; ++other) {
      CHECK(features[other].content_hash != features[item].content_hash);
    }
    patch += patches;
  }
}

const oracle::Case& attentions() {
  static const oracle::Case recorded("attentions", "vision");
  return recorded;
}

// Asking for them changes no other bit.
template <class Tower>
void check_attentions(const Tower& tower, const oracle::Fields& fields, const oracle::Fields& recorded) {
  const TensorView<float> pixels = fields.at("0.pixel_values").template view<float>();
  const Tensor<std::int64_t> grid = wide(fields.at("0.grid_thw").template view<std::int32_t>());
  const auto out = tower.forward({.hidden_states = pixels, .grid_thw = grid, .output_attentions = true});
  oracle::check_stack(recorded, "0.attentions", out.attentions, "tower");
  CHECK(out.attentions[0].shape() == Shape{pixels.shape()[0], Tower::hidden_size});
  CHECK(oracle::same_bits(out.pooler_output, tower.forward({.hidden_states = pixels, .grid_thw = grid}).pooler_output));
}

template <class Config>
void check_case(const std::string& name) {
  const oracle::Case recorded(name, "vision");
  const auto tower = VisionTower<vision_config_t<Config>>::from_pretrained(recorded.folder());
  const oracle::Fields& fields = recorded["tower"];
  check_stages(tower, fields);
  if (attentions().has(name)) {
    check_attentions(tower, fields, attentions()[name]);
  }
  check_bits(tower, fields.at("0.pixel_values").template view<float>(),
             wide(fields.at("0.grid_thw").template view<std::int32_t>()));
}

}  // namespace

TEST_CASE("the recorded attentions are all compared") {
  for (const auto& [name, fields] : attentions().scenarios()) {
    CHECK(fields.count("0.attentions") == 1);
  }
  CHECK(attentions().scenarios().size() == 3);
}
TEST_CASE("v00: 1 block of 1 head, 8 wide, patches of 4 in 2 frames merged by 2") {
  check_case<v00>("v00");
}
TEST_CASE("v01: 4 blocks of 3 heads, 12 wide, patches of 2 in 2 frames merged by 1") {
  check_case<v01>("v01");
}
TEST_CASE("v02: 2 blocks of 2 heads, 40 wide, patches of 4 in 2 frames merged by 2") {
  check_case<v02>("v02");
}
TEST_CASE("v03: 3 blocks of 2 heads, 24 wide, patches of 3 in 1 frame merged by 2") {
  check_case<v03>("v03");
}
TEST_CASE("v04: 2 blocks of 1 head, 36 wide, patches of 5 in 2 frames merged by 3") {
  check_case<v04>("v04");
}
TEST_CASE("v05: 5 blocks of 4 heads, 16 wide, patches of 4 in 3 frames merged by 2") {
  check_case<v05>("v05");
}
TEST_CASE("v06: 2 blocks of 2 heads, 8 wide, patches of 4 in 2 frames merged by 2") {
  check_case<v06>("v06");
}
TEST_CASE("v07: 1 block of 4 heads, 32 wide, patches of 8 in 2 frames merged by 2") {
  check_case<v07>("v07");
}
TEST_CASE("v08: 3 blocks of 5 heads, 20 wide, patches of 2 in 2 frames merged by 4, silu") {
  check_case<v08>("v08");
}
TEST_CASE("v09: 2 blocks of 1 head, 72 wide, patches of 2 in 1 frame merged by 1, gelu") {
  check_case<v09>("v09");
}

TEST_CASE("pictures larger than a group, and rows that fill many chunks") {
  const auto tower = VisionTower<vision_config_t<v00>>::from_pretrained(oracle::Case("v00", "vision").folder());
  const Tensor<std::int64_t> grid({4, 3}, {2, 40, 42, 1, 2, 2, 1, 70, 62, 3, 2, 4});
  const Tensor<float> pixels = random_patches(2 * 40 * 42 + 4 + 70 * 62 + 3 * 8, decltype(tower)::patch_values);
  check_bits(tower, pixels, grid);

  std::size_t last = 0, calls = 0, all = 0;
  tower.encode(pixels, grid, [&](std::size_t done, std::size_t total) {
    CHECK(done >= last);
    last = done;
    all = total;
    ++calls;
    return true;
  });
  CHECK(calls == 6);  // three groups: before and after the one block
  CHECK(last == all);
  CHECK(tower.encode(pixels, grid, [](std::size_t done, std::size_t) { return done == 0; }).empty());
}

TEST_CASE("an exception of the progress callback leaves the call") {
  const auto tower = VisionTower<vision_config_t<v00>>::from_pretrained(oracle::Case("v00", "vision").folder());
  const Tensor<std::int64_t> grid({1, 3}, {1, 2, 2});
  const Tensor<float> pixels = random_patches(4, decltype(tower)::patch_values);
  CHECK_THROWS_AS(
      tower.encode(pixels, grid, [](std::size_t, std::size_t) -> bool { throw std::runtime_error("enough"); }),
      std::runtime_error);
  Cancellation cancellation;
  std::size_t told = 0;
  const CallScope scope(cancellation, [&](std::string_view what, std::size_t, std::size_t total) {
    CHECK(what == "encode");
    CHECK(total > 0);
    ++told;
    cancellation.cancel();
  });
  CHECK_THROWS_AS(tower.encode(pixels, grid), CancelledError);
  CHECK(told == 1);
}

TEST_CASE("wrong arguments are refused") {
  const auto tower = VisionTower<vision_config_t<v00>>::from_pretrained(oracle::Case("v00", "vision").folder());
  const Tensor<float> pixels = random_patches(16, decltype(tower)::patch_values);
  const auto message = [&](std::vector<std::int64_t> grid) {
    const Tensor<std::int64_t> grids({grid.size() / 3, 3}, grid);
    return message_of<InputError>([&] { tower.forward({.hidden_states = pixels, .grid_thw = grids}); });
  };
  CHECK(message({1, 4, 4}) == "");
  CHECK(message({1, 2, 4}) == "grid_thw describes 8 patches, the pixel values hold 16");
  CHECK(message({1, 4, 4, 1, 2, 2}) == "grid_thw[1] is (1, 2, 2), of the 16 patches there are 0 left");
  for (const std::vector<std::int64_t>& grid : std::vector<std::vector<std::int64_t>>{{1, 4, 8},
                                                                                      {2, 4, 4},
                                                                                      {0, 4, 4},
                                                                                      {1, -4, -4},
                                                                                      {1, 0, 4},
                                                                                      {1, 16, 1},
                                                                                      {-1, 4, 4},
                                                                                      {1, INT64_MAX, 2},
                                                                                      {INT64_MAX, 4, 4},
                                                                                      {1, INT64_MIN, 4}}) {
    CHECK(message(grid).find("grid_thw[0] is (") == 0);
  }
  const Tensor<std::int64_t> flat({3}, {1, 4, 4});
  CHECK(message_of<InputError>([&] {
          tower.forward({.hidden_states = pixels, .grid_thw = flat});
        }).find("[items, 3]") != std::string::npos);
  CHECK(message_of<InputError>([&] { tower.forward({.hidden_states = pixels}); }).find("[items, 3]") !=
        std::string::npos);
  CHECK(message_of<InputError>([&] { tower.forward({.grid_thw = flat}); }).find("[patches, 96]") != std::string::npos);
  const Tensor<float> narrow({16, 95});
  CHECK(message_of<InputError>([&] { tower.patch_embed(narrow); }).find("[16, 95], expected [patches, 96]") !=
        std::string::npos);
}

TEST_CASE("a checkpoint of another tower, or of none, is refused with what differs") {
  CHECK(message_of<ConfigError>([] {
          VisionTower<vision_config_t<v01>>::from_pretrained(oracle::Case("v00", "vision").folder());
        }).find("hidden_size: the file has 8") != std::string::npos);
  CHECK(message_of<ConfigError>([] {
          VisionTower<vision_config_t<v00>>::from_pretrained(oracle::Case("c01").folder());
        }).find("no vision_config") != std::string::npos);
  const Checkpoint checkpoint = Checkpoint::open(oracle::Case("v00", "vision").folder());
  CHECK(message_of<CheckpointError>([&] {
          bind_vision<vision_config_t<v01>>(checkpoint);
        }).find("patch_embed.proj.weight: shape [8, 3, 2, 4, 4], expected [12, 3, 2, 2, 2]") != std::string::npos);
}
