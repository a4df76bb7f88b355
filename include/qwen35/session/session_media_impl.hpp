// SPDX-License-Identifier: Apache-2.0
// How a session encodes its messages with their media, and runs them. Include session.hpp.
#pragma once

#include <qwen35/session/session.hpp>

#include <algorithm>

QWEN35_BEGIN_NAMESPACE

template <class Model>
LoadedMedium Session<Model>::load(const Message& message, std::size_t i, std::size_t k) const {
  const ContentPart& part = (*message.content.parts())[k];
  const std::string place = place_of_part(i, k);
  const std::string_view what = part.type == PartType::image ? "a picture" : "a video";
  require<InputError>(reads_media(*model_), place, " is ", what, ", and this model reads text alone");
  require<InputError>(static_cast<bool>(options_.media_loader), place, " is ", what,
                      ", and the session has no SessionOptions::media_loader: make it with a Processor");
  require<InputError>(!part.value.empty() || part.data != nullptr, place, " is ", what,
                      " that neither names nor carries its pixels (a saved conversation does not hold those that were "
                      "given in memory)");
  LoadedMedium out = with_place([&] { return place; }, [&] { return options_.media_loader(part); });
  const Shape& shape = out.pixel_values.shape();
  require<InputError>(shape.rank() == 2 && shape[0] > 0, place, ": the media loader gave patches of shape ",
                      to_string(shape));
  return out;
}

// Makes `media` cover the conversation.
template <class Model>
void Session<Model>::load_new(const std::vector<Message>& conversation, std::vector<SessionMedium>& media,
                              Pixels& pixels) const {
  const std::size_t count = count_media(conversation);
  require<InputError>(count <= options_.max_media, "Session: ", count, " pictures and videos, the limit is ",
                      options_.max_media, " (SessionOptions::max_media)");
  std::size_t index = 0;
  each_medium(conversation, [&](std::size_t i, std::size_t k, const ContentPart& part) {
    if (index == media.size()) {
      LoadedMedium loaded = load(conversation[i], i, k);
      const std::uint64_t hash = content_hash(loaded.pixel_values.data(), loaded.pixel_values.size(), loaded.grid_thw);
      media.push_back({part.type, loaded.grid_thw, loaded.timestamps, loaded.merge_size, hash});
      pixels.emplace_back(index, std::move(loaded));
    }
    ++index;
  });
}

// Gives `turn_media` the features of media that are not held yet: kept ones, or what the vision tower makes now. False
// when cancelled.
template <class Model>
bool Session<Model>::encode_media(const std::vector<Message>& conversation, const std::vector<SessionMedium>& media,
                                  Pixels& pixels, const SessionCallbacks& callbacks, TurnMedia& turn_media,
                                  Reply& reply) {
  if constexpr (ReadsMedia<Model>) {
    for (const MediaRun& run : turn_media.runs) {
      KeptFeatures& features = turn_media.features[run.medium];
      if (run.begin < cache_.tokens() || features != nullptr) {
        continue;
      }
      const SessionMedium& medium = media[run.medium];
      features = features_.find(medium.content_hash);
      if (features != nullptr) {
        continue;
      }
      LoadedMedium loaded;
      const auto have =
          std::find_if(pixels.begin(), pixels.end(), [&](const auto& entry) { return entry.first == run.medium; });
      if (have != pixels.end()) {
        loaded = std::move(have->second);
      } else {
        std::size_t index = 0;
        each_medium(conversation, [&](std::size_t i, std::size_t k, const ContentPart& part) {
          if (index++ == run.medium) {
            loaded = load(conversation[i], i, k);
            require<InputError>(content_hash(loaded.pixel_values.data(), loaded.pixel_values.size(), loaded.grid_thw) ==
                                    medium.content_hash,
                                place_of_part(i, k), ": ", part.value.substr(0, 300),
                                " is another than when it was first read");
          }
        });
      }
      const TensorView<std::int64_t> grid(loaded.grid_thw.data(), Shape{1, 3});
      std::vector<ImageFeatures> encoded =
          medium.type == PartType::image ? model_->get_image_features(loaded.pixel_values, grid, callbacks.encoding)
                                         : model_->get_video_features(loaded.pixel_values, grid, callbacks.encoding);
      if (encoded.empty()) {
        return false;
      }
      ++reply.usage.encoded_media;
      features = std::make_shared<const std::vector<ImageFeatures>>(
          medium.type == PartType::image ? std::move(encoded) : by_frame(std::move(encoded[0])));
      features_.keep(medium.content_hash, features, options_.media_bytes);
    }
  }
  return true;
}

