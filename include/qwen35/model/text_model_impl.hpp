// SPDX-License-Identifier: Apache-2.0
// Bodies of TextModel, out of class so that `extern template` can keep them in one translation unit.
#pragma once

#include <qwen35/config/config_writer.hpp>
#include <qwen35/model/text_model.hpp>

QWEN35_BEGIN_NAMESPACE

template <class Config>
TextModel<Config>::TextModel(TextWeights<Config> weights, const TextValues& values)
    : weights_(std::move(weights)),
      values_(values),
      rotary_(values.rope_parameters, Text::head_dim, values.max_position_embeddings) {
  require_isa_of_environment();
  if (declined()) {  // and no weight to look at
    return;
  }
  RmsNormEps eps(static_cast<float>(values.rms_norm_eps));
  visit_text(weights_, eps);
  fingerprint_ = qwen35::fingerprint(weights_, values_);
}

template <class Config>
template <class>
TextModel<Config>::TextModel(const InitOptions& options, const TextValues& values)
    : TextModel(initialised_text<Config>(options, values, false), values) {}

template <class Config>
template <class>
TextModel<Config>::TextModel(const Checkpoint& checkpoint, Head head)
    : TextModel(checkpoint, check<Config>(checkpoint).text_config, head) {}

// The config is checked before a tensor is looked for: a wrong type is one ConfigError, not a list of misshapen
// tensors.
template <class Config>
template <class>
TextModel<Config>::TextModel(const Checkpoint& checkpoint, const TextValues& values, Head head)
    : TextModel(bind_text<Config>(checkpoint, head), values) {}

template <class Config>
template <class>
TextModel<Config> TextModel<Config>::from_pretrained(const std::string& folder, const CheckpointOptions& options) {
  return TextModel(Checkpoint::open(folder, checked_for<Config>(options)));
}

template <class Config>
template <class>
void TextModel<Config>::save_pretrained(const std::string& folder, const SaveOptions& options) const {
  json::Value config = text_config_json<Config>(values_, tied_embeddings<Config>);
  config["architectures"].push_back(architecture<Config>("TextModel"));
  save_checkpoint(folder, std::move(config), named_parameters(), options);
}

template <class Config>
typename TextModel<Config>::Output TextModel<Config>::forward(const Input& input) const {
  require_no_media(input);
  require_no_labels(input);
  const bool keep_cache = input.use_cache.value_or(values_.use_cache);
  Rectangle rectangle(input, {hidden_size, Text::vocab_size, Text::num_attention_heads}, keep_cache);
  if (declined()) {
    return {};
  }
  const std::size_t batch = rectangle.batch();
  const std::size_t length = rectangle.length();
  Output output;
  output.last_hidden_state = Tensor<float>({batch, length, hidden_size});
  std::vector<float*> hidden_states, router_logits;
  std::vector<AttentionProbabilities> attentions;
  const auto make = [](std::size_t count, const Shape& shape, std::vector<Tensor<float>>& out,
                       std::vector<float*>& pointers) {
    out.assign(count, Tensor<float>(shape));
    for (Tensor<float>& tensor : out) {
      pointers.push_back(tensor.data());
    }
  };
  if (input.output_hidden_states) {
    make(Text::num_hidden_layers, {batch, length, hidden_size}, output.hidden_states, hidden_states);
  }
  if (input.output_attentions) {
    output.attentions.assign(Layers::full_layers,
                             Tensor<float>({batch, Text::num_attention_heads, length, rectangle.keys()}));
    for (std::size_t i = 0; i < Layers::full_layers * batch; ++i) {
      attentions.push_back(rectangle.probabilities(i % batch, output.attentions[i / batch].data()));
    }
  }
  if constexpr (is_moe<Text>) {
    if (input.output_router_logits.value_or(values_.output_router_logits)) {
      make(Text::num_hidden_layers, {batch * length, Text::num_experts}, output.router_logits, router_logits);
    }
  }

  // A mask that is added may look ahead, so a row's tokens then go through in one piece.
  const std::size_t least = rectangle.has_additive_mask() ? length : 1;
  if (!holds<InputError>(input.workspace == nullptr || input.workspace->tokens() >= least,
                         "the workspace is too small: ", least, " tokens at once needed")) {
    return {};
  }
  std::optional<Workspace<Config>> own;
  if (input.workspace == nullptr) {
    own.emplace(std::max(least, std::min(batch * length, Workspace<Config>::default_tokens)), batch);
  }
  ForwardWorkspace& workspace = input.workspace != nullptr ? *input.workspace : *own;
  if (input.past_key_values == nullptr) {
    output.owned_cache = std::make_unique<RectangleCache>();
  }
  RectangleCache& cache = input.past_key_values != nullptr ? *input.past_key_values : *output.owned_cache;
  if (input.output_hidden_states) {
    output.hidden_states.emplace_back(output.last_hidden_state.shape());  // of the last layer, normed
  }
  // What allocates stands before this: a cache that has gone on must not be told that it has not.
  cache.begin(batch, length, cache_layout(), fingerprint_);
  if (declined()) {
    return {};
  }
  run(rectangle.slices(cache), workspace, output.last_hidden_state.data(), {hidden_states, router_logits, attentions});
  rectangle.commit(cache);

  if (input.output_hidden_states) {
    std::copy(output.last_hidden_state.begin(), output.last_hidden_state.end(), output.hidden_states.back().begin());
  }
  if (input.past_key_values == nullptr && !keep_cache) {
    output.owned_cache.reset();
  }
  output.past_key_values = input.past_key_values != nullptr ? input.past_key_values : output.owned_cache.get();
  return output;
}

