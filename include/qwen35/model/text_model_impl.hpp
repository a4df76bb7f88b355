// SPDX-License-Identifier: Apache-2.0
// Bodies of TextModel, out of class so that `extern template` can keep them in one translation unit.
#pragma once

#include <qwen35/config/config_writer.hpp>
#include <qwen35/model/text_model.hpp>

QWEN35_BEGIN_NAMESPACE

namespace detail {

// Copies rows [batch, count] of a pass to their place [begin, begin + count) of `[batch, length]` rows of `width`
// floats.
inline void scatter_rows(const float* rows, std::size_t batch, std::size_t begin, std::size_t count, std::size_t length,
                         std::size_t width, float* out) {
  for (std::size_t b = 0; b < batch; ++b) {
    std::memcpy(out + (b * length + begin) * width, rows + b * count * width, count * width * sizeof(float));
  }
}

}  // namespace detail

template <class Config>
TextModel<Config>::TextModel(TextWeights<Config> weights, const TextValues& values)
    : weights_(std::move(weights)),
      values_(values),
      rotary_(values.rope_parameters, Text::head_dim, values.max_position_embeddings) {
  const auto eps = static_cast<float>(values.rms_norm_eps);
  const auto set_eps = [&](auto& layers) {
    for (auto& layer : layers) {
      layer.norm_eps = eps;
      layer.mixer.norm_eps = eps;
    }
  };
  set_eps(weights_.linear_layers);
  set_eps(weights_.full_layers);
  fingerprint_ = qwen35::fingerprint(weights_, values_);
}

template <class Config>
TextModel<Config>::TextModel(const Checkpoint& checkpoint, Head head)
    : TextModel(checkpoint, check<Config>(checkpoint.config()).text, head) {}

// The config is checked before a tensor is looked for: a wrong type is one ConfigError, not a list of misshapen
// tensors.
template <class Config>
TextModel<Config>::TextModel(const Checkpoint& checkpoint, const TextValues& values, Head head)
    : TextModel(bind_text<Config>(checkpoint, head), values) {}

template <class Config>
void TextModel<Config>::save_pretrained(const std::string& folder, const SaveOptions& options) const {
  json::Value config = text_config_json<Config>(values_, tied_embeddings<Config>);
  config["architectures"].push_back(architecture<Config>("TextModel"));
  save_checkpoint(folder, std::move(config), named_parameters(), options);
}

template <class Config>
ForwardPlan TextModel<Config>::plan(const Input& input, bool keep_cache) const {
  require<InputError>(static_cast<bool>(input.input_ids) != static_cast<bool>(input.inputs_embeds),
                      "give exactly one of input_ids and inputs_embeds");
  const Shape& shape = input.input_ids ? input.input_ids.shape() : input.inputs_embeds.shape();
  if (input.input_ids) {
    require<InputError>(shape.rank() == 2 && shape.size() > 0, "input_ids of shape ", to_string(shape),
                        ", expected [batch, sequence], not empty");
    for (std::size_t i = 0; i < input.input_ids.size(); ++i) {
      const TokenId id = input.input_ids[i];
      require<InputError>(id >= 0 && static_cast<std::size_t>(id) < Text::vocab_size, "input_ids[", i, "] is ", id,
                          ", expected 0 to ", Text::vocab_size - 1);
    }
  } else {
    require<InputError>(shape.rank() == 3 && shape.size() > 0 && shape[2] == hidden_size, "inputs_embeds of shape ",
                        to_string(shape), ", expected [batch, sequence, ", hidden_size, "]");
  }
  ForwardPlan plan;
  plan.batch = shape[0];
  plan.length = shape[1];
  require<InputError>(input.replaced_rows.empty() || input.replaced_rows.size() == plan.batch * plan.length,
                      "replaced_rows has ", input.replaced_rows.size(), " entries, expected one for each of ",
                      plan.batch * plan.length, " tokens");
  const Cache* const cache = input.past_key_values;
  plan.past = cache != nullptr ? cache->seq_length() : 0;
  require<InputError>(cache == nullptr || cache->batch_size() == 0 || cache->batch_size() == plan.batch,
                      "past_key_values holds ", cache != nullptr ? cache->batch_size() : 0,
                      " sequences, the input has ", plan.batch);
  for (std::size_t s = 0; s < input.cache_position.size(); ++s) {
    require<InputError>(input.cache_position.size() == plan.length &&
                            input.cache_position[s] == static_cast<std::int32_t>(plan.past + s),
                        "cache_position must count from ", plan.past, " to ", plan.past + plan.length - 1);
  }
  std::vector<std::int32_t> text;
  detail::plan_positions(plan, input.position_ids, text);
  std::vector<std::span<const std::uint8_t>> known;
  for (std::size_t b = 0; plan.past > 0 && b < plan.batch; ++b) {
    known.push_back(cache->valid(b));
  }
  detail::plan_mask(plan, input.attention_mask, known, Text::num_attention_heads);
  if (!input.attention_mask && cache == nullptr && !keep_cache && !text.empty()) {
    detail::plan_segments(plan, text);
  }
  return plan;
}

