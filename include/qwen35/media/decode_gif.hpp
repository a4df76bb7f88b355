// SPDX-License-Identifier: Apache-2.0
// GIF through giflib: the first picture, or the composited frames of an animation.
#pragma once

#include <qwen35/media/image.hpp>

#include <algorithm>
#include <memory>
#include <string_view>

#include <gif_lib.h>

QWEN35_BEGIN_NAMESPACE

// Reads an animation frame by frame. Frames are drawn onto an RGB canvas: alpha is dropped, so what no frame has drawn
// has the colour of the first frame's transparent index, or of index 0. (The composition is that of the reference's
// image library.)
class GifReader {
 public:
  // The bytes must live as long as the reader. Raises MediaError for a damaged or too large file.
  explicit GifReader(std::span<const std::byte> bytes, const MediaLimits& limits = {},
                     std::string_view source_name = "GIF")
      : bytes_(bytes), limits_(limits), name_(source_name) {
    open();
  }
  GifReader(const GifReader&) = delete;  // giflib keeps its address
  GifReader& operator=(const GifReader&) = delete;

  // Back to before the first frame.
  void restart() { open(); }

  // What can be said without unpacking the pixels.
  struct Summary {
    std::size_t frames = 0;
    double seconds = 0.0;  // a frame of less than 0.02 s counts as 0.1 s, as browsers and FFmpeg show it
  };
  // Goes through the whole file. Afterwards the reader is at the first frame.
  Summary summary() {
    open();
    Summary out;
    std::uint64_t pixels = 0;
    while (next_descriptor()) {
      ++out.frames;
      require<MediaError>(out.frames <= limits_.max_frames, name_, ": more than ", limits_.max_frames, " frames");
      pixels += std::uint64_t{rect_.width} * rect_.height + canvas_.width() * canvas_.height();
      require<MediaError>(pixels <= limits_.max_video_pixels, name_, ": more than ", limits_.max_video_pixels,
                          " pixels in all frames");
      out.seconds += (delay_ < 2 ? 10 : delay_) * 0.01;
      skip_pixels();
    }
    require<MediaError>(out.frames > 0, name_, ": not a sound GIF: no picture in it");
    open();
    return out;
  }

  // Draws the next frame onto canvas(). False at the end.
  bool next() {
    dispose();
    if (!next_descriptor()) {
      return false;
    }
    draw();
    return true;
  }
  const Image& canvas() const { return canvas_; }

 private:
  struct Closer {
    void operator()(GifFileType* file) const {
      int error = 0;
      DGifCloseFile(file, &error);
    }
  };
  struct Rect {
    std::size_t left = 0, top = 0, width = 0, height = 0;
  };

  static int read(GifFileType* file, GifByteType* out, int count) {
    auto& self = *static_cast<GifReader*>(file->UserData);
    const std::size_t take = std::min(static_cast<std::size_t>(count), self.bytes_.size() - self.offset_);
    std::copy_n(self.bytes_.begin() + static_cast<std::ptrdiff_t>(self.offset_), take,
                reinterpret_cast<std::byte*>(out));
    self.offset_ += take;
    return static_cast<int>(take);
  }
  void fail(int error) const {
    const char* const text = GifErrorString(error);
    decline<MediaError>(concat(name_, ": not a sound GIF: ",
                               offset_ == bytes_.size() ? "the file is cut off"
                               : text != nullptr        ? text
                                                        : "damaged"));
  }
  bool check(int status) const {
    if (status != GIF_OK) {
      fail(file_->Error);
    }
    return status == GIF_OK;
  }

  void open() {
    file_.reset();
    offset_ = 0;
    int error = 0;
    file_.reset(DGifOpen(this, read, &error));
    if (file_ == nullptr) {
      fail(error);
    }
    canvas_ = Image();
    first_ = true;
    disposal_ = disposal_asked_ = DISPOSAL_UNSPECIFIED;
  }

