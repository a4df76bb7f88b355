// SPDX-License-Identifier: Apache-2.0
// How the processor works. Include processor.hpp.
#pragma once

#include <qwen35/io/file_writer.hpp>
#include <qwen35/processor/processor.hpp>
#include <qwen35/weights/model_files.hpp>

#include <deque>

QWEN35_BEGIN_NAMESPACE

namespace detail {

// How often a token stands in text number `index` and acts.
inline std::size_t count_of(std::string_view text, std::string_view token, std::size_t index,
                            const AddedTokenFilter& acts) {
  std::size_t count = 0;
  for (std::size_t at = text.find(token); at != std::string_view::npos; at = text.find(token, at + token.size())) {
    count += !acts || acts(index, at, at + token.size()) ? 1u : 0u;
  }
  return count;
}

// Raises InputError unless the texts have a placeholder for each medium of a kind, and no more.
inline void check_places(const std::vector<std::string>& texts, std::string_view token, std::size_t given,
                         std::string_view kind) {
  std::size_t places = 0;
  for (const std::string& text : texts) {
    places += count_of(text, token, 0, {});
  }
  require<InputError>(places == given, "the texts have ", places, " ", kind, " placeholders (", token, "), and ", given,
                      " ", kind, "s were given",
                      given == 0 ? "; a text whose placeholders are expanded already is for the tokenizer" : "");
}

// A rendered chat whose media have become as many tokens as they need; who wrote what of it.
struct ExpandedChat {
  std::string text;
  std::vector<TextRun> runs;
};

// replacements: for each of chat.media, in order.
inline ExpandedChat expand_media(const RenderedChat& chat, std::vector<TextRun> runs,
                                 std::span<const std::string* const> replacements, VideoForm form) {
  constexpr PlaceholderTokens tokens;
  ExpandedChat out;
  std::size_t copied = 0;
  auto run = runs.begin();
  const auto shift = [&](std::size_t end) {  // runs that end up to there move by what was put in before
    for (; run != runs.end() && run->end <= end; ++run) {
      run->end = run->end - copied + out.text.size();
    }
  };
  for (std::size_t i = 0; i < chat.media.size(); ++i) {
    const bool video = chat.media[i].type == PartType::video;
    const bool marks = video && form == VideoForm::marked;  // those around it go too
    const std::size_t begin = chat.media[i].text_offset - (marks ? tokens.vision_start.size() : 0);
    shift(begin);
    out.text.append(chat.text, copied, begin - copied).append(*replacements[i]);
    copied = chat.media[i].text_offset + (video ? tokens.video : tokens.image).size() +
             (marks ? tokens.vision_end.size() : 0);
  }
  shift(chat.text.size());
  out.text.append(chat.text, copied);
  out.runs = std::move(runs);
  return out;
}

}  // namespace detail

