// SPDX-License-Identifier: Apache-2.0
#include <qwen35/config/config_file.hpp>
#include <qwen35/config/presets.hpp>

#include "config_test.hpp"

#include <doctest/doctest.h>

#include <algorithm>

using namespace qwen35;
using config_test::contains;
using config_test::message_of;
using Model = configs::Shapes;
using Text = Model::text_config;

namespace {

// The shapes model's config, as the reference writes it.
json::Value shapes_file() {
  return config_test::recorded("shapes.json");
}

std::string problem(const json::Value& file) {
  return message_of<ConfigError>([&] { check<Model>(file); });
}
// The problem after `part`.`key` was set; an empty part is the top level.
std::string after(const char* part, const char* key, json::Value value) {
  json::Value file = shapes_file();
  json::Value& object = *part == 0 ? file : file[part];
  object[key] = std::move(value);
  return problem(file);
}

struct AllFull : configs::Qwen35_27B::text_config {
  static constexpr std::size_t hidden_size = 1;
  static constexpr std::size_t num_hidden_layers = 80;
  static constexpr auto layer_types = hybrid_layer_types<80>(1);
  static constexpr RopeParameters rope_parameters = {.mrope_section = {1, 2, 3}};
};
struct Tied : Text {
  static constexpr bool tie_word_embeddings = true;
};

}  // namespace

TEST_CASE("the file that fits gives its values") {
  const ConfigValues values = check<Model>(shapes_file());
  CHECK(values.text_config.rope_parameters == Text::rope_parameters);
  CHECK(values.text_config.eos_token_id == TokenIds{433});
  CHECK(values.text_config.pad_token_id == TokenIds{433});
  CHECK(values.text_config.bos_token_id.empty());
  CHECK(values.text_config.max_position_embeddings == 2048);
  CHECK(values.image_token_id == 438);
  CHECK(values.video_token_id == 439);
  CHECK(values.vision_start_token_id == 436);
  CHECK(values.vision_end_token_id == 437);
}

TEST_CASE("value fields are the file's, not the type's") {
  json::Value file = shapes_file();
  json::Value& text = file["text_config"];
  text["rms_norm_eps"] = 1e-5;
  text["max_position_embeddings"] = 77;
  text["rope_parameters"]["rope_theta"] = 5e6;
  text["use_cache"] = false;
  text["output_router_logits"] = true;
  text["router_aux_loss_coef"] = 0.25;
  text["eos_token_id"] = json::parse("[1, 2]");
  text["bos_token_id"] = 3;
  text["pad_token_id"] = nullptr;
  file["image_token_id"] = 7;
  file["vision_end_token_id"] = nullptr;
  const ConfigValues values = check<Model>(file);
  CHECK(values.text_config.rms_norm_eps == 1e-5);
  CHECK(values.text_config.max_position_embeddings == 77);
  CHECK(values.text_config.rope_parameters.rope_theta == 5e6);
  CHECK_FALSE(values.text_config.use_cache);
  CHECK(values.text_config.output_router_logits);
  CHECK(values.text_config.router_aux_loss_coef == 0.25);
  CHECK(values.text_config.eos_token_id == TokenIds{1, 2});
  CHECK(values.text_config.bos_token_id == TokenIds{3});
  CHECK(values.text_config.pad_token_id.empty());
  CHECK(values.image_token_id == 7);
  CHECK(values.vision_end_token_id == 248054);  // absent: the reference's default
}

TEST_CASE("another rope type is a value") {
  json::Value file = shapes_file();
  file["text_config"]["rope_parameters"]["rope_type"] = "yarn";
  file["text_config"]["rope_parameters"]["factor"] = 4;
  const RopeParameters rope = check<Model>(file).text_config.rope_parameters;
  CHECK(rope.rope_type == RopeType::yarn);
  CHECK(rope.factor == 4.0);
  CHECK(rope.original_max_position_embeddings == 2048);
}