template <class Config>
typename TextModel<Config>::Output TextModel<Config>::forward(const Input& input) const {
  const bool keep_cache = input.use_cache.value_or(values_.use_cache);
  const ForwardPlan plan = this->plan(input, keep_cache);
  Output output;
  if (input.past_key_values == nullptr) {
    output.owned_cache = std::make_unique<Cache>();
  }
  Cache& cache = input.past_key_values != nullptr ? *input.past_key_values : *output.owned_cache;
  output.last_hidden_state = Tensor<float>({plan.batch, plan.length, hidden_size});
  if (input.output_hidden_states) {
    output.hidden_states.assign(Text::num_hidden_layers, Tensor<float>({plan.batch, plan.length, hidden_size}));
  }
  if (input.output_attentions) {
    output.attentions.assign(Layers::full_layers,
                             Tensor<float>({plan.batch, Text::num_attention_heads, plan.length, plan.keys()}));
  }
  if constexpr (is_moe<Text>) {
    if (input.output_router_logits.value_or(values_.output_router_logits)) {
      output.router_logits.assign(Text::num_hidden_layers,
                                  Tensor<float>({plan.batch * plan.length, Text::num_experts}));
    }
  }

  // A ready-made mask may look ahead, so its tokens go through in one piece.
  const std::size_t tokens = plan.batch * plan.length;
  const std::size_t least = plan.ready_made ? tokens : plan.batch;
  if (input.workspace != nullptr && input.workspace->sequences() >= plan.batch && input.workspace->tokens() >= least) {
    run(input, plan, cache, *input.workspace, output);
  } else {
    require<InputError>(input.workspace == nullptr, "the workspace is too small: ", plan.batch, " sequences and ",
                        least, " tokens at once needed");
    Workspace<Config> own(std::max(least, std::min(tokens, Workspace<Config>::default_tokens)), plan.batch);
    run(input, plan, cache, own, output);
  }

  if (input.output_hidden_states) {
    output.hidden_states.push_back(output.last_hidden_state);
  }
  if (input.past_key_values == nullptr && !keep_cache) {
    output.owned_cache.reset();
  }
  output.past_key_values = input.past_key_values != nullptr ? input.past_key_values : output.owned_cache.get();
  return output;
}

template <class Config>
void TextModel<Config>::run(const Input& input, const ForwardPlan& plan, Cache& cache, Workspace<Config>& workspace,
                            Output& output) const {
  cache.begin(plan.batch, plan.length, fingerprint_);
  const std::size_t step = workspace.tokens() / plan.batch;
  for (std::size_t begin = 0; begin < plan.length; begin += step) {
    pass(input, plan, cache, workspace.arena(), begin, std::min(step, plan.length - begin), output);
  }
  std::vector<std::uint8_t> fresh;
  if (!plan.valid.empty()) {
    for (std::size_t b = 0; b < plan.batch; ++b) {
      const auto* const row = plan.valid.data() + b * plan.keys() + plan.past;
      fresh.insert(fresh.end(), row, row + plan.length);
    }
  }
  cache.commit(plan.length, input.input_ids.data(), fresh.empty() ? nullptr : fresh.data());
}

template <class Config>
void TextModel<Config>::embed(TokenId id, float* out) const {
  require<InputError>(id >= 0 && static_cast<std::size_t>(id) < Text::vocab_size, "token ", id, ", expected 0 to ",
                      Text::vocab_size - 1);
  kernels::decode_row(
      {weights_.embed_tokens.format, weights_.embed_tokens.row(static_cast<std::size_t>(id)), hidden_size, out});
}

template <class Config>
void TextModel<Config>::embed(const Input& input, const ForwardPlan& plan, std::size_t begin, std::size_t count,
                              float* hidden) const {
  for (std::size_t b = 0; b < plan.batch; ++b) {
    for (std::size_t i = 0; i < count; ++i) {
      float* const row = hidden + (b * count + i) * hidden_size;
      const std::size_t token = b * plan.length + begin + i;
      if (!input.replaced_rows.empty() && input.replaced_rows[token] != nullptr) {
        std::memcpy(row, input.replaced_rows[token], hidden_size * sizeof(float));
      } else if (input.input_ids) {
        embed(input.input_ids[token], row);
      } else {
        std::memcpy(row, input.inputs_embeds.data() + token * hidden_size, hidden_size * sizeof(float));
      }
    }
  }
}

