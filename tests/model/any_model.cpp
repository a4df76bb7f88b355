// SPDX-License-Identifier: Apache-2.0
#include "generate/generate_test.hpp"

#include <qwen35/config/presets.hpp>
#include <qwen35/generate/batch.hpp>
#include <qwen35/generate/generate.hpp>
#include <qwen35/model/any_model.hpp>

#include <doctest/doctest.h>

#include <map>

using namespace qwen35;
using generate_test::as_ids;

namespace {

// A text model of other sizes, one layer of each kind.
struct Small : MoeTextDefaults {
  static constexpr std::size_t vocab_size = 64;
  static constexpr std::size_t hidden_size = 32;
  static constexpr std::size_t num_hidden_layers = 2;
  static constexpr std::array<LayerType, 2> layer_types = {LayerType::linear_attention, LayerType::full_attention};
  static constexpr std::size_t num_attention_heads = 2;
  static constexpr std::size_t num_key_value_heads = 1;
  static constexpr std::size_t head_dim = 16;
  static constexpr RopeParameters rope_parameters = {
      .rope_theta = 10000.0, .partial_rotary_factor = 0.5, .mrope_section = {2, 1, 1}};
  static constexpr std::size_t linear_key_head_dim = 16;
  static constexpr std::size_t linear_value_head_dim = 16;
  static constexpr std::size_t linear_num_key_heads = 1;
  static constexpr std::size_t linear_num_value_heads = 2;
  static constexpr std::size_t moe_intermediate_size = 16;
  static constexpr std::size_t shared_expert_intermediate_size = 16;
  static constexpr std::size_t num_experts = 4;
  static constexpr std::size_t num_experts_per_tok = 2;
};

const std::string folder = QWEN35_SOURCE_DIR "/examples/shapes";

const AnyModel& shapes() {
  static const AnyModel model = open_model<Small, configs::Shapes>(Checkpoint::open(folder));
  return model;
}

// Of the recorded cases.
std::vector<std::vector<TokenId>> prompts() {
  std::vector<std::vector<TokenId>> out;
  const json::Value file = generate_test::read_json("shapes.json");
  for (const json::Value& recorded : file.at("cases").items()) {
    for (const json::Value& prompt : recorded.at("prompts").items()) {
      out.push_back(as_ids(prompt));
    }
  }
  return out;
}

using Handle = Batch<AnyModel>::Handle;

// Steps until nothing runs; the logits that each token of `logits` was chosen from are kept.
void run(Batch<AnyModel>& batch, std::map<Handle, std::vector<float>>& logits) {
  while (batch.forward()) {
    for (auto& [handle, kept] : logits) {
      const std::span<const float> now = batch.logits(handle);
      kept.insert(kept.end(), now.begin(), now.end());
    }
    batch.choose();
  }
}

}  // namespace

TEST_CASE("the first config that describes the checkpoint is taken; when none does, each one's differences are told") {
  CHECK(shapes().has_vision());
  CHECK(shapes().vocab_size() == 512);
  CHECK(shapes().cache_layout() == cache_layout<configs::Shapes>());
  CHECK_FALSE(AnyModel(CausalLM<Small>(InitOptions{})).has_vision());
  std::string message;
  try {
    open_model<Small, Small>(Checkpoint::open(folder));
  } catch (const UncompiledModelError& error) {
    message = error.what();
  }
  CHECK(message.starts_with(folder + ": this program was not compiled for such a model\ncompiled for Small: " + folder +
                            "/config.json does not describe"));
  const std::string line = "text_config.vocab_size: the file has 512, the type 64";
  const std::size_t first = message.find(line);
  REQUIRE(first != std::string::npos);
  CHECK(message.find(line, first + 1) != std::string::npos);
  const Result<ConfigValues> fits = try_check<configs::Shapes>(Checkpoint::open(folder).config());
  REQUIRE(fits);
  CHECK(fits.value().image_token_id == 438);
  CHECK(Checkpoint::try_open(folder + "/none").failure().kind == ErrorKind::checkpoint);
  CHECK(try_open_model<Small>(Checkpoint::open(folder)).failure().kind == ErrorKind::config);
  CHECK_THROWS_AS(Checkpoint::open(folder, checked_for_one_of<Small>({})), UncompiledModelError);
  CHECK_NOTHROW(Checkpoint::open(folder, checked_for_one_of<Small, configs::Shapes>({})));
  CHECK(CausalLM<Small>::try_from_pretrained(folder).failure().message.find(line) != std::string::npos);
}

