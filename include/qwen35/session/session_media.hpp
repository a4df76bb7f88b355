// SPDX-License-Identifier: Apache-2.0
// The pictures and videos of a conversation: what they are, where they stand in the ids, and what the vision tower made
// of them.
#pragma once

#include <qwen35/generate/sequence_model.hpp>
#include <qwen35/media/placeholders.hpp>
#include <qwen35/model/image_features.hpp>
#include <qwen35/model/rope_index.hpp>
#include <qwen35/session/session_encoder.hpp>
#include <qwen35/text/message.hpp>

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

QWEN35_BEGIN_NAMESPACE

// A model that encodes pictures apart. One that may or may not have a vision tower says so with has_vision().
template <class M>
concept ReadsMedia = SequenceModel<M> &&
    requires(const M& model, TensorView<float> pixels, TensorView<std::int64_t> grid,
             std::function<bool(std::size_t, std::size_t)> progress) {
  { model.get_image_features(pixels, grid, progress) } -> std::same_as<std::vector<ImageFeatures>>;
  { model.get_video_features(pixels, grid, progress) } -> std::same_as<std::vector<ImageFeatures>>;
};

template <class M>
bool reads_media(const M& model) {
  if constexpr (requires { model.has_vision(); }) {
    return model.has_vision();
  } else {
    return ReadsMedia<M>;
  }
}

// What a session knows of a medium for good, with or without its pixels.
struct SessionMedium {
  PartType type = PartType::image;
  std::array<std::int64_t, 3> grid_thw{};
  std::vector<double> timestamps;
  std::size_t merge_size = 2;
  std::uint64_t content_hash = 0;  // of the patch rows and the grid

  std::size_t tokens() const {
    return static_cast<std::size_t>(grid_thw[0] * grid_thw[1] * grid_thw[2]) / (merge_size * merge_size);
  }
  // What stands in the place of its placeholder.
  std::string replacement() const;
};

// Placeholder tokens that follow each other: those of a picture, or of one temporal patch of a video.
struct MediaRun {
  std::size_t begin = 0;  // in the ids
  std::size_t count = 0;
  std::size_t medium = 0;  // of the conversation
  std::size_t frame = 0;   // temporal patch of the medium
  std::uint64_t content_hash = 0;
  bool video = false;

  // Two pictures of one size have the same ids: this tells them apart.
  bool same_content(const MediaRun& other) const {
    return begin == other.begin && count == other.count && frame == other.frame && content_hash == other.content_hash;
  }
};

// What the vision tower made of a medium: one item for a picture, one for each temporal patch of a video, so that a
// prompt can be cut between them.
using KeptFeatures = std::shared_ptr<const std::vector<ImageFeatures>>;

// The latest used features, up to a number of bytes.
class FeatureStore {
 public:
  // Null when they are not held.
  KeptFeatures find(std::uint64_t content_hash);
  void keep(std::uint64_t content_hash, KeptFeatures features, std::size_t max_bytes);
  std::size_t bytes() const;
  void clear() { items_.clear(); }

 private:
  std::vector<std::pair<std::uint64_t, KeptFeatures>> items_;  // the latest used last
};

// The media of one call, as far as its tokens are not held yet: everything a piece of the prompt needs.
struct TurnMedia {
  std::vector<MediaRun> runs;          // all of the conversation, in order
  std::vector<std::size_t> ends;       // where the blocks end, marks included
  std::vector<KeptFeatures> features;  // of each medium; null for those that are held
  std::size_t merge_size = 2;          // of all

  // Where a piece of the prompt from `at` to `end` may end without cutting a run.
  std::size_t piece_end(std::size_t at, std::size_t end) const;
};

// The media parts of messages, in order: f(message index, part index, part).
template <class F>
void each_medium(const std::vector<Message>& messages, const F& f) {
  for (std::size_t i = 0; i < messages.size(); ++i) {
    if (const std::vector<ContentPart>* const parts = messages[i].content.parts()) {
      for (std::size_t k = 0; k < parts->size(); ++k) {
        if ((*parts)[k].type != PartType::text) {
          f(i, k, (*parts)[k]);
        }
      }
    }
  }
}

std::size_t count_media(const std::vector<Message>& messages);

