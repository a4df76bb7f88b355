// SPDX-License-Identifier: Apache-2.0
// Training losses: next-token cross entropy and the routers' load-balancing loss.
#pragma once

#include <qwen35/core/tensor.hpp>
#include <qwen35/model/attention_mask.hpp>

#include <cstdint>
#include <limits>
#include <optional>
#include <vector>

#if QWEN35_BODIES
#include <qwen35/parallel/parallel_for.hpp>

#include <algorithm>
#include <cmath>
#endif

QWEN35_BEGIN_NAMESPACE

inline constexpr std::int32_t ignored_label = -100;

// The mean of -log softmax(logits)[target] over all targets that are not -100; NaN when there is none. With
// `num_items_in_batch` the sum divided by it. logits `[batch, sequence, vocab]`; labels `[batch, sequence]`: the target
// of position t is labels[t + 1]; shift_labels, if given, are the targets themselves. Raises InputError for a label out
// of range. Source: reference `ForCausalLMLoss`.
float causal_lm_loss(const Tensor<float>& logits, TensorView<std::int32_t> labels,
                     TensorView<std::int32_t> shift_labels, std::optional<double> num_items_in_batch);

// E * sum over experts of (share of tokens routed there) * (mean router probability), over all layers and the K
// choices; K when balanced, 0 without layers. router_logits: one raw `[batch * sequence, E]` for each layer;
// attention_mask `[batch, past + sequence]` or none: of a pass that goes on from a cache, its own tokens count. Source:
// Switch Transformers, arXiv 2101.03961; reference `load_balancing_loss_func`.
float load_balancing_loss(std::span<const Tensor<float>> router_logits, std::size_t num_experts, std::size_t top_k,
                          const AttentionMask& attention_mask = {});

#if QWEN35_BODIES

QWEN35_BODY float causal_lm_loss(const Tensor<float>& logits, TensorView<std::int32_t> labels,
                                 TensorView<std::int32_t> shift_labels, std::optional<double> num_items_in_batch) {
  const std::size_t batch = logits.shape()[0];
  const std::size_t length = logits.shape()[1];
  const std::size_t vocab = logits.shape()[2];
  const TensorView<std::int32_t>& given = shift_labels ? shift_labels : labels;
  require<InputError>(given.shape().rank() == 2 && given.shape()[0] == batch && given.shape()[1] == length,
                      shift_labels ? "shift_labels" : "labels", " of shape ", to_string(given.shape()),
                      ", the logits are ", to_string(logits.shape()));
  std::vector<std::int32_t> targets(batch * length, ignored_label);
  for (std::size_t b = 0; b < batch; ++b) {
    for (std::size_t t = 0; t < length; ++t) {
      if (shift_labels) {
        targets[b * length + t] = shift_labels[b * length + t];
      } else if (t + 1 < length) {
        targets[b * length + t] = labels[b * length + t + 1];
      }
    }
  }
  std::size_t counted = 0;
  for (const std::int32_t target : targets) {
    require<InputError>(target == ignored_label || (target >= 0 && static_cast<std::size_t>(target) < vocab), "label ",
                        target, ", expected 0 to ", vocab - 1, " or -100");
    counted += target != ignored_label ? 1 : 0;
  }
  std::vector<double> loss(targets.size(), 0.0);
  parallel_for(targets.size(), [&](std::size_t i) {
    if (targets[i] == ignored_label) {
      return;
    }
    const std::span<const float> row = logits.row(i);
    const float largest = *std::max_element(row.begin(), row.end());
    double sum = 0.0;
    for (const float value : row) {
      sum += std::exp(static_cast<double>(value) - static_cast<double>(largest));
    }
    loss[i] =
        std::log(sum) + static_cast<double>(largest) - static_cast<double>(row[static_cast<std::size_t>(targets[i])]);
  });
  double total = 0.0;
  for (const double value : loss) {
    total += value;
  }
  if (num_items_in_batch) {
    return static_cast<float>(total / *num_items_in_batch);
  }
  return counted == 0 ? std::numeric_limits<float>::quiet_NaN()
                      : static_cast<float>(total / static_cast<double>(counted));
}

QWEN35_BODY float load_balancing_loss(std::span<const Tensor<float>> router_logits, std::size_t num_experts,
                                      std::size_t top_k, const AttentionMask& attention_mask) {
  if (router_logits.empty()) {
    return 0.0f;
  }
  const std::size_t tokens = router_logits[0].shape()[0];
  std::size_t columns = tokens, sequence = tokens;  // of the mask, and those of this pass, its last
  if (attention_mask) {
    const Shape& shape = attention_mask.shape();
    const bool fits = shape.rank() == 2 && shape[0] > 0 && tokens % shape[0] == 0 && shape[1] >= tokens / shape[0];
    require<InputError>(fits, "attention_mask of shape ", to_string(shape),
                        ", the load-balancing loss needs [batch, past + sequence] of ", tokens, " tokens");
    columns = shape[1];
    sequence = tokens / shape[0];
  }
  std::vector<double> chosen(num_experts, 0.0);
  std::vector<double> probability(num_experts, 0.0);
  std::vector<double> p(num_experts);
  std::vector<std::size_t> order(num_experts);
  double rows = 0.0;
  for (const Tensor<float>& layer : router_logits) {
    for (std::size_t t = 0; t < tokens; ++t) {
      if (attention_mask && !attention_mask.visible(t / sequence * columns + columns - sequence + t % sequence)) {
        continue;
      }
      const std::span<const float> row = layer.row(t);
      const float largest = *std::max_element(row.begin(), row.end());
      double sum = 0.0;
      for (std::size_t e = 0; e < num_experts; ++e) {
        p[e] = std::exp(static_cast<double>(row[e]) - static_cast<double>(largest));
        sum += p[e];
        order[e] = e;
      }
      std::partial_sort(order.begin(), order.begin() + static_cast<std::ptrdiff_t>(top_k), order.end(),
                        [&](std::size_t a, std::size_t b) { return row[a] > row[b] || (row[a] == row[b] && a < b); });
      for (std::size_t slot = 0; slot < top_k; ++slot) {
        chosen[order[slot]] += 1.0;
      }
      for (std::size_t e = 0; e < num_experts; ++e) {
        probability[e] += p[e] / sum;
      }
      rows += 1.0;
    }
  }
  double loss = 0.0;
  for (std::size_t e = 0; e < num_experts; ++e) {
    loss += chosen[e] / rows * (probability[e] / rows);
  }
  return static_cast<float>(loss * static_cast<double>(num_experts));
}

#endif  // QWEN35_BODIES

QWEN35_END_NAMESPACE
