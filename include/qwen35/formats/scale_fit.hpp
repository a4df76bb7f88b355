// SPDX-License-Identifier: Apache-2.0
// The scale, and the offset, by which integers of few bits come nearest to a few values: weighted least squares.
#pragma once

#include <qwen35/formats/f16.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>

QWEN35_BEGIN_NAMESPACE

namespace coded {

// What stays of a value that is stored as f16 in these two bytes.
inline float stored_f16(float value, std::uint8_t* bytes) {
  const std::uint16_t bits = f32_to_f16(value);
  bytes[0] = static_cast<std::uint8_t>(bits & 255u);
  bytes[1] = static_cast<std::uint8_t>(bits >> 8);
  return f16_to_f32(bits);
}

}  // namespace coded

// Values are approximated as scale * code + offset, codes being whole numbers in [lowest, highest]; what is made small
// is the sum of weight * (value - approximation)^2. For given codes the best scale and offset solve two linear
// equations; for a given scale and offset the best code of each value is the nearest. The two steps alternate until
// nothing gets better, from the best of several starting scales: from one alone they often end far from the best. (With
// an offset each start is improved by one step before it is judged: 1 to 3 % less error in q4_k.)
struct ScaleFit {
  float scale = 0.0f;
  float offset = 0.0f;
};

template <std::size_t N>
class ScaleFitter {
  static_assert(N % 8 == 0);

 public:
  // N values and their weights, which are not negative.
  ScaleFitter(const float* values, const float* weights, float lowest, float highest)
      : values_(values), weights_(weights), lowest_(lowest), highest_(highest) {
    bool first = true;
    for (std::size_t i = 0; i < N; ++i) {
      if (weights[i] > 0.0f) {
        largest_ = std::max(largest_, std::fabs(values[i]));
        maximum_ = first ? values[i] : std::max(maximum_, values[i]);
        minimum_ = first ? values[i] : std::min(minimum_, values[i]);
        first = false;
      }
    }
  }

  // The nearest code of each value.
  void codes(const ScaleFit& fit, float* out) const {
    const float inverse = fit.scale == 0.0f ? 0.0f : 1.0f / fit.scale;
    for (std::size_t i = 0; i < N; ++i) {
      out[i] = nearest((values_[i] - fit.offset) * inverse);
    }
  }
  float error(const ScaleFit& fit) const {
    float code[N];
    codes(fit, code);
    std::array<float, 8> sum{};
    for (std::size_t i = 0; i < N; i += 8) {
      for (std::size_t j = 0; j < 8; ++j) {
        const float rest = values_[i + j] - (fit.scale * code[i + j] + fit.offset);
        sum[j] += weights_[i + j] * rest * rest;
      }
    }
    return total(sum);
  }

  // Without an offset; the scale may be negative, since lowest and highest need not be opposites.
  ScaleFit symmetric() const {
    ScaleFit best;
    if (largest_ == 0.0f) {
      return best;
    }
    float least = error(best);
    const float most = std::max(highest_, -lowest_), step = most > 64.0f ? 0.5f : 0.25f;
    for (int i = -14; i <= 4; ++i) {
      const float reach = most + step * static_cast<float>(i);
      for (const float sign : {1.0f, -1.0f}) {
        if (reach > 0.0f && (sign > 0.0f || -lowest_ != highest_)) {
          keep_better({sign * largest_ / reach, 0.0f}, best, least);
        }
      }
    }
    while (keep_better(with_best_scale(best), best, least)) {
    }
    return best;
  }

  // With an offset that is not above 0 if `below_zero`; the scale is not negative.
  ScaleFit affine(bool below_zero) const {
    const float low = below_zero ? std::min(minimum_, 0.0f) : minimum_;
    ScaleFit best{0.0f, std::min(low, maximum_)};
    if (maximum_ <= low) {  // one value
      return best;
    }
    float least = error(best);
    const float codes = highest_ - lowest_, step = codes > 16.0f ? 0.2f : 0.1f;
    for (int i = -10; i <= 10; ++i) {
      const float scale = (maximum_ - low) / (codes + step * static_cast<float>(i));
      keep_better(with_best_scale_and_offset({scale, low - lowest_ * scale}, below_zero), best, least);
    }
    while (keep_better(with_best_scale_and_offset(best, below_zero), best, least)) {
    }
    return best;
  }

  struct Sums {
    float weight = 0.0f, code = 0.0f, code_code = 0.0f, value = 0.0f, value_code = 0.0f;
  };
  // Weighted sums over the codes of a fit.
  Sums sums(const ScaleFit& fit) const {
    float code[N];
    codes(fit, code);
    std::array<float, 8> w{}, c{}, cc{}, v{}, vc{};
    for (std::size_t i = 0; i < N; i += 8) {
      for (std::size_t j = 0; j < 8; ++j) {
        const float weighted = weights_[i + j] * code[i + j];
        w[j] += weights_[i + j];
        c[j] += weighted;
        cc[j] += weighted * code[i + j];
        v[j] += weights_[i + j] * values_[i + j];
        vc[j] += weighted * values_[i + j];
      }
    }
    return {total(w), total(c), total(cc), total(v), total(vc)};
  }

 private:
  // To the nearest even whole number, without a call: adding 1.5 * 2^23 leaves no bits behind the point.
  float nearest(float value) const {
    const float inside = std::min(std::max(value, lowest_), highest_);
    return (inside + 12582912.0f) - 12582912.0f;
  }
  static float total(const std::array<float, 8>& sum) {
    return ((sum[0] + sum[4]) + (sum[1] + sum[5])) + ((sum[2] + sum[6]) + (sum[3] + sum[7]));
  }

  bool keep_better(const ScaleFit& candidate, ScaleFit& best, float& least) const {
    const float now = error(candidate);
    if (!(now < least)) {
      return false;
    }
    best = candidate;
    least = now;
    return true;
  }
  ScaleFit with_best_scale(const ScaleFit& start) const {
    const Sums sum = sums(start);
    return {sum.code_code > 0.0f ? sum.value_code / sum.code_code : 0.0f, 0.0f};
  }
  ScaleFit with_best_scale_and_offset(const ScaleFit& start, bool below_zero) const {
    const Sums sum = sums(start);
    const float determinant = sum.weight * sum.code_code - sum.code * sum.code;
    if (!(determinant > 0.0f)) {
      return start;
    }
    const ScaleFit both{(sum.weight * sum.value_code - sum.code * sum.value) / determinant,
                        (sum.code_code * sum.value - sum.code * sum.value_code) / determinant};
    if (both.scale < 0.0f || (below_zero && both.offset > 0.0f)) {
      return {sum.code_code > 0.0f ? std::max(sum.value_code / sum.code_code, 0.0f) : 0.0f, 0.0f};
    }
    return both;
  }

  const float* values_;
  const float* weights_;
  float lowest_;
  float highest_;
  // Of the values that count.
  float largest_ = 0.0f;
  float minimum_ = 0.0f;
  float maximum_ = 0.0f;
};

QWEN35_END_NAMESPACE
