// SPDX-License-Identifier: Apache-2.0
// A CausalLM of any config behind one interface, so that what is checked is compiled once in a file however many
// configs it has.
#pragma once

#include "model/oracle_case.hpp"

#include <qwen35/model/causal_lm.hpp>

#include <optional>

namespace oracle {

struct Arguments {
  qwen35::TensorView<qwen35::TokenId> input_ids;
  qwen35::AttentionMask attention_mask;
  qwen35::TensorView<std::int32_t> position_ids;
  qwen35::TensorView<float> inputs_embeds;
  qwen35::TensorView<std::int32_t> labels;
  qwen35::TensorView<std::int32_t> shift_labels;
  std::optional<double> num_items_in_batch;
  std::optional<bool> use_cache;
  bool output_hidden_states = false;
  bool output_attentions = false;
  bool output_router_logits = false;
  qwen35::LogitsToKeep logits_to_keep = 0;
  std::size_t workspace_tokens = 0;  // 0: the model's own workspace
};

struct Result {
  std::optional<float> loss;
  std::optional<float> aux_loss;
  qwen35::Tensor<float> logits;
  std::vector<qwen35::Tensor<float>> hidden_states;
  std::vector<qwen35::Tensor<float>> attentions;
  std::vector<qwen35::Tensor<float>> router_logits;
};

struct AnyCache {
  virtual ~AnyCache() = default;
  virtual std::shared_ptr<const void> snapshot() const = 0;
  virtual void restore(const std::shared_ptr<const void>& snapshot) = 0;
  virtual std::unique_ptr<AnyCache> fork() const = 0;
  virtual std::unique_ptr<AnyCache> copy() const = 0;
  virtual void reorder(std::span<const std::size_t> rows) = 0;
  virtual void reset() = 0;
  // State of a layer as the reference keeps it; `part`: keys or values [batch, kv heads, slots, head_dim], conv [batch,
  // channels, kernel] (our kernel - 1 columns stand at its end), recurrent [batch, value heads, key dim, value dim].
  virtual qwen35::Tensor<float> state(std::size_t layer, const std::string& part) = 0;
};

struct AnyModel {
  virtual ~AnyModel() = default;
  virtual std::unique_ptr<AnyCache> make_cache() const = 0;
  virtual Result forward(const Arguments& arguments, AnyCache* cache = nullptr) const = 0;
  virtual std::size_t layers() const = 0;
  virtual bool has_full_layers() const = 0;
  // A part of one layer alone, on rows [tokens, hidden_size] at positions 0, 1, ...; `part`: mixer, mlp, or "" for the
  // whole decoder layer.
  virtual std::vector<float> layer(std::size_t index, const std::string& part, const float* x,
                                   std::size_t tokens) const = 0;
};

// Layers of the same kind before a layer.
template <class Text>
std::size_t place_among(std::size_t layer) {
  std::size_t among = 0;
  for (std::size_t i = 0; i < layer; ++i) {
    if (Text::layer_types[i] == Text::layer_types[layer]) {
      ++among;
    }
  }
  return among;
}

template <class Config>
class OracleCache final : public AnyCache {
 public:
  using Cache = qwen35::HybridCache<Config>;
  using Layers = qwen35::LayersOf<Config>;
  using Text = typename Layers::Text;

  explicit OracleCache(Cache moved = Cache()) : cache(std::move(moved)) {}
  std::shared_ptr<const void> snapshot() const override {
    return std::make_shared<qwen35::Snapshot<Config>>(cache.snapshot());
  }
  void restore(const std::shared_ptr<const void>& snapshot) override {
    cache.restore(*static_cast<const qwen35::Snapshot<Config>*>(snapshot.get()));
  }
  std::unique_ptr<AnyCache> fork() const override { return std::make_unique<OracleCache>(cache.fork()); }
  std::unique_ptr<AnyCache> copy() const override { return std::make_unique<OracleCache>(cache.copy()); }
  void reorder(std::span<const std::size_t> rows) override { cache.reorder(rows); }
  void reset() override { cache.reset(); }

