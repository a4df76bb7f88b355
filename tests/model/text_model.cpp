// SPDX-License-Identifier: Apache-2.0
#include <qwen35/config/presets.hpp>
#include <qwen35/model/text_model.hpp>

#include "support/message_of.hpp"

#include <doctest/doctest.h>

using namespace qwen35;
using test_support::contains;
using test_support::message_of;

namespace {

// The shapes model but for two sizes.
struct Wider : configs::Shapes {
  struct text_config : configs::Shapes::text_config {
    static constexpr std::size_t hidden_size = 256;
    static constexpr std::size_t num_experts_per_tok = 3;
  };
};

}  // namespace

TEST_CASE("a checkpoint of another shape is one error of the config, before any tensor is looked for") {
  const std::string message =
      message_of<ConfigError>([] { TextModel<Wider>::from_pretrained(QWEN35_SOURCE_DIR "/examples/shapes"); });
  CHECK(contains(message, "hidden_size: the file has 128, the type 256"));
  CHECK(contains(message, "num_experts_per_tok: the file has 2, the type 3"));
}

TEST_CASE("arguments that contradict each other") {
  const auto model = TextModel<configs::Shapes>::from_pretrained(QWEN35_SOURCE_DIR "/examples/shapes");
  const std::vector<TokenId> ids = {1, 2, 3};
  const Tensor<float> embeds({1, 3, 128});
  const Tensor<std::int32_t> short_mask({1, 2}, {1, 1});
  const Tensor<std::int32_t> five_planes({5, 1, 3});
  const Tensor<float> narrow({1, 3, 64});
  const auto message = [&](const TextModelInput<configs::Shapes>& input) {
    return message_of<InputError>([&] { model.forward(input); });
  };
  CHECK(contains(message({}), "exactly one of input_ids and inputs_embeds"));
  CHECK(contains(message({.input_ids = ids, .inputs_embeds = embeds}), "exactly one of input_ids and inputs_embeds"));
  CHECK(contains(message({.input_ids = {1, 512}}), "input_ids[1] is 512, expected 0 to 511"));
  CHECK(contains(message({.input_ids = {-1}}), "input_ids[0] is -1"));
  CHECK(contains(message({.inputs_embeds = narrow}),
                 "inputs_embeds of shape [1, 3, 64], expected [batch, sequence, 128]"));
  CHECK(contains(message({.input_ids = ids, .attention_mask = short_mask}),
                 "attention_mask of shape [1, 2], expected [1, 3]"));
  CHECK(contains(message({.input_ids = ids, .position_ids = five_planes}), "position_ids of shape [5, 1, 3]"));
  CHECK(contains(message({.input_ids = ids, .cache_position = {1, 2, 3}}), "cache_position must count from 0 to 2"));
  CHECK(model.forward({.input_ids = ids}).last_hidden_state.shape() == Shape{1, 3, 128});
}

TEST_CASE("rows that stand instead of embeddings") {
  const auto model = TextModel<configs::Shapes>::from_pretrained(QWEN35_SOURCE_DIR "/examples/shapes");
  const std::vector<TokenId> ids = {10, 11, 12, 13};
  const std::vector<TokenId> others = {10, 30, 12, 31};
  std::vector<float> a(128);
  std::vector<float> b(128);
  model.embed(30, a.data());
  model.embed(31, b.data());
  const std::vector<const float*> rows = {nullptr, a.data(), nullptr, b.data()};
  HybridCache<configs::Shapes> cache;
  const auto replaced = model.forward({.input_ids = ids, .past_key_values = &cache, .replaced_rows = rows});
  const auto expected = model.forward({.input_ids = others});
  CHECK(std::equal(replaced.last_hidden_state.begin(), replaced.last_hidden_state.end(),
                   expected.last_hidden_state.begin()));
  CHECK(std::equal(ids.begin(), ids.end(), cache.ids().begin()));  // the cache knows the ids
  const auto message = [&](std::span<const float* const> given) {
    return message_of<InputError>([&] { model.forward({.input_ids = ids, .replaced_rows = given}); });
  };
  CHECK(contains(message(std::span(rows).first(3)), "replaced_rows has 3 entries, expected one for each of 4 tokens"));
  CHECK(contains(message_of<InputError>([&] { model.embed(512, a.data()); }), "token 512, expected 0 to 511"));
}
