// SPDX-License-Identifier: Apache-2.0
#include <qwen35/layers/gated_delta_net.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <random>
#include <vector>

using namespace qwen35;

namespace {

constexpr std::size_t hidden = 10;

// Weights with random values, and the same layer in doubles, written from the definition.
template <std::size_t H, std::size_t D, std::size_t Kh, std::size_t Dv, std::size_t K>
struct Case {
  using Layer = GatedDeltaNet<H, D, Kh, Dv, K>;
  std::mt19937 generator{7};
  std::vector<std::vector<float>> store;
  GatedDeltaNetWeights weights;

  Case() {
    weights.in_proj_qkv = matrix(Layer::conv_channels, hidden);
    weights.in_proj_z = matrix(Layer::value_size, hidden);
    weights.in_proj_b = matrix(H, hidden);
    weights.in_proj_a = matrix(H, hidden);
    weights.out_proj = matrix(hidden, Layer::value_size);
    weights.conv1d = vector(K * Layer::conv_channels, 0.0f);
    weights.dt_bias = vector(H, 0.0f);
    weights.a = vector(H, -2.0f);
    weights.norm.weight = vector(Dv, 1.0f);
  }
  const float* vector(std::size_t size, float mean) {
    std::normal_distribution<float> normal(mean, 0.4f);
    store.emplace_back(size);
    for (float& value : store.back()) {
      value = normal(generator);
    }
    return store.back().data();
  }
  Matrix matrix(std::size_t rows, std::size_t cols) {
    return {reinterpret_cast<const std::byte*>(vector(rows * cols, 0.0f)), DType::f32, rows, cols};
  }

  static std::vector<double> times(const Matrix& w, const double* x) {
    std::vector<double> y(w.rows);
    for (std::size_t n = 0; n < w.rows; ++n) {
      for (std::size_t k = 0; k < w.cols; ++k) {
        y[n] += static_cast<double>(reinterpret_cast<const float*>(w.data)[n * w.cols + k]) * x[k];
      }
    }
    return y;
  }

