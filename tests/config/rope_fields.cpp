// SPDX-License-Identifier: Apache-2.0
#include <qwen35/config/rope_fields.hpp>

#include "config_test.hpp"

#include <doctest/doctest.h>

using namespace qwen35;
using config_test::message_of;

namespace {

RopeParameters resolve(const json::Value& config) {
  const JsonFields text(&config, "config");
  return read_rope(text, text.size("max_position_embeddings", 32768));
}
RopeParameters resolve(const char* config) {
  return resolve(json::parse(config));
}

std::string problem(const char* config) {
  return message_of<ConfigError>([&] { resolve(config); });
}

}  // namespace

TEST_CASE("the reference's resolution of rope parameters") {
  const json::Value recorded = config_test::recorded("rope.json");
  std::size_t errors = 0;
  for (const json::Value& test : recorded.at("cases").items()) {
    CAPTURE(test.at("name").as_string());
    if (test.find("error") != nullptr) {
      ++errors;
      CHECK_THROWS_AS(resolve(test.at("config")), ConfigError);
      continue;
    }
    const json::Value& expected = test.at("rope_parameters");
    const RopeParameters rope = resolve(test.at("config"));
    CHECK(name(rope.rope_type) == expected.at("rope_type").as_string());
    CHECK(rope.rope_theta == expected.at("rope_theta").as_number());
    CHECK(rope.partial_rotary_factor == expected.at("partial_rotary_factor").as_number());
    const auto optional = [&](const char* key, const std::optional<double>& value) {
      CAPTURE(key);
      const json::Value* const found = expected.find(key);
      const bool given = found != nullptr && !found->is_null();
      REQUIRE(value.has_value() == given);
      CHECK((!given || *value == found->as_number()));
    };
    optional("factor", rope.factor);
    optional("attention_factor", rope.attention_factor);
    optional("beta_fast", rope.beta_fast);
    optional("beta_slow", rope.beta_slow);
    optional("mscale", rope.mscale);
    optional("mscale_all_dim", rope.mscale_all_dim);
    optional("low_freq_factor", rope.low_freq_factor);
    optional("high_freq_factor", rope.high_freq_factor);
    optional("original_max_position_embeddings",
             rope.original_max_position_embeddings
                 ? std::optional(static_cast<double>(*rope.original_max_position_embeddings))
                 : std::nullopt);
    CHECK(rope.truncate == (expected.find("truncate") == nullptr || expected.at("truncate").as_bool()));
    for (const auto& [key, list] :
         {std::pair{"short_factor", rope.short_factor}, std::pair{"long_factor", rope.long_factor}}) {
      const json::Value* const found = expected.find(key);
      REQUIRE(list.size() == (found == nullptr ? 0 : found->size()));
      for (std::size_t i = 0; i < list.size(); ++i) {
        CHECK(list[i] == found->items()[i].as_number());
      }
    }
    const json::Value* const section = expected.find("mrope_section");
    for (std::size_t i = 0; i < 3; ++i) {
      const std::size_t usual[] = {11, 11, 10};
      CHECK(rope.mrope_section[i] ==
            (section == nullptr ? usual[i] : static_cast<std::size_t>(section->items()[i].as_integer())));
    }
  }
  CHECK(recorded.at("cases").size() >= 30);
  CHECK(errors == 7);
}

TEST_CASE("rope parameters of the wrong kind are named") {
  CHECK(problem(R"({"rope_parameters": 3})") == "config.rope_parameters: expected an object, found 3");
  CHECK(problem(R"({"rope_scaling": "linear"})") == "config.rope_scaling: expected an object, found \"linear\"");
  CHECK(problem(R"({"rope_parameters": {"rope_type": 3}})") ==
        "config.rope_parameters.rope_type: expected a string, found 3");
  CHECK(problem(R"({"rope_parameters": {"rope_theta": "ten"}})") ==
        "config.rope_parameters.rope_theta: expected a number, found \"ten\"");
  CHECK(resolve(R"({"rope_parameters": {"rope_theta": "1e7"}})").rope_theta == 1e7);  // numbers as text are read
  CHECK(problem(R"({"rope_parameters": {"rope_theta": 0}})") ==
        "config.rope_parameters.rope_theta: expected a number above 0, found 0");
  CHECK(problem(R"({"rope_theta": -1})") == "config.rope_parameters.rope_theta: expected a number above 0");
  CHECK(problem(R"({"rope_parameters": {"mrope_section": [1, 2]}})") ==
        "config.rope_parameters.mrope_section: expected three sizes, found [1, 2]");
  CHECK(problem(R"({"rope_parameters": {"mrope_section": [1, 2, -3]}})") ==
        "config.rope_parameters.mrope_section: expected a whole number from 0 to 2147483647, found [1, 2, -3]");
  CHECK(problem(R"({"rope_scaling": {"type": "linear", "factor": 0}})") ==
        "config.rope_scaling.factor: expected a number above 0, found 0");
  CHECK(problem(R"({"rope_scaling": {"type": "linear"}})") ==
        "config.rope_scaling: rope_type \"linear\" needs the key \"factor\"");
  CHECK(problem(R"({"rope_parameters": {"rope_type": "longrope", "short_factor": [1], "long_factor": [null]}})") ==
        "config.rope_parameters.long_factor: expected a list of at most 256 numbers, found [null]");
  CHECK(problem(R"({"rope_parameters": {"truncate": 2}})") ==
        "config.rope_parameters.truncate: expected true or false, found 2");
  CHECK(problem(R"({"rope_parameters": {"rope_type": "yarn", "factor": 2, "original_max_position_embeddings": 0}})") ==
        "config.rope_parameters.original_max_position_embeddings: expected a number above 0, found 0");
  CHECK(problem(R"({"rope_parameters": {"rope_type": "spiral"}})") ==
        "config.rope_parameters.rope_type: \"spiral\" is none of default, linear, dynamic, yarn, longrope, llama3");
}
