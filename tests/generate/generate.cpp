// SPDX-License-Identifier: Apache-2.0
#include "generate/generate_test.hpp"
#include "support/log_capture.hpp"
#include "support/message_of.hpp"

#include <qwen35/generate/generate.hpp>
#include <qwen35/generate/output_json.hpp>
#include <qwen35/text/batch_encoding.hpp>

#include <doctest/doctest.h>

#include <sstream>

using namespace qwen35;
using namespace generate_test;
using test_support::message_of;

namespace {

ToyModel toy_of(const json::Value& recorded, const GenerationConfig& config) {
  ToyModel model;
  model.vocab_size = static_cast<std::size_t>(recorded.at("vocab").as_integer());
  model.seed = static_cast<std::uint32_t>(recorded.at("seed").as_integer());
  model.bonus = static_cast<float>(recorded.at("eos_bonus").as_number());
  model.bonus_ids = config.eos_token_id.value_or(TokenIds());
  return model;
}

std::vector<TokenId> flat(const Tensor<TokenId>& tensor) {
  return {tensor.begin(), tensor.end()};
}
std::vector<TokenId> copy(std::span<const TokenId> ids) {
  return {ids.begin(), ids.end()};
}

}  // namespace

TEST_CASE("greedy and beam search give the reference's sequences and scores") {
  const json::Value file = read_json("generate.json");
  REQUIRE(file.at("cases").size() > 120);
  for (const json::Value& recorded : file.at("cases").items()) {
    CAPTURE(recorded.at("name").as_string());
    GenerationConfig config = GenerationConfig::from_json(recorded.at("config"));
    config.output_scores = true;
    config.output_logits = true;
    const ToyModel model = toy_of(recorded, config);
    const Tensor<TokenId> ids = as_table(recorded.at("input_ids"));
    const Tensor<std::int32_t> mask = as_table(recorded.at("attention_mask"));
    for (const bool use_cache : {true, false}) {
      config.use_cache = use_cache;
      GenerateInput<ToyModel> input{.input_ids = ids, .attention_mask = mask};
      if (const json::Value* const token = recorded.find("stop_at")) {
        // One that ends sequences without being an eos id.
        input.stopping_criteria.push_back(make_stopping_criteria(
            "at", [at = token->as_integer()](const SequenceRow& row) { return row.input_ids.back() == at; }));
      }
      const auto output = generate(model, input, config);
      const Tensor<TokenId> expected = as_table(recorded.at("sequences"));
      CHECK(output.sequences.shape() == expected.shape());
      CHECK(flat(output.sequences) == flat(expected));
      CHECK(output.prompt_length == ids.shape()[1]);
      CHECK(output.scores.size() == static_cast<std::size_t>(recorded.at("steps").as_integer()));
      CHECK(output.logits.size() == output.scores.size());
      if (const json::Value* const scores = recorded.find("sequences_scores")) {
        const std::vector<float> wanted = as_floats(*scores);
        REQUIRE(output.sequences_scores.size() == wanted.size());
        for (std::size_t i = 0; i < wanted.size(); ++i) {
          CHECK(close(output.sequences_scores[i], wanted[i], 1e-6f));
        }
        CHECK(flat(output.beam_indices) == flat(as_table(recorded.at("beam_indices"))));
      }
      const std::vector<float> last = as_floats(recorded.at("last_scores"));
      std::size_t wrong = 0;
      for (std::size_t v = 0; v < last.size(); ++v) {
        wrong += close(output.scores.back().row(0)[v], last[v]) ? 0u : 1u;
      }
      CHECK(wrong == 0);
    }
  }
}

TEST_CASE("a prompt is run once, however many sequences continue it") {
  ToyModel model;
  const std::vector<TokenId> ids{7, 8, 9, 10, 11};
  const GenerationConfig config{
      .max_new_tokens = 4, .do_sample = true, .num_return_sequences = 3, .output_logits = true};
  const auto output = generate(model, {.input_ids = ids}, config);
  CHECK(model.forwards == 4);
  CHECK(model.rows_run == 5 + 3 * 3);
  CHECK(output.sequences.shape() == Shape{3, 9});
  CHECK(output.logits[0].shape() == Shape{3, model.vocab_size});
  CHECK(std::equal(output.logits[0].row(0).begin(), output.logits[0].row(0).end(), output.logits[0].row(2).begin()));
  CHECK(copy(output.new_tokens(0)) != copy(output.new_tokens(1)));
  CHECK(output.past_key_values == output.owned_cache.get());
  CHECK(output.past_key_values->seq_length() == 8);
}

TEST_CASE("without a seed each call draws one and tells it") {
  const ToyModel model;
  const std::vector<TokenId> ids{1, 2, 3};
  GenerationConfig config{.max_new_tokens = 12, .do_sample = true, .temperature = 50.0, .top_k = 0};
  const auto first = generate(model, {.input_ids = ids}, config);
  const auto second = generate(model, {.input_ids = ids}, config);
  CHECK(first.seed != second.seed);
  CHECK(flat(first.sequences) != flat(second.sequences));
  config.seed = first.seed;
  const auto again = generate(model, {.input_ids = ids}, config);
  CHECK(again.seed == first.seed);
  CHECK(flat(again.sequences) == flat(first.sequences));
}

