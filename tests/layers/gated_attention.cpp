// SPDX-License-Identifier: Apache-2.0
#include <qwen35/layers/gated_attention.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <random>
#include <vector>

using namespace qwen35;

namespace {

constexpr std::size_t hidden_size = 11;

// The layer with random weights, and the same in doubles, written from the definition.
template <std::size_t Heads, std::size_t KvHeads, std::size_t D>
struct Case {
  using Layer = GatedAttention<Heads, KvHeads, D>;
  static constexpr std::size_t half = D / 4;  // half of the rotated part: the first D / 2 values of a head

  std::mt19937 generator{17};
  std::vector<std::vector<float>> store;
  GatedAttentionWeights weights;
  std::vector<float> cos, sin;  // [position, half]

  explicit Case(bool bias = false, std::size_t positions = 200) {
    weights.q_proj = matrix(2 * Layer::query_size, hidden_size);
    weights.k_proj = matrix(Layer::kv_size, hidden_size);
    weights.v_proj = matrix(Layer::kv_size, hidden_size);
    weights.o_proj = matrix(hidden_size, Layer::query_size);
    weights.q_norm = {vector(D, 1.0f), 1e-3f};
    weights.k_norm = {vector(D, 1.0f), 2e-3f};
    if (bias) {
      weights.q_bias = vector(2 * Layer::query_size, 0.0f);
      weights.k_bias = vector(Layer::kv_size, 0.0f);
      weights.v_bias = vector(Layer::kv_size, 0.0f);
      weights.o_bias = vector(hidden_size, 0.0f);
    }
    for (std::size_t position = 0; position < positions; ++position) {
      for (std::size_t j = 0; j < half; ++j) {
        const double angle = static_cast<double>(position) * std::pow(10.0, -static_cast<double>(j));
        cos.push_back(static_cast<float>(std::cos(angle)));
        sin.push_back(static_cast<float>(std::sin(angle)));
      }
    }
  }
  std::vector<float> random(std::size_t size, float mean) {
    std::normal_distribution<float> normal(mean, 0.5f);
    std::vector<float> out(size);
    for (float& value : out) {
      value = normal(generator);
    }
    return out;
  }
  const float* vector(std::size_t size, float mean) { return store.emplace_back(random(size, mean)).data(); }
  Matrix matrix(std::size_t rows, std::size_t cols) {
    return {reinterpret_cast<const std::byte*>(vector(rows * cols, 0.0f)), Format::f32, rows, cols};
  }

  static std::vector<double> times(const Matrix& w, const float* bias, const double* x) {
    std::vector<double> y(w.rows);
    for (std::size_t n = 0; n < w.rows; ++n) {
      y[n] = bias != nullptr ? static_cast<double>(bias[n]) : 0.0;
      for (std::size_t k = 0; k < w.cols; ++k) {
        y[n] += static_cast<double>(reinterpret_cast<const float*>(w.data)[n * w.cols + k]) * x[k];
      }
    }
    return y;
  }
  // Norm and rotation of one head at a position.
  void prepare(double* head, const RmsNormWeights& norm, std::size_t position) const {
    double squares = 0.0;
    for (std::size_t d = 0; d < D; ++d) {
      squares += head[d] * head[d];
    }
    for (std::size_t d = 0; d < D; ++d) {
      head[d] *= static_cast<double>(norm.weight[d]) /
                 std::sqrt(squares / static_cast<double>(D) + static_cast<double>(norm.eps));
    }
    for (std::size_t j = 0; j < half; ++j) {
      const double c = static_cast<double>(cos[position * half + j]), s = static_cast<double>(sin[position * half + j]);
      const double a = head[j], b = head[j + half];
      head[j] = a * c - b * s;
      head[j + half] = b * c + a * s;
    }
  }

