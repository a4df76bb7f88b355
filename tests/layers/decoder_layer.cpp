// SPDX-License-Identifier: Apache-2.0
#include <qwen35/layers/decoder_layer.hpp>

#include <doctest/doctest.h>

#include <chrono>
#include <cmath>
#include <vector>

using namespace qwen35;

namespace {

// Stand-ins with outcomes that a reader can follow: the mixer adds its state to each value, the feed-forward squares.
struct AddState {
  struct Weights {
    float factor = 1.0f;
  };
  using State = float;
  static constexpr Part part = Part::attention;
  static constexpr std::size_t workspace_bytes(std::size_t tokens, std::size_t) { return Arena::cost<float>(tokens); }
  static void forward(const Weights& weights, const float* x, float* y, const Pass& pass, std::span<const State> states,
                      Arena& arena) {
    const Arena::Scope scope(arena);
    float* const added = arena.take<float>(pass.tokens);
    for (const TokenSpan& span : pass.spans) {
      for (std::size_t t = span.first; t < span.first + span.count; ++t) {
        added[t] = states[span.sequence];
        for (std::size_t i = 0; i < 3; ++i) {
          y[3 * t + i] = weights.factor * x[3 * t + i] + added[t];
        }
      }
    }
  }
};

struct Square {
  struct Weights {};
  static constexpr std::size_t workspace_bytes(std::size_t, std::size_t) { return 0; }
  static void forward(const Weights&, const float* x, float* y, const Pass& pass, Arena&) {
    for (std::size_t i = 0; i < 3 * pass.tokens; ++i) {
      y[i] = x[i] * x[i];
    }
  }
};

std::vector<double> normed(const std::vector<double>& x, const float* weight, double eps) {
  double squares = 0.0;
  for (const double value : x) {
    squares += value * value;
  }
  std::vector<double> out;
  for (std::size_t i = 0; i < x.size(); ++i) {
    out.push_back(x[i] / std::sqrt(squares / static_cast<double>(x.size()) + eps) * static_cast<double>(weight[i]));
  }
  return out;
}

}  // namespace

TEST_CASE("norm, mixer, residual, norm, feed-forward, residual") {
  using Layer = DecoderLayer<AddState, Square>;
  static_assert(TokenMixer<AddState> && FeedForward<Square> && !FeedForward<AddState> && !TokenMixer<Square>);
  const float before[] = {1.5f, 0.5f, -1.0f}, after[] = {0.25f, 2.0f, 1.0f};
  const float eps = 0.5f;  // large enough to show
  const Layer::Weights weights{{before, eps}, {after, eps}, {3.0f}, {}};
  std::vector<float> hidden{1.0f, 2.0f, -3.0f, 0.0f, 0.5f, 0.25f, -4.0f, 8.0f, 6.0f};
  const std::vector<float> start = hidden;
  const TokenSpan spans[] = {{1, 0, 1, 0}, {0, 1, 2, 0}};  // one token of the second sequence, two of the first
  const float states[] = {10.0f, -20.0f};
  Pass pass;
  pass.tokens = 3;
  pass.spans = spans;
  Arena arena(Layer::workspace_bytes(3, 3));
  Layer::forward(weights, hidden.data(), 3, pass, states, arena);
  for (std::size_t t = 0; t < 3; ++t) {
    std::vector<double> row(start.begin() + static_cast<std::ptrdiff_t>(3 * t),
                            start.begin() + static_cast<std::ptrdiff_t>(3 * t + 3));
    const std::vector<double> mixed = normed(row, before, 0.5);
    for (std::size_t i = 0; i < 3; ++i) {
      row[i] += 3.0 * mixed[i] + (t == 0 ? -20.0 : 10.0);
    }
    const std::vector<double> inner = normed(row, after, 0.5);
    for (std::size_t i = 0; i < 3; ++i) {
      CHECK(static_cast<double>(hidden[3 * t + i]) == doctest::Approx(row[i] + inner[i] * inner[i]).epsilon(1e-5));
    }
  }
}

TEST_CASE("what its parts need of the arena is part of what it needs") {
  using Layer = DecoderLayer<AddState, Square>;
  CHECK(Layer::workspace_bytes(5, 3) == 2 * Arena::cost<float>(15) + Arena::cost<float>(5));
}

TEST_CASE("a clock counts the time of each part while it lives") {
  using Layer = DecoderLayer<AddState, Square>;
  const float ones[] = {1.0f, 1.0f, 1.0f}, states[] = {1.0f};
  const Layer::Weights weights{{ones, 1.0f}, {ones, 1.0f}, {}, {}};
  std::vector<float> hidden(3, 1.0f);
  const TokenSpan spans[] = {{0, 0, 1, 0}};
  Pass pass;
  pass.tokens = 1;
  pass.spans = spans;
  Arena arena(Layer::workspace_bytes(1, 3));
  PartClock::enter(Part::head);  // nobody counts
  const auto start = std::chrono::steady_clock::now();
  double sum = 0;
  {
    const PartClock clock;
    Layer::forward(weights, hidden.data(), 3, pass, states, arena);
    PartClock::enter(Part::head);
    PartClock::enter(Part::rest);
    for (std::size_t part = 0; part < part_names.size(); ++part) {
      sum += clock.seconds(static_cast<Part>(part));
    }
    CHECK(clock.seconds(Part::attention) > 0);
    CHECK(clock.seconds(Part::norms) > 0);
    CHECK(clock.seconds(Part::delta_net) == 0);
  }
  PartClock::enter(Part::attention);
  CHECK(sum > 0);
  CHECK(sum <= std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
}