TEST_CASE("draws depend on seed, prompt number and position alone") {
  ToyModel model;
  const Tensor<TokenId> batch({3, 4}, {7, 8, 9, 10, 1, 1, 11, 12, 1, 13, 14, 15});
  const Tensor<std::int32_t> mask({3, 4}, {1, 1, 1, 1, 0, 0, 1, 1, 0, 1, 1, 1});
  const GenerationConfig config{.max_new_tokens = 9,
                                .do_sample = true,
                                .num_return_sequences = 2,
                                .seed = 5,
                                .temperature = 1.5,
                                .repetition_penalty = 1.2,
                                .no_repeat_ngram_size = 2,
                                .pad_token_id = 1};
  const auto together = generate(model, {.input_ids = batch, .attention_mask = mask}, config);
  const auto again = generate(model, {.input_ids = batch, .attention_mask = mask}, config);
  CHECK(flat(together.sequences) == flat(again.sequences));

  const std::vector<TokenId> second{11, 12};
  const auto alone = generate(model, {.input_ids = second, .sequence_ids = {1}}, config);
  CHECK(copy(alone.new_tokens(0)) == copy(together.new_tokens(2)));
  CHECK(copy(alone.new_tokens(1)) == copy(together.new_tokens(3)));
  const auto numbered_otherwise = generate(model, {.input_ids = second}, config);
  CHECK(copy(numbered_otherwise.new_tokens(0)) != copy(together.new_tokens(2)));
  GenerationConfig other = config;
  other.seed = 6;
  const auto otherwise = generate(model, {.input_ids = second, .sequence_ids = {1}}, other);
  CHECK(copy(otherwise.new_tokens(0)) != copy(together.new_tokens(2)));
  // The first sequence is the same however many there are.
  other = config;
  other.num_return_sequences = 1;
  const auto single = generate(model, {.input_ids = second, .sequence_ids = {1}}, other);
  CHECK(copy(single.new_tokens(0)) == copy(together.new_tokens(2)));

  // Four tokens now and five later, from the cache, are the nine at once.
  other.max_new_tokens = 4;
  other.repetition_penalty = 1.0;
  ToyModel::Cache cache;
  const auto first = generate(model, {.input_ids = second, .past_key_values = &cache}, other);
  CHECK(first.past_key_values == &cache);
  CHECK(cache.seq_length() == 5);
  const std::size_t run_before = model.rows_run;
  other.max_new_tokens = 5;
  const auto rest = generate(model, {.input_ids = first.sequences, .past_key_values = &cache}, other);
  CHECK(model.rows_run - run_before == 5);
  CHECK(rest.usage[0].cached_tokens == 5);
  CHECK(rest.usage[0].prompt_tokens == 6);
  other.max_new_tokens = 9;
  CHECK(flat(rest.sequences) == flat(generate(model, {.input_ids = second}, other).sequences));
}

TEST_CASE("a cached prefix: the whole sequence, or the new tokens and a mask of both") {
  ToyModel model;
  const Tensor<TokenId> whole({2, 5}, {1, 8, 9, 10, 11, 12, 13, 14, 15, 16});
  const Tensor<std::int32_t> mask({2, 5}, {0, 1, 1, 1, 1, 1, 1, 1, 1, 1});
  const Tensor<TokenId> head({2, 3}, {1, 8, 9, 12, 13, 14});
  const Tensor<std::int32_t> head_mask({2, 3}, {0, 1, 1, 1, 1, 1});
  const Tensor<TokenId> tail({2, 2}, {10, 11, 15, 16});
  const std::vector<std::int32_t> positions{0, 0, 1, 0, 1, 2};
  const GenerationConfig config{.max_new_tokens = 6};
  const auto expected = generate(model, {.input_ids = whole, .attention_mask = mask}, config);
  const auto filled = [&] {
    ToyModel::Cache cache;
    model.forward({.input_ids = head,
                   .attention_mask = head_mask,
                   .position_ids = TensorView<std::int32_t>(positions.data(), {2, 3}),
                   .past_key_values = &cache});
    return cache;
  };
  ToyModel::Cache cache = filled();
  CHECK(flat(generate(model, {.input_ids = whole, .attention_mask = mask, .past_key_values = &cache}, config)
                 .sequences) == flat(expected.sequences));
  CHECK(cache.seq_length() == 10);
  cache = filled();
  const auto from_tail =
      generate(model, {.input_ids = tail, .attention_mask = mask, .past_key_values = &cache}, config);
  for (const std::size_t row : {0u, 1u}) {
    CHECK(copy(from_tail.new_tokens(row)) == copy(expected.new_tokens(row)));
  }
  CHECK(from_tail.usage[0].prompt_tokens == 4);
  CHECK(from_tail.sequences.shape() == Shape{2, 8});

  // With several sequences a prompt, the caller's cache stays where it is.
  GenerationConfig beams = config;
  beams.num_beams = 3;
  cache = filled();
  const auto found = generate(model, {.input_ids = whole, .attention_mask = mask, .past_key_values = &cache}, beams);
  CHECK(cache.seq_length() == 3);
  CHECK(cache.batch_size() == 2);
  CHECK(found.past_key_values != &cache);
  CHECK(flat(found.sequences) == flat(generate(model, {.input_ids = whole, .attention_mask = mask}, beams).sequences));

  const std::string full =
      "generate: the cache holds 3 tokens and the input 3; give the whole sequence, or the new tokens and an "
      "attention_mask of both";
  CHECK_THROWS_WITH_AS(generate(model, {.input_ids = head, .past_key_values = &cache}, config), full.c_str(),
                       InputError);
  const Tensor<std::int32_t> narrow({2, 4}, std::vector<std::int32_t>(8, 1));
  CHECK_THROWS_WITH_AS(
      generate(model, {.input_ids = whole, .attention_mask = narrow, .past_key_values = &cache}, config),
      "generate: attention_mask of shape [2, 4], expected [2, 5] or, with the new tokens alone, [2, 8]", InputError);
  GenerationConfig without = config;
  without.use_cache = false;
  CHECK_THROWS_AS(generate(model, {.input_ids = whole, .past_key_values = &cache}, without), InputError);
}