  // One whole sequence; `score(head, query, key)` is added to the scores, -inf hides. probabilities [heads, q, k].
  template <class Score>
  std::vector<double> reference(const std::vector<float>& x, const Score& score,
                                std::vector<double>* kept = nullptr) const {
    const std::size_t tokens = x.size() / hidden_size;
    std::vector<std::vector<double>> q, k, v;
    for (std::size_t t = 0; t < tokens; ++t) {
      const std::vector<double> row(x.begin() + static_cast<std::ptrdiff_t>(t * hidden_size),
                                    x.begin() + static_cast<std::ptrdiff_t>((t + 1) * hidden_size));
      q.push_back(times(weights.q_proj, weights.q_bias, row.data()));
      k.push_back(times(weights.k_proj, weights.k_bias, row.data()));
      v.push_back(times(weights.v_proj, weights.v_bias, row.data()));
      for (std::size_t h = 0; h < Heads; ++h) {
        prepare(q[t].data() + 2 * h * D, weights.q_norm, t);
      }
      for (std::size_t h = 0; h < KvHeads; ++h) {
        prepare(k[t].data() + h * D, weights.k_norm, t);
      }
    }
    if (kept != nullptr) {
      kept->assign(Heads * tokens * tokens, 0.0);
    }
    std::vector<double> out;
    for (std::size_t t = 0; t < tokens; ++t) {
      std::vector<double> attended(Layer::query_size);
      for (std::size_t h = 0; h < Heads; ++h) {
        const std::size_t kv = h / (Heads / KvHeads);
        std::vector<double> p(tokens);
        double sum = 0.0;
        for (std::size_t s = 0; s < tokens; ++s) {
          double dot = 0.0;
          for (std::size_t d = 0; d < D; ++d) {
            dot += q[t][2 * h * D + d] * k[s][kv * D + d];
          }
          p[s] = std::exp(dot / std::sqrt(static_cast<double>(D)) + score(h, t, s));
          sum += p[s];
        }
        for (std::size_t s = 0; s < tokens && sum > 0.0; ++s) {
          for (std::size_t d = 0; d < D; ++d) {
            attended[h * D + d] += p[s] / sum * v[s][kv * D + d];
          }
          if (kept != nullptr) {
            (*kept)[(h * tokens + t) * tokens + s] = p[s] / sum;
          }
        }
        for (std::size_t d = 0; d < D; ++d) {
          attended[h * D + d] /= 1.0 + std::exp(-q[t][(2 * h + 1) * D + d]);
        }
      }
      const std::vector<double> y = times(weights.o_proj, weights.o_bias, attended.data());
      out.insert(out.end(), y.begin(), y.end());
    }
    return out;
  }
};

constexpr double hidden_key = -std::numeric_limits<double>::infinity();
constexpr auto causal = [](std::size_t, std::size_t t, std::size_t s) { return s <= t ? 0.0 : hidden_key; };

// Keys and values of a few sequences, in pages.
struct Cache {
  std::vector<std::vector<std::byte>> memory;
  std::vector<std::vector<std::byte*>> pages;
  std::vector<GatedAttentionState> states;

