// SPDX-License-Identifier: Apache-2.0
// Freshly initialised weights, for training elsewhere, for tests, and for measuring without a checkpoint.
#pragma once

#include <qwen35/config/config_file.hpp>
#include <qwen35/weights/text_weights.hpp>
#include <qwen35/weights/vision_weights.hpp>

#include <vector>

#if QWEN35_BODIES
#include <qwen35/core/hash.hpp>
#include <qwen35/layers/mlp.hpp>

#include <cmath>
#endif

QWEN35_BEGIN_NAMESPACE

struct InitOptions {
  std::uint64_t seed = 0;
  Format dtype = Format::f32;  // of every parameter; vectors, see vector_format()
};

namespace detail {

// The config's initializer_range. As in the reference 0 counts as none, and none is 0.02.
template <class C>
constexpr double initializer_range() {
  double range = 0.0;
  if constexpr (requires { C::initializer_range; }) {
    range = C::initializer_range;
  }
  return range == 0.0 ? 0.02 : range;
}

// The value that a standard normal variable is below with probability p, of (0, 0.5]; of 100 values 85 cost no
// logarithm. Source: Wichura, "Algorithm AS 241: the percentage points of the normal distribution", PPND7.
float lower_normal_quantile(float p);

}  // namespace detail

// The visitor that fills parameters, whose memory is then `storage`'s. A value depends on the seed, the parameter's
// name and its place alone. `range`: the normal distributions' deviation; `padding`: tokens whose embedding is 0.
// Source: reference `Qwen3_5MoePreTrainedModel._init_weights`.
class Initialiser final : public ParameterVisitor {
 public:
  Initialiser(BoundStorage& storage, const InitOptions& options, double range, const TokenIds& padding = {})
      : storage_(storage), options_(options), range_(static_cast<float>(range)), padding_(padding) {}

  void operator()(const Parameter& parameter, Matrix& out) override { out = make(parameter, options_.dtype); }
  void operator()(const Parameter& parameter, const float*& out) override {
    out = storage_.keep(make(parameter, vector_format(options_.dtype).value_or(Format::f32)), parameter.meaning);
  }
  QWEN35_BODY void operator()(const ExpertsParameter& experts, std::vector<MlpWeights>& out) override;

 private:
  Matrix make(const Parameter& parameter, Format format);
  float value(Initial initial, std::uint64_t key, std::size_t row, std::size_t index) const;
  // In (0, 1].
  static float uniform(std::uint32_t bits) { return static_cast<float>((bits >> 8) + 1) * 0x1p-24f; }
  static float normal(std::uint64_t key, std::size_t index);
  // SplitMix64 at a place of its sequence. Source: Steele, Lea, Flood, "Fast splittable pseudorandom number
  // generators", OOPSLA 2014.
  static std::uint64_t random(std::uint64_t key, std::uint64_t index);

  BoundStorage& storage_;
  InitOptions options_;
  float range_;
  TokenIds padding_;
};

// Weights as training begins: matrices from a normal distribution of the config's initializer_range, the padding
// token's embedding 0, norms as 1, biases 0, decays from the logarithm of a number between 0 and 16. `lm_head`: with
// the head of a model that has one.
template <class Config>
TextWeights<Config> initialised_text(const InitOptions& options, const TextValues& values, bool lm_head) {
  TextWeights<Config> weights = empty_text_weights<Config>();
  Initialiser initialiser(weights.storage, options, detail::initializer_range<text_config_t<Config>>(),
                          values.pad_token_id);
  visit_text(weights, initialiser, lm_head);
  if (tied_embeddings<Config>) {
    weights.lm_head = weights.embed_tokens;
  }
  return weights;
}

template <VisionConfig Vision>
VisionWeights initialised_vision(const InitOptions& options) {
  VisionWeights weights = empty_vision_weights<Vision>();
  Initialiser initialiser(weights.storage, options, detail::initializer_range<Vision>());
  visit_vision<Vision>(weights, initialiser);
  return weights;
}

#if QWEN35_BODIES

namespace detail {

QWEN35_BODY float lower_normal_quantile(float p) {
  const float q = p - 0.5f;
  if (q > -0.425f) {
    const float r = 0.180625f - q * q;
    return q * (((59.109374720f * r + 159.29113202f) * r + 50.434271938f) * r + 3.3871327179f) /
           (((67.187563600f * r + 78.757757664f) * r + 17.895169469f) * r + 1.0f);
  }
  const float r = std::sqrt(-std::log(p));
  if (r <= 5.0f) {
    const float t = r - 1.6f;
    return -(((0.17023821103f * t + 1.3067284816f) * t + 2.7568153900f) * t + 1.4234372777f) /
           ((0.12021132975f * t + 0.73700164250f) * t + 1.0f);
  }
  const float t = r - 5.0f;
  return -(((0.017337203997f * t + 0.42868294337f) * t + 3.0812263860f) * t + 6.6579051150f) /
         ((0.012258202635f * t + 0.24197894225f) * t + 1.0f);
}

}  // namespace detail

QWEN35_BODY void Initialiser::operator()(const ExpertsParameter& experts, std::vector<MlpWeights>& out) {
  out.resize(experts.count);
  for (std::size_t e = 0; e < experts.count; ++e) {
    visit_parameters(out[e], MlpSizes{experts.hidden_size, experts.intermediate},
                     experts.name + std::to_string(e) + ".", *this);
  }
}

QWEN35_BODY Matrix Initialiser::make(const Parameter& parameter, Format format) {
  const std::size_t rows = parameter.shape[0], cols = parameter.shape.size() / rows;
  Hasher hasher(options_.seed);
  hasher.bytes(parameter.name.data(), parameter.name.size());
  const std::uint64_t key = hasher.value();
  return storage_.make(format, rows, cols, [&](std::size_t i, std::size_t j, std::size_t count, float* values) {
    for (std::size_t k = 0; k < count; ++k) {
      values[k] = value(parameter.initial, key, i, i * cols + j + k);
    }
  });
}

QWEN35_BODY float Initialiser::value(Initial initial, std::uint64_t key, std::size_t row, std::size_t index) const {
  switch (initial) {
    case Initial::zeros:
      return 0.0f;
    case Initial::ones:
      return 1.0f;
    case Initial::normal:
      return range_ * normal(key, index);
    case Initial::normal_but_padding:
      return padding_.contains(static_cast<TokenId>(row)) ? 0.0f : range_ * normal(key, index);
    case Initial::log_uniform:
      return std::log(16.0f * uniform(static_cast<std::uint32_t>(random(key, index) >> 32)));
  }
  return 0.0f;
}

QWEN35_BODY float Initialiser::normal(std::uint64_t key, std::size_t index) {
  const std::uint64_t bits = random(key, index);
  const float tail = 0.5f * uniform(static_cast<std::uint32_t>(bits >> 32));
  const float value = detail::lower_normal_quantile(tail);
  return (bits & 1) != 0 ? value : -value;
}

QWEN35_BODY std::uint64_t Initialiser::random(std::uint64_t key, std::uint64_t index) {
  std::uint64_t bits = key + (index + 1) * 0x9e3779b97f4a7c15u;
  bits = (bits ^ (bits >> 30)) * 0xbf58476d1ce4e5b9u;
  bits = (bits ^ (bits >> 27)) * 0x94d049bb133111ebu;
  return bits ^ (bits >> 31);
}

#endif  // QWEN35_BODIES

QWEN35_END_NAMESPACE