// Each temporal patch as an item of its own: the same rows, and by the reference's rule for videos the same positions.
std::vector<ImageFeatures> by_frame(ImageFeatures item);

// Where the media of `chat` stand in its ids. `order`: which of the conversation's media each is.
TurnMedia locate_media(const EncodedChat& chat, std::span<const std::size_t> order,
                       const std::vector<SessionMedium>& media, TokenId image_pad, TokenId video_pad);

#if QWEN35_BODIES

QWEN35_BODY std::string SessionMedium::replacement() const {
  const TensorView<std::int64_t> grid(grid_thw.data(), Shape{1, 3});
  return type == PartType::image ? image_replacements(grid, merge_size)[0]
                                 : video_replacements(grid, std::span(&timestamps, 1), merge_size)[0];
}

QWEN35_BODY KeptFeatures FeatureStore::find(std::uint64_t content_hash) {
  for (std::size_t i = 0; i < items_.size(); ++i) {
    if (items_[i].first == content_hash) {
      std::rotate(items_.begin() + static_cast<std::ptrdiff_t>(i), items_.begin() + static_cast<std::ptrdiff_t>(i) + 1,
                  items_.end());
      return items_.back().second;
    }
  }
  return nullptr;
}

QWEN35_BODY void FeatureStore::keep(std::uint64_t content_hash, KeptFeatures features, std::size_t max_bytes) {
  items_.emplace_back(content_hash, std::move(features));
  while (!items_.empty() && bytes() > max_bytes) {
    items_.erase(items_.begin());
  }
}

QWEN35_BODY std::size_t FeatureStore::bytes() const {
  std::size_t sum = 0;
  for (const auto& item : items_) {
    for (const ImageFeatures& features : *item.second) {
      sum += features.pooler_output.size() * sizeof(float);
    }
  }
  return sum;
}

QWEN35_BODY std::size_t TurnMedia::piece_end(std::size_t at, std::size_t end) const {
  for (const MediaRun& run : runs) {
    if (run.begin < end && end < run.begin + run.count) {
      return run.begin > at ? run.begin : run.begin + run.count;
    }
  }
  return end;
}

QWEN35_BODY std::size_t count_media(const std::vector<Message>& messages) {
  std::size_t count = 0;
  each_medium(messages, [&](std::size_t, std::size_t, const ContentPart&) { ++count; });
  return count;
}

QWEN35_BODY std::vector<ImageFeatures> by_frame(ImageFeatures item) {
  std::vector<ImageFeatures> out;
  const auto frames = static_cast<std::size_t>(item.grid_thw[0]);
  if (frames <= 1) {
    out.push_back(std::move(item));
    return out;
  }
  const std::size_t width = item.pooler_output.shape()[1], rows = item.pooler_output.shape()[0] / frames;
  for (std::size_t t = 0; t < frames; ++t) {
    const float* const first = item.pooler_output.data() + t * rows * width;
    out.push_back({Tensor<float>({rows, width}, std::vector<float>(first, first + rows * width)),
                   {1, item.grid_thw[1], item.grid_thw[2]},
                   item.content_hash});
  }
  return out;
}

QWEN35_BODY TurnMedia locate_media(const EncodedChat& chat, std::span<const std::size_t> order,
                                   const std::vector<SessionMedium>& media, TokenId image_pad, TokenId video_pad) {
  TurnMedia out;
  out.features.resize(media.size());
  out.merge_size = media.empty() ? out.merge_size : media[0].merge_size;
  for (std::size_t i = 0; i < chat.media.size(); ++i) {
    const SessionMedium& medium = media[order[i]];
    const bool video = medium.type == PartType::video;
    const TokenId pad = video ? video_pad : image_pad;
    std::size_t frame = 0;
    for (std::size_t at = chat.media[i].begin; at < chat.media[i].end;) {
      if (chat.ids[at] != pad) {
        ++at;
        continue;
      }
      const std::size_t begin = at;
      while (at < chat.media[i].end && chat.ids[at] == pad) {
        ++at;
      }
      out.runs.push_back({begin, at - begin, order[i], frame++, medium.content_hash, video});
    }
    out.ends.push_back(chat.media[i].end);
  }
  return out;
}

#endif  // QWEN35_BODIES

QWEN35_END_NAMESPACE
