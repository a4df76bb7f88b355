// SPDX-License-Identifier: Apache-2.0
// Videos to the vision tower's input: frames sampled, resized, normalised, cut into patches of two frames.
#pragma once

#include <qwen35/core/lifetime.hpp>
#include <qwen35/media/frame_sampling.hpp>
#include <qwen35/media/image_processor.hpp>
#include <qwen35/media/video_source.hpp>

QWEN35_BEGIN_NAMESPACE

// What a call may change of the processor's settings.
struct VideoOptions {
  std::optional<PixelArea> size{};          // areas of all frames together
  std::optional<std::size_t> min_pixels{};  // wins over size
  std::optional<std::size_t> max_pixels{};
  std::optional<double> fps{};              // frames a second to take; not together with num_frames
  std::optional<std::size_t> num_frames{};  // as given: not clamped; more than there are repeats some
  std::optional<bool> do_sample_frames{};   // false: every frame
  std::optional<bool> do_resize{};
  std::optional<bool> do_rescale{};
  std::optional<bool> do_normalize{};
};

struct VideoInputs {
  Tensor<float> pixel_values_videos;          // [patches of all videos, 3 * temporal_patch_size * patch_size^2]
  Tensor<std::int64_t> video_grid_thw;        // [videos, 3]: frames / temporal_patch_size, height and width in patches
  std::vector<VideoMetadata> video_metadata;  // with the indices that were taken
  std::vector<std::vector<double>> timestamps;  // [videos][temporal patches], seconds
};

// Several videos as one input, in this order. Raises InputError when their rows differ in length.
inline VideoInputs join(std::span<const VideoInputs> videos) {
  VideoInputs out;
  std::vector<float> values;
  std::vector<std::int64_t> grids;
  std::size_t width = 0;
  for (const VideoInputs& video : videos) {
    const Shape& shape = video.pixel_values_videos.shape();
    require<InputError>(shape.rank() == 2 && (width == 0 || shape[1] == width), "videos: patch rows of shape ",
                        to_string(shape), " beside rows of ", width, " values");
    width = shape[1];
    values.insert(values.end(), video.pixel_values_videos.begin(), video.pixel_values_videos.end());
    grids.insert(grids.end(), video.video_grid_thw.begin(), video.video_grid_thw.end());
    out.video_metadata.insert(out.video_metadata.end(), video.video_metadata.begin(), video.video_metadata.end());
    out.timestamps.insert(out.timestamps.end(), video.timestamps.begin(), video.timestamps.end());
  }
  const std::size_t rows = width == 0 ? 0 : values.size() / width, count = grids.size() / 3;
  out.pixel_values_videos = Tensor<float>({rows, width}, std::move(values));
  out.video_grid_thw = Tensor<std::int64_t>({count, 3}, std::move(grids));
  return out;
}

// Immutable; may be shared between threads.
class VideoProcessor {
 public:
  VideoProcessor() = default;  // the published models' settings
  // Raises ConfigError for settings that cannot work.
  explicit VideoProcessor(const VideoProcessorConfig& config) : config_(config) { config_.check("video processor"); }
  static VideoProcessor from_pretrained(const ModelFolder& files) {
    return VideoProcessor(VideoProcessorConfig::from_pretrained(files));
  }

  const VideoProcessorConfig& config() const QWEN35_LIFETIMEBOUND { return config_; }

  // The indices of the frames to take. Raises InputError for an empty video, a rate that is not above 0, or fps and
  // num_frames together.
  std::vector<std::size_t> sample_frames(std::size_t total_num_frames, std::optional<double> source_fps,
                                         const VideoOptions& options = {}) const {
    require<InputError>(!options.fps || !options.num_frames, "fps and num_frames exclude each other");
    std::size_t count = total_num_frames;
    if (options.do_sample_frames.value_or(config_.do_sample_frames)) {
      count = options.num_frames.value_or(0);
      if (!options.num_frames) {
        count = frames_at_rate(total_num_frames, source_fps.value_or(default_video_fps),
                               options.fps.value_or(config_.fps), config_.min_frames, config_.max_frames);
      }
    }
    return spread_frames(total_num_frames, count);
  }

