// SPDX-License-Identifier: Apache-2.0
// Groups of values in a block whose scales are whole numbers too, with one scale for all of them: the fits of the K
// formats.
#pragma once

#include <qwen35/weights/scale_fit.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>

QWEN35_BEGIN_NAMESPACE

namespace detail {

// Whole numbers from `lowest` to `highest` next to a quotient; 0 where there is nothing to divide by.
inline float nearest_whole(float value, float unit, float lowest, float highest) {
  return unit > 0.0f ? std::clamp(std::nearbyint(value / unit), lowest, highest) : 0.0f;
}

}  // namespace detail

// Eight groups of 32: value = scale * scales[g] * code - offset * offsets[g], the groups' numbers of six bits. They are
// chosen for the scale and offset of the block, then these anew for them, while it gets better.
class EightGroupsFit {
 public:
  static constexpr float highest = 63.0f;

  EightGroupsFit(const float* values, const float* weights, float highest_code)
      : values_(values), weights_(weights), highest_code_(highest_code) {
    float scale = 0.0f, offset = 0.0f;
    for (std::size_t g = 0; g < 8; ++g) {
      free_[g] = fitter(g).affine(true).best_fit();
      scale = std::max(scale, free_[g].scale);
      offset = std::max(offset, -free_[g].offset);
    }
    best_ = with_groups(scale / highest, offset / highest);
    for (int round = 0; round < 4; ++round) {
      const State next = with_block(best_);
      if (!(next.error < best_.error)) {
        break;
      }
      best_ = next;
    }
  }

  void codes(std::size_t group, float* out) const { fitter(group).codes(fit(best_, group), out); }
  void write(std::uint8_t* scale, std::uint8_t* offset, std::uint8_t* groups) const {
    coded::stored_f16(best_.scale, scale);
    coded::stored_f16(best_.offset, offset);
    for (std::size_t i = 0; i < 4; ++i) {
      const auto six = [&](const std::array<float, 8>& numbers, std::size_t g) {
        return static_cast<std::uint32_t>(numbers[g]);
      };
      const std::uint32_t a = six(best_.scales, i), b = six(best_.offsets, i);
      const std::uint32_t c = six(best_.scales, i + 4), d = six(best_.offsets, i + 4);
      groups[i] = static_cast<std::uint8_t>(a | (c >> 4) << 6);
      groups[4 + i] = static_cast<std::uint8_t>(b | (d >> 4) << 6);
      groups[8 + i] = static_cast<std::uint8_t>((c & 15u) | (d & 15u) << 4);
    }
  }

 private:
  struct State {
    float scale = 0.0f, offset = 0.0f;  // as f16 holds them
    std::array<float, 8> scales{}, offsets{};
    std::array<ScaleFitSums, 8> sums{};
    float error = 0.0f;
  };

  ScaleFitter fitter(std::size_t group) const {
    return {values_ + 32 * group, weights_ + 32 * group, 32, 0.0f, highest_code_};
  }
  static ScaleFit fit(const State& state, std::size_t g) {
    return {state.scale * state.scales[g], -(state.offset * state.offsets[g])};
  }
  // The groups' numbers that fit best, each of those next to what the group alone wants.
  State with_groups(float scale, float offset) const {
    std::uint8_t stored[2];
    State out;
    out.scale = coded::stored_f16(scale, stored);
    out.offset = coded::stored_f16(offset, stored);
    for (std::size_t g = 0; g < 8; ++g) {
      const float scale_near = detail::nearest_whole(free_[g].scale, out.scale, 0.0f, highest);
      const float offset_near = detail::nearest_whole(-free_[g].offset, out.offset, 0.0f, highest);
      ScaleFits fits;
      std::array<float, 9> scales, offsets;
      for (const int s : {-1, 0, 1}) {
        for (const int o : {-1, 0, 1}) {
          // A larger scale goes with a larger offset, as values in the middle stay where they are.
          const float scale_number = scale_near + static_cast<float>(s),
                      offset_number = offset_near + static_cast<float>(o);
          if (s * o >= 0 && scale_number >= 0.0f && scale_number <= highest && offset_number >= 0.0f &&
              offset_number <= highest) {
            scales[fits.count] = scale_number;
            offsets[fits.count] = offset_number;
            fits.add({out.scale * scale_number, -(out.offset * offset_number)});
          }
        }
      }
      fitter(g).score(fits, true);
      const std::size_t best = fits.best();
      out.scales[g] = scales[best];
      out.offsets[g] = offsets[best];
      out.sums[g] = fits.sums_of(best);
      out.error += fits.errors[best];
    }
    return out;
  }
  // The scale and offset of the block that fit best to the groups' numbers and the codes.
  State with_block(const State& from) const {
    double aa = 0.0, ab = 0.0, bb = 0.0, va = 0.0, vb = 0.0;
    for (std::size_t g = 0; g < 8; ++g) {
      const ScaleFitSums& sum = from.sums[g];
      const double a = from.scales[g], b = from.offsets[g];
      aa += a * a * sum.code_code;
      ab += a * b * sum.code;
      bb += b * b * sum.weight;
      va += a * sum.value_code;
      vb += b * sum.value;
    }
    const double determinant = aa * bb - ab * ab;
    double scale = aa > 0.0 ? va / aa : 0.0, offset = 0.0;
    if (determinant > 0.0) {
      scale = (va * bb - vb * ab) / determinant;
      offset = (va * ab - vb * aa) / determinant;
    }
    return with_groups(static_cast<float>(std::max(scale, 0.0)), static_cast<float>(std::max(offset, 0.0)));
  }