TEST_CASE("each shape that differs is an error with both values") {
  const std::string head = "config.json does not describe the compiled model:\n  ";
  for (const char* key :
       {"vocab_size", "hidden_size", "num_attention_heads", "num_key_value_heads", "head_dim", "linear_conv_kernel_dim",
        "linear_key_head_dim", "linear_value_head_dim", "linear_num_key_heads", "linear_num_value_heads",
        "moe_intermediate_size", "shared_expert_intermediate_size", "num_experts_per_tok", "num_experts"}) {
    const std::int64_t own = shapes_file()["text_config"].at(key).as_integer();
    CHECK(after("text_config", key, own + 1) ==
          concat(head, "text_config.", key, ": the file has ", own + 1, ", the type ", own));
    // An absent key is the reference's default, which the shapes model has for none but the kernel.
    const std::string without = after("text_config", key, nullptr);
    if (std::string_view(key) == "linear_conv_kernel_dim" || std::string_view(key) == "num_key_value_heads") {
      CHECK(without == "");
    } else {
      CHECK(without.starts_with(concat(head, "text_config.", key, ": the file does not say, by default ")));
      CHECK(without.ends_with(concat(", the type ", own)));
    }
  }
  for (const char* key : {"depth", "hidden_size", "intermediate_size", "num_heads", "in_channels", "patch_size",
                          "spatial_merge_size", "temporal_patch_size", "out_hidden_size", "num_position_embeddings"}) {
    const std::int64_t own = shapes_file()["vision_config"].at(key).as_integer();
    CHECK(after("vision_config", key, own * 2) ==
          concat(head, "vision_config.", key, ": the file has ", own * 2, ", the type ", own));
  }
  CHECK(after("text_config", "attention_bias", true) ==
        head + "text_config.attention_bias: the file has true, the type false");
  CHECK(after("text_config", "hidden_act", "gelu") ==
        head + "text_config.hidden_act: the file has gelu, the type silu");
  CHECK(after("vision_config", "hidden_act", "gelu") ==
        head + "vision_config.hidden_act: the file has gelu, the type gelu_pytorch_tanh");
  CHECK(after("", "tie_word_embeddings", true) ==
        head + "config.tie_word_embeddings: the file has true, the type false");
  CHECK(after("text_config", "model_type", "qwen3_5_text") ==
        head + "text_config.model_type: the file has qwen3_5_text, the type qwen3_5_moe_text");
  for (const json::Value& rope : {json::Value(), json::parse(R"({"rope_theta": 10000.0})")}) {
    CHECK(after("text_config", "rope_parameters", rope)
              .starts_with(
                  head +
                  "text_config.rope_parameters.mrope_section[0]: the file does not say, by default 11, the type "));
  }
  json::Value file = shapes_file();
  file["text_config"]["rope_parameters"]["partial_rotary_factor"] = 0.5;
  file["text_config"]["rope_parameters"]["mrope_section"] = json::parse("[2, 1, 3]");
  CHECK(problem(file) == head +
                             "text_config.rope_parameters.partial_rotary_factor: the file has 0.5, the type 0.25\n"
                             "  text_config.rope_parameters.mrope_section[2]: the file has 3, the type 1");
}

TEST_CASE("a config of another family is called that, and not compared") {
  const std::string expected = "config.json: model_type \"llama\" is another family, expected qwen3_5_moe or qwen3_5";
  CHECK(problem(json::parse(R"({"model_type": "llama", "hidden_size": 4096, "layer_types": 3})")) == expected);
  CHECK(after("text_config", "model_type", "llama") == expected);
  // The outer one counts too, whatever the inner one says.
  CHECK(after("", "model_type", "llama") == expected);
  CHECK(contains(after("", "model_type", "qwen3_next"), "model_type \"qwen3_next\" is another family"));
  CHECK(after("", "model_type", "qwen3_5") ==
        "config.json does not describe the compiled model:\n  config.model_type: the file has qwen3_5, the type "
        "qwen3_5_moe");
  json::Value file = shapes_file();
  file["model_type"] = nullptr;
  CHECK(problem(file) == "");
  file["text_config"]["model_type"] = "";
  CHECK(problem(file) == "");
  const auto tower = [&](const char* family) {
    json::Value changed = shapes_file();
    changed["model_type"] = family;
    return message_of<ConfigError>([&] { check_vision<Model::vision_config>(changed); });
  };
  CHECK(tower("qwen3_5_moe") == "");
  CHECK(tower("qwen3_vl") == "config.json: model_type \"qwen3_vl\" is another family, expected qwen3_5_moe or qwen3_5");
}