  // The size that frames of a clip of `num_frames` (after sampling) are brought to. Raises MediaError when one side is
  // too small or the aspect ratio above 200.
  ImageSize resized_size(std::size_t num_frames, ImageSize size, const VideoOptions& options = {}) const {
    const VideoProcessorConfig config = with_options(config_, options);
    if (config.do_resize) {
      return smart_resize_video(num_frames, size, config.temporal_patch_size, config.factor(),
                                config.size.shortest_edge, config.size.longest_edge);
    }
    check_unresized(size, config.factor());
    return size;
  }
  std::size_t get_number_of_video_patches(std::size_t num_frames, ImageSize size,
                                          const VideoOptions& options = {}) const {
    const ImageSize resized = resized_size(num_frames, size, options);
    return patches_of(num_frames) * (resized.height / config_.patch_size) * (resized.width / config_.patch_size);
  }
  // What a video costs in the text: its number of placeholder tokens. The time and two marks before each temporal patch
  // come on top.
  std::size_t video_tokens(std::size_t total_num_frames, std::optional<double> source_fps, ImageSize size,
                           const VideoOptions& options = {}) const {
    const std::size_t taken = sample_frames(total_num_frames, source_fps, options).size();
    return get_number_of_video_patches(taken, size, options) / (config_.merge_size * config_.merge_size);
  }

  // One video. Raises MediaError for one that cannot be read or resized, InputError for options that contradict each
  // other.
  template <VideoSource Source>
  VideoInputs preprocess(Source&& source, const VideoOptions& options = {}) const {
    const VideoProcessorConfig config = with_options(config_, options);
    warn_of_areas(options);
    VideoMetadata metadata = source.metadata();
    require<InputError>(!metadata.fps || (*metadata.fps > 0.0 && std::isfinite(*metadata.fps)),
                        "video: expected a rate above 0 frames a second, got ", metadata.fps.value_or(0.0));
    const std::vector<std::size_t> taken = sample_frames(metadata.total_num_frames, metadata.fps, options);
    const PatchLayout layout{config.patch_size, config.temporal_patch_size, config.merge_size,
                             resized_size(taken.size(), {metadata.width, metadata.height}, options)};
    const std::size_t grid_t = patches_of(taken.size()), span = layout.temporal_patch_size;
    VideoInputs out;
    out.pixel_values_videos = Tensor<float>({grid_t * layout.rows(), layout.row_size()});
    out.video_grid_thw =
        Tensor<std::int64_t>({1, 3}, {static_cast<std::int64_t>(grid_t), static_cast<std::int64_t>(layout.grid_h()),
                                      static_cast<std::int64_t>(layout.grid_w())});
    const PixelTable table(config);
    std::size_t count = 0;
    source.read(std::span<const std::size_t>(taken), [&](const PixelView& frame) {
      require<MediaError>(count < taken.size() && frame.width == metadata.width && frame.height == metadata.height,
                          "video: frame ", count, " has ", frame.width, " x ", frame.height, " pixels, expected ",
                          metadata.width, " x ", metadata.height);
      // The last frame also fills what is left of its temporal patch.
      const std::size_t first = count % span, last = count + 1 == taken.size() ? span : first + 1;
      float* const rows = out.pixel_values_videos.data() + count / span * layout.rows() * layout.row_size();
      resize_to_patches(frame, layout, table, first, last, rows);
      ++count;
    });
    require<MediaError>(count == taken.size(), "video: ", count, " frames came, expected ", taken.size());
    // Frames that were sampled before keep the places they then had.
    if (options.do_sample_frames.value_or(config_.do_sample_frames) || metadata.frames_indices.empty()) {
      metadata.frames_indices = taken;
    }
    out.timestamps.push_back(frame_timestamps(metadata.frames_indices, metadata.fps.value_or(default_video_fps), span));
    out.video_metadata.push_back(std::move(metadata));
    return out;
  }

 private:
  std::size_t patches_of(std::size_t num_frames) const {
    return (num_frames + config_.temporal_patch_size - 1) / config_.temporal_patch_size;
  }

  VideoProcessorConfig config_;
};

QWEN35_END_NAMESPACE