TEST_CASE("padding is known by the pad id where it is no eos id") {
  ToyModel model;
  const Tensor<TokenId> ids({2, 4}, {1, 1, 9, 10, 11, 12, 13, 14});
  const Tensor<std::int32_t> mask({2, 4}, {0, 0, 1, 1, 1, 1, 1, 1});
  const auto masked =
      generate(model, {.input_ids = ids, .attention_mask = mask}, {.max_new_tokens = 5, .pad_token_id = 1});
  CHECK(flat(generate(model, {.input_ids = ids}, {.max_new_tokens = 5, .pad_token_id = 1}).sequences) ==
        flat(masked.sequences));
  CHECK(
      flat(generate(model, {.input_ids = ids}, {.max_new_tokens = 5, .pad_token_id = 1, .eos_token_id = TokenIds{1, 3}})
               .sequences) != flat(masked.sequences));
  CHECK(masked.usage[0].prompt_tokens == 2);
  // One that may end a sequence is a token, which the log says where it begins a prompt.
  const auto messages = [&](const Tensor<TokenId>& given, const GenerateInput<ToyModel>& more, TokenId eos) {
    LogCapture log;
    GenerateInput<ToyModel> input = more;
    input.input_ids = given;
    generate(model, input, {.max_new_tokens = 1, .pad_token_id = 1, .eos_token_id = eos});
    return log.messages;
  };
  CHECK(
      messages(ids, {}, 1) ==
      std::vector<std::string>{"generate: a prompt begins with pad_token_id 1, which is an eos id too, and is read as "
                               "a token: give the attention_mask that tells padding"});
  CHECK(messages(ids, {.attention_mask = mask}, 1).empty());
  CHECK(messages(ids, {}, 3).empty());
  CHECK(messages(Tensor<TokenId>({2, 2}, {7, 1, 8, 9}), {}, 1).empty());
  CHECK_THROWS_WITH_AS(messages(Tensor<TokenId>({2, 2}, {7, 1, 8, 9}), {}, 3),
                       "generate: prompt 0 is padded on the right; pad on the left, or give the attention_mask if its "
                       "last pad id is a token",
                       InputError);
  const Tensor<std::int32_t> right({2, 4}, {1, 1, 1, 0, 1, 1, 1, 1});
  CHECK_THROWS_WITH_AS(generate(model, {.input_ids = ids, .attention_mask = right}),
                       "generate: prompt 0 is padded on the right; pad on the left", InputError);
  const Tensor<std::int32_t> nothing({2, 4}, {1, 1, 1, 1, 0, 0, 0, 0});
  CHECK_THROWS_WITH_AS(generate(model, {.input_ids = ids, .attention_mask = nothing}),
                       "generate: every column of prompt 1 is masked", InputError);
}

TEST_CASE("embeddings stand for the prompt; ids beside them stand in the sequences") {
  ToyModel model;
  const std::vector<TokenId> ids{7, 8, 9};
  const Tensor<float> embeds({1, 3, 1}, {7.0f, 8.0f, 9.0f});
  const auto expected = generate(model, {.input_ids = ids}, {.max_new_tokens = 5});
  const auto bare = generate(model, {.inputs_embeds = embeds}, {.max_new_tokens = 5});
  CHECK(flat(bare.sequences) == copy(expected.new_tokens(0)));
  CHECK(bare.prompt_length == 0);
  CHECK(bare.usage[0].prompt_tokens == 3);
  CHECK(flat(generate(model, {.input_ids = ids, .inputs_embeds = embeds}, {.max_new_tokens = 5}).sequences) ==
        flat(expected.sequences));
  // max_length counts the embeddings.
  CHECK(generate(model, {.inputs_embeds = embeds}, {.max_length = 7}).sequences.shape() == Shape{1, 4});
  CHECK_THROWS_AS(generate(model, {.inputs_embeds = embeds}, {.max_length = 3}), InputError);
  CHECK_THROWS_WITH_AS(generate(model, {}), "generate: give input_ids or inputs_embeds, not empty", InputError);
}

TEST_CASE("positions of the caller's go on from their last; what the first forward alone needs is given once") {
  ToyModel model;
  const std::vector<TokenId> ids{7, 8};
  const Tensor<std::int32_t> positions({3, 1, 2}, {0, 1, 0, 1, 0, 1});
  const auto plain = generate(model, {.input_ids = ids}, {.max_new_tokens = 4});
  CHECK(flat(generate(model, {.input_ids = ids, .position_ids = positions}, {.max_new_tokens = 4}).sequences) ==
        flat(plain.sequences));
  const Tensor<std::int32_t> later({1, 2}, {5, 6});
  CHECK(flat(generate(model, {.input_ids = ids, .position_ids = later}, {.max_new_tokens = 4}).sequences) !=
        flat(plain.sequences));
  const Tensor<std::int32_t> short_ones({1, 1}, {5});
  CHECK_THROWS_AS(generate(model, {.input_ids = ids, .position_ids = short_ones}), InputError);
  const Tensor<std::int32_t> last({1, 2}, {0, std::numeric_limits<std::int32_t>::max() - 4});
  CHECK(generate(model, {.input_ids = ids, .position_ids = last}, {.max_new_tokens = 4}).generated[0] == 4);
  CHECK_THROWS_WITH_AS(generate(model, {.input_ids = ids, .position_ids = last}, {.max_new_tokens = 5}),
                       "generate: position_ids have 2147483643, behind which 5 new tokens (max_new_tokens or "
                       "max_length) have no position of 32 bits",
                       InputError);
  model.media.clear();
  const std::vector<float> pixels(6);
  const TensorView<float> picture(pixels.data(), {2, 3});
  generate(model, {.input_ids = ids, .pixel_values = picture}, {.max_new_tokens = 3, .output_hidden_states = true});
  CHECK(model.media == std::vector<std::size_t>{6, 0, 0});
}