  const float* values_;
  const float* weights_;
  float highest_code_;
  std::array<ScaleFit, 8> free_;
  State best_;
};

// Sixteen groups of 16: value = scale * scales[g] * code, group scales of eight bits, codes of six.
class SixteenGroupsFit {
 public:
  static constexpr float lowest = -32.0f, highest = 31.0f, largest_scale = 127.0f;

  SixteenGroupsFit(const float* values, const float* weights) : values_(values), weights_(weights) {
    float largest = 0.0f;
    for (std::size_t g = 0; g < 16; ++g) {
      free_[g] = fitter(g).symmetric().best_fit().scale;
      largest = std::max(largest, std::fabs(free_[g]));
    }
    best_ = with_groups(largest / largest_scale);
    for (int round = 0; round < 3; ++round) {
      const State next = with_block(best_);
      if (!(next.error < best_.error)) {
        break;
      }
      best_ = next;
    }
  }

  void codes(std::size_t group, float* out) const {
    fitter(group).codes({best_.scale * best_.scales[group], 0.0f}, out);
  }
  void write(std::uint8_t* scale, std::int8_t* groups) const {
    coded::stored_f16(best_.scale, scale);
    for (std::size_t g = 0; g < 16; ++g) {
      groups[g] = static_cast<std::int8_t>(best_.scales[g]);
    }
  }

 private:
  struct State {
    float scale = 0.0f;  // as f16 holds it
    std::array<float, 16> scales{};
    std::array<ScaleFitSums, 16> sums{};
    float error = 0.0f;
  };

  ScaleFitter fitter(std::size_t group) const {
    return {values_ + 16 * group, weights_ + 16 * group, 16, lowest, highest};
  }
  State with_groups(float scale) const {
    std::uint8_t stored[2];
    State out;
    out.scale = coded::stored_f16(scale, stored);
    for (std::size_t g = 0; g < 16; ++g) {
      const float nearest = detail::nearest_whole(free_[g], out.scale, -largest_scale, largest_scale);
      ScaleFits fits;
      std::array<float, 4> scales;
      for (const float s : {0.0f, nearest - 1.0f, nearest, nearest + 1.0f}) {
        if (std::fabs(s) <= largest_scale) {
          scales[fits.count] = s;
          fits.add({out.scale * s, 0.0f});
        }
      }
      fitter(g).score(fits, true);
      const std::size_t best = fits.best();
      out.scales[g] = scales[best];
      out.sums[g] = fits.sums_of(best);
      out.error += fits.errors[best];
    }
    return out;
  }
  State with_block(const State& from) const {
    double scale_scale = 0.0, value_scale = 0.0;
    for (std::size_t g = 0; g < 16; ++g) {
      const double group = from.scales[g];
      scale_scale += group * group * from.sums[g].code_code;
      value_scale += group * from.sums[g].value_code;
    }
    return with_groups(scale_scale > 0.0 ? static_cast<float>(value_scale / scale_scale) : 0.0f);
  }

  const float* values_;
  const float* weights_;
  std::array<float, 16> free_{};
  State best_;
};

QWEN35_END_NAMESPACE
