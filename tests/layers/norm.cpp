// SPDX-License-Identifier: Apache-2.0
#include <qwen35/layers/norm.hpp>
#include <qwen35/parallel/parallel_for.hpp>

#include <doctest/doctest.h>

#include <cmath>
#include <vector>

using namespace qwen35;

TEST_CASE("rows are normed as their definitions say, each with the norm's own eps, on any number of threads") {
  constexpr std::size_t rows = 70, size = 19;
  std::vector<float> x(rows * size), weight(size), bias(size);
  for (std::size_t i = 0; i < x.size(); ++i) {
    x[i] = std::sin(static_cast<float>(i)) * static_cast<float>(i / size % 5);  // some rows are 0
  }
  for (std::size_t i = 0; i < size; ++i) {
    weight[i] = 0.5f + static_cast<float>(i) / 8.0f;
    bias[i] = static_cast<float>(i) - 4.0f;
  }
  for (const int threads : {1, 3}) {
    const ThreadCount scope(threads);
    for (const float eps : {1e-6f, 0.25f}) {
      std::vector<float> rms(x.size()), layer(x.size());
      rms_norm_rows({weight.data(), eps}, x.data(), rows, size, rms.data());
      layer_norm_rows({weight.data(), bias.data(), eps}, x.data(), rows, size, layer.data());
      for (std::size_t row = 0; row < rows; ++row) {
        double squares = 0.0, mean = 0.0, variance = 0.0;
        for (std::size_t i = 0; i < size; ++i) {
          const auto value = static_cast<double>(x[row * size + i]);
          squares += value * value / static_cast<double>(size);
          mean += value / static_cast<double>(size);
        }
        for (std::size_t i = 0; i < size; ++i) {
          variance += std::pow(static_cast<double>(x[row * size + i]) - mean, 2.0) / static_cast<double>(size);
        }
        for (std::size_t i = 0; i < size; ++i) {
          const auto value = static_cast<double>(x[row * size + i]), w = static_cast<double>(weight[i]);
          const auto e = static_cast<double>(eps);
          const double own = value / std::sqrt(squares + e) * w;
          const double centred = (value - mean) / std::sqrt(variance + e) * w + static_cast<double>(bias[i]);
          CHECK(static_cast<double>(rms[row * size + i]) == doctest::Approx(own).epsilon(1e-5));
          CHECK(static_cast<double>(layer[row * size + i]) == doctest::Approx(centred).epsilon(1e-5));
        }
      }
    }
  }
}

TEST_CASE("a visitor of norms is given norms, others their parameters") {
  struct Names final : ParameterReader {
    std::string seen;
    void read(const Parameter&, const Matrix&) override {}
    void read(const Parameter& parameter, const float*) override { seen += parameter.name; }
    void read(const ExpertsParameter&, const std::vector<MlpWeights>&) override {}
  };
  const Parameter parameter{"layers.0.", "norm.weight", {3}};
  RmsNormWeights norm;
  RmsNormEps eps(0.5f);
  eps.norm(parameter, norm);
  CHECK(norm.eps == 0.5f);
  Names names;
  names.norm(parameter, norm);
  CHECK(names.seen == "layers.0.norm.weight");
}
