// SPDX-License-Identifier: Apache-2.0
// Tells whether a text was generated with a watermark: the reference's `WatermarkDetector`.
#pragma once

#include <qwen35/core/tensor.hpp>
#include <qwen35/sampling/watermark.hpp>

#include <cmath>
#include <set>

QWEN35_BEGIN_NAMESPACE

// An entry for each text.
struct WatermarkDetectorOutput {
  std::vector<std::size_t> num_tokens_scored;
  std::vector<std::size_t> num_green_tokens;
  std::vector<double> green_fraction;
  std::vector<double> z_score;     // standard deviations by which the green tokens are more than chance would give
  std::vector<double> p_value;     // the probability of as many by chance
  std::vector<bool> prediction;    // z_score is above the threshold
  std::vector<double> confidence;  // 1 - p_value
};

class WatermarkDetector {
 public:
  // The config that the text was generated with, and the model's vocab_size. With `ignore_repeated_ngrams` a token
  // counts once for each context (the reference means to and counts all). Raises InputError for values out of range.
  WatermarkDetector(std::size_t vocab_size, const WatermarkingConfig& watermarking_config, TokenId bos_token_id = -1,
                    bool ignore_repeated_ngrams = false);

  // input_ids [texts, tokens], best without the prompt; a leading bos token of the first text is a column that is left
  // out. Raises InputError for fewer than context_width + 1 tokens.
  WatermarkDetectorOutput operator()(TensorView<TokenId> input_ids, double z_threshold = 3.0) const;

 private:
  void score(std::span<const TokenId> text, double z_threshold, WatermarkDetectorOutput& out) const;

  Greenlist green_;
  std::size_t vocab_size_;
  TokenId bos_token_id_;
  bool ignore_repeated_ngrams_;
};

#if QWEN35_BODIES

QWEN35_BODY WatermarkDetector::WatermarkDetector(std::size_t vocab_size, const WatermarkingConfig& watermarking_config,
                                                 TokenId bos_token_id, bool ignore_repeated_ngrams)
    : green_(watermarking_config),
      vocab_size_(vocab_size),
      bos_token_id_(bos_token_id),
      ignore_repeated_ngrams_(ignore_repeated_ngrams) {}

QWEN35_BODY WatermarkDetectorOutput WatermarkDetector::operator()(TensorView<TokenId> input_ids,
                                                                  double z_threshold) const {
  require<InputError>(input_ids.shape().rank() == 2, "watermark: input_ids of shape ", to_string(input_ids.shape()),
                      ", expected [texts, tokens]");
  const std::size_t columns = input_ids.shape()[1];
  const std::size_t first = input_ids.size() > 0 && input_ids[0] == bos_token_id_ ? 1 : 0;
  require<InputError>(columns >= first + green_.context_width() + 1, "watermark: texts of ", columns - first,
                      " tokens, expected more than context_width, ", green_.context_width());
  for (std::size_t i = 0; i < input_ids.size(); ++i) {
    require<InputError>(input_ids[i] >= 0 && static_cast<std::size_t>(input_ids[i]) < vocab_size_,
                        "watermark: token id ", input_ids[i], " is not in the vocabulary of ", vocab_size_);
  }
  WatermarkDetectorOutput out;
  for (std::size_t i = 0; i < input_ids.shape()[0]; ++i) {
    score({input_ids.data() + i * columns + first, columns - first}, z_threshold, out);
  }
  return out;
}

QWEN35_BODY void WatermarkDetector::score(std::span<const TokenId> text, double z_threshold,
                                          WatermarkDetectorOutput& out) const {
  const bool selfhash = green_.config().seeding_scheme == SeedingScheme::selfhash;
  const std::size_t width = green_.context_width() + (selfhash ? 0 : 1);
  std::vector<TokenId> memory;
  std::set<std::vector<TokenId>> seen;
  std::size_t scored = 0, green = 0;
  for (std::size_t i = 0; i + width <= text.size(); ++i) {
    const std::span<const TokenId> ngram = text.subspan(i, width);
    if (ignore_repeated_ngrams_ && !seen.emplace(ngram.begin(), ngram.end()).second) {
      continue;
    }
    ++scored;
    const std::span<const TokenId> context = selfhash ? ngram : ngram.first(width - 1);
    green += Greenlist::holds(green_.after(context, vocab_size_, memory), ngram.back()) ? 1u : 0u;
  }
  const double ratio = green_.config().greenlist_ratio;
  const auto total = static_cast<double>(scored);
  const double z = (static_cast<double>(green) - ratio * total) / std::sqrt(total * ratio * (1.0 - ratio));
  const double sign = z > 0.0 ? 1.0 : z < 0.0 ? -1.0 : 0.0;
  const double p = 1.0 - 0.5 * (1.0 + sign * (1.0 - std::exp(-2.0 * z * z / 3.141592653589793)));
  out.num_tokens_scored.push_back(scored);
  out.num_green_tokens.push_back(green);
  out.green_fraction.push_back(static_cast<double>(green) / total);
  out.z_score.push_back(z);
  out.p_value.push_back(p);
  out.prediction.push_back(z > z_threshold);
  out.confidence.push_back(1.0 - p);
}

#endif  // QWEN35_BODIES

QWEN35_END_NAMESPACE