  // Up to the next picture's descriptor. False at the end of the file, and where it is declined.
  bool next_descriptor() {
    transparent_ = NO_TRANSPARENT_COLOR;
    delay_ = 0;
    while (true) {
      GifRecordType type = UNDEFINED_RECORD_TYPE;
      if (offset_ == bytes_.size() && !canvas_.empty()) {
        return false;  // without the mark of the end
      }
      if (file_ == nullptr || !check(DGifGetRecordType(file_.get(), &type)) || type == TERMINATE_RECORD_TYPE) {
        return false;
      }
      if (type == IMAGE_DESC_RECORD_TYPE) {
        break;
      }
      int code = 0;
      GifByteType* block = nullptr;
      if (!check(DGifGetExtension(file_.get(), &code, &block))) {
        return false;
      }
      while (block != nullptr) {
        GraphicsControlBlock control;
        if (code == GRAPHICS_EXT_FUNC_CODE && DGifExtensionToGCB(block[0], block + 1, &control) == GIF_OK) {
          delay_ = control.DelayTime;
          if (control.TransparentColor != NO_TRANSPARENT_COLOR) {
            transparent_ = control.TransparentColor;
          }
          if (control.DisposalMode != DISPOSAL_UNSPECIFIED) {
            disposal_asked_ = control.DisposalMode;
          }
        }
        if (!check(DGifGetExtensionNext(file_.get(), &block))) {
          return false;
        }
      }
    }
    // The library keeps the descriptors and colour tables of all pictures: only the last one is needed.
    GifFreeSavedImages(file_.get());
    file_->SavedImages = nullptr;
    file_->ImageCount = 0;
    if (!check(DGifGetImageDesc(file_.get()))) {
      return false;
    }
    const GifImageDesc& d = file_->Image;
    rect_ = {static_cast<std::size_t>(d.Left), static_cast<std::size_t>(d.Top), static_cast<std::size_t>(d.Width),
             static_cast<std::size_t>(d.Height)};
    if (!check_picture_size(rect_.width, rect_.height, limits_, name_)) {
      return false;
    }
    if (canvas_.empty()) {
      // A first picture that sticks out makes the canvas larger.
      const std::size_t width = std::max(static_cast<std::size_t>(file_->SWidth), rect_.left + rect_.width);
      const std::size_t height = std::max(static_cast<std::size_t>(file_->SHeight), rect_.top + rect_.height);
      if (!check_picture_size(width, height, limits_, name_)) {
        return false;
      }
      canvas_ = Image(width, height);
      fill({0, 0, width, height}, transparent_ != NO_TRANSPARENT_COLOR ? transparent_ : 0);
    }
    return true;
  }

  void skip_pixels() {
    int code_size = 0;
    GifByteType* block = nullptr;
    bool sound = check(DGifGetCode(file_.get(), &code_size, &block));
    while (sound && block != nullptr) {
      sound = check(DGifGetCodeNext(file_.get(), &block));
    }
  }

  const ColorMapObject* table() const {
    return file_->Image.ColorMap != nullptr ? file_->Image.ColorMap : file_->SColorMap;
  }
  bool in_table(int index) const { return table() == nullptr || index < table()->ColorCount; }
  // An index beyond the table is black; without any table the indices are greys.
  GifColorType colour(int index) const {
    if (table() == nullptr) {
      const auto grey = static_cast<GifByteType>(index);
      return {grey, grey, grey};
    }
    return in_table(index) ? table()->Colors[index] : GifColorType{0, 0, 0};
  }

  void fill(const Rect& rect, int index) {
    const GifColorType value = colour(index);
    for (std::size_t y = rect.top; y < std::min(rect.top + rect.height, canvas_.height()); ++y) {
      for (std::size_t x = rect.left; x < std::min(rect.left + rect.width, canvas_.width()); ++x) {
        set(x, y, value);
      }
    }
  }
  void set(std::size_t x, std::size_t y, const GifColorType& value) {
    std::uint8_t* const p = canvas_.row(y) + 3 * x;
    p[0] = value.Red;
    p[1] = value.Green;
    p[2] = value.Blue;
  }

