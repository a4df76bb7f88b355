// SPDX-License-Identifier: Apache-2.0
#include "generate/generate_test.hpp"

#include <qwen35/sampling/watermark_detector.hpp>

#include <doctest/doctest.h>

using namespace qwen35;
using namespace generate_test;

TEST_CASE("recorded texts are scored as the reference's detector does") {
  const json::Value file = read_json("watermark.json");
  const auto vocab_size = static_cast<std::size_t>(file.at("vocab_size").as_integer());
  REQUIRE(file.at("cases").size() == 20);
  for (const json::Value& entry : file.at("cases").items()) {
    json::Value generation = json::Value::object();
    generation["watermarking_config"] = entry.at("config");
    const WatermarkingConfig config = *GenerationConfig::from_json(generation).watermarking_config;
    const Tensor<TokenId> ids = as_table(entry.at("input_ids"));
    const WatermarkDetectorOutput out = WatermarkDetector(vocab_size, config, 1)(ids, 2.0);
    for (std::size_t i = 0; i < out.z_score.size(); ++i) {
      const auto number = [&](std::string_view key) { return entry.at(key).items()[i].as_number(); };
      CHECK(static_cast<double>(out.num_tokens_scored[i]) == number("num_tokens_scored"));
      CHECK(static_cast<double>(out.num_green_tokens[i]) == number("num_green_tokens"));
      CHECK(out.green_fraction[i] == doctest::Approx(number("green_fraction")).epsilon(1e-12));
      CHECK(out.z_score[i] == doctest::Approx(number("z_score")).epsilon(1e-12));
      CHECK(out.p_value[i] == doctest::Approx(number("p_value")).epsilon(1e-9));
      CHECK(out.confidence[i] == doctest::Approx(number("confidence")).epsilon(1e-9));
      CHECK(out.prediction[i] == entry.at("prediction").items()[i].as_bool());
    }
  }
}

TEST_CASE("repeated n-grams count once when asked") {
  const WatermarkDetector once(131, {}, -1, true), all(131, {});
  const std::vector<TokenId> ids{5, 6, 5, 6, 5, 6, 7};
  CHECK(all(ids).num_tokens_scored[0] == 6);
  CHECK(once(ids).num_tokens_scored[0] == 3);  // (5, 6), (6, 5), (6, 7)
}

TEST_CASE("what the detector cannot score is an error") {
  const WatermarkDetector detector(131, {.context_width = 3}, 1);
  CHECK_THROWS_WITH_AS(detector({1, 2, 3, 4}), "watermark: texts of 3 tokens, expected more than context_width, 3",
                       InputError);
  CHECK_THROWS_AS(detector({2, 3, 4, 131}), InputError);
  CHECK_THROWS_AS(WatermarkDetector(131, {.greenlist_ratio = 1.0}), InputError);
  CHECK_THROWS_AS(WatermarkDetector(131, {.hashing_key = -1}), InputError);
  CHECK_THROWS_AS(WatermarkDetector(131, {.context_width = 0}), InputError);
}
