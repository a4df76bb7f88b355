// SPDX-License-Identifier: Apache-2.0
// Any settings of a processor: an error, or settings with which a picture and a clip become patches, and which are the
// same after they were written and read again.
#include <qwen35/media/image_processor.hpp>
#include <qwen35/media/video_processor.hpp>

#include "support/fuzz_folder.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace qwen35;
  constexpr std::size_t most = 1 << 18;  // larger ones only take longer
  const fuzz::Files files = fuzz::files_of(fuzz::text_of(data, size));
  fuzz::attempt([&] {
    const ImageProcessor processor(ImageProcessorConfig::from_pretrained(fuzz::folder_of(files)));
    ImageProcessorConfig::from_json(processor.config().to_json());
    const ImageSize to = processor.resized_size({70, 40});
    if (to.width * to.height * processor.config().temporal_patch_size < most) {
      processor.preprocess(Image(70, 40));
    }
  });
  fuzz::attempt([&] {
    const std::vector<Image> frames(3, Image(70, 40));
    const VideoProcessor processor(VideoProcessorConfig::from_pretrained(fuzz::folder_of(files)));
    VideoProcessorConfig::from_json(processor.config().to_json());
    const ImageSize to = processor.resized_size(3, {70, 40});
    if (to.width * to.height * (processor.config().temporal_patch_size + 3) < most) {
      processor.preprocess(FrameList(frames, 24.0));
    }
  });
  return 0;
}
