// SPDX-License-Identifier: Apache-2.0
#include <qwen35/weights/initialise.hpp>
#include <qwen35/weights/named_parameters.hpp>

#include "small_models.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <map>
#include <set>

using namespace qwen35;

namespace {

// Large enough for statistics.
struct Text : weights_test::SmallText {
  static constexpr std::size_t vocab_size = 211;
  static constexpr std::size_t hidden_size = 96;
  static constexpr std::size_t linear_num_value_heads = 300;
  static constexpr double initializer_range = 0.03;
};
struct Tower : weights_test::SmallVision {
  static constexpr std::size_t hidden_size = 40;
};

struct Zero : Tower {
  static constexpr double initializer_range = 0.0;
};
struct None {};

using Values = std::map<std::string, std::vector<float>>;

Values values_of(const std::vector<NamedParameter>& list) {
  Values out;
  for (const NamedParameter& parameter : list) {
    std::vector<float>& values = out[parameter.name];
    for (const Matrix& piece : parameter.pieces) {
      std::vector<float> part(piece.rows * piece.cols);
      kernels::decode_row({piece.format, piece.data, part.size(), part.data()});
      values.insert(values.end(), part.begin(), part.end());
    }
  }
  return out;
}
Values text(const InitOptions& options) {
  const auto weights = initialised_text<Text>(options, TextValues::from<Text>(), true);
  return values_of(named_parameters(weights, HuggingFaceNames::of_part(), true));
}

bool all(const std::vector<float>& values, float expected) {
  return std::all_of(values.begin(), values.end(), [&](float value) { return value == expected; });
}

// Of independent draws of that deviation: mean, deviation and kurtosis within 5 standard errors.
void check_normal(const std::vector<float>& values, double deviation) {
  const auto n = static_cast<double>(values.size());
  double mean = 0.0, square = 0.0, fourth = 0.0;
  for (const float value : values) {
    const double v = static_cast<double>(value) / deviation;
    mean += v / n;
    square += v * v / n;
    fourth += v * v * v * v / n;
  }
  CHECK(std::abs(mean) < 5.0 / std::sqrt(n));
  CHECK(std::abs(square - 1.0) < 5.0 * std::sqrt(2.0 / n));
  CHECK(std::abs(fourth - 3.0) < 5.0 * std::sqrt(96.0 / n));
}

bool ends_with(const std::string& name, std::string_view end) {
  return std::string_view(name).ends_with(end);
}

}  // namespace

// The reference's rules by name: _init_weights of the model and of its base class.
TEST_CASE("each kind of parameter begins as in the reference") {
  std::size_t normal = 0, decays = 0;
  for (const auto& entry : text({.seed = 5})) {
    const std::string& name = entry.first;
    const std::vector<float>& values = entry.second;
    CAPTURE(name);
    if (ends_with(name, "linear_attn.norm.weight") || ends_with(name, "dt_bias")) {
      CHECK(all(values, 1.0f));
    } else if (ends_with(name, "norm.weight") || ends_with(name, ".bias")) {
      CHECK(all(values, 0.0f));
    } else if (ends_with(name, "A_log")) {
      double mean = 0.0;
      for (const float value : values) {
        const double a = std::exp(static_cast<double>(value));
        CHECK((a > 0.0 && a < 16.001));
        mean += a / static_cast<double>(values.size());
      }
      CHECK(std::abs(mean - 8.0) < 5.0 * 16.0 / std::sqrt(12.0 * static_cast<double>(values.size())));
      ++decays;
    } else {
      check_normal(values, 0.03);
      ++normal;
    }
  }
  CHECK(decays == 1);
  CHECK(normal == 2 + 6 + 4 + 2 * 7);  // embeddings and head, the mixers' matrices, router, experts, shared expert

  const VisionWeights weights = initialised_vision<Tower>({.seed = 5});
  for (const auto& entry : values_of(named_parameters<Tower>(weights, HuggingFaceNames::of_part()))) {
    const std::string& name = entry.first;
    const std::vector<float>& values = entry.second;
    CAPTURE(name);
    if (name.find("norm") != std::string::npos && ends_with(name, ".weight")) {
      CHECK(all(values, 1.0f));
    } else if (ends_with(name, ".bias")) {
      CHECK(all(values, 0.0f));
    } else {
      check_normal(values, 0.02);
    }
  }
}

