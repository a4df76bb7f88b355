// SPDX-License-Identifier: Apache-2.0
#include "support/log_capture.hpp"
#include "support/message_of.hpp"

#include <qwen35/generate/generation_defaults.hpp>
#include <qwen35/json/parse.hpp>

#include <doctest/doctest.h>

using namespace qwen35;

namespace {

struct ModelWithFile {
  json::Value file;
  const json::Value& generation_config() const { return file; }
};

}  // namespace

TEST_CASE("a max_length that max_new_tokens overrules is said in the log") {
  const ModelWithFile model{json::parse(R"({"max_new_tokens": 64, "top_k": 20})")};
  LogCapture log;
  CHECK(complete_config(model, {.max_length = 100}).max_new_tokens == 64);
  CHECK(log.messages == std::vector<std::string>{"generate: max_length 100 is overruled by max_new_tokens 64 of the "
                                                 "model's generation config"});
  complete_config(model, {.max_length = 100, .max_new_tokens = 5});
  REQUIRE(log.messages.size() == 2);
  CHECK(log.messages[1] == "generate: max_length 100 is overruled by max_new_tokens 5");
  complete_config(model, {.max_new_tokens = 5});
  complete_config(model, {});
  complete_config(ModelWithFile{json::parse(R"({"max_new_tokens": 64, "max_length": 100})")}, {});
  complete_config(ModelWithFile{json::parse("{}")}, {.max_length = 100});
  CHECK(log.messages.size() == 2);
}

TEST_CASE("what nobody knows of the model's file is said once in the log") {
  const ModelWithFile model{json::parse(R"({"max_new_tokens": 64, "topk": 20})")};
  LogCapture log;
  complete_config(model, {});
  complete_config(model, {.max_new_tokens = 3});
  CHECK(log.messages ==
        std::vector<std::string>{"generation_config: unknown fields are passed over: topk (did you mean top_k?)"});
}

TEST_CASE("fields come from the caller, then from the model, then from the fallbacks") {
  const ModelWithFile model{json::parse(R"({"max_new_tokens": 64, "top_k": 20, "eos_token_id": [5, 6]})")};
  const GenerationConfig config = complete_config(model, {.top_k = 3});
  CHECK(config.top_k == 3);
  CHECK(config.max_new_tokens == 64);
  CHECK(config.top_p == 1.0);
  CHECK(config.seed == 0);  // no draws are made
  CHECK_FALSE(merge_config(model, {.do_sample = true}).seed.has_value());
  CHECK(complete_config(model, {.do_sample = true, .seed = 7}).seed == 7);
  CHECK(complete_config(model, {.do_sample = true}).seed != complete_config(model, {.do_sample = true}).seed);
  CHECK(config.pad_token_id == 5);  // the first eos, where nothing says it
}

TEST_CASE("what the caller said and is not heeded is said in the log; what the model's file says is not") {
  const ModelWithFile model{json::parse(R"({"temperature": 0.6, "top_k": 20, "top_p": 0.95, "min_new_tokens": 2})")};
  LogCapture log;
  complete_config(model, {});
  complete_config(model, {.do_sample = true, .temperature = 0.7, .top_p = 0.5});
  CHECK(log.messages.empty());
  complete_config(model, {.early_stopping = EarlyStopping::yes, .temperature = 0.7});
  complete_config(model, {.do_sample = true, .top_p = 2.0});
  complete_config(model, {.min_length = 9});
  complete_config(model, {.max_time = -1.0});
  CHECK(log.messages ==
        std::vector<std::string>{
            "generate: fields without effect: temperature needs do_sample; early_stopping needs num_beams > 1",
            "generate: fields without effect: top_p is above 1",
            "generate: min_length 9 is overruled by min_new_tokens 2 of the model's generation config",
            "generate: max_time is -1.0 seconds: each sequence ends after one token"});
}

TEST_CASE("of a config that was completed before nothing is said in the log again; of one that says much, all") {
  const ModelWithFile model{json::parse(R"({"max_new_tokens": 64})")};
  const GenerationConfig said = {
      .min_length = 1, .num_return_sequences = 1, .use_cache = true, .temperature = 0.7, .guidance_scale = 1.0};
  LogCapture log;
  const GenerationConfig complete = complete_config(model, said);
  CHECK(log.messages == std::vector<std::string>{"generate: fields without effect: temperature needs do_sample"});
  CHECK(complete_config(model, complete) == complete);
  CHECK(log.messages.size() == 1);
  CHECK(complete.says_all(GenerationConfig::fallbacks()));
  CHECK_FALSE(said.says_all(GenerationConfig::fallbacks()));
  CHECK(said.says_all({.temperature = 3.0}));
}

TEST_CASE("what a batch or a session would not give is refused") {
  const auto problem = [](const GenerationConfig& said) {
    return test_support::message_of<InputError>([&] { refuse_step_outputs(said, "Batch"); });
  };
  CHECK(problem({.use_cache = true, .output_scores = false}).empty());
  CHECK(problem({.output_scores = true}) == "Batch: output_scores would not be heeded; generate() does");
  CHECK(problem({.output_logits = true}).starts_with("Batch: output_logits"));
  CHECK(problem({.output_hidden_states = true}).starts_with("Batch: output_hidden_states"));
  CHECK(problem({.output_attentions = true}).starts_with("Batch: output_attentions"));
  CHECK(problem({.use_cache = false}) == "Batch: use_cache = false would not be heeded; generate() does");
}