TEST_CASE("a model of any config generates what the reference does, beams too") {
  const json::Value file = generate_test::read_json("shapes.json");
  for (const json::Value& recorded : file.at("cases").items()) {
    if (recorded.at("prompts").size() != 1) {
      continue;
    }
    const std::vector<TokenId> prompt = as_ids(recorded.at("prompts").items()[0]);
    std::vector<TokenId> negative;
    if (const json::Value* const prompts = recorded.find("negative_prompts");
        prompts != nullptr && prompts->size() > 0) {
      negative = as_ids(prompts->items()[0]);
    }
    const auto output = shapes().generate({.input_ids = prompt, .negative_prompt_ids = negative},
                                          GenerationConfig::from_json(recorded.at("config")));
    const auto row = output.sequences.row(0).subspan(output.prompt_length);
    CHECK(std::vector<TokenId>(row.begin(), row.end()) == as_ids(recorded.at("generated").items()[0]));
  }
  const AnyModel text(CausalLM<Small>(InitOptions{}));
  const std::vector<TokenId> ids{1, 2, 3};
  CHECK(text.generate({.input_ids = ids}, {.max_new_tokens = 4}).generated[0] == 4);
  CHECK(text.generate({.input_ids = ids}, {.max_new_tokens = 4, .use_cache = false}).sequences.shape() == Shape{1, 7});
  CHECK_THROWS_WITH_AS(text.get_image_features({}, {}), "this model reads text alone", InputError);
}

TEST_CASE("sequences that are read and continued together have the bits that they have alone") {
  const std::vector<std::vector<TokenId>> asked = prompts();
  REQUIRE(asked.size() >= 8);
  const auto input_of = [&](std::size_t i) {
    return SequenceInput{.input_ids = asked[i],
                         .config = {.max_new_tokens = 6 + static_cast<std::int64_t>(i),
                                    .do_sample = i % 2 == 1,
                                    .seed = 5,
                                    .temperature = 1.2,
                                    .repetition_penalty = 1.1,
                                    .eos_token_id = TokenIds()},
                         .sequence_id = static_cast<std::uint32_t>(i)};
  };
  // Pieces of 24 tokens: the prompts take several steps, beside others' tokens.
  Batch<AnyModel> batch(shapes(), {.max_sequences = 8, .prefill_chunk = 24});
  std::map<Handle, std::vector<float>> logits;
  std::map<Handle, std::size_t> number;
  for (std::size_t i = 0; i < 8; ++i) {
    const Handle handle = batch.add(input_of(i));
    logits[handle];
    number[handle] = i;
    if (i % 3 == 2) {  // some come later
      batch.forward();
      for (auto& [known, kept] : logits) {
        const std::span<const float> now = batch.logits(known);
        kept.insert(kept.end(), now.begin(), now.end());
      }
      batch.choose();
    }
  }
  run(batch, logits);
  for (const auto& [handle, count] : number) {
    const std::size_t i = count;
    CAPTURE(i);
    Batch<AnyModel> own(shapes(), {.max_sequences = 1, .prefill_chunk = 24});
    std::map<Handle, std::vector<float>> alone;
    const Handle only = own.add(input_of(i));
    alone[only];
    run(own, alone);
    CHECK(own.sequence(only).ids == batch.sequence(handle).ids);
    CHECK(own.sequence(only).usage.completion_tokens == 6 + i);
    CHECK(alone[only].size() == 512 * (6 + i));
    CHECK(alone[only] == logits[handle]);
  }
}
