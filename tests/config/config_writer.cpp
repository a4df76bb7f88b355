// SPDX-License-Identifier: Apache-2.0
#include <qwen35/config/config_writer.hpp>
#include <qwen35/config/presets.hpp>

#include "config_test.hpp"

#include <doctest/doctest.h>

using namespace qwen35;

namespace {

// The same keys and values, in any order.
void check_same(const json::Value& ours, const json::Value& theirs, const std::string& where) {
  CAPTURE(where);
  if (!theirs.is_object()) {
    CHECK(ours == theirs);
    return;
  }
  REQUIRE(ours.is_object());
  CHECK(ours.size() == theirs.size());
  for (const json::Value::Member& member : theirs.members()) {
    REQUIRE_MESSAGE(ours.find(member.first) != nullptr, member.first);
    check_same(*ours.find(member.first), member.second, where + "." + member.first);
  }
}

template <class C>
void check_written(const json::Value& file) {
  const json::Value ours = composite_config_json<C>(ConfigValues::from<C>());
  check_same(ours, file, "config");
  config_test::check_values<C>(check<C>(ours));
  check_same(text_config_json<C>(TextValues::from<C>(), text_config_t<C>::tie_word_embeddings), file.at("text_config"),
             "text_config");
  CHECK_NOTHROW(check_vision<vision_config_t<C>>(vision_config_json<vision_config_t<C>>(is_moe<C>)));  // a tower alone
}

// One with the rotary part of the recorded cases: heads of 16.
struct Small : MoeTextDefaults {
  static constexpr std::size_t head_dim = 16;
};

}  // namespace

TEST_CASE("presets are written as the reference writes them") {
  const json::Value recorded = config_test::recorded("published.json");
  check_written<configs::Qwen35_35B_A3B>(recorded.at("Qwen35_35B_A3B"));
  check_written<configs::Qwen35_397B_A17B>(recorded.at("Qwen35_397B_A17B"));
  check_written<configs::Qwen35_0_8B>(recorded.at("Qwen35_0_8B"));
  check_written<configs::Qwen35_27B>(recorded.at("Qwen35_27B"));
}

TEST_CASE("rope parameters of every type come back") {
  const json::Value recorded = config_test::recorded("rope.json");
  std::size_t types = 0;
  for (const json::Value& test : recorded.at("cases").items()) {
    CAPTURE(test.at("name").as_string());
    if (test.find("error") != nullptr) {
      continue;
    }
    const JsonFields given(&test.at("config"), "config");
    TextValues values = TextValues::from<Small>();
    values.max_position_embeddings = given.size("max_position_embeddings", 32768);
    values.rope_parameters = read_rope(given, values.max_position_embeddings);
    const json::Value ours = text_config_json<Small>(values, false);
    const JsonFields written(&ours, "config");
    CHECK(read_rope(written, values.max_position_embeddings) == values.rope_parameters);
    // What the reference resolved stands there.
    for (const json::Value::Member& member : test.at("rope_parameters").members()) {
      const json::Value* const found = ours.at("rope_parameters").find(member.first);
      CHECK_MESSAGE((member.second.is_null() || (found != nullptr && *found == member.second)), member.first);
    }
    ++types;
  }
  CHECK(types > 15);
}

TEST_CASE("values that a file may change come back") {
  TextValues values = TextValues::from<Small>();
  values.rms_norm_eps = 1.0000000000000002e-05;
  values.max_position_embeddings = 77;
  values.use_cache = false;
  values.output_router_logits = true;
  values.router_aux_loss_coef = 0.03;
  values.pad_token_id = 5;
  values.eos_token_id = {3, 4};
  const TextValues read = check<Small>(text_config_json<Small>(values, false)).text_config;
  CHECK(read.rms_norm_eps == values.rms_norm_eps);
  CHECK(read.max_position_embeddings == 77);
  CHECK_FALSE(read.use_cache);
  CHECK(read.output_router_logits);
  CHECK(read.router_aux_loss_coef == 0.03);
  CHECK(read.pad_token_id == TokenIds(5));
  CHECK(read.bos_token_id.empty());
  CHECK(read.eos_token_id == TokenIds{3, 4});
  CHECK(architecture<Small>("ForCausalLM") == "Qwen3_5MoeForCausalLM");
  CHECK(architecture<configs::Qwen35_27B>("Model") == "Qwen3_5Model");
}
