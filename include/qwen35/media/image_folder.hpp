// SPDX-License-Identifier: Apache-2.0
// A folder of pictures as a video, in the natural order of their names: frame2.png before frame10.png.
#pragma once

#include <qwen35/media/decode.hpp>
#include <qwen35/media/video_source.hpp>

#include <algorithm>
#include <filesystem>

QWEN35_BEGIN_NAMESPACE

// Runs of digits compare as numbers, everything else byte by byte; names that are then equal ("a1", "a01") as plain
// text.
inline bool natural_less(std::string_view a, std::string_view b) {
  const auto digit = [](char c) { return c >= '0' && c <= '9'; };
  // The run of digits at the start of `text`, without leading zeros; cut from it.
  const auto take_number = [&](std::string_view& text) {
    std::size_t end = 0, zeros = 0;
    while (end < text.size() && digit(text[end])) {
      zeros += end == zeros && text[end] == '0' ? 1u : 0u;
      ++end;
    }
    const std::string_view number = text.substr(zeros, end - zeros);
    text.remove_prefix(end);
    return number;
  };
  std::string_view x = a, y = b;
  while (!x.empty() && !y.empty()) {
    if (digit(x.front()) && digit(y.front())) {
      const std::string_view m = take_number(x), n = take_number(y);
      if (m != n) {
        return m.size() != n.size() ? m.size() < n.size() : m < n;
      }
      continue;
    }
    if (x.front() != y.front()) {
      return static_cast<unsigned char>(x.front()) < static_cast<unsigned char>(y.front());
    }
    x.remove_prefix(1);
    y.remove_prefix(1);
  }
  return x.empty() != y.empty() ? x.empty() : a < b;
}

class ImageFolder {
 public:
  // Every file in it whose name ends as a picture's does; hidden files are left out. `fps`: the pictures' rate. Raises
  // MediaError when the folder cannot be read or has no pictures.
  ImageFolder(const std::string& folder, std::optional<double> fps, const MediaLimits& limits = {}) : limits_(limits) {
    std::error_code error;
    std::filesystem::directory_iterator entry(folder, error);
    require<MediaError>(!error, folder, ": cannot be read as a folder: ", error.message());
    std::vector<std::string> names;
    for (; entry != std::filesystem::directory_iterator(); entry.increment(error)) {
      std::string name = entry->path().filename().string();
      if (name.front() != '.' && is_picture_name(name)) {
        require<MediaError>(names.size() < limits.max_frames, folder, ": more than ", limits.max_frames, " pictures");
        names.push_back(std::move(name));
      }
    }
    require<MediaError>(!error, folder, ": cannot be read: ", error.message());
    require<MediaError>(!names.empty(), folder, ": no pictures in this folder");
    std::sort(names.begin(), names.end(), natural_less);
    for (const std::string& name : names) {
      paths_.push_back(folder + "/" + name);
    }
    first_ = read_image(paths_[0], limits_);
    metadata_ = {paths_.size(), fps, first_.width(), first_.height(), {}};
  }

  const VideoMetadata& metadata() const { return metadata_; }
  const std::vector<std::string>& paths() const { return paths_; }

  // Raises MediaError for a picture that cannot be read or is not as large as the first one.
  template <class Sink>
  void read(std::span<const std::size_t> indices, Sink&& sink) const {
    require<MediaError>(std::uint64_t{indices.size()} * metadata_.width * metadata_.height <= limits_.max_video_pixels,
                        "folder of pictures: more than ", limits_.max_video_pixels, " pixels in all");
    Image image;
    for (std::size_t i = 0; i < indices.size(); ++i) {
      const std::string& path = paths_[indices[i]];
      if (i == 0 || indices[i] != indices[i - 1]) {
        image = indices[i] == 0 ? first_ : read_image(path, limits_);
      }
      require<MediaError>(image.width() == metadata_.width && image.height() == metadata_.height, path, ": ",
                          image.width(), " x ", image.height(), " pixels, the folder's first picture has ",
                          metadata_.width, " x ", metadata_.height);
      sink(image.view());
    }
  }

 private:
  static bool is_picture_name(std::string_view name) {
    const std::size_t dot = name.find_last_of('.');
    std::string ending(dot == std::string_view::npos ? std::string_view() : name.substr(dot + 1));
    for (char& c : ending) {
      c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    }
    return ending == "png" || ending == "jpg" || ending == "jpeg" || ending == "webp" || ending == "bmp" ||
           ending == "gif" || ending == "tif" || ending == "tiff" || ending == "avif";
  }

  MediaLimits limits_;
  std::vector<std::string> paths_;
  Image first_;
  VideoMetadata metadata_;
};

QWEN35_END_NAMESPACE
