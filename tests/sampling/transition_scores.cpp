// SPDX-License-Identifier: Apache-2.0
#include "generate/generate_test.hpp"

#include <qwen35/sampling/transition_scores.hpp>

#include <doctest/doctest.h>

using namespace qwen35;
using namespace generate_test;

namespace {

Tensor<float> as_tensor(const json::Value& rows) {
  std::vector<float> values;
  for (const json::Value& row : rows.items()) {
    const std::vector<float> more = as_floats(row);
    values.insert(values.end(), more.begin(), more.end());
  }
  return Tensor<float>({rows.size(), values.size() / rows.size()}, values);
}

}  // namespace

TEST_CASE("recorded scores, with and without beams, give the reference's transition scores") {
  const json::Value file = read_json("watermark.json");
  REQUIRE(file.at("transition_scores").size() == 4);
  for (const json::Value& entry : file.at("transition_scores").items()) {
    std::vector<Tensor<float>> scores;
    for (const json::Value& step : entry.at("scores").items()) {
      scores.push_back(as_tensor(step));
    }
    const Tensor<TokenId> sequences = as_table(entry.at("sequences"));
    const json::Value& beams = entry.at("beam_indices");
    const Tensor<std::int32_t> indices = beams.is_null() ? Tensor<std::int32_t>() : as_table(beams);
    const Tensor<float> out =
        compute_transition_scores(sequences, scores, indices, entry.at("normalize_logits").as_bool());
    const Tensor<float> expected = as_tensor(entry.at("expected"));
    REQUIRE(out.shape() == expected.shape());
    for (std::size_t i = 0; i < out.size(); ++i) {
      CHECK(close(out[i], expected[i]));
    }
  }
}

TEST_CASE("shapes that do not fit are errors; a row that ended without a pad token scores 0") {
  const std::vector<Tensor<float>> scores(2, Tensor<float>({1, 4}, {0.0f, 1.0f, 2.0f, 3.0f}));
  const std::vector<TokenId> ids{1, 2, 3}, ended{1, 2, -1}, shorter{1}, outside{1, 2, 4};
  const Tensor<TokenId> two_rows({2, 3});
  CHECK(compute_transition_scores(ids, scores)[1] == 3.0f);
  CHECK(compute_transition_scores(ended, scores)[1] == 0.0f);
  CHECK_THROWS_WITH_AS(compute_transition_scores(ids, {}), doctest::Contains("output_scores"), InputError);
  CHECK_THROWS_AS(compute_transition_scores(shorter, scores), InputError);
  CHECK_THROWS_AS(compute_transition_scores(outside, scores), InputError);
  CHECK_THROWS_WITH_AS(compute_transition_scores(two_rows, scores), doctest::Contains("beam_indices"), InputError);
}