TEST_CASE("what model_kwargs hold and generate would not read is an error") {
  const ToyModel model;
  const std::vector<TokenId> ids{7, 8};
  const std::vector<float> pixels(6);
  const TensorView<float> picture(pixels.data(), {2, 3});
  RectangleCache cache;
  const auto problem = [&](const ForwardInput& kwargs) {
    return message_of<InputError>(
        [&] { generate(model, {.input_ids = ids, .pixel_values = picture, .model_kwargs = kwargs}); });
  };
  const auto refused = [&](const ForwardInput& kwargs, const std::string& name) {
    CHECK(problem(kwargs).find("generate: model_kwargs." + name + " would not be read") == 0);
  };
  refused({.input_ids = ids}, "input_ids");
  refused({.attention_mask = ids}, "attention_mask");
  refused({.position_ids = ids}, "position_ids");
  refused({.past_key_values = &cache}, "past_key_values");
  refused({.inputs_embeds = picture}, "inputs_embeds");
  refused({.labels = ids}, "labels");
  refused({.shift_labels = ids}, "labels");
  refused({.num_items_in_batch = 1.0}, "labels");
  refused({.use_cache = false}, "use_cache");
  refused({.cache_position = ids}, "cache_position");
  refused({.output_hidden_states = true}, "output_hidden_states");
  refused({.output_attentions = true}, "output_attentions");
  refused({.output_router_logits = false}, "output_router_logits");
  refused({.logits_to_keep = 1}, "logits_to_keep");
  CHECK(problem({.pixel_values = picture}) == "generate: pixel_values are given twice, in model_kwargs too");
}

TEST_CASE("what a tokenizer returns is taken whole") {
  const ToyModel model;
  const GenerationConfig config{.max_new_tokens = 5};
  BatchEncoding encoded{.input_ids = {{0, 7, 8}, {4, 5, 6}}, .attention_mask = {{0, 1, 1}, {1, 1, 1}}};
  const Tensor<TokenId> ids = encoded.ids();
  const Tensor<std::int32_t> mask = encoded.mask();
  const auto expected = generate(model, {.input_ids = ids, .attention_mask = mask}, config);
  CHECK(flat(generate(model, encoded, config).sequences) == flat(expected.sequences));
  int steps = 0;
  generate(model, encoded, config, {.streamer = [&](std::span<const TokenId>) { return ++steps < 3; }});
  CHECK(steps == 3);
  CHECK_THROWS_WITH_AS(generate(model, encoded, config, {.attention_mask = mask}),
                       "generate: attention_mask are given twice: the encoded inputs have them", InputError);
  CHECK_THROWS_AS(generate(model, encoded, config, {.input_ids = ids}), InputError);
  encoded.input_ids[0].pop_back();
  CHECK_THROWS_WITH_AS(generate(model, encoded, config), doctest::Contains("ask for padding"), InputError);
}

TEST_CASE("rows finish one by one, each for its reason, and are padded from there") {
  ToyModel model;
  model.bonus = 3.0f;
  model.bonus_ids = {3};
  model.special.eos_token_id = {3};
  model.special.pad_token_id = {2};
  const Tensor<TokenId> ids({3, 2}, {7, 8, 9, 10, 11, 12});
  std::vector<std::vector<TokenId>> streamed;
  const auto output = generate(model,
                               {.input_ids = ids,
                                .streamer =
                                    [&](std::span<const TokenId> tokens) {
                                      streamed.push_back(copy(tokens));
                                      return true;
                                    }},
                               {.max_new_tokens = 6});
  bool differ = false;
  for (std::size_t r = 0; r < 3; ++r) {
    const std::vector<TokenId> tokens = copy(output.new_tokens(r));
    CHECK(output.generated[r] == tokens.size());
    CHECK(output.usage[r].completion_tokens == tokens.size());
    CHECK(output.finish_reason[r] == (tokens.back() == 3 ? FinishReason::stop : FinishReason::length));
    differ = differ || output.generated[r] != output.generated[0];
    for (std::size_t i = 0; i < output.sequences.shape()[1] - 2; ++i) {
      CHECK(output.sequences.row(r)[2 + i] == (i < tokens.size() ? tokens[i] : 2));
      CHECK(streamed[i][r] == output.sequences.row(r)[2 + i]);
    }
  }
  CHECK(differ);
  CHECK(streamed.size() == output.sequences.shape()[1] - 2);
}