  qwen35::Tensor<float> state(std::size_t layer, const std::string& part) override {
    const std::size_t among = place_among<Text>(layer);
    const std::size_t batch = cache.batch_size();
    if (part == "keys" || part == "values") {
      const std::size_t slots = cache.seq_length();
      qwen35::Tensor<float> out({batch, Text::num_key_value_heads, slots, Text::head_dim});
      for (std::size_t row = 0; row < batch * Text::num_key_value_heads; ++row) {
        const qwen35::GatedAttentionState state = cache.full_state(among, row / Text::num_key_value_heads);
        const std::size_t head = row % Text::num_key_value_heads;
        constexpr std::size_t page = qwen35::kv_page_slots;
        const std::size_t sequence_slots = cache.sequence(row / Text::num_key_value_heads).tokens();
        const std::size_t pads = slots - sequence_slots;
        for (std::size_t slot = 0; slot < sequence_slots; ++slot) {
          std::memcpy(out.data() + (row * slots + pads + slot) * Text::head_dim,
                      state.pages[slot / page] + (part == "keys" ? state.key_offset : state.value_offset) +
                          (head * page + slot % page) * Text::head_dim * sizeof(float),
                      Text::head_dim * sizeof(float));
        }
      }
      return out;
    }
    constexpr std::size_t kernel = Text::linear_conv_kernel_dim;
    constexpr std::size_t channels = Layers::Linear::conv_channels;
    constexpr std::size_t heads = Text::linear_num_value_heads;
    constexpr std::size_t dk = Text::linear_key_head_dim;
    constexpr std::size_t dv = Text::linear_value_head_dim;
    qwen35::Tensor<float> out(part == "conv" ? qwen35::Shape{batch, channels, kernel}
                                             : qwen35::Shape{batch, heads, dk, dv});
    for (std::size_t b = 0; b < batch; ++b) {
      const qwen35::GatedDeltaNetState state = cache.linear_state(among, b);
      if (part == "conv") {
        for (std::size_t c = 0; c < channels; ++c) {
          for (std::size_t j = 1; j < kernel; ++j) {
            out[(b * channels + c) * kernel + j] = state.conv[(j - 1) * channels + c];
          }
        }
        continue;
      }
      constexpr std::size_t tile = qwen35::kernels::delta_tile;
      for (std::size_t h = 0; h < heads; ++h) {
        const float* const head = state.recurrent + h * qwen35::kernels::delta_state_size(dk, dv);
        for (std::size_t i = 0; i < dk; ++i) {
          for (std::size_t j = 0; j < dv; ++j) {
            out[((b * heads + h) * dk + i) * dv + j] = head[(j / tile * dk + i) * tile + j % tile];
          }
        }
      }
    }
    return out;
  }

  Cache cache;
};

template <class Config>
class OracleModel final : public AnyModel {
 public:
  using Model = qwen35::CausalLM<Config>;
  using Layers = qwen35::LayersOf<Config>;
  using Text = typename Layers::Text;

  explicit OracleModel(const std::string& folder) : model_(Model::from_pretrained(folder)) {}
  explicit OracleModel(const qwen35::Checkpoint& checkpoint) : model_(checkpoint) {}

  std::unique_ptr<AnyCache> make_cache() const override { return std::make_unique<OracleCache<Config>>(); }
  std::size_t layers() const override { return Text::num_hidden_layers; }
  bool has_full_layers() const override { return Layers::full_layers > 0; }

