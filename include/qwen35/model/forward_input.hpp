// SPDX-License-Identifier: Apache-2.0
// Arguments and results of a model's forward over a rectangle of tokens, named as in the reference. One structure goes
// through all models; each says what it does not take.
#pragma once

#include <qwen35/core/tensor.hpp>  // first, so that what it says of temporaries stands on few lines

#include <qwen35/cache/rectangle_cache.hpp>
#include <qwen35/model/attention_mask.hpp>
#include <qwen35/model/forward_workspace.hpp>
#include <qwen35/model/image_features.hpp>
#include <qwen35/model/lm_head.hpp>

#include <iosfwd>
#include <memory>
#include <optional>
#include <vector>

QWEN35_BEGIN_NAMESPACE

// Exactly one of input_ids and inputs_embeds is given. Media are those of the new tokens, in the order of their
// placeholder tokens through the whole batch.
struct ForwardInput {
  TensorView<TokenId> input_ids{};          // [batch, sequence]; a flat vector is a batch of one
  AttentionMask attention_mask{};           // [batch, past + sequence] or 4-D, see AttentionMask
  TensorView<std::int32_t> position_ids{};  // [batch, sequence], or that with a leading 1, 3 or 4; none: chosen
  RectangleCache* past_key_values = nullptr;
  // [batch, sequence, hidden_size]; with media a row equal to a placeholder's embedding is a placeholder.
  TensorView<float> inputs_embeds{};
  // [batch * sequence] or empty: a row of hidden_size values that stands instead of the token's embedding, or null. Not
  // copied.
  std::span<const float* const> replaced_rows{};
  // For models with a head. labels [batch, sequence]: -100 is ignored; shift_labels: labels that are shifted already;
  // num_items_in_batch divides the summed loss instead of the number of targets. The last two: CausalLM alone.
  TensorView<std::int32_t> labels{};
  TensorView<std::int32_t> shift_labels{};
  std::optional<double> num_items_in_batch{};
  // For models with a vision tower.
  TensorView<float> pixel_values{};              // [patches, values of a patch] of all pictures
  TensorView<float> pixel_values_videos{};       // the same of all videos
  TensorView<std::int64_t> image_grid_thw{};     // [pictures, 3]
  TensorView<std::int64_t> video_grid_thw{};     // [videos, 3]
  TensorView<std::int32_t> mm_token_type_ids{};  // [batch, sequence]: 0 text, 1 picture, 2 video; needed with grids
  ImageFeaturesView image_features{};            // instead of pixel_values: what get_image_features() gave before
  ImageFeaturesView video_features{};            // instead of pixel_values_videos
  std::optional<bool> use_cache{};  // default: the config's; without past_key_values the output then holds a new cache
  TensorView<std::int32_t> cache_position{};  // [sequence]; if given, must be past ... past + sequence - 1
  bool output_hidden_states = false;
  bool output_attentions = false;
  // Default: the config's. ConditionalGeneration: only true, said here, gives aux_loss, as in the reference.
  std::optional<bool> output_router_logits{};
  LogitsToKeep logits_to_keep = 0;        // for models with a head
  ForwardWorkspace* workspace = nullptr;  // a Workspace<Config>, reused scratch; none: the call makes its own
};

// Filled as far as the model has it.
struct ForwardOutput {
  std::optional<float> loss{};            // with labels
  std::optional<float> aux_loss{};        // with router logits
  Tensor<float> logits;                   // of a model with a head: [batch, kept, vocab_size]
  Tensor<float> last_hidden_state;        // of one without: [batch, sequence, hidden_size], after the final norm
  std::vector<std::int32_t> rope_deltas;  // of one with a tower: [batch], as in RopeIndex; empty: positions count slots
  RectangleCache* past_key_values = nullptr;  // the caller's, or the one below; null without a cache
  std::unique_ptr<RectangleCache> owned_cache;
  // layers + 1: embeddings, outputs of all layers but the last, last_hidden_state
  std::vector<Tensor<float>> hidden_states;
  std::vector<Tensor<float>> attentions;     // full-attention layers: [batch, heads, sequence, past + sequence]
  std::vector<Tensor<float>> router_logits;  // layers: [batch * sequence, num_experts], raw
};

// What it holds, with shapes and losses; on one line.
std::string to_string(const ForwardOutput& output);
template <class Traits>
std::basic_ostream<char, Traits>& operator<<(std::basic_ostream<char, Traits>& out, const ForwardOutput& output) {
  return out << to_string(output);
}

// Raises InputError for arguments that a model does not have.
void require_no_media(const ForwardInput& input);
void require_no_labels(const ForwardInput& input);

#if QWEN35_BODIES

QWEN35_BODY std::string to_string(const ForwardOutput& output) {
  std::string out = "ForwardOutput:";
  const auto add = [&](const char* what, const auto& value) {
    out += concat(out.back() == ':' ? " " : ", ", what, " ", value);
  };
  const auto add_each = [&](const char* what, const std::vector<Tensor<float>>& each) {
    if (!each.empty()) {
      add(what, concat(each.size(), " ", to_string(each[0].shape())));
    }
  };
  if (output.loss) {
    add("loss", *output.loss);
  }
  if (output.aux_loss) {
    add("aux_loss", *output.aux_loss);
  }
  if (output.logits.size() > 0) {
    add("logits", to_string(output.logits.shape()));
  }
  if (output.last_hidden_state.size() > 0) {
    add("last_hidden_state", to_string(output.last_hidden_state.shape()));
  }
  add_each("hidden_states", output.hidden_states);
  add_each("attentions", output.attentions);
  add_each("router_logits", output.router_logits);
  if (output.past_key_values != nullptr) {
    add("cache of", concat(output.past_key_values->get_seq_length(), " tokens"));
  }
  return out;
}

QWEN35_BODY void require_no_media(const ForwardInput& input) {
  if (input.pixel_values || input.pixel_values_videos || input.image_grid_thw || input.video_grid_thw ||
      !input.image_features.empty() || !input.video_features.empty()) {
    decline<InputError>("pictures or videos were given, and this model reads text alone");
  }
}

QWEN35_BODY void require_no_labels(const ForwardInput& input) {
  if (input.labels || input.shift_labels) {
    decline<InputError>("labels were given, and this model has no head");
  }
}

#endif  // QWEN35_BODIES

QWEN35_END_NAMESPACE