TEST_CASE("the streamer, the clock, strings and the caller's criteria end the generation") {
  ToyModel model;
  const Tensor<TokenId> ids({2, 2}, {7, 8, 9, 10});
  int calls = 0;
  const auto cancelled =
      generate(model, {.input_ids = ids, .streamer = [&](std::span<const TokenId>) { return ++calls < 3; }},
               {.max_new_tokens = 9});
  CHECK(cancelled.generated == std::vector<std::size_t>{3, 3});
  CHECK(cancelled.finish_reason == std::vector<FinishReason>{FinishReason::cancelled, FinishReason::cancelled});
  CHECK_THROWS_WITH_AS(
      generate(model, {.input_ids = ids, .streamer = [](std::span<const TokenId>) { return true; }}, {.num_beams = 2}),
      "generate: a streamer cannot be used with beam search", InputError);

  calls = 0;
  {
    Cancellation cancellation;
    const CallScope scope(cancellation);
    const auto from_outside = generate(model,
                                       {.input_ids = ids,
                                        .streamer =
                                            [&](std::span<const TokenId>) {
                                              if (++calls == 3) {
                                                cancellation.cancel();
                                              }
                                              return true;
                                            }},
                                       {.max_new_tokens = 9});
    CHECK(flat(from_outside.sequences) == flat(cancelled.sequences));
    CHECK(from_outside.finish_reason == cancelled.finish_reason);
    CHECK_THROWS_AS(generate(model, {.input_ids = ids}, {.num_beams = 2}), CancelledError);
  }

  const auto late = generate(model, {.input_ids = ids}, {.max_new_tokens = 9, .max_time = -1.0});
  CHECK(late.generated == std::vector<std::size_t>{1, 1});
  CHECK(late.finish_reason[0] == FinishReason::max_time);

  const auto expected = generate(model, {.input_ids = ids}, {.max_new_tokens = 9});
  const TokenId third = expected.new_tokens(1)[2];
  const auto criteria = make_stopping_criteria(
      "third", [&](const SequenceRow& row) { return row.batch_id == 1 && row.generated().back() == third; });
  const auto stopped =
      generate(model, {.input_ids = ids, .stopping_criteria = {criteria}}, {.max_new_tokens = 9, .pad_token_id = 1});
  CHECK(stopped.finish_reason == std::vector<FinishReason>{FinishReason::length, FinishReason::criteria});
  CHECK(copy(stopped.new_tokens(0)) == copy(expected.new_tokens(0)));
  CHECK(stopped.new_tokens(1).back() == third);
  CHECK(stopped.generated[1] <= 3);

  const std::string text = "abcdefghijklmnopqrstuvwxyz";
  const TokenText letters = [&](TokenId id) { return std::string_view(text).substr(static_cast<std::size_t>(id), 1); };
  const auto tokens = expected.new_tokens(0);
  const std::string stop{letters(tokens[3])[0], letters(tokens[4])[0]};
  const auto at_string = generate(model, {.input_ids = ids, .tokenizer = letters},
                                  {.max_new_tokens = 9, .stop_strings = std::vector<std::string>{stop}});
  CHECK(at_string.finish_reason[0] == FinishReason::stop_string);
  CHECK(at_string.generated[0] == 5);
  CHECK_THROWS_WITH_AS(generate(model, {.input_ids = ids}, {.stop_strings = std::vector<std::string>{stop}}),
                       "stop_strings need a tokenizer, which gives the bytes of a token", InputError);
  // Beams stop at strings too.
  const auto beams = generate(model, {.input_ids = ids, .tokenizer = letters},
                              {.max_new_tokens = 5,
                               .stop_strings = std::vector<std::string>{"a", "b", "c", "d", "e", "f", "g"},
                               .num_beams = 3,
                               .pad_token_id = 1});
  CHECK(beams.finish_reason[0] != FinishReason::none);
}

TEST_CASE("what came out, on one line and as JSON") {
  ToyModel model;
  model.special.eos_token_id = {3};
  model.special.pad_token_id = {1};
  const std::vector<TokenId> ids{7, 8, 9};
  const auto output =
      generate(model, {.input_ids = ids},
               {.max_new_tokens = 4, .do_sample = true, .num_return_sequences = 2, .seed = 5, .output_scores = true});
  std::ostringstream line;
  line << output << '\n' << output.usage[0] << '\n' << output.finish_reason[0];
  CHECK(line.str() ==
        "GenerateOutput: sequences [2, 7], new tokens 4 (length), 4 (length); seed 5; 4 scores [2, 23]\n"
        "Usage: 3 prompt tokens, 0 of them cached, 4 new\nlength");
  const json::Value file = to_json(output);
  CHECK_THROWS_WITH_AS(output.new_tokens(2), "GenerateOutput: row 2 of 2", InputError);
  CHECK(file.at("prompt_length").as_integer() == 3);
  CHECK(file.at("seed").as_integer() == 5);
  REQUIRE(file.at("rows").size() == 2);
  const json::Value& row = file.at("rows").items()[1];
  CHECK(as_ids(row.at("sequence")) == copy(output.sequences.row(1)));
  CHECK(as_ids(row.at("new_tokens")) == copy(output.new_tokens(1)));
  CHECK(row.at("finish_reason").as_string() == "length");
  CHECK(json::dump(row.at("usage")) ==
        R"({"prompt_tokens": 3, "cached_tokens": 0, "completion_tokens": 4, "processed_tokens": 3, )"
        R"("reasoning_tokens": 0, "encoded_media": 0})");
  CHECK(row.find("score") == nullptr);
  const auto beams = generate(model, {.input_ids = ids}, {.max_new_tokens = 2, .num_beams = 2});
  const json::Value best = to_json(beams).at("rows").items()[0];
  CHECK(static_cast<float>(best.at("score").as_number()) == beams.sequences_scores[0]);
  CHECK(best.at("beam_indices").size() == beams.beam_indices.size());
}

