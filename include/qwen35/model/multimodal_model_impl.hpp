// SPDX-License-Identifier: Apache-2.0
// Bodies of Model, out of class so that `extern template` can keep them in one translation unit.
#pragma once

#include <qwen35/config/config_writer.hpp>
#include <qwen35/model/multimodal_model.hpp>

QWEN35_BEGIN_NAMESPACE

// What is known of the tokens before and in a call, whatever the config.
struct TokenCounts {
  Shape tokens;                    // [batch, sequence]
  std::size_t past = 0;            // slots
  std::vector<std::int32_t> seen;  // [batch]: unmasked tokens in the cache
  std::vector<std::int32_t>
      deltas;          // [batch]: the next position is seen + delta; as the cache says, or counted in slots
  bool known = false;  // does the cache say them?
  AttentionMask mask;  // [batch, past + sequence], or none

  bool visible(std::size_t b, std::size_t s) const { return !mask || mask.visible(b * (past + tokens[1]) + past + s); }
};

// Without a mask it does not look at the slots.
inline TokenCounts count_tokens(const Shape& tokens, const AttentionMask& mask, const RectangleCache* cache) {
  TokenCounts out;
  out.tokens = tokens;
  out.past = cache != nullptr ? cache->seq_length() : 0;
  const std::size_t batch = tokens[0];
  require<InputError>(out.past == 0 || cache->batch_size() == batch, "past_key_values holds ",
                      out.past == 0 ? 0 : cache->batch_size(), " sequences, the input has ", batch);
  if (mask && !mask.is_ready_made()) {
    const Shape expected{batch, out.past + tokens[1]};
    require<InputError>(!mask.is_additive() && mask.shape() == expected, "attention_mask of shape ",
                        to_string(mask.shape()), ", expected ", to_string(expected), ": past and new tokens");
    out.mask = mask;
  }
  out.seen.assign(batch, 0);
  out.deltas.assign(batch, 0);
  if (out.past == 0) {
    return out;
  }
  out.known = cache->rope_deltas().size() == batch;
  for (std::size_t b = 0; b < batch; ++b) {
    const SequenceCache& sequence = cache->sequence(b);
    if (!out.mask) {
      out.seen[b] = static_cast<std::int32_t>(sequence.tokens() - sequence.holes());
    }
    for (std::size_t slot = 0; out.mask && slot < sequence.tokens(); ++slot) {
      const bool held = sequence.valid().empty() || sequence.valid()[slot] != 0;
      out.seen[b] += held && out.mask.visible(b * (out.past + tokens[1]) + cache->pads(b) + slot) ? 1 : 0;
    }
    out.deltas[b] = out.known ? cache->rope_deltas()[b] : static_cast<std::int32_t>(out.past) - out.seen[b];
  }
  return out;
}

namespace detail {

// The offsets behind tokens whose positions the caller gave, so that a next call goes on from the largest. position_ids
// fits the tokens.
inline std::vector<std::int32_t> deltas_behind(const TokenCounts& counts, TensorView<std::int32_t> position_ids) {
  const Shape& shape = position_ids.shape();
  const std::size_t length = counts.tokens[1];
  const std::size_t planes = shape.rank() == 3 ? shape[0] : 1;
  const std::size_t rows = shape[shape.rank() - 2];
  std::vector<std::int32_t> out = counts.deltas;
  for (std::size_t b = 0; b < counts.tokens[0]; ++b) {
    std::int64_t seen = counts.seen[b];
    std::int64_t end = std::numeric_limits<std::int64_t>::min();
    for (std::size_t s = 0; s < length; ++s) {
      if (!counts.visible(b, s)) {
        continue;
      }
      ++seen;
      for (std::size_t plane = planes == 4 ? 1 : 0; plane < planes; ++plane) {
        end = std::max<std::int64_t>(end,
                                     std::int64_t{1} + position_ids[(plane * rows + (rows == 1 ? 0 : b)) * length + s]);
      }
    }
    if (seen != counts.seen[b]) {
      out[b] = static_cast<std::int32_t>(end - seen);
    }
  }
  return out;
}

}  // namespace detail

inline Shape token_shape(const ForwardInput& input) {
  require<InputError>(static_cast<bool>(input.input_ids) != static_cast<bool>(input.inputs_embeds),
                      "give exactly one of input_ids and inputs_embeds, not empty");
  const Shape& shape = input.input_ids ? input.input_ids.shape() : input.inputs_embeds.shape();
  require<InputError>(shape.rank() == (input.input_ids ? 2u : 3u) && shape.size() > 0,
                      input.input_ids ? "input_ids" : "inputs_embeds", " of shape ", to_string(shape),
                      ", expected [batch, sequence", input.input_ids ? "]" : ", hidden_size]", ", not empty");
  return {shape[0], shape[1]};
}

template <class Config>
std::vector<NamedParameter> Model<Config>::named_parameters(const HuggingFaceNames& names, bool lm_head) const {
  std::vector<NamedParameter> all = qwen35::named_parameters(language_model.weights(), names, lm_head);
  for (NamedParameter& parameter : qwen35::named_parameters<Vision>(visual.weights(), names)) {
    all.push_back(std::move(parameter));
  }
  return all;
}

