// SPDX-License-Identifier: Apache-2.0
// Settings of the image and video processors, as preprocessor_config.json and video_preprocessor_config.json name them.
#pragma once

#include <qwen35/config/json_fields.hpp>
#include <qwen35/io/model_folder.hpp>
#include <qwen35/json/parse.hpp>

#include <array>
#include <cmath>
#include <cstdint>
#include <optional>
#include <string_view>

QWEN35_BEGIN_NAMESPACE

// Areas in pixels, whatever the names say: the least and the greatest that a picture (a clip: all its frames together)
// is resized to.
struct PixelArea {
  std::size_t shortest_edge = 0;
  std::size_t longest_edge = 0;
  friend bool operator==(const PixelArea&, const PixelArea&) = default;
};

// What pictures and videos share. The defaults are the published models' for pictures.
struct PreprocessorConfig {
  PixelArea size{65536, 16777216};
  std::size_t patch_size = 16;
  std::size_t temporal_patch_size = 2;
  std::size_t merge_size = 2;
  std::array<double, 3> image_mean{0.5, 0.5, 0.5};
  std::array<double, 3> image_std{0.5, 0.5, 0.5};
  double rescale_factor = 1.0 / 255.0;
  bool do_resize = true;
  bool do_rescale = true;
  bool do_normalize = true;

  std::size_t factor() const { return patch_size * merge_size; }  // sides are multiples of it

  // Raises ConfigError, with `where` in front, for settings that no picture can be processed with.
  void check(std::string_view where) const;
};

struct ImageProcessorConfig : PreprocessorConfig {
  // From the object of preprocessor_config.json; what it does not give has the default of the reference's class, which
  // is not the published models'. Raises ConfigError naming the field.
  static ImageProcessorConfig from_json(const json::Value& file, std::string_view where = "preprocessor_config.json");
  // From a model's folder: "image_processor" in processor_config.json, else preprocessor_config.json.
  static ImageProcessorConfig from_pretrained(const ModelFolder& files);
  // A preprocessor_config.json.
  json::Value to_json() const;
};

struct VideoProcessorConfig : PreprocessorConfig {
  double fps = 2.0;
  std::size_t min_frames = 4;
  std::size_t max_frames = 768;
  bool do_sample_frames = true;

  VideoProcessorConfig() { size = {4096, 25165824}; }
  static VideoProcessorConfig from_json(const json::Value& file,
                                        std::string_view where = "video_preprocessor_config.json");
  // "video_processor" in processor_config.json, else video_preprocessor_config.json, else preprocessor_config.json.
  static VideoProcessorConfig from_pretrained(const ModelFolder& files);
  // A video_preprocessor_config.json.
  json::Value to_json() const;
};

inline void PreprocessorConfig::check(std::string_view where) const {
  const auto expect = [&](bool condition, std::string_view problem) {
    if (!condition) {
      decline<ConfigError>(concat(where, ".", problem));
    }
  };
  expect(size.shortest_edge > 0 && size.longest_edge > 0,
         "size: expected areas above 0 in \"shortest_edge\" and \"longest_edge\"");
  // Bounds that keep the rows of the smallest picture in memory, whatever the file says.
  expect(patch_size > 0 && patch_size <= 256, "patch_size: expected 1 to 256");
  expect(temporal_patch_size > 0 && temporal_patch_size <= 16, "temporal_patch_size: expected 1 to 16");
  expect(merge_size > 0 && merge_size <= 16 && factor() <= 1024,
         "merge_size: expected 1 to 16, and at most 1024 / patch_size");
  expect(!do_rescale || (std::isfinite(rescale_factor) && rescale_factor > 0.0),
         "rescale_factor: expected a number above 0");
  for (std::size_t c = 0; c < 3; ++c) {
    expect(!do_normalize || (std::isfinite(image_mean[c]) && std::isfinite(image_std[c]) && image_std[c] != 0.0),
           "image_std: expected numbers other than 0");
  }
}

