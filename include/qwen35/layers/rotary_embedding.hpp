// SPDX-License-Identifier: Apache-2.0
// Rotary position embedding of the text model: frequencies of every rope type, and cos/sin rows for three interleaved
// position planes.
#pragma once

#include <qwen35/config/rope_parameters.hpp>
#include <qwen35/core/error.hpp>

#include <cstdint>
#include <span>
#include <vector>

#if QWEN35_BODIES
#include <qwen35/core/dtype.hpp>

#include <algorithm>
#include <cmath>
#include <numbers>
#endif

QWEN35_BEGIN_NAMESPACE

// Stateless: frequencies that depend on the length (dynamic, longrope) are chosen from the positions of the forward at
// hand, so a model can be shared. Source: transformers `ROPE_INIT_FUNCTIONS` and `Qwen3_5MoeTextRotaryEmbedding`.
class RotaryEmbedding {
 public:
  RotaryEmbedding() = default;

  // Raises ConfigError when a key that the rope type needs is absent or has the wrong size.
  RotaryEmbedding(const RopeParameters& parameters, std::size_t head_dim, std::size_t max_position_embeddings);

  std::size_t half() const { return half_; }

  // cos and sin (`[tokens, half]`) for positions `[3][plane_stride]` (temporal, height, width). `longest` is the
  // largest position of the whole forward, over all planes and rows.
  void fill(const std::int32_t* positions, std::size_t plane_stride, std::size_t tokens, std::int32_t longest,
            float* cos, float* sin) const;

  // The angle per position step of each rotary pair, `[half]`, in force when `longest` is the largest position of the
  // forward.
  std::span<const float> frequencies(std::int32_t longest, std::vector<float>& scratch) const;

  float attention_scaling() const { return scaling_; }

 private:
  // The position plane of frequency j: height at j = 1, width at j = 2 (mod 3), within three times their section; else
  // temporal.
  std::size_t plane(std::size_t j) const;

  // base^(2j/rot) in f32, as the reference evaluates it.
  float power(double base, std::size_t j) const;
  float plain(std::size_t j) const { return 1.0f / power(parameters_.rope_theta, j); }

  double needed(const std::optional<double>& value, std::string_view key) const;

  std::vector<float> dynamic_frequencies(double length) const;

  void initialise();

  double extension() const { return parameters_.factor ? *parameters_.factor : max_position_embeddings_ / original_; }

  // YaRN, arXiv 2309.00071.
  void initialise_yarn();

  // LongRoPE, arXiv 2402.13753.
  void initialise_longrope();

  // The frequency bands of Llama 3.1.
  void initialise_llama3();

  RopeParameters parameters_;
  std::size_t rot_ = 0;
  std::size_t half_ = 0;
  double max_position_embeddings_ = 0.0;
  double original_ = 0.0;
  float scaling_ = 1.0f;
  std::vector<float> theta_;
  std::vector<float> long_theta_;
};

#if QWEN35_BODIES

QWEN35_BODY RotaryEmbedding::RotaryEmbedding(const RopeParameters& parameters, std::size_t head_dim,
                                             std::size_t max_position_embeddings)
    : parameters_(parameters), max_position_embeddings_(static_cast<double>(max_position_embeddings)) {
  rot_ = static_cast<std::size_t>(static_cast<double>(head_dim) * parameters.partial_rotary_factor);
  half_ = (rot_ + 1) / 2;
  if (!holds<ConfigError>(rot_ > 0 && 2 * half_ <= head_dim, "rope_parameters: partial_rotary_factor rotates ",
                          2 * half_, " entries of a head of ", head_dim)) {
    return;
  }
  original_ = static_cast<double>(parameters.original_max_position_embeddings.value_or(max_position_embeddings));
  initialise();
}

QWEN35_BODY void RotaryEmbedding::fill(const std::int32_t* positions, std::size_t plane_stride, std::size_t tokens,
                                       std::int32_t longest, float* cos, float* sin) const {
  std::vector<float> scratch;
  const std::span<const float> theta = frequencies(longest, scratch);
  for (std::size_t t = 0; t < tokens; ++t) {
    for (std::size_t j = 0; j < half_; ++j) {
      const float angle = theta[j] * static_cast<float>(positions[plane(j) * plane_stride + t]);
      cos[t * half_ + j] = std::cos(angle) * scaling_;
      sin[t * half_ + j] = std::sin(angle) * scaling_;
    }
  }
}

QWEN35_BODY std::span<const float> RotaryEmbedding::frequencies(std::int32_t longest,
                                                                std::vector<float>& scratch) const {
  const double length = static_cast<double>(longest) + 1.0;
  if (parameters_.rope_type == RopeType::longrope && length > original_) {
    return long_theta_;
  }
  if (parameters_.rope_type == RopeType::dynamic && length > max_position_embeddings_) {
    scratch = dynamic_frequencies(length);
    return scratch;
  }
  return theta_;
}

QWEN35_BODY std::size_t RotaryEmbedding::plane(std::size_t j) const {
  const std::size_t residue = j % 3;
  return residue != 0 && j < 3 * parameters_.mrope_section[residue] ? residue : 0;
}

QWEN35_BODY float RotaryEmbedding::power(double base, std::size_t j) const {
  const float exponent = static_cast<float>(2 * j) / static_cast<float>(rot_);
  return std::pow(static_cast<float>(base), exponent);
}

