// SPDX-License-Identifier: Apache-2.0
// A model to be timed: itself, what a step reads of its weights and how much it multiplies.
#pragma once

#include <qwen35/model/any_model.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <string>

#include "shown.hpp"

namespace bench_tool {

struct Counts {
  std::size_t parameters = 0;
  double bytes = 0;                    // of all weights
  double dense_bytes = 0;              // those that every step reads, the head's among them
  double expert_bytes = 0;             // those of all routed experts
  double multiply_adds = 0;            // of a token in all layers, of its chosen experts, without attention's
  double head_multiply_adds = 0;       // of a row of logits
  double attention_multiply_adds = 0;  // of a token for each one that it sees
  double experts = 0, chosen = 0;      // 0: a dense model
};

struct BenchModel {
  qwen35::AnyModel model;
  Counts counts;
  std::string type;  // the config's model_type and the format that most bytes are in

  // Bytes that a step of one token for each of `batch` sequences streams: of the experts those that somebody chooses,
  // where choices are independent; states, read and written; keys and values of `context` tokens of a sequence.
  double step_bytes(std::size_t batch, double context, qwen35::DType kv) const {
    const auto sequences = static_cast<double>(batch);
    const double share = counts.experts > 0 ? 1.0 - std::pow(1.0 - counts.chosen / counts.experts, sequences) : 0.0;
    const qwen35::CacheLayout layout = model.cache_layout(kv);
    return counts.dense_bytes + share * counts.expert_bytes +
           sequences *
               (2.0 * static_cast<double>(layout.state_bytes()) + context * static_cast<double>(layout.slot_bytes()));
  }
  // Of `tokens` tokens of a sequence behind `depth` others, with `rows` rows of logits.
  double multiply_adds(double tokens, double depth, double rows) const {
    return tokens * (counts.multiply_adds + (depth + tokens / 2) * counts.attention_multiply_adds) +
           rows * counts.head_multiply_adds;
  }
};

namespace detail {

// Adds up what the walk over the weights shows.
class Sums final : public qwen35::ParameterReader {
 public:
  explicit Sums(Counts& out) : out_(out) {}

  void read(const qwen35::Parameter& parameter, const qwen35::Matrix& matrix) override {
    const bool embedding = parameter.name == "embed_tokens.weight", head = parameter.name == "lm_head.weight";
    add(matrix);
    out_.dense_bytes += embedding ? 0.0 : static_cast<double>(matrix.bytes());
    const double products = static_cast<double>(matrix.rows * matrix.cols);
    (head ? out_.head_multiply_adds : out_.multiply_adds) += embedding ? 0.0 : products;
  }
  void read(const qwen35::Parameter& parameter, const float*) override {
    out_.dense_bytes += static_cast<double>(parameter.shape.size() * sizeof(float));
    out_.bytes += static_cast<double>(parameter.shape.size() * sizeof(float));
  }
  void read(const qwen35::ExpertsParameter&, const std::vector<qwen35::MlpWeights>& weights) override {
    for (const qwen35::MlpWeights& expert : weights) {
      for (const qwen35::Matrix* const matrix : {&expert.gate_proj, &expert.up_proj, &expert.down_proj}) {
        add(*matrix);
        out_.expert_bytes += static_cast<double>(matrix->bytes());
        out_.multiply_adds += static_cast<double>(matrix->rows * matrix->cols) * out_.chosen / out_.experts;
      }
    }
  }
  // The format of most bytes.
  std::string_view main_format() const {
    const auto most = std::max_element(by_format_.begin(), by_format_.end());
    return name(static_cast<qwen35::Format>(most - by_format_.begin()));
  }

 private:
  void add(const qwen35::Matrix& matrix) {
    out_.bytes += static_cast<double>(matrix.bytes());
    by_format_[static_cast<std::size_t>(matrix.format)] += static_cast<double>(matrix.bytes());
  }

  Counts& out_;
  std::array<double, 256> by_format_{};
};

}  // namespace detail

// The text model of a checkpoint. Raises ConfigError, CheckpointError.
template <class Config>
BenchModel bench_model(const qwen35::Checkpoint& checkpoint) {
  using Text = qwen35::text_config_t<Config>;
  using Layers = qwen35::LayersOf<Config>;
  qwen35::CausalLM<Config> model(checkpoint);
  Counts counts{.parameters = model.num_parameters()};
  if constexpr (qwen35::is_moe<Text>) {
    counts.experts = static_cast<double>(Text::num_experts);
    counts.chosen = static_cast<double>(Text::num_experts_per_tok);
  }
  counts.attention_multiply_adds =
      static_cast<double>(2 * Layers::full_layers * Text::num_attention_heads * Text::head_dim);
  detail::Sums sums(counts);
  qwen35::read_text(model.model.weights(), sums);
  if (qwen35::tied_embeddings<Config>) {
    const qwen35::Matrix& head = model.get_output_embeddings();
    counts.dense_bytes += static_cast<double>(head.bytes());
    counts.head_multiply_adds += static_cast<double>(head.rows * head.cols);
  }
  const qwen35::json::Value* const type = checkpoint.config().find("model_type");
  return {qwen35::AnyModel(std::move(model)), counts,
          (type != nullptr && type->is_string() ? tool::shown_name(type->as_string()) + " " : std::string()) +
              std::string(sums.main_format())};
}

}  // namespace bench_tool