#if defined(QWEN35_HAS_FFMPEG)
inline namespace with_ffmpeg {
#else
inline namespace without_ffmpeg {
#endif

inline Processor Processor::from_pretrained(const ModelFolder& folder, std::optional<ChatTemplate> chat) {
  const ModelFolder files = model_files(folder);
  if (!chat) {
    chat = recognise_chat_template(files).chat_template;
  }
  ImageProcessor images = ImageProcessor::from_pretrained(files);
  Tokenizer tokens = Tokenizer::from_pretrained(files);
  VideoProcessor videos = VideoProcessor::from_pretrained(files);
  Processor out = with_place([&] { return files.name(); },
                             [&] { return Processor(std::move(images), std::move(tokens), std::move(videos), *chat); });
  out.templates_ = find_chat_templates(files);
  return out;
}

inline void Processor::save_pretrained(const std::string& folder) const {
  make_folders<TextError>(folder);
  const auto place = [&](std::string_view name) { return concat(folder, "/", name); };
  require<TextError>(!path_exists(place("chat_template.json")), place("chat_template.json"),
                     ": would count before the chat template that is written; remove it");
  json::Value both = json::Value::object();
  both["processor_class"] = "Qwen3VLProcessor";
  std::vector<std::pair<std::string, std::string>> texts{
      {"preprocessor_config.json", json::dump(image_processor.config().to_json()) + "\n"},
      {"video_preprocessor_config.json", json::dump(video_processor.config().to_json()) + "\n"},
      {"processor_config.json", json::dump(both) + "\n"}};
  for (const auto& [name, text] : templates_.templates) {
    if (name == "default") {
      texts.emplace_back("chat_template.jinja", text);
    } else {
      require<TextError>(!name.empty() && name[0] != '.' && name.find('/') == std::string::npos, "processor: \"", name,
                         "\" is the name of a chat template, but not one that a file can have");
      make_folders<TextError>(place("additional_chat_templates"));
      texts.emplace_back(concat("additional_chat_templates/", name, ".jinja"), text);
    }
  }
  std::deque<FileWriter<TextError>> files;
  for (const auto& [name, text] : texts) {
    files.emplace_back(place(name)).write(text);
    files.back().finish();
  }
  // From here on a folder that is left half-way does not load.
  remove_file<TextError>(place("processor_config.json"));
  remove_file<TextError>(place("preprocessor_config.json"));
  tokenizer.save_pretrained(folder);
  for (std::size_t i = files.size(); i-- > 0;) {
    files[i].commit();
  }
}

inline Processor::MediaTexts Processor::process_media(const ProcessorInput& input, const MediaPlaces& places,
                                                      ProcessorOutput& out) const {
  const std::size_t count = input.images.size() + input.videos.size();
  require<InputError>(count <= input.limits.max_media, count, " pictures and videos, the limit is ",
                      input.limits.max_media, " (MediaLimits::max_media)");
  MediaTexts texts;
  if (!input.images.empty()) {
    ImageInputs images = process_images(image_processor, input.images, input.images_kwargs, input.limits, places.image);
    texts.images = image_replacements(images.image_grid_thw, image_processor.config().merge_size);
    out.pixel_values = std::move(images.pixel_values);
    out.image_grid_thw = std::move(images.image_grid_thw);
  }
  if (!input.videos.empty()) {
    std::vector<VideoInputs> each;
    for (std::size_t i = 0; i < input.videos.size(); ++i) {
      each.push_back(with_place([&] { return places.video(i); },
                                [&] {
                                  return process_video(video_processor, input.videos[i], input.videos_kwargs,
                                                       input.folder_fps, input.limits);
                                }));
    }
    VideoInputs videos = each.size() == 1 ? std::move(each[0]) : join(each);
    texts.videos = video_replacements(videos.video_grid_thw, videos.timestamps, video_processor.config().merge_size);
    out.pixel_values_videos = std::move(videos.pixel_values_videos);
    out.video_grid_thw = std::move(videos.video_grid_thw);
    out.video_metadata = std::move(videos.video_metadata);
  }
  return texts;
}

inline ProcessorOutput Processor::process(const ProcessorInput& input, const MediaPlaces& places) const {
  require<InputError>(!input.images.empty() || !input.text.empty() || !input.videos.empty(),
                      "You need to provide at least one input to call Processor");
  if (!input.text.empty()) {  // before anything is decoded
    constexpr PlaceholderTokens tokens;
    detail::check_places(input.text, tokens.image, input.images.size(), "image");
    detail::check_places(input.text, tokens.video, input.videos.size(), "video");
  }
  ProcessorOutput out;
  const MediaTexts media = process_media(input, places, out);
  if (!input.text.empty()) {
    std::vector<std::string> texts = input.text;
    expand_placeholders(texts, media.images, media.videos, {}, input.video_form);
    tokenize(input, texts, {}, out);
  }
  return out;
}

inline void Processor::tokenize(const ProcessorInput& input, const std::vector<std::string>& texts,
                                const AddedTokenFilter& acts, ProcessorOutput& out) const {
  static_cast<BatchEncoding&>(out) = tokenizer(texts,
                                               {.padding = input.padding,
                                                .truncation = input.truncation,
                                                .max_length = input.max_length,
                                                .return_offsets_mapping = input.return_offsets_mapping,
                                                .padding_side = input.padding_side,
                                                .pad_to_multiple_of = input.pad_to_multiple_of},
                                               acts);
  for (std::size_t i = 0; i < texts.size(); ++i) {
    const std::vector<TokenId>& ids = out.input_ids[i];
    for (const bool video : {false, true}) {
      constexpr PlaceholderTokens names;
      const auto in_ids =
          static_cast<std::size_t>(std::count(ids.begin(), ids.end(), video ? video_token_id_ : image_token_id_));
      const std::size_t in_text = detail::count_of(texts[i], video ? names.video : names.image, i, acts);
      require<InputError>(in_ids == in_text, "Mismatch in `", video ? "video" : "image",
                          "` token count between text and `input_ids`. Text ", i, ": ids ", in_ids, ", text ", in_text,
                          ". Likely due to truncation: disable it or increase `max_length`.");
    }
    if (input.return_mm_token_type_ids) {
      out.mm_token_type_ids.push_back(mm_token_type_ids(ids, image_token_id_, video_token_id_));
    }
  }
}

inline ProcessorOutput Processor::apply_chat_template(std::span<const std::vector<Message>> conversations,
                                                      const ChatInput& input) const {
  require<InputError>(input.processor_kwargs.text.empty(),
                      "chat: processor_kwargs.text would not be read; the messages are the text");
  ProcessorInput all = input.processor_kwargs;
  const std::vector<ImageItem> images = std::exchange(all.images, {});
  const std::vector<VideoItem> videos = std::exchange(all.videos, {});
  struct Place {
    std::size_t conversation, message, part;
  };
  std::vector<Place> image_places, video_places;
  const auto words = [&](const Place& place) {
    return concat(conversations.size() > 1 ? concat("conversations[", place.conversation, "].") : "",
                  place_of_part(place.message, place.part));
  };
  std::vector<RenderedChat> chats;
  std::size_t next_image = 0, next_video = 0;
  for (std::size_t i = 0; i < conversations.size(); ++i) {
    const std::vector<Message>& messages = conversations[i];
    chats.push_back(render(messages, input));
    for (const RenderedMedium& medium : chats.back().media) {
      const ContentPart& part = (*messages[medium.message_index].content.parts())[medium.part_index];
      const bool apart = part.data == nullptr && part.value.empty();
      const Place place{i, medium.message_index, medium.part_index};
      const auto take = [&](const char* what, const auto& given, std::size_t& next, const auto& item_of) {
        return with_place([&] { return words(place); },
                          [&] {
                            require<InputError>(!apart || next < given.size(), what, " that names nothing, and ",
                                                given.size(), " were given apart");
                            return apart ? given[next++] : item_of(part);
                          });
      };
      if (medium.type == PartType::image) {
        all.images.push_back(take("a picture", images, next_image, image_item));
        image_places.push_back(place);
      } else {
        all.videos.push_back(take("a video", videos, next_video, video_item));
        video_places.push_back(place);
      }
    }
  }
  const MediaPlaces places{[&](std::size_t index) { return words(image_places[index]); },
                           [&](std::size_t index) { return words(video_places[index]); }};
  require<InputError>(next_image == images.size() && next_video == videos.size(), "chat: ", images.size(),
                      " pictures and ", videos.size(), " videos were given apart, the messages have places for ",
                      next_image, " and ", next_video);
  if (input.injected == added_tokens::parse || chats.empty()) {
    for (RenderedChat& chat : chats) {
      all.text.push_back(std::move(chat.text));
    }
    return process(all, places);
  }
  ProcessorOutput out;
  const MediaTexts media = process_media(all, places, out);
  auto image = media.images.begin(), video = media.videos.begin();
  std::vector<std::vector<TextRun>> runs;
  for (std::size_t i = 0; i < chats.size(); ++i) {
    std::vector<const std::string*> replacements;
    for (const RenderedMedium& medium : chats[i].media) {
      replacements.push_back(&*(medium.type == PartType::image ? image : video)++);
    }
    detail::ExpandedChat chat = detail::expand_media(
        chats[i], text_runs(chats[i], conversations[i], input.continue_final_message), replacements, all.video_form);
    all.text.push_back(std::move(chat.text));
    runs.push_back(std::move(chat.runs));
  }
  tokenize(
      all, all.text,
      [&](std::size_t i, std::size_t begin, std::size_t end) { return token_acts(runs[i], all.text[i], begin, end); },
      out);
  return out;
}

inline LoadedMedium Processor::load(const ContentPart& part, const ProcessorInput& options) const {
  LoadedMedium out;
  out.merge_size = image_processor.config().merge_size;
  const auto take = [&](Tensor<float>& values, const Tensor<std::int64_t>& grid) {
    out.pixel_values = std::move(values);
    std::copy(grid.begin(), grid.end(), out.grid_thw.begin());
  };
  if (part.type == PartType::image) {
    ImageInputs inputs = process_image(image_processor, image_item(part), options.images_kwargs, options.limits);
    take(inputs.pixel_values, inputs.image_grid_thw);
  } else {
    require<InputError>(part.type == PartType::video, "processor: a text is no medium");
    VideoInputs inputs =
        process_video(video_processor, video_item(part), options.videos_kwargs, options.folder_fps, options.limits);
    take(inputs.pixel_values_videos, inputs.video_grid_thw);
    out.timestamps = std::move(inputs.timestamps.at(0));
  }
  return out;
}

}  // inline namespace

QWEN35_END_NAMESPACE
