// SPDX-License-Identifier: Apache-2.0
// Any bytes as EXIF and XMP data: an orientation from 1 to 8.
#include <qwen35/media/exif.hpp>

#include "support/fuzz.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace qwen35;
  const int orientation = exif_orientation({data, size});
  fuzz::expect(orientation >= 1 && orientation <= 8);
  const int of_xmp = detail::xmp_orientation(fuzz::text_of(data, size));
  fuzz::expect(of_xmp >= 0 && of_xmp <= 8);
  return 0;
}