  template <class Layer>
  static Cache of(std::size_t sequences, std::size_t capacity, Format format = Format::f32) {
    constexpr std::size_t page_slots = kernels::attention_split;
    const std::size_t page_bytes = page_slots * Layer::state_bytes(format);
    const std::size_t count = (capacity + page_slots - 1) / page_slots;
    Cache out;
    for (std::size_t i = 0; i < sequences; ++i) {
      std::vector<std::byte>& bytes = out.memory.emplace_back(count * page_bytes);
      std::vector<std::byte*>& pages = out.pages.emplace_back();
      for (std::size_t page = 0; page < count; ++page) {
        pages.push_back(bytes.data() + page * page_bytes);
      }
      out.states.push_back({pages.data(), 0, page_bytes / 2, format});
    }
    return out;
  }
};

// Runs tokens [slot, slot + count) of a sequence of its own.
template <class Layer, class Case>
std::vector<float> run(const Case& c, const std::vector<float>& x, std::size_t slot, std::size_t count,
                       const Cache& cache, const KeyMask& mask = {},
                       const AttentionProbabilities* probabilities = nullptr) {
  const TokenSpan span{0, 0, count, slot};
  Pass pass;
  pass.tokens = count;
  pass.spans = {&span, 1};
  pass.rotary = {c.cos.data() + slot * Case::half, c.sin.data() + slot * Case::half, Case::half};
  pass.mask = mask;
  pass.probabilities = probabilities;
  std::vector<float> y(count * hidden_size);
  Arena arena(Layer::workspace_bytes(count, hidden_size));
  Layer::forward(c.weights, x.data() + slot * hidden_size, y.data(), pass, cache.states, arena);
  return y;
}

void check_near(const std::vector<float>& y, const std::vector<double>& expected, std::size_t first = 0,
                double bar = 2e-5) {
  double worst = 0.0;
  for (std::size_t i = 0; i < y.size(); ++i) {
    const double wanted = expected[first * hidden_size + i];
    worst = std::max(worst, std::fabs(static_cast<double>(y[i]) - wanted) / (1.0 + std::fabs(wanted)));
  }
  CHECK(worst <= bar);
}

template <std::size_t Heads, std::size_t KvHeads, std::size_t D>
void check_definition(bool bias, std::size_t tokens) {
  using Layer = GatedAttention<Heads, KvHeads, D>;
  Case<Heads, KvHeads, D> c(bias);
  const std::vector<float> x = c.random(tokens * hidden_size, 0.0f);
  const std::vector<double> expected = c.reference(x, causal);
  const std::vector<float> whole = run<Layer>(c, x, 0, tokens, Cache::of<Layer>(1, tokens));
  check_near(whole, expected);
  // In pieces, the last ones single tokens.
  const Cache cache = Cache::of<Layer>(1, tokens);
  for (std::size_t slot = 0; slot < tokens;) {
    const std::size_t count = slot == 0 ? tokens - 2 : 1;
    check_near(run<Layer>(c, x, slot, count, cache), expected, slot);
    slot += count;
  }
}

}  // namespace

TEST_CASE("the layer is its definition in doubles, whole and in pieces") {
  check_definition<4, 2, 16>(false, 9);
  check_definition<6, 1, 8>(true, 5);
  check_definition<3, 3, 32>(false, 70);  // more keys than one split, tokens enough to be packed
}

TEST_CASE("a token behind a long context has the bits that it has in the prompt, with any number of threads") {
  using Layer = GatedAttention<4, 2, 16>;
  const std::size_t tokens = 9 * kernels::attention_span + 3;
  Case<4, 2, 16> c(false, tokens);
  const std::vector<float> x = c.random(tokens * hidden_size, 0.0f);
  for (const std::size_t pads : {0u, 5u}) {
    const Cache cache = Cache::of<Layer>(1, tokens, pads == 0 ? Format::f32 : Format::f16);
    const std::vector<std::size_t> first_key(tokens, pads);
    KeyMask mask;
    mask.first_key = first_key.data();
    run<Layer>(c, x, 0, tokens, cache, mask);
    for (const std::size_t length : {kernels::attention_span + 6, 3 * kernels::attention_span, tokens}) {
      const std::vector<float> expected = run<Layer>(c, x, length - 40, 40, cache, mask);
      for (const int threads : {1, 3, 8}) {
        const ThreadCount scope(threads);
        const std::vector<float> y = run<Layer>(c, x, length - 1, 1, cache, mask);
        CHECK(std::memcmp(y.data(), expected.data() + 39 * hidden_size, y.size() * sizeof(float)) == 0);
      }
    }
  }
}

TEST_CASE("keys and values of 16 bits are near") {
  using Layer = GatedAttention<4, 2, 16>;
  Case<4, 2, 16> c;
  const std::vector<float> x = c.random(9 * hidden_size, 0.0f);
  const std::vector<double> expected = c.reference(x, causal);
  check_near(run<Layer>(c, x, 0, 9, Cache::of<Layer>(1, 9, Format::f16)), expected, 0, 5e-3);
  check_near(run<Layer>(c, x, 0, 9, Cache::of<Layer>(1, 9, Format::bf16)), expected, 0, 5e-2);
}

