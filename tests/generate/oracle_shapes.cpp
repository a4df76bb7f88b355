// SPDX-License-Identifier: Apache-2.0
// generate() on the trained shapes checkpoint.
#include "generate/generate_test.hpp"

#include <qwen35/config/presets.hpp>
#include <qwen35/generate/generate.hpp>
#include <qwen35/model/causal_lm.hpp>
#include <qwen35/text/tokenizer_chat.hpp>

#include <doctest/doctest.h>

#include <filesystem>
#include <sstream>

using namespace qwen35;
using namespace generate_test;

namespace {

using ShapesModel = CausalLM<configs::Shapes>;
constexpr TokenId pad = 433;

const ShapesModel& shapes() {
  static const ShapesModel model = ShapesModel::from_pretrained(std::string(QWEN35_SOURCE_DIR) + "/examples/shapes");
  return model;
}

struct Prompts {
  Tensor<TokenId> ids;
  Tensor<std::int32_t> mask;
};

Prompts padded(const std::vector<std::vector<TokenId>>& prompts) {
  std::size_t width = 0;
  for (const auto& prompt : prompts) {
    width = std::max(width, prompt.size());
  }
  Prompts out{Tensor<TokenId>({prompts.size(), width}), Tensor<std::int32_t>({prompts.size(), width})};
  std::fill(out.ids.begin(), out.ids.end(), pad);
  for (std::size_t b = 0; b < prompts.size(); ++b) {
    std::copy(prompts[b].begin(), prompts[b].end(),
              out.ids.row(b).end() - static_cast<std::ptrdiff_t>(prompts[b].size()));
    std::fill(out.mask.row(b).end() - static_cast<std::ptrdiff_t>(prompts[b].size()), out.mask.row(b).end(), 1);
  }
  return out;
}

std::vector<std::vector<TokenId>> prompts_of(const json::Value& recorded, const char* which = "prompts") {
  std::vector<std::vector<TokenId>> prompts;
  for (const json::Value& prompt : recorded.at(which).items()) {
    prompts.push_back(as_ids(prompt));
  }
  return prompts;
}

std::vector<TokenId> copy(std::span<const TokenId> ids) {
  return {ids.begin(), ids.end()};
}

}  // namespace

TEST_CASE("beams, padded batches, processors and guidance give the reference's tokens") {
  const json::Value file = read_json("shapes.json");
  REQUIRE(file.at("cases").size() == 28);
  for (const json::Value& recorded : file.at("cases").items()) {
    CAPTURE(recorded.at("name").as_string());
    const Prompts batch = padded(prompts_of(recorded));
    GenerateInput<ShapesModel> input{.input_ids = batch.ids};
    if (recorded.find("masked") == nullptr) {
      input.attention_mask = batch.mask;
    }
    GenerationConfig config = GenerationConfig::from_json(recorded.at("config"));
    Prompts negative;
    if (recorded.find("negative_prompts") != nullptr && recorded.at("negative_prompts").size() > 0) {
      negative = padded(prompts_of(recorded, "negative_prompts"));
      input.negative_prompt_ids = negative.ids;
      input.negative_prompt_attention_mask = negative.mask;
    }
    config.output_scores = recorded.find("last_scores") != nullptr;
    const auto output = shapes().generate(input, config);
    if (*config.output_scores) {
      const std::vector<float> wanted = as_floats(recorded.at("last_scores"));
      for (std::size_t v = 0; v < wanted.size(); ++v) {
        CHECK(close(output.scores.back()[v], wanted[v], 2e-5f));
      }
    }
    REQUIRE(output.sequences.shape()[0] == recorded.at("generated").size());
    for (std::size_t r = 0; r < output.sequences.shape()[0]; ++r) {
      CHECK(copy(output.sequences.row(r).subspan(output.prompt_length)) == as_ids(recorded.at("generated").items()[r]));
    }
    if (const json::Value* const scores = recorded.find("sequences_scores")) {
      const std::vector<float> wanted = as_floats(*scores);
      REQUIRE(output.sequences_scores.size() == wanted.size());
      for (std::size_t i = 0; i < wanted.size(); ++i) {
        CHECK(close(output.sequences_scores[i], wanted[i], 2e-5f));
      }
    }
  }
}