namespace detail {

inline void read_channel_values(const JsonFields& fields, std::string_view key, std::array<double, 3>& out) {
  constexpr std::string_view expected = "a number or a list of 3 numbers";
  const json::Value* const value = fields.find(key);
  if (value == nullptr) {
    return;
  }
  if (!value->is_array()) {
    out.fill(fields.number(key, 0.0));
    return;
  }
  const bool three = fields.expect(value->size() == 3, key, expected);
  for (std::size_t c = 0; three && c < 3; ++c) {
    const json::Value& item = value->items()[c];
    if (fields.expect(item.is_number() && std::isfinite(item.as_number()), key, expected)) {
      out[c] = item.as_number();
    }
  }
}

// Overwrites what the object gives.
inline void read_preprocessor(const JsonFields& fields, PreprocessorConfig& config) {
  if (const json::Value* const size = fields.object("size")) {
    const JsonFields areas(size, fields.where() + ".size");
    fields.expect(areas.find("shortest_edge") != nullptr && areas.find("longest_edge") != nullptr, "size",
                  "\"shortest_edge\" and \"longest_edge\", areas in pixels");
    config.size = {areas.size("shortest_edge", 0), areas.size("longest_edge", 0)};
  }
  config.patch_size = fields.size("patch_size", config.patch_size);
  config.temporal_patch_size = fields.size("temporal_patch_size", config.temporal_patch_size);
  config.merge_size = fields.size("merge_size", config.merge_size);
  read_channel_values(fields, "image_mean", config.image_mean);
  read_channel_values(fields, "image_std", config.image_std);
  config.rescale_factor = fields.number("rescale_factor", config.rescale_factor);
  config.do_resize = fields.boolean("do_resize", config.do_resize);
  config.do_rescale = fields.boolean("do_rescale", config.do_rescale);
  config.do_normalize = fields.boolean("do_normalize", config.do_normalize);
  fields.expect(fields.size("resample", 3) == 3, "resample", "3, bicubic: there is no other");
}

inline json::Value preprocessor_json(const PreprocessorConfig& config) {
  json::Value out = json::Value::object();
  out["size"]["shortest_edge"] = config.size.shortest_edge;
  out["size"]["longest_edge"] = config.size.longest_edge;
  out["patch_size"] = config.patch_size;
  out["temporal_patch_size"] = config.temporal_patch_size;
  out["merge_size"] = config.merge_size;
  for (std::size_t c = 0; c < 3; ++c) {
    out["image_mean"].push_back(config.image_mean[c]);
    out["image_std"].push_back(config.image_std[c]);
  }
  out["rescale_factor"] = config.rescale_factor;
  out["do_resize"] = config.do_resize;
  out["do_rescale"] = config.do_rescale;
  out["do_normalize"] = config.do_normalize;
  out["do_convert_rgb"] = true;
  out["resample"] = 3;
  out["processor_class"] = "Qwen3VLProcessor";
  return out;
}

// The settings object of a processor: nested in processor_config.json, or the first of `names` that is there, with its
// place.
inline std::pair<json::Value, std::string> find_preprocessor(const ModelFolder& files, std::string_view nested,
                                                             std::initializer_list<std::string_view> names) {
  const auto object = [&](std::string_view name) {
    return json::parse(files.text<MediaError>(name), files.place(name));
  };
  constexpr std::string_view all = "processor_config.json";
  if (files.has_file(all)) {
    const json::Value file = object(all);
    if (const json::Value* const inner = file.find(nested)) {
      return {*inner, concat(files.place(all), ".", nested)};
    }
  }
  for (const std::string_view name : names) {
    if (files.has_file(name)) {
      return {object(name), files.place(name)};
    }
  }
  decline<ConfigError>(files.missing(*names.begin()));
  return {};
}

}  // namespace detail

inline ImageProcessorConfig ImageProcessorConfig::from_json(const json::Value& file, std::string_view where) {
  const JsonFields fields(&file, where);
  const std::string type = fields.text("image_processor_type", "Qwen2VLImageProcessor");
  fields.expect(type.starts_with("Qwen2VLImageProcessor"), "image_processor_type", "Qwen2VLImageProcessor");
  ImageProcessorConfig config;
  config.size = {56 * 56, 28 * 28 * 1280};
  config.patch_size = 14;
  config.image_mean = {0.48145466, 0.4578275, 0.40821073};
  config.image_std = {0.26862954, 0.26130258, 0.27577711};
  detail::read_preprocessor(fields, config);
  config.size.shortest_edge = fields.size("min_pixels", config.size.shortest_edge);
  config.size.longest_edge = fields.size("max_pixels", config.size.longest_edge);
  config.check(where);
  return config;
}

inline json::Value ImageProcessorConfig::to_json() const {
  json::Value out = detail::preprocessor_json(*this);
  out["image_processor_type"] = "Qwen2VLImageProcessorFast";
  return out;
}

inline ImageProcessorConfig ImageProcessorConfig::from_pretrained(const ModelFolder& files) {
  const auto [value, where] = detail::find_preprocessor(files, "image_processor", {"preprocessor_config.json"});
  return from_json(value, where);
}

inline VideoProcessorConfig VideoProcessorConfig::from_json(const json::Value& file, std::string_view where) {
  const JsonFields fields(&file, where);
  const std::string type = fields.text("video_processor_type", "Qwen3VLVideoProcessor");
  fields.expect(type == "Qwen3VLVideoProcessor", "video_processor_type", "Qwen3VLVideoProcessor");
  VideoProcessorConfig config;
  config.size = {128 * 32 * 32, 32 * 32 * 768};
  detail::read_preprocessor(fields, config);
  config.fps = fields.number("fps", config.fps);
  config.min_frames = fields.size("min_frames", config.min_frames);
  config.max_frames = fields.size("max_frames", config.max_frames);
  config.do_sample_frames = fields.boolean("do_sample_frames", config.do_sample_frames);
  fields.expect(config.fps > 0.0, "fps", "a number above 0");
  fields.expect(config.max_frames > 0, "max_frames", "at least 1");
  config.check(where);
  return config;
}

inline json::Value VideoProcessorConfig::to_json() const {
  json::Value out = detail::preprocessor_json(*this);
  out["fps"] = fps;
  out["min_frames"] = min_frames;
  out["max_frames"] = max_frames;
  out["do_sample_frames"] = do_sample_frames;
  out["video_processor_type"] = "Qwen3VLVideoProcessor";
  return out;
}

inline VideoProcessorConfig VideoProcessorConfig::from_pretrained(const ModelFolder& files) {
  const auto [value, where] = detail::find_preprocessor(files, "video_processor",
                                                        {"video_preprocessor_config.json", "preprocessor_config.json"});
  return from_json(value, where);
}

QWEN35_END_NAMESPACE