TEST_CASE("a full_attention_interval that contradicts layer_types is told") {
  json::Value file = shapes_file();
  CHECK(unheeded_interval(file) == "");
  for (const json::Value& same : {json::Value(4), json::Value("4"), json::Value(4.0), json::Value()}) {
    file["text_config"]["full_attention_interval"] = same;
    CHECK(unheeded_interval(file) == "");
  }
  file["text_config"]["full_attention_interval"] = 2;
  const std::string told =
      "full_attention_interval 2 contradicts layer_types, which counts: entry 1 is \"linear_attention\"";
  CHECK(unheeded_interval(file) == "text_config." + told);
  CHECK(unheeded_interval(file["text_config"]) == "config." + told);
  CHECK(problem(file) == "");
  for (const json::Value& odd : {json::Value(0), json::Value(-4), json::Value("four"), json::Value(3)}) {
    file["text_config"]["full_attention_interval"] = odd;
    CHECK(contains(unheeded_interval(file), "contradicts layer_types"));
  }
  file["text_config"]["layer_types"] = nullptr;
  CHECK(unheeded_interval(file) == "");
  CHECK(unheeded_interval(json::parse("[1]")) == "");
}

TEST_CASE("all differences stand in one error") {
  json::Value file = shapes_file();
  file["text_config"]["hidden_size"] = 256;
  file["text_config"]["num_experts"] = 16;
  file["text_config"]["layer_types"] =
      json::parse(R"(["full_attention", "linear_attention", "linear_attention", "full_attention"])");
  file["vision_config"]["depth"] = 5;
  const std::string said = problem(file);
  CHECK(contains(said, "text_config.hidden_size: the file has 256, the type 128"));
  CHECK(contains(said, "text_config.num_experts: the file has 16, the type 8"));
  CHECK(contains(said, "text_config.layer_types[0]: the file has full_attention, the type linear_attention"));
  CHECK_FALSE(contains(said, "layer_types[1]"));
  CHECK(contains(said, "vision_config.depth: the file has 5, the type 4"));
  CHECK(std::count(said.begin(), said.end(), '\n') == 4);
}

TEST_CASE("a long list of differences is cut") {
  const json::Value published = config_test::recorded("published.json");
  json::Value file = published.at("Qwen35_27B").at("text_config");
  file["num_hidden_layers"] = 100;
  file["layer_types"] = nullptr;
  file["full_attention_interval"] = 101;
  const std::string said = message_of<ConfigError>([&] { check<AllFull>(file); });
  CHECK(contains(said, "config.layer_types[0]: the file has linear_attention, the type full_attention"));
  CHECK(std::count(said.begin(), said.end(), '\n') == 61);
  CHECK(contains(said, "\n  and 25 more"));
}

TEST_CASE("layer types") {
  // Missing: a full layer in every full_attention_interval, 4 unless told.
  CHECK(after("text_config", "layer_types", nullptr) == "");
  json::Value file = shapes_file();
  file["text_config"]["layer_types"] = nullptr;
  file["text_config"]["full_attention_interval"] = 2;
  CHECK(contains(problem(file), "text_config.layer_types[1]: the file has full_attention, the type linear_attention"));
  file["text_config"]["full_attention_interval"] = 0;
  CHECK(problem(file) == "text_config.full_attention_interval: expected a number above 0, found 0");
  CHECK(after("text_config", "layer_types", json::parse(R"(["linear_attention"])")) ==
        "text_config.layer_types: expected one entry for each of num_hidden_layers (4), not 1, found "
        "[\"linear_attention\"]");
  CHECK(after("text_config", "layer_types", "linear_attention") ==
        "text_config.layer_types: expected a list, found \"linear_attention\"");
  CHECK(after("text_config", "layer_types", json::parse("[1, 2, 3, 4]")) ==
        "text_config.layer_types: expected a list of names, found [1, 2, 3, 4]");
  CHECK(
      contains(after("text_config", "layer_types",
                     json::parse(R"(["linear_attention", "linear_attention", "sliding_attention", "full_attention"])")),
               "text_config.layer_types[2]: the file has sliding_attention, the type linear_attention"));
  // A depth that no memory could hold is only a difference.
  json::Value deep = shapes_file();
  deep["text_config"]["layer_types"] = nullptr;
  deep["text_config"]["num_hidden_layers"] = 2147483647;
  CHECK(contains(problem(deep), "num_hidden_layers: the file has 2147483647, the type 4"));
}

