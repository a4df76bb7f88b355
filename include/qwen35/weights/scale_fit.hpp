// SPDX-License-Identifier: Apache-2.0
// The scale, and the offset, by which integers of few bits come nearest to a few values: weighted least squares.
#pragma once

#include <qwen35/formats/f16.hpp>
#include <qwen35/kernels/kernels.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>

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

struct ScaleFit {
  float scale = 0.0f;
  float offset = 0.0f;
};

// Weighted sums over the codes of a fit.
struct ScaleFitSums {
  float weight = 0.0f, code = 0.0f, code_code = 0.0f, value = 0.0f, value_code = 0.0f;
};

// Fits that are tried together.
struct ScaleFits {
  static constexpr std::size_t most = 40;
  std::array<float, most> scales, offsets, errors;
  std::array<float, 5 * most> sums;  // of score(fits, true)
  std::size_t count = 0;

  void add(const ScaleFit& fit) {
    scales[count] = fit.scale;
    offsets[count] = fit.offset;
    errors[count++] = std::numeric_limits<float>::infinity();
  }
  // The first of the best.
  std::size_t best() const {
    return static_cast<std::size_t>(std::min_element(errors.begin(), errors.begin() + count) - errors.begin());
  }
  ScaleFit fit(std::size_t i) const { return {scales[i], offsets[i]}; }
  ScaleFit best_fit() const { return fit(best()); }
  ScaleFitSums sums_of(std::size_t i) const {
    return {sums[i], sums[count + i], sums[2 * count + i], sums[3 * count + i], sums[4 * count + i]};
  }
  // Of fits that are `kept` apart the best.
  void keep(std::size_t kept) {
    for (std::size_t i = kept; i < count; ++i) {
      if (errors[i] < errors[i % kept]) {
        scales[i % kept] = scales[i];
        offsets[i % kept] = offsets[i];
        errors[i % kept] = errors[i];
      }
    }
    count = std::min(count, kept);
  }
};

// Values are approximated as scale * code + offset, codes being whole numbers in [lowest, highest]; what is made small
// is the sum of weight * (value - approximation)^2. For given codes the best scale and offset solve two linear
// equations; for a given scale and offset the best code of each value is the nearest. The two steps alternate until
// nothing gets better, from several starting scales: from one alone they often end far from the best. Each takes one
// round before they are judged. (1 to 3 % less error in q4_k.)
class ScaleFitter {
 public:
  // `count` values and their weights, which are not negative.
  ScaleFitter(const float* values, const float* weights, std::size_t count, float lowest, float highest)
      : values_(values), weights_(weights), count_(count), lowest_(lowest), highest_(highest) {
    bool first = true;
    for (std::size_t i = 0; i < count; ++i) {
      if (weights[i] > 0.0f) {
        largest_ = std::max(largest_, std::fabs(values[i]));
        maximum_ = first ? values[i] : std::max(maximum_, values[i]);
        minimum_ = first ? values[i] : std::min(minimum_, values[i]);
        first = false;
      }
      floor_ += weights[i] * values[i] * values[i] * 0x1p-30f;
    }
    floor_ = std::isfinite(floor_) ? floor_ : 0.0f;
  }

  // The nearest code of each value.
  void codes(const ScaleFit& fit, float* out) const {
    const float inverse = std::fabs(fit.scale) < kernels::least_fitted_scale ? 0.0f : 1.0f / fit.scale;
    for (std::size_t i = 0; i < count_; ++i) {
      // To the nearest even whole number, without a call: beside 1.5 * 2^23 there is no room for fractions.
      out[i] = std::min(std::max((values_[i] - fit.offset) * inverse, lowest_), highest_) + 12582912.0f - 12582912.0f;
    }
  }

  // The errors of all, and on demand their sums.
  void score(ScaleFits& fits, bool sums_too = false) const {
    kernels::FitScalesTask task = task_of(fits);
    task.sums = sums_too ? fits.sums.data() : nullptr;
    run(task);
  }