  Result forward(const Arguments& a, AnyCache* cache) const override {
    std::optional<qwen35::Workspace<Config>> workspace;
    if (a.workspace_tokens > 0) {
      workspace.emplace(a.workspace_tokens, a.input_ids.shape()[0]);
    }
    auto out = model_.forward(
        {.input_ids = a.input_ids,
         .attention_mask = a.attention_mask,
         .position_ids = a.position_ids,
         .past_key_values = cache == nullptr ? nullptr : &static_cast<OracleCache<Config>*>(cache)->cache,
         .inputs_embeds = a.inputs_embeds,
         .labels = a.labels,
         .shift_labels = a.shift_labels,
         .num_items_in_batch = a.num_items_in_batch,
         .use_cache = a.use_cache,
         .output_hidden_states = a.output_hidden_states,
         .output_attentions = a.output_attentions,
         .output_router_logits = a.output_router_logits,
         .logits_to_keep = a.logits_to_keep,
         .workspace = workspace ? &*workspace : nullptr});
    return {out.loss,
            out.aux_loss,
            std::move(out.logits),
            std::move(out.hidden_states),
            std::move(out.attentions),
            std::move(out.router_logits)};
  }

  std::vector<float> layer(std::size_t index, const std::string& part, const float* x,
                           std::size_t tokens) const override {
    constexpr std::size_t hidden = Text::hidden_size;
    qwen35::HybridCache<Config> cache;
    cache.begin(1, tokens, model_.fingerprint());
    qwen35::Workspace<Config> workspace(tokens);
    const qwen35::TokenSpan span{0, 0, tokens, 0};
    qwen35::Pass pass;
    pass.tokens = tokens;
    pass.spans = {&span, 1};
    const qwen35::RotaryEmbedding rotary(model_.config().rope_parameters, Text::head_dim,
                                         model_.config().max_position_embeddings);
    std::vector<std::int32_t> positions(3 * tokens);
    for (std::size_t i = 0; i < positions.size(); ++i) {
      positions[i] = static_cast<std::int32_t>(i % tokens);
    }
    std::vector<float> cos(tokens * rotary.half());
    std::vector<float> sin(tokens * rotary.half());
    rotary.fill(positions.data(), tokens, tokens, static_cast<std::int32_t>(tokens) - 1, cos.data(), sin.data());
    pass.rotary = {cos.data(), sin.data(), rotary.half()};

    const std::size_t among = place_among<Text>(index);
    std::vector<float> in(x, x + tokens * hidden);
    std::vector<float> out(tokens * hidden);
    const auto run = [&]<class Layer>(const typename Layer::Weights& weights, auto state, Layer*) {
      const decltype(state) states[] = {state};
      if (part == "mixer") {
        run_mixer<Layer>(weights, in.data(), out.data(), pass, states, workspace.arena());
      } else if (part == "mlp") {
        Layers::FeedForward::forward(weights.mlp, in.data(), out.data(), pass, workspace.arena());
      } else {
        Layer::forward(weights, in.data(), hidden, pass, states, workspace.arena());
        out = in;
      }
    };
    using Weights = qwen35::TextWeights<Config>;
    if (Text::layer_types[index] == qwen35::LayerType::linear_attention) {
      if constexpr (Layers::linear_layers > 0) {
        run(model_.model.weights().linear_layers[among], cache.linear_state(among, 0),
            static_cast<typename Weights::LinearLayer*>(nullptr));
      }
    } else {
      if constexpr (Layers::full_layers > 0) {
        run(model_.model.weights().full_layers[among], cache.full_state(among, 0),
            static_cast<typename Weights::FullLayer*>(nullptr));
      }
    }
    return out;
  }

 private:
  template <class Layer, class State>
  static void run_mixer(const typename Layer::Weights& weights, float* x, float* y, const qwen35::Pass& pass,
                        const State (&states)[1], qwen35::Arena& arena) {
    if constexpr (std::is_same_v<State, qwen35::GatedDeltaNetState>) {
      Layers::Linear::forward(weights.mixer, x, y, pass, states, arena);
    } else {
      Layers::Full::forward(weights.mixer, x, y, pass, states, arena);
    }
  }

  Model model_;
};

}  // namespace oracle
