// SPDX-License-Identifier: Apache-2.0
#include <qwen35/kernels/kernels.hpp>
#include <qwen35/weights/block_fit.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <random>
#include <vector>

using namespace qwen35;

namespace {

// What the fits of nearly normal values leave, a fiftieth above what was measured.
struct FitBar {
  Format format;
  double error;
};
constexpr FitBar fitted[] = {{Format::q8_0, 2.23e-5}, {Format::q4_0, 6.56e-3}, {Format::q4_1, 4.91e-3},
                             {Format::q5_0, 1.58e-3}, {Format::q5_1, 1.12e-3}, {Format::q4_k, 4.96e-3},
                             {Format::q5_k, 1.19e-3}, {Format::q6_k, 2.82e-4}};
constexpr std::size_t fitted_values = 4096;

// Sums of uniform numbers: nearly normal.
std::vector<float> nearly_normal(std::mt19937& random, std::size_t count) {
  std::vector<float> out(count);
  for (float& value : out) {
    int sum = 0;
    for (int i = 0; i < 12; ++i) {
      sum += static_cast<int>(random() % 2001) - 1000;
    }
    value = static_cast<float>(sum) / 1000.0f;
  }
  return out;
}

std::vector<float> written(Format format, const std::vector<float>& values, const float* weights = nullptr) {
  std::vector<std::byte> blocks(row_bytes(format, values.size()));
  fit_row(format, values.data(), weights, values.size(), blocks.data());
  std::vector<float> out(values.size());
  kernels::decode_row({format, blocks.data(), out.size(), out.data()});
  return out;
}

// Of the differences, in parts of the values' own; weighted.
double error_of(const std::vector<float>& values, const std::vector<float>& other,
                const std::vector<float>& weights = {}) {
  double sum = 0.0, all = 0.0;
  for (std::size_t i = 0; i < values.size(); ++i) {
    const double weight = weights.empty() ? 1.0 : weights[i], rest = static_cast<double>(values[i]) - other[i];
    sum += weight * rest * rest;
    all += weight * values[i] * values[i];
  }
  return sum / all;
}

}  // namespace

TEST_CASE("values are fitted with small errors, and those that count more with smaller ones") {
  std::mt19937 random(5);
  const std::vector<float> values = nearly_normal(random, fitted_values);
  std::vector<float> weights(fitted_values);
  for (float& weight : weights) {
    weight = std::exp(static_cast<float>(random() % 1000) / 250.0f);
  }
  for (const auto& [format, bar] : fitted) {
    CAPTURE(name(format));
    REQUIRE(is_fitted(format));
    const std::vector<float> plain = written(format, values), weighted = written(format, values, weights.data());
    CHECK(error_of(values, plain) < bar);
    CHECK(error_of(values, weighted, weights) < 0.93 * error_of(values, plain, weights));
    CHECK(error_of(values, plain) < error_of(values, weighted));
    // What the format can hold comes back: exactly where a group has its own scale.
    CHECK(error_of(plain, written(format, plain)) <= (format == Format::q4_k || format == Format::q5_k ? 2e-5 : 0.0));
    // A block knows nothing of its neighbours, and weights that are all the same or all 0 change nothing.
    const std::size_t size = format_info(format).block_values;
    const std::vector<float> second(values.begin() + static_cast<std::ptrdiff_t>(size),
                                    values.begin() + static_cast<std::ptrdiff_t>(2 * size));
    const std::vector<float> alone = written(format, second);
    CHECK(std::equal(alone.begin(), alone.end(), plain.begin() + static_cast<std::ptrdiff_t>(size)));
    CHECK(written(format, values, std::vector<float>(fitted_values, 0.0f).data()) == plain);
    CHECK(written(format, values, std::vector<float>(fitted_values, 4.0f).data()) == plain);
  }
}

TEST_CASE("values that are hard to fit") {
  for (const auto& [format, bar] : fitted) {
    CAPTURE(name(format));
    const std::size_t size = format_info(format).block_values;
    CHECK(written(format, std::vector<float>(size, 0.0f)) == std::vector<float>(size, 0.0f));
    for (const float all : {1.0f, -3.0f, 1e-3f, 1000.0f}) {
      CHECK(error_of(std::vector<float>(size, all), written(format, std::vector<float>(size, all))) < 1e-5);
    }
    // One value far from the others, one alone, values below what f16 can scale.
    std::vector<float> values(size, 0.001f);
    values[size / 2] = 50.0f;
    CHECK(error_of(values, written(format, values)) < 1e-4);
    std::fill(values.begin(), values.end(), 0.0f);
    values[3] = -7.0f;
    CHECK(error_of(values, written(format, values)) < 1e-5);
    for (float& value : values) {
      value = 1e-12f;
    }
    for (const float value : written(format, values)) {
      CHECK(std::fabs(value) < 1e-6f);
    }
    // A value that does not count at all gives way.
    std::vector<float> weights(size, 1.0f);
    std::fill(values.begin(), values.end(), 1.0f);
    values[5] = 1e4f;
    weights[5] = 0.0f;
    CHECK(error_of(values, written(format, values, weights.data()), weights) < 1e-4);
  }
  std::vector<std::byte> block(1000);
  const std::vector<float> zeros(256);
  CHECK_THROWS_WITH_AS(fit_row(Format::iq4_nl, zeros.data(), nullptr, 32, block.data()),
                       "fit_row: this program cannot write the format iq4_nl", InputError);
  CHECK_THROWS_AS(fit_row(Format::q4_k, zeros.data(), nullptr, 32, block.data()), InputError);
}