TEST_CASE("sequences in one pass do not see each other, and have the bits that they have alone") {
  using Layer = GatedAttention<4, 2, 16>;
  Case<4, 2, 16> c;
  const std::vector<float> a = c.random(5 * hidden_size, 0.0f), b = c.random(3 * hidden_size, 0.0f);
  const std::vector<float> alone_a = run<Layer>(c, a, 0, 5, Cache::of<Layer>(1, 5));
  const std::vector<float> alone_b = run<Layer>(c, b, 0, 3, Cache::of<Layer>(1, 5));
  // Flat tokens: one that is in no span, then b, then a.
  std::vector<float> x = c.random(hidden_size, 0.0f);
  x.insert(x.end(), b.begin(), b.end());
  x.insert(x.end(), a.begin(), a.end());
  std::vector<float> cos(9 * c.half), sin(9 * c.half);
  const auto positions = [&](std::size_t first, std::size_t count) {
    std::copy_n(c.cos.begin(), count * c.half, cos.begin() + static_cast<std::ptrdiff_t>(first * c.half));
    std::copy_n(c.sin.begin(), count * c.half, sin.begin() + static_cast<std::ptrdiff_t>(first * c.half));
  };
  positions(1, 3);
  positions(4, 5);
  const TokenSpan spans[] = {{1, 1, 3, 0}, {0, 4, 5, 0}};
  const Cache cache = Cache::of<Layer>(2, 5);
  Pass pass;
  pass.tokens = 9;
  pass.spans = spans;
  pass.rotary = {cos.data(), sin.data(), c.half};
  std::vector<float> y(x.size());
  Arena arena(Layer::workspace_bytes(9, hidden_size));
  Layer::forward(c.weights, x.data(), y.data(), pass, cache.states, arena);
  CHECK(std::all_of(y.begin(), y.begin() + hidden_size, [](float value) { return value == 0.0f; }));
  CHECK(std::equal(alone_b.begin(), alone_b.end(), y.begin() + hidden_size));
  CHECK(std::equal(alone_a.begin(), alone_a.end(), y.begin() + 4 * hidden_size));
}

TEST_CASE("masked keys, and additive masks with a bias for each head") {
  using Layer = GatedAttention<4, 2, 16>;
  Case<4, 2, 16> c;
  constexpr std::size_t tokens = 6;
  const std::vector<float> x = c.random(tokens * hidden_size, 0.0f);

  // The first two slots are before the first visible key, slot 4 is hidden from all. (Tokens 0 and 1 see nothing.)
  const std::vector<std::size_t> first_key(tokens, 2);
  const std::uint8_t valid[tokens] = {1, 1, 1, 1, 0, 1};
  const std::uint8_t* const rows[] = {valid};
  KeyMask mask;
  mask.first_key = first_key.data();
  mask.key_valid = rows;
  check_near(run<Layer>(c, x, 0, tokens, Cache::of<Layer>(1, tokens), mask),
             c.reference(x, [](std::size_t, std::size_t t, std::size_t s) {
               return s >= 2 && s <= t && s != 4 ? 0.0 : hidden_key;
             }));

  // An additive mask replaces causality: here later keys are seen too.
  const std::vector<float> bias = c.random(4 * tokens * tokens, 0.0f);
  const AdditiveMask values{
      .data = bias.data(), .head_stride = tokens * tokens, .row_stride = tokens, .keys = tokens, .first_slot = 0};
  KeyMask additive;
  additive.additive = &values;
  std::vector<double> expected;
  std::vector<float> probabilities(4 * tokens * tokens);
  const AttentionProbabilities out{probabilities.data(), tokens * tokens, tokens, 0};
  const std::vector<double> reference = c.reference(
      x,
      [&](std::size_t h, std::size_t t, std::size_t s) {
        return static_cast<double>(bias[(h * tokens + t) * tokens + s]);
      },
      &expected);
  // The keys of later tokens must be in the cache: a first pass puts them there.
  const Cache cache = Cache::of<Layer>(1, tokens);
  run<Layer>(c, x, 0, tokens, cache);
  check_near(run<Layer>(c, x, 0, tokens, cache, additive, &out), reference);
  for (std::size_t i = 0; i < probabilities.size(); ++i) {
    CHECK(static_cast<double>(probabilities[i]) == doctest::Approx(expected[i]).epsilon(1e-4));
  }
}
