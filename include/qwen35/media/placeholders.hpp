// SPDX-License-Identifier: Apache-2.0
// The places of pictures and videos in a text: each placeholder becomes as many tokens as the picture has merged
// patches; those of a video stand in groups, each after the time of its frames.
#pragma once

#include <qwen35/core/grid.hpp>

#include <charconv>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

QWEN35_BEGIN_NAMESPACE

struct PlaceholderTokens {
  std::string_view image = "<|image_pad|>";
  std::string_view video = "<|video_pad|>";
  std::string_view vision_start = "<|vision_start|>";
  std::string_view vision_end = "<|vision_end|>";
};

// How a video's placeholder is found. `pad`: each video token, so that the template's own vision_start ... vision_end
// stay around the groups (the reference from 5.10 on). `marked`: vision_start video vision_end as a whole, and single
// video tokens after those are used up (before 5.10).
enum class VideoForm : std::uint8_t { pad, marked };

namespace detail {

std::string repeat(std::string_view text, std::size_t count);

}  // namespace detail

// What stands for each picture. grid: image_grid_thw [pictures, 3].
std::vector<std::string> image_replacements(const TensorView<std::int64_t>& image_grid_thw, std::size_t merge_size = 2,
                                            const PlaceholderTokens& tokens = {});

// What stands for each video: for every temporal patch "<1.5 seconds>" vision_start video... vision_end. Raises
// InputError when the timestamps do not fit the grids [videos, 3].
std::vector<std::string> video_replacements(const TensorView<std::int64_t>& video_grid_thw,
                                            std::span<const std::vector<double>> timestamps, std::size_t merge_size = 2,
                                            const PlaceholderTokens& tokens = {});

// Replaces the placeholders of `texts` in place and in order; the counting runs on from text to text. Without any
// replacement of a kind its placeholders stay as they are. Raises InputError when there are more placeholders than
// replacements; more replacements than placeholders are left to the check of the model. (reference:
// get_text_with_replacements)
void expand_placeholders(std::span<std::string> texts, std::span<const std::string> images,
                         std::span<const std::string> videos, const PlaceholderTokens& tokens = {},
                         VideoForm form = VideoForm::pad);

// 1 where an id is the image token, 2 where it is the video token, else 0. (reference: create_mm_token_type_ids)
std::vector<std::int32_t> mm_token_type_ids(std::span<const std::int32_t> input_ids, std::int32_t image_token_id,
                                            std::int32_t video_token_id);

#if QWEN35_BODIES

namespace detail {

QWEN35_BODY std::string repeat(std::string_view text, std::size_t count) {
  std::string out;
  out.reserve(text.size() * count);
  for (std::size_t i = 0; i < count; ++i) {
    out += text;
  }
  return out;
}

}  // namespace detail

QWEN35_BODY std::vector<std::string> image_replacements(const TensorView<std::int64_t>& image_grid_thw,
                                                        std::size_t merge_size, const PlaceholderTokens& tokens) {
  std::vector<std::string> out;
  for (std::size_t i = 0; i < grid_count(image_grid_thw, "image_grid_thw"); ++i) {
    const Grid grid = grid_at(image_grid_thw, i, merge_size, "image_grid_thw");
    out.push_back(detail::repeat(tokens.image, grid.tokens(merge_size)));
  }
  return out;
}

QWEN35_BODY std::vector<std::string> video_replacements(const TensorView<std::int64_t>& video_grid_thw,
                                                        std::span<const std::vector<double>> timestamps,
                                                        std::size_t merge_size, const PlaceholderTokens& tokens) {
  const std::size_t videos = grid_count(video_grid_thw, "video_grid_thw");
  require<InputError>(timestamps.size() == videos, videos, " videos with timestamps for ", timestamps.size());
  std::vector<std::string> out(videos);
  for (std::size_t i = 0; i < videos; ++i) {
    const Grid grid = grid_at(video_grid_thw, i, merge_size, "video_grid_thw");
    const std::string pads = detail::repeat(tokens.video, grid.frame_tokens(merge_size));
    require<InputError>(timestamps[i].size() == grid.frames(), "video ", i, ": ", timestamps[i].size(),
                        " timestamps for ", grid.t, " temporal patches");
    for (const double seconds : timestamps[i]) {
      char text[400];  // a double with one decimal has at most 311 characters
      const std::to_chars_result end = std::to_chars(text, text + sizeof(text), seconds, std::chars_format::fixed, 1);
      out[i] += concat("<", std::string_view(text, static_cast<std::size_t>(end.ptr - text)), " seconds>",
                       tokens.vision_start, pads, tokens.vision_end);
    }
  }
  return out;
}

QWEN35_BODY void expand_placeholders(std::span<std::string> texts, std::span<const std::string> images,
                                     std::span<const std::string> videos, const PlaceholderTokens& tokens,
                                     VideoForm form) {
  require<InputError>(!tokens.image.empty() && !tokens.video.empty(), "placeholders: a token is empty");
  struct Place {
    std::size_t begin, length;
    bool video;
    std::size_t order;  // among the videos or pictures of this text
  };
  const std::string marked = concat(tokens.vision_start, tokens.video, tokens.vision_end);
  std::size_t next_image = 0, next_video = 0;
  for (std::string& text : texts) {
    std::vector<Place> places;
    std::size_t image_count = 0, marked_count = 0, bare_count = 0;
    for (std::size_t i = 0; i < text.size();) {
      const std::string_view rest = std::string_view(text).substr(i);
      if (!images.empty() && rest.starts_with(tokens.image)) {
        places.push_back({i, tokens.image.size(), false, image_count++});
      } else if (!videos.empty() && form == VideoForm::marked && rest.starts_with(marked)) {
        places.push_back({i, marked.size(), true, marked_count++});
      } else if (!videos.empty() && rest.starts_with(tokens.video)) {
        places.push_back({i, tokens.video.size(), true, bare_count++});
      } else {
        ++i;
        continue;
      }
      i += places.back().length;
    }
    std::string out;
    std::size_t copied = 0;
    for (const Place& place : places) {
      // Single tokens come after the marked ones, wherever they stand.
      const bool bare = place.video && form == VideoForm::marked && place.length == tokens.video.size();
      const std::size_t index = place.order + (place.video ? next_video + (bare ? marked_count : 0) : next_image);
      const std::span<const std::string> replacements = place.video ? videos : images;
      require<InputError>(index < replacements.size(), "the text has more ", place.video ? "video" : "image",
                          " placeholders than the ", replacements.size(), place.video ? " videos" : " images",
                          " given");
      out.append(text, copied, place.begin - copied);
      out += replacements[index];
      copied = place.begin + place.length;
    }
    out.append(text, copied);
    text = std::move(out);
    next_image += image_count;
    next_video += marked_count + bare_count;
  }
}

QWEN35_BODY std::vector<std::int32_t> mm_token_type_ids(std::span<const std::int32_t> input_ids,
                                                        std::int32_t image_token_id, std::int32_t video_token_id) {
  std::vector<std::int32_t> out(input_ids.size(), 0);
  for (std::size_t i = 0; i < input_ids.size(); ++i) {
    out[i] = input_ids[i] == image_token_id ? 1 : input_ids[i] == video_token_id ? 2 : 0;
  }
  return out;
}

#endif  // QWEN35_BODIES

QWEN35_END_NAMESPACE