  std::vector<double> reference(const std::vector<float>& x) const {
    const std::size_t tokens = x.size() / hidden;
    std::vector<std::vector<double>> mixed;
    std::vector<double> out;
    std::vector<double> state(H * D * Dv);
    for (std::size_t t = 0; t < tokens; ++t) {
      const std::vector<double> row(x.begin() + static_cast<std::ptrdiff_t>(t * hidden),
                                    x.begin() + static_cast<std::ptrdiff_t>((t + 1) * hidden));
      mixed.push_back(times(weights.in_proj_qkv, row.data()));
      const std::vector<double> z = times(weights.in_proj_z, row.data());
      const std::vector<double> b = times(weights.in_proj_b, row.data());
      const std::vector<double> a = times(weights.in_proj_a, row.data());
      std::vector<double> c(Layer::conv_channels);
      for (std::size_t ch = 0; ch < c.size(); ++ch) {
        for (std::size_t j = 0; j < K; ++j) {
          c[ch] +=
              t + j + 1 >= K ? static_cast<double>(weights.conv1d[j * c.size() + ch]) * mixed[t + j + 1 - K][ch] : 0.0;
        }
        c[ch] /= 1.0 + std::exp(-c[ch]);
      }
      std::vector<double> core(Layer::value_size);
      for (std::size_t h = 0; h < H; ++h) {
        const double* const q = c.data() + h / (H / Kh) * D;
        const double* const k = q + Layer::key_size;
        const double* const v = c.data() + 2 * Layer::key_size + h * Dv;
        double qq = 1e-6;
        double kk = 1e-6;
        for (std::size_t i = 0; i < D; ++i) {
          qq += q[i] * q[i];
          kk += k[i] * k[i];
        }
        const double decay = std::exp(static_cast<double>(weights.a[h]) *
                                      std::log1p(std::exp(a[h] + static_cast<double>(weights.dt_bias[h]))));
        const double beta = 1.0 / (1.0 + std::exp(-b[h]));
        double* const m = state.data() + h * D * Dv;
        double squares = 0.0;
        for (std::size_t j = 0; j < Dv; ++j) {
          double u = 0.0;
          for (std::size_t i = 0; i < D; ++i) {
            m[i * Dv + j] *= decay;
            u += m[i * Dv + j] * k[i] / std::sqrt(kk);
          }
          double o = 0.0;
          for (std::size_t i = 0; i < D; ++i) {
            m[i * Dv + j] += k[i] / std::sqrt(kk) * beta * (v[j] - u);
            o += m[i * Dv + j] * q[i] / std::sqrt(qq) / std::sqrt(static_cast<double>(D));
          }
          core[h * Dv + j] = o;
          squares += o * o;
        }
        for (std::size_t j = 0; j < Dv; ++j) {
          const double gate = z[h * Dv + j];
          core[h * Dv + j] *= static_cast<double>(weights.norm.weight[j]) /
                              std::sqrt(squares / static_cast<double>(Dv) + static_cast<double>(weights.norm.eps)) *
                              gate / (1.0 + std::exp(-gate));
        }
      }
      const std::vector<double> y = times(weights.out_proj, core.data());
      out.insert(out.end(), y.begin(), y.end());
    }
    return out;
  }
};

template <class Layer>
struct OwnState {
  std::vector<float> conv = std::vector<float>(Layer::conv_state_size);
  std::vector<float> recurrent = std::vector<float>(Layer::recurrent_state_size);
  GatedDeltaNetState view() { return {conv.data(), recurrent.data()}; }
};

// Runs tokens [begin, end) of x, which follow those the state has seen.
template <class Layer>
std::vector<float> run(const GatedDeltaNetWeights& weights, const std::vector<float>& x, std::size_t begin,
                       std::size_t end, OwnState<Layer>& state) {
  std::vector<float> part(x.begin() + static_cast<std::ptrdiff_t>(begin * hidden),
                          x.begin() + static_cast<std::ptrdiff_t>(end * hidden));
  std::vector<float> y(part.size(), 9.0f);
  const TokenSpan span{0, 0, end - begin, begin};
  Pass pass;
  pass.tokens = end - begin;
  pass.spans = {&span, 1};
  Arena arena(Layer::workspace_bytes(pass.tokens, hidden));
  const GatedDeltaNetState view = state.view();
  Layer::forward(weights, part.data(), y.data(), pass, {&view, 1}, arena);
  return y;
}

std::vector<float> random_rows(std::size_t tokens) {
  std::mt19937 generator(3);
  std::normal_distribution<float> normal;
  std::vector<float> x(tokens * hidden);
  for (float& value : x) {
    value = normal(generator);
  }
  return x;
}

template <std::size_t H, std::size_t D, std::size_t Kh, std::size_t Dv, std::size_t K>
void check_case() {
  using C = Case<H, D, Kh, Dv, K>;
  const C layer;
  const std::vector<float> x = random_rows(70);
  const std::vector<double> expected = layer.reference(x);
  OwnState<typename C::Layer> state;
  const std::vector<float> found = run<typename C::Layer>(layer.weights, x, 0, 70, state);
  double error = 0.0;
  double power = 0.0;
  for (std::size_t i = 0; i < expected.size(); ++i) {
    error += (static_cast<double>(found[i]) - expected[i]) * (static_cast<double>(found[i]) - expected[i]);
    power += expected[i] * expected[i];
  }
  CHECK(std::sqrt(error / power) <= 1e-5);
  for (const std::size_t cut : {std::size_t{1}, std::size_t{2}, std::size_t{33}, std::size_t{69}}) {
    OwnState<typename C::Layer> split;
    std::vector<float> both = run<typename C::Layer>(layer.weights, x, 0, cut, split);
    const std::vector<float> rest = run<typename C::Layer>(layer.weights, x, cut, 70, split);
    both.insert(both.end(), rest.begin(), rest.end());
    CHECK(both == found);
    CHECK(split.recurrent == state.recurrent);
    CHECK(split.conv == state.conv);
  }
}

}  // namespace

TEST_CASE("the layer is its definition in doubles, for odd sizes and every split") {
  check_case<2, 8, 2, 8, 4>();
  check_case<4, 5, 2, 7, 3>();
  check_case<4, 16, 1, 20, 1>();
  check_case<6, 12, 3, 33, 6>();
}

