// SPDX-License-Identifier: Apache-2.0
#include <qwen35/media/preprocessor_config.hpp>

#include <media/media_test.hpp>

#include <filesystem>
#include <fstream>

using namespace qwen35;
using namespace media_test;

namespace {

ImageProcessorConfig image_config(std::string_view text) {
  return ImageProcessorConfig::from_json(json::parse(text));
}
VideoProcessorConfig video_config(std::string_view text) {
  return VideoProcessorConfig::from_json(json::parse(text));
}

constexpr std::string_view published_image =
    R"({"size": {"longest_edge": 16777216, "shortest_edge": 65536}, "patch_size": 16,
  "temporal_patch_size": 2, "merge_size": 2, "image_mean": [0.5, 0.5, 0.5], "image_std": [0.5, 0.5, 0.5],
  "processor_class": "Qwen3VLProcessor", "image_processor_type": "Qwen2VLImageProcessorFast"})";

struct Folder {
  Folder() : path(std::filesystem::temp_directory_path() / "qwen35_preprocessor_config") {
    std::filesystem::remove_all(path);
    std::filesystem::create_directories(path);
  }
  ~Folder() { std::filesystem::remove_all(path); }
  void put(const char* name, std::string_view text) const { std::ofstream(path / name) << text; }
  std::filesystem::path path;
};

}  // namespace

TEST_CASE("the published settings are the defaults") {
  const ImageProcessorConfig read = image_config(published_image), published;
  CHECK(read.size == published.size);
  CHECK(read.patch_size == published.patch_size);
  CHECK(read.merge_size == published.merge_size);
  CHECK(read.image_mean == published.image_mean);
  CHECK(read.rescale_factor == published.rescale_factor);
  const VideoProcessorConfig video;
  CHECK(video.size == PixelArea{4096, 25165824});
  CHECK(video.fps == 2.0);
  CHECK(video.max_frames == 768);
}

TEST_CASE("what a file does not give has the class's default") {
  const ImageProcessorConfig image = image_config("{}");
  CHECK(image.size == PixelArea{3136, 1003520});
  CHECK(image.patch_size == 14);
  CHECK(image.image_mean[0] == 0.48145466);
  const VideoProcessorConfig video = video_config("{}");
  CHECK(video.size == PixelArea{131072, 786432});
  CHECK(video.patch_size == 16);
  CHECK(video.min_frames == 4);
}

TEST_CASE("fields are read") {
  const ImageProcessorConfig image =
      image_config(R"({"min_pixels": 100, "max_pixels": 2000, "image_mean": 0.25, "image_std": [1, 2, 3],
    "do_resize": false, "do_rescale": false, "do_normalize": false, "rescale_factor": 0.5, "resample": 3, "merge_size": 1, "size": null})");
  CHECK(image.size == PixelArea{100, 2000});
  CHECK(image.image_mean == std::array<double, 3>{0.25, 0.25, 0.25});
  CHECK(image.image_std == std::array<double, 3>{1.0, 2.0, 3.0});
  CHECK_FALSE(image.do_resize);
  CHECK_FALSE(image.do_rescale);
  CHECK_FALSE(image.do_normalize);
  CHECK(image.rescale_factor == 0.5);
  CHECK(image.merge_size == 1);
  const VideoProcessorConfig video =
      video_config(R"({"fps": 1.5, "min_frames": 2, "max_frames": 16, "do_sample_frames": false})");
  CHECK(video.fps == 1.5);
  CHECK(video.min_frames == 2);
  CHECK(video.max_frames == 16);
  CHECK_FALSE(video.do_sample_frames);
}

