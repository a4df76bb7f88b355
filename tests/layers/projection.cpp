// SPDX-License-Identifier: Apache-2.0
#include <qwen35/layers/projection.hpp>

#include <doctest/doctest.h>

#include <cmath>
#include <cstring>
#include <random>
#include <vector>

using namespace qwen35;

namespace {

std::vector<float> random_values(std::size_t count, unsigned seed) {
  std::mt19937 engine(seed);
  std::uniform_real_distribution<float> distribution(-1.0f, 1.0f);
  std::vector<float> values(count);
  for (float& value : values) {
    value = distribution(engine);
  }
  return values;
}

Matrix matrix(const std::vector<float>& values, std::size_t in) {
  return {reinterpret_cast<const std::byte*>(values.data()), DType::f32, values.size() / in, in};
}

}  // namespace

TEST_CASE(
    "projections of many tokens have the bits of one token alone, on any number of threads and in exactly the arena "
    "asked for") {
  for (const std::size_t in : {std::size_t{40}, std::size_t{1301}}) {
    const std::vector<float> first = random_values(97 * in, 1), second = random_values(3 * in, 2),
                             bias = random_values(97, 3);
    const std::vector<float> x = random_values(205 * in, 4);
    std::vector<float> alone(205 * 100);
    for (std::size_t t = 0; t < 205; ++t) {
      kernels::matmul({matrix(first, in), 0, 97, x.data() + t * in, in, 1, alone.data() + t * 100, 100, bias.data()});
      kernels::matmul({matrix(second, in), 0, 3, x.data() + t * in, in, 1, alone.data() + t * 100 + 97, 100});
    }
    for (const std::size_t tokens : {std::size_t{1}, kernels::few_tokens, kernels::few_tokens + 1, std::size_t{205}}) {
      for (const int threads : {1, 2, 3}) {
        const ThreadCount scope(threads);
        std::vector<float> y(tokens * 100, NAN);
        Arena arena(projection_bytes(tokens, in));
        const Projection both[] = {{matrix(first, in), y.data(), 100, bias.data()},
                                   {matrix(second, in), y.data() + 97, 100}};
        project(both, x.data(), tokens, arena);
        CHECK(std::memcmp(y.data(), alone.data(), y.size() * sizeof(float)) == 0);
      }
    }
    std::vector<float> y(205 * 97);
    Arena small(projection_bytes(205, in) - 64);
    CHECK_THROWS_AS(project({matrix(first, in), y.data(), 97}, x.data(), 205, small), InputError);
  }
}

TEST_CASE("rows without values become the bias") {
  const std::vector<float> bias = {1.5f, -2.0f};
  const float x = 0.0f;
  for (const std::size_t tokens : {std::size_t{1}, std::size_t{200}}) {
    std::vector<float> y(tokens * 2, NAN);
    Arena arena(projection_bytes(tokens, 0));
    project({{nullptr, DType::f32, 2, 0}, y.data(), 2, bias.data()}, &x, tokens, arena);
    for (std::size_t t = 0; t < tokens; ++t) {
      CHECK(y[2 * t] == 1.5f);
      CHECK(y[2 * t + 1] == -2.0f);
    }
  }
}