  // Without an offset; scales may be negative, since lowest and highest need not be opposites.
  ScaleFits symmetric() const {
    ScaleFits fits;
    fits.add({});
    if (largest_ == 0.0f) {
      return fits;
    }
    const float most = std::max(highest_, -lowest_), step = most > 64.0f ? 0.5f : 0.25f;
    for (int i = -14; i <= 4; ++i) {
      const float reach = most + step * static_cast<float>(i);
      for (const float sign : {1.0f, -1.0f}) {
        if (reach > 0.0f && (sign > 0.0f || -lowest_ != highest_)) {
          fits.add({sign * largest_ / reach, 0.0f});
        }
      }
    }
    improve(fits, false, false);
    refine(fits, false, false);
    return fits;
  }

  // With an offset that is not above 0 if `below_zero`; scales are not negative.
  ScaleFits affine(bool below_zero) const {
    const float low = below_zero ? std::min(minimum_, 0.0f) : minimum_;
    ScaleFits fits;
    fits.add({0.0f, std::min(low, maximum_)});
    if (maximum_ <= low) {  // one value
      return fits;
    }
    const float codes = highest_ - lowest_, step = codes > 16.0f ? 0.1875f : 0.09375f;
    for (int i = -11; i <= 11; ++i) {
      const float scale = (maximum_ - low) / (codes + step * static_cast<float>(i));
      fits.add({scale, low - lowest_ * scale});
    }
    improve(fits, true, below_zero);
    refine(fits, true, below_zero);
    return fits;
  }

  // The best with scale and offset as f16 holds them. It is infinite where that of `fits` is too large.
  ScaleFit best_as_f16(const ScaleFits& fits) const {
    const auto as_f16 = [](const ScaleFit& fit) {
      std::uint8_t bytes[2];
      return ScaleFit{coded::stored_f16(fit.scale, bytes), coded::stored_f16(fit.offset, bytes)};
    };
    const ScaleFit best = as_f16(fits.best_fit());
    if (!std::isfinite(best.scale) || !std::isfinite(best.offset)) {
      return best;
    }
    ScaleFits stored;
    for (std::size_t i = 0; i < fits.count; ++i) {
      stored.add(as_f16(fits.fit(i)));
    }
    score(stored);
    return stored.best_fit();
  }

 private:
  // As many fits as a vector has numbers take the time of one: 8 with AVX2.
  static constexpr std::size_t kept = 8;

  kernels::FitScalesTask task_of(ScaleFits& fits) const {
    kernels::FitScalesTask task;
    task.values = values_;
    task.weights = weights_;
    task.n = count_;
    task.lowest = lowest_;
    task.highest = highest_;
    task.count = fits.count;
    task.scales = fits.scales.data();
    task.offsets = fits.offsets.data();
    task.errors = fits.errors.data();
    return task;
  }
  void improve(ScaleFits& fits, bool offsets_too, bool below_zero) const {
    kernels::FitScalesTask task = task_of(fits);
    task.improve = true;
    task.offsets_too = offsets_too;
    task.below_zero = below_zero;
    run(task);
  }
  void run(const kernels::FitScalesTask& task) const {
    kernels::fit_scales(task);
    for (std::size_t i = 0; i < task.count; ++i) {
      task.errors[i] = task.errors[i] < floor_ ? floor_ : task.errors[i];
    }
  }
  // The best of them, until the best of them gets no better. (Until none does takes 1.1 to 1.5 times
  // as long, for 0.1 % less error.)
  void refine(ScaleFits& fits, bool offsets_too, bool below_zero) const {
    fits.keep(kept);
    float before = 0.0f;
    do {
      before = fits.errors[fits.best()];
      improve(fits, offsets_too, below_zero);
    } while (fits.errors[fits.best()] < before);
  }

  const float* values_;
  const float* weights_;
  std::size_t count_;
  float lowest_;
  float highest_;
  // Of the values that count.
  float largest_ = 0.0f;
  float minimum_ = 0.0f;
  float maximum_ = 0.0f;
  // Errors below are alike: scales are stored as f16, whose rounding is more.
  float floor_ = 0.0f;
};

QWEN35_END_NAMESPACE
