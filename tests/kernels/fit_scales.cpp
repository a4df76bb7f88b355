// SPDX-License-Identifier: Apache-2.0
#include "kernel_test.hpp"

#include <algorithm>
#include <limits>

using namespace qwen35;
using namespace kernel_test;

namespace {

struct Trial {
  std::vector<float> scales, offsets, errors, sums;
};

struct Group {
  std::vector<float> values, weights;
  float lowest = 0.0f, highest = 0.0f;

  Trial run(const std::vector<float>& scales, const std::vector<float>& offsets, std::size_t rounds, bool offsets_too,
            bool below_zero) const {
    const std::size_t count = scales.size();
    Trial out{scales, offsets, std::vector<float>(count + 1, std::numeric_limits<float>::infinity()),
              std::vector<float>(5 * count + 1, 55.0f)};
    out.errors[count] = 55.0f;
    kernels::FitScalesTask task{values.data(), weights.data(), values.size(), lowest, highest};
    task.count = count;
    task.scales = out.scales.data();
    task.offsets = out.offsets.data();
    task.errors = out.errors.data();
    task.improve = rounds > 0;
    task.offsets_too = offsets_too;
    task.below_zero = below_zero;
    task.sums = rounds == 0 ? out.sums.data() : nullptr;
    for (std::size_t round = 0; round < (rounds > 0 ? rounds : 1); ++round) {
      kernels::fit_scales(task);
    }
    CHECK(out.errors[count] == 55.0f);
    CHECK(out.sums[5 * count] == 55.0f);
    return out;
  }

  // The code that a value takes, which may be either of two where it stands in the middle.
  double code(double value, double scale, double offset) const {
    const double inside = scale == 0.0 ? 0.0 : (value - offset) / scale;
    return std::nearbyint(std::clamp(inside, static_cast<double>(lowest), static_cast<double>(highest)));
  }
  double error(double scale, double offset) const {
    double sum = 0.0;
    for (std::size_t j = 0; j < values.size(); ++j) {
      const double rest = values[j] - offset - scale * code(values[j], scale, offset);
      sum += weights[j] * rest * rest;
    }
    return sum;
  }
};

Group random_group(std::size_t n, unsigned seed, float lowest, float highest) {
  Group out{random_values(n, seed, 2.0f), random_values(n, seed + 1, 1.0f), lowest, highest};
  for (float& weight : out.weights) {
    weight = std::fabs(weight) + 0.01f;
  }
  return out;
}

}  // namespace

TEST_CASE("errors and sums of scales and offsets agree with their definition, with the same bits on vectors") {
  for (const std::size_t n : {1u, 16u, 32u, 45u}) {
    for (const std::size_t count : {1u, 7u, 8u, 24u, 39u}) {
      CAPTURE(n);
      CAPTURE(count);
      const Group group = random_group(n, static_cast<unsigned>(n + count), -8.0f, 7.0f);
      const std::vector<float> scales = random_values(count, 3, 0.5f), offsets = random_values(count, 4, 1.0f);
      std::vector<float> first;
      for_each_isa([&] {
        const Trial found = group.run(scales, offsets, 0, false, false);
        CHECK(same_bits(found.scales, scales));
        CHECK(same_bits(found.offsets, offsets));
        for (std::size_t i = 0; i < count; ++i) {
          const double scale = scales[i], offset = offsets[i];
          CHECK(found.errors[i] == doctest::Approx(group.error(scale, offset)).epsilon(1e-5));
          double sums[5] = {}, sizes[5] = {};
          for (std::size_t j = 0; j < n; ++j) {
            const double weight = group.weights[j], value = group.values[j], code = group.code(value, scale, offset);
            const double terms[5] = {weight, weight * code, weight * code * code, weight * value,
                                     weight * value * code};
            for (std::size_t k = 0; k < 5; ++k) {
              sums[k] += terms[k];
              sizes[k] += std::fabs(terms[k]);
            }
          }
          for (std::size_t k = 0; k < 5; ++k) {
            CHECK(std::fabs(found.sums[k * count + i] - sums[k]) <= 1e-6 * sizes[k]);
          }
        }
        std::vector<float> all = found.errors;
        all.insert(all.end(), found.sums.begin(), found.sums.end());
        const bool fused = isa_name().starts_with("avx") || isa_name().starts_with("neon");
        if (fused) {  // the others round a product before it is added
          CHECK((first.empty() || same_bits(all, first)));
          first = all;
        }
      });
    }
  }
}

TEST_CASE("rounds only make errors less, and end where codes and scales agree") {
  for (const bool offsets_too : {false, true}) {
    for (const bool below_zero : {false, true}) {
      CAPTURE(offsets_too);
      CAPTURE(below_zero);
      const Group group = random_group(32, 9, offsets_too ? 0.0f : -8.0f, offsets_too ? 15.0f : 7.0f);
      const std::vector<float> scales = {0.25f, 0.3f, 0.2f, 0.27f, 0.1f, 0.5f, 0.0f, 0.29f, 0.24f},
                               offsets(scales.size(), offsets_too ? -2.0f : 0.0f);
      for_each_isa([&] {
        std::vector<double> before(scales.size(), std::numeric_limits<double>::infinity());
        for (const std::size_t rounds : {1u, 2u, 3u, 1000u}) {
          const Trial found = group.run(scales, offsets, rounds, offsets_too, below_zero);
          for (std::size_t i = 0; i < scales.size(); ++i) {
            const double scale = found.scales[i], offset = found.offsets[i];
            CHECK(found.errors[i] == doctest::Approx(group.error(scale, offset)).epsilon(1e-5));
            CHECK(found.errors[i] <= before[i]);
            before[i] = found.errors[i];
            CHECK((offsets_too || offset == 0.0));
            CHECK((!offsets_too || scale >= 0.0));
            CHECK((!offsets_too || !below_zero || offset <= 0.0));
          }
        }
        // One round more changes nothing.
        const Trial last = group.run(scales, offsets, 1000, offsets_too, below_zero);
        const Trial again = group.run(last.scales, last.offsets, 1, offsets_too, below_zero);
        for (std::size_t i = 0; i < scales.size(); ++i) {
          CHECK(again.errors[i] >= last.errors[i]);
        }
      });
    }
  }
}

TEST_CASE("scales that are too small to be divided by, and values without spread") {
  for_each_isa([] {
    const Group group{{0.0f, 1.0f, -1.0f, 3.0f}, {1.0f, 1.0f, 0.0f, 1.0f}, -8.0f, 7.0f};
    const Trial small = group.run({1e-39f, 0.0f, 1e-45f, -1e-39f}, {0.0f, 0.0f, 0.0f, 0.0f}, 0, false, false);
    for (std::size_t i = 0; i < 4; ++i) {
      CHECK(small.errors[i] == 10.0f);
    }
    const Group flat{{2.0f, 2.0f, 2.0f}, {1.0f, 1.0f, 1.0f}, 0.0f, 15.0f};
    const Trial kept = flat.run({0.5f, 0.0f}, {2.0f, 2.0f}, 5, true, false);
    CHECK(kept.errors[0] == 0.0f);
    CHECK(kept.errors[1] == 0.0f);
  });
}