TEST_CASE("tokens outside the spans give 0 and leave no trace") {
  using C = Case<4, 5, 2, 7, 3>;
  const C layer;
  const std::vector<float> x = random_rows(20);
  OwnState<C::Layer> alone;
  const std::vector<float> expected =
      run<C::Layer>(layer.weights, std::vector<float>(x.begin() + 5 * hidden, x.end()), 0, 15, alone);
  std::vector<float> input = x;
  std::vector<float> y(x.size(), 9.0f);
  const TokenSpan span{0, 5, 15, 5};
  Pass pass;
  pass.tokens = 20;
  pass.spans = {&span, 1};
  Arena arena(C::Layer::workspace_bytes(20, hidden));
  OwnState<C::Layer> padded;
  const GatedDeltaNetState view = padded.view();
  C::Layer::forward(layer.weights, input.data(), y.data(), pass, {&view, 1}, arena);
  CHECK(std::vector<float>(y.begin() + 5 * hidden, y.end()) == expected);
  CHECK(std::vector<float>(y.begin(), y.begin() + 5 * hidden) == std::vector<float>(5 * hidden, 0.0f));
  CHECK(padded.recurrent == alone.recurrent);
}

TEST_CASE("heads in tiled order: equal bits with the columns of out_proj restored, equal sums with them tiled") {
  using C = Case<6, 12, 3, 33, 6>;
  constexpr std::size_t heads = 6, key_heads = 3, key_rows = 2 * C::Layer::key_size;
  C grouped, tiled;  // the same values
  // Moves blocks of `width` values behind the first `begin` of each of `rows` rows from the grouped to the tiled order.
  const auto tile = [](const float* from, std::size_t rows, std::size_t begin, std::size_t width, const float* to) {
    auto* out = const_cast<float*>(to);
    for (std::size_t row = 0; row < rows; ++row) {
      const std::size_t at = row * (begin + heads * width) + begin;
      for (std::size_t head = 0; head < heads; ++head) {
        const std::size_t source = head % key_heads * (heads / key_heads) + head / key_heads;
        std::copy_n(from + at + source * width, width, out + at + head * width);
      }
    }
  };
  const auto tile_matrix = [&](const Matrix& from, std::size_t rows, std::size_t begin, std::size_t width,
                               const Matrix& to) {
    tile(reinterpret_cast<const float*>(from.data), rows, begin, width, reinterpret_cast<const float*>(to.data));
  };
  const GatedDeltaNetWeights& w = grouped.weights;
  tile_matrix(w.in_proj_qkv, 1, key_rows * hidden, 33 * hidden, tiled.weights.in_proj_qkv);
  tile_matrix(w.in_proj_z, 1, 0, 33 * hidden, tiled.weights.in_proj_z);
  tile_matrix(w.in_proj_b, 1, 0, hidden, tiled.weights.in_proj_b);
  tile_matrix(w.in_proj_a, 1, 0, hidden, tiled.weights.in_proj_a);
  tile(w.conv1d, 6, key_rows, 33, tiled.weights.conv1d);
  tile(w.dt_bias, 1, 0, 1, tiled.weights.dt_bias);
  tile(w.a, 1, 0, 1, tiled.weights.a);
  tiled.weights.tiled_heads = true;
  const std::vector<float> x = random_rows(20);
  OwnState<C::Layer> first, second, third;
  const std::vector<float> expected = run<C::Layer>(w, x, 0, 20, first);
  CHECK(run<C::Layer>(tiled.weights, x, 0, 20, second) == expected);
  tile_matrix(w.out_proj, hidden, 0, 33, tiled.weights.out_proj);
  tiled.weights.tiled_out_proj = true;
  const std::vector<float> found = run<C::Layer>(tiled.weights, x, 0, 20, third);
  CHECK(third.recurrent == second.recurrent);
  double error = 0.0, size = 0.0;
  for (std::size_t i = 0; i < expected.size(); ++i) {
    error += std::pow(static_cast<double>(found[i]) - static_cast<double>(expected[i]), 2);
    size += std::pow(static_cast<double>(expected[i]), 2);
  }
  CHECK(error <= 1e-10 * size);
}