TEST_CASE("a least length above the most is said in the log") {
  const ModelWithFile model{json::parse("{}")};
  const auto lengths = [&](const GenerationConfig& config) {
    LogCapture log;
    GenerationConfig complete = complete_config(model, config);
    set_lengths(defaults_of(model), 4, 4, complete);
    return log.messages;
  };
  CHECK(lengths({.max_new_tokens = 5, .min_new_tokens = 5}).empty());
  CHECK(lengths({.max_new_tokens = 5, .min_new_tokens = 6}) ==
        std::vector<std::string>{"generate: min_new_tokens or min_length ask for 6 new tokens or more, and 5 are the "
                                 "most: each sequence has as many"});
  CHECK(lengths({.max_length = 8, .min_length = 8}).empty());
  CHECK(lengths({.max_length = 8, .min_length = 9}).size() == 1);
}

TEST_CASE("tokens beyond the model's positions are said in the log, where the reference does so") {
  LogCapture log;
  ModelDefaults model;
  model.max_position_embeddings = 10;
  const auto told = [&](std::size_t slots, std::size_t prompt, std::int64_t max_length) {
    log.messages.clear();
    log_beyond_positions(model, slots, prompt, {.max_length = max_length});
    return log.messages;
  };
  CHECK(told(4, 4, 10).empty());
  CHECK(told(4, 4, 11).empty());  // the last token is never run
  CHECK(told(4, 4, 12) ==
        std::vector<std::string>{"generate: a sequence may come to 12 tokens, the model's max_position_embeddings are "
                                 "10: what it writes beyond them may make no sense"});
  CHECK(told(9, 4, 6).empty());
  CHECK(told(9, 4, 7).size() == 1);  // five are in the cache, or embeddings alone
  log.messages.clear();
  log_beyond_positions(ModelDefaults(), 4, 4, {.max_length = 1000});
  CHECK(log.messages.empty());
}

// As the reference does, but that it is silent where the log has a warning here.
TEST_CASE("token ids outside the vocabulary are refused, or do nothing and are said in the log") {
  LogCapture log;
  const auto problem = [&](const GenerationConfig& config, std::size_t rows = 1, std::size_t vocab_size = 23) {
    log.messages.clear();
    return test_support::message_of<InputError>([&] { check_token_ids(config, vocab_size, rows); });
  };
  for (const TokenId id : {-1, 23, 1000000}) {
    CAPTURE(id);
    const std::string found = " has the token id " + std::to_string(id) + ", expected 0 to 22";
    const std::vector<TokenId> ids{4, id};
    CHECK(problem({.bad_words_ids = std::vector<std::vector<TokenId>>{{1}, ids}}) ==
          "generation config: bad_words_ids" + found);
    CHECK(problem({.sequence_bias = std::vector<SequenceBias>{{ids, 1.0}}}) ==
          "generation config: sequence_bias" + found);
    CHECK(problem({.forced_bos_token_id = id}) == "generation config: forced_bos_token_id" + found);
    CHECK(problem({.forced_eos_token_id = TokenIds{1, id}}) == "generation config: forced_eos_token_id" + found);
    CHECK(problem({.exponential_decay_length_penalty = ExponentialDecay{}, .eos_token_id = id}).ends_with(found));
    CHECK(problem({.pad_token_id = id}, 2).starts_with("generation config: pad_token_id"));
    CHECK(problem({.pad_token_id = id}, 1).empty());
    CHECK(log.messages.empty());
    CHECK(problem({.suppress_tokens = ids}).empty());
    CHECK(log.messages == std::vector<std::string>{"generation config: suppress_tokens" + found + ": it does nothing"});
    CHECK(problem({.begin_suppress_tokens = ids}).empty());
    CHECK(log.messages ==
          std::vector<std::string>{"generation config: begin_suppress_tokens" + found + ": it does nothing"});
    CHECK(problem({.eos_token_id = TokenIds{2, id}}).empty());
    CHECK(log.messages == std::vector<std::string>{"generation config: eos_token_id" + found + ": it does nothing"});
  }
  const GenerationConfig inside{.bad_words_ids = std::vector<std::vector<TokenId>>{{0}, {22, 5}},
                                .sequence_bias = std::vector<SequenceBias>{{{22}, 1.0}},
                                .forced_bos_token_id = 22,
                                .forced_eos_token_id = TokenIds{0, 22},
                                .suppress_tokens = std::vector<TokenId>{22},
                                .begin_suppress_tokens = std::vector<TokenId>{},
                                .pad_token_id = 22,
                                .eos_token_id = TokenIds{}};
  CHECK(problem(inside, 9).empty());
  CHECK(log.messages.empty());
  // A model that does not tell its vocabulary.
  CHECK(problem({.forced_bos_token_id = 1000000}, 1, 0).empty());
  CHECK(problem({.forced_bos_token_id = -1}, 1, 0) ==
        "generation config: forced_bos_token_id has the token id -1, expected at least 0");
}