// Spans, holes, visible keys and rotary rows of tokens [begin, begin + count) of each sequence.
template <class Config>
void TextModel<Config>::prepare(const ForwardPlan& plan, std::size_t begin, std::size_t count, Arena& arena,
                                Pass& pass) const {
  const std::size_t tokens = plan.batch * count;
  const std::size_t slot = plan.past + begin;
  pass.tokens = tokens;
  TokenSpan* const spans = arena.take<TokenSpan>(plan.batch);
  std::uint8_t* const hole = arena.take<std::uint8_t>(tokens);
  std::size_t* const first_key = arena.take<std::size_t>(tokens);
  const std::uint8_t** const valid = arena.take<const std::uint8_t*>(plan.batch);
  std::size_t used = 0;
  for (std::size_t b = 0; b < plan.batch; ++b) {
    const std::size_t pads = std::min(count, plan.first[b] > slot ? plan.first[b] - slot : 0);
    if (pads < count) {
      spans[used++] = {b, b * count + pads, count - pads, slot + pads};
    }
    valid[b] = plan.valid.empty() ? nullptr : plan.valid.data() + b * plan.keys();
    for (std::size_t i = 0; i < count; ++i) {
      const std::size_t token = b * plan.length + begin + i;
      first_key[b * count + i] = plan.segment.empty() ? plan.first[b] : plan.segment[token];
      hole[b * count + i] = valid[b] != nullptr && valid[b][slot + i] == 0 ? 1 : 0;
    }
  }
  pass.spans = {spans, used};
  pass.mask.first_key = first_key;
  if (!plan.valid.empty()) {
    pass.hole = hole;
    pass.mask.key_valid = valid;
  }
  if (plan.ready_made) {
    const Shape& shape = plan.ready_made.shape();
    const std::size_t block = plan.length * plan.keys();
    pass.mask.additive = plan.ready_made.data();
    pass.mask.head_stride = shape[1] == 1 ? 0 : block;
    pass.mask.batch_stride = shape[0] == 1 ? 0 : shape[1] * block;
    pass.mask.keys = plan.keys();
    pass.mask.first_slot = plan.past;
  }

  const std::size_t half = rotary_.half();
  float* const cos = arena.take<float>(tokens * half);
  float* const sin = arena.take<float>(tokens * half);
  std::int32_t* const positions = arena.take<std::int32_t>(3 * tokens);
  for (std::size_t plane = 0; plane < 3; ++plane) {
    for (std::size_t b = 0; b < plan.batch; ++b) {
      std::memcpy(positions + plane * tokens + b * count,
                  plan.positions.data() + (plane * plan.batch + b) * plan.length + begin, count * sizeof(std::int32_t));
    }
  }
  rotary_.fill(positions, tokens, tokens, plan.longest, cos, sin);
  pass.rotary = {cos, sin, half};
}

template <class Config>
void TextModel<Config>::pass(const Input& input, const ForwardPlan& plan, Cache& cache, Arena& arena, std::size_t begin,
                             std::size_t count, Output& output) const {
  const Arena::Scope scope(arena);
  const std::size_t tokens = plan.batch * count;
  const auto scatter = [&](const float* rows, std::size_t width, Tensor<float>& out) {
    detail::scatter_rows(rows, plan.batch, begin, count, plan.length, width, out.data());
  };
  Pass pass;
  prepare(plan, begin, count, arena, pass);
  float* const hidden = arena.take<float>(tokens * hidden_size);
  embed(input, plan, begin, count, hidden);
  if constexpr (is_moe<Text>) {
    if (!output.router_logits.empty()) {
      pass.router_logits = arena.take<float>(tokens * Text::num_experts);
    }
  }
  GatedDeltaNetState* const linear_states = arena.take<GatedDeltaNetState>(plan.batch);
  GatedAttentionState* const full_states = arena.take<GatedAttentionState>(plan.batch);

  std::size_t linear = 0;
  std::size_t full = 0;
  for (std::size_t layer = 0; layer < Text::num_hidden_layers; ++layer) {
    if (!output.hidden_states.empty()) {
      scatter(hidden, hidden_size, output.hidden_states[layer]);
    }
    if (Text::layer_types[layer] == LayerType::linear_attention) {
      if constexpr (Layers::linear_layers > 0) {
        for (std::size_t b = 0; b < plan.batch; ++b) {
          linear_states[b] = cache.linear_state(linear, b);
        }
        LinearLayer::forward(weights_.linear_layers[linear], hidden, hidden_size, pass, {linear_states, plan.batch},
                             arena);
        ++linear;
      }
    } else {
      if constexpr (Layers::full_layers > 0) {
        for (std::size_t b = 0; b < plan.batch; ++b) {
          full_states[b] = cache.full_state(full, b);
        }
        if (!output.attentions.empty()) {
          pass.probabilities = {output.attentions[full].data(), plan.length, plan.keys(), plan.past};
        }
        FullLayer::forward(weights_.full_layers[full], hidden, hidden_size, pass, {full_states, plan.batch}, arena);
        ++full;
      }
    }
    if constexpr (is_moe<Text>) {
      if (pass.router_logits != nullptr) {
        scatter(pass.router_logits, Text::num_experts, output.router_logits[layer]);
      }
    }
  }
  FullLayer::normalise(hidden, weights_.norm, static_cast<float>(values_.rms_norm_eps), hidden, tokens, hidden_size);
  scatter(hidden, hidden_size, output.last_hidden_state);
}

QWEN35_END_NAMESPACE