template <class Config>
void Model<Config>::save_pretrained(const std::string& folder, std::string_view class_name,
                                    const std::vector<NamedParameter>& parameters, const SaveOptions& options,
                                    const std::vector<SideFile>& side_files) const {
  json::Value config = composite_config_json<Config>(values_);
  config["architectures"].push_back(architecture<Config>(class_name));
  save_checkpoint(folder, std::move(config), parameters, options, side_files);
}

template <class Config>
RopeIndex Model<Config>::positions(const Input& input) const {
  return positions(input, images_of(input), videos_of(input));
}

template <class Config>
RopeIndex Model<Config>::positions(const Input& input, const MediaInput& images, const MediaInput& videos) const {
  const TokenCounts counts = count_tokens(token_shape(input), input.attention_mask, input.past_key_values);
  const bool grids = images.grid_thw() || videos.grid_thw();
  require<InputError>(
      !grids || !input.input_ids || input.mm_token_type_ids,
      "pictures or videos were given without mm_token_type_ids; the processor returns them beside input_ids");
  RopeIndexInput wanted;
  wanted.tokens = counts.tokens;
  wanted.attention_mask = counts.mask;
  wanted.spatial_merge_size = Vision::spatial_merge_size;
  wanted.past_tokens = counts.seen;
  wanted.past_deltas = counts.deltas;
  if (input.input_ids && input.mm_token_type_ids) {
    wanted.mm_token_type_ids = input.mm_token_type_ids;
    wanted.image_grid_thw = images.grid_thw();
    wanted.video_grid_thw = videos.grid_thw();
    const auto& types = input.mm_token_type_ids;
    if (grids || std::any_of(types.data(), types.data() + types.size(), [](std::int32_t type) { return type != 0; })) {
      return rope_index(wanted);
    }
  }
  return counts.known ? rope_index(wanted) : RopeIndex();
}

// Flat indices of the placeholder tokens of one kind, in order.
template <class Config>
std::vector<std::size_t> Model<Config>::placeholders(const Input& input, TokenId id) const {
  std::vector<std::size_t> places;
  if (input.input_ids) {
    for (std::size_t i = 0; i < input.input_ids.size(); ++i) {
      if (input.input_ids[i] == id) {
        places.push_back(i);
      }
    }
    return places;
  }
  require<InputError>(input.inputs_embeds.shape()[2] == Text::hidden_size, "inputs_embeds of shape ",
                      to_string(input.inputs_embeds.shape()), ", expected [batch, sequence, ", Text::hidden_size, "]");
  if (id < 0 || static_cast<std::size_t>(id) >= Text::vocab_size) {
    return places;
  }
  std::vector<float> row(Text::hidden_size);
  language_model.embed(id, row.data());
  const float* const embeds = input.inputs_embeds.data();
  for (std::size_t i = 0; i < input.inputs_embeds.size() / row.size(); ++i) {
    if (std::equal(row.begin(), row.end(), embeds + i * row.size())) {
      places.push_back(i);
    }
  }
  return places;
}

template <class Config>
Model<Config>::Media::Media(const Model& model, const Input& input)
    : images(images_of(input)), videos(videos_of(input)) {
  if (images.has_rows()) {
    images.set_places(model.placeholders(input, model.values_.image_token_id), model.values_.image_token_id);
  }
  if (videos.has_rows()) {
    videos.set_places(model.placeholders(input, model.values_.video_token_id), model.values_.video_token_id);
  }
}

template <class Config>
std::vector<const float*> Model<Config>::replaced_rows(Media& media, std::size_t tokens) const {
  std::vector<const float*> rows;
  for (MediaInput* const part : {&media.images, &media.videos}) {
    if (part->has_rows()) {
      if (!part->encoded()) {
        part->set_features(visual.encode(part->pixels(), part->grid_thw()));
      }
      rows.resize(tokens, nullptr);
      part->splice(rows);
    }
  }
  return rows;
}

template <class Config>
typename Model<Config>::Output Model<Config>::forward(const Input& input) const {
  const Shape tokens = token_shape(input);
  // Encoding is most of the work of a short prompt: what can be wrong with the media is found before it.
  Media media(*this, input);
  RopeIndex chosen;
  if (!input.position_ids) {
    chosen = positions(input, media.images, media.videos);
  }
  const TensorView<std::int32_t> position_ids = input.position_ids ? input.position_ids
                                                : chosen.position_ids.empty()
                                                    ? TensorView<std::int32_t>()
                                                    : TensorView<std::int32_t>(chosen.position_ids);
  const TokenCounts counts = count_tokens(tokens, input.attention_mask, input.past_key_values);
  const std::vector<const float*> rows = replaced_rows(media, tokens.size());
  Input inner = input;
  inner.position_ids = position_ids;
  inner.pixel_values = {};
  inner.pixel_values_videos = {};
  inner.image_grid_thw = {};
  inner.video_grid_thw = {};
  inner.image_features = {};
  inner.video_features = {};
  if (!rows.empty()) {
    inner.replaced_rows = rows;
  }
  std::vector<std::int32_t> deltas =
      input.position_ids ? detail::deltas_behind(counts, position_ids) : std::move(chosen.rope_deltas);
  std::vector<std::int32_t> kept = deltas;
  Output output = language_model.forward(inner);
  output.rope_deltas = std::move(deltas);
  if (output.past_key_values != nullptr) {
    output.past_key_values->set_rope_deltas(std::move(kept));
  }
  return output;
}

QWEN35_END_NAMESPACE
