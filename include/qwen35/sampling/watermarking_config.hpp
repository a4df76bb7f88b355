// SPDX-License-Identifier: Apache-2.0
// How generated text is marked: the reference's `WatermarkingConfig`.
#pragma once

#include <qwen35/core/error.hpp>

#include <cmath>
#include <cstdint>
#include <limits>

QWEN35_BEGIN_NAMESPACE

// What the green tokens of a position depend on: the token before it, or the tokens before it and the token itself.
enum class SeedingScheme : std::uint8_t { lefthash, selfhash };

// Source: Kirchenbauer et al., "On the reliability of watermarks", arXiv 2306.04634, algorithms 2 and 3.
struct WatermarkingConfig {
  double greenlist_ratio = 0.25;  // of the vocabulary that is green at a position
  double bias = 2.0;              // added to the scores of the green tokens
  std::int64_t hashing_key = 15485863;
  SeedingScheme seeding_scheme = SeedingScheme::lefthash;
  std::int64_t context_width = 1;  // tokens that the green list is seeded by

  friend bool operator==(const WatermarkingConfig&, const WatermarkingConfig&) = default;

  // Raises InputError for values out of range.
  void validate() const;
};

#if QWEN35_BODIES

QWEN35_BODY void WatermarkingConfig::validate() const {
  constexpr double most_bias = static_cast<double>(std::numeric_limits<float>::max());
  static_cast<void>(holds<InputError>(greenlist_ratio > 0.0 && greenlist_ratio < 1.0,
                                      "watermarking_config: greenlist_ratio is ", greenlist_ratio,
                                      ", expected above 0 and below 1") &&
                    holds<InputError>(!std::isnan(bias), "watermarking_config: bias is NaN, expected a number") &&
                    holds<InputError>(std::fabs(bias) <= most_bias, "watermarking_config: bias is ", bias,
                                      ", expected a finite float") &&
                    holds<InputError>(hashing_key >= 0, "watermarking_config: hashing_key is ", hashing_key,
                                      ", expected at least 0") &&
                    holds<InputError>(context_width >= 1, "watermarking_config: context_width is ", context_width,
                                      ", expected at least 1"));
}

#endif  // QWEN35_BODIES

QWEN35_END_NAMESPACE
