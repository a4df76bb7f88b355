// SPDX-License-Identifier: Apache-2.0
// What the tests of configs share: recorded files, edited copies, and the message of an error.
#pragma once

#include <qwen35/config/config_file.hpp>
#include <qwen35/json/parse.hpp>

#include <doctest/doctest.h>

#include "support/message_of.hpp"

#include <fstream>
#include <sstream>
#include <string>

namespace config_test {

inline qwen35::json::Value read_json(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  std::ostringstream text;
  text << in.rdbuf();
  return qwen35::json::parse(text.str(), path);
}

inline qwen35::json::Value recorded(const std::string& file) {
  return read_json(std::string(QWEN35_TEST_DATA "/config/") + file);
}

using test_support::contains;
using test_support::message_of;

// Every value that was read from a file is the type's own.
template <class C>
void check_values(const qwen35::ConfigValues& values) {
  const qwen35::ConfigValues own = qwen35::ConfigValues::from<C>();
  CHECK(values.text_config.rms_norm_eps == own.text_config.rms_norm_eps);
  CHECK(values.text_config.rope_parameters == own.text_config.rope_parameters);
  CHECK(values.text_config.max_position_embeddings == own.text_config.max_position_embeddings);
  CHECK(values.text_config.use_cache == own.text_config.use_cache);
  CHECK(values.text_config.output_router_logits == own.text_config.output_router_logits);
  CHECK(values.text_config.router_aux_loss_coef == own.text_config.router_aux_loss_coef);
  CHECK(values.text_config.pad_token_id == own.text_config.pad_token_id);
  CHECK(values.text_config.bos_token_id == own.text_config.bos_token_id);
  CHECK(values.text_config.eos_token_id == own.text_config.eos_token_id);
  CHECK(values.image_token_id == own.image_token_id);
  CHECK(values.video_token_id == own.video_token_id);
  CHECK(values.vision_start_token_id == own.vision_start_token_id);
  CHECK(values.vision_end_token_id == own.vision_end_token_id);
}

}  // namespace config_test