TEST_CASE("positions may be negative; ids outside the vocabulary are refused before any forward") {
  const json::Value file = read_json("shapes.json");
  const Prompts prompt = padded({prompts_of(file.at("cases").items()[0])[0]});
  const std::size_t length = prompt.ids.size();
  Tensor<std::int32_t> positions({3, 1, length});
  for (std::size_t i = 0; i < positions.size(); ++i) {
    positions[i] = static_cast<std::int32_t>(i % length) - 30;
  }
  const GenerationConfig config{.max_new_tokens = 12};
  const auto plain = shapes().generate({.input_ids = prompt.ids}, config);
  const auto moved = shapes().generate({.input_ids = prompt.ids, .position_ids = positions}, config);
  CHECK(copy(plain.new_tokens(0)) == copy(moved.new_tokens(0)));  // distances alone count
  CHECK_THROWS_WITH_AS(shapes().generate({.input_ids = prompt.ids}, {.forced_bos_token_id = 5000}),
                       doctest::Contains("forced_bos_token_id has the token id 5000, expected 0 to "), InputError);
  const std::vector<TokenId> other{5000};
  CHECK_THROWS_WITH_AS(
      shapes().generate({.input_ids = prompt.ids, .negative_prompt_ids = TensorView<TokenId>(other.data(), {1, 1})},
                        {.guidance_scale = 2.0}),
      doctest::Contains("negative_prompt_ids[0] is 5000, expected 0 to "), InputError);
}

TEST_CASE("from texts to an answer's text: tokenizer(texts), generate, batch_decode") {
  const std::string folder = std::string(QWEN35_SOURCE_DIR) + "/examples/shapes";
  const Tokenizer tokenizer = Tokenizer::from_pretrained(folder);
  const auto question = [](const char* text) { return std::vector<Message>{Message::user(text)}; };
  const std::vector<std::vector<Message>> conversations{
      question("There is a red circle and a blue star. What is right of the red circle?"),
      question("How many shapes?")};
  const BatchEncoding inputs = tokenizer.apply_chat_template(
      conversations,
      {.add_generation_prompt = true, .enable_thinking = false, .tokenizer_kwargs = {.padding = Padding::longest}});
  const auto output = shapes().generate(inputs, {.max_new_tokens = 24}, {.tokenizer = tokenizer});
  const std::vector<std::string> texts = tokenizer.batch_decode(output.sequences, true);
  for (std::size_t i = 0; i < 2; ++i) {
    CHECK(texts[i].starts_with(tokenizer.decode(inputs.input_ids[i], true)));
    CHECK(texts[i].ends_with(tokenizer.decode(output.new_tokens(i), true)));
    CHECK(output.generated[i] > 0);
  }
  CHECK(tokenizer.decode(output.new_tokens(0), true).find("star") != std::string::npos);
  // A stop string ends the answer behind it.
  const auto stopped =
      shapes().generate(inputs, {.stop_strings = std::vector<std::string>{"star"}}, {.tokenizer = tokenizer});
  CHECK(stopped.finish_reason[0] == FinishReason::stop_string);
}