TEST_CASE("what a forward gave, on one line and as JSON") {
  std::ostringstream line;
  line << ForwardOutput{};
  CHECK(line.str() == "ForwardOutput:");
  CHECK(json::dump(to_json(ForwardOutput{})) == "{}");
  ForwardOutput output;
  output.loss = 0.5f;
  output.logits = Tensor<float>({1, 2, 7});
  output.attentions.assign(3, Tensor<float>({1, 4, 2, 2}));
  output.rope_deltas = {-4};
  line.str("");
  line << output;
  CHECK(line.str() == "ForwardOutput: loss 0.500000, logits [1, 2, 7], attentions 3 [1, 4, 2, 2]");
  CHECK(json::dump(to_json(output)) ==
        R"({"loss": 0.5, "logits": [1, 2, 7], "attentions": [[1, 4, 2, 2], [1, 4, 2, 2], [1, 4, 2, 2]], )"
        R"("rope_deltas": [-4]})");
}

TEST_CASE("beams that sample: reproducible, per prompt, and never the same candidate twice in a step") {
  ToyModel model;
  const Tensor<TokenId> ids({2, 3}, {1, 8, 9, 10, 11, 12});
  const Tensor<std::int32_t> mask({2, 3}, {0, 1, 1, 1, 1, 1});
  const GenerationConfig config{.max_new_tokens = 7,
                                .do_sample = true,
                                .num_beams = 3,
                                .num_return_sequences = 3,
                                .seed = 9,
                                .top_k = 0,
                                .pad_token_id = 1,
                                .eos_token_id = 3};
  const auto together = generate(model, {.input_ids = ids, .attention_mask = mask}, config);
  CHECK(flat(together.sequences) ==
        flat(generate(model, {.input_ids = ids, .attention_mask = mask}, config).sequences));
  const std::vector<TokenId> first{8, 9};
  const auto alone = generate(model, {.input_ids = first}, config);
  for (std::size_t r = 0; r < 3; ++r) {
    CHECK(copy(alone.new_tokens(r)) == copy(together.new_tokens(r)));
    CHECK(alone.sequences_scores[r] == together.sequences_scores[r]);
  }
  CHECK(copy(alone.new_tokens(0)) != copy(alone.new_tokens(1)));
  GenerationConfig other = config;
  other.seed = 10;
  CHECK(flat(generate(model, {.input_ids = first}, other).sequences) != flat(alone.sequences));
}

TEST_CASE("hidden states come back for each step when they are asked for") {
  ToyModel model;
  const Tensor<TokenId> ids({2, 3}, {7, 8, 9, 10, 11, 12});
  const auto output =
      generate(model, {.input_ids = ids}, {.max_new_tokens = 3, .num_beams = 2, .output_hidden_states = true});
  REQUIRE(output.hidden_states.size() == 3);
  CHECK(output.hidden_states[0][0].shape() == Shape{4, 3, 1});
  CHECK(output.hidden_states[0][0][0] == output.hidden_states[0][0][3]);
  CHECK(output.hidden_states[1][0].shape() == Shape{4, 1, 1});
  CHECK(output.scores.empty());
  CHECK(output.logits.empty());
  CHECK(output.attentions.empty());
}

TEST_CASE("special tokens and lengths come from the model where the config has none") {
  ToyModel model;
  model.special.max_position_embeddings = 10;
  const std::vector<TokenId> ids{7, 8, 9};
  CHECK(generate(model, {.input_ids = ids}).sequences.shape() == Shape{1, 10});
  model.special.max_position_embeddings = 100;
  CHECK(generate(model, {.input_ids = ids}).sequences.shape() == Shape{1, 23});
  CHECK(generate(model, {.input_ids = ids}, {.max_length = 5}).sequences.shape() == Shape{1, 5});
  CHECK_THROWS_WITH_AS(generate(model, {.input_ids = ids}, {.max_length = 3}),
                       "generate: the input has 3 tokens and max_length is 3: nothing can be generated", InputError);
  const auto output = generate(model, {.input_ids = ids});
  const TokenId first = output.new_tokens(0)[0];
  model.special.eos_token_id = {first};
  const auto stopped = generate(model, {.input_ids = ids});
  CHECK(stopped.generated[0] == 1);
  CHECK(stopped.finish_reason[0] == FinishReason::stop);
  CHECK(generate(model, {.input_ids = ids}, {.eos_token_id = TokenIds()}).generated[0] == 20);  // "none" can be said
  CHECK_THROWS_WITH_AS(generate(model, {.input_ids = ids, .sequence_ids = {1, 2}}),
                       "generate: sequence_ids has 2 entries for 1 prompts", InputError);
  model.vocab_size = 3;
  const std::vector<TokenId> few{0, 1, 2};
  CHECK_THROWS_WITH_AS(generate(model, {.input_ids = few}, {.num_beams = 2, .eos_token_id = TokenIds{0, 1, 2}}),
                       "beam search needs 8 candidates of 6", InputError);
}