template <class Config>
void TextModel<Config>::check_slices(std::span<const SequenceSlice> slices, std::size_t at_once) const {
  for (std::size_t i = 0; i < slices.size(); ++i) {
    check_slice(slices[i], i, hidden_size, Text::vocab_size);
    const std::size_t tokens = slice_tokens(slices[i], hidden_size);
    require<InputError>(slices[i].mask.additive.data == nullptr || tokens <= at_once,
                        "the workspace is too small: ", tokens, " tokens at once needed");
    const CacheLayout& layout = slices[i].cache->layout();
    require<CacheError>(layout == cache_layout(layout.kv_dtype), "slice ", i, ": a cache of another model shape");
  }
}

template <class Config>
void TextModel<Config>::run(std::span<const SequenceSlice> slices, ForwardWorkspace& workspace, float* rows,
                            const ForwardRecord& record) const {
  check_slices(slices, workspace.tokens());
  prepare(workspace, hidden_size, 0);
  SliceForward forward(slices, hidden_size, fingerprint_);
  const PassScratch<Arena> scratch(workspace.arena(),
                                   {workspace.tokens(), workspace.sequences(), rotary_.half(), hidden_size,
                                    record.router_logits.empty() ? 0 : Workspace<Config>::experts()});
  std::size_t total = 0;
  for (const SequenceSlice& slice : slices) {
    total += slice_tokens(slice, hidden_size);
  }
  for (SliceCursor cursor; cursor.slice < slices.size();) {
    const std::size_t flat = cursor.flat;
    const auto parts =
        next_parts(slices, cursor, workspace.tokens(), workspace.sequences(), hidden_size, scratch.parts);
    const auto step = [&](std::size_t layer) {
      forward.step(flat * Text::num_hidden_layers + (cursor.flat - flat) * layer, total * Text::num_hidden_layers);
    };
    run_pass(slices, parts, flat, scratch, workspace.arena(), rows, record, step);
  }
  forward.commit();
}

template <class Config>
void TextModel<Config>::embed(TokenId id, float* out) const {
  require<InputError>(id >= 0 && static_cast<std::size_t>(id) < Text::vocab_size, "token ", id, ", expected 0 to ",
                      Text::vocab_size - 1);
  kernels::decode_row({weights_.embed_tokens, static_cast<std::size_t>(id), out});
}

template <class Config>
void TextModel<Config>::embed(const SequenceSlice& slice, const SlicePart& part, float* hidden) const {
  for (std::size_t i = 0; i < part.count; ++i) {
    float* const row = hidden + (part.first + i) * hidden_size;
    const std::size_t token = part.begin + i;
    if (!slice.replaced_rows.empty() && slice.replaced_rows[token] != nullptr) {
      std::memcpy(row, slice.replaced_rows[token], hidden_size * sizeof(float));
    } else if (!slice.ids.empty()) {
      embed(slice.ids[token], row);
    } else {
      std::memcpy(row, slice.embeds.data() + token * hidden_size, hidden_size * sizeof(float));
    }
  }
}

template <class Config>
template <class Step>
void TextModel<Config>::run_pass(std::span<const SequenceSlice> slices, std::span<const SlicePart> parts,
                                 std::size_t flat, const PassScratch<Arena>& scratch, Arena& arena, float*& rows,
                                 const ForwardRecord& record, const Step& step) const {
  Pass pass = make_pass(slices, parts, hidden_size, rotary_, scratch);
  const auto write = [&](const float* values, std::size_t width, float* out) {
    std::memcpy(out + flat * width, values, pass.tokens * width * sizeof(float));
  };
  float* const hidden = scratch.hidden;
  for (const SlicePart& part : parts) {
    embed(slices[part.slice], part, hidden);
  }
  if constexpr (is_moe<Text>) {
    if (!record.router_logits.empty()) {
      pass.router_logits = scratch.router_logits;
    }
  }

  std::size_t linear = 0;
  std::size_t full = 0;
  for (std::size_t layer = 0; layer < Text::num_hidden_layers; ++layer) {
    step(layer);
    if (!record.hidden_states.empty()) {
      write(hidden, hidden_size, record.hidden_states[layer]);
    }
    if (Text::layer_types[layer] == LayerType::linear_attention) {
      if constexpr (Layers::linear_layers > 0) {
        for (std::size_t p = 0; p < parts.size(); ++p) {
          scratch.linear_states[p] = slices[parts[p].slice].cache->linear_state(linear);
        }
        LinearLayer::forward(weights_.linear_layers[linear], hidden, hidden_size, pass,
                             {scratch.linear_states, parts.size()}, arena);
        ++linear;
      }
    } else {
      if constexpr (Layers::full_layers > 0) {
        for (std::size_t p = 0; p < parts.size(); ++p) {
          scratch.full_states[p] = slices[parts[p].slice].cache->full_state(full);
          if (!record.attentions.empty()) {
            scratch.probabilities[p] = record.attentions[full * slices.size() + parts[p].slice];
            pass.probabilities = scratch.probabilities;
          }
        }
        FullLayer::forward(weights_.full_layers[full], hidden, hidden_size, pass, {scratch.full_states, parts.size()},
                           arena);
        ++full;
      }
    }
    if constexpr (is_moe<Text>) {
      if (pass.router_logits != nullptr) {
        write(pass.router_logits, Text::num_experts, record.router_logits[layer]);
      }
    }
  }
  for (const SlicePart& part : parts) {
    const std::size_t wanted = wanted_of(slices[part.slice], part, hidden_size);
    rms_norm_rows(weights_.norm, hidden + (part.first + part.count - wanted) * hidden_size, wanted, hidden_size, rows);
    rows += wanted * hidden_size;
  }
}

QWEN35_END_NAMESPACE
