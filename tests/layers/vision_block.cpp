// SPDX-License-Identifier: Apache-2.0
#include "vision_test.hpp"

#include <cstring>

using namespace qwen35;
using namespace vision_test;

namespace {

constexpr std::size_t heads = 2, head_dim = 12, hidden = heads * head_dim, inner = 37;
using Block = VisionBlock<heads, head_dim>;

Row rotated(const Row& x, std::size_t head, const float* cos, const float* sin) {
  Row out(head_dim);
  for (std::size_t j = 0; j < head_dim / 2; ++j) {
    const double a = x[head * head_dim + j], b = x[head * head_dim + head_dim / 2 + j];
    const auto c = static_cast<double>(cos[j]), s = static_cast<double>(sin[j]);
    out[j] = a * c - b * s;
    out[head_dim / 2 + j] = b * c + a * s;
  }
  return out;
}

// The block by its formulas, row by row.
std::vector<Row> expected_rows(const VisionBlockWeights& w, const std::vector<float>& x,
                               const std::vector<Frame>& frames, const RotaryTable& rotary) {
  const std::size_t rows = x.size() / hidden;
  std::vector<Row> qkv(rows), out(rows);
  std::vector<Row> queries(rows * heads), keys(rows * heads);
  for (std::size_t i = 0; i < rows; ++i) {
    qkv[i] = linear(w.qkv, layer_norm(w.norm1, row(x.data() + i * hidden, hidden)));
    for (std::size_t h = 0; h < heads; ++h) {
      const float* const cos = rotary.cos + i * rotary.half;
      const float* const sin = rotary.sin + i * rotary.half;
      queries[i * heads + h] = rotated(qkv[i], h, cos, sin);
      keys[i * heads + h] = rotated(Row(qkv[i].begin() + hidden, qkv[i].end()), h, cos, sin);
    }
  }
  for (const Frame& frame : frames) {
    for (std::size_t i = frame.first; i < frame.first + frame.count; ++i) {
      Row attended(hidden);
      for (std::size_t h = 0; h < heads; ++h) {
        Row weight(frame.count);
        double total = 0.0;
        for (std::size_t j = 0; j < frame.count; ++j) {
          double score = 0.0;
          for (std::size_t d = 0; d < head_dim; ++d) {
            score += queries[i * heads + h][d] * keys[(frame.first + j) * heads + h][d];
          }
          weight[j] = std::exp(score / std::sqrt(static_cast<double>(head_dim)));
          total += weight[j];
        }
        for (std::size_t j = 0; j < frame.count; ++j) {
          for (std::size_t d = 0; d < head_dim; ++d) {
            attended[h * head_dim + d] += weight[j] / total * qkv[frame.first + j][2 * hidden + h * head_dim + d];
          }
        }
      }
      out[i] = row(x.data() + i * hidden, hidden);
      const Row update = linear(w.proj, attended);
      for (std::size_t d = 0; d < hidden; ++d) {
        out[i][d] += update[d];
      }
      Row act = linear(w.linear_fc1, layer_norm(w.norm2, out[i]));
      for (double& value : act) {
        value = 0.5 * value *
                (1.0 + std::tanh(std::sqrt(2.0 / std::acos(-1.0)) * (value + 0.044715 * value * value * value)));
      }
      const Row second = linear(w.linear_fc2, act);
      for (std::size_t d = 0; d < hidden; ++d) {
        out[i][d] += second[d];
      }
    }
  }
  return out;
}

struct Problem {
  Random random;
  VisionBlockWeights weights{
      random.norm(hidden),           random.norm(hidden),          random.linear(3 * hidden, hidden),
      random.linear(hidden, hidden), random.linear(inner, hidden), random.linear(hidden, inner)};
  std::size_t rows;
  std::vector<float> x, cos, sin;

  explicit Problem(std::size_t count) : rows(count), x(random.values(count * hidden, 0.0f, 1.0f)) {
    for (const float angle : random.values(count * head_dim / 2, 0.0f, 1.0f)) {
      cos.push_back(std::cos(angle));
      sin.push_back(std::sin(angle));
    }
  }
  RotaryTable rotary(std::size_t first = 0) const {
    return {cos.data() + first * head_dim / 2, sin.data() + first * head_dim / 2, head_dim / 2};
  }
  // Rows [first, first + count), in an arena of the size asked for and no more.
  std::vector<float> run(const std::vector<Frame>& frames, std::size_t first, std::size_t count) const {
    std::vector<float> y(x.begin() + static_cast<std::ptrdiff_t>(first * hidden),
                         x.begin() + static_cast<std::ptrdiff_t>((first + count) * hidden));
    Arena arena(Block::workspace_bytes(count, frames.size(), inner));
    Block::forward(weights, y.data(), count, frames, rotary(first), arena);
    return y;
  }
};

}  // namespace

TEST_CASE("a vision block is its formulas: a patch, one frame, several frames, and more rows than go through at once") {
  for (const auto& counts :
       {std::vector<std::size_t>{1}, std::vector<std::size_t>{130}, std::vector<std::size_t>{3, 61, 140, 64},
        std::vector<std::size_t>{900}, std::vector<std::size_t>{500, 1, 400, 300}}) {
    std::vector<Frame> frames;
    std::size_t rows = 0;
    for (const std::size_t count : counts) {
      frames.push_back({rows, count});
      rows += count;
    }
    const Problem problem(rows);
    const std::vector<float> y = problem.run(frames, 0, rows);
    CAPTURE(rows);
    CHECK(distance(y, expected_rows(problem.weights, problem.x, frames, problem.rotary())) < 1e-6);
    for (const int threads : {1, 2, 3}) {
      const ThreadCount scope(threads);
      CHECK(problem.run(frames, 0, rows) == y);
    }
    for (const Frame& frame : frames) {
      const std::vector<float> alone = problem.run({{0, frame.count}}, frame.first, frame.count);
      CHECK(std::memcmp(alone.data(), y.data() + frame.first * hidden, alone.size() * sizeof(float)) == 0);
    }
  }
}