TEST_CASE("a call that may go beyond the model's positions is told so once, and gives the same") {
  ToyModel model;
  const Tensor<TokenId> ids({2, 3}, {7, 8, 9, 10, 11, 12});
  for (const std::int64_t beams : {1, 3}) {
    const GenerationConfig config{.max_new_tokens = 20, .num_beams = beams};
    model.special.max_position_embeddings = 22;
    LogCapture log;
    const auto expected = generate(model, {.input_ids = ids}, config);
    CHECK(log.messages.empty());
    model.special.max_position_embeddings = 10;
    CHECK(flat(generate(model, {.input_ids = ids}, config).sequences) == flat(expected.sequences));
    REQUIRE(log.messages.size() == 1);
    CHECK(log.messages[0].starts_with("generate: a sequence may come to 23 tokens, the model's"));
    RectangleCache cache({.kv_dtype = DType::f32, .capacity = 8});
    GenerationConfig cut = config;
    cut.stop_at_capacity = true;
    generate(model, {.input_ids = ids, .past_key_values = &cache}, cut);
    CHECK(log.messages.size() == 1);  // it ends before
  }
}

TEST_CASE("guidance: each row's log probabilities move away from those behind its negative prompt") {
  const ToyModel model;
  const Tensor<TokenId> ids({2, 3}, {7, 8, 9, 10, 11, 12});
  const Tensor<TokenId> others({2, 2}, {1, 5, 6, 4});
  const Tensor<std::int32_t> mask({2, 2}, {0, 1, 1, 1});
  const auto log_softmax = [](std::span<const float> logits) {
    double sum = 0.0;
    for (const float logit : logits) {
      sum += std::exp(static_cast<double>(logit));
    }
    std::vector<double> out;
    for (const float logit : logits) {
      out.push_back(static_cast<double>(logit) - std::log(sum));
    }
    return out;
  };
  GenerationConfig config{.max_new_tokens = 4,
                          .do_sample = true,
                          .num_return_sequences = 2,
                          .seed = 3,
                          .top_k = 0,
                          .guidance_scale = 2.5,
                          .output_scores = true,
                          .output_logits = true,
                          .eos_token_id = TokenIds()};
  GenerateInput<ToyModel> input{
      .input_ids = ids, .negative_prompt_ids = others, .negative_prompt_attention_mask = mask};
  const auto output = generate(model, input, config);
  for (std::size_t r = 0; r < 4; ++r) {
    for (std::size_t step = 0; step < 4; ++step) {
      // Positions count the padding, as in a forward without any.
      std::vector<TokenId> behind{r < 2 ? 1 : 6, r < 2 ? 5 : 4};
      const auto generated = output.new_tokens(r).first(step);
      behind.insert(behind.end(), generated.begin(), generated.end());
      std::vector<std::int32_t> visible(behind.size(), 1);
      visible[0] = r < 2 ? 0 : 1;
      std::vector<std::int32_t> positions;
      for (std::size_t i = 0; i < behind.size(); ++i) {
        positions.push_back(static_cast<std::int32_t>(i));
      }
      const auto given = log_softmax(output.logits[step].row(r));
      const auto other =
          log_softmax(generate(model, {.input_ids = behind, .attention_mask = visible, .position_ids = positions},
                               {.max_new_tokens = 1, .output_logits = true})
                          .logits[0]
                          .row(0));
      const auto scores = output.scores[step].row(r);
      for (std::size_t v = 0; v < model.vocab_size; ++v) {
        CHECK(static_cast<double>(scores[v]) == doctest::Approx(other[v] + 2.5 * (given[v] - other[v])));
      }
    }
  }
  config.use_cache = false;
  CHECK(flat(generate(model, input, config).sequences) == flat(output.sequences));
  // One for each row, as the reference takes them, says the same.
  const Tensor<TokenId> each({4, 2}, {1, 5, 1, 5, 6, 4, 6, 4});
  const Tensor<std::int32_t> each_mask({4, 2}, {0, 1, 0, 1, 1, 1, 1, 1});
  input.negative_prompt_ids = each;
  input.negative_prompt_attention_mask = each_mask;
  CHECK(flat(generate(model, input, config).sequences) == flat(output.sequences));

  const auto problem = [&](const GenerateInput<ToyModel>& wrong, double scale = 2.0) {
    return message_of<InputError>([&] { generate(model, wrong, {.max_new_tokens = 2, .guidance_scale = scale}); });
  };
  CHECK(problem({.input_ids = ids, .negative_prompt_ids = others}, 1.0) ==
        "generate: negative_prompt_ids would not be read without a guidance_scale");
  const Tensor<TokenId> many({3, 1}, {1, 2, 3});
  CHECK(problem({.input_ids = ids, .negative_prompt_ids = many}) ==
        "generate: negative_prompt_ids of shape [3, 1], expected [2, columns], not empty");
  CHECK(problem({.input_ids = ids, .negative_prompt_ids = others, .negative_prompt_attention_mask = many}) ==
        "generate: negative_prompt_attention_mask of shape [3, 1], expected [2, 2]");
  const Tensor<TokenId> negative_ids({2, 1}, {1, -2});
  CHECK(problem({.input_ids = ids, .negative_prompt_ids = negative_ids}) ==
        "generate: negative_prompt_ids[1] is -2, expected at least 0");
  const Tensor<std::int32_t> right({2, 2}, {1, 0, 1, 1});
  CHECK(problem({.input_ids = ids, .negative_prompt_ids = others, .negative_prompt_attention_mask = right}) ==
        "generate: negative prompt 0 is padded on the right; pad on the left");
  const Tensor<float> embeds({1, 2, 1}, {7.0f, 8.0f});
  CHECK(problem({.inputs_embeds = embeds}).starts_with("generate: guidance_scale needs negative_prompt_ids"));
  const Tensor<TokenId> short_ids({1, 2}, {7, 8});
  const Tensor<TokenId> other({1, 1}, {3});
  const GenerationConfig greedy{.max_new_tokens = 3, .guidance_scale = 1.5};
  const auto embedded = generate(model, {.inputs_embeds = embeds, .negative_prompt_ids = other}, greedy);
  const auto plain = generate(model, {.input_ids = short_ids, .negative_prompt_ids = other}, greedy);
  CHECK(flat(embedded.sequences) == copy(plain.new_tokens(0)));
}

