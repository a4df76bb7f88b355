// SPDX-License-Identifier: Apache-2.0
// Groups of values in a block whose scales are whole numbers too, with one scale for all of them: the fits of the K
// formats.
#pragma once

#include <qwen35/formats/scale_fit.hpp>

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
      free_[g] = fitter(g).affine(true);
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
    float error = 0.0f;
  };

  ScaleFitter<32> fitter(std::size_t group) const {
    return {values_ + 32 * group, weights_ + 32 * group, 0.0f, highest_code_};
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
      const ScaleFitter<32> group = fitter(g);
      const float near_scale = detail::nearest_whole(free_[g].scale, out.scale, 0.0f, highest);
      const float near_offset = detail::nearest_whole(-free_[g].offset, out.offset, 0.0f, highest);
      float least = 0.0f;
      bool any = false;
      for (float s = std::max(near_scale - 1.0f, 0.0f); s <= std::min(near_scale + 1.0f, highest); s += 1.0f) {
        for (float o = std::max(near_offset - 1.0f, 0.0f); o <= std::min(near_offset + 1.0f, highest); o += 1.0f) {
          const float error = group.error({out.scale * s, -(out.offset * o)});
          if (!any || error < least) {
            any = true;
            least = error;
            out.scales[g] = s;
            out.offsets[g] = o;
          }
        }
      }
      out.error += least;
    }
    return out;
  }
  // The scale and offset of the block that fit best to the groups' numbers and the codes.
  State with_block(const State& from) const {
    double aa = 0.0, ab = 0.0, bb = 0.0, va = 0.0, vb = 0.0;
    for (std::size_t g = 0; g < 8; ++g) {
      const ScaleFitter<32>::Sums sum = fitter(g).sums(fit(from, g));
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
      free_[g] = fitter(g).symmetric().scale;
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
    float error = 0.0f;
  };

  ScaleFitter<16> fitter(std::size_t group) const {
    return {values_ + 16 * group, weights_ + 16 * group, lowest, highest};
  }
  State with_groups(float scale) const {
    std::uint8_t stored[2];
    State out;
    out.scale = coded::stored_f16(scale, stored);
    for (std::size_t g = 0; g < 16; ++g) {
      const ScaleFitter<16> group = fitter(g);
      const float nearest = detail::nearest_whole(free_[g], out.scale, -largest_scale, largest_scale);
      float least = group.error({0.0f, 0.0f});
      for (float s = std::max(nearest - 1.0f, -largest_scale); s <= std::min(nearest + 1.0f, largest_scale);
           s += 1.0f) {
        const float error = group.error({out.scale * s, 0.0f});
        if (error < least) {
          least = error;
          out.scales[g] = s;
        }
      }
      out.error += least;
    }
    return out;
  }
  State with_block(const State& from) const {
    double scale_scale = 0.0, value_scale = 0.0;
    for (std::size_t g = 0; g < 16; ++g) {
      const double group = from.scales[g];
      const ScaleFitter<16>::Sums sum = fitter(g).sums({from.scale * from.scales[g], 0.0f});
      scale_scale += group * group * sum.code_code;
      value_scale += group * sum.value_code;
    }
    return with_groups(scale_scale > 0.0 ? static_cast<float>(value_scale / scale_scale) : 0.0f);
  }

  const float* values_;
  const float* weights_;
  std::array<float, 16> free_{};
  State best_;
};

QWEN35_END_NAMESPACE