TEST_CASE("rows are bit-equal together and alone, sampled and penalised") {
  const json::Value file = read_json("shapes.json");
  std::vector<std::vector<TokenId>> prompts;
  for (const json::Value& recorded : file.at("cases").items()) {
    prompts.push_back(prompts_of(recorded)[0]);
  }
  prompts.resize(4);
  const Prompts batch = padded(prompts);
  const GenerationConfig config{.max_new_tokens = 12,
                                .do_sample = true,
                                .num_return_sequences = 2,
                                .seed = 3,
                                .temperature = 1.3,
                                .top_k = 40,
                                .top_p = 0.97,
                                .repetition_penalty = 1.1,
                                .presence_penalty = 0.3,
                                .output_logits = true};
  const auto together = shapes().generate({.input_ids = batch.ids, .attention_mask = batch.mask}, config);
  bool differ = false;
  for (std::uint32_t b = 0; b < 4; ++b) {
    const auto alone = shapes().generate({.input_ids = prompts[b], .sequence_ids = {b}}, config);
    for (std::size_t sibling = 0; sibling < 2; ++sibling) {
      CHECK(copy(alone.new_tokens(sibling)) == copy(together.new_tokens(2 * b + sibling)));
      for (std::size_t step = 0; step < alone.generated[sibling]; ++step) {
        const auto mine = alone.logits[step].row(sibling);
        const auto theirs = together.logits[step].row(2 * b + sibling);
        CHECK(std::equal(mine.begin(), mine.end(), theirs.begin()));
      }
    }
    differ = differ || copy(alone.new_tokens(0)) != copy(alone.new_tokens(1));
  }
  CHECK(differ);
}

TEST_CASE("a conversation goes on from its cache as if it were run anew; hidden states and attentions on request") {
  const json::Value file = read_json("shapes.json");
  const std::vector<TokenId> prompt = prompts_of(file.at("cases").items()[0])[0];
  const GenerationConfig config{.max_new_tokens = 6};
  ShapesModel::Cache cache;
  const auto first = shapes().generate({.input_ids = prompt, .past_key_values = &cache}, config);
  CHECK(cache.seq_length() + 1 == first.sequences.shape()[1]);
  std::vector<TokenId> longer(first.sequences.begin(), first.sequences.end());
  longer.insert(longer.end(), prompt.begin(), prompt.end());
  const auto cached = shapes().generate({.input_ids = longer, .past_key_values = &cache}, config);
  CHECK(cached.usage[0].cached_tokens == first.sequences.shape()[1] - 1);
  const auto anew = shapes().generate({.input_ids = longer}, config);
  CHECK(copy(cached.new_tokens(0)) == copy(anew.new_tokens(0)));
  longer[3] = 9;
  CHECK_THROWS_AS(shapes().generate({.input_ids = longer, .past_key_values = &cache}, config), InputError);

  const auto full =
      shapes().generate({.input_ids = prompt},
                        {.max_new_tokens = 3, .num_beams = 2, .output_hidden_states = true, .output_attentions = true});
  REQUIRE(full.hidden_states.size() >= 2);
  CHECK(full.hidden_states[0].size() == 5);
  CHECK(full.hidden_states[0][0].shape() == Shape{2, prompt.size(), 128});
  CHECK(full.hidden_states[1][4].shape() == Shape{2, 1, 128});
  CHECK(full.attentions[0][0].shape() == Shape{2, 4, prompt.size(), prompt.size()});
  CHECK(full.attentions[1][0].shape() == Shape{2, 4, 1, prompt.size() + 1});
}

TEST_CASE("the checkpoint's generation config fills what is not said") {
  const json::Value file = read_json("shapes.json");
  const std::vector<TokenId> prompt = prompts_of(file.at("cases").items()[0])[0];
  const auto output = shapes().generate({.input_ids = prompt});  // max_new_tokens 64, eos ids, greedy
  CHECK(output.generated[0] <= 64);
  CHECK(output.finish_reason[0] == FinishReason::stop);
  CHECK(output.new_tokens(0).back() == 435);
  const auto cut = shapes().generate({.input_ids = prompt}, {.max_new_tokens = 2});
  CHECK(cut.generated[0] == 2);
  CHECK(copy(cut.new_tokens(0)) == copy(output.new_tokens(0).first(2)));
}

