// SPDX-License-Identifier: Apache-2.0
#include <qwen35/io/plain_file.hpp>
#include <qwen35/json/parse.hpp>
#include <qwen35/sampling/generation_config.hpp>
#include <qwen35/weights/model_files.hpp>

#include "support/message_of.hpp"
#include "weights/safetensors_writer.hpp"

#include <doctest/doctest.h>

#include <span>

using namespace qwen35;

namespace {

// Every field with a value that no default has.
const char* const every_field = R"({
  "max_length": 100, "max_new_tokens": 50, "min_length": 3, "min_new_tokens": 2, "early_stopping": "never",
  "max_time": 1.5, "stop_strings": ["stop", "\n\u00e4"], "stop_at_capacity": true, "guidance_scale": 1.5, "do_sample": true, "num_beams": 4, "num_return_sequences": 2,
  "use_cache": false, "seed": 12345678901234, "temperature": 0.7, "top_k": 20, "top_p": 0.95, "min_p": 0.05,
  "top_h": 0.4, "typical_p": 0.9, "epsilon_cutoff": 0.0003, "eta_cutoff": 0.0006, "repetition_penalty": 1.1,
  "presence_penalty": 1.5, "frequency_penalty": 0.5, "length_penalty": 0.8, "no_repeat_ngram_size": 3,
  "encoder_repetition_penalty": 1.2, "encoder_no_repeat_ngram_size": 4, "bad_words_ids": [[1, 2], [3]],
  "sequence_bias": [[[4, 5], -1.5], [[6], 2.0]], "renormalize_logits": true, "forced_bos_token_id": 7,
  "forced_eos_token_id": [8, 9], "remove_invalid_values": true, "exponential_decay_length_penalty": [5, 1.01],
  "suppress_tokens": [10, 11], "begin_suppress_tokens": [12],
  "watermarking_config": {"greenlist_ratio": 0.3, "bias": 2.5, "hashing_key": 17, "seeding_scheme": "selfhash",
                          "context_width": 2},
  "output_scores": true, "output_logits": true, "output_hidden_states": true, "output_attentions": true,
  "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": [2, 3]})";

}  // namespace

TEST_CASE("every field is written as it is read") {
  const json::Value file = json::parse(every_field);
  const GenerationConfig config = GenerationConfig::from_json(file);
  std::size_t fields = 0;
  GenerationConfig::for_each_field([&](const char* name, auto field) {
    CHECK_MESSAGE((config.*field).has_value(), name);
    ++fields;
  });
  CHECK(file.size() == fields);
  const json::Value written = config.to_json();
  CHECK(written.size() == fields);
  for (const json::Value::Member& member : file.members()) {
    REQUIRE_MESSAGE(written.find(member.first) != nullptr, member.first);
    CHECK_MESSAGE(*written.find(member.first) == member.second, member.first);
  }
  CHECK(GenerationConfig::from_json(written) == config);
}

TEST_CASE("what is not said is not written, what is switched off is") {
  CHECK(GenerationConfig{}.to_json() == json::Value::object());
  const GenerationConfig config{.early_stopping = EarlyStopping::yes, .eos_token_id = TokenIds{}};
  CHECK(config.to_json() == json::parse(R"({"early_stopping": true, "eos_token_id": []})"));
  CHECK(GenerationConfig::from_json(config.to_json()) == config);
  const GenerationConfig one{.eos_token_id = 5};
  CHECK(one.to_json() == json::parse(R"({"eos_token_id": 5})"));
}

TEST_CASE("through a folder") {
  const weights_test::TempFolder folder;
  const GenerationConfig config = GenerationConfig::from_json(json::parse(every_field));
  config.save_pretrained(folder.path());
  const std::string text = read_text_file<ConfigError>(folder.file("generation_config.json"));
  CHECK(GenerationConfig::from_json(json::parse(text)) == config);
  CHECK(GenerationConfig::from_pretrained(folder.path()) == config);
  CHECK_THROWS_AS(GenerationConfig::from_pretrained(folder.file("absent")), ConfigError);
  CHECK_THROWS_WITH_AS(GenerationConfig::from_pretrained(folder.file("generation_config.json")),
                       doctest::Contains("expected a folder"), ConfigError);
  config.save_pretrained(folder.file("made/for/it"));
  CHECK(read_text_file<ConfigError>(folder.file("made/for/it/generation_config.json")) == text);
  CHECK_THROWS_AS(config.save_pretrained(folder.file("generation_config.json")), ConfigError);
  CHECK_THROWS_AS(GenerationConfig{.max_new_tokens = -2}.save_pretrained(folder.file("wrong")), Error);
  CHECK(!is_folder(folder.file("wrong")));
}

TEST_CASE("from files in memory, and those that a GGUF or packed file is read as") {
  const std::string text = R"({"top_k": 20, "eos_token_id": [2, 3]})";
  const GenerationConfig config{.top_k = 20, .eos_token_id = TokenIds{2, 3}};
  const auto in_memory = [](const std::string& given) {
    const NamedBytes file{"generation_config.json", std::as_bytes(std::span(given))};
    return GenerationConfig::from_pretrained(ModelFolder::from_bytes(std::span(&file, 1)));
  };
  CHECK(in_memory(text) == config);
  CHECK(test_support::message_of<TextError>([&] { in_memory("{"); }).starts_with("generation_config.json"));
  CHECK_THROWS_AS(in_memory(R"({"top_k": "many"})"), ConfigError);
  ModelFolder made = ModelFolder::made("model.gguf");
  CHECK_THROWS_WITH_AS(GenerationConfig::from_pretrained(made), "model.gguf: no file generation_config.json",
                       ConfigError);
  made.add("generation_config.json", [&] { return text; });
  CHECK(GenerationConfig::from_pretrained(made) == config);
  const ModelFolder gguf = model_files(QWEN35_TEST_DATA "/gguf/shapes-q8_0.gguf");
  const GenerationConfig read = GenerationConfig::from_pretrained(gguf);
  CHECK(read.eos_token_id.has_value());
  CHECK(read == GenerationConfig::from_json(json::parse(gguf.text("generation_config.json"))));
}