QWEN35_BODY double RotaryEmbedding::needed(const std::optional<double>& value, std::string_view key) const {
  return holds<ConfigError>(value.has_value(), "rope_parameters: rope_type \"", name(parameters_.rope_type),
                            "\" needs \"", key, "\"")
             ? *value
             : 1.0;
}

QWEN35_BODY std::vector<float> RotaryEmbedding::dynamic_frequencies(double length) const {
  const double factor = needed(parameters_.factor, "factor");
  const double rot = static_cast<double>(rot_);
  const double base =
      parameters_.rope_theta * std::pow(factor * length / max_position_embeddings_ - (factor - 1.0), rot / (rot - 2.0));
  std::vector<float> theta(half_);
  for (std::size_t j = 0; j < half_; ++j) {
    theta[j] = 1.0f / power(base, j);
  }
  return theta;
}

QWEN35_BODY void RotaryEmbedding::initialise() {
  theta_.resize(half_);
  for (std::size_t j = 0; j < half_; ++j) {
    theta_[j] = plain(j);
  }
  switch (parameters_.rope_type) {
    case RopeType::default_:
      break;
    case RopeType::linear: {
      const auto factor = static_cast<float>(needed(parameters_.factor, "factor"));
      for (float& theta : theta_) {
        theta /= factor;
      }
      break;
    }
    case RopeType::dynamic:
      theta_ = dynamic_frequencies(max_position_embeddings_);
      break;
    case RopeType::yarn:
      initialise_yarn();
      break;
    case RopeType::longrope:
      initialise_longrope();
      break;
    case RopeType::llama3:
      initialise_llama3();
      break;
  }
}

QWEN35_BODY void RotaryEmbedding::initialise_yarn() {
  const double factor = extension();
  const auto magnitude = [](double scale, double m) { return scale <= 1.0 ? 1.0 : 0.1 * m * std::log(scale) + 1.0; };
  const double mscale = parameters_.mscale.value_or(0.0);
  const double mscale_all = parameters_.mscale_all_dim.value_or(0.0);
  if (parameters_.attention_factor) {
    scaling_ = static_cast<float>(*parameters_.attention_factor);
  } else if (mscale != 0.0 && mscale_all != 0.0) {
    scaling_ = static_cast<float>(magnitude(factor, mscale) / magnitude(factor, mscale_all));
  } else {
    scaling_ = static_cast<float>(magnitude(factor, 1.0));
  }
  const double rot = static_cast<double>(rot_);
  const auto correction = [&](double rotations) {
    return rot * std::log(original_ / (rotations * 2.0 * std::numbers::pi)) / (2.0 * std::log(parameters_.rope_theta));
  };
  double low = correction(parameters_.beta_fast.value_or(32.0));
  double high = correction(parameters_.beta_slow.value_or(1.0));
  if (parameters_.truncate) {
    low = std::floor(low);
    high = std::ceil(high);
  }
  low = std::max(low, 0.0);
  high = std::min(high, rot - 1.0);
  if (low == high) {
    high += 0.001;
  }
  for (std::size_t j = 0; j < half_; ++j) {
    const float ramp =
        std::clamp((static_cast<float>(j) - static_cast<float>(low)) / static_cast<float>(high - low), 0.0f, 1.0f);
    const float extrapolation = 1.0f - ramp;
    const float interpolated = 1.0f / (static_cast<float>(factor) * power(parameters_.rope_theta, j));
    theta_[j] = interpolated * (1.0f - extrapolation) + plain(j) * extrapolation;
  }
}

QWEN35_BODY void RotaryEmbedding::initialise_longrope() {
  const double factor = extension();
  if (parameters_.attention_factor) {
    scaling_ = static_cast<float>(*parameters_.attention_factor);
  } else {
    scaling_ = factor <= 1.0 ? 1.0f : static_cast<float>(std::sqrt(1.0 + std::log(factor) / std::log(original_)));
  }
  long_theta_.resize(half_);
  const auto fill = [&](const FactorList& factors, std::string_view key, std::vector<float>& out) {
    if (!holds<ConfigError>(factors.size() == half_, "rope_parameters: \"", key, "\" has ", factors.size(),
                            " entries, expected ", half_)) {
      return;
    }
    for (std::size_t j = 0; j < half_; ++j) {
      out[j] = 1.0f / (static_cast<float>(factors[j]) * power(parameters_.rope_theta, j));
    }
  };
  fill(parameters_.short_factor, "short_factor", theta_);
  fill(parameters_.long_factor, "long_factor", long_theta_);
}

QWEN35_BODY void RotaryEmbedding::initialise_llama3() {
  const auto factor = static_cast<float>(needed(parameters_.factor, "factor"));
  const double low = needed(parameters_.low_freq_factor, "low_freq_factor");
  const double high = needed(parameters_.high_freq_factor, "high_freq_factor");
  const auto long_wave = static_cast<float>(original_ / low);
  const auto short_wave = static_cast<float>(original_ / high);
  for (float& theta : theta_) {
    const float wave = static_cast<float>(2.0 * std::numbers::pi) / theta;
    if (wave > long_wave) {
      theta /= factor;
    } else if (wave >= short_wave) {
      const float smooth =
          (static_cast<float>(original_) / wave - static_cast<float>(low)) / static_cast<float>(high - low);
      theta = (1.0f - smooth) * theta / factor + smooth * theta;
    }
  }
}

#endif  // QWEN35_BODIES

QWEN35_END_NAMESPACE