TEST_CASE("layers get what the stored values mean") {
  const auto weights = initialised_text<Text>({.seed = 5}, TextValues::from<Text>(), true);
  const Values stored = values_of(named_parameters(weights, HuggingFaceNames::of_part(), true));
  const auto& mixer = weights.linear_layers[0].mixer;
  CHECK(weights.norm.weight[3] == 1.0f);
  CHECK(mixer.norm.weight[3] == 1.0f);
  CHECK(mixer.a[7] == -std::exp(stored.at("layers.0.linear_attn.A_log")[7]));
  const std::size_t channels = LayersOf<Text>::Linear::conv_channels;
  CHECK(mixer.conv1d[2 * channels + 5] == stored.at("layers.0.linear_attn.conv1d.weight")[5 * 4 + 2]);
}

TEST_CASE("in eight bits matrices only") {
  const auto weights = initialised_text<Text>({.dtype = Format::f8_e4m3}, TextValues::from<Text>(), true);
  CHECK(weights.embed_tokens.format == Format::f8_e4m3);
  CHECK(weights.storage.stored(weights.linear_layers[0].mixer.conv1d)->format == Format::f32);
}

TEST_CASE("the padding token's embedding is 0") {
  TextValues values = TextValues::from<Text>();
  values.pad_token_id = 17;
  const auto weights = initialised_text<Text>({}, values, false);
  CHECK(weights.lm_head.empty());
  for (std::size_t token = 0; token < Text::vocab_size; ++token) {
    const auto* const row = reinterpret_cast<const float*>(weights.embed_tokens.row(token));
    CHECK(std::all_of(row, row + Text::hidden_size, [](float value) { return value == 0.0f; }) == (token == 17));
  }
}

TEST_CASE("the same seed gives the same weights in any number of threads, another seed others") {
  const Values first = text({.seed = 1});
  set_num_threads(1);
  CHECK(text({.seed = 1}) == first);
  set_num_threads(3);
  CHECK(text({.seed = 1}) == first);
  set_num_threads(0);
  std::set<std::vector<float>> different;
  std::size_t drawn = 0;
  for (const std::uint64_t seed : {1u, 2u}) {
    for (const auto& [name, values] : text({.seed = seed})) {
      if (!all(values, values[0])) {
        different.insert(values);
        ++drawn;
      }
    }
  }
  CHECK(different.size() == drawn);
  const Values halves = text({.seed = 1, .dtype = Format::bf16});
  for (const auto& [name, values] : first) {
    for (std::size_t i = 0; i < values.size(); i += 7) {
      CHECK(halves.at(name)[i] == bf16_to_f32(f32_to_bf16(values[i])));
    }
  }
}

TEST_CASE("an initializer_range that is 0 or not there is the reference's 0.02") {
  CHECK(detail::initializer_range<Zero>() == 0.02);
  CHECK(detail::initializer_range<None>() == 0.02);
  CHECK(detail::initializer_range<Text>() == 0.03);
}

// Values of Python's statistics.NormalDist().inv_cdf.
TEST_CASE("quantiles of the normal distribution") {
  const std::pair<float, double> cases[] = {
      {0x1p-30f, -6.00935356553}, {0x1p-25f, -5.41998317492},   {0x1p-17f, -4.32491904083},
      {0x1p-9f, -2.88563491243},  {0x1p-5f, -1.86273186742},    {0x1.4p-4f, -1.417797138},
      {0x1p-3f, -1.15034938038},  {0x1.8p-2f, -0.318639363964}, {0x1.fp-2f, -0.0391760855031}};
  for (const auto& test : cases) {
    CHECK(static_cast<double>(detail::lower_normal_quantile(test.first)) == doctest::Approx(test.second).epsilon(1e-6));
  }
  CHECK(detail::lower_normal_quantile(0.5f) == 0.0f);
}