  void draw() {
    drawn_ = rect_;
    disposal_ = std::min(disposal_asked_, DISPOSE_PREVIOUS);
    if (first_ && transparent_ == NO_TRANSPARENT_COLOR && disposal_ == DISPOSE_PREVIOUS) {
      disposal_ = DISPOSE_DO_NOT;  // there is nothing before it
    }
    if (disposal_ == DISPOSE_PREVIOUS) {
      before_ = canvas_;
    }
    if (disposal_ == DISPOSE_BACKGROUND) {
      const int background = file_->SColorMap != nullptr ? file_->SBackGroundColor : 0;
      const int index = transparent_ != NO_TRANSPARENT_COLOR ? transparent_ : background;
      // Beyond the table: its first colour, but black behind the first frame, as the reference has it.
      cleared_ = colour(first_ || in_table(index) ? index : 0);
    }
    first_ = false;
    std::vector<GifPixelType> line(rect_.width);
    static constexpr std::size_t first[] = {0, 4, 2, 1}, step[] = {8, 8, 4, 2};
    const bool interlaced = file_->Image.Interlace;
    for (std::size_t pass = 0; pass < (interlaced ? 4u : 1u); ++pass) {
      for (std::size_t y = interlaced ? first[pass] : 0; y < rect_.height; y += interlaced ? step[pass] : 1) {
        if (!check(DGifGetLine(file_.get(), line.data(), static_cast<int>(line.size())))) {
          return;
        }
        if (rect_.top + y >= canvas_.height()) {
          continue;
        }
        for (std::size_t x = 0; x < rect_.width && rect_.left + x < canvas_.width(); ++x) {
          if (line[x] != transparent_) {
            set(rect_.left + x, rect_.top + y, colour(line[x]));
          }
        }
      }
    }
  }

  // What the last frame asked for: its place cleared, or as it was before.
  void dispose() {
    if (disposal_ == DISPOSE_PREVIOUS) {
      std::swap(canvas_, before_);
    } else if (disposal_ == DISPOSE_BACKGROUND) {
      for (std::size_t y = drawn_.top; y < std::min(drawn_.top + drawn_.height, canvas_.height()); ++y) {
        for (std::size_t x = drawn_.left; x < std::min(drawn_.left + drawn_.width, canvas_.width()); ++x) {
          set(x, y, cleared_);
        }
      }
    }
    disposal_ = DISPOSAL_UNSPECIFIED;
  }

  std::span<const std::byte> bytes_;
  MediaLimits limits_;
  std::string name_;
  std::size_t offset_ = 0;
  std::unique_ptr<GifFileType, Closer> file_;
  Image canvas_;
  Image before_;
  Rect rect_;   // of the picture being read
  Rect drawn_;  // of the last one drawn
  GifColorType cleared_{};
  int transparent_ = NO_TRANSPARENT_COLOR;
  int delay_ = 0;                              // in 0.01 s
  bool first_ = true;                          // nothing was drawn yet
  int disposal_ = DISPOSAL_UNSPECIFIED;        // of the last one drawn
  int disposal_asked_ = DISPOSAL_UNSPECIFIED;  // as last asked for: it holds until another is
};

// The first picture of the file. Raises MediaError for a damaged or too large file.
inline Image decode_gif(std::span<const std::byte> bytes, const MediaLimits& limits = {},
                        std::string_view source_name = "GIF") {
  GifReader reader(bytes, limits, source_name);
  if (!holds<MediaError>(reader.next(), source_name, ": not a sound GIF: no picture in it")) {
    return {};
  }
  return reader.canvas();
}

QWEN35_END_NAMESPACE
