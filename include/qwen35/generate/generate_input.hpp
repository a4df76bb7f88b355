// SPDX-License-Identifier: Apache-2.0
// What a generation begins with: the arguments of the reference's `generate()` beside the config.
#pragma once

#include <qwen35/core/log.hpp>
#include <qwen35/fwd.hpp>
#include <qwen35/model/forward_input.hpp>
#include <qwen35/sampling/token_chooser.hpp>

#include <concepts>
#include <functional>
#include <vector>

QWEN35_BEGIN_NAMESPACE

// Called after each step with the newest token of every row (padding for rows that have ended); false ends the
// generation.
using Streamer = std::function<bool(std::span<const TokenId> tokens)>;

// One prompt a row, left-padded. What the reference takes beside the config, under its names. Everything here is a
// view: what it looks at must outlive the call. The same for all models: GenerateInput<Model>.
struct GenerateInputs {
  TensorView<TokenId> input_ids{};  // [batch, columns]
  AttentionMask attention_mask{};  // [batch, columns], 0 for padding; none: padding is known by pad_token_id where that
                                   // is no eos id
  TensorView<std::int32_t>
      position_ids{};  // [batch, columns], or that with a leading 1, 3 or 4; decoding goes on from the last
  TensorView<float> inputs_embeds{};  // [batch, columns, hidden_size]; with input_ids too, the embeddings are run and
                                      // `sequences` has the ids
  // Pictures and videos of the tokens that are not in a cache, see ForwardInput.
  TensorView<float> pixel_values{};
  TensorView<float> pixel_values_videos{};
  TensorView<std::int64_t> image_grid_thw{};
  TensorView<std::int64_t> video_grid_thw{};
  TensorView<std::int32_t> mm_token_type_ids{};
  ImageFeaturesView image_features{};
  ImageFeaturesView video_features{};
  // With a cache of P slots the columns are the whole sequence, of which the first P are not run again, or, with an
  // attention_mask that is P wider, the new tokens alone. It is left as it is where a prompt gets several sequences,
  // else it goes on.
  RectangleCache* past_key_values = nullptr;
  LogitsProcessorList logits_processor{};
  PrefixAllowedTokens prefix_allowed_tokens_fn{};
  StoppingCriteriaList stopping_criteria{};
  TokenText tokenizer{};   // for stop_strings
  TokenText token_text{};  // the former name of `tokenizer`, until version 0.2
  Streamer streamer{};     // not with beams
  // With a guidance_scale: what the scores move away from, one for each prompt or for each row. None: the prompt's last
  // token alone.
  TensorView<TokenId> negative_prompt_ids{};       // [batch, columns], left-padded
  AttentionMask negative_prompt_attention_mask{};  // [batch, columns], 0 for padding; none: there is no padding
  // Numbers of the prompts, [batch]; none: 0, 1, 2 ... A draw depends on the config's seed, this number, which of the
  // prompt's sequences it is for, and how many tokens stand before it (padding not counted): not on the other prompts,
  // the number of threads or a cache.
  std::vector<std::uint32_t> sequence_ids{};
  // What else the first forward gets: a workspace, replaced_rows, and media, which may stand above as well. Anything
  // else in it is an error: the generation has its own.
  ForwardInput model_kwargs{};
};

// What a tokenizer or a processor returns: rows of ids with their mask, and media.
template <class I>
concept EncodedInputs = requires(const I& inputs) {
  { inputs.ids() } -> std::same_as<Tensor<TokenId>>;
  { inputs.mask() } -> std::same_as<Tensor<std::int32_t>>;
  inputs.attention_mask.empty();
};

// The arguments of the first forward that are not the generation's own. Raises InputError for one that it would not
// read, or that is given twice.
ForwardInput first_forward(const GenerateInputs& input);

// The tokenizer for stop strings.
const TokenText& tokenizer_of(const GenerateInputs& input);

#if QWEN35_BODIES

QWEN35_BODY ForwardInput first_forward(const GenerateInputs& input) {
  ForwardInput out = input.model_kwargs;
  const auto refuse = [](bool given, const char* name, const char* instead) {
    if (given) {
      decline<InputError>(concat("generate: model_kwargs.", name, " would not be read; ", instead));
    }
  };
  constexpr const char* beside = "give it beside model_kwargs";
  refuse(static_cast<bool>(out.input_ids), "input_ids", beside);
  refuse(static_cast<bool>(out.attention_mask), "attention_mask", beside);
  refuse(static_cast<bool>(out.position_ids), "position_ids", beside);
  refuse(out.past_key_values != nullptr, "past_key_values", beside);
  refuse(static_cast<bool>(out.inputs_embeds), "inputs_embeds", beside);
  constexpr const char* config = "the generation config says it";
  refuse(out.use_cache.has_value(), "use_cache", config);
  refuse(out.output_hidden_states, "output_hidden_states", config);
  refuse(out.output_attentions, "output_attentions", config);
  constexpr const char* forward = "it is an argument of forward() alone";
  refuse(static_cast<bool>(out.labels) || static_cast<bool>(out.shift_labels) || out.num_items_in_batch.has_value(),
         "labels", forward);
  refuse(static_cast<bool>(out.cache_position), "cache_position", forward);
  refuse(out.output_router_logits.has_value(), "output_router_logits", forward);
  refuse(!out.logits_to_keep.is_default(), "logits_to_keep", forward);
  const auto take = [](const char* name, const auto& from, auto& to) {
    if (from.size() > 0 &&
        holds<InputError>(to.size() == 0, "generate: ", name, " are given twice, in model_kwargs too")) {
      to = from;
    }
  };
  take("pixel_values", input.pixel_values, out.pixel_values);
  take("pixel_values_videos", input.pixel_values_videos, out.pixel_values_videos);
  take("image_grid_thw", input.image_grid_thw, out.image_grid_thw);
  take("video_grid_thw", input.video_grid_thw, out.video_grid_thw);
  take("mm_token_type_ids", input.mm_token_type_ids, out.mm_token_type_ids);
  take("image_features", input.image_features, out.image_features);
  take("video_features", input.video_features, out.video_features);
  return out;
}

QWEN35_BODY const TokenText& tokenizer_of(const GenerateInputs& input) {
  if (input.token_text) {
    log_warning("generate: token_text is called tokenizer now");
  }
  return input.tokenizer ? input.tokenizer : input.token_text;
}

#endif  // QWEN35_BODIES

QWEN35_END_NAMESPACE