TEST_CASE(
    "a cache of fixed capacity that cannot hold what may follow is refused before the first forward, or ends it") {
  const ToyModel model;
  const Tensor<TokenId> ids({2, 5}, {7, 8, 9, 10, 11, 12, 13, 14, 15, 16});
  const auto expected = generate(model, {.input_ids = ids}, {.max_new_tokens = 4});
  const GenerationConfig open{.max_new_tokens = 30};
  const GenerationConfig stopped{.max_new_tokens = 30, .stop_at_capacity = true};
  std::vector<std::byte> memory(RectangleCache::bytes(model.cache_layout(DType::f32), 8, 2) + 64);
  void* aligned = memory.data();
  std::size_t room = memory.size();
  REQUIRE(std::align(64, room - 64, aligned, room) != nullptr);
  const std::span<std::byte> storage(static_cast<std::byte*>(aligned), room);
  for (const bool own : {false, true}) {
    const auto fixed = [&] {
      return RectangleCache({.kv_dtype = DType::f32, .capacity = 8, .storage = own ? storage : std::span<std::byte>()});
    };
    RectangleCache cache = fixed();
    model.forwards = 0;
    CHECK(message_of<CacheError>([&] { generate(model, {.input_ids = ids, .past_key_values = &cache}, open); }) ==
          "the cache holds 8 tokens (CacheOptions::capacity), not the prompt's 5 and 30 new ones (max_new_tokens or "
          "max_length): make it larger, ask for fewer tokens, or set stop_at_capacity to end where it is full");
    CHECK(model.forwards == 0);
    CHECK(cache.empty());
    // The last token is not run.
    const auto all = generate(model, {.input_ids = ids, .past_key_values = &cache}, {.max_new_tokens = 4});
    CHECK(flat(all.sequences) == flat(expected.sequences));
    CHECK(cache.seq_length() == 8);
    RectangleCache again = fixed();
    const auto cut = generate(model, {.input_ids = ids, .past_key_values = &again}, stopped);
    CHECK(flat(cut.sequences) == flat(expected.sequences));
    CHECK(cut.finish_reason == std::vector<FinishReason>(2, FinishReason::length));
    if (!own) {
      RectangleCache forked = fixed();
      GenerationConfig beams = stopped;
      beams.num_beams = 2;
      CHECK(generate(model, {.input_ids = ids, .past_key_values = &forked}, beams).sequences.shape() == Shape{2, 9});
    }
    RectangleCache small = fixed();
    const Tensor<TokenId> longer({1, 9}, {1, 2, 3, 4, 5, 6, 7, 8, 9});
    CHECK_THROWS_AS(generate(model, {.input_ids = longer, .past_key_values = &small}, stopped), CacheError);
  }
}

TEST_CASE("the encoder's penalties have no ids to look at where embeddings are given, which the log says") {
  const ToyModel model;
  const std::vector<TokenId> ids{7, 8, 9};
  const Tensor<float> embeds({1, 3, 1}, {7.0f, 8.0f, 9.0f});
  const GenerationConfig config{
      .max_new_tokens = 6, .encoder_repetition_penalty = 5.0, .encoder_no_repeat_ngram_size = 1};
  const auto plain = generate(model, {.input_ids = ids}, {.max_new_tokens = 6});
  LogCapture log;
  CHECK(flat(generate(model, {.input_ids = ids}, {.max_new_tokens = 6, .encoder_repetition_penalty = 5.0}).sequences) !=
        flat(plain.sequences));
  CHECK(log.messages.empty());
  const auto output = generate(model, {.input_ids = ids, .inputs_embeds = embeds}, config);
  CHECK(flat(output.sequences) == flat(plain.sequences));
  CHECK(log.messages == std::vector<std::string>{
                            "generate: encoder_repetition_penalty is ignored: the prompt is given as inputs_embeds",
                            "generate: encoder_no_repeat_ngram_size is ignored: the prompt is given as inputs_embeds"});
}

TEST_CASE("where every token is suppressed, greedy search, sampling and beams say so") {
  const ToyModel model;
  const std::vector<TokenId> ids{7, 8, 9};
  std::vector<TokenId> all(model.vocab_size);
  for (std::size_t i = 0; i < all.size(); ++i) {
    all[i] = static_cast<TokenId>(i);
  }
  for (const std::int64_t beams : {1, 3}) {
    for (const bool sample : {false, true}) {
      CHECK_THROWS_WITH_AS(
          generate(model, {.input_ids = ids}, {.do_sample = sample, .num_beams = beams, .suppress_tokens = all}),
          doctest::Contains("every token is masked"), InputError);
    }
  }
}

TEST_CASE("prompts and sequences of each that are together too many are refused before any forward") {
  const ToyModel model;
  const Tensor<TokenId> ids({100, 1});
  for (const GenerationConfig& config :
       {GenerationConfig{.num_beams = 1024}, GenerationConfig{.do_sample = true, .num_return_sequences = 1024}}) {
    CHECK_THROWS_WITH_AS(generate(model, {.input_ids = ids}, config),
                         doctest::Contains("1024 are more than 65536 sequences"), InputError);
  }
  CHECK(model.forwards == 0);
}