TEST_CASE("a checkpoint that asks for router logits generates from padded batches as one that does not") {
  namespace fs = std::filesystem;
  const fs::path from = fs::path(QWEN35_SOURCE_DIR) / "examples/shapes";
  const fs::path folder = fs::temp_directory_path() / "qwen35_oracle_shapes_router";
  fs::remove_all(folder);
  fs::create_directories(folder);
  for (const char* const name : {"model.safetensors", "generation_config.json"}) {
    fs::create_symlink(from / name, folder / name);
  }
  std::stringstream text;
  text << std::ifstream(from / "config.json").rdbuf();
  std::string config = text.str();
  const std::string flag = "\"output_router_logits\": false";
  REQUIRE(config.find(flag) != std::string::npos);
  config.replace(config.find(flag), flag.size(), "\"output_router_logits\": true");
  std::ofstream(folder / "config.json") << config;
  const ShapesModel model = ShapesModel::from_pretrained(folder.string());
  fs::remove_all(folder);

  const json::Value file = read_json("shapes.json");
  const Prompts batch = padded({prompts_of(file.at("cases").items()[0])[0], {434, 415, 198}});
  const ForwardOutput output = model.forward({.input_ids = batch.ids, .attention_mask = batch.mask});
  CHECK(output.aux_loss.has_value());
  for (const std::int64_t beams : {1, 2}) {
    for (const bool use_cache : {true, false}) {
      const GenerationConfig settings{.max_new_tokens = 6, .num_beams = beams, .use_cache = use_cache};
      const GenerateInput<ShapesModel> input{.input_ids = batch.ids, .attention_mask = batch.mask};
      const auto flagged = model.generate(input, settings).sequences;
      const auto plain = shapes().generate(input, settings).sequences;
      CHECK(std::vector<TokenId>(flagged.begin(), flagged.end()) == std::vector<TokenId>(plain.begin(), plain.end()));
    }
  }
}

TEST_CASE(
    "cancelled between any two layers or behind any token: the cache holds what it says, and goes on to the same") {
  const std::vector<TokenId> prompt = {5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17};
  const GenerationConfig config{.max_new_tokens = 6, .eos_token_id = TokenIds()};
  const auto expected = shapes().generate({.input_ids = prompt}, config);
  std::size_t layers = 0;
  {
    const CallScope scope([&](std::string_view, std::size_t, std::size_t) { ++layers; });
    shapes().generate({.input_ids = prompt}, config);
  }
  CHECK(layers >= configs::Shapes::text_config::num_hidden_layers);
  for (std::size_t stop = 0; stop < layers + 6; ++stop) {
    CAPTURE(stop);
    HybridCache<configs::Shapes> cache;
    Cancellation cancellation;
    std::size_t step = 0;
    const auto next = [&] {
      if (step++ == stop) {
        cancellation.cancel();
      }
      return true;
    };
    std::vector<TokenId> written = prompt;
    {
      const CallScope scope(cancellation, [&](std::string_view, std::size_t, std::size_t) { next(); });
      run_unless_cancelled([&] {
        const auto output = shapes().generate({.input_ids = prompt,
                                               .past_key_values = &cache,
                                               .streamer = [&](std::span<const TokenId>) { return next(); }},
                                              config);
        written = copy(output.sequences.row(0));
        CHECK(output.finish_reason[0] == (stop + 1 < layers + 6 ? FinishReason::cancelled : FinishReason::length));
      });
    }
    CHECK(step == stop + 1);  // not one layer or token more
    CHECK(cache.seq_length() == (stop < layers ? 0 : written.size() - 1));
    CHECK(std::equal(cache.ids().begin(), cache.ids().end(), written.begin()));
    CHECK(written.size() == prompt.size() + (stop < layers ? 0 : stop - layers + 1));
    if (written.size() < expected.sequences.row(0).size()) {
      GenerationConfig rest = config;
      rest.max_new_tokens = static_cast<std::int64_t>(expected.sequences.row(0).size() - written.size());
      CHECK(copy(shapes().generate({.input_ids = written, .past_key_values = &cache}, rest).sequences.row(0)) ==
            copy(expected.sequences.row(0)));
    }
  }
}
