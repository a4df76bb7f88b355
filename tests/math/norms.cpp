// SPDX-License-Identifier: Apache-2.0
#include "math_test.hpp"

#include <qwen35/math/norms.hpp>

using namespace qwen35;
using namespace math_test;

namespace {

struct Row {
  std::vector<float> x, weight, other;
  double square_sum = 0, mean = 0, variance = 0;

  explicit Row(std::size_t n, float scale = 3.0f)
      : x(random_values(n, static_cast<unsigned>(n), scale)),
        weight(random_values(n, 2)),
        other(random_values(n, 3, 4.0f)) {
    for (const float v : x) {
      square_sum += static_cast<double>(v) * static_cast<double>(v);
      mean += static_cast<double>(v) / static_cast<double>(n);
    }
    for (const float v : x) {
      variance += (static_cast<double>(v) - mean) * (static_cast<double>(v) - mean) / static_cast<double>(n);
    }
  }
};

template <class F>
double error(const std::vector<float>& out, const F& expected) {
  double difference = 0, size = 1e-30;
  for (std::size_t i = 0; i < out.size(); ++i) {
    const double truth = expected(i);
    difference += (static_cast<double>(out[i]) - truth) * (static_cast<double>(out[i]) - truth);
    size += truth * truth;
  }
  return std::sqrt(difference / size);
}

constexpr std::size_t lengths[] = {1, 2, 3, 4, 5, 7, 15, 16, 17, 33, 63, 128, 255, 2048, 4099};

}  // namespace

TEST_CASE("norms agree with double precision") {
  for (const std::size_t n : lengths) {
    for (const float scale : {3.0f, 1e-4f, 1e6f}) {
      const Row row(n, scale);
      CAPTURE(n);
      CAPTURE(scale);
      const double eps = 1e-6;
      std::vector<float> out(n);
      const auto value = [&](std::size_t i) { return static_cast<double>(row.x[i]); };
      const auto weight = [&](std::size_t i) { return static_cast<double>(row.weight[i]); };
      const auto other = [&](std::size_t i) { return static_cast<double>(row.other[i]); };
      const double rms = 1.0 / std::sqrt(row.square_sum / static_cast<double>(n) + eps);

      math::rms_norm(row.x.data(), row.weight.data(), n, 1e-6f, out.data());
      CHECK(error(out, [&](std::size_t i) { return value(i) * rms * weight(i); }) < 4e-7);

      math::gated_rms_norm(row.x.data(), row.weight.data(), row.other.data(), n, 1e-6f, out.data());
      CHECK(error(out, [&](std::size_t i) {
              return value(i) * rms * weight(i) * other(i) / (1.0 + std::exp(-other(i)));
            }) < 4e-7);

      if (n > 1) {
        math::layer_norm(row.x.data(), row.weight.data(), row.other.data(), n, 1e-6f, out.data());
        CHECK(error(out, [&](std::size_t i) {
                return (value(i) - row.mean) / std::sqrt(row.variance + eps) * weight(i) + other(i);
              }) < 6e-7);
      }

      math::l2_normalise(row.x.data(), n, 1e-6f, 0.25f, out.data());
      CHECK(error(out, [&](std::size_t i) { return value(i) / std::sqrt(row.square_sum + eps) * 0.25; }) < 4e-7);

      CHECK(static_cast<double>(math::sum_of_squares(row.x.data(), n)) ==
            doctest::Approx(row.square_sum).epsilon(1e-6));
    }
  }
}

TEST_CASE("layer_norm of a large constant offset keeps its digits") {
  std::vector<float> x(512), out(512);
  const std::vector<float> noise = random_values(512, 4);
  const std::vector<float> one(512, 1.0f), none(512, 0.0f);
  double mean = 0, variance = 0;
  for (std::size_t i = 0; i < 512; ++i) {
    x[i] = 1000.0f + noise[i];
    mean += static_cast<double>(x[i]) / 512;
  }
  for (const float v : x) {
    variance += (static_cast<double>(v) - mean) * (static_cast<double>(v) - mean) / 512;
  }
  math::layer_norm(x.data(), one.data(), none.data(), 512, 1e-6f, out.data());
  CHECK(error(out, [&](std::size_t i) { return (static_cast<double>(x[i]) - mean) / std::sqrt(variance + 1e-6); }) <
        1e-4);
}

TEST_CASE("zero rows stay finite") {
  const std::vector<float> zero(20, 0.0f), weight(20, 2.0f);
  std::vector<float> out(20, 1.0f);
  math::rms_norm(zero.data(), weight.data(), 20, 1e-6f, out.data());
  CHECK(out == zero);
  math::l2_normalise(zero.data(), 20, 1e-6f, 1.0f, out.data());
  CHECK(out == zero);
  math::layer_norm(zero.data(), weight.data(), weight.data(), 20, 1e-6f, out.data());
  CHECK(out == weight);
}

TEST_CASE("a row's bits do not depend on its address; in place works; nothing beyond the end is touched") {
  for (const std::size_t n : lengths) {
    const Row row(n);
    std::vector<float> expected(n);
    math::layer_norm(row.x.data(), row.weight.data(), row.other.data(), n, 1e-6f, expected.data());
    std::vector<float> gated(n);
    math::gated_rms_norm(row.x.data(), row.weight.data(), row.other.data(), n, 1e-6f, gated.data());
    for (std::size_t shift = 0; shift < 5; ++shift) {
      std::vector<float> moved(n + shift + 1, 42.0f);
      std::copy(row.x.begin(), row.x.end(), moved.begin() + static_cast<std::ptrdiff_t>(shift));
      std::vector<float> again = moved;
      math::layer_norm(moved.data() + shift, row.weight.data(), row.other.data(), n, 1e-6f, moved.data() + shift);
      CHECK(same_bits(moved.data() + shift, expected.data(), n));
      CHECK(moved.back() == 42.0f);
      math::gated_rms_norm(again.data() + shift, row.weight.data(), row.other.data(), n, 1e-6f, again.data() + shift);
      CHECK(same_bits(again.data() + shift, gated.data(), n));
      CHECK(again.back() == 42.0f);
    }
  }
}