template <class Model>
EncodedChat Session<Model>::encode(const std::vector<Message>& conversation, const std::vector<SessionMedium>& media,
                                   bool& thinking, TurnMedia& turn_media) const {
  std::vector<Message> messages;
  if (!options_.system.empty()) {
    messages.push_back(Message::system(options_.system));
  }
  messages.insert(messages.end(), conversation.begin(), conversation.end());
  const RenderedChat chat = render_chat(messages, options_.tools,
                                        {.add_generation_prompt = true,
                                         .enable_thinking = options_.enable_thinking,
                                         .preserve_thinking = options_.preserve_thinking,
                                         .chat_template = options_.chat_template});
  std::size_t query = last_query(messages);  // and the messages behind it that are no answer
  while (query + 1 < messages.size() && messages[query + 1].role != Role::assistant) {
    ++query;
  }
  thinking = opens_thinking(chat.text);
  if (chat.media.empty()) {
    return encode_chat(*tokenizer_, chat, messages, options_.injected, {}, options_.video_form, query);
  }
  std::vector<std::size_t>
      order;  // which of the conversation's media each of the chat's is: one in a dropped think block is not among them
  std::vector<std::string> replacements;
  std::size_t index = 0;
  each_medium(messages, [&](std::size_t i, std::size_t k, const ContentPart&) {
    if (order.size() < chat.media.size() && chat.media[order.size()].message_index == i &&
        chat.media[order.size()].part_index == k) {
      order.push_back(index);
      replacements.push_back(media[index].replacement());
    }
    ++index;
  });
  EncodedChat out =
      encode_chat(*tokenizer_, chat, messages, options_.injected, replacements, options_.video_form, query);
  constexpr PlaceholderTokens tokens;
  turn_media = locate_media(out, order, media, tokenizer_->convert_tokens_to_ids(tokens.image),
                            tokenizer_->convert_tokens_to_ids(tokens.video));
  return out;
}

// The pictures' rows and the positions of the tokens that the cache does not hold.
template <class Model>
PromptRows Session<Model>::prompt_rows(std::span<const TokenId> ids, const TurnMedia& media) const {
  PromptRows out;
  const std::size_t begin = cache_.tokens();
  const std::size_t tokens = ids.size() - begin;
  std::vector<std::int32_t> types;
  std::vector<std::int64_t> grids[2];  // of pictures, of videos
  for (const MediaRun& run : media.runs) {
    if (run.begin < begin) {
      continue;
    }
    types.resize(tokens, 0);
    out.replaced_rows.resize(tokens, nullptr);
    const ImageFeatures& features = (*media.features[run.medium])[run.frame];
    require<InputError>(features.pooler_output.shape()[0] == run.count, "Session: ", features.pooler_output.shape()[0],
                        " rows of a picture for ", run.count, " tokens");
    const std::size_t width = features.pooler_output.shape()[1];
    for (std::size_t i = 0; i < run.count; ++i) {
      types[run.begin - begin + i] = run.video ? 2 : 1;
      out.replaced_rows[run.begin - begin + i] = features.pooler_output.data() + i * width;
    }
    std::vector<std::int64_t>& grid = grids[run.video ? 1 : 0];
    grid.insert(grid.end(), features.grid_thw.begin(), features.grid_thw.end());
  }
  if (!types.empty()) {
    const std::int32_t seen = static_cast<std::int32_t>(begin - cache_.holes());
    const std::int32_t delta = cache_.rope_delta().value_or(0);
    const auto items = [](const std::vector<std::int64_t>& grid) {
      return grid.empty() ? TensorView<std::int64_t>() : TensorView<std::int64_t>(grid.data(), {grid.size() / 3, 3});
    };
    const RopeIndex index = rope_index({.tokens = {1, tokens},
                                        .mm_token_type_ids = TensorView<std::int32_t>(types.data(), {1, tokens}),
                                        .image_grid_thw = items(grids[0]),
                                        .video_grid_thw = items(grids[1]),
                                        .spatial_merge_size = media.merge_size,
                                        .past_tokens = {&seen, 1},
                                        .past_deltas = {&delta, 1}});
    out.positions.assign(index.position_ids.begin(), index.position_ids.end());
  }
  return out;
}

QWEN35_END_NAMESPACE