TEST_CASE("fields of the wrong kind are named") {
  const std::string size = ": expected a whole number from 0 to 2147483647";
  CHECK(after("text_config", "hidden_size", "128x") == "text_config.hidden_size" + size + ", found \"128x\"");
  CHECK(after("text_config", "hidden_size", -128) == "text_config.hidden_size" + size + ", found -128");
  CHECK(after("text_config", "hidden_size", 128.5) == "text_config.hidden_size" + size + ", found 128.5");
  CHECK(after("text_config", "hidden_size", json::parse("1e30")) == "text_config.hidden_size" + size + ", found 1e+30");
  CHECK(after("text_config", "num_experts", json::parse("99999999999")) ==
        "text_config.num_experts" + size + ", found 99999999999");
  CHECK(after("text_config", "rms_norm_eps", "small") ==
        "text_config.rms_norm_eps: expected a number, found \"small\"");
  CHECK(after("text_config", "rms_norm_eps", -1e-6) ==
        "text_config.rms_norm_eps: expected a number not below 0, found -1e-06");
  CHECK(after("text_config", "max_position_embeddings", 0) ==
        "text_config.max_position_embeddings: expected a number above 0, found 0");
  CHECK(after("text_config", "use_cache", 2) == "text_config.use_cache: expected true or false, found 2");
  CHECK(after("text_config", "hidden_act", 1) == "text_config.hidden_act: expected a string, found 1");
  CHECK(after("text_config", "eos_token_id", "</s>") ==
        "text_config.eos_token_id: expected a token id or a list of token ids, found \"</s>\"");
  CHECK(after("text_config", "model_type", true) == "text_config.model_type: expected a string, found true");
  CHECK(after("", "image_token_id", json::parse("[1, 2]")) ==
        "config.image_token_id: expected one token id, found [1, 2]");
  CHECK(after("", "tie_word_embeddings", "no") == "config.tie_word_embeddings: expected true or false, found \"no\"");
  CHECK(after("", "text_config", json::parse("[]")) == "config.text_config: expected an object, found []");
  CHECK(after("", "vision_config", 3) == "config.vision_config: expected an object, found 3");
  CHECK(problem(json::parse("[1]")) == "config.json: expected an object");
  CHECK(problem(json::Value()) == "config.json: expected an object");
}

TEST_CASE("unknown keys are ignored") {
  CHECK(after("", "quantisation_of_tomorrow", json::parse("{}")) == "");
  CHECK(after("text_config", "mamba_ssm_dtype", "float32") == "");
  CHECK(after("text_config", "hidden_sizes", "nonsense") == "");
}

TEST_CASE("the tie flag: a composite type goes by the outer level, a text type by the inner") {
  json::Value file = shapes_file();
  file["text_config"]["tie_word_embeddings"] = true;
  CHECK(problem(file) == "");
  CHECK(contains(message_of<ConfigError>([&] { check<Text>(file); }),
                 "text_config.tie_word_embeddings: the file has true, the type false"));
  CHECK_NOTHROW(check<Tied>(file));
  CHECK_THROWS_AS(check<Tied>(shapes_file()), ConfigError);
}

TEST_CASE("a text-only file") {
  const json::Value file = shapes_file()["text_config"];
  CHECK(check<Text>(file).text_config.eos_token_id == TokenIds{433});
  CHECK(check<Text>(file).image_token_id == -1);
  CHECK(check<Model>(file).image_token_id == 438);  // the type's: a text-only file has none
  json::Value other = file;
  other["head_dim"] = 64;
  CHECK(
      contains(message_of<ConfigError>([&] { check<Text>(other); }), "config.head_dim: the file has 64, the type 32"));
}