TEST_CASE("wrong fields are named") {
  const auto image = [](std::string_view text) { return message_of<ConfigError>([&] { image_config(text); }); };
  CHECK(contains(image("[]"), "expected an object"));
  CHECK(contains(image(R"({"size": 5})"), "preprocessor_config.json.size"));
  CHECK(contains(image(R"({"size": {"shortest_edge": 5}})"), "\"longest_edge\""));
  CHECK(contains(image(R"({"size": {"shortest_edge": 0, "longest_edge": 5}})"), "areas above 0"));
  CHECK(contains(image(R"({"size": {"shortest_edge": -1, "longest_edge": 5}})"), "shortest_edge"));
  CHECK(contains(image(R"({"patch_size": 0})"), "patch_size"));
  CHECK(contains(image(R"({"patch_size": "16x"})"), "patch_size"));
  CHECK(contains(image(R"({"patch_size": 100000})"), "patch_size"));
  CHECK(contains(image(R"({"merge_size": 0})"), "merge_size"));
  CHECK(contains(image(R"({"temporal_patch_size": 0})"), "temporal_patch_size"));
  CHECK(contains(image(R"({"image_mean": [1, 2]})"), "image_mean"));
  CHECK(contains(image(R"({"image_std": [1, 0, 2]})"), "image_std"));
  CHECK(contains(image(R"({"image_std": [1, "x", 2]})"), "image_std"));
  CHECK(contains(image(R"({"rescale_factor": 0})"), "rescale_factor"));
  CHECK(contains(image(R"({"resample": 2})"), "resample"));
  CHECK(contains(image(R"({"image_processor_type": "CLIPImageProcessor"})"), "image_processor_type"));
  CHECK(contains(image(R"({"max_pixels": 1e30})"), "max_pixels"));
  const auto video = [](std::string_view text) { return message_of<ConfigError>([&] { video_config(text); }); };
  CHECK(contains(video(R"({"fps": 0})"), "fps"));
  CHECK(contains(video(R"({"max_frames": 0})"), "max_frames"));
  CHECK(contains(video(R"({"video_processor_type": "OtherVideoProcessor"})"), "video_processor_type"));
}

TEST_CASE("which file of a folder counts") {
  const Folder folder;
  const std::string path = folder.path.string();
  CHECK(contains(message_of<ConfigError>([&] { ImageProcessorConfig::from_pretrained(path); }),
                 "no file preprocessor_config.json"));
  CHECK(contains(message_of<ConfigError>([&] { VideoProcessorConfig::from_pretrained(path); }),
                 "no file video_preprocessor_config.json"));
  folder.put("preprocessor_config.json", published_image);
  CHECK(ImageProcessorConfig::from_pretrained(path).size == PixelArea{65536, 16777216});
  CHECK(VideoProcessorConfig::from_pretrained(path).size == PixelArea{65536, 16777216});
  folder.put("video_preprocessor_config.json", R"({"size": {"longest_edge": 25165824, "shortest_edge": 4096}})");
  CHECK(VideoProcessorConfig::from_pretrained(path).size == PixelArea{4096, 25165824});
  folder.put("processor_config.json",
             R"({"image_processor": {"patch_size": 8}, "video_processor": {"patch_size": 4}})");
  CHECK(ImageProcessorConfig::from_pretrained(path).patch_size == 8);
  CHECK(VideoProcessorConfig::from_pretrained(path).patch_size == 4);
  folder.put("processor_config.json", R"({"image_processor": {"patch_size": -8}})");
  CHECK(contains(message_of<ConfigError>([&] { ImageProcessorConfig::from_pretrained(path); }),
                 "processor_config.json.image_processor.patch_size"));
  folder.put("processor_config.json", "{");
  CHECK_THROWS_AS(ImageProcessorConfig::from_pretrained(path), TextError);
}

TEST_CASE("settings are written as they were read") {
  ImageProcessorConfig image;
  image.size = {1024, 65536};
  image.patch_size = 14;
  image.image_mean = {0.48145466, 0.4578275, 0.40821073};
  image.rescale_factor = 1.0 / 256.0;
  image.do_normalize = false;
  const json::Value written = image.to_json();
  CHECK(ImageProcessorConfig::from_json(written).to_json() == written);
  CHECK(written.at("size").at("longest_edge").as_integer() == 65536);
  CHECK(written.at("rescale_factor").as_number() == 1.0 / 256.0);
  CHECK_FALSE(written.at("do_normalize").as_bool());
  CHECK(written.at("image_mean").items()[2].as_number() == 0.40821073);
  VideoProcessorConfig video;
  video.fps = 1.5;
  video.max_frames = 16;
  video.do_sample_frames = false;
  const json::Value clip = video.to_json();
  CHECK(VideoProcessorConfig::from_json(clip).to_json() == clip);
  CHECK(clip.at("fps").as_number() == 1.5);
  CHECK(clip.at("max_frames").as_integer() == 16);
}
